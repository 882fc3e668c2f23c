/**
 * Inputs of a run that hold flow records instead of packets: flow files and exports. Their one-way records are joined
 * on request; then they are named and handed to the output.
 */
import { formatCount, OperatorError, type Counts } from '#base';
import type { ByteSource, ExportFileKind } from '#capture';
import {
  FlowPairer, type Dictionaries, type ExportCounts, type FlowPairerCounts, type FlowSetInfo, type Namer,
} from '#flow';
import { flowFileKindTexts, readFlows, type FlowFileKind } from '#flow/files';
import { ExportsInput, type ExportsReading } from './exports-input.ts';
import type { FlowOutput } from './flow-output.ts';
import { nameProblems } from './flow-summary.ts';
import type { FlowsOptions } from './flows-command.ts';
import { openNamer } from './open-namer.ts';
import { describeProgress, type Progress } from './progress.ts';
import type { RunLedger } from './run-ledger.ts';

/** What these inputs share with the rest of the run. */
export type RunParts = {
  readonly options: FlowsOptions;
  readonly dictionaries: Dictionaries;
  readonly output: FlowOutput;
  readonly progress: Progress;
  readonly ledger: RunLedger;
};

export type RecordCounts = {
  readonly importedFlows: number;
  /** Undefined when no export was read. */
  readonly exports: ExportCounts | undefined;
  /** Packets of captures that carried the exports. */
  readonly exportPackets: number;
  readonly rejectedPackets: Counts | undefined;
  /** Undefined when nothing was to be paired. */
  readonly pairing: FlowPairerCounts | undefined;
  /** Flows that came of all records. */
  readonly flows: number;
};

export class RecordInputs {
  /** What each flow file says of its flow set; undefined when it says nothing. */
  readonly infos: (FlowSetInfo | undefined)[] = [];
  readonly #parts: RunParts;
  readonly #pairers: FlowPairer[] = [];
  #namer: Namer | undefined;
  #filePairer: FlowPairer | undefined;
  #exports: ExportsInput | undefined;
  #importedFlows = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** Names the records; undefined before the first input. */
  get namer(): Namer | undefined {
    return this.#namer;
  }

  /** Takes over the records of a flow file. */
  async readFile(source: ByteSource, kind: FlowFileKind): Promise<void> {
    const { dictionaries, output, progress, ledger } = this.#parts;
    const namer = await this.#openNamer(source, 'flow records');
    const reading = readFlows(source, kind, { dictionaries });
    for await (const batch of reading.batches()) {
      // Known with the first batch. Both directions are in each of its records: one without an answer had none.
      const isBiflow = reading.info?.isBiflow === true;
      const pairer = isBiflow ? undefined : this.#filePairer ??= this.#openPairer('flows', namer);
      if (pairer === undefined) namer.name(batch);
      else pairer.add(batch);
      await output.drain();
      if (output.isAbandoned) break;
      progress.tick(() => describeProgress(source, `${formatCount(reading.rows)} records`, progress.seconds));
    }
    ledger.origins.add(reading.info?.origin ?? flowFileKindTexts[kind]);
    this.infos.push(reading.info);
    this.#importedFlows += reading.rows;
    ledger.rejected.merge(reading.rejected);
    ledger.inputs.push({ name: source.path, kind, packets: 0, records: reading.records });
    ledger.problems.push(...nameProblems(source.path, reading.problems));
    ledger.notes.push(...reading.notes.map((note) => `${source.path}: ${note}`));
    if (source.problem !== undefined) ledger.noteCut(source.path, [source.problem]);
  }

  /** Decodes exports. @param kind  of a file of bare messages; undefined: a capture that carries them */
  async readExports(source: ByteSource, kind: ExportFileKind | undefined): Promise<void> {
    const { output, progress, ledger } = this.#parts;
    const namer = await this.#openNamer(source, 'exported records');
    ledger.origins.add('exports');
    this.infos.push(undefined);
    const exports = this.#exports ??= this.#openExports(namer);
    const rest = async (): Promise<void> => {
      await output.drain();
      progress.tick(() =>
        describeProgress(source, `${formatCount(exports.counts().datagrams)} datagrams`, progress.seconds));
    };
    const reading: ExportsReading = kind === undefined
      ? await exports.readCapture(source, rest) : await exports.readFile(source, kind, rest);
    if (reading.rejected !== undefined) ledger.rejected.merge(reading.rejected);
    ledger.inputs.push({ name: source.path, kind: kind ?? 'exports', packets: reading.packets, records: 0 });
    ledger.noteCut(source.path, reading.problems);
  }

  /** @throws OperatorError  nDPI was asked for, and there are no packets to look at */
  async #openNamer(source: ByteSource, what: string): Promise<Namer> {
    const { options, output } = this.#parts;
    if (options.l7 === 'ndpi') {
      throw new OperatorError('bad-option',
        `--l7 ndpi looks at packets, and ${source.path} holds ${what}: choose exporter, prefix or none.`);
    }
    return this.#namer ??= await openNamer(options.l7 ?? 'exporter', (flows) => output.accept(flows));
  }

  /**
   * What takes records of others: the namer, after a pairer if one-way ones are to be joined.
   *
   * @param clock  what the pairer goes by: the times of arrival that it is told, or those of the flows
   */
  #openPairer(clock: 'flows' | 'told', namer: Namer): FlowPairer | undefined {
    const { options, dictionaries } = this.#parts;
    if (options.pair !== true) return undefined;
    const pairer = new FlowPairer({ home: options.home, clock }, (joined) => namer.name(joined), { dictionaries });
    this.#pairers.push(pairer);
    return pairer;
  }

  #openExports(namer: Namer): ExportsInput {
    const { options, dictionaries } = this.#parts;
    const pairer = this.#openPairer('told', namer);
    return new ExportsInput(options, dictionaries,
      (flows) => (pairer === undefined ? namer.name(flows) : pairer.add(flows)), (timeMs) => pairer?.advance(timeMs));
  }

  /** Hands on what still waits for a template or for its other direction. The namer is ended by the caller. */
  end(): void {
    this.#exports?.end();
    for (const pairer of this.#pairers) pairer.end();
  }

  counts(): RecordCounts {
    const exports = this.#exports?.counts();
    const pairing = addPairings(this.#pairers.map((pairer) => pairer.counts()));
    return {
      importedFlows: this.#importedFlows,
      exports,
      exportPackets: this.#exports?.capturedDatagrams ?? 0,
      rejectedPackets: this.#exports?.rejectedPackets,
      pairing,
      flows: this.#importedFlows + (exports?.flows ?? 0) - joinedAway(pairing),
    };
  }
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
