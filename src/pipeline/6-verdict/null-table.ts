/**
 * Null tables: how strong home-days get without the device model, as counts that may be added, and conformal p-values
 * from them (Vovk, Gammerman, Shafer 2005, ch. 2 and 4.5: conformal predictors, with the home's activity as category).
 * docs/verdicts.md defines home-days and their statistic.
 */
import { assertInvariant } from '#base';
import { activityBounds, activityCount, nullBinCount, nullBinWidth, type NullTable } from './calibration.ts';

/** Milliseconds in a day of UTC. */
const dayMs = 86_400_000;

/**
 * The home-day, counted from the Unix epoch, to whose statistic a window belongs: the day of UTC that ended windows of
 * it are in, moved by the lateness. So all windows of one home-day have the same whole day behind them, and with it the
 * same stratum.
 */
export function homeDayOf(windowEndMs: number, latenessMs: number): number {
  return Math.floor((windowEndMs - 1 - latenessMs) / dayMs);
}

/** The stratum of a home by its flows a day. */
export function activityOf(flowsADay: number): number {
  assertInvariant(flowsADay >= 0, 'a home has no fewer flows than none');
  const activity = activityBounds.findIndex((bound) => flowsADay < bound);
  return activity === -1 ? activityBounds.length : activity;
}

export function nullBinOf(score: number): number {
  assertInvariant(score >= 0, 'a score is a sum of weights above 0');
  return Math.min(Math.floor(score / nullBinWidth), nullBinCount - 1);
}

/** The least score of a bin. */
export function scoreOfBin(bin: number): number {
  return bin * nullBinWidth;
}

export function emptyNullTable(): NullTable {
  return new NullCounter().table();
}

/** Collects home-days. */
export class NullCounter {
  readonly #homeDays = Array.from({ length: activityCount }, () => new Array<number>(nullBinCount).fill(0));

  /**
   * Adds the statistic of one home-day.
   *
   * @param score      the strongest window's; 0 for a day without evidence, which counts like any other
   * @param flowsADay  as windows of that day have it; of an unknown activity a home-day tells nothing about any stratum
   * @returns whether it was added
   */
  add(score: number, flowsADay: number | undefined): boolean {
    if (flowsADay === undefined) return false;
    this.#count(activityOf(flowsADay), nullBinOf(score), 1);
    return true;
  }

  addTable({ homeDays }: NullTable): void {
    for (const [activity, bins] of homeDays.entries()) {
      for (const [bin, count] of bins.entries()) if (count > 0) this.#count(activity, bin, count);
    }
  }

  /** What was collected so far; frozen, and apart from what comes. */
  table(): NullTable {
    return Object.freeze({ homeDays: Object.freeze(this.#homeDays.map(upToLast)) });
  }

  #count(activity: number, bin: number, count: number): void {
    const bins = this.#homeDays[activity];
    assertInvariant(bins !== undefined && bin < nullBinCount, 'a null table has other strata or bins');
    bins[bin] = (bins[bin] as number) + count;
  }
}

/** Bins as a null table has them: without what is 0 at the end. */
export function upToLast(bins: readonly number[]): readonly number[] {
  return Object.freeze(bins.slice(0, bins.findLastIndex((count) => count > 0) + 1));
}

/** Bins that hold something, ascending: how null tables are written. */
export type SparseBins = readonly (readonly [bin: number, count: number])[];

export function sparseBinsOf(bins: readonly number[]): SparseBins {
  return [...bins.entries()].filter(([, count]) => count !== 0);
}

/** The bins that were written so; undefined: it is something else. @param value  as JSON gave it */
export function readSparseBins(value: unknown): readonly number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const bins: number[] = [];
  for (const entry of value as unknown[]) {
    const [bin, count] = Array.isArray(entry) && entry.length === 2 ? entry as unknown[] : [];
    if (!isWhole(bin) || bin < bins.length || bin >= nullBinCount || !isWhole(count) || count === 0) return undefined;
    while (bins.length < bin) bins.push(0);
    bins.push(count);
  }
  return bins;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** All home-days of all tables; the same in whatever order and grouping. */
export function mergeNullTables(...tables: readonly NullTable[]): NullTable {
  const counter = new NullCounter();
  for (const table of tables) counter.addTable(table);
  return counter.table();
}

/**
 * [bin]: home-days of these strata in that bin or a higher one; the first holds all of them.
 *
 * @param activities  none: every stratum
 */
export function tailCounts({ homeDays }: NullTable, activities?: readonly number[]): number[] {
  const tails = new Array<number>(nullBinCount).fill(0);
  for (const [activity, bins] of homeDays.entries()) {
    if (activities !== undefined && !activities.includes(activity)) continue;
    for (const [bin, count] of bins.entries()) tails[bin] = (tails[bin] as number) + count;
  }
  for (let bin = nullBinCount - 2; bin >= 0; bin--) tails[bin] = (tails[bin] as number) + (tails[bin + 1] as number);
  return tails;
}

/** Home-days of a stratum, or of all. */
export function countHomeDays(table: NullTable, activity?: number): number {
  return tailCounts(table, activity === undefined ? undefined : [activity])[0] as number;
}

/**
 * The conformal p-value of a home-day among others: the share that is as strong, itself counted in. Where all are
 * exchangeable, a p-value of at most α comes with a probability of at most α.
 *
 * @param asStrong  of the others, those in the bin of its score or in a higher one
 * @param others    how many there are
 * @source Vovk, Gammerman, Shafer 2005, eq. 2.18
 */
export function conformalP(asStrong: number, others: number): number {
  return (1 + asStrong) / (others + 1);
}
