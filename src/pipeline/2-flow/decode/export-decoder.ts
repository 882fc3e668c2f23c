/**
 * The export decoder: NetFlow v5, NetFlow v9 (RFC 3954) and IPFIX (RFC 7011) messages in, FlowBatch rows out. It has no
 * socket and no file: bytes and times are given to it. It never throws on bad bytes; it counts them.
 */
import type { Dictionaries } from '../flow-batch.ts';
import type { EmitFlows } from '../l7/namer.ts';
import {
  type ExportCounts, type ExportDatagram, exportDecoderDefaults, type ExportDecoderOptions,
} from './export-types.ts';
import { ExportWalker } from './export-walker.ts';
import { RecordReader } from './record-reader.ts';

export class ExportDecoder {
  readonly #reader: RecordReader;
  readonly #walker: ExportWalker;

  /**
   * @param options  what differs from the defaults
   * @param emit     is given rows in the order of their records; the batch is valid during the call only,
   *                 and nothing but its names may be written
   * @param more     `dictionaries` to share with other batches
   */
  constructor(options: Partial<ExportDecoderOptions>, emit: EmitFlows, more: { dictionaries?: Dictionaries } = {}) {
    const all = { ...exportDecoderDefaults, ...options };
    this.#reader = new RecordReader(all, emit, more.dictionaries);
    this.#walker = new ExportWalker(all, this.#reader);
  }

  /** Decodes one datagram. Rows are emitted when a batch is full, at `flush` and at `end`. */
  decode(datagram: ExportDatagram): void {
    this.#walker.walk(datagram);
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

  /** Counts so far; `bytesByFate` sums to `bytes` at any time. Plain data, fit for JSON. */
  counts(): ExportCounts {
    return this.#walker.counts({
      flowsPlacedAtExport: this.#reader.placedAtExport,
      unexplainedApplications: this.#reader.unexplainedApplications,
    });
  }
}
