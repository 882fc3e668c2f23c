/**
 * Parquet through hyparquet-writer: one row group after the other, so that memory is bounded by one group.
 * Types (docs of the columns: `schema`): counters INT64; times DOUBLE, since they are milliseconds with microseconds as
 * a fraction and keep the IANA meaning bit for bit; small integers INT32 with an unsigned annotation; addresses, MACs
 * and dictionary columns UTF8, the empty text where absent. No column is nullable. DuckDB 1.5 reads all of it, and what
 * DuckDB copies to Parquet or CSV reads back here bit for bit.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { DecodedArray, SchemaElement } from 'hyparquet';
import { assertInvariant, formatAddress, formatMac, limits } from '#base';
import { schema, elementsPerRow, type ColumnDefinition } from '../schema.ts';
import { createFlowBatch, copyRows, type FlowBatch, type FlowSetInfo } from '../flow-batch.ts';
import type { FlowSink } from './flow-sink.ts';
import { chooseFileNames, diskFailed, dropFile, keepFile, unwritable, type FileNames } from './output-target.ts';

/** Key of the file's metadata under which the `FlowSetInfo` stands as JSON. */
export const parquetInfoKey = 'natlens';

/** Opens a Parquet file for flow records. @throws OperatorError  `output-unwritable` */
export async function openParquetSink(
  path: string, info: FlowSetInfo, groupRows: number = limits.parquetGroupRows,
): Promise<FlowSink> {
  const names = await chooseFileNames(path);
  try {
    return new ParquetSink(path, names, openSync(names.temporary ?? names.target, 'w'), info, groupRows);
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

class ParquetSink implements FlowSink {
  readonly readerGone = false;
  readonly #path: string;
  readonly #names: FileNames;
  readonly #file: number;
  readonly #writer: FileWriter;
  readonly #parquet: ParquetWriter;
  readonly #groupRows: number;
  /** Rows of the group being collected; made when the first batch brings its dictionaries. */
  #group: FlowBatch | undefined;

  constructor(path: string, names: FileNames, file: number, info: FlowSetInfo, groupRows: number) {
    this.#path = path;
    this.#names = names;
    this.#file = file;
    this.#groupRows = groupRows;
    this.#writer = new FileWriter(file);
    this.#parquet = new ParquetWriter({ writer: this.#writer, schema: parquetSchema(), createdBy: 'natlens' });
    this.#setInfo(info);
  }

  get bytesWritten(): number {
    return this.#writer.offset;
  }

  #setInfo(info: FlowSetInfo): void {
    this.#parquet.kvMetadata = [{ key: parquetInfoKey, value: JSON.stringify(info) }];
  }

  write(batch: FlowBatch): void {
    if (this.#group !== undefined && this.#group.dictionaries !== batch.dictionaries) {
      this.#flush();
      this.#group = undefined;
    }
    this.#group ??= createFlowBatch(this.#groupRows, batch.dictionaries);
    const group = this.#group;
    for (let row = 0; row < batch.rowCount;) {
      const end = Math.min(batch.rowCount, row + group.capacity - group.rowCount);
      copyRows(batch, row, end, group);
      row = end;
      if (group.rowCount === group.capacity) this.#flush();
    }
  }

  #flush(): void {
    const group = this.#group;
    if (group === undefined || group.rowCount === 0) return;
    // A getter: the values of a column exist only while that column is being written. Statistics (for skipping row
    // groups) where a query asks for ranges: they cost a fifth of the time on texts.
    const columnData = schema.map((column) => ({
      name: column.name,
      statistics: column.storage === 'f64' || column.storage === 'u16',
      get data() { return columnValues(group, column); },
    }));
    this.#guard(() => this.#parquet.write({ columnData, rowGroupSize: group.rowCount }));
    group.rowCount = 0;
  }

  #guard(write: () => unknown): void {
    try {
      write();
    } catch (thrown) {
      throw (thrown as NodeJS.ErrnoException).code === undefined ? thrown : diskFailed(this.#path, thrown);
    }
  }

  async end(info: FlowSetInfo): Promise<void> {
    this.#setInfo(info);
    this.#flush();
    this.#guard(() => {
      void this.#parquet.finish();
      closeSync(this.#file);
    });
    await keepFile(this.#names).catch((thrown: unknown) => { throw diskFailed(this.#path, thrown); });
  }

  async abandon(): Promise<void> {
    closeSync(this.#file);
    await dropFile(this.#names);
  }
}

/** hyparquet's byte writer, emptied into a file after each row group. */
class FileWriter extends ByteWriter {
  readonly #file: number;

  constructor(file: number) {
    super(1 << 20);
    this.#file = file;
  }

  flush(): void {
    const bytes = this.getBytes();
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}

function parquetSchema(): SchemaElement[] {
  return [{ name: 'flows', num_children: schema.length }, ...schema.map(schemaElement)];
}

function schemaElement(column: ColumnDefinition): SchemaElement {
  const common = { name: column.name, repetition_type: 'REQUIRED' } as const;
  switch (column.storage) {
    case 'u8': return { ...common, type: 'INT32', converted_type: 'UINT_8' };
    case 'u16': return { ...common, type: 'INT32', converted_type: 'UINT_16' };
    case 'u32': return { ...common, type: 'INT32', converted_type: 'UINT_32' };
    case 'f64': return { ...common, type: column.unit === 'ms' ? 'DOUBLE' : 'INT64' };
    default: return { ...common, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  }
}

/** The values of one column, as hyparquet-writer takes them. */
function columnValues(group: FlowBatch, column: (typeof schema)[number]): DecodedArray {
  const rows = group.rowCount;
  const array = group.columns[column.name];
  const textsOf = (text: (row: number) => string): string[] => Array.from({ length: rows }, (_, row) => text(row));
  if (column.storage === 'address') return textsOf((row) => addressText(array as Uint32Array, row, group));
  if (column.storage === 'mac') return textsOf((row) => macText(array as Uint32Array, row));
  if (column.storage === 'dictionary') return textsOf((row) => group.dictionaries[column.name].decode(array[row]!));
  const values = array.subarray(0, rows * elementsPerRow(column.storage));
  // hyparquet-writer 0.17.0 refuses values above 2^31 - 1 of a Uint32Array ("expected int32 value"), not of an array.
  if (column.storage === 'u32') return Array.from(values);
  return column.storage === 'f64' && column.unit !== 'ms' ? counters(values as Float64Array) : (values as DecodedArray);
}

function counters(values: Float64Array): BigInt64Array {
  const out = new BigInt64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    assertInvariant(Number.isSafeInteger(values[i]), 'a counter of a flow record is not a whole number');
    out[i] = BigInt(values[i]!);
  }
  return out;
}

function addressText(words: Uint32Array, row: number, group: FlowBatch): string {
  const at = row * 4;
  const isZero = (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
  return isZero && group.columns.ipVersion[row] !== 6 ? '' : formatAddress(words, at);
}

function macText(words: Uint32Array, row: number): string {
  return (words[row * 2]! | words[row * 2 + 1]!) === 0 ? '' : formatMac(words, row * 2);
}
