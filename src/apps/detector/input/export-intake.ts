/**
 * From datagrams to named flows: decoder, pairer (on request) and namer in a row, with the memory of a small machine.
 * What came in is handed on within `flushMs`, so that a verdict follows a flow's arrival at once; a one-way record may
 * wait for its other direction first. Every record is handed on, part of another, or counted as rejected.
 */
import { assertInvariant, limits, OperatorError, type Prefix } from '#base';
import {
  createDictionaries, createExporterNamer, createNoneNamer, createPrefixNamer, ExportDecoder, FlowPairer,
  flowPairerDefaults, type Dictionaries, type EmitFlows, type ExportCounts, type FlowBatch, type FlowPairerCounts,
  type L7Source, type Namer,
} from '#flow';
import type { ExportDatagram } from '#capture';

export type IntakeOptions = {
  /** Joins one-way records to biflows. */
  readonly pair: boolean;
  readonly renormalise: boolean;
  /** Not `ndpi`: exporters send no packets. */
  readonly l7: L7Source;
  /** Prefixes of the home, for the pairer; empty: private addresses. */
  readonly home: readonly Prefix[];
  /** Longest time that a decoded record waits before it is handed on (or to the pairer). */
  readonly flushMs: number;
  /** How long a record waits for its other direction. */
  readonly pairWaitMs: number;
  readonly batchRows: number;
  readonly unpairedRecordsMax: number;
  readonly textsMax: number;
};

export const intakeDefaults: IntakeOptions = {
  pair: true,
  renormalise: false,
  l7: 'prefix',
  home: [],
  flushMs: 100,
  pairWaitMs: flowPairerDefaults.pairWaitMs,
  // A sixteenth of what files are read with: the rows of a burst are scored in pieces, timers run in between, and a
  // hundred classifiers have columns of as many rows.
  batchRows: 256,
  unpairedRecordsMax: limits.detectorUnpairedMax,
  textsMax: limits.detectorTextsMax,
};

export type IntakeParts = {
  /** Time of arrival: the same clock that datagrams are stamped with. */
  readonly nowMs: () => number;
  /**
   * Takes named flows, in the order in which they are decided.
   *
   * @param flows       valid during the call only
   * @param receivedMs  when they came, or when the wait of a record for its other direction ended
   */
  readonly accept: (flows: FlowBatch, receivedMs: number) => void;
  /** Something was thrown while a timer handed flows on; without it the process ends. */
  readonly onError?: (thrown: unknown) => void;
};

/** Plain data for status and metrics. */
export type IntakeCounts = {
  readonly exports: ExportCounts;
  /** Null when nothing is paired. */
  readonly pairing: FlowPairerCounts | null;
  readonly l7: Readonly<Record<string, number>>;
  /** Flows handed on. */
  readonly flows: number;
  /** Texts that found a dictionary full and became `(other)`. */
  readonly dictionaryOverflows: number;
};

/** Records that wait for their other direction are looked at as often. */
const pairTickMs = 1_000;

export class ExportIntake {
  readonly dictionaries: Dictionaries;
  readonly #options: IntakeOptions;
  readonly #parts: IntakeParts;
  readonly #decoder: ExportDecoder;
  readonly #pairer: FlowPairer | undefined;
  readonly #namer: Namer;
  #decodedRows = 0;
  #namedRows = 0;
  /** Datagrams since the last flush. */
  #isDirty = false;
  #lastMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  /** @throws OperatorError  names by nDPI were asked for */
  constructor(options: Partial<IntakeOptions>, parts: IntakeParts) {
    const all = { ...intakeDefaults, ...options };
    this.#options = all;
    this.#parts = parts;
    // An exporter with ever new names cannot fill this machine with them.
    this.dictionaries = createDictionaries(all.textsMax);
    const { dictionaries } = this;
    const namer = createNamer(all.l7, (flows) => this.#handOn(flows));
    const pairer = !all.pair ? undefined : new FlowPairer({
      home: all.home, clock: 'told', pairWaitMs: all.pairWaitMs, unpairedRecordsMax: all.unpairedRecordsMax,
    }, (flows) => namer.name(flows), { dictionaries });
    this.#namer = namer;
    this.#pairer = pairer;
    this.#decoder = new ExportDecoder({ renormalise: all.renormalise, batchRows: all.batchRows }, (flows) => {
      this.#decodedRows += flows.rowCount;
      if (pairer === undefined) namer.name(flows);
      else pairer.add(flows);
    }, { dictionaries });
  }

  /** Takes a datagram; its bytes are not kept. */
  accept(datagram: ExportDatagram): void {
    assertInvariant(!this.#isEnded, 'a datagram after the end');
    this.#lastMs = datagram.receivedMs;
    // Records wait from when they came: not from when something came before them, which may be long ago.
    if (!this.#isDirty) this.#tell(datagram.receivedMs);
    this.#decoder.decode(datagram);
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#arm(this.#options.flushMs);
  }

  /** Hands on what was decoded, and what has waited long enough for its other direction. Timers do so by themselves. */
  flush(nowMs: number = this.#parts.nowMs()): void {
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    this.#decoder.flush();
    this.#isDirty = false;
    this.#tell(nowMs);
    this.#assertConserved();
  }

  /** Hands on everything; what waits for a template is rejected. Nothing may follow. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#lastMs = Math.max(this.#lastMs, this.#parts.nowMs());
    this.#decoder.end();
    this.#isDirty = false;
    this.#pairer?.end();
    this.#assertConserved();
  }

  counts(): IntakeCounts {
    const exports = this.#decoder.counts();
    const { decoded, waiting, rejected } = exports.bytesByFate;
    assertInvariant(decoded + waiting + rejected === exports.bytes, 'every byte has its fate');
    assertInvariant(this.#isDirty ? this.#decodedRows <= exports.flows : this.#decodedRows === exports.flows,
      'every decoded flow was handed on');
    return {
      exports, pairing: this.#pairer?.counts() ?? null, l7: this.#namer.counts(), flows: this.#namedRows,
      dictionaryOverflows: Object.values(this.dictionaries).reduce((sum, { overflowCount }) => sum + overflowCount, 0),
    };
  }

  #tell(nowMs: number): void {
    this.#pairer?.advance(nowMs);
  }

  #handOn(flows: FlowBatch): void {
    this.#namedRows += flows.rowCount;
    this.#parts.accept(flows, this.#lastMs);
  }

  /** One timer at a time, and none when nothing waits: an idle machine sleeps. */
  #arm(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.flush();
      } catch (thrown) {
        if (this.#parts.onError === undefined) throw thrown;
        this.#parts.onError(thrown);
      }
      if (!this.#isEnded && (this.#pairer?.counts().waiting ?? 0) > 0) this.#arm(pairTickMs);
    }, afterMs);
  }

  #assertConserved(): void {
    const pairing = this.#pairer?.counts();
    const handed = pairing === undefined ? this.#decodedRows : pairing.paired + pairing.single + pairing.alreadyBiflow;
    assertInvariant(this.#namedRows === handed, 'every decided flow was handed on');
    if (pairing === undefined) return;
    assertInvariant(pairing.records === this.#decodedRows && pairing.records === 2 * pairing.paired + pairing.joined +
      pairing.single + pairing.alreadyBiflow + pairing.waiting, 'every record is a flow, part of one, or waits');
  }
}

function createNamer(source: L7Source, emit: EmitFlows): Namer {
  if (source === 'prefix') return createPrefixNamer(emit);
  if (source === 'exporter') return createExporterNamer(emit);
  if (source === 'none') return createNoneNamer(emit);
  throw new OperatorError('bad-option',
    'nDPI looks at packets, and exporters send none: names come from prefix, exporter or none.');
}
