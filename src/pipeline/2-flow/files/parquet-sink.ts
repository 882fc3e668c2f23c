/**
 * Flow records to Parquet, one row group after the other, so that memory is bounded by one group. The pages are our own
 * (`parquet-column.ts`): a general writer takes every value as one of JavaScript's, which cost thirty times as much.
 * Types (docs of the columns: `schema`): counters INT64; times DOUBLE, since they are milliseconds with microseconds as
 * a fraction and keep the IANA meaning bit for bit; small integers INT32 with an unsigned annotation; addresses, MACs
 * and dictionary columns UTF8, the empty text where absent. No column is nullable. DuckDB 1.5 reads all of it, and what
 * DuckDB copies to Parquet or CSV reads back here bit for bit.
 */
import { InvariantError, limits } from '#base';
import type { FlowBatch, FlowSetInfo } from '../flow-batch.ts';
import type { FlowSink } from './flow-sink.ts';
import { chooseFileNames, diskFailed, dropFile, keepFile, unwritable, type FileNames } from './output-target.ts';
import { ColumnEncoder } from './parquet-column.ts';
import { ParquetFile, type ParquetCompression } from './parquet-file.ts';
import { ParquetMemory } from './parquet-memory.ts';
import { RowGroup } from './row-group.ts';

export type ParquetSinkOptions = {
  /** Rows of one row group: so many are held in memory. */
  readonly groupRows?: number | undefined;
  readonly compression?: ParquetCompression | undefined;
};

/** Opens a Parquet file for flow records. @throws OperatorError  `output-unwritable` */
export async function openParquetSink(path: string, options: ParquetSinkOptions = {}): Promise<FlowSink> {
  const groupRows = options.groupRows ?? limits.parquetGroupRows;
  const memory = new ParquetMemory(groupRows);
  const names = await chooseFileNames(path);
  try {
    const encoder = new ColumnEncoder(memory);
    const file = new ParquetFile(names.temporary ?? names.target, encoder, options.compression ?? 'zstd');
    return new ParquetSink(path, names, file, new RowGroup(memory));
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

class ParquetSink implements FlowSink {
  readonly readerGone = false;
  readonly #path: string;
  readonly #names: FileNames;
  readonly #file: ParquetFile;
  /** Rows of the group being collected. */
  readonly #group: RowGroup;

  constructor(path: string, names: FileNames, file: ParquetFile, group: RowGroup) {
    this.#path = path;
    this.#names = names;
    this.#file = file;
    this.#group = group;
  }

  get bytesWritten(): number {
    return this.#file.bytes;
  }

  write(batch: FlowBatch): void {
    const group = this.#group;
    if (!group.takes(batch)) this.#flush();
    for (let row = 0; row < batch.rowCount;) {
      const end = Math.min(batch.rowCount, row + group.capacity - group.rowCount);
      group.append(batch, row, end);
      row = end;
      if (group.rowCount === group.capacity) this.#flush();
    }
  }

  #flush(): void {
    const group = this.#group;
    if (group.rowCount === 0) return;
    this.#guard(() => { this.#file.writeGroup(group); });
    group.clear();
  }

  #guard(write: () => void): void {
    try {
      write();
    } catch (thrown) {
      throw thrown instanceof InvariantError ? thrown : diskFailed(this.#path, thrown);
    }
  }

  async end(info: FlowSetInfo): Promise<void> {
    this.#flush();
    this.#guard(() => {
      this.#file.finish(info);
      this.#file.close();
    });
    await keepFile(this.#names).catch((thrown: unknown) => { throw diskFailed(this.#path, thrown); });
  }

  async abandon(): Promise<void> {
    this.#file.close();
    await dropFile(this.#names);
  }
}
