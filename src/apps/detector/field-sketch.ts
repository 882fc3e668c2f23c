/**
 * What a detector learns of homes in general while it runs: for each classifier with a fingerprint, how strong the
 * strongest window of a home and day (UTC) gets. Nearly no home has the device model, so that this is how strong
 * evidence gets by chance (docs/formats/null-sketch.md). What is kept are counts; no home is in them.
 *
 * A day of a home is counted when it is over and was seen whole, and the day before it, too, which says how active the
 * home is: a part of a day would make evidence look rarer than it is.
 */
import { limits } from '#base';
import type { EvidenceChange } from '#evidence';
import { activityCount, activityOf, homeDayOf, nullBinCount, nullBinOf, type NullTable } from '#verdict';

const dayMs = 86_400_000;
/** Days of a home that are held at once: one under way, one that is not settled, and the one before it. */
const daysHeld = 3;
/** Exporters end flows by timeouts of up to half an hour, and one-way records wait for their other direction. */
const settleMs = 3_600_000;

/** One day of a home. */
type HomeDay = {
  readonly day: number;
  /** Flows that ended on it. */
  flows: number;
  /** [classifier] bin of the strongest window of its home-day, which `homeDayOf` has. */
  bins: Uint16Array;
};

type HomeDays = {
  /** Its first day, of which only a part may have been seen. */
  readonly firstDay: number;
  /** Ascending. */
  readonly days: HomeDay[];
};

/** Home-days of one classifier; plain counts, [activity × `nullBinCount` + bin]. */
export type SketchCounts = Uint32Array;

/** How many numbers these are. */
export const sketchLength: number = activityCount * nullBinCount;

export function nullTableOf(counts: SketchCounts): NullTable {
  return {
    homeDays: Array.from({ length: activityCount }, (_, activity) =>
      [...counts.subarray(activity * nullBinCount, (activity + 1) * nullBinCount)]),
  };
}

export type FieldSketchCounts = {
  readonly homeDays: number;
  /** Flows and windows of homes that found no room, and whose days are not counted. */
  readonly refused: number;
};

export class FieldSketch {
  readonly #latenessMs: number;
  readonly #bytesMax: number;
  /** [classifier] digest; undefined: it has no fingerprint. */
  #digests: readonly (string | undefined)[] = [];
  #indexOf = new Map<string, number>();
  /** [classifier] last day of which a part passed without it. */
  #partDay: readonly number[] = [];
  readonly #homes = new Map<string, HomeDays>();
  readonly #tables = new Map<string, SketchCounts>();
  readonly #unsaved = new Set<string>();
  #homesMax = 0;
  #latestDay = -Infinity;
  #settledDay = -Infinity;
  #homeDays = 0;
  #refused = 0;

  /** @param latenessMs  of evidence */
  constructor({ latenessMs, bytesMax = limits.fieldSketchBytesMax }: {
    readonly latenessMs: number; readonly bytesMax?: number;
  }) {
    this.#latenessMs = latenessMs;
    this.#bytesMax = bytesMax;
  }

  /**
   * Whose evidence is counted from now on; what was counted of others stays until it is dropped.
   *
   * @param digests  [classifier]; undefined: none of this one, it has no fingerprint
   */
  setClassifiers(digests: readonly (string | undefined)[]): void {
    const before = this.#indexOf;
    const partDays = this.#partDay;
    const movedFrom = digests.map((digest) => (digest === undefined ? undefined : before.get(digest)));
    this.#partDay = movedFrom.map((from) => (from === undefined ? this.#latestDay : partDays[from] as number));
    this.#digests = digests;
    this.#indexOf = new Map(digests.flatMap((digest, i) => (digest === undefined ? [] : [[digest, i]])));
    this.#homesMax = this.#indexOf.size === 0 ? 0
      : Math.floor(this.#bytesMax / (digests.length * Uint16Array.BYTES_PER_ELEMENT * daysHeld));
    if (this.#homesMax === 0) this.#homes.clear();
    for (const { days } of this.#homes.values()) {
      for (const each of days) {
        const { bins } = each;
        each.bins = Uint16Array.from(movedFrom, (from) => (from === undefined ? 0 : bins[from] as number));
      }
    }
  }

  /** A flow of a home ended. */
  see(home: string, endMs: number): void {
    const found = this.#dayOf(home, Math.floor(endMs / dayMs));
    if (found !== undefined) found.flows++;
  }

  /** A window's evidence grew. */
  note({ home, classifier, windowEndMs, score }: EvidenceChange): void {
    const index = this.#indexOf.get(classifier);
    if (index === undefined) return;
    const found = this.#dayOf(home, homeDayOf(windowEndMs, this.#latenessMs));
    if (found !== undefined) found.bins[index] = Math.max(found.bins[index] as number, nullBinOf(score));
  }

  #dayOf(home: string, day: number): HomeDay | undefined {
    if (!Number.isSafeInteger(day) || day <= this.#settledDay || this.#homesMax === 0) return undefined;
    let known = this.#homes.get(home);
    if (known === undefined) {
      if (this.#homes.size >= this.#homesMax) {
        this.#refused++;
        return undefined;
      }
      known = { firstDay: day, days: [] };
      this.#homes.set(home, known);
    }
    if (this.#latestDay === -Infinity) this.#partDay = this.#partDay.map(() => day);
    this.#latestDay = Math.max(this.#latestDay, day);
    const { days } = known;
    const last = days[days.length - 1];
    if (last?.day === day) return last;
    const found = days.find((each) => each.day === day);
    if (found !== undefined) return found;
    const made = { day, flows: 0, bins: new Uint16Array(this.#digests.length) };
    days.push(made);
    days.sort((a, b) => a.day - b.day);
    if (days.length > daysHeld) days.shift();
    return made;
  }

  /**
   * Counts the days that are over. Call it now and then.
   *
   * @param onDay  told of each home and day with flows, be it whole or not: the bin of the strongest window by digest
   */
  settle(nowMs: number, onDay?: (home: string, day: number, binOf: (digest: string) => number | undefined) => void):
  void {
    // Home-days end a lateness after midnight, and may change for as long by late flows, and by long ones.
    const over = Math.floor((nowMs - 2 * this.#latenessMs - settleMs) / dayMs) - 1;
    if (!(over > this.#settledDay)) return;
    for (const [home, known] of this.#homes) {
      for (const each of known.days) {
        if (each.day <= this.#settledDay || each.day > over) continue;
        this.#count(known, each);
        if (each.flows > 0) onDay?.(home, each.day, (digest) => this.#binOf(each, digest));
      }
      const kept = known.days.filter(({ day }) => day >= over);
      known.days.splice(0, Infinity, ...kept);
      if (kept.length === 0) this.#homes.delete(home);
    }
    this.#settledDay = over;
  }

  #count({ firstDay, days }: HomeDays, { day, bins, flows }: HomeDay): void {
    const flowsBefore = days.find((each) => each.day === day - 1)?.flows ?? 0;
    if (firstDay >= day - 1 || flows === 0 || flowsBefore === 0) return;
    const activity = activityOf(flowsBefore);
    for (const [index, digest] of this.#digests.entries()) {
      if (digest === undefined || (this.#partDay[index] as number) >= day) continue;
      const at = activity * nullBinCount + (bins[index] as number);
      const table = this.#tableOf(digest);
      table[at] = (table[at] as number) + 1;
      this.#unsaved.add(digest);
      this.#homeDays++;
    }
  }

  /** Undefined: the classifier was not there all day. */
  #binOf({ day, bins }: HomeDay, digest: string): number | undefined {
    const index = this.#indexOf.get(digest);
    return index === undefined || (this.#partDay[index] as number) >= day ? undefined : bins[index];
  }

  #tableOf(digest: string): SketchCounts {
    let table = this.#tables.get(digest);
    if (table === undefined) this.#tables.set(digest, table = new Uint32Array(sketchLength));
    return table;
  }

  /** Home-days of a classifier so far; undefined: none. Read only. */
  countsOf(digest: string): SketchCounts | undefined {
    return this.#tables.get(digest);
  }

  /** Takes over what an earlier run counted. */
  restore(digest: string, counts: SketchCounts): void {
    this.#tables.set(digest, counts);
  }

  /** What is to be written, and keeps it as unsaved until `markSaved`. */
  unsaved(): readonly (readonly [digest: string, counts: SketchCounts])[] {
    return [...this.#unsaved].map((digest) => [digest, this.#tableOf(digest)] as const);
  }

  markSaved(): void {
    this.#unsaved.clear();
  }

  /** Drops what is known of a home that is not counted yet. */
  forget(home: string): void {
    this.#homes.delete(home);
  }

  /** Drops what was counted of a classifier. */
  drop(digest: string): void {
    this.#tables.delete(digest);
    this.#unsaved.delete(digest);
  }

  counts(): FieldSketchCounts {
    return { homeDays: this.#homeDays, refused: this.#refused };
  }
}
