/**
 * How strong a composed home's windows get: tokens of its flows in order of time, in and out of a sliding window, and
 * the strongest window up to each of some horizons. A window is looked at when a flow with a token ends in its last
 * bucket, as in a detector. Flows were scored before; here there are only their tokens.
 */
import { assertInvariant } from '#base';
import { noToken } from '#evidence';
import type { ComposedHome } from './compose-homes.ts';
import { lowerBound, type Recording } from './recording.ts';

/** What a window's tokens are worth; a token that came n times must go n times. */
export type WindowScore = {
  clear(): void;
  add(token: number): void;
  remove(token: number): void;
  /** 0 of an empty window. */
  read(): number;
};

/** Those flows of a recording that show a token, or packets of its unit, ascending in time. */
export type FlowTokens = {
  readonly endMs: Float64Array;
  readonly token: Uint32Array;
  /**
   * Of packets: so long before the start of the first flow (by its end) that a home has of the recording, they are the
   * home's, too, as questions are that come before a flow; they count as if they came when it starts. Undefined: flows.
   */
  readonly leadMs?: number;
};

/** @param tokenOfRow  [row of the unit's flows], or `noToken` */
export function gatherTokens({ endMs, row }: Recording, tokenOfRow: Uint32Array): FlowTokens {
  const shown = [...row.keys()].filter((flow) => tokenOfRow[row[flow] as number] !== noToken);
  return {
    endMs: Float64Array.from(shown, (flow) => endMs[flow] as number),
    token: Uint32Array.from(shown, (flow) => tokenOfRow[row[flow] as number] as number),
  };
}

export type WindowOptions = {
  readonly windowMs: number;
  readonly bucketMs: number;
  /** Ascending, each a multiple of a bucket. */
  readonly horizonsMs: readonly number[];
};

export class HomeWindows {
  readonly #windowBuckets: number;
  readonly #bucketMs: number;
  readonly #horizons: readonly number[];
  /** Events of one home as they come, by number: bucket and token. Reused for the next home. */
  #buckets = new Int32Array(1_024);
  #tokens = new Uint32Array(1_024);
  /** The same in order of buckets. */
  #sortedBuckets = new Int32Array(1_024);
  #sortedTokens = new Uint32Array(1_024);
  /** [bucket - first bucket]: where the next event of it goes. */
  #nextPlace = new Uint32Array(2_048);

  constructor({ windowMs, bucketMs, horizonsMs }: WindowOptions) {
    this.#windowBuckets = windowMs / bucketMs;
    this.#bucketMs = bucketMs;
    this.#horizons = horizonsMs.map((horizonMs) => horizonMs / bucketMs);
  }

  /**
   * Score of the strongest window that ended between 0 and each horizon.
   *
   * @param tokensOf  of a placement's recording
   * @param out       [horizon]; overwritten
   */
  measure(home: ComposedHome, tokensOf: (recording: Recording) => FlowTokens, score: WindowScore,
    out: Float64Array): void {
    this.measureBetween(home, tokensOf, score, out);
    for (let h = 1; h < out.length; h++) out[h] = Math.max(out[h] as number, out[h - 1] as number);
  }

  /**
   * Score of the strongest window that ended between each horizon and the one before it, from 0 on.
   *
   * @param out  [horizon]; overwritten
   */
  measureBetween({ placements }: ComposedHome, tokensOf: (recording: Recording) => FlowTokens, score: WindowScore,
    out: Float64Array): void {
    let count = 0;
    for (const { recording, first, end, shiftMs } of placements) {
      if (first === end) continue;
      const { endMs, token, leadMs } = tokensOf(recording);
      const earliestMs = (leadMs === undefined ? recording.endMs : recording.startMs)[first] as number;
      const from = lowerBound(endMs, earliestMs - (leadMs ?? 0));
      const lastMs = recording.endMs[end - 1] as number;
      for (let i = from; i < endMs.length; i++, count++) {
        const eventMs = endMs[i] as number;
        // Flows have whole milliseconds: their last packets may be a fraction later.
        if ((leadMs === undefined ? eventMs : Math.floor(eventMs)) > lastMs) break;
        if (count === this.#buckets.length) this.#widen();
        const timeMs = Math.max(eventMs, earliestMs) + shiftMs;
        this.#buckets[count] = Math.floor(timeMs / this.#bucketMs);
        this.#tokens[count] = token[i] as number;
      }
    }
    this.#sort(count);
    this.#sweep(count, score, out);
  }

  #widen(): void {
    const length = 2 * this.#buckets.length;
    const [buckets, tokens] = [this.#buckets, this.#tokens];
    this.#buckets = new Int32Array(length);
    this.#buckets.set(buckets);
    this.#tokens = new Uint32Array(length);
    this.#tokens.set(tokens);
    this.#sortedBuckets = new Int32Array(length);
    this.#sortedTokens = new Uint32Array(length);
  }

  /** By counting: a day has few buckets, and may have thousands of events. */
  #sort(count: number): void {
    let [first, last] = [Infinity, -Infinity];
    for (let i = 0; i < count; i++) {
      first = Math.min(first, this.#buckets[i] as number);
      last = Math.max(last, this.#buckets[i] as number);
    }
    if (count === 0) return;
    const span = last - first + 1;
    if (span > this.#nextPlace.length) this.#nextPlace = new Uint32Array(2 * span);
    const next = this.#nextPlace.fill(0, 0, span);
    for (let i = 0; i < count; i++) {
      const at = (this.#buckets[i] as number) - first;
      next[at] = (next[at] as number) + 1;
    }
    for (let at = 0, before = 0; at < span; at++) {
      const here = next[at] as number;
      next[at] = before;
      before += here;
    }
    for (let i = 0; i < count; i++) {
      const at = (this.#buckets[i] as number) - first;
      const place = next[at] as number;
      next[at] = place + 1;
      this.#sortedBuckets[place] = this.#buckets[i] as number;
      this.#sortedTokens[place] = this.#tokens[i] as number;
    }
  }

  #sweep(count: number, score: WindowScore, out: Float64Array): void {
    const [buckets, tokens, horizons] = [this.#sortedBuckets, this.#sortedTokens, this.#horizons];
    out.fill(0);
    score.clear();
    let [oldest, horizon] = [0, 0];
    for (let i = 0; i < count; i++) {
      const bucket = buckets[i] as number;
      score.add(tokens[i] as number);
      if (i + 1 < count && buckets[i + 1] === bucket) continue;
      while ((buckets[oldest] as number) <= bucket - this.#windowBuckets) score.remove(tokens[oldest++] as number);
      if (bucket < 0) continue;
      while (horizon < horizons.length && bucket >= (horizons[horizon] as number)) horizon++;
      if (horizon === horizons.length) break;
      out[horizon] = Math.max(out[horizon] as number, score.read());
    }
    assertInvariant(!Number.isNaN(out[0]), 'a window without a score');
  }
}
