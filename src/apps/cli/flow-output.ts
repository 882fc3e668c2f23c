/**
 * Named flow records on their way to the output: the meter emits them whenever it likes, the sink may make us wait.
 * Rows that come while nothing can wait are copied into batches of our own and written by `drain`.
 */
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import type { FlowSink } from '#flow/files';
import { FlowTally } from './flow-summary.ts';

/** Spare batches kept for reuse. */
const spareBatchesMax = 4;

export class FlowOutput {
  readonly tally = new FlowTally();
  readonly #sink: FlowSink | undefined;
  readonly #queue: FlowBatch[] = [];
  readonly #spare: FlowBatch[] = [];

  /** @param sink  undefined: flows are only counted and shown */
  constructor(sink: FlowSink | undefined) {
    this.#sink = sink;
  }

  /** True when nobody reads the output any more. */
  get isAbandoned(): boolean {
    return this.#sink?.readerGone ?? false;
  }

  /** Takes a batch; it may be reused after the call. */
  accept(flows: FlowBatch): void {
    this.tally.add(flows);
    if (this.#sink === undefined) return;
    const spareIndex = this.#spare.findIndex((spare) => spare.capacity >= flows.rowCount &&
      spare.dictionaries === flows.dictionaries);
    const copy = this.#spare.splice(spareIndex, spareIndex < 0 ? 0 : 1)[0]
      ?? createFlowBatch(flows.capacity, flows.dictionaries);
    copy.rowCount = 0;
    copyRows(flows, 0, flows.rowCount, copy);
    this.#queue.push(copy);
  }

  /** True when `drain` has something to do. */
  get isWaiting(): boolean {
    return this.#queue.length > 0;
  }

  /** Writes what waits. @throws EnvironmentError  the disk failed */
  async drain(): Promise<void> {
    for (;;) {
      const batch = this.#queue.shift();
      if (batch === undefined) return;
      const busy = this.#sink?.write(batch);
      if (busy !== undefined) await busy;
      if (this.#spare.length < spareBatchesMax) this.#spare.push(batch);
    }
  }
}
