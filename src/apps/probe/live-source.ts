/** Packets of an interface. */
import { systemClock, type Clock } from '#base';
import type { PacketBatch } from '#capture';
import type { LiveCapture } from '#capture/live';
import type { PacketSource, SourceCounts } from './packet-source.ts';

/** A packet is no older than this when it is handed on, unless we are behind; then there are packets, and no ticks. */
const packetAgeMsMax = 50;

export class LiveSource implements PacketSource {
  readonly isTimed = true;
  readonly problems: PacketSource['problems'] = [];
  readonly #capture: LiveCapture;
  readonly #clock: Clock;

  /** @param clock  the wall clock, by which the kernel stamps packets */
  constructor(capture: LiveCapture, clock: Clock = systemClock) {
    this.#capture = capture;
    this.#clock = clock;
  }

  get name(): string {
    return this.#capture.interfaceName;
  }

  batches(tickMs: number): AsyncGenerator<PacketBatch, void, void> {
    return this.#capture.batches(tickMs);
  }

  nowMs(): number {
    return this.#clock.nowMs() - packetAgeMsMax;
  }

  stop(): void {
    this.#capture.stop();
  }

  async close(): Promise<void> {
    this.#capture.close();
  }

  counts(): SourceCounts {
    const { frames, rows, rejected, ...live } = this.#capture.counts();
    return { frames, rows, rejected, live: { ...live, state: this.#capture.state } };
  }
}
