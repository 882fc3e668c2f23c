/**
 * In how many hours flows show which tokens: what recall and prevalence are made of. Hours are those of UTC in which
 * flows of a unit ended, so pauses of a recording are no hours; the order of flows and batches makes no difference.
 * Tokens are held as hashes, 16 bytes for each, as most of a library's tokens are nobody's.
 */
import { assertInvariant } from '#base';
import { describeTokens, isOutward, type TokenDescription } from '#evidence';
import type { FlowBatch } from '#flow';

const hourMs = 3_600_000;

/** Calls `visit` for every token that is to be counted of a row. */
export type EachToken = (batch: FlowBatch, row: number, visit: (token: TokenDescription) => void) => void;

export type TokenHours = {
  /** Hours of units with a flow out of the home. */
  readonly hours: number;
  /** Of tokens by `hashOfToken`, ascending, each once. */
  readonly hashes: Float64Array;
  /** [token]: hours that show it, 1 to `hours`. */
  readonly shown: Uint32Array;
};

/** Tokens of the families that do not depend on a classifier. */
export const eachPlainToken: EachToken = (batch, row, visit) => {
  for (const token of describeTokens(batch, row)) if (token.family !== 'accepted') visit(token);
};

/**
 * Counts hours. An hour of one device is another one than the same of another device.
 *
 * @param flows  read only; of any number of devices, with shared dictionaries. Passed over are flows without an end,
 *               and those that stay in the home: exporters do not see them
 */
export function countTokenHours(flows: readonly FlowBatch[], eachToken: EachToken): TokenHours {
  let hashes = new Float64Array(1_024);
  let count = 0;
  const groups = groupByHour(flows);
  for (const places of groups) {
    const first = count;
    for (let i = 0; i < places.length; i += 2) {
      eachToken(flows[places[i] as number] as FlowBatch, places[i + 1] as number, (token) => {
        if (count === hashes.length) {
          const wider = new Float64Array(2 * count);
          wider.set(hashes);
          hashes = wider;
        }
        hashes[count++] = hashOfToken(token);
      });
    }
    count = first + dropCopies(hashes.subarray(first, count));
  }
  const all = hashes.slice(0, count).sort();
  return { hours: groups.length, ...countRuns(all) };
}

/** Hours that show a token. */
export function hoursShowing({ hashes, shown }: TokenHours, hash: number): number {
  let first = 0;
  let end = hashes.length;
  while (first < end) {
    const middle = (first + end) >>> 1;
    if ((hashes[middle] as number) < hash) first = middle + 1;
    else end = middle;
  }
  return hashes[first] === hash ? shown[first] as number : 0;
}

/**
 * A token's text as a whole number below 2^53: two of FNV-1a's kind side by side. Of ten thousand candidates and ten
 * million tokens of a library, two differing ones share a number once in 90,000 libraries; a prevalence would be off.
 */
export function hashOfToken({ text }: Pick<TokenDescription, 'text'>): number {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b);
    high ^= high >>> 15;
  }
  return (high >>> 11) * 0x1_0000_0000 + ((low ^ low >>> 15) >>> 0);
}

/** Of each device and hour the places of its flows out of the home: batch and row, one behind the other. */
export function groupByHour(flows: readonly FlowBatch[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [index, batch] of flows.entries()) {
    assertInvariant(batch.dictionaries === flows[0]?.dictionaries, 'batches must share dictionaries to count hours');
    const { flowEndMilliseconds: end, device } = batch.columns;
    for (let row = 0; row < batch.rowCount; row++) {
      const endMs = end[row] as number;
      if (!Number.isFinite(endMs) || !isOutward(batch, row, [])) continue;
      const key = `${device[row] as number} ${Math.floor(endMs / hourMs)}`;
      const places = groups.get(key);
      if (places === undefined) groups.set(key, [index, row]);
      else places.push(index, row);
    }
  }
  return [...groups.values()];
}

/** Sorts, and moves one of each to the front. @returns how many there are */
function dropCopies(values: Float64Array): number {
  values.sort();
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (i === 0 || values[i] !== values[count - 1]) values[count++] = values[i] as number;
  }
  return count;
}

function countRuns(ascending: Float64Array): Pick<TokenHours, 'hashes' | 'shown'> {
  const hashes = ascending.slice();
  const distinct = dropCopies(hashes);
  const shown = new Uint32Array(distinct);
  let at = -1;
  for (let i = 0; i < ascending.length; i++) {
    if (i === 0 || ascending[i] !== ascending[i - 1]) at++;
    shown[at] = (shown[at] as number) + 1;
  }
  return { hashes: hashes.slice(0, distinct), shown };
}
