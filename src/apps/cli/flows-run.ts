/**
 * One run of `natlens flows`: opens inputs, meters captures, has records taken over (`record-inputs.ts`), names,
 * writes, and counts it all.
 */
import { resolve } from 'node:path';
import { Counts, cpuSeconds, formatCount, OperatorError, systemClock } from '#base';
import {
  openByteSource, readCapture, recogniseCapture, recogniseExports, type ByteSource, type ExportFileKind,
} from '#capture';
import {
  createDictionaries, DnsQueryTap, Meter, type Dictionaries, type FlowSetInfo, type Namer,
} from '#flow';
import {
  dropTemporaryFiles, flowFileKindTexts, openFlowSink, openTableSink, recogniseFlows, type FlowFileKind, type FlowSink,
  type TableSink, type TableValue,
} from '#flow/files';
import { FlowOutput } from './flow-output.ts';
import { assertBalance, nameOutput, type FlowSummary, type FlowTally } from './flow-summary.ts';
import type { FlowsOptions } from './flows-command.ts';
import { cleanUpOnSignal } from './interruption.ts';
import { openNamer } from './open-namer.ts';
import { describeProgress, Progress } from './progress.ts';
import { RecordInputs } from './record-inputs.ts';
import { RunLedger } from './run-ledger.ts';

export type FlowsRun = {
  readonly summary: FlowSummary;
  readonly tally: FlowTally;
  /** False when an input was cut or damaged. */
  readonly isComplete: boolean;
  /** How the flows of each part of the input were made; undefined for a file that does not say. */
  readonly infos: readonly (FlowSetInfo | undefined)[];
};

/**
 * Runs `natlens flows`.
 *
 * @param inputs  paths, `-` for standard input; read in this order
 * @param sink    takes the flows instead of `options.output`; ended or abandoned here
 * @throws OperatorError     an input cannot be read or is of no known kind, an option does not fit
 * @throws EnvironmentError  the disk failed, libndpi is absent
 */
export async function runFlows(
  inputs: readonly string[], options: FlowsOptions, sink?: FlowSink,
): Promise<FlowsRun> {
  checkPaths(inputs, options);
  const pipes = new Map<string, ByteSource>();
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  try {
    for (const input of inputs) {
      const source = await openByteSource(input, { headBytes: recogniseBytes });
      // What was read from a pipe cannot be read again: it stays open.
      if (source.sizeBytes === undefined) pipes.set(input, source);
      recogniseInput(source);
      if (source.sizeBytes !== undefined) await source.close();
    }
    const run = await FlowsRunner.open(options, sink);
    try {
      for (const input of inputs) await run.read(pipes.get(input) ?? await openByteSource(input));
      return await run.end();
    } catch (thrown) {
      await run.abandon();
      throw thrown;
    }
  } finally {
    forgetCleanUp();
    for (const source of pipes.values()) await source.close();
  }
}

/** @throws OperatorError  a pipe would be read twice, or two outputs would share a name */
function checkPaths(inputs: readonly string[], options: FlowsOptions): void {
  if (inputs.filter((input) => input === '-').length > 1) {
    throw new OperatorError('bad-option', 'Standard input can be read once: name - once among the inputs.');
  }
  const { output, dns } = options;
  if (output !== undefined && dns !== undefined && resolve(output) === resolve(dns)) {
    throw new OperatorError('bad-option',
      `Flows and DNS queries cannot both go to ${nameOutput(output)}: name two outputs.`);
  }
}

/** Bytes that tell the kind of an input. */
const recogniseBytes = 1 << 16;

type InputKind =
  | { readonly is: 'capture' }
  | { readonly is: 'flows'; readonly fileKind: FlowFileKind }
  | { readonly is: 'exports'; readonly fileKind: ExportFileKind };

function recogniseInput(source: ByteSource): InputKind {
  const name = source.path === '-' ? 'Standard input' : source.path;
  if (source.head.length === 0) {
    if (source.problem !== undefined) {
      throw new OperatorError('input-unreadable', `${name}: nothing can be read. ${source.problem.detail}`);
    }
    throw new OperatorError('input-empty', `${name} is empty: nothing to read; check how it was made.`);
  }
  const capture = recogniseCapture(source.head);
  if (capture !== undefined) return { is: 'capture' };
  const flows = recogniseFlows(source.head);
  if (flows !== undefined) return { is: 'flows', fileKind: flows };
  const exported = recogniseExports(source.head, source.compression === 'none' ? source.sizeBytes : undefined);
  if (exported !== undefined) return { is: 'exports', fileKind: exported };
  throw new OperatorError('input-unknown-kind',
    `${name} is neither a capture (pcap, pcapng) nor a flow file that natlens knows ` +
    `(${Object.values(flowFileKindTexts).join(', ')}, IPFIX file, bare NetFlow datagram): check the path.`);
}

class FlowsRunner {
  readonly #options: FlowsOptions;
  readonly #startMs = systemClock.monotonicMs();
  readonly #dictionaries: Dictionaries = createDictionaries();
  readonly #sink: FlowSink | undefined;
  readonly #dnsSink: TableSink | undefined;
  readonly #dnsRows: TableValue[][] = [];
  readonly #dnsTap: DnsQueryTap | undefined;
  readonly #output: FlowOutput;
  readonly #progress: Progress;
  readonly #ledger = new RunLedger();
  readonly #records: RecordInputs;
  #meter: Meter | undefined;
  #captureNamer: Namer | undefined;

  static async open(options: FlowsOptions, given?: FlowSink): Promise<FlowsRunner> {
    const sink = given ?? (options.output === undefined ? undefined : await openFlowSink(options.output));
    const dnsSink = options.dns === undefined ? undefined : await openTableSink(options.dns, dnsColumns)
      .catch(async (thrown: unknown) => {
        await sink?.abandon();
        throw thrown;
      });
    return new FlowsRunner(options, sink, dnsSink);
  }

  private constructor(options: FlowsOptions, sink: FlowSink | undefined, dnsSink: TableSink | undefined) {
    this.#options = options;
    this.#sink = sink;
    this.#dnsSink = dnsSink;
    this.#output = new FlowOutput(sink);
    this.#progress = new Progress(options.quiet === true);
    this.#records = new RecordInputs({
      options, dictionaries: this.#dictionaries, output: this.#output, progress: this.#progress, ledger: this.#ledger,
    });
    if (dnsSink === undefined) return;
    this.#dnsTap = new DnsQueryTap((query) => void this.#dnsRows.push([
      query.timeMilliseconds, query.sourceAddress, query.destinationAddress, query.sourcePort, query.name,
      query.queryType, query.dnsId, query.ipId,
    ]));
  }

  /** Reads an input to its end and closes it. */
  async read(source: ByteSource): Promise<void> {
    try {
      const kind = recogniseInput(source);
      if (kind.is === 'flows') await this.#records.readFile(source, kind.fileKind);
      else if (kind.is === 'exports') await this.#records.readExports(source, kind.fileKind);
      else if (this.#options.exports === true) await this.#records.readExports(source, undefined);
      else await this.#readCapture(source);
    } finally {
      await source.close();
    }
  }

  async #readCapture(source: ByteSource): Promise<void> {
    this.#ledger.origins.add('natlens meter');
    const namer = this.#captureNamer ??= await openNamer(this.#options.l7 ?? 'prefix',
      (flows) => this.#output.accept(flows));
    const meter = this.#meter ??= this.#openMeter(namer);
    const reading = readCapture(source, { allocate: meter.allocateWindow });
    for await (const batch of reading.batches()) {
      meter.add(batch);
      const busy = namer.whenReady();
      if (busy !== undefined) await busy;
      if (this.#output.isWaiting) await this.#output.drain();
      if (this.#dnsRows.length > 0) await this.#writeDnsQueries();
      if (this.#output.isAbandoned) break;
      this.#progress.tick(() => describeProgress(source, `${formatCount(meter.counts().packets)} packets, ` +
        `${formatCount(meter.counts().flows)} flows`, this.#progress.seconds));
    }
    this.#ledger.rejected.merge(reading.rejected);
    this.#ledger.inputs.push({ name: source.path, kind: reading.kind, packets: reading.frames, records: 0 });
    this.#ledger.noteCut(source.path, reading.problems);
  }

  async #writeDnsQueries(): Promise<void> {
    for (const query of this.#dnsRows) {
      const busy = this.#dnsSink?.write(query);
      if (busy !== undefined) await busy;
    }
    this.#dnsRows.length = 0;
  }

  #openMeter(namer: Namer): Meter {
    const { active, idle, home, keepDuplicates } = this.#options;
    const tap = this.#dnsTap;
    return new Meter(
      {
        activeTimeoutMs: active * 1000,
        idleTimeoutMs: idle * 1000,
        home,
        ...(keepDuplicates === true ? { duplicateWindowMs: 0 } : {}),
      },
      (flows) => namer.name(flows),
      {
        dictionaries: this.#dictionaries,
        observe: (packets, headers, slots, slotCount) => {
          namer.observe(packets, headers, slots, slotCount);
          tap?.observe(packets, headers, slots, slotCount);
        },
      });
  }

  async end(): Promise<FlowsRun> {
    this.#meter?.end();
    this.#records.end();
    await this.#captureNamer?.end();
    await this.#records.namer?.end();
    await this.#output.drain();
    const info = this.#describeSet();
    await this.#sink?.end(info);
    this.#ledger.notes.push(...this.#sink?.notes ?? []);
    await this.#dnsSink?.end();
    this.#progress.end();
    const summary = this.#summarise(info);
    if (!this.#output.isAbandoned) assertBalance(summary, this.#output.tally);
    // Captures are one part, with what this run says of them.
    const infos = this.#meter === undefined ? this.#records.infos : [...this.#records.infos, this.#describeMetered()];
    return { summary, tally: this.#output.tally, isComplete: this.#ledger.isComplete, infos };
  }

  /** Leaves no half output behind. */
  async abandon(): Promise<void> {
    this.#progress.end();
    await this.#captureNamer?.end().catch(() => undefined);
    await this.#sink?.abandon();
    await this.#dnsSink?.abandon();
  }

  /**
   * What holds for all flows written. Files that said the same of their sets, and were not renamed, go on saying it.
   */
  #describeSet(): FlowSetInfo {
    const [info, ...others] = this.#records.infos;
    const isPaired = this.#options.pair === true;
    if (info !== undefined && this.#meter === undefined && this.#options.l7 === undefined &&
      others.every((other) => JSON.stringify(other) === JSON.stringify(info))) {
      return isPaired ? { ...info, isBiflow: true } : info;
    }
    // What is metered here is always a biflow, and so is what was paired.
    const isBiflow = isPaired || this.#records.infos.every((known) => known?.isBiflow === true);
    const namer = this.#captureNamer ?? this.#records.namer;
    // Flows of files beside metered ones have timeouts of their own.
    const isMetered = this.#meter !== undefined && this.#records.infos.length === 0;
    return {
      origin: [...this.#ledger.origins].join(', '),
      l7Source: namer?.source ?? 'none',
      l7Version: namer?.version ?? '',
      activeTimeoutMs: isMetered ? this.#options.active * 1000 : 0,
      idleTimeoutMs: isMetered ? this.#options.idle * 1000 : 0,
      ...(isBiflow && { isBiflow }),
    };
  }

  /** What holds for the flows metered from captures. */
  #describeMetered(): FlowSetInfo {
    const namer = this.#captureNamer;
    return {
      origin: 'natlens meter', l7Source: namer?.source ?? 'none', l7Version: namer?.version ?? '',
      activeTimeoutMs: this.#options.active * 1000, idleTimeoutMs: this.#options.idle * 1000, isBiflow: true,
    };
  }

  #summarise(info: FlowSetInfo): FlowSummary {
    const { rejected, inputs, problems, notes } = this.#ledger;
    const metered = this.#meter?.counts();
    const records = this.#records.counts();
    if (metered !== undefined) rejected.merge(metered.rejected);
    if (records.rejectedPackets !== undefined) rejected.merge(records.rejectedPackets);
    return {
      inputs,
      packets: inputs.reduce((sum, input) => sum + input.packets, 0),
      records: inputs.reduce((sum, input) => sum + input.records, 0),
      meteredPackets: metered?.packets ?? 0,
      importedFlows: records.importedFlows,
      exportPackets: records.exportPackets,
      decodedFlows: records.exports?.flows ?? 0,
      rejected: rejected.toJSON(),
      flows: (metered?.flows ?? 0) + records.flows,
      octets: metered?.octets ?? 0,
      exports: records.exports ?? null,
      pairing: records.pairing ?? null,
      seconds: (systemClock.monotonicMs() - this.#startMs) / 1000,
      cpuSeconds: cpuSeconds(),
      l7: {
        source: info.l7Source,
        version: info.l7Version,
        counts: addCounts(this.#captureNamer?.counts(), this.#records.namer?.counts()),
      },
      activeTimeoutSeconds: info.activeTimeoutMs / 1000,
      idleTimeoutSeconds: info.idleTimeoutMs / 1000,
      latePackets: metered?.latePackets ?? 0,
      clockSteps: metered?.clockSteps ?? 0,
      unresolvedFragments: metered?.unresolvedFragments ?? 0,
      flowsEndedForRoom: metered?.flowsEndedForRoom ?? 0,
      dictionaryOverflows: Object.values(this.#dictionaries).reduce((sum, { overflowCount }) => sum + overflowCount, 0),
      dnsQueries: this.#dnsTap?.queryCount ?? null,
      output: this.#options.output ?? null,
      problems,
      notes,
    };
  }
}

const dnsColumns = ['timeMilliseconds', 'sourceAddress', 'destinationAddress', 'sourceTransportPort', 'dnsQueryName',
  'dnsQueryType', 'dnsId', 'ipId'];

function addCounts(...all: readonly (Record<string, number> | undefined)[]): Record<string, number> {
  const sum = new Counts();
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts ?? {})) sum.add(name, count);
  }
  return sum.toJSON();
}
