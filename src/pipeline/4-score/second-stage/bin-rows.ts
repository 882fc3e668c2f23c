/**
 * Training rows of boosted trees in bins: at most 255 a feature, so that a split is looked for among bins instead of
 * values (Ke et al. 2017, LightGBM, algorithm 1). Rows that fall into the same bins become one: flows repeat each
 * other, and no tree can tell such rows apart. For trainers only.
 */
import { assertInvariant } from '#base';
import type { EncodedRows, RowLayout } from '#feature';

/** Bins of one feature, that of missing numbers among them. */
export const binsMax = 255;

/** In `binOfCode`: no training row has the code. */
export const noBin = 255;

export type BinnedFeature = {
  /** Index in the layout: numeric features count first. */
  readonly feature: number;
  /** Where its bins begin among those of all features. */
  readonly firstBin: number;
  readonly binCount: number;
  /** Numeric: [bin of numbers]: what its numbers are at most. The last one is infinity. Categorical: empty. */
  readonly ends: Float32Array;
  /** Numeric: the last bin is that of missing numbers. */
  readonly hasMissing: boolean;
  /** Categorical: [code]: its bin, or `noBin`. The rarest codes share the last bin where there are too many. */
  readonly binOfCode: Uint8Array | undefined;
};

export type BinnedRows = {
  readonly layout: RowLayout;
  /** Those that training rows differ in. */
  readonly features: readonly BinnedFeature[];
  /** Bins of all features. */
  readonly binCount: number;
  /** Distinct rows. */
  readonly rowCount: number;
  /** [row × features.length]: bin among those of all features, row by row. */
  readonly bins: Uint16Array;
  /** [feature × rowCount]: bin among the feature's own, feature by feature: for who looks at one feature alone. */
  readonly columns: Uint8Array;
  /** [row]: training rows that it stands for. */
  readonly counts: Float64Array;
  /** [row]: weight of these, and of those with label 1 among them. */
  readonly weights: Float64Array;
  readonly ownWeights: Float64Array;
};

/**
 * Puts rows in bins.
 *
 * @param rows     read only
 * @param labels   [rowCount]: 1 or 0
 * @param weights  [rowCount], or undefined: all 1
 * @param binMax   bins of one feature: 2 … 255
 */
export function binRows(
  rows: EncodedRows, labels: Uint8Array, weights: Float64Array | undefined, binMax: number,
): BinnedRows {
  const { layout, rowCount } = rows;
  const features: BinnedFeature[] = [];
  let binCount = 0;
  const keep = (made: Omit<BinnedFeature, 'firstBin'>): void => {
    if (made.binCount < 2) return;
    features.push({ ...made, firstBin: binCount });
    binCount += made.binCount;
  };
  rows.numeric.forEach((column, feature) => keep(binNumbers(column.subarray(0, rowCount), feature, binMax)));
  rows.codes.forEach((column, i) => keep(
    binCodes(column.subarray(0, rowCount), layout.categoryCounts[i] as number, layout.numericCount + i, binMax)));
  assertInvariant(binCount <= 0x1_0000, 'more bins than the index of a bin can name');
  const width = features.length;
  const bins = new Uint16Array(rowCount * width);
  features.forEach((binned, at) => {
    const { feature, binOfCode } = binned;
    const place = { at, width, rowCount };
    if (binOfCode === undefined) fillNumbers(rows.numeric[feature] as Float32Array, binned, bins, place);
    else fillCodes(rows.codes[feature - layout.numericCount] as Uint16Array, binned, bins, place);
  });
  const merged = mergeRows(bins, width, labels.subarray(0, rowCount), weights);
  return { layout, features, binCount, ...merged, columns: turnBins(merged.bins, merged.rowCount, features) };
}

/** Bins of equal numbers where these are few; else of about as many rows each, and a frequent number by itself. */
function binNumbers(column: Float32Array, feature: number, binMax: number): Omit<BinnedFeature, 'firstBin'> {
  const sorted = column.filter((value) => !Number.isNaN(value)).sort();
  const hasMissing = sorted.length < column.length;
  const values: number[] = [];
  const counts: number[] = [];
  for (let at = 0; at < sorted.length;) {
    const value = sorted[at] as number;
    const first = at;
    while (at < sorted.length && sorted[at] === value) at++;
    values.push(value);
    counts.push(at - first);
  }
  const ends: number[] = [];
  let rowsLeft = sorted.length;
  let inBin = 0;
  let share = rowsLeft / (binMax - Number(hasMissing));
  for (let i = 0; i < values.length; i++) {
    inBin += counts[i] as number;
    const binsLeft = binMax - Number(hasMissing) - ends.length;
    const areFew = values.length - i <= binsLeft;
    const isNextFrequent = (counts[i + 1] ?? 0) >= share;
    if (i + 1 < values.length && (binsLeft === 1 || !(areFew || inBin >= share || isNextFrequent))) continue;
    ends.push(i + 1 < values.length ? cutBetween(values[i] as number, values[i + 1] as number) : Infinity);
    rowsLeft -= inBin;
    inBin = 0;
    share = rowsLeft / Math.max(1, binsLeft - 1);
  }
  return {
    feature, hasMissing, binCount: ends.length + Number(hasMissing), ends: Float32Array.from(ends),
    binOfCode: undefined,
  };
}

/** The middle of two numbers as float32: at least the lower, less than the higher. */
function cutBetween(low: number, high: number): number {
  const middle = Math.fround(low / 2 + high / 2);
  return middle >= low && middle < high ? middle : low;
}

function binCodes(
  column: Uint16Array, categoryCount: number, feature: number, binMax: number,
): Omit<BinnedFeature, 'firstBin'> {
  const counts = new Uint32Array(categoryCount + 1);
  for (let row = 0; row < column.length; row++) {
    const code = column[row] as number;
    assertInvariant(code <= categoryCount, 'a code that the layout does not have');
    counts[code] = (counts[code] as number) + 1;
  }
  const shown = [...counts.keys()].filter((code) => counts[code] !== 0);
  const binOfCode = new Uint8Array(categoryCount + 1).fill(noBin);
  const byRows = shown.length <= binMax ? shown
    : shown.toSorted((a, b) => (counts[b] as number) - (counts[a] as number) || a - b);
  byRows.forEach((code, i) => {
    binOfCode[code] = Math.min(i, binMax - 1);
  });
  return {
    feature, hasMissing: false, binCount: Math.min(shown.length, binMax), ends: new Float32Array(0), binOfCode,
  };
}

type Place = { readonly at: number; readonly width: number; readonly rowCount: number };

/** A kernel. */
function fillNumbers(
  column: Float32Array, { firstBin, ends, binCount }: BinnedFeature, out: Uint16Array, { at, width, rowCount }: Place,
): void {
  const last = ends.length - 1;
  let [before, beforeBin] = [Number.NaN, 0];
  for (let row = 0, to = at; row < rowCount; row++, to += width) {
    const value = column[row] as number;
    // Flows come in runs of the same number.
    if (value !== before) {
      let [low, high] = [0, last];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (value <= (ends[middle] as number)) high = middle;
        else low = middle + 1;
      }
      [before, beforeBin] = [value, Number.isNaN(value) ? binCount - 1 : low];
    }
    out[to] = firstBin + beforeBin;
  }
}

/** A kernel. */
function fillCodes(
  column: Uint16Array, { firstBin, binOfCode }: BinnedFeature, out: Uint16Array, { at, width, rowCount }: Place,
): void {
  const bins = binOfCode as Uint8Array;
  for (let row = 0, to = at; row < rowCount; row++, to += width) {
    out[to] = firstBin + (bins[column[row] as number] as number);
  }
}

/** Row by row to feature by feature. */
function turnBins(bins: Uint16Array, rowCount: number, features: readonly BinnedFeature[]): Uint8Array {
  const width = features.length;
  const columns = new Uint8Array(rowCount * width);
  features.forEach(({ firstBin }, at) => {
    for (let row = 0, from = at, to = at * rowCount; row < rowCount; row++, from += width, to++) {
      columns[to] = (bins[from] as number) - firstBin;
    }
  });
  return columns;
}

/** Makes equal rows one, in the order of their first; the rows themselves move to the front. */
function mergeRows(
  bins: Uint16Array, width: number, labels: Uint8Array, weights: Float64Array | undefined,
): Pick<BinnedRows, 'rowCount' | 'bins' | 'counts' | 'weights' | 'ownWeights'> {
  const all = labels.length;
  const slotBits = Math.max(4, 33 - Math.clz32(all));
  const slots = new Uint32Array(2 ** slotBits);
  const counts = new Float64Array(all);
  const sums = new Float64Array(all);
  const ownSums = new Float64Array(all);
  let rowCount = 0;
  for (let row = 0; row < all; row++) {
    const from = row * width;
    let hash = 0;
    for (let i = 0; i < width; i++) hash = Math.imul(hash ^ (bins[from + i] as number), 0x9e37_79b1) ^ (hash >>> 15);
    let slot = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b) >>> (32 - slotBits);
    let merged = slots[slot] as number;
    while (merged !== 0 && !isSameRow(bins, (merged - 1) * width, from, width)) {
      slot = (slot + 1) & (slots.length - 1);
      merged = slots[slot] as number;
    }
    if (merged === 0) {
      bins.copyWithin(rowCount * width, from, from + width);
      slots[slot] = merged = ++rowCount;
    }
    const weight = weights === undefined ? 1 : weights[row] as number;
    counts[merged - 1] = (counts[merged - 1] as number) + 1;
    sums[merged - 1] = (sums[merged - 1] as number) + weight;
    if (labels[row] === 1) ownSums[merged - 1] = (ownSums[merged - 1] as number) + weight;
  }
  return {
    rowCount, bins: bins.subarray(0, rowCount * width), counts: counts.subarray(0, rowCount),
    weights: sums.subarray(0, rowCount), ownWeights: ownSums.subarray(0, rowCount),
  };
}

function isSameRow(bins: Uint16Array, a: number, b: number, width: number): boolean {
  for (let i = 0; i < width; i++) if (bins[a + i] !== bins[b + i]) return false;
  return true;
}
