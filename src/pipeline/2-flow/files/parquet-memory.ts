/**
 * The memory in which a row group becomes pages: its columns, and what the kernel (`kernels/parquet/`) works with. The
 * kernel numbers the distinct values of a column, packs the numbers, and finds ranges; without it the readable code
 * does (`column-numbers.ts`).
 */
import { assertInvariant, type KernelKind } from '#base';
import { bytesPerRow, createColumn } from '../flow-batch.ts';
import { KernelMemory } from '../kernel-memory.ts';
import { schema, type ColumnArrays } from '../schema.ts';

/** Rows that a group may have: codes take 20 bits then. */
export const groupRowsMax = 1 << 20;

/** Layout of the block that the kernel is given; the same in the kernel. */
export const encoderLayout = {
  codesAt: 0, firstRowsAt: 4, slotsAt: 8, valuesAt: 12, runsAt: 16, numbersAt: 20, rangeAt: 24,
} as const;

export type EncoderKernel = {
  readonly numberWords: (keys: number, rows: number, distinctMax: number, firstSlots: number) => number;
  readonly numberPairs: (keys: number, rows: number, distinctMax: number, firstSlots: number) => number;
  readonly numberAddresses: (
    keys: number, versions: number, rows: number, distinctMax: number, firstSlots: number) => number;
  readonly numberBytes: (keys: number, rows: number, distinctMax: number) => number;
  readonly numberShorts: (keys: number, rows: number, distinctMax: number) => number;
  readonly packCodes: (count: number, bits: number) => number;
  readonly findRange: (values: number, count: number) => void;
};

const reservedBytes = 64;
const lineBytes = 64;
/** A kernel's table begins with no fewer slots. */
export const slotsMin = 1 << 10;
/** Bytes of the numbers of all values of up to 16 bits. */
const numbersBytes = 1 << 17;
/** Bytes of the longest value, an address. */
const valueBytes = 16;
/** Codes that fill the last group of eight up. */
const codesBehind = 8;

export class ParquetMemory extends KernelMemory<EncoderKernel> {
  /** Rows that a group may have. */
  readonly rowsMax: number;
  readonly columns: ColumnArrays;
  /** [rows, and room for a group of 8 to be filled up]: the number of each row's value. */
  readonly codes: Int32Array;
  /** [distinct values]: the first row that has the value. */
  readonly firstRows: Int32Array;
  readonly #told: DataView;

  /** @param rowsMax  1 to `groupRowsMax` */
  constructor(rowsMax: number, kind: KernelKind = 'wasm') {
    assertInvariant(rowsMax > 0 && rowsMax <= groupRowsMax, 'a row group has 1 to 1,048,576 rows');
    const slotsMax = Math.max(slotsMin, 2 ** Math.ceil(Math.log2(rowsMax * 4)));
    const columnBytes = schema.reduce((sum, { storage }) => sum + bytesPerRow(storage) * rowsMax + lineBytes, 0);
    super({
      kind, module: new URL('parquet-kernel.wasm', import.meta.url), reservedBytes,
      sizeBytes: columnBytes + (rowsMax + codesBehind) * 4 + rowsMax * (4 + valueBytes) + slotsMax * 4 + numbersBytes +
        5 * lineBytes,
    });
    this.rowsMax = rowsMax;
    this.columns = Object.fromEntries(schema.map(({ name, storage }) =>
      [name, createColumn(storage, rowsMax, (bytes) => this.allocate(bytes))])) as unknown as ColumnArrays;
    this.codes = this.#integers(rowsMax + codesBehind);
    this.firstRows = this.#integers(rowsMax);
    this.#told = new DataView(this.buffer);
    this.#told.setUint32(encoderLayout.codesAt, this.codes.byteOffset, true);
    this.#told.setUint32(encoderLayout.firstRowsAt, this.firstRows.byteOffset, true);
    this.#told.setUint32(encoderLayout.slotsAt, this.words(slotsMax).byteOffset, true);
    this.#told.setUint32(encoderLayout.numbersAt, this.allocate(numbersBytes).byteOffset, true);
    this.#told.setUint32(encoderLayout.valuesAt, this.allocate(rowsMax * valueBytes).byteOffset, true);
  }

  /** How often the number changed from one row to the next when a column was numbered, plus one. */
  get runs(): number {
    return this.#told.getUint32(encoderLayout.runsAt, true);
  }

  set runs(runs: number) {
    this.#told.setUint32(encoderLayout.runsAt, runs, true);
  }

  /** What the kernel found: [smallest, largest]. */
  get range(): readonly [number, number] {
    const { rangeAt } = encoderLayout;
    return [this.#told.getFloat64(rangeAt, true), this.#told.getFloat64(rangeAt + 8, true)];
  }

  #integers(count: number): Int32Array {
    return new Int32Array(this.buffer, this.allocate(count * 4).byteOffset, count);
  }
}
