/**
 * Numbers the distinct values of a column in the order of their first rows, which is what a Parquet dictionary needs:
 * `codes` of the memory gets the number of every row's value, `firstRows` the row that each number stands for, `runs`
 * how often the number changes, plus one. Gives up (returns 0) as soon as a dictionary would not pay.
 */
import type { ParquetMemory } from './parquet-memory.ts';

/** After so many rows it is decided whether values come again at all; the same in the kernel. */
export const sampling = {
  sampleRows: 2_048,
  /** Distinct values of the sample above which the whole column is not worth trying. */
  sampleDistinctMax: 1_966,
} as const;

/** A column whose values are to be numbered. */
export type NumberedColumn = {
  readonly kind: 'bytes' | 'shorts' | 'words' | 'pairs' | 'addresses';
  /** [rows], of pairs [2 × rows] words or as many doubles as rows, of addresses [4 × rows]; in the memory. */
  readonly keys: Uint8Array | Uint16Array | Uint32Array | Float64Array;
  readonly rows: number;
  /** More distinct values than this are no dictionary. */
  readonly distinctMax: number;
  /** Of a kernel's table at its start, a power of two; it grows where that is not enough. */
  readonly firstSlots: number;
};

/** @returns distinct values, 0: no dictionary */
export function numberColumn(memory: ParquetMemory, column: NumberedColumn): number {
  const { kernel } = memory;
  if (kernel === undefined) return numberReadably(memory, column);
  const { kind, keys: { byteOffset }, rows, distinctMax, firstSlots } = column;
  switch (kind) {
    case 'bytes': return kernel.numberBytes(byteOffset, rows, distinctMax);
    case 'shorts': return kernel.numberShorts(byteOffset, rows, distinctMax);
    case 'words': return kernel.numberWords(byteOffset, rows, distinctMax, firstSlots);
    case 'pairs': return kernel.numberPairs(byteOffset, rows, distinctMax, firstSlots);
    case 'addresses': {
      const versions = memory.columns.ipVersion.byteOffset;
      return kernel.numberAddresses(byteOffset, versions, rows, distinctMax, firstSlots);
    }
  }
}

/** What the kernel does. It may give up on values that crowd in its table, which are made for that. */
function numberReadably(memory: ParquetMemory, column: NumberedColumn): number {
  const { codes, firstRows } = memory;
  const { rows, distinctMax } = column;
  const numbers = new Map<string, number>();
  let runs = 0;
  for (let row = 0; row < rows; row++) {
    const key = keyOf(memory, column, row);
    let code = numbers.get(key);
    if (code === undefined) {
      code = numbers.size;
      if (code === distinctMax || (row < sampling.sampleRows && code >= sampling.sampleDistinctMax)) return 0;
      numbers.set(key, code);
      firstRows[code] = row;
    }
    if (row === 0 || codes[row - 1] !== code) runs++;
    codes[row] = code;
  }
  memory.runs = runs;
  return numbers.size;
}

/** The bytes of a value as a text. The address of zeros is no value at all but in a row of IPv6, where it is `::`. */
function keyOf(memory: ParquetMemory, { kind, keys }: NumberedColumn, row: number): string {
  const { buffer, byteOffset } = keys;
  const bytes = { bytes: 1, shorts: 2, words: 4, pairs: 8, addresses: 16 }[kind];
  const key = Buffer.from(buffer, byteOffset + row * bytes, bytes).toString('hex');
  const isAbsent = kind === 'addresses' && /^0+$/.test(key) && memory.columns.ipVersion[row] !== 6;
  return isAbsent ? '' : key;
}
