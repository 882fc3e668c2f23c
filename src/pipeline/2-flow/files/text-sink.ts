/** The sinks for CSV and JSON lines: rows go as text into large buffers, and those to the output. */
import type { FlowBatch, FlowSetInfo } from '../flow-batch.ts';
import { DoubleBuffer } from './double-buffer.ts';
import type { FlowSink } from './flow-sink.ts';
import type { OutputTarget } from './output-target.ts';
import { createRowText, csvHeader, prepareRows, putRows, type RowText, type TextFormat } from './row-text.ts';

/** Bytes of one write. Measured: with 64 KiB a fifth fewer rows a second, with 1 MiB no more. */
const writeBytes = 1 << 19;

/** A sink that writes rows as text. Takes over the target. */
export class TextSink implements FlowSink {
  readonly #target: OutputTarget;
  readonly #buffer: DoubleBuffer;
  readonly #rows: RowText;

  constructor(target: OutputTarget, format: TextFormat, bufferBytes: number = writeBytes) {
    this.#target = target;
    this.#buffer = new DoubleBuffer(target, Math.max(bufferBytes, csvHeader.length));
    this.#rows = createRowText(format);
    if (format === 'csv') this.#buffer.at = new TextEncoder().encodeInto(csvHeader, this.#buffer.bytes).written;
  }

  get bytesWritten(): number {
    return this.#target.bytesWritten;
  }

  get readerGone(): boolean {
    return this.#target.readerGone;
  }

  write(batch: FlowBatch): void | Promise<void> {
    const rowBytesMax = prepareRows(this.#rows, batch);
    this.#buffer.reserve(rowBytesMax);
    return this.#writeFrom(batch, 0, rowBytesMax);
  }

  #writeFrom(batch: FlowBatch, first: number, rowBytesMax: number): void | Promise<void> {
    const buffer = this.#buffer;
    let row = first;
    for (;;) {
      this.#rows.at = buffer.at;
      row = putRows(this.#rows, batch, row, buffer.bytes, buffer.bytes.length - rowBytesMax);
      buffer.at = this.#rows.at;
      if (row === batch.rowCount) return undefined;
      const busy = buffer.swap();
      if (busy !== undefined) return busy.then(() => this.#writeFrom(batch, row, rowBytesMax));
    }
  }

  /** The text formats have no place for the information about the flow set: it is not written. */
  async end(_info: FlowSetInfo): Promise<void> {
    await this.#buffer.drain();
    await this.#target.finish();
  }

  async abandon(): Promise<void> {
    await this.#buffer.drain().catch(() => undefined);
    await this.#target.abandon();
  }
}
