/**
 * What is learnt of single variables from training rows: ends of bins, and how probable each value is, with something
 * left for what training never showed. For trainers only.
 */
import type { EncodedRows } from '#feature';
import { countValues, readSymbols, type BinEnds } from './symbols.ts';

/** Training rows as symbols. */
export type TrainingSymbols = {
  readonly binEnds: BinEnds;
  readonly valueCounts: readonly number[];
  readonly rowCount: number;
  /** [variable][row] */
  readonly symbols: readonly Uint16Array[];
  /** [variable][value]: rows that have it. */
  readonly counts: readonly Float64Array[];
};

/** Cuts numbers into bins and reads all rows. @param binCount  bins of each number, about; at least 1 */
export function learnSymbols(rows: EncodedRows, binCount: number): TrainingSymbols {
  const binEnds = rows.numeric.map((column) => cutBins(column.subarray(0, rows.rowCount), binCount));
  const valueCounts = countValues(rows.layout, binEnds);
  const symbols = valueCounts.map((_, variable) => {
    const column = new Uint16Array(rows.rowCount);
    readSymbols(rows, binEnds, variable, 0, rows.rowCount, column);
    return column;
  });
  const counts = symbols.map((column, variable) => countSymbols(column, valueCounts[variable] as number));
  return { binEnds, valueCounts, rowCount: rows.rowCount, symbols, counts };
}

/**
 * Ends of bins with about equally many rows. A value that fills a bin of its own gets one, and nothing else is put in
 * it: devices send packets of the same few sizes. Inner ends lie between two values that were seen, so a bin is as wide
 * as the room around its values.
 */
function cutBins(numbers: Float32Array, binCount: number): Float32Array {
  const ascending = numbers.toSorted();
  const rowsOfBin = ascending.length / binCount;
  const ends = [ascending[0] as number];
  for (let at = 0, inBin = 0; at < ascending.length;) {
    const value = ascending[at] as number;
    let end = at;
    while (end < ascending.length && ascending[end] === value) end++;
    const count = end - at;
    if (inBin > 0 && (inBin >= rowsOfBin || count >= rowsOfBin)) {
      const before = ascending[at - 1] as number;
      // Rounded to float32 it may be the greater value, which belongs to the bin above.
      const middle = Math.fround((before + value) / 2);
      ends.push(middle < value ? middle : before);
      inBin = 0;
    }
    inBin += count;
    at = end;
  }
  ends.push(ascending.at(-1) as number);
  return Float32Array.from(ends);
}

/** Imaginary categories that share the probability of what was never seen, at least. */
const unseenKindsMin = 64;

/**
 * Probability of each value. Of every value that was seen a part of one row is taken away (absolute discounting, Ney,
 * Essen, Kneser 1994, with their estimate of the part), and shared by what was not seen: by bins evenly, and by as many
 * imaginary categories as make each of them less probable than any category that was seen.
 *
 * @param counts    [value]: training rows that have it
 * @param isNumber  its values are bins; else they are categories, the last of them the unseen one
 */
export function learnProbabilities(counts: Float64Array, isNumber: boolean): Probabilities {
  const valueCount = counts.length;
  const seenEnd = isNumber ? valueCount : valueCount - 1;
  const countsOf = (count: number): number =>
    counts.reduce((sum, of, value) => sum + Number(value < seenEnd && of === count), 0);
  const [once, twice] = [countsOf(1), countsOf(2)];
  const kinds = seenEnd - countsOf(0);
  const part = (once + 0.5) / (once + 2 * twice + 1);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const free = part * kinds / total;
  const unseenKinds = isNumber ? valueCount - kinds
    : Math.max(unseenKindsMin, Math.ceil(part * kinds / (1 - part)) + 1);
  const ofValue = counts.map((count, value) =>
    value < seenEnd && count > 0 ? (count - part) / total : free / unseenKinds);
  // Training rows whose category the encoder left out: which it was is not known, so they count as one category.
  if (!isNumber) ofValue[seenEnd] = (ofValue[seenEnd] as number) + (counts[seenEnd] as number) / total;
  return { ofValue, unseenKinds };
}

export type Probabilities = {
  /** [value]; of categories, the last is that of one imaginary category. */
  readonly ofValue: Float64Array;
  /** Values that share what is left for those not seen. */
  readonly unseenKinds: number;
};

function countSymbols(symbols: Uint16Array, valueCount: number): Float64Array {
  const counts = new Float64Array(valueCount);
  for (const symbol of symbols) counts[symbol] = (counts[symbol] as number) + 1;
  return counts;
}
