/**
 * Flows to a collector: encoded as they come and sent beside the packets, so that a slow collector never stops the
 * capture. What cannot be sent is counted; every record is sent, lost or waiting.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { limits, systemClock, type Clock } from '#base';
import { TcpSender, UdpSender, type TcpSenderOptions } from '#capture';
import {
  describeLosses, FlowEncoder, makeAnnouncement, type FlowBatch, type FlowEncoderOptions, type Sampling,
} from '#flow';

export type ExportOptions = {
  /** An address, not a name. */
  readonly address: string;
  readonly port: number;
  /** IPFIX only by TCP. */
  readonly transport: 'udp' | 'tcp';
  readonly version: 9 | 10;
  readonly domain: number;
  /** Records a second by UDP; 0: as fast as the system takes them. */
  readonly recordsPerSecond: number;
  readonly sampling: Sampling | undefined;
  /** These are given by tests only. */
  readonly datagramsMax?: number;
  readonly tcp?: Partial<TcpSenderOptions>;
  readonly clock?: Clock;
};

export type ExportOutletCounts = {
  readonly to: string;
  readonly transport: 'udp' | 'tcp';
  readonly format: 'NetFlow v9' | 'IPFIX';
  /** Flows that were encoded. */
  readonly flows: number;
  /** Data records, those that tell the sampling among them: each is sent, lost or waits. */
  readonly records: number;
  readonly sentRecords: number;
  readonly lostRecords: number;
  readonly waitingRecords: number;
  /** Datagrams, or messages by TCP. */
  readonly messages: number;
  readonly bytes: number;
  /** By TCP: whether the collector is there. */
  readonly isConnected: boolean | undefined;
  readonly connections: number;
  /** What went wrong last; undefined when nothing did. */
  readonly lastFailure: string | undefined;
};

export type ExportOutlet = {
  /** Encodes flows and has them sent; the batch is not kept. */
  accept(flows: FlowBatch): void;
  /** Sends what waits for more flows. Call it every second or so. */
  flush(): void;
  /** Sends everything and closes. @param waitMs  what is not gone by then is lost and counted */
  end(waitMs: number): Promise<void>;
  counts(): ExportOutletCounts;
  /** What could not be sent as it is in a flow, in sentences. */
  notes(): readonly string[];
};

/** @throws EnvironmentError  `network`: there is no way to the address (UDP; by TCP it is tried again and again) */
export async function openExport(options: ExportOptions): Promise<ExportOutlet> {
  return options.transport === 'tcp' ? new TcpOutlet(options) : await UdpOutlet.open(options);
}

function encoderOptions({ version, domain, sampling }: ExportOptions): Partial<FlowEncoderOptions> {
  return { version, domain, sampling };
}

function describe({ address, port, transport, version }: ExportOptions):
  Pick<ExportOutletCounts, 'to' | 'transport' | 'format'> {
  const to = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return { to, transport, format: version === 9 ? 'NetFlow v9' : 'IPFIX' };
}

class UdpOutlet implements ExportOutlet {
  readonly #options: ExportOptions;
  readonly #clock: Clock;
  readonly #encoder: FlowEncoder;
  readonly #datagramsMax: number;
  #sender!: UdpSender;
  #queuedDatagrams = 0;
  #queuedRecords = 0;
  #refusedRecords = 0;
  #givenUpRecords = 0;
  #pumping: Promise<void> | undefined;
  #lastFailure: string | undefined;

  static async open(options: ExportOptions): Promise<UdpOutlet> {
    const outlet = new UdpOutlet(options);
    outlet.#sender = await UdpSender.open({
      address: options.address, family: options.address.includes(':') ? 6 : 4, port: options.port,
      unitsPerSecond: options.recordsPerSecond, createSocket, queueDatagramsMax: outlet.#datagramsMax + 1,
      onFailure: (error) => { outlet.#lastFailure = error.message; },
    });
    // A collector that knows the templates understands the first flow.
    outlet.#encoder.announce(outlet.#clock.nowMs());
    return outlet;
  }

  private constructor(options: ExportOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#datagramsMax = options.datagramsMax ?? limits.probeDatagramsMax;
    this.#encoder = new FlowEncoder(encoderOptions(options), (datagram, records) => this.#queue(datagram, records));
  }

  accept(flows: FlowBatch): void {
    this.#encoder.encode(flows, this.#clock.nowMs());
  }

  flush(): void {
    this.#encoder.flush(this.#clock.nowMs());
  }

  async end(waitMs: number): Promise<void> {
    this.flush();
    const late = new AbortController();
    const isSent = await Promise.race([
      this.#allSent().then(() => true),
      sleepFor(waitMs, false, { signal: late.signal }).catch(() => false),
    ]);
    late.abort();
    if (isSent) await this.#sender.end();
    else {
      this.#givenUpRecords = this.#waiting();
      this.#sender.abandon();
    }
  }

  counts(): ExportOutletCounts {
    return {
      ...describe(this.#options), flows: this.#encoder.counts().records,
      records: this.#queuedRecords + this.#refusedRecords, sentRecords: this.#sender.units,
      lostRecords: this.#refusedRecords + this.#sender.lostUnits + this.#givenUpRecords,
      waitingRecords: this.#waiting(), messages: this.#sender.datagrams, bytes: this.#sender.bytes,
      isConnected: undefined, connections: 0, lastFailure: this.#lastFailure,
    };
  }

  notes(): readonly string[] {
    return describeLosses(this.#encoder.counts());
  }

  #waiting(): number {
    return this.#queuedRecords - this.#sender.units - this.#sender.lostUnits - this.#givenUpRecords;
  }

  #queue(datagram: Uint8Array, records: number): void {
    const waitingDatagrams = this.#queuedDatagrams - this.#sender.datagrams - this.#sender.lostDatagrams;
    if (waitingDatagrams >= this.#datagramsMax) {
      this.#refusedRecords += records;
      return;
    }
    this.#queuedDatagrams++;
    this.#queuedRecords += records;
    this.#sender.queue(datagram, records);
    this.#pumping ??= this.#pump();
  }

  async #pump(): Promise<void> {
    // What is queued within this turn goes together.
    await Promise.resolve();
    let queued: number;
    do {
      queued = this.#queuedDatagrams;
      await this.#sender.drain();
    } while (queued !== this.#queuedDatagrams);
    this.#pumping = undefined;
  }

  async #allSent(): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping;
  }
}

class TcpOutlet implements ExportOutlet {
  readonly #options: ExportOptions;
  readonly #clock: Clock;
  readonly #encoder: FlowEncoder;
  readonly #sender: TcpSender;
  #queuedRecords = 0;

  constructor(options: ExportOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sender = new TcpSender({
      address: options.address, port: options.port, connect,
      announce: () => makeAnnouncement(encoderOptions(options), this.#clock.nowMs()), ...options.tcp,
    });
    this.#encoder = new FlowEncoder({ ...encoderOptions(options), hasTemplates: false }, (message, records) => {
      this.#queuedRecords += records;
      this.#sender.queue(message, records);
    });
    this.#sender.start();
  }

  accept(flows: FlowBatch): void {
    this.#encoder.encode(flows, this.#clock.nowMs());
  }

  flush(): void {
    this.#encoder.flush(this.#clock.nowMs());
  }

  async end(waitMs: number): Promise<void> {
    this.flush();
    await this.#sender.end(waitMs);
  }

  counts(): ExportOutletCounts {
    const { records, lostRecords, waitingRecords, messages, bytes, isConnected, connections, lastFailure } =
      this.#sender.counts();
    return {
      ...describe(this.#options), flows: this.#encoder.counts().records, records: this.#queuedRecords,
      sentRecords: records, lostRecords, waitingRecords, messages, bytes, isConnected, connections, lastFailure,
    };
  }

  notes(): readonly string[] {
    return describeLosses(this.#encoder.counts());
  }
}
