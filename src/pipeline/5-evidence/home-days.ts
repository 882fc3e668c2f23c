/**
 * How many flows a home has a day (UTC, event time): a ring of the latest days for each home, and for days that left it
 * a memory until changes were taken. What is told of a window is known for good by the time of the window, so that it
 * does not depend on the order in which flows come.
 */

export const dayMs = 86_400_000;

export type HomeDaysOptions = { readonly bucketMs: number; readonly latenessBuckets: number };

/** What a snapshot keeps of one home. */
export type KeptDays = {
  /** Day of the home's earliest flow, counted from the Unix epoch; Infinity before the first. */
  readonly firstDay: number;
  /** Flows of the latest day, of the one before it, and so on. */
  readonly counts: readonly number[];
};

const homesFirst = 16;

/** Days that are kept of a home: from those that a window asks for that may still change, to the latest. */
export function keptDaysOf({ bucketMs, latenessBuckets }: HomeDaysOptions): number {
  return Math.ceil(2 * latenessBuckets * bucketMs / dayMs) + 2;
}

export class HomeDays {
  readonly #options: HomeDaysOptions;
  readonly #days: number;
  /** [home]: day of the ring's latest count, -Infinity before the first flow. */
  #latestDay = new Float64Array(homesFirst).fill(-Infinity);
  #firstDay = new Float64Array(homesFirst).fill(Infinity);
  /** [home × days], at the day modulo the ring's length. */
  #counts: Float64Array;
  /** Counts that left the rings since changes were taken, by home and day. */
  readonly #passed = new Map<number, Map<number, number>>();

  constructor(options: HomeDaysOptions) {
    this.#options = options;
    this.#days = keptDaysOf(options);
    this.#counts = new Float64Array(homesFirst * this.#days);
  }

  /** A home begins, under an index that may have been another's. */
  begin(home: number): void {
    while (home >= this.#latestDay.length) this.#grow();
    this.#latestDay[home] = -Infinity;
    this.#firstDay[home] = Infinity;
    this.#counts.fill(0, home * this.#days, (home + 1) * this.#days);
    this.#passed.delete(home);
  }

  /** Counts a flow that is not late. */
  count(home: number, bucket: number): void {
    const day = this.#dayOf(bucket);
    if (day > (this.#latestDay[home] as number)) this.#moveOn(home, day);
    if (day < (this.#firstDay[home] as number)) this.#firstDay[home] = day;
    const at = this.#at(home, day);
    this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  /**
   * Flows of the home on the last whole day that had ended a lateness or more before the window's last bucket: none of
   * that day can come any more that counts.
   *
   * @param end  the window's last bucket
   * @returns undefined when that day is not known whole: the home was first seen on it or later, or had no flow on it
   */
  flowsADay(home: number, end: number): number | undefined {
    const day = this.#dayOf(end - this.#options.latenessBuckets) - 1;
    const latest = this.#latestDay[home] as number;
    if (day <= (this.#firstDay[home] as number) || day >= latest) return undefined;
    const isInRing = day > latest - this.#days;
    const count = isInRing ? this.#counts[this.#at(home, day)] : this.#passed.get(home)?.get(day);
    return count === 0 ? undefined : count;
  }

  /** Changes were taken: nobody asks for days any more that left the rings. */
  forgetPassed(): void {
    this.#passed.clear();
  }

  keep(home: number): KeptDays {
    const latest = this.#latestDay[home] as number;
    const counts = Array.from({ length: this.#days }, (_, i) =>
      (latest === -Infinity ? 0 : this.#counts[this.#at(home, latest - i)] as number));
    return { firstDay: this.#firstDay[home] as number, counts };
  }

  /** @param latestBucket  of the home's latest flow, -Infinity when it had none */
  restore(home: number, { firstDay, counts }: KeptDays, latestBucket: number): void {
    this.begin(home);
    if (latestBucket === -Infinity) return;
    const latest = this.#dayOf(latestBucket);
    this.#latestDay[home] = latest;
    this.#firstDay[home] = firstDay;
    for (const [i, count] of counts.entries()) this.#counts[this.#at(home, latest - i)] = count;
  }

  #moveOn(home: number, day: number): void {
    const before = this.#latestDay[home] as number;
    this.#latestDay[home] = day;
    if (before === -Infinity) return;
    for (let i = 0; i < this.#days; i++) if (before - i <= day - this.#days) this.#pass(home, before - i);
    for (let i = 0; i < this.#days && day - i > before; i++) this.#counts[this.#at(home, day - i)] = 0;
  }

  #pass(home: number, day: number): void {
    const count = this.#counts[this.#at(home, day)] as number;
    if (count === 0) return;
    let days = this.#passed.get(home);
    if (days === undefined) this.#passed.set(home, days = new Map());
    days.set(day, count);
  }

  #dayOf(bucket: number): number {
    return Math.floor(bucket * this.#options.bucketMs / dayMs);
  }

  #at(home: number, day: number): number {
    const inRing = day % this.#days;
    return home * this.#days + (inRing < 0 ? inRing + this.#days : inRing);
  }

  #grow(): void {
    const capacity = this.#latestDay.length * 2;
    const grow = (column: Float64Array<ArrayBuffer>, length: number, fresh: number): Float64Array<ArrayBuffer> => {
      const larger = new Float64Array(length).fill(fresh);
      larger.set(column);
      return larger;
    };
    this.#latestDay = grow(this.#latestDay as Float64Array<ArrayBuffer>, capacity, -Infinity);
    this.#firstDay = grow(this.#firstDay as Float64Array<ArrayBuffer>, capacity, Infinity);
    this.#counts = grow(this.#counts as Float64Array<ArrayBuffer>, capacity * this.#days, 0);
  }
}
