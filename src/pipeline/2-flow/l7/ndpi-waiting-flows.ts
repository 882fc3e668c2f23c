/**
 * Flow records that wait for the verdict on their conversation, in the order in which they came, in chunks of a ring.
 * A record is handed on only when all before it are; the ring's size is fixed, so the owner must resolve the oldest in
 * time.
 */
import { assertInvariant } from '#base';
import { copyRows, createFlowBatch, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import type { ConversationTable } from './ndpi-conversations.ts';
import type { EmitFlows } from './namer.ts';

/** In `waitsFor`: the row has its name. */
const nothing = 0xffffffff;
const endOfChain = -1;

type Chunk = {
  readonly batch: FlowBatch;
  /** [rows] conversation that the row waits for, or `nothing`. */
  readonly waitsFor: Uint32Array;
  /** [rows] next row that waits for the same conversation. */
  readonly nextWaiting: Int32Array;
  /** [rows] when it began to wait, by flow time. */
  readonly sinceMs: Float64Array;
  pendingCount: number;
};

export type WaitingFlowsOptions = {
  readonly conversations: ConversationTable;
  readonly dictionaries: Dictionaries;
  readonly emit: EmitFlows;
  /** Rows of a chunk. */
  readonly chunkRows: number;
  /** Chunks that the ring has. */
  readonly chunkCount: number;
};

export class WaitingFlows {
  /** Rows that are held, those included that have a name but stand behind one that has none. */
  rowCount = 0;
  /** Rows that have no name yet. */
  pendingCount = 0;
  readonly #options: WaitingFlowsOptions;
  readonly #ring: (Chunk | undefined)[] = [];
  /** First chunk of the ring, and how many are in use. */
  #head = 0;
  #used = 0;
  /** Rows of the head chunk that were handed on already. */
  #emitted = 0;
  /** For a part of a chunk. */
  readonly #part: FlowBatch;

  constructor(options: WaitingFlowsOptions) {
    this.#options = options;
    this.#part = createFlowBatch(options.chunkRows, options.dictionaries);
  }

  /** Rows that fit in before the ring is full. */
  get room(): number {
    const { chunkRows, chunkCount } = this.#options;
    const last = this.#used === 0 ? 0 : chunkRows - this.#chunk(this.#used - 1).batch.rowCount;
    return (chunkCount - this.#used) * chunkRows + last;
  }

  /**
   * Takes rows [first, end) of a batch; there must be room.
   *
   * @param waitsFor  [rowCount] conversation of each row, or `noConversation` when it has its name
   */
  push(flows: FlowBatch, first: number, end: number, waitsFor: Uint32Array, nowMs: number): void {
    assertInvariant(end - first <= this.room, 'waiting flows have no room');
    let from = first;
    while (from < end) {
      if (this.#used === 0 || this.#chunk(this.#used - 1).batch.rowCount === this.#options.chunkRows) this.#open();
      const slot = (this.#head + this.#used - 1) % this.#options.chunkCount;
      const chunk = this.#ring[slot] as Chunk;
      const at = chunk.batch.rowCount;
      const count = Math.min(end - from, this.#options.chunkRows - at);
      copyRows(flows, from, from + count, chunk.batch);
      for (let i = 0; i < count; i++) this.#link(slot, chunk, at + i, waitsFor[from + i] as number, nowMs);
      from += count;
    }
    this.rowCount += end - first;
  }

  /** Names all rows that wait for a conversation. @returns how many */
  resolve(conversation: number, nameCode: number, sourceCode: number): number {
    const { firstWaiting } = this.#options.conversations;
    const rows = this.#options.chunkRows;
    let id = firstWaiting[conversation] as number;
    firstWaiting[conversation] = endOfChain;
    let count = 0;
    while (id !== endOfChain) {
      const chunk = this.#ring[Math.floor(id / rows)] as Chunk;
      const row = id % rows;
      chunk.batch.columns.applicationName[row] = nameCode;
      chunk.batch.columns.applicationNameSource[row] = sourceCode;
      chunk.waitsFor[row] = nothing;
      chunk.pendingCount--;
      this.pendingCount--;
      count++;
      id = chunk.nextWaiting[row] as number;
    }
    return count;
  }

  /**
   * Visits the conversations that the oldest `rowsMax` rows wait for.
   *
   * @param startedMs  only rows that began to wait by then
   */
  forEachOldest(rowsMax: number, startedMs: number, visit: (conversation: number) => void): void {
    let seen = 0;
    for (let i = 0; i < this.#used && seen < rowsMax; i++) {
      const chunk = this.#chunk(i);
      for (let row = i === 0 ? this.#emitted : 0; row < chunk.batch.rowCount && seen < rowsMax; row++, seen++) {
        if ((chunk.sinceMs[row] as number) > startedMs) return;
        if (chunk.waitsFor[row] !== nothing) visit(chunk.waitsFor[row] as number);
      }
    }
  }

  /** Hands on chunks that are full and named; with `parts` all named rows before the first that waits. */
  emitNamed(parts: boolean): void {
    while (this.#used > 0) {
      const chunk = this.#chunk(0);
      const isFull = chunk.batch.rowCount === this.#options.chunkRows;
      if (chunk.pendingCount > 0 || (!isFull && !parts && this.#used === 1)) break;
      this.#emitTo(chunk, chunk.batch.rowCount);
      chunk.batch.rowCount = 0;
      this.#emitted = 0;
      this.#head = (this.#head + 1) % this.#options.chunkCount;
      this.#used--;
    }
    if (!parts || this.#used === 0) return;
    const chunk = this.#chunk(0);
    let row = this.#emitted;
    while (row < chunk.batch.rowCount && chunk.waitsFor[row] === nothing) row++;
    this.#emitTo(chunk, row);
  }

  /** Hands on rows of the head chunk up to `end`. */
  #emitTo(chunk: Chunk, end: number): void {
    const count = end - this.#emitted;
    if (count === 0) return;
    this.rowCount -= count;
    if (this.#emitted === 0 && end === chunk.batch.rowCount) {
      this.#emitted = end;
      this.#options.emit(chunk.batch);
      return;
    }
    this.#part.rowCount = 0;
    copyRows(chunk.batch, this.#emitted, end, this.#part);
    this.#emitted = end;
    this.#options.emit(this.#part);
  }

  #link(slot: number, chunk: Chunk, row: number, conversation: number, nowMs: number): void {
    const { firstWaiting } = this.#options.conversations;
    chunk.waitsFor[row] = conversation;
    chunk.sinceMs[row] = nowMs;
    if (conversation === nothing) return;
    chunk.pendingCount++;
    this.pendingCount++;
    chunk.nextWaiting[row] = firstWaiting[conversation] as number;
    firstWaiting[conversation] = slot * this.#options.chunkRows + row;
  }

  #chunk(index: number): Chunk {
    return this.#ring[(this.#head + index) % this.#options.chunkCount] as Chunk;
  }

  #open(): void {
    const { chunkRows, dictionaries } = this.#options;
    assertInvariant(this.#used < this.#options.chunkCount, 'ring of waiting flows is full');
    const slot = (this.#head + this.#used) % this.#options.chunkCount;
    this.#ring[slot] ??= {
      batch: createFlowBatch(chunkRows, dictionaries),
      waitsFor: new Uint32Array(chunkRows),
      nextWaiting: new Int32Array(chunkRows),
      sinceMs: new Float64Array(chunkRows),
      pendingCount: 0,
    };
    this.#used++;
  }
}
