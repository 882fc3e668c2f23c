/**
 * One column of a row group to the pages of a column chunk: a dictionary page and a page of codes where values come
 * again, one page of PLAIN values where they do not. A column of one value, which most are that an exporter does not
 * fill, costs a comparison of its memory with itself.
 */
import { assertInvariant } from '#base';
import { bytesPerRow, type FlowBatch } from '../flow-batch.ts';
import type { ColumnDefinition, DictionaryColumnName, schema } from '../schema.ts';
import { DictionaryMemory, numberAddresses, numberPairs, numberSmall, numberWords } from './parquet-dictionary.ts';
import type { ChunkRange } from './parquet-layout.ts';
import { GrowingBytes } from './parquet-thrift.ts';
import {
  counterMax, putAddresses, putCodes, putDoubles, putInt32s, putInt64s, putMacs, putSingleCode, putText,
} from './parquet-values.ts';

type Column = (typeof schema)[number];

/** Of so many rows a dictionary has at most one entry: one of numbers must save more than the codes take. */
const rowsPerTextMin = 2;
const rowsPerNumberMin = 4;
/** Below so many rows every value may differ: what a dictionary costs then is nothing beside the headers. */
const fewRows = 64;

/** Encodes one column after the other; what it made of one is valid until the next. */
export class ColumnEncoder {
  /** Body of the dictionary page; empty when there is none. */
  readonly dictionaryPage = new GrowingBytes(1 << 16);
  /** Body of the data page. */
  readonly dataPage = new GrowingBytes(1 << 18);
  /** Entries of the dictionary, 0 when there is none. */
  entries = 0;
  /** Smallest and largest value, of columns in which queries ask for ranges. */
  range: ChunkRange | undefined;
  readonly #memory: DictionaryMemory;
  /** 0, 1, 2, …: all rows, where a kernel takes a choice of them. */
  readonly #allRows: Int32Array;
  /** A column of small integers, widened. */
  readonly #widened: Int32Array;
  readonly #rangeBytes = new Uint8Array(16);
  readonly #rangeView = new DataView(this.#rangeBytes.buffer);

  constructor(rowsMax: number) {
    this.#memory = new DictionaryMemory(rowsMax);
    this.#allRows = Int32Array.from({ length: rowsMax }, (_, row) => row);
    this.#widened = new Int32Array(rowsMax);
  }

  /**
   * Fills `dictionaryPage`, `dataPage`, `entries` and `range`.
   *
   * @param group  at least one row; read only
   */
  encode(group: FlowBatch, column: Column): void {
    const rows = group.rowCount;
    this.dictionaryPage.clear();
    this.dataPage.clear();
    this.range = undefined;
    if (isSmall(column)) this.#widened.set(group.columns[column.name].subarray(0, rows));
    if (isConstant(group, column)) {
      this.#memory.firstRows[0] = 0;
      this.entries = 1;
      putSingleCode(rows, this.dataPage);
    } else {
      this.entries = this.#number(group, column);
      if (this.entries > 0) putCodes(this.#memory.codes, rows, this.entries, this.dataPage);
    }
    const hasDictionary = this.entries > 0;
    this.#putValues(group, column, hasDictionary ? this.#memory.firstRows : this.#allRows,
      hasDictionary ? this.entries : rows, hasDictionary ? this.dictionaryPage : this.dataPage);
  }

  /** Numbers the values of a column. @returns distinct values, 0 when a dictionary does not pay */
  #number(group: FlowBatch, column: Column): number {
    const rows = group.rowCount;
    const memory = this.#memory;
    const isText = column.storage === 'address' || column.storage === 'mac' || column.storage === 'dictionary';
    const share = Math.floor(rows / (isText ? rowsPerTextMin : rowsPerNumberMin));
    const distinctMax = Math.max(Math.min(rows, fewRows), share);
    if (isSmall(column)) return numberSmall(this.#widened, rows, memory, distinctMax);
    if (column.storage === 'f64') {
      const { buffer, byteOffset } = group.columns[column.name];
      return numberPairs(new Uint32Array(buffer, byteOffset, rows * 2), rows, memory, distinctMax);
    }
    const words = group.columns[column.name];
    if (column.storage === 'mac') return numberPairs(words, rows, memory, distinctMax);
    if (column.storage !== 'address') return numberWords(words, rows, memory, distinctMax);
    return numberAddresses(words, group.columns.ipVersion, rows, memory, distinctMax);
  }

  /** PLAIN values of chosen rows, and their range. */
  #putValues(group: FlowBatch, column: Column, rows: Int32Array, count: number, out: GrowingBytes): void {
    switch (column.storage) {
      case 'u8':
      case 'u16':
        putInt32s(this.#widened, rows, count, out);
        if (column.storage === 'u16') this.#measureInt32s(out);
        return;
      case 'u32': return putInt32s(group.columns[column.name], rows, count, out);
      case 'f64': return this.#putNumbers(group.columns[column.name], column, rows, count, out);
      case 'address': return putAddresses(group.columns[column.name], group.columns.ipVersion, rows, count, out);
      case 'mac': return putMacs(group.columns[column.name], rows, count, out);
      default: return putTexts(group, column.name, rows, count, out);
    }
  }

  #putNumbers(
    values: Float64Array, column: ColumnDefinition, rows: Int32Array, count: number, out: GrowingBytes,
  ): void {
    let min = Infinity;
    let max = -Infinity;
    for (let i = 0; i < count; i++) {
      const value = values[rows[i]!]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    if (column.unit === 'ms') {
      putDoubles(values, rows, count, out);
      this.#rangeView.setFloat64(0, min === 0 ? -0 : min, true);
      this.#rangeView.setFloat64(8, max === 0 ? 0 : max, true);
      // What is no number has no place in a range; zeros of either sign lie within (parquet.thrift, ColumnOrder).
      if (min <= max) this.#takeRange(8);
      return;
    }
    assertInvariant(putInt64s(values, rows, count, out), 'a counter of a flow record is not a whole number');
    this.#rangeView.setBigInt64(0, BigInt(Math.min(min, counterMax)), true);
    this.#rangeView.setBigInt64(8, BigInt(Math.min(max, counterMax)), true);
    this.#takeRange(8);
  }

  #measureInt32s(out: GrowingBytes): void {
    const values = new Int32Array(out.bytes.buffer, 0, out.at / 4);
    let min = 0x7fffffff;
    let max = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#rangeView.setInt32(0, min, true);
    this.#rangeView.setInt32(8, max, true);
    this.#takeRange(4);
  }

  #takeRange(bytes: number): void {
    this.range = { min: this.#rangeBytes.slice(0, bytes), max: this.#rangeBytes.slice(8, 8 + bytes) };
  }
}

function isSmall(column: Column): column is Extract<Column, { storage: 'u8' | 'u16' }> {
  return column.storage === 'u8' || column.storage === 'u16';
}

/** Do all rows have the value of the first? Memory is compared with itself, moved by one row: 10 GB/s and more. */
function isConstant(group: FlowBatch, column: ColumnDefinition & { name: keyof FlowBatch['columns'] }): boolean {
  const { buffer, byteOffset } = group.columns[column.name];
  const rowBytes = bytesPerRow(column.storage);
  const rest = (group.rowCount - 1) * rowBytes;
  const isSame = Buffer.from(buffer, byteOffset, rest).equals(Buffer.from(buffer, byteOffset + rowBytes, rest));
  // Without an address, whether the row is one of IPv6 decides on the text.
  return isSame && (column.storage !== 'address' || !isZeroAddress(group.columns[column.name] as Uint32Array) ||
    isConstant(group, ipVersion));
}

const ipVersion = { name: 'ipVersion', storage: 'u8' } as ColumnDefinition & { name: 'ipVersion' };

function isZeroAddress(words: Uint32Array): boolean {
  return (words[0]! | words[1]! | words[2]! | words[3]!) === 0;
}

function putTexts(
  group: FlowBatch, name: DictionaryColumnName, rows: Int32Array, count: number, out: GrowingBytes,
): void {
  const codes = group.columns[name];
  const dictionary = group.dictionaries[name];
  for (let i = 0; i < count; i++) putText(dictionary.decode(codes[rows[i]!]!), out);
}
