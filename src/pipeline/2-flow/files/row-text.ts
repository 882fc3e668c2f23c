/**
 * Rows of a FlowBatch as text, CSV (RFC 4180, but with LF) or JSON lines (RFC 8259): which columns there are, and how
 * each is written, comes from `schema`. A kernel: it writes into a given buffer, stops where the next row may not fit,
 * and never allocates per row.
 */
import { schema, type ColumnDefinition } from '../schema.ts';
import type { Dictionary } from '../dictionary.ts';
import type { FlowBatch } from '../flow-batch.ts';
import { cellBytesMax, putAddress, putBytes, putCounter, putMac, putTime, putUint } from './text-bytes.ts';

export type TextFormat = 'csv' | 'jsonl';

/** How a cell is written; one number per column, so that the kernel's `switch` is a jump. */
const cellUint = 0;
const cellTime = 1;
const cellCounter = 2;
const cellDictionary = 3;
const cellAddress = 4;
const cellMac = 5;

const zero = 48;
const comma = 44;
const newline = 10;
const quote = 34;
const openBrace = 123;
const closeBrace = 125;

/** Rows staged at once: 32 columns × 64 rows × 8 bytes stay in a processor's first cache. */
const stagedRows = 64;

/** Columns that every JSON object has; the others are left out where they hold their default (zero, the empty text). */
export const jsonAlwaysPresent: ReadonlySet<string> = new Set([
  'flowStartMilliseconds', 'flowEndMilliseconds', 'ipVersion', 'sourceAddress', 'destinationAddress',
  'sourceTransportPort', 'destinationTransportPort', 'protocolIdentifier', 'ipClassOfService',
  'initiatorPackets', 'responderPackets', 'initiatorOctets', 'responderOctets',
]);

/** A writer's state: the plan of the columns and where it stands. */
export type RowText = {
  readonly kinds: Uint8Array;
  readonly format: TextFormat;
  /** `,"name":` before each cell of JSON. */
  readonly prefixes: readonly Uint8Array[];
  /** 1 where a default value is left out. */
  readonly omitsDefault: Uint8Array;
  readonly dictionaryCells: readonly (DictionaryCells | undefined)[];
  /** [stagedRows × columns] values of some rows, row by row. */
  readonly staged: Float64Array;
  /** After `putRows`: the index behind the last byte written. */
  at: number;
};

/** Texts of one dictionary column as cell bytes, quoted where the format asks for it. Grows with the dictionary. */
export type DictionaryCells = { dictionary: Dictionary | undefined; readonly cells: Uint8Array[]; bytesMax: number };

const encoder = new TextEncoder();

function cellKind(column: ColumnDefinition): number {
  if (column.storage === 'address') return cellAddress;
  if (column.storage === 'mac') return cellMac;
  if (column.storage === 'dictionary') return cellDictionary;
  if (column.storage !== 'f64') return cellUint;
  return column.unit === 'ms' ? cellTime : cellCounter;
}

/** State for writing rows in a format. */
export function createRowText(format: TextFormat): RowText {
  return {
    kinds: Uint8Array.from(schema, cellKind),
    format,
    prefixes: schema.map((column) => encoder.encode(`,"${column.name}":`)),
    omitsDefault: Uint8Array.from(schema, (column) => (format === 'csv' || jsonAlwaysPresent.has(column.name) ? 0 : 1)),
    dictionaryCells: schema.map((column) => {
      return column.storage === 'dictionary' ? { dictionary: undefined, cells: [], bytesMax: 0 } : undefined;
    }),
    staged: new Float64Array(stagedRows * schema.length),
    at: 0,
  };
}

/** The header line of a CSV file. */
export const csvHeader = `${schema.map((column) => column.name).join(',')}\n`;

/** A CSV field (RFC 4180 §2): quoted when it holds a comma, a quote or a line end, or begins or ends with a blank. */
export function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Takes up the texts that the batch's dictionaries have gained. @returns bytes that no row of the batch exceeds */
export function prepareRows(rowText: RowText, batch: FlowBatch): number {
  let bytesMax = 4;
  for (let i = 0; i < schema.length; i++) {
    bytesMax += rowText.prefixes[i]!.length + cellBytesMax;
    const column = schema[i]!;
    const known = rowText.dictionaryCells[i];
    if (known === undefined || column.storage !== 'dictionary') continue;
    const dictionary = batch.dictionaries[column.name];
    if (known.dictionary !== dictionary) {
      known.dictionary = dictionary;
      known.cells.length = 0;
    }
    for (let code = known.cells.length; code < dictionary.size; code++) {
      const text = dictionary.decode(code);
      const cell = encoder.encode(rowText.format === 'csv' ? csvField(text) : JSON.stringify(text));
      known.cells.push(cell);
      known.bytesMax = Math.max(known.bytesMax, cell.length);
    }
    bytesMax += known.bytesMax;
  }
  return bytesMax;
}

/**
 * Writes rows from `row` on until the batch ends or the next row might pass `end`.
 *
 * @param rowText  `at` says where to begin, and afterwards where it stopped
 * @param end      index in `out` that a row must not start behind: its length minus `prepareRows`'s bytes
 * @returns        the first row that was not written
 */
export function putRows(rowText: RowText, batch: FlowBatch, row: number, out: Uint8Array, end: number): number {
  const arrays = columnArrays(batch);
  const put = rowText.format === 'csv' ? putCsvRow : putJsonRow;
  while (row < batch.rowCount && rowText.at <= end) {
    const rows = Math.min(stagedRows, batch.rowCount - row);
    for (let i = 0; i < arrays.length; i++) {
      stageColumn(rowText.kinds[i]!, arrays[i]!, row, rows, rowText.staged, i, arrays.length);
    }
    for (let staged = 0; staged < rows && rowText.at <= end; staged++) {
      const isIPv6 = batch.columns.ipVersion[row] === 6;
      rowText.at = put(rowText, arrays, row, staged * arrays.length, isIPv6, out, rowText.at);
      row++;
    }
  }
  return row;
}

/**
 * Copies one column of some rows into row order, so that the row kernels load from one array of one type: loading from
 * the 31 columns of four types in turn gave 1.3M rows/s, this 1.8M. An address or MAC is staged as 1, all zeros as 0.
 */
function stageColumn(
  kind: number, array: AnyColumn, row: number, rows: number, staged: Float64Array, at: number, stride: number,
): void {
  if (kind === cellAddress) {
    for (let i = 0, from = row * 4; i < rows; i++, from += 4, at += stride) {
      staged[at] = (array[from]! | array[from + 1]! | array[from + 2]! | array[from + 3]!) === 0 ? 0 : 1;
    }
  } else if (kind === cellMac) {
    for (let i = 0, from = row * 2; i < rows; i++, from += 2, at += stride) {
      staged[at] = (array[from]! | array[from + 1]!) === 0 ? 0 : 1;
    }
  } else if (array instanceof Float64Array) {
    for (let i = 0; i < rows; i++, at += stride) staged[at] = array[row + i]!;
  } else if (array instanceof Uint8Array) {
    for (let i = 0; i < rows; i++, at += stride) staged[at] = array[row + i]!;
  } else if (array instanceof Uint16Array) {
    for (let i = 0; i < rows; i++, at += stride) staged[at] = array[row + i]!;
  } else {
    for (let i = 0; i < rows; i++, at += stride) staged[at] = array[row + i]!;
  }
}

function putCsvRow(
  rowText: RowText, arrays: readonly AnyColumn[], row: number, from: number, isIPv6: boolean, out: Uint8Array,
  at: number,
): number {
  const kinds = rowText.kinds;
  const staged = rowText.staged;
  for (let i = 0; i < kinds.length; i++) {
    const value = staged[from + i]!;
    switch (kinds[i]) {
      case cellUint:
        if (value < 10) out[at++] = zero + value;
        else at = putUint(out, at, value);
        break;
      case cellTime: at = putTime(out, at, value); break;
      case cellCounter: at = putCounter(out, at, value); break;
      case cellDictionary: if (value !== 0) at = putBytes(out, at, rowText.dictionaryCells[i]!.cells[value]!); break;
      case cellMac: if (value !== 0) at = putMac(out, at, arrays[i] as Uint32Array, row * 2); break;
      default: if (value !== 0 || isIPv6) at = putAddress(out, at, arrays[i] as Uint32Array, row * 4);
    }
    out[at++] = comma;
  }
  out[at - 1] = newline;
  return at;
}

function putJsonRow(
  rowText: RowText, arrays: readonly AnyColumn[], row: number, from: number, isIPv6: boolean, out: Uint8Array,
  at: number,
): number {
  const kinds = rowText.kinds;
  const staged = rowText.staged;
  const first = at;
  for (let i = 0; i < kinds.length; i++) {
    const value = staged[from + i]!;
    if (value === 0 && rowText.omitsDefault[i] === 1) continue;
    at = putBytes(out, at, rowText.prefixes[i]!);
    switch (kinds[i]) {
      case cellUint: at = putUint(out, at, value); break;
      case cellTime: at = putTime(out, at, value); break;
      case cellCounter: at = putCounter(out, at, value); break;
      case cellDictionary: at = putBytes(out, at, rowText.dictionaryCells[i]!.cells[value]!); break;
      default:
        out[at++] = quote;
        if (kinds[i] === cellMac) at = putMac(out, at, arrays[i] as Uint32Array, row * 2);
        else if (value !== 0 || isIPv6) at = putAddress(out, at, arrays[i] as Uint32Array, row * 4);
        out[at++] = quote;
    }
  }
  out[first] = openBrace;
  out[at] = closeBrace;
  out[at + 1] = newline;
  return at + 2;
}

type AnyColumn = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** The arrays of a batch in the order of `schema`. */
function columnArrays(batch: FlowBatch): readonly AnyColumn[] {
  return schema.map((column) => batch.columns[column.name]);
}
