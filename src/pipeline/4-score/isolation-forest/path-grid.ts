/**
 * Path lengths on a grid so fine that it does not matter (2^-40 for 100 trees) and so coarse that their sum over all
 * trees is exact in a double. So the sum does not depend on the order of adding, and the kernel and the readable code
 * give the same score to the last bit. Scores differ from unrounded ones by less than 1e-13.
 */
import { averagePathLength } from './forest.ts';

/** A path is at most this long: depth and c(n) of a tree grown on 65,535 rows or fewer. */
const pathLengthMax = 64;
const doubleBits = 52;

/** Steps of the grid in one unit of path length. */
export function pathGrid(treeCount: number): number {
  return 2 ** (doubleBits - Math.ceil(Math.log2(Math.max(treeCount, 1) * pathLengthMax)));
}

/**
 * [0 … samplesMax]: what a tree of so many rows would add to the path that ends in a leaf of them, on the grid. The
 * path is its leaf's depth and this.
 */
export function lengthsBelow(samplesMax: number, grid: number): Float64Array {
  const lengths = new Float64Array(samplesMax + 1);
  for (let samples = 2; samples <= samplesMax; samples++) {
    lengths[samples] = Math.round(averagePathLength(samples) * grid) / grid;
  }
  return lengths;
}

/** Sum over all trees of the path that is usual, which makes a score of one half. */
export function usualPathSum(treeCount: number, maxSamples: number): number {
  return treeCount * averagePathLength(maxSamples);
}

/**
 * Anomaly scores of sums of path lengths: 2^(−sum / usual sum) (Liu, Ting, Zhou 2008, eq. 2).
 *
 * @param sums  [rowCount]; overwritten by the scores
 */
export function scorePathSums(sums: Float64Array, rowCount: number, usualSum: number): void {
  // Trees of a single row have no usual length; scikit-learn 1.2.1 gives every row half then.
  if (usualSum === 0) sums.fill(0.5, 0, rowCount);
  else for (let row = 0; row < rowCount; row++) sums[row] = 2 ** (-(sums[row] as number) / usualSum);
}
