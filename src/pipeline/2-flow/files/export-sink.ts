/**
 * Flow records as export messages in a file: what the IPFIX file and the capture of NetFlow v9 have in common.
 * Export times are those of the records, not of this run: the same flows give the same bytes.
 */
import type { FlowBatch, FlowSetInfo } from '../flow-batch.ts';
import { describeLosses, FlowEncoder, type FlowEncoderOptions } from '../encode/flow-encoder.ts';
import type { FlowSink } from './flow-sink.ts';
import type { OutputTarget } from './output-target.ts';

/** How messages lie in a file. */
export type MessageFraming = {
  /** Bytes at the beginning of the file. */
  readonly fileHeader: Uint8Array;
  /** Bytes before each message. */
  readonly headerBytes: number;
  /**
   * Writes what stands before a message.
   *
   * @param bytes    the header's bytes, then the message; the header is overwritten
   * @param message  index of the message in the file, from 0
   */
  putHeader(bytes: Uint8Array, message: number, exportMs: number): void;
};

/** Rows that are encoded before their messages are written. */
const rowsAtOnce = 1_024;

/** A sink that writes rows as export messages. Takes over the target. */
export class ExportSink implements FlowSink {
  readonly #target: OutputTarget;
  readonly #framing: MessageFraming;
  readonly #encoder: FlowEncoder;
  #hasBegun = false;
  #messages = 0;
  /** End of the latest record so far: a record is exported after its flow has ended. */
  #exportMs = 0;
  /** Framed messages that are not yet written. */
  #bytes = new Uint8Array(1 << 18);
  #at = 0;

  constructor(target: OutputTarget, framing: MessageFraming, options: Partial<FlowEncoderOptions>) {
    this.#target = target;
    this.#framing = framing;
    this.#encoder = new FlowEncoder(options, (message, _records, exportMs) => this.#append(message, exportMs));
  }

  get bytesWritten(): number {
    return this.#target.bytesWritten;
  }

  get readerGone(): boolean {
    return this.#target.readerGone;
  }

  get notes(): readonly string[] {
    return describeLosses(this.#encoder.counts());
  }

  async write(batch: FlowBatch): Promise<void> {
    const { flowEndMilliseconds } = batch.columns;
    for (let first = 0; first < batch.rowCount; first += rowsAtOnce) {
      const end = Math.min(first + rowsAtOnce, batch.rowCount);
      for (let row = first; row < end; row++) {
        const endMs = flowEndMilliseconds[row] as number;
        if (endMs > this.#exportMs) this.#exportMs = endMs;
      }
      this.#encoder.encode(batch, this.#exportMs, first, end);
      await this.#writeOut();
    }
  }

  /** The formats have no place for the information about the flow set: it is not written. */
  async end(_info: FlowSetInfo): Promise<void> {
    if (this.#encoder.counts().templateSends === 0) this.#encoder.announce(this.#exportMs);
    this.#encoder.flush(this.#exportMs);
    await this.#writeOut();
    await this.#target.finish();
  }

  async abandon(): Promise<void> {
    await this.#target.abandon();
  }

  async #writeOut(): Promise<void> {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      if (this.#framing.fileHeader.length > 0) await this.#target.write(this.#framing.fileHeader);
    }
    if (this.#at === 0) return;
    await this.#target.write(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  #append(message: Uint8Array, exportMs: number): void {
    const { headerBytes } = this.#framing;
    const end = this.#at + headerBytes + message.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#at));
      this.#bytes = larger;
    }
    this.#bytes.set(message, this.#at + headerBytes);
    this.#framing.putHeader(this.#bytes.subarray(this.#at, end), this.#messages++, exportMs);
    this.#at = end;
  }
}
