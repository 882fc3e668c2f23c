/**
 * Packets of a capture file in place of an interface: at the pace at which they were captured, or as fast as it goes.
 * Paced, time passes between them as it did then.
 */
import { setTimeout as sleepFor } from 'node:timers/promises';
import { limits, systemClock, type Clock } from '#base';
import { createPacketBatch, type ByteSource, type CaptureReading, type PacketBatch } from '#capture';
import { copyPacket } from '#flow';
import type { PacketSource, SourceCounts } from './packet-source.ts';

export type FileSourceOptions = {
  readonly isPaced: boolean;
  /** Given by tests. */
  readonly clock?: Clock;
  readonly sleep?: (durationMs: number) => Promise<unknown>;
};

/** Packets that are due within this time go together. */
const togetherMs = 5;
/** Sleeps are no longer, so that `stop` is heard. */
const sleepMsMax = 50;
/** A packet so far behind the latest was captured in another run: the pace begins anew with it. */
const stepMs = 60_000;

export class FileSource implements PacketSource {
  readonly name: string;
  readonly isTimed: boolean;
  readonly #source: ByteSource;
  readonly #reading: CaptureReading;
  readonly #clock: Clock;
  readonly #sleep: (durationMs: number) => Promise<unknown>;
  #originMs = Number.NaN;
  #startMs = 0;
  #latestMs = -Infinity;
  /** Packets that were handed on: stopped in the middle of a batch, its others were never here. */
  #rows = 0;
  #isStopped = false;

  /** @param source  closed by `close` */
  constructor(source: ByteSource, reading: CaptureReading, options: FileSourceOptions) {
    this.name = source.path === '-' ? 'standard input' : source.path;
    this.isTimed = options.isPaced;
    this.#source = source;
    this.#reading = reading;
    this.#clock = options.clock ?? systemClock;
    this.#sleep = options.sleep ?? ((durationMs) => sleepFor(durationMs));
  }

  get problems(): PacketSource['problems'] {
    return this.#reading.problems;
  }

  async *batches(tickMs: number): AsyncGenerator<PacketBatch, void, void> {
    const due = createPacketBatch(limits.packetBatchRows);
    for await (const batch of this.#reading.batches()) {
      if (this.#isStopped) return;
      if (!this.isTimed) {
        this.#rows += batch.rowCount;
        yield batch;
        continue;
      }
      for (let row = 0; row < batch.rowCount;) {
        due.rowCount = 0;
        yield* this.#untilDue((batch.timeMicroseconds[row] as number) / 1000, tickMs, due);
        if (this.#isStopped) return;
        row = this.#takeDue(batch, row, due);
        this.#rows += due.rowCount;
        yield due;
      }
    }
  }

  nowMs(): number {
    return this.#originMs + (this.#clock.monotonicMs() - this.#startMs);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  counts(): SourceCounts {
    const { rejected } = this.#reading;
    return { frames: this.#rows + rejected.total(), rows: this.#rows, rejected, live: undefined };
  }

  /** Waits until a packet is due, or we are stopped; yields an empty batch at every tick. */
  async *#untilDue(packetMs: number, tickMs: number, empty: PacketBatch): AsyncGenerator<PacketBatch, void, void> {
    // The negation takes the first packet, when there is no origin yet.
    if (!(packetMs >= this.#latestMs - stepMs) || Number.isNaN(this.#originMs)) {
      this.#originMs = packetMs;
      this.#startMs = this.#clock.monotonicMs();
      this.#latestMs = packetMs;
    }
    let tickedMs = this.#clock.monotonicMs();
    while (!this.#isStopped) {
      const waitMs = packetMs - this.nowMs();
      if (waitMs <= 0) return;
      const nowMs = this.#clock.monotonicMs();
      if (nowMs - tickedMs >= tickMs) {
        tickedMs = nowMs;
        yield empty;
        continue;
      }
      await this.#sleep(Math.min(waitMs, sleepMsMax, tickMs));
    }
  }

  /** Copies the packets from `first` on that are due. @returns the row behind them */
  #takeDue(batch: PacketBatch, first: number, due: PacketBatch): number {
    const untilMs = this.nowMs() + togetherMs;
    due.rowCount = 0;
    due.data = batch.data;
    let row = first;
    for (; row < batch.rowCount && due.rowCount < due.capacity; row++) {
      const packetMs = (batch.timeMicroseconds[row] as number) / 1000;
      if (row > first && (packetMs > untilMs || packetMs < this.#latestMs - stepMs)) break;
      this.#latestMs = Math.max(this.#latestMs, packetMs);
      copyPacket(batch, row, due);
    }
    return row;
  }
}
