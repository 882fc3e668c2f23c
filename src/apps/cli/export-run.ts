/** One run of `natlens export`: flow records of any input, encoded and sent to a collector as an exporter would. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { cpuSeconds, EnvironmentError, OperatorError, systemClock, type Clock } from '#base';
import { UdpSender } from '#capture';
import { describeLosses, FlowEncoder, meterDefaults, type EncoderCounts, type FlowBatch } from '#flow';
import type { FlowSink } from '#flow/files';
import type { FlowSummary } from './flow-summary.ts';
import { runFlows } from './flows-run.ts';

/** Where to send to. */
export type CollectorPlace = { readonly host: string; readonly port: number };

export type ExportRunOptions = {
  readonly to: CollectorPlace;
  readonly version: 9 | 10;
  readonly domain: number;
  /** Records a second; 0: as fast as the kernel takes them. */
  readonly recordsPerSecond: number;
  readonly isQuiet: boolean;
};

/** The summary as `--json` prints it; documented in docs/commands/export.md. */
export type ExportSummary = {
  readonly to: string;
  readonly format: 'NetFlow v9' | 'IPFIX';
  readonly domain: number;
  readonly flows: number;
  readonly datagrams: number;
  readonly bytes: number;
  readonly templateSends: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly inputs: FlowSummary['inputs'];
  readonly rejected: FlowSummary['rejected'];
  readonly problems: FlowSummary['problems'];
  readonly notes: FlowSummary['notes'];
};

/**
 * Runs `natlens export`.
 *
 * @param inputs  paths, `-` for standard input; read in this order
 * @returns       the summary, and false when an input was cut or damaged
 * @throws OperatorError     an input cannot be read or is of no known kind, the host has no address
 * @throws EnvironmentError  `network`: sending failed
 */
export async function runExport(
  inputs: readonly string[], options: ExportRunOptions,
): Promise<{ summary: ExportSummary; isComplete: boolean }> {
  const startMs = systemClock.monotonicMs();
  const { to, version, domain, recordsPerSecond } = options;
  const { address, family } = await findAddress(to.host);
  const sender = await UdpSender.open({
    address, family, port: to.port, unitsPerSecond: recordsPerSecond, createSocket,
  });
  const sink = new CollectorSink(sender, { version, domain, recordsPerSecond });
  const { summary, isComplete } = await runFlows(inputs, {
    active: meterDefaults.activeTimeoutMs / 1000, idle: meterDefaults.idleTimeoutMs / 1000, home: [],
    quiet: options.isQuiet,
  }, sink).catch(async (thrown: unknown) => {
    await sink.abandon();
    throw thrown;
  });
  const { records, datagrams, bytes, templateSends } = sink.counts();
  return {
    isComplete,
    summary: {
      to: family === 6 ? `[${address}]:${to.port}` : `${address}:${to.port}`,
      format: version === 9 ? 'NetFlow v9' : 'IPFIX',
      domain, flows: records, datagrams, bytes, templateSends,
      seconds: (systemClock.monotonicMs() - startMs) / 1000,
      cpuSeconds: cpuSeconds(),
      inputs: summary.inputs, rejected: summary.rejected, problems: summary.problems, notes: summary.notes,
    },
  };
}

/** Address of a host, or of itself. @throws OperatorError  no host is called so */
export async function findAddress(host: string): Promise<{ address: string; family: 4 | 6 }> {
  const known = isIP(host);
  if (known !== 0) return { address: host, family: known === 6 ? 6 : 4 };
  try {
    const { address, family } = await lookup(host);
    return { address, family: family === 6 ? 6 : 4 };
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EAI_AGAIN') {
      throw new EnvironmentError('network',
        `The name ${host} cannot be looked up now: no name server answers.`, thrown);
    }
    throw new OperatorError('bad-option', `--to: no host is called ${host}; name one, or give an address.`, thrown);
  }
}

/** Longest time for which records are encoded ahead of their sending, so that export times stay true. */
const sliceSeconds = 0.1;
const sliceRowsMax = 1_024;

/** A sink that sends rows to a collector. */
class CollectorSink implements FlowSink {
  readonly readerGone = false;
  readonly #sender: UdpSender;
  readonly #encoder: FlowEncoder;
  readonly #clock: Clock;
  readonly #sliceRows: number;
  #isClosed = false;

  constructor(
    sender: UdpSender, options: Pick<ExportRunOptions, 'version' | 'domain' | 'recordsPerSecond'>,
    clock: Clock = systemClock,
  ) {
    const { version, domain, recordsPerSecond } = options;
    this.#sender = sender;
    this.#clock = clock;
    this.#encoder = new FlowEncoder({ version, domain }, (datagram, records) => sender.queue(datagram, records));
    this.#sliceRows = recordsPerSecond === 0 ? sliceRowsMax
      : Math.min(Math.max(Math.floor(recordsPerSecond * sliceSeconds), 1), sliceRowsMax);
  }

  get bytesWritten(): number {
    return this.#sender.bytes;
  }

  get notes(): readonly string[] {
    return describeLosses(this.#encoder.counts());
  }

  counts(): EncoderCounts {
    return this.#encoder.counts();
  }

  async write(batch: FlowBatch): Promise<void> {
    for (let first = 0; first < batch.rowCount; first += this.#sliceRows) {
      const end = Math.min(first + this.#sliceRows, batch.rowCount);
      this.#encoder.encode(batch, this.#clock.nowMs(), first, end);
      await this.#sender.drain();
    }
  }

  async end(): Promise<void> {
    this.#isClosed = true;
    this.#encoder.flush(this.#clock.nowMs());
    await this.#sender.end();
  }

  abandon(): Promise<void> {
    if (!this.#isClosed) this.#sender.abandon();
    this.#isClosed = true;
    return Promise.resolve();
  }
}
