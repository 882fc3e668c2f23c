/**
 * Sends the pool's flows to a detector as an exporter would, at a steady rate: IPFIX over UDP, as the homes that are
 * mapped by address, with times that just passed. Now and then a probe, whose home nothing was seen of before.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIPv4, mappedWord, Random, systemClock } from '#base';
import { UdpSender } from '#capture';
import { copyRows, createFlowBatch, FlowEncoder, type FlowBatch } from '#flow';
import type { Probe } from './detector-work.ts';

export type LoadOptions = {
  readonly port: number;
  readonly flowsPerSecond: number;
  readonly homes: number;
  readonly seed: number;
};

/** Devices of one home. */
const devicesPerHome = 6;
const tickMs = 10;
/** Homes of the background are 10.1.x.y, those of probes 10.99.x.y. */
const backgroundBase = 0x0a01_0000;
const probeBase = 0x0a63_0000;

/** Name of a probe's home: its address. */
export function homeOfProbe(probe: number): string {
  return formatIPv4(probeBase + probe);
}

export class DetectorLoad {
  /** [probe]: when it was handed to the kernel, on the monotonic clock. */
  readonly probeSentMs: number[] = [];
  flows = 0;
  readonly #sender: UdpSender;
  readonly #encoder: FlowEncoder;
  readonly #pool: FlowBatch;
  readonly #probes: readonly Probe[];
  readonly #options: LoadOptions;
  readonly #random: Random;
  readonly #one: FlowBatch;
  /** Rows of each device of the pool, and which comes next. */
  readonly #devices: { readonly rows: readonly number[]; next: number }[];

  static async open(pool: FlowBatch, probes: readonly Probe[], options: LoadOptions): Promise<DetectorLoad> {
    const sender = await UdpSender.open({
      address: '127.0.0.1', family: 4, port: options.port, unitsPerSecond: 0, createSocket,
    });
    return new DetectorLoad(sender, pool, probes, options);
  }

  private constructor(sender: UdpSender, pool: FlowBatch, probes: readonly Probe[], options: LoadOptions) {
    this.#sender = sender;
    this.#pool = pool;
    this.#probes = probes;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#one = createFlowBatch(1, pool.dictionaries);
    this.#encoder = new FlowEncoder({ version: 10, domain: 1 }, (datagram, records) => sender.queue(datagram, records));
    const rows = Array.from({ length: pool.rowCount }, (_, row) => row);
    this.#devices = [...Map.groupBy(rows, (row) => pool.columns.device[row]).values()]
      .map((ofDevice) => ({ rows: ofDevice, next: 0 }));
  }

  /** Sends for some time. @param probesPerSecond  besides the background; 0: none */
  async run(durationMs: number, probesPerSecond: number): Promise<void> {
    const startMs = systemClock.monotonicMs();
    let sent = 0;
    let probes = 0;
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = systemClock.monotonicMs() - startMs) {
      const due = Math.floor(elapsedMs * this.#options.flowsPerSecond / 1000);
      for (; sent < due; sent++) this.#sendBackground();
      for (; probes < Math.floor(elapsedMs * probesPerSecond / 1000); probes++) sent += await this.sendProbe();
      await this.#flush();
      await sleep(tickMs);
    }
  }

  /** Sends the next probe, at once. @returns its flows */
  async sendProbe(): Promise<number> {
    await this.#flush();
    const number = this.probeSentMs.length;
    const { rows } = this.#probes[number % this.#probes.length] as Probe;
    for (const row of rows) this.#encode(row, probeBase + number);
    this.probeSentMs.push(systemClock.monotonicMs());
    await this.#flush();
    return rows.length;
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#sender.end();
  }

  #sendBackground(): void {
    const home = this.#random.integer(0, this.#options.homes - 1);
    const which = (home * 7 + this.#random.integer(0, devicesPerHome - 1) * 5) % this.#devices.length;
    const device = this.#devices[which] as { readonly rows: readonly number[]; next: number };
    this.#encode(device.rows[device.next++ % device.rows.length] as number, backgroundBase + home);
  }

  #encode(row: number, home: number): void {
    const one = this.#one;
    one.rowCount = 0;
    copyRows(this.#pool, row, row + 1, one);
    const { columns } = one;
    columns.sourceAddress.set([0, 0, mappedWord, home], 0);
    const lengthMs = (columns.flowEndMilliseconds[0] as number) - (columns.flowStartMilliseconds[0] as number);
    const nowMs = systemClock.nowMs();
    columns.flowEndMilliseconds[0] = nowMs;
    columns.flowStartMilliseconds[0] = nowMs - lengthMs;
    this.#encoder.encode(one, nowMs);
    this.flows++;
  }

  async #flush(): Promise<void> {
    this.#encoder.flush(systemClock.nowMs());
    await this.#sender.drain();
  }
}
