/**
 * The pace of a replay: flows are handed on when as much time has gone by as between their ends, or so many times
 * faster. Flows that end before one that was handed on already follow at once, in the order of the file.
 */
import { setTimeout as sleepFor } from 'node:timers/promises';
import { systemClock, type Clock } from '#base';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';

export type ReplayPaceOptions = {
  /** 1: real time; 60: a minute a second; Infinity: as fast as it goes. */
  readonly speed: number;
  /** Given by tests. */
  readonly clock?: Clock;
  readonly sleep?: (durationMs: number) => Promise<unknown>;
};

/** Flows that are due within this time go together. */
const togetherMs = 50;
/** Sleeps are no longer, so that progress is told in between. */
const sleepMsMax = 250;

export class ReplayPace {
  /** Latest flow end handed on. */
  latestMs = -Infinity;
  readonly #speed: number;
  readonly #clock: Clock;
  readonly #sleep: (durationMs: number) => Promise<unknown>;
  #originMs = Number.NaN;
  #startMs = 0;
  #piece: FlowBatch | undefined;

  constructor(options: ReplayPaceOptions) {
    this.#speed = options.speed;
    this.#clock = options.clock ?? systemClock;
    this.#sleep = options.sleep ?? ((durationMs) => sleepFor(durationMs));
  }

  /**
   * Hands on the rows of a batch when they are due.
   *
   * @param accept  its batch is valid until what it returns resolves
   * @param rest    called now and then while it waits
   */
  async handOn(
    batch: FlowBatch, accept: (batch: FlowBatch) => void | Promise<void>, rest: () => void = () => undefined,
  ): Promise<void> {
    if (batch.rowCount === 0) return;
    if (this.#speed === Infinity) return accept(batch);
    const { flowEndMilliseconds } = batch.columns;
    if (Number.isNaN(this.#originMs)) {
      this.#originMs = flowEndMilliseconds[0] as number;
      this.#startMs = this.#clock.monotonicMs();
    }
    for (let first = 0; first < batch.rowCount;) {
      await this.#waitFor(flowEndMilliseconds[first] as number, rest);
      const dueMs = this.#nowInFlows() + togetherMs * this.#speed;
      let end = first;
      while (end < batch.rowCount && (end === first || (flowEndMilliseconds[end] as number) <= dueMs)) {
        this.latestMs = Math.max(this.latestMs, flowEndMilliseconds[end] as number);
        end++;
      }
      await accept(this.#cut(batch, first, end));
      first = end;
    }
  }

  /** Time of the flows that it is now. */
  #nowInFlows(): number {
    return this.#originMs + (this.#clock.monotonicMs() - this.#startMs) * this.#speed;
  }

  async #waitFor(flowMs: number, rest: () => void): Promise<void> {
    for (;;) {
      const waitMs = (flowMs - this.#nowInFlows()) / this.#speed;
      // Also when the time is no number.
      if (!(waitMs > 0)) return;
      await this.#sleep(Math.min(waitMs, sleepMsMax));
      rest();
    }
  }

  #cut(batch: FlowBatch, first: number, end: number): FlowBatch {
    if (first === 0 && end === batch.rowCount) return batch;
    if (this.#piece === undefined || this.#piece.capacity < end - first ||
      this.#piece.dictionaries !== batch.dictionaries) {
      this.#piece = createFlowBatch(batch.capacity, batch.dictionaries);
    }
    this.#piece.rowCount = 0;
    copyRows(batch, first, end, this.#piece);
    return this.#piece;
  }
}
