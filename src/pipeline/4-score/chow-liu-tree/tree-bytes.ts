/**
 * A Chow–Liu tree as bytes, and back. Bytes may be hostile: lengths are checked before anything is allocated, and what
 * is no tree is refused; there is only one way to write a tree. What the layout of the rows says is not written again.
 *
 * Little-endian, sections one behind the other (n numbers, v variables, numbers first):
 *   u32 cost scored 1/2 · u32 ends of bins · u32 pairs · u32 zero
 *   f32 × ends: ends of bins, number by number, ascending
 *   u16 × n: ends of each number, at least 2
 *   u16 × v: parent of each variable, 65535 where there is none
 *   then for each variable, in order:
 *     u16 × values: cost by itself
 *     u16 × values of the parent: cost of a value never seen with this one, on top of that by itself
 *     u16 × values of the parent: values that were seen with it
 *   u16 × pairs: value, ascending for each value of the parent; variable by variable
 *   u16 × pairs: its cost
 *   zeros to a multiple of 4
 */
import type { RowLayout } from '#feature';
import { createTree, noParent, type FittedTree, type TreeVariable } from './chow-liu-tree.ts';
import { countValues } from './symbols.ts';

const headerBytes = 16;

export function writeTree({ binEnds, variables, rareCost }: FittedTree): Uint8Array {
  const ends = binEnds.flatMap((ofNumber) => [...ofNumber]);
  const shorts = [
    binEnds.map((ofNumber) => ofNumber.length), variables.map(({ parent }) => parent),
    ...variables.flatMap(({ alone, apart, pairStart }) =>
      [alone, apart, apart.map((_, value) => (pairStart[value + 1] as number) - (pairStart[value] as number))]),
    ...variables.map(({ pairValue }) => pairValue), ...variables.map(({ pairCost }) => pairCost),
  ].flatMap((section) => [...section]);
  const shortsAt = headerBytes + ends.length * 4;
  const buffer = new ArrayBuffer(shortsAt + Math.ceil(shorts.length / 2) * 4);
  const pairs = variables.reduce((sum, { pairValue }) => sum + pairValue.length, 0);
  new Uint32Array(buffer, 0, 4).set([rareCost, ends.length, pairs, 0]);
  new Float32Array(buffer, headerBytes, ends.length).set(ends);
  new Uint16Array(buffer, shortsAt, shorts.length).set(shorts);
  return new Uint8Array(buffer);
}

/** @returns the tree, or one sentence that says what is wrong with the bytes */
export function readTree(bytes: Uint8Array, layout: RowLayout): FittedTree | string {
  if (bytes.length < headerBytes || bytes.length % 4 !== 0) {
    return `A tree has a header of ${headerBytes} bytes and a multiple of 4, but there are ${bytes.length}.`;
  }
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const [rareCost, endCount, pairCount, zero] =
    new Uint32Array(buffer, byteOffset, 4) as unknown as [number, number, number, number];
  const shortsAt = headerBytes + endCount * 4;
  if (shortsAt > bytes.length) return `The tree has no room for ${endCount} ends of bins.`;
  if (rareCost === 0 || zero !== 0) return 'The header of the tree is not sound.';
  const reader = new ShortReader(new Uint16Array(buffer, byteOffset + shortsAt, (bytes.length - shortsAt) / 2));
  const ends = new Float32Array(buffer, byteOffset + headerBytes, endCount);
  const variableCount = layout.numericCount + layout.categoryCounts.length;
  const binEnds = cutEnds(ends, reader.take(layout.numericCount));
  if (typeof binEnds === 'string') return binEnds;
  const parents = reader.take(variableCount);
  if (parents === undefined) return cutShort;
  if (!isForest(parents)) return 'The parents of the variables do not make a tree.';
  const variables = readVariables(reader, countValues(layout, binEnds), parents, pairCount);
  if (typeof variables === 'string') return variables;
  const rest = reader.takeRest();
  if (rest.length > 1 || rest.some((short) => short !== 0)) return 'There are bytes behind the end of the tree.';
  return createTree({ layout, binEnds, variables, rareCost });
}

const cutShort = 'The tree ends before its tables do.';

/** Gives one section after the other. */
class ShortReader {
  readonly #shorts: Uint16Array;
  #at = 0;

  constructor(shorts: Uint16Array) {
    this.#shorts = shorts;
  }

  /** The next section, a view; undefined when there is not so much. */
  take(count: number): Uint16Array | undefined {
    if (count > this.#shorts.length - this.#at) return undefined;
    this.#at += count;
    return this.#shorts.subarray(this.#at - count, this.#at);
  }

  takeRest(): Uint16Array {
    return this.#shorts.subarray(this.#at);
  }
}

/** @param counts  [number]: how many of the ends are its */
function cutEnds(ends: Float32Array, counts: Uint16Array | undefined): Float32Array[] | string {
  if (counts === undefined) return cutShort;
  const binEnds: Float32Array[] = [];
  let at = 0;
  for (const [number, count] of counts.entries()) {
    // A symbol is a u16, and there is one more of them than there are ends.
    if (count < 2 || count >= 0xffff || at + count > ends.length) return `Number ${number} has ${count} ends of bins.`;
    const ofNumber = ends.subarray(at, at += count);
    const isAscending = ofNumber.every((end, i) => Number.isFinite(end) && (ofNumber[i - 1] ?? end) <= end);
    if (!isAscending) return `The ends of bins of number ${number} do not ascend.`;
    binEnds.push(ofNumber);
  }
  return at === ends.length ? binEnds : `${ends.length - at} ends of bins belong to no number.`;
}

/** True when no variable is its own ancestor, and every parent is there. */
function isForest(parents: Uint16Array): boolean {
  return parents.every((parent) => {
    let steps = 0;
    for (let at = parent; at !== noParent; at = parents[at] as number) {
      if (at >= parents.length || ++steps > parents.length) return false;
    }
    return true;
  });
}

type Tables = { readonly alone: Uint16Array; readonly apart: Uint16Array; readonly pairStart: Uint32Array };

function readVariables(
  reader: ShortReader, valueCounts: readonly number[], parents: Uint16Array, pairCount: number,
): TreeVariable[] | string {
  const tables: Tables[] = [];
  const parentValuesOf = (variable: number): number => valueCounts[parents[variable] as number] ?? 0;
  // One piece of memory: a hundred trees have thousands of such tables.
  const starts = new Uint32Array(valueCounts.reduce((sum, _, variable) => sum + parentValuesOf(variable) + 1, 0));
  let at = 0;
  for (const [variable, valueCount] of valueCounts.entries()) {
    const parentValues = parentValuesOf(variable);
    const alone = reader.take(valueCount);
    const apart = reader.take(parentValues);
    const counts = reader.take(parentValues);
    if (alone === undefined || apart === undefined || counts === undefined) return cutShort;
    const pairStart = starts.subarray(at, at += parentValues + 1);
    counts.forEach((count, value) => { pairStart[value + 1] = (pairStart[value] as number) + count; });
    tables.push({ alone, apart, pairStart });
  }
  const sizes = tables.map(({ pairStart }) => pairStart.at(-1) as number);
  if (sizes.reduce((sum, size) => sum + size, 0) !== pairCount) return `The tables do not have ${pairCount} pairs.`;
  const values = sizes.map((size) => reader.take(size));
  const costs = sizes.map((size) => reader.take(size));
  const variables: TreeVariable[] = [];
  for (const [variable, { alone, apart, pairStart }] of tables.entries()) {
    const pairValue = values[variable];
    const pairCost = costs[variable];
    if (pairValue === undefined || pairCost === undefined) return cutShort;
    if (!areSorted(pairStart, pairValue, alone.length)) return `The pairs of variable ${variable} are not in order.`;
    variables.push({ parent: parents[variable] as number, alone, apart, pairStart, pairValue, pairCost });
  }
  return variables;
}

/** Values of each parent's value ascend, and are values. */
function areSorted(pairStart: Uint32Array, pairValue: Uint16Array, valueCount: number): boolean {
  for (let parent = 0; parent + 1 < pairStart.length; parent++) {
    let before = -1;
    for (let pair = pairStart[parent] as number; pair < (pairStart[parent + 1] as number); pair++) {
      const value = pairValue[pair] as number;
      if (value <= before || value >= valueCount) return false;
      before = value;
    }
  }
  return true;
}
