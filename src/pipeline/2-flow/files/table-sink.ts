/** Small tables of plain values (the DNS output): CSV or JSON lines by the suffix. Not for the hot path. */
import { OperatorError, limits } from '#base';
import { DoubleBuffer } from './double-buffer.ts';
import { chooseFormat, openTarget } from './flow-sink.ts';
import { standardOutput, type OutputTarget, type WritableStream } from './output-target.ts';
import { csvField, type TextFormat } from './row-text.ts';

export type TableValue = string | number | boolean | undefined;

/** Takes rows of values and writes them in the order in which they come. */
export type TableSink = {
  /**
   * Writes a row.
   *
   * @param values  one for each column; undefined is the empty field, or no field in JSON
   * @returns       a promise only when the caller must wait
   */
  write(values: readonly TableValue[]): void | Promise<void>;
  /** Writes what is left and gives the output its name. */
  end(): Promise<void>;
  /** Instead of `end`: stops and leaves no file behind. */
  abandon(): Promise<void>;
  readonly rowsWritten: number;
  readonly bytesWritten: number;
};

/**
 * Opens an output for a table.
 *
 * @param target   path ending in `.csv` or `.jsonl`, or `-` for CSV on standard output
 * @param columns  their names
 * @throws OperatorError  `output-unknown-kind`, `output-unwritable`
 */
export async function openTableSink(target: string, columns: readonly string[],
  stream?: WritableStream): Promise<TableSink> {
  const format = target !== standardOutput && /\.parquet$/i.test(target) ? undefined : chooseFormat(target);
  if (format !== 'csv' && format !== 'jsonl') {
    throw new OperatorError('output-unknown-kind',
      `The output ${target} can be .csv or .jsonl, or - for standard output.`);
  }
  return new TextTableSink(await openTarget(target, stream), columns, format);
}

class TextTableSink implements TableSink {
  rowsWritten = 0;
  readonly #target: OutputTarget;
  readonly #columns: readonly string[];
  readonly #format: TextFormat;
  readonly #buffer: DoubleBuffer;
  readonly #encoder = new TextEncoder();
  /** Lines that came while both buffers were full, from a caller that could not wait; they keep their order. */
  readonly #waiting: string[] = [];
  #waking: Promise<void> | undefined;
  #failure: unknown;

  constructor(target: OutputTarget, columns: readonly string[], format: TextFormat) {
    this.#target = target;
    this.#columns = columns;
    this.#format = format;
    this.#buffer = new DoubleBuffer(target, limits.tableBufferBytes);
    if (format === 'csv') void this.#put(`${columns.map(csvField).join(',')}\n`);
  }

  get bytesWritten(): number {
    return this.#target.bytesWritten;
  }

  write(values: readonly TableValue[]): void | Promise<void> {
    this.rowsWritten++;
    const line = this.#format === 'csv'
      ? values.map((value) => csvField(value === undefined ? '' : String(value))).join(',')
      : JSON.stringify(Object.fromEntries(this.#columns.map((name, i) => [name, values[i]])));
    return this.#put(`${line}\n`);
  }

  #put(line: string): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const busy = this.#waking ?? this.#place(line);
    if (busy === undefined) return undefined;
    this.#waiting.push(line);
    this.#waking ??= busy.then(() => this.#placeWaiting()).catch((thrown: unknown) => {
      this.#failure = thrown;
      this.#waking = undefined;
    });
    return this.#waking;
  }

  /**
   * Puts a line into the buffer. @returns a promise when there is no room before it has resolved; the line is not
   * placed
   */
  #place(line: string): Promise<void> | undefined {
    const buffer = this.#buffer;
    const bytesMax = line.length * 3;
    if (buffer.bytes.length - buffer.at < bytesMax && buffer.at > 0) {
      const busy = buffer.swap();
      if (busy !== undefined) return busy;
    }
    buffer.reserve(bytesMax);
    buffer.at += this.#encoder.encodeInto(line, buffer.bytes.subarray(buffer.at)).written;
    return undefined;
  }

  async #placeWaiting(): Promise<void> {
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      const busy = this.#place(line);
      if (busy === undefined) this.#waiting.shift();
      else await busy;
    }
    this.#waking = undefined;
  }

  async end(): Promise<void> {
    await this.#waking;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#buffer.drain();
    await this.#target.finish();
  }

  async abandon(): Promise<void> {
    await this.#buffer.drain().catch(() => undefined);
    await this.#target.abandon();
  }
}
