/**
 * The collector without sockets, timers and clocks: who may send, how much, what the messages say, and what becomes of
 * every row. It is given datagrams and the time, and a sink for rows; tests run it by a virtual clock.
 */
import { limits, type Prefix } from '#base';
import type { ExportDatagram } from '#capture';
import {
  createDictionaries, createExporterNamer, createNoneNamer, createPrefixNamer, ExportDecoder, FlowPairer,
  type EmitFlows, type ExportCounts, type FlowBatch, type FlowPairerCounts, type L7Source, type Namer,
} from '#flow';
import { FlowLedger } from './flow-ledger.ts';
import { domainKey, Rates } from './rates.ts';
import type { Senders } from './senders.ts';
import type { SavedState } from './state-file.ts';

/** Takes rows; `RotatingSink`, or a stand-in. */
export type RowSink = {
  /** @returns  rows of the batch, from the end, that are not stored; the ledger was told of them */
  readonly write: (batch: FlowBatch, nowMs: number) => number;
  /** Ends a file whose time is over. */
  readonly tick: (nowMs: number) => void;
};

export type CoreOptions = {
  readonly renormalise: boolean;
  readonly pair: boolean;
  readonly pairWaitMs: number;
  readonly l7: L7Source;
  /** Prefixes of homes, for the pairer; empty: private addresses. */
  readonly home: readonly Prefix[];
  /** These are given by tests only. */
  readonly batchRows?: number;
  readonly exportDomainsMax?: number;
  readonly waitingBytesMax?: number;
  readonly unpairedRecordsMax?: number;
};

export type CoreParts = {
  readonly senders: Senders;
  /** Is handed every message that was taken, before it is decoded; its bytes are valid during the call only. */
  readonly onTaken?: (datagram: ExportDatagram) => void;
  /** Where rows go; undefined: nowhere. */
  readonly sink?: RowSink | undefined;
};

const sweepMs = 60_000;

export class CollectorCore {
  readonly ledger: FlowLedger;
  pairingLostByKill = 0;
  /** A file was finished while rows were handed to it: the state is to be saved. */
  isStateDue = false;
  lastTakenMs: number | undefined;
  readonly #parts: CoreParts;
  readonly #decoder: ExportDecoder;
  readonly #pairer: FlowPairer | undefined;
  readonly #namer: Namer | undefined;
  readonly #rates = new Rates();
  #tickMs = 0;
  /** Something was decoded since the last tick. */
  #isDirty = false;
  #nextSweepMs = -Infinity;
  #rows = 0;

  constructor(options: CoreOptions, parts: CoreParts) {
    this.#parts = parts;
    this.ledger = new FlowLedger(options.exportDomainsMax);
    const { exportDomainsMax = limits.exportDomainsMax, batchRows = limits.flowBatchRows,
      waitingBytesMax = limits.waitingSetsBytesMax } = options;
    // Bounded: an exporter with ever new names cannot fill this machine with them.
    const dictionaries = createDictionaries(limits.collectorTextsMax);
    const namer = createNamer(options.l7, (flows) => this.#store(flows));
    const pairer = !options.pair ? undefined : new FlowPairer({
      home: options.home, clock: 'told', pairWaitMs: options.pairWaitMs,
      unpairedRecordsMax: options.unpairedRecordsMax ?? limits.unpairedRecordsMax,
    }, (flows) => name(flows), { dictionaries });
    const name = (flows: FlowBatch): void => {
      if (namer === undefined) this.#store(flows);
      else namer.name(flows);
    };
    this.#namer = namer;
    this.#pairer = pairer;
    this.#decoder = new ExportDecoder({
      renormalise: options.renormalise, batchRows, exportDomainsMax, waitingBytesMax,
      duplicateMemoryBytes: limits.collectorDuplicateBytes,
    }, (flows) => {
      if (pairer === undefined) name(flows);
      else pairer.add(flows);
    }, { dictionaries });
  }

  /**
   * Takes up where a run before stopped. Only before the first datagram.
   *
   * @param isWhole  the file that was open when the state was saved has been finished since
   * @returns        why it cannot be: a sentence's end
   */
  restore(state: SavedState, isWhole: boolean): string | undefined {
    const fault = this.#decoder.restore(state.decoder);
    if (fault !== undefined) return fault;
    // What was under way when it was killed is in a file that is whole, or in none.
    this.ledger.restore(state.accounts, isWhole);
    if (!state.isEnded) this.pairingLostByKill = state.pairingRecords;
    return undefined;
  }

  /**
   * Takes a message.
   *
   * @param datagram      its bytes are not kept
   * @param isConnection  it came by TCP or TLS: never limited
   */
  accept(datagram: ExportDatagram, isConnection: boolean): void {
    const { receivedMs } = datagram;
    if (this.#tickMs === 0) this.#tickMs = receivedMs;
    const admission = this.#parts.senders.admit(datagram.exporter, receivedMs, !isConnection);
    if (admission === 'foreign') return;
    if (admission === 'limited') return this.#decoder.skip(datagram);
    this.lastTakenMs = receivedMs;
    this.#parts.onTaken?.(datagram);
    // Records wait from when they came: not from when something came before them, which may be long ago.
    if (!this.#isDirty) this.#pairer?.advance(receivedMs);
    this.#isDirty = true;
    this.#decoder.decode(datagram);
  }

  /** Does what is due by time. Call it every second or so. */
  tick(nowMs: number): void {
    // First, so that a file that ends now has all that came in its time, and that saving the state then emits nothing.
    this.#decoder.flush();
    this.#isDirty = false;
    this.#pairer?.advance(nowMs);
    this.#tickMs = nowMs;
    this.#parts.sink?.tick(nowMs);
    if (nowMs >= this.#nextSweepMs) {
      this.#nextSweepMs = nowMs + sweepMs;
      this.#parts.senders.sweep(nowMs);
    }
    if (!this.#rates.isDue(nowMs)) return;
    this.#rates.sample(nowMs, new Map(this.#decoder.counts().exporters.map((each) =>
      [domainKey(each), each.account.sent])));
  }

  /**
   * What is to be kept over a restart.
   *
   * @param openFile  name of the file that is being written
   * @param isEnded   `end` was called
   */
  save(nowMs: number, openFile: string | undefined, isEnded: boolean): SavedState {
    // First, for it hands on what is decoded and not yet in the ledger.
    const decoder = this.#decoder.snapshot();
    return {
      savedMs: nowMs, isEnded, openFile, accounts: this.ledger.accounts(),
      pairingRecords: this.#pairer?.counts().waiting ?? 0, decoder,
    };
  }

  /** False while rows are handed to the sink. */
  get maySave(): boolean {
    return !this.ledger.isHanding;
  }

  /** Hands on everything but what waits for a template, which a later run may get. */
  end(nowMs: number): void {
    this.#tickMs = nowMs;
    this.#decoder.flush();
    this.#pairer?.end();
  }

  counts(): { readonly exports: ExportCounts; readonly pairing: FlowPairerCounts | null;
    readonly l7: Readonly<Record<string, number>>; readonly rows: number; } {
    return {
      exports: this.#decoder.counts(), pairing: this.#pairer?.counts() ?? null, l7: this.#namer?.counts() ?? {},
      rows: this.#rows,
    };
  }

  rateOf(domain: Parameters<typeof domainKey>[0]): number | null {
    return this.#rates.rateOf(domainKey(domain));
  }

  #store(batch: FlowBatch): void {
    this.#rows += batch.rowCount;
    const { sink } = this.#parts;
    if (sink === undefined || batch.rowCount === 0) return;
    this.ledger.begin(batch);
    // By the time of the last tick: files end there and not here, where the state cannot be saved before.
    const lost = sink.write(batch, this.#tickMs);
    this.ledger.complete(batch.rowCount - lost);
  }
}

function createNamer(source: L7Source, emit: EmitFlows): Namer | undefined {
  if (source === 'prefix') return createPrefixNamer(emit);
  if (source === 'exporter') return createExporterNamer(emit);
  return source === 'none' ? createNoneNamer(emit) : undefined;
}
