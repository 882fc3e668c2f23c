/**
 * Values of a table into the columns of a FlowBatch: from text, and from typed values (JSON, Parquet). Each function
 * says whether the value fits its column; a value that does not fit makes its row a bad row, never a silent default.
 */
import { isMapped, limits, parseAddress, parseMac, type AddressWords } from '#base';
import { schema, type ColumnDefinition, type ColumnName } from '../schema.ts';
import type { FlowBatch } from '../flow-batch.ts';

/** Columns without which a record is no flow; a table of ours must have them, with a value in every row. */
export const essentialColumns: ReadonlySet<string> = new Set<ColumnName>([
  'flowStartMilliseconds', 'flowEndMilliseconds', 'sourceAddress', 'destinationAddress', 'sourceTransportPort',
  'destinationTransportPort', 'protocolIdentifier', 'initiatorPackets', 'initiatorOctets',
]);

const largest: Readonly<Record<string, number>> = { u8: 0xff, u16: 0xffff, u32: 0xffffffff };

/** A whole number in decimal digits, or -1 when the text is none or it is larger than `max`. */
export function parseUint(text: string, max: number): number {
  const length = text.length;
  if (length === 0 || length > 16) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= max ? value : -1;
}

/** A number that is not negative, or NaN when the text is none. */
export function parseNumber(text: string): number {
  const whole = text.length < 16 ? parseUint(text, Number.MAX_SAFE_INTEGER) : -1;
  if (whole >= 0) return whole;
  return /^\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

/** Addresses by their text; a table repeats few of them. Starts afresh when full. */
export class AddressTexts {
  readonly #words = new Map<string, AddressWords>();
  readonly #entriesMax: number;

  constructor(entriesMax: number = limits.addressTextsMax) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#words.size;
  }

  /** Writes the words of an address at `at`. @returns false when the text is no address */
  store(text: string, words: Uint32Array, at: number): boolean {
    let known = this.#words.get(text);
    if (known === undefined) {
      known = parseAddress(text);
      if (known === undefined) return false;
      if (this.#words.size >= this.#entriesMax) this.#words.clear();
      this.#words.set(text, known);
    }
    for (let i = 0; i < 4; i++) words[at + i] = known[i]!;
    return true;
  }
}

/** A column to fill, with what filling it needs. */
export type Cell = { readonly column: (typeof schema)[number]; readonly isEssential: boolean };

/** The cell of a column of ours by its name, or undefined when there is no such column. */
export function findCell(name: string): Cell | undefined {
  const column = schema.find((candidate) => candidate.name === name);
  return column === undefined ? undefined : { column, isEssential: essentialColumns.has(name) };
}

/**
 * Stores a value given as text. The empty text is the column's default, except that an essential number must be there.
 *
 * @returns false when the text does not fit the column
 */
export function storeText(batch: FlowBatch, cell: Cell, row: number, text: string, addresses: AddressTexts): boolean {
  const { column } = cell;
  const array = batch.columns[column.name];
  if (column.storage === 'dictionary') {
    array[row] = batch.dictionaries[column.name].encode(text);
    return true;
  }
  if (text === '') return !cell.isEssential || column.storage === 'address';
  if (column.storage === 'address') return addresses.store(text, array as Uint32Array, row * 4);
  if (column.storage === 'mac') return storeMac(array as Uint32Array, row, text);
  const value = column.storage === 'f64' ? parseNumber(text) : parseUint(text, largest[column.storage]!);
  if (!(value >= 0 && value < Infinity)) return false;
  array[row] = value;
  return true;
}

/** Writes a MAC address given as text. @returns false when it is none */
export function storeMac(words: Uint32Array, row: number, text: string): boolean {
  const mac = parseMac(text);
  if (mac === undefined) return false;
  words[row * 2] = mac[0];
  words[row * 2 + 1] = mac[1];
  return true;
}

/**
 * Stores a value of a JSON or Parquet field; null and undefined are the column's default where it is not essential.
 *
 * @returns false when the value does not fit the column
 */
export function storeValue(
  batch: FlowBatch, cell: Cell, row: number, value: unknown, addresses: AddressTexts,
): boolean {
  if (value === null || value === undefined) return !cell.isEssential;
  if (typeof value === 'string') return isTextColumn(cell.column) && storeText(batch, cell, row, value, addresses);
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || isTextColumn(cell.column)) return false;
  if (!(number >= 0 && number < Infinity)) return false;
  const max = largest[cell.column.storage];
  if (max !== undefined && !(Number.isInteger(number) && number <= max)) return false;
  batch.columns[cell.column.name][row] = number;
  return true;
}

function isTextColumn(column: ColumnDefinition): boolean {
  return column.storage === 'address' || column.storage === 'mac' || column.storage === 'dictionary';
}

/** Sets `ipVersion` from the addresses, for tables that do not say it; 0 where there is no address. */
export function deriveIpVersion(batch: FlowBatch, row: number): void {
  const { sourceAddress, destinationAddress, ipVersion } = batch.columns;
  const at = row * 4;
  if (isMapped(sourceAddress, at) || isMapped(destinationAddress, at)) ipVersion[row] = 4;
  else ipVersion[row] = isZero(sourceAddress, at) && isZero(destinationAddress, at) ? 0 : 6;
}

function isZero(words: Uint32Array, at: number): boolean {
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
}

/** Latest time that a date can show (ECMA-262 §21.4.1.1), in milliseconds. */
const timeMsMax = 8.64e15;

const counters = schema.filter(({ unit }) => unit === 'packets' || unit === 'bytes').map(({ name }) => name);

/**
 * Why the values of a filled row cannot be a flow's, or '' when they can: times must be dates, counters whole numbers
 * that a double holds exactly. Without it a row that every sink must refuse would come in.
 */
export function describeUnsoundRow(batch: FlowBatch, row: number): string {
  const { columns } = batch;
  const startMs = columns.flowStartMilliseconds[row]!;
  const endMs = columns.flowEndMilliseconds[row]!;
  if (!(startMs <= timeMsMax && endMs <= timeMsMax)) return 'a time is later than any date';
  for (const name of counters) {
    if (!Number.isSafeInteger(columns[name][row]!)) return `${name} is not a whole number up to 2^53`;
  }
  return '';
}
