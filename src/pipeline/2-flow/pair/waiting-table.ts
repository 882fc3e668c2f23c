/**
 * The table of waiting records: hash chains over one block of memory, and one list in order of arrival for each clock.
 * No object per record, nothing for the garbage collector. It knows layout, chains and lists; who pairs with whom is
 * decided in `flow-pairer.ts`.
 */
import type { FlowBatch } from '../flow-batch.ts';
import * as record from './record-layout.ts';

const { none } = record;
type WordColumn = Uint8Array | Uint16Array | Uint32Array;

export class WaitingTable {
  /** The records, as words and as doubles over the same memory. */
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  /** First record of each hash chain: the newest. */
  readonly heads: Uint32Array;
  /** By clock: the records that wait longest and shortest, and how many there are. */
  readonly oldest: Uint32Array;
  readonly newest: Uint32Array;
  readonly waitingOf: Uint32Array;
  /** Records in chains and lists. */
  waitingCount = 0;
  #free: number = none;
  #used = 0;

  /**
   * @param recordsMax  records in memory at once, waiting or being moved
   * @param clocksMax   clocks that records wait by
   */
  constructor(recordsMax: number, clocksMax: number) {
    this.words = new Uint32Array(recordsMax * record.recordWords);
    this.doubles = new Float64Array(this.words.buffer);
    let buckets = 16;
    while (buckets < recordsMax * 2) buckets *= 2;
    this.heads = new Uint32Array(buckets).fill(none);
    this.oldest = new Uint32Array(clocksMax).fill(none);
    this.newest = new Uint32Array(clocksMax).fill(none);
    this.waitingOf = new Uint32Array(clocksMax);
  }

  /** First record of the chain that a hash belongs to, or `none`. */
  chainOf(hash: number): number {
    return this.heads[hash & (this.heads.length - 1)] as number;
  }

  /** Copies rows [first, end) of a batch in; their records are left in `slots`. There must be room. */
  put(flows: FlowBatch, first: number, end: number, slots: Uint32Array): void {
    const count = end - first;
    for (let i = 0; i < count; i++) slots[i] = this.#allocate();
    for (const { name, storage, width, at } of record.columnPlaces) {
      const column = flows.columns[name];
      if (storage === 'f64') scatterDoubles(column as Float64Array, first, count, this.doubles, slots, at);
      else scatterWords(column as WordColumn, first, count, width, this.words, slots, at);
    }
  }

  /** Appends records to a batch, which has room for them, and frees them. */
  take(slots: Uint32Array, count: number, out: FlowBatch): void {
    for (const { name, storage, width, at } of record.columnPlaces) {
      const column = out.columns[name];
      if (storage === 'f64') gatherDoubles(column as Float64Array, out.rowCount, count, this.doubles, slots, at);
      else gatherWords(column as WordColumn, out.rowCount, count, width, this.words, slots, at);
    }
    for (let i = 0; i < count; i++) this.free(slots[i] as number);
    out.rowCount += count;
  }

  /** Lets a record wait: at the head of its chain, at the end of its clock's list. */
  link(slot: number): void {
    const { words, oldest, newest } = this;
    const at = slot * record.recordWords;
    const bucket = (words[at + record.wHash] as number) & (this.heads.length - 1);
    words[at + record.wChain] = this.heads[bucket] as number;
    this.heads[bucket] = slot;
    const clock = words[at + record.wClock] as number;
    const last = newest[clock] as number;
    words[at + record.wOlder] = last;
    words[at + record.wNewer] = none;
    if (last === none) oldest[clock] = slot;
    else words[last * record.recordWords + record.wNewer] = slot;
    newest[clock] = slot;
    this.waitingOf[clock] = (this.waitingOf[clock] as number) + 1;
    this.waitingCount++;
  }

  /** Takes a record out of its chain and its list; it stays in memory. */
  unlink(slot: number): void {
    const { words, oldest, newest } = this;
    const at = slot * record.recordWords;
    const bucket = (words[at + record.wHash] as number) & (this.heads.length - 1);
    const next = words[at + record.wChain] as number;
    let walker = this.heads[bucket] as number;
    if (walker === slot) {
      this.heads[bucket] = next;
    } else {
      while (words[walker * record.recordWords + record.wChain] !== slot) {
        walker = words[walker * record.recordWords + record.wChain] as number;
      }
      words[walker * record.recordWords + record.wChain] = next;
    }
    const clock = words[at + record.wClock] as number;
    const older = words[at + record.wOlder] as number;
    const newer = words[at + record.wNewer] as number;
    if (older === none) oldest[clock] = newer;
    else words[older * record.recordWords + record.wNewer] = newer;
    if (newer === none) newest[clock] = older;
    else words[newer * record.recordWords + record.wOlder] = older;
    this.waitingOf[clock] = (this.waitingOf[clock] as number) - 1;
    this.waitingCount--;
  }

  /** Gives the memory of an unlinked record back. */
  free(slot: number): void {
    this.words[slot * record.recordWords + record.wChain] = this.#free;
    this.#free = slot;
  }

  #allocate(): number {
    if (this.#free === none) return this.#used++;
    const slot = this.#free;
    this.#free = this.words[slot * record.recordWords + record.wChain] as number;
    return slot;
  }
}

function scatterDoubles(column: Float64Array, first: number, count: number, doubles: Float64Array, slots: Uint32Array,
  at: number): void {
  for (let i = 0; i < count; i++) {
    doubles[(slots[i] as number) * record.recordDoubles + at] = column[first + i] as number;
  }
}

function gatherDoubles(column: Float64Array, first: number, count: number, doubles: Float64Array, slots: Uint32Array,
  at: number): void {
  for (let i = 0; i < count; i++) {
    column[first + i] = doubles[(slots[i] as number) * record.recordDoubles + at] as number;
  }
}

function scatterWords(column: WordColumn, first: number, count: number, width: number, words: Uint32Array,
  slots: Uint32Array, at: number): void {
  for (let i = 0; i < count; i++) {
    const to = (slots[i] as number) * record.recordWords + at;
    const from = (first + i) * width;
    for (let k = 0; k < width; k++) words[to + k] = column[from + k] as number;
  }
}

function gatherWords(column: WordColumn, first: number, count: number, width: number, words: Uint32Array,
  slots: Uint32Array, at: number): void {
  for (let i = 0; i < count; i++) {
    const from = (slots[i] as number) * record.recordWords + at;
    const to = (first + i) * width;
    for (let k = 0; k < width; k++) column[to + k] = words[from + k] as number;
  }
}
