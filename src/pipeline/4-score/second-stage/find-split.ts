/**
 * The best split of a node by its histogram: numbers by a cut, missing ones on either side; categories by their mean
 * gradient, since the best of all divisions in two is a prefix of that order (Fisher 1958). For trainers only.
 */
import { binsMax, type BinnedFeature } from './bin-rows.ts';

export type SplitOptions = {
  /** Training rows that must go to each side. */
  readonly minSamplesLeaf: number;
  /** Added to the sum of slopes (Chen and Guestrin 2016, eq. 6: λ). */
  readonly l2: number;
  /** Slope that a category is thought to have beside its own, of mean gradient 0, when categories are put in order. */
  readonly categorySmoothing: number;
  /** Rows that a category of a node must have to speak for itself; at least 1. */
  readonly categoryRowsMin: number;
};

/** Sums of slopes below this are rounding, or rows that are sure already. */
const slopeMin = 1e-3;

/** The best split found, and what it needs while it is looked for; reused. */
export type SplitSearch = {
  /** Of a feature: gain above that of the node as a leaf; 0: no split. */
  gain: number;
  /** Last bin that goes left; of categories, how many of the order do. */
  bin: number;
  missingLeft: boolean;
  /** What goes left. */
  gradient: number;
  slope: number;
  count: number;
  /** Categories that the node has often enough, in order. */
  readonly order: Uint8Array;
  readonly keys: Float64Array;
};

export function createSplitSearch(): SplitSearch {
  return {
    gain: 0, bin: 0, missingLeft: false, gradient: 0, slope: 0, count: 0,
    order: new Uint8Array(binsMax), keys: new Float64Array(binsMax),
  };
}

/** Sums over all rows of a node. */
export type NodeSums = { readonly gradient: number; readonly slope: number; readonly count: number };

/** How much the loss falls, twice, when the rows of these sums are one leaf. @source Chen and Guestrin 2016, eq. 6 */
export function scoreLeaf(gradient: number, slope: number, l2: number): number {
  return gradient * gradient / (slope + l2);
}

/**
 * Finds the best split of a node on one feature.
 *
 * @param out  `gain` is 0 where there is none; else the split
 */
export function findSplit(
  histogram: Float64Array, feature: BinnedFeature, sums: NodeSums, options: SplitOptions, out: SplitSearch,
): void {
  out.gain = 0;
  if (feature.binOfCode !== undefined) {
    const count = orderCategories(histogram, feature, options, out);
    scanCategories(histogram, feature.firstBin, count, sums, options, out);
    // Rare categories lie on the far side of either scan; where there are none, both find the same.
    reverseOrder(out, count);
    const gain = out.gain;
    scanCategories(histogram, feature.firstBin, count, sums, options, out);
    if (out.gain === gain) reverseOrder(out, count);
    return;
  }
  const { firstBin, binCount, hasMissing } = feature;
  scanNumbers(histogram, firstBin, hasMissing ? binCount - 1 : binCount - 2, -1, sums, options, out);
  const missing = firstBin + binCount - 1;
  if (!hasMissing || histogram[missing * 3 + 2] === 0) return;
  scanNumbers(histogram, firstBin, binCount - 3, missing, sums, options, out);
}

/**
 * Tries a cut behind each bin up to the last one. A kernel.
 *
 * @param missing  bin of missing numbers that go left with all, or -1: they go right
 */
function scanNumbers(
  histogram: Float64Array, firstBin: number, lastBin: number, missing: number, sums: NodeSums,
  { minSamplesLeaf, l2 }: SplitOptions, out: SplitSearch,
): void {
  const { gradient, slope, count } = sums;
  const whole = scoreLeaf(gradient, slope, l2);
  let leftGradient = missing < 0 ? 0 : histogram[missing * 3] as number;
  let leftSlope = missing < 0 ? 0 : histogram[missing * 3 + 1] as number;
  let leftCount = missing < 0 ? 0 : histogram[missing * 3 + 2] as number;
  for (let bin = 0, at = firstBin * 3; bin <= lastBin; bin++, at += 3) {
    const inBin = histogram[at + 2] as number;
    // Behind an empty bin is the cut before it once more.
    if (inBin === 0) continue;
    leftGradient += histogram[at] as number;
    leftSlope += histogram[at + 1] as number;
    leftCount += inBin;
    if (leftCount < minSamplesLeaf) continue;
    if (count - leftCount < minSamplesLeaf) return;
    const rightSlope = slope - leftSlope;
    if (leftSlope < slopeMin || rightSlope < slopeMin) continue;
    const rightGradient = gradient - leftGradient;
    const gain = leftGradient * leftGradient / (leftSlope + l2) + rightGradient * rightGradient / (rightSlope + l2) -
      whole;
    if (gain <= out.gain) continue;
    out.gain = gain;
    out.bin = bin;
    out.missingLeft = missing >= 0;
    out.gradient = leftGradient;
    out.slope = leftSlope;
    out.count = leftCount;
  }
}

/**
 * Puts the categories of the node in order of their smoothed mean gradient; those of few rows do not speak
 * for themselves, lest a tree learn each row by heart: they go with the rest. A kernel.
 *
 * @returns how many there are
 */
function orderCategories(
  histogram: Float64Array, { firstBin, binCount }: BinnedFeature, { categorySmoothing, categoryRowsMin }: SplitOptions,
  { order, keys }: SplitSearch,
): number {
  let count = 0;
  for (let bin = 0, at = firstBin * 3; bin < binCount; bin++, at += 3) {
    if ((histogram[at + 2] as number) < categoryRowsMin) continue;
    order[count] = bin;
    keys[count] = (histogram[at] as number) / ((histogram[at + 1] as number) + categorySmoothing);
    count++;
  }
  // Shell's sort with the gaps of Ciura 2001; equal keys by bin, so that the order is only one.
  for (let gap = count > 132 ? 132 : count > 57 ? 57 : count > 23 ? 23 : count > 10 ? 10 : count > 4 ? 4 : 1;
    gap > 0; gap = gap === 132 ? 57 : gap === 57 ? 23 : gap === 23 ? 10 : gap === 10 ? 4 : gap === 4 ? 1 : 0) {
    for (let i = gap; i < count; i++) {
      const key = keys[i] as number;
      const bin = order[i] as number;
      let to = i;
      while (to >= gap) {
        const other = keys[to - gap] as number;
        if (other < key || (other === key && (order[to - gap] as number) < bin)) break;
        keys[to] = other;
        order[to] = order[to - gap] as number;
        to -= gap;
      }
      keys[to] = key;
      order[to] = bin;
    }
  }
  return count;
}

function reverseOrder({ order }: SplitSearch, count: number): void {
  for (let low = 0, high = count - 1; low < high; low++, high--) {
    const kept = order[low] as number;
    order[low] = order[high] as number;
    order[high] = kept;
  }
}

/** Tries each prefix of the order. A kernel. */
function scanCategories(
  histogram: Float64Array, firstBin: number, categoryCount: number, sums: NodeSums,
  { minSamplesLeaf, l2 }: SplitOptions, out: SplitSearch,
): void {
  const { gradient, slope, count } = sums;
  const { order } = out;
  const whole = scoreLeaf(gradient, slope, l2);
  let [leftGradient, leftSlope, leftCount] = [0, 0, 0];
  for (let i = 0; i < categoryCount; i++) {
    const at = (firstBin + (order[i] as number)) * 3;
    leftGradient += histogram[at] as number;
    leftSlope += histogram[at + 1] as number;
    leftCount += histogram[at + 2] as number;
    if (leftCount < minSamplesLeaf) continue;
    if (count - leftCount < minSamplesLeaf) return;
    const rightSlope = slope - leftSlope;
    if (leftSlope < slopeMin || rightSlope < slopeMin) continue;
    const rightGradient = gradient - leftGradient;
    const gain = leftGradient * leftGradient / (leftSlope + l2) + rightGradient * rightGradient / (rightSlope + l2) -
      whole;
    if (gain <= out.gain) continue;
    out.gain = gain;
    out.bin = i;
    out.missingLeft = false;
    out.gradient = leftGradient;
    out.slope = leftSlope;
    out.count = leftCount;
  }
}
