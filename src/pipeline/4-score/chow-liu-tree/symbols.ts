/**
 * Rows as symbols: what a tree of likelihoods counts. Each feature is a variable with few values:
 * a number is the bin that it lies in, with one bin below and one above all that training showed; a category is its
 * code, the last of which stands for all that training never showed. Numbers come first, as in the rows.
 */
import type { EncodedRows, RowLayout } from '#feature';

/** [numeric feature]: ends of its bins, ascending; the first is the least training value, the last the greatest. */
export type BinEnds = readonly Float32Array[];

/** Values of each variable: of n ends n - 1 bins and the two outside, of n categories n and the unseen. */
export function countValues({ categoryCounts }: Pick<RowLayout, 'categoryCounts'>, binEnds: BinEnds): number[] {
  return [...binEnds.map((ends) => ends.length + 1), ...categoryCounts.map((count) => count + 1)];
}

/**
 * Writes the symbols of some rows. A kernel.
 *
 * @param first  the first of them
 * @param count  how many
 * @param out    [count]; overwritten
 */
export function readSymbols(
  rows: EncodedRows, binEnds: BinEnds, variable: number, first: number, count: number, out: Uint16Array,
): void {
  const ends = binEnds[variable];
  if (ends !== undefined) {
    binNumbers(rows.numeric[variable] as Float32Array, first, count, ends, out);
    return;
  }
  const codes = rows.codes[variable - binEnds.length] as Uint16Array;
  for (let i = 0; i < count; i++) out[i] = codes[first + i] as number;
}

/**
 * The bin of every number: 0 below the first end, ends.length above the last. A bin has its upper end, the first one
 * both. What is no number is above: it is like nothing that training showed.
 */
function binNumbers(numbers: Float32Array, first: number, count: number, ends: Float32Array, out: Uint16Array): void {
  const least = ends[0] as number;
  for (let i = 0; i < count; i++) {
    const value = numbers[first + i] as number;
    let low = 1;
    let high = ends.length;
    // The first end from 1 on that is not below the value.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (ends[middle] as number)) high = middle;
      else low = middle + 1;
    }
    out[i] = value < least ? 0 : low;
  }
}
