/**
 * The waiting records of one conversation, and which of them belong together: the pair that overlaps most in time, each
 * being the other's best; then the further slices that lie within it. Looks, never changes the table.
 */
import { compareConversation, oppositeDirection, stranger } from './conversation-key.ts';
import { endOf, startOf } from './join-records.ts';
import * as record from './record-layout.ts';
import type { WaitingTable } from './waiting-table.ts';

/** No member. */
export const nobody = -1;

/** How well two records fit: longer overlap (negative: a gap), then nearer starts, then nearer ends. */
type Fit = { overlapMs: number; startsApartMs: number; endsApartMs: number };

export class Conversation {
  /** [count] records, oldest first. */
  readonly slots: Uint32Array;
  count = 0;
  readonly #directions: Uint8Array;
  readonly #table: WaitingTable;
  readonly #windowMs: number;
  readonly #best: Fit = { overlapMs: 0, startsApartMs: 0, endsApartMs: 0 };

  /**
   * @param windowMs    longest gap between two records that still are one conversation
   * @param recordsMax  records of a conversation that wait at once
   */
  constructor(table: WaitingTable, windowMs: number, recordsMax: number) {
    this.#table = table;
    this.#windowMs = windowMs;
    this.slots = new Uint32Array(recordsMax);
    this.#directions = new Uint8Array(recordsMax);
  }

  /**
   * Gathers the conversation of a waiting record.
   *
   * @returns the member that the record is, or `nobody` when none goes the other way
   */
  gather(slot: number): number {
    const { words } = this.#table;
    const at = slot * record.recordWords;
    this.count = 0;
    let hasOpposite = false;
    for (let walker = this.#table.chainOf(words[at + record.wHash] as number); walker !== record.none;
      walker = words[walker * record.recordWords + record.wChain] as number) {
      const direction = compareConversation(words, at, walker * record.recordWords);
      if (direction === stranger) continue;
      if (direction === oppositeDirection) hasOpposite = true;
      this.slots[this.count] = walker;
      this.#directions[this.count++] = direction;
    }
    if (!hasOpposite) return nobody;
    for (let first = 0, last = this.count - 1; first < last; first++, last--) this.#exchange(first, last);
    return this.indexOf(slot);
  }

  /** True when both members go the same way. */
  areParallel(first: number, second: number): boolean {
    return this.#directions[first] === this.#directions[second];
  }

  /** The member that a record is, or `nobody`. */
  indexOf(slot: number): number {
    for (let i = 0; i < this.count; i++) if (this.slots[i] === slot) return i;
    return nobody;
  }

  /** Forgets members whose mark is set; the order of the others stays. */
  drop(marks: Uint8Array): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (marks[i] !== 0) continue;
      this.slots[kept] = this.slots[i] as number;
      this.#directions[kept++] = this.#directions[i] as number;
    }
    this.count = kept;
  }

  /**
   * Two members that are each other's best, reached from one of them: a partner that has a better one is left to it.
   *
   * @param pair  out: the two members
   * @returns false when the member has no partner at all
   */
  findPair(member: number, pair: [number, number]): boolean {
    let first = member;
    let second = this.#findBest(first);
    if (second === nobody) return false;
    // Each step fits strictly better than the one before, so no member comes twice.
    for (;;) {
      const { overlapMs, startsApartMs, endsApartMs } = this.#best;
      const third = this.#findBest(second);
      if (!isBetter(this.#best, overlapMs, startsApartMs, endsApartMs)) break;
      first = second;
      second = third;
    }
    pair[0] = first;
    pair[1] = second;
    return true;
  }

  /**
   * Marks a pair and the further slices that are part of it: within the time of the pair's record of the other
   * direction, apart from all slices of their own, with the type of service of theirs.
   *
   * @param marks  [count] out: 1 for members of the biflow
   */
  markBiflow(first: number, second: number, marks: Uint8Array): void {
    marks.fill(0, 0, this.count);
    marks[first] = marks[second] = 1;
    for (let i = 0; i < this.count; i++) {
      if (marks[i] !== 0) continue;
      const own = this.areParallel(i, first) ? first : second;
      const other = own === first ? second : first;
      if (this.#isWithin(i, other) && this.#hasClassOf(i, own) && this.#isApart(i, marks)) marks[i] = 1;
    }
  }

  #exchange(first: number, second: number): void {
    const slot = this.slots[first] as number;
    const direction = this.#directions[first] as number;
    this.slots[first] = this.slots[second] as number;
    this.#directions[first] = this.#directions[second] as number;
    this.slots[second] = slot;
    this.#directions[second] = direction;
  }

  #findBest(member: number): number {
    const start = startOf(this.#table, this.slots[member] as number);
    const end = endOf(this.#table, this.slots[member] as number);
    let best = nobody;
    for (let i = 0; i < this.count; i++) {
      if (this.areParallel(i, member)) continue;
      const otherStart = startOf(this.#table, this.slots[i] as number);
      const otherEnd = endOf(this.#table, this.slots[i] as number);
      const overlapMs = Math.min(end, otherEnd) - Math.max(start, otherStart);
      // Also false for times that are no numbers.
      if (!(overlapMs >= -this.#windowMs)) continue;
      const startsApartMs = Math.abs(start - otherStart);
      const endsApartMs = Math.abs(end - otherEnd);
      if (best !== nobody && !isWorse(this.#best, overlapMs, startsApartMs, endsApartMs)) continue;
      best = i;
      this.#best.overlapMs = overlapMs;
      this.#best.startsApartMs = startsApartMs;
      this.#best.endsApartMs = endsApartMs;
    }
    return best;
  }

  #isWithin(member: number, other: number): boolean {
    const table = this.#table;
    const slot = this.slots[member] as number;
    const outer = this.slots[other] as number;
    return startOf(table, slot) >= startOf(table, outer) && endOf(table, slot) <= endOf(table, outer);
  }

  #hasClassOf(member: number, own: number): boolean {
    const { words } = this.#table;
    return words[(this.slots[member] as number) * record.recordWords + record.wClass] ===
      words[(this.slots[own] as number) * record.recordWords + record.wClass];
  }

  /** True when no marked member of its direction was active at the same time. */
  #isApart(member: number, marks: Uint8Array): boolean {
    const start = startOf(this.#table, this.slots[member] as number);
    const end = endOf(this.#table, this.slots[member] as number);
    for (let i = 0; i < this.count; i++) {
      if (marks[i] === 0 || !this.areParallel(i, member)) continue;
      const slot = this.slots[i] as number;
      if (!(end < startOf(this.#table, slot) || start > endOf(this.#table, slot))) return false;
    }
    return true;
  }
}

function isBetter(fit: Fit, overlapMs: number, startsApartMs: number, endsApartMs: number): boolean {
  if (fit.overlapMs !== overlapMs) return fit.overlapMs > overlapMs;
  if (fit.startsApartMs !== startsApartMs) return fit.startsApartMs < startsApartMs;
  return fit.endsApartMs < endsApartMs;
}

function isWorse(fit: Fit, overlapMs: number, startsApartMs: number, endsApartMs: number): boolean {
  if (fit.overlapMs !== overlapMs) return fit.overlapMs < overlapMs;
  if (fit.startsApartMs !== startsApartMs) return fit.startsApartMs > startsApartMs;
  return fit.endsApartMs > endsApartMs;
}
