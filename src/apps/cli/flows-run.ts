/** One run of `natlens flows`: opens inputs, meters captures, takes over records, names, writes, and counts it all. */
import { resolve } from 'node:path';
import { Counts, cpuSeconds, OperatorError, systemClock, type Problem } from '#base';
import {
  openByteSource, readCapture, recogniseCapture, recogniseExports, type ByteSource, type ExportFileKind,
} from '#capture';
import {
  createDictionaries, createExporterNamer, createNoneNamer, createPrefixNamer, DnsQueryTap, FlowPairer, Meter,
  type Dictionaries, type EmitFlows, type FlowPairerCounts, type FlowSetInfo, type L7Source, type Namer,
} from '#flow';
import {
  flowFileKindTexts, openFlowSink, openTableSink, readFlows, recogniseFlows, type FlowFileKind, type FlowSink,
  type TableSink, type TableValue,
} from '#flow/files';
import { ExportsInput, type ExportsReading } from './exports-input.ts';
import { FlowOutput } from './flow-output.ts';
import { assertBalance, nameOutput, nameProblems, type FlowSummary, type FlowTally } from './flow-summary.ts';
import type { FlowsOptions } from './flows-command.ts';
import { Progress } from './progress.ts';
import { formatCount } from './text-table.ts';

export type FlowsRun = {
  readonly summary: FlowSummary;
  readonly tally: FlowTally;
  /** False when an input was cut or damaged. */
  readonly isComplete: boolean;
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
  readonly #rejected = new Counts();
  readonly #inputs: { name: string; kind: string; packets: number; records: number }[] = [];
  readonly #problems: FlowSummary['problems'][number][] = [];
  readonly #origins = new Set<string>();
  /** What each flow file says of its flow set; undefined when it says nothing. */
  readonly #recordInfos: (FlowSetInfo | undefined)[] = [];
  readonly #notes: string[] = [];
  #isComplete = true;
  #meter: Meter | undefined;
  #captureNamer: Namer | undefined;
  #recordNamer: Namer | undefined;
  #exports: ExportsInput | undefined;
  readonly #pairers: FlowPairer[] = [];
  #recordPairer: FlowPairer | undefined;
  #importedCount = 0;

  static async open(options: FlowsOptions, given?: FlowSink): Promise<FlowsRunner> {
    const info: FlowSetInfo = {
      origin: '',
      l7Source: options.l7 ?? 'prefix',
      l7Version: '',
      activeTimeoutMs: options.active * 1000,
      idleTimeoutMs: options.idle * 1000,
    };
    const sink = given ?? (options.output === undefined ? undefined : await openFlowSink(options.output, info));
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
      if (kind.is === 'flows') await this.#readRecords(source, kind.fileKind);
      else if (kind.is === 'exports') await this.#readExports(source, kind.fileKind);
      else if (this.#options.exports === true) await this.#readExports(source, undefined);
      else await this.#readCapture(source);
    } finally {
      await source.close();
    }
  }

  async #readCapture(source: ByteSource): Promise<void> {
    this.#origins.add('natlens meter');
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
    this.#rejected.merge(reading.rejected);
    this.#inputs.push({ name: source.path, kind: reading.kind, packets: reading.frames, records: 0 });
    this.#noteCut(source.path, reading.problems);
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

  async #readRecords(source: ByteSource, kind: FlowFileKind): Promise<void> {
    if (this.#options.l7 === 'ndpi') {
      throw new OperatorError('bad-option',
        `--l7 ndpi looks at packets, and ${source.path} holds flow records: choose exporter, prefix or none.`);
    }
    const namer = this.#recordNamer ??= await openNamer(this.#options.l7 ?? 'exporter',
      (flows) => this.#output.accept(flows));
    const pairer = this.#recordPairer ??= this.#openPairer('flows', namer);
    const reading = readFlows(source, kind, { dictionaries: this.#dictionaries });
    for await (const batch of reading.batches()) {
      if (pairer === undefined) namer.name(batch);
      else pairer.add(batch);
      await this.#output.drain();
      if (this.#output.isAbandoned) break;
      this.#progress.tick(() =>
        describeProgress(source, `${formatCount(reading.rows)} records`, this.#progress.seconds));
    }
    this.#origins.add(reading.info?.origin ?? flowFileKindTexts[kind]);
    this.#recordInfos.push(reading.info);
    this.#importedCount += reading.rows;
    this.#rejected.merge(reading.rejected);
    this.#inputs.push({ name: source.path, kind, packets: 0, records: reading.records });
    this.#problems.push(...nameProblems(source.path, reading.problems));
    this.#notes.push(...reading.notes.map((note) => `${source.path}: ${note}`));
    if (source.problem !== undefined) this.#noteCut(source.path, [source.problem]);
  }

  /**
   * What takes records of others: the namer, after a pairer if one-way ones are to be joined.
   *
   * @param clock  what the pairer goes by: the times of arrival that it is told, or those of the flows
   */
  #openPairer(clock: 'flows' | 'told', namer: Namer): FlowPairer | undefined {
    if (this.#options.pair !== true) return undefined;
    const pairer = new FlowPairer({ home: this.#options.home, clock }, (joined) => namer.name(joined),
      { dictionaries: this.#dictionaries });
    this.#pairers.push(pairer);
    return pairer;
  }

  #openExports(namer: Namer): ExportsInput {
    const pairer = this.#openPairer('told', namer);
    return new ExportsInput(this.#options, this.#dictionaries,
      (flows) => (pairer === undefined ? namer.name(flows) : pairer.add(flows)), (timeMs) => pairer?.advance(timeMs));
  }

  /** Decodes exports. @param kind  of a file of bare messages; undefined: a capture that carries them */
  async #readExports(source: ByteSource, kind: ExportFileKind | undefined): Promise<void> {
    if (this.#options.l7 === 'ndpi') {
      throw new OperatorError('bad-option',
        `--l7 ndpi looks at packets, and ${source.path} holds exported records: choose exporter, prefix or none.`);
    }
    this.#origins.add('exports');
    this.#recordInfos.push(undefined);
    const namer = this.#recordNamer ??= await openNamer(this.#options.l7 ?? 'exporter',
      (flows) => this.#output.accept(flows));
    const exports = this.#exports ??= this.#openExports(namer);
    const rest = async (): Promise<void> => {
      await this.#output.drain();
      this.#progress.tick(() =>
        describeProgress(source, `${formatCount(exports.counts().datagrams)} datagrams`, this.#progress.seconds));
    };
    const reading: ExportsReading = kind === undefined
      ? await exports.readCapture(source, rest) : await exports.readFile(source, kind, rest);
    if (reading.rejected !== undefined) this.#rejected.merge(reading.rejected);
    this.#inputs.push({ name: source.path, kind: kind ?? 'exports', packets: reading.packets, records: 0 });
    this.#noteCut(source.path, reading.problems);
  }

  /** An input that could not be read to its end. */
  #noteCut(path: string, problems: readonly Problem[]): void {
    this.#problems.push(...nameProblems(path, problems));
    if (problems.length > 0) this.#isComplete = false;
  }

  async end(): Promise<FlowsRun> {
    this.#meter?.end();
    this.#exports?.end();
    for (const pairer of this.#pairers) pairer.end();
    await this.#captureNamer?.end();
    await this.#recordNamer?.end();
    await this.#output.drain();
    const info = this.#describeSet();
    await this.#sink?.end(info);
    this.#notes.push(...this.#sink?.notes ?? []);
    await this.#dnsSink?.end();
    this.#progress.end();
    const summary = this.#summarise(info);
    if (!this.#output.isAbandoned) assertBalance(summary, this.#output.tally);
    return { summary, tally: this.#output.tally, isComplete: this.#isComplete };
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
    const [info, ...others] = this.#recordInfos;
    if (info !== undefined && this.#meter === undefined && this.#options.l7 === undefined &&
      others.every((other) => JSON.stringify(other) === JSON.stringify(info))) return info;
    const namer = this.#captureNamer ?? this.#recordNamer;
    const isMetered = this.#meter !== undefined;
    return {
      origin: [...this.#origins].join(', '),
      l7Source: namer?.source ?? 'none',
      l7Version: namer?.version ?? '',
      activeTimeoutMs: isMetered ? this.#options.active * 1000 : 0,
      idleTimeoutMs: isMetered ? this.#options.idle * 1000 : 0,
    };
  }

  #summarise(info: FlowSetInfo): FlowSummary {
    const metered = this.#meter?.counts();
    if (metered !== undefined) this.#rejected.merge(metered.rejected);
    const exported = this.#exports?.counts();
    const pairing = addPairings(this.#pairers.map((pairer) => pairer.counts()));
    if (this.#exports !== undefined) this.#rejected.merge(this.#exports.rejectedPackets);
    return {
      inputs: this.#inputs,
      packets: this.#inputs.reduce((sum, input) => sum + input.packets, 0),
      records: this.#inputs.reduce((sum, input) => sum + input.records, 0),
      meteredPackets: metered?.packets ?? 0,
      importedFlows: this.#importedCount,
      exportPackets: this.#exports?.capturedDatagrams ?? 0,
      decodedFlows: exported?.flows ?? 0,
      rejected: this.#rejected.toJSON(),
      flows: (metered?.flows ?? 0) + this.#importedCount + (exported?.flows ?? 0) - joinedAway(pairing),
      octets: metered?.octets ?? 0,
      exports: exported ?? null,
      pairing: pairing ?? null,
      seconds: (systemClock.monotonicMs() - this.#startMs) / 1000,
      cpuSeconds: cpuSeconds(),
      l7: {
        source: info.l7Source,
        version: info.l7Version,
        counts: addCounts(this.#captureNamer?.counts(), this.#recordNamer?.counts()),
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
      problems: this.#problems,
      notes: this.#notes,
    };
  }
}

const dnsColumns = ['timeMilliseconds', 'sourceAddress', 'destinationAddress', 'sourceTransportPort', 'dnsQueryName',
  'dnsQueryType', 'dnsId', 'ipId'];

async function openNamer(source: L7Source, emit: EmitFlows): Promise<Namer> {
  if (source === 'prefix') return createPrefixNamer(emit);
  if (source === 'exporter') return createExporterNamer(emit);
  if (source === 'none') return createNoneNamer(emit);
  const { createNdpiNamer } = await import('#flow/ndpi');
  return await createNdpiNamer({}, emit);
}

/** Sum of what several pairers counted; undefined of none. */
function addPairings(all: readonly FlowPairerCounts[]): FlowPairerCounts | undefined {
  const [first] = all;
  if (first === undefined) return undefined;
  const names = Object.keys(first) as (keyof FlowPairerCounts)[];
  return Object.fromEntries(names.map((name) =>
    [name, all.reduce((sum, counts) => sum + counts[name], 0)])) as FlowPairerCounts;
}

/** Records that became part of another record's row. */
function joinedAway(pairing: FlowPairerCounts | undefined): number {
  return pairing === undefined ? 0 : pairing.paired + pairing.joined;
}

function addCounts(...all: readonly (Record<string, number> | undefined)[]): Record<string, number> {
  const sum = new Counts();
  for (const counts of all) {
    for (const [name, count] of Object.entries(counts ?? {})) sum.add(name, count);
  }
  return sum.toJSON();
}

function describeProgress(source: ByteSource, done: string, seconds: number): string {
  const share = source.sizeBytes === undefined || source.sizeBytes === 0
    ? '' : `${Math.floor(100 * source.readBytes / source.sizeBytes)} % of `;
  return `natlens: ${share}${source.path}: ${done}, ${formatCount(seconds)} s`;
}
