/**
 * The probe's loop: packets, sampled when asked, into the meter, and flows through the namer to whoever takes them.
 * Time passes with or without packets. Every packet is metered, rejected or left out by sampling, and counted.
 */
import { setImmediate } from 'node:timers/promises';
import { assertInvariant, systemClock, type Clock } from '#base';
import type { PacketBatch } from '#capture';
import {
  createDictionaries, Meter, PacketSampler, type Dictionaries, type EmitFlows, type MeterCounts, type MeterOptions,
  type Namer, type Sampling,
} from '#flow';
import type { PacketSource, SourceCounts } from './packet-source.ts';

export type ProbeOptions = {
  readonly meter: Partial<MeterOptions>;
  /** Undefined: every packet is metered. */
  readonly sampling: Sampling | undefined;
  /** Of random sampling. */
  readonly seed: number;
  /** How often time is told, and `onTick` called. */
  readonly tickMs?: number;
};

export type ProbeParts = {
  /** Opens what is metered. @param allocate  memory from which the meter takes packets without a copy */
  readonly openSource: (allocate: Meter['allocateWindow']) => PacketSource;
  readonly openNamer: (emit: EmitFlows) => Promise<Namer>;
  /** Takes named flows; the batch is valid during the call only. */
  readonly onFlows: EmitFlows;
  /** A promise when no more flows can be taken now; packets wait in the source meanwhile. */
  readonly whenTaken?: () => Promise<void> | undefined;
  /** Called about every `tickMs`. */
  readonly onTick?: () => void;
  readonly clock?: Clock;
};

export type ProbeCounts = {
  readonly source: SourceCounts;
  /** Packets that sampling left out. */
  readonly unsampled: number;
  readonly meter: MeterCounts;
  readonly openFlows: number;
  readonly l7: Readonly<Record<string, number>>;
};

const tickMsDefault = 200;
/** Without a pause the loop goes on no longer: timers, sockets and the nDPI child get their turn. */
const turnMsMax = 20;

export class Probe {
  readonly dictionaries: Dictionaries = createDictionaries();
  readonly source: PacketSource;
  readonly namer: Namer;
  readonly #parts: ProbeParts;
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #meter: Meter;
  readonly #sampler: PacketSampler | undefined;
  /** Latest packet, so that time never goes past those that have yet to come. */
  #packetMs = -Infinity;
  #tickedMs = -Infinity;

  /**
   * Opens the source and the namer. Nothing is read yet.
   *
   * @throws what opening them throws
   */
  static async open(options: ProbeOptions, parts: ProbeParts): Promise<Probe> {
    const namer = await parts.openNamer((flows) => parts.onFlows(flows));
    try {
      return new Probe(options, parts, namer);
    } catch (thrown) {
      await namer.end();
      throw thrown;
    }
  }

  private constructor(options: ProbeOptions, parts: ProbeParts, namer: Namer) {
    this.#parts = parts;
    this.namer = namer;
    this.#clock = parts.clock ?? systemClock;
    this.#tickMs = options.tickMs ?? tickMsDefault;
    this.#sampler = options.sampling && new PacketSampler(options.sampling, options.seed);
    this.#meter = new Meter(options.meter, (flows) => namer.name(flows), {
      dictionaries: this.dictionaries,
      observe: (packets, headers, slots, slotCount) => namer.observe(packets, headers, slots, slotCount),
    });
    this.source = parts.openSource(this.#meter.allocateWindow);
  }

  /** Meters until the source ends, then ends all flows and hands them on. */
  async run(): Promise<void> {
    const { source } = this;
    let turnMs = this.#clock.monotonicMs();
    for await (const batch of source.batches(this.#tickMs)) {
      this.#meterPackets(batch);
      this.#passTime(batch);
      const busy = (source.isTimed ? undefined : this.namer.whenReady()) ?? this.#parts.whenTaken?.();
      if (busy !== undefined) await busy;
      else if (this.#clock.monotonicMs() - turnMs >= turnMsMax) await setImmediate();
      else continue;
      turnMs = this.#clock.monotonicMs();
    }
    this.#meter.end();
    await this.namer.end();
    this.#assertBalance();
  }

  /** Takes no more packets; `run` ends when those that came have been metered. */
  stop(): void {
    this.source.stop();
  }

  /** After a failure: gives the namer's child and the source back. Flows that are open are lost. */
  async abandon(): Promise<void> {
    await this.namer.end().catch(() => undefined);
    await this.source.close();
  }

  counts(): ProbeCounts {
    const sampler = this.#sampler;
    return {
      source: this.source.counts(), unsampled: sampler === undefined ? 0 : sampler.seenCount - sampler.takenCount,
      meter: this.#meter.counts(), openFlows: this.#meter.openFlowCount, l7: this.namer.counts(),
    };
  }

  #meterPackets(batch: PacketBatch): void {
    if (batch.rowCount === 0) return;
    this.#packetMs = (batch.timeMicroseconds[batch.rowCount - 1] as number) / 1000;
    this.#meter.add(this.#sampler?.take(batch) ?? batch);
  }

  /** Where time passes by itself, it ends flows and lets those go that wait for a name. */
  #passTime(batch: PacketBatch): void {
    const steadyMs = this.#clock.monotonicMs();
    if (steadyMs - this.#tickedMs < this.#tickMs) return;
    this.#tickedMs = steadyMs;
    if (this.source.isTimed) {
      // While packets come, they are the clock: those that wait behind them are older than now.
      const nowMs = batch.rowCount === 0 ? this.source.nowMs() : this.#packetMs;
      if (Number.isFinite(nowMs)) {
        this.#meter.advance(nowMs);
        this.namer.advance?.(nowMs);
      }
    }
    this.#parts.onTick?.();
  }

  /** @throws InvariantError  a packet went missing */
  #assertBalance(): void {
    const { source, unsampled, meter } = this.counts();
    assertInvariant(source.frames === source.rows + source.rejected.total(),
      `${source.frames} frames came, but ${source.rows} packets and ${source.rejected.total()} rejected do not add up`);
    assertInvariant(source.rows === unsampled + meter.packets + meter.rejected.total(),
      `${source.rows} packets came, but ${meter.packets} metered, ${meter.rejected.total()} rejected and ` +
      `${unsampled} not sampled do not add up`);
  }
}
