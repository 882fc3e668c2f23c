/**
 * The export decoder: NetFlow v5, NetFlow v9 (RFC 3954) and IPFIX (RFC 7011) messages in, FlowBatch rows out. It has no
 * socket and no file: bytes and times are given to it. It never throws on bad bytes; it counts them.
 */
import { assertInvariant } from '#base';
import type { Dictionaries } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import {
  type ExportCounts, type ExportDatagram, exportDecoderDefaults, type ExportDecoderOptions,
} from './export-types.ts';
import { ExportWalker } from './export-walker.ts';
import { RecordReader } from './record-reader.ts';
import { StateBytes } from './state-bytes.ts';

export class ExportDecoder {
  readonly #options: ExportDecoderOptions;
  readonly #reader: RecordReader;
  #walker: ExportWalker;

  /**
   * @param options  what differs from the defaults
   * @param emit     is given rows in the order of their records; the batch is valid during the call only,
   *                 and nothing but its names may be written
   * @param more     `dictionaries` to share with other batches
   */
  constructor(options: Partial<ExportDecoderOptions>, emit: EmitFlows, more: { dictionaries?: Dictionaries } = {}) {
    const all = this.#options = { ...exportDecoderDefaults, ...options };
    this.#reader = new RecordReader(all, emit, more.dictionaries);
    this.#walker = new ExportWalker(all, this.#reader);
  }

  /** Decodes one datagram. Rows are emitted when a batch is full, at `flush` and at `end`. */
  decode(datagram: ExportDatagram): void {
    this.#walker.walk(datagram);
  }

  /**
   * Takes notice of a datagram that is not to be decoded, because its exporter sends more than it may: its units are
   * `sent` and `limited` in the account of its domain. Nothing is kept of a domain that is not known yet.
   */
  skip(datagram: ExportDatagram): void {
    this.#walker.skip(datagram);
  }

  /** Emits the rows that are decoded but not yet emitted. */
  flush(): void {
    this.#reader.flush();
  }

  /** Emits all rows; data sets that still wait for a template are counted as rejected, 'no-template'. */
  end(): void {
    this.#walker.end();
    this.#reader.flush();
  }

  /**
   * What is remembered, as bytes: templates, options, sequence numbers, accounts, counts, sets that wait. Emits all
   * rows first, so that none is in between. Not in it: copies of recent datagrams, and the drops of sockets.
   */
  snapshot(): Uint8Array {
    this.#reader.flush();
    const bytes = new StateBytes();
    this.#carry(bytes, this.#walker);
    return bytes.finish();
  }

  /**
   * Goes on where a snapshot was made. Only for a decoder that has taken no datagram yet.
   *
   * @param bytes  read only; of any content
   * @returns one sentence when they cannot be used; then nothing has changed
   */
  restore(bytes: Uint8Array): string | undefined {
    const { datagrams, skippedDatagrams } = this.counts();
    assertInvariant(datagrams + skippedDatagrams === 0, 'a decoder is restored before it takes datagrams');
    const state = new StateBytes(bytes);
    const walker = new ExportWalker(this.#options, this.#reader);
    const { placedAtExport, unexplainedApplications } = this.#reader;
    this.#carry(state, walker);
    state.end();
    if (state.fault === undefined) this.#walker = walker;
    else this.#reader.resumeCounts(placedAtExport, unexplainedApplications);
    return state.fault;
  }

  #carry(bytes: StateBytes, walker: ExportWalker): void {
    walker.carry(bytes);
    const placedAtExport = bytes.count(this.#reader.placedAtExport);
    this.#reader.resumeCounts(placedAtExport, bytes.count(this.#reader.unexplainedApplications));
  }

  /** Counts so far; `bytesByFate` sums to `bytes` at any time. Plain data, fit for JSON. */
  counts(): ExportCounts {
    return this.#walker.counts({
      flowsPlacedAtExport: this.#reader.placedAtExport,
      unexplainedApplications: this.#reader.unexplainedApplications,
    });
  }
}
