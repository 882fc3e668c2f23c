/**
 * One column of a row group to the pages of a column chunk: a dictionary page and a page of codes where values come
 * again, one page of PLAIN values where they do not. A column of one value, which most are that an exporter does not
 * fill, costs nothing.
 */
import { assertInvariant } from '#base';
import type { ColumnDefinition, ColumnName, DictionaryColumnName, schema, Storage } from '../schema.ts';
import { numberColumn, type NumberedColumn } from './column-numbers.ts';
import type { ChunkRange } from './parquet-layout.ts';
import { slotsMin, type ParquetMemory } from './parquet-memory.ts';
import { GrowingBytes } from './parquet-thrift.ts';
import {
  counterMax, putAddresses, putCodes, putDoubles, putInt32s, putInt64s, putMacs, putSingleCode, putText,
} from './parquet-values.ts';
import type { RowGroup } from './row-group.ts';

type Column = (typeof schema)[number];

/** Of so many rows a dictionary has at most one entry: one of numbers must save more than the codes take. */
const rowsPerTextMin = 2;
const rowsPerNumberMin = 4;
/** Below so many rows every value may differ: what a dictionary costs then is nothing beside the headers. */
const fewRows = 64;

/** A kernel's table of shorts has room for no more; who has so many needs no dictionary of them. */
const distinctOf: Readonly<Partial<Record<Storage, number>>> = { u16: 65_535 };

const kinds: Readonly<Record<Storage, NumberedColumn['kind']>> = {
  u8: 'bytes', u16: 'shorts', u32: 'words', dictionary: 'words', f64: 'pairs', mac: 'pairs', address: 'addresses',
};

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
  readonly #memory: ParquetMemory;
  /** Slots that the values of a column took in the group before. */
  readonly #firstSlots = new Map<ColumnName, number>();
  /** 0, 1, 2, …: all rows, where a kernel takes a choice of them. */
  readonly #allRows: Int32Array;
  readonly #rangeBytes = new Uint8Array(16);
  readonly #rangeView = new DataView(this.#rangeBytes.buffer);

  /** @param memory  of the groups that are encoded */
  constructor(memory: ParquetMemory) {
    const { rowsMax } = memory;
    this.#memory = memory;
    this.#allRows = Int32Array.from({ length: rowsMax }, (_, row) => row);
  }

  /**
   * Fills `dictionaryPage`, `dataPage`, `entries` and `range`.
   *
   * @param group  at least one row; its rows stay as they are
   */
  encode(group: RowGroup, column: Column): void {
    const rows = group.rowCount;
    this.dictionaryPage.clear();
    this.dataPage.clear();
    this.range = undefined;
    const isOne = isConstant(group, column);
    if (isOne) {
      this.#memory.firstRows[0] = 0;
      this.entries = 1;
      putSingleCode(rows, this.dataPage);
    } else {
      this.entries = this.#number(group, column);
      if (this.entries > 0) putCodes(this.#memory, rows, this.entries, this.dataPage);
    }
    const hasDictionary = this.entries > 0;
    this.#putValues(group, column, hasDictionary ? this.#memory.firstRows : this.#allRows,
      hasDictionary ? this.entries : rows, hasDictionary ? this.dictionaryPage : this.dataPage);
  }

  /** Numbers the values of a column. @returns distinct values, 0 when a dictionary does not pay */
  #number(group: RowGroup, column: Column): number {
    const rows = group.rowCount;
    // Times of flows differ: a dictionary is for the few rows of a small file.
    if (column.unit === 'ms' && rows > fewRows) return 0;
    const isText = column.storage === 'address' || column.storage === 'mac' || column.storage === 'dictionary';
    const share = Math.floor(rows / (isText ? rowsPerTextMin : rowsPerNumberMin));
    const distinctMax = Math.min(Math.max(Math.min(rows, fewRows), share), distinctOf[column.storage] ?? Infinity);
    group.fill(column.name);
    if (column.storage === 'address') group.fill('ipVersion');
    const distinct = numberColumn(this.#memory, {
      kind: kinds[column.storage], keys: group.columns[column.name], rows, distinctMax,
      firstSlots: this.#firstSlots.get(column.name) ?? slotsMin,
    });
    this.#firstSlots.set(column.name, slotsFor(distinct));
    return distinct;
  }

  /** PLAIN values of chosen rows, and their range. */
  #putValues(group: RowGroup, column: Column, rows: Int32Array, count: number, out: GrowingBytes): void {
    switch (column.storage) {
      case 'u8':
      case 'u16':
        putInt32s(group.columns[column.name], rows, count, out);
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
    const [min, max] = this.#findRange(values, rows, count);
    if (column.unit === 'ms') {
      if (rows === this.#allRows) out.append(new Uint8Array(values.buffer, values.byteOffset, count * 8));
      else putDoubles(values, rows, count, out);
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

  #findRange(values: Float64Array, rows: Int32Array, count: number): readonly [min: number, max: number] {
    const { kernel } = this.#memory;
    if (kernel !== undefined && rows === this.#allRows) {
      kernel.findRange(values.byteOffset, count);
      return this.#memory.range;
    }
    let min = Infinity;
    let max = -Infinity;
    for (let i = 0; i < count; i++) {
      const value = values[rows[i]!]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    return [min, max];
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

/** Twice as many as values at least, a power of two. */
function slotsFor(distinct: number): number {
  return Math.max(slotsMin, 2 ** Math.ceil(Math.log2(distinct * 2 + 2)));
}

/** Have all rows the value of the first? */
function isConstant(group: RowGroup, column: Column): boolean {
  if (group.varies(column.name)) return false;
  // Without an address, whether the row is one of IPv6 decides on the text.
  return column.storage !== 'address' || !isZeroAddress(group.columns[column.name]) || !group.varies('ipVersion');
}

function isZeroAddress(words: Uint32Array): boolean {
  return (words[0]! | words[1]! | words[2]! | words[3]!) === 0;
}

function putTexts(
  group: RowGroup, name: DictionaryColumnName, rows: Int32Array, count: number, out: GrowingBytes,
): void {
  const codes = group.columns[name];
  const dictionary = group.dictionaries[name];
  for (let i = 0; i < count; i++) putText(dictionary.decode(codes[rows[i]!]!), out);
}
