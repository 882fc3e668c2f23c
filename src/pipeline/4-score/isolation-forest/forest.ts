/**
 * An isolation forest as a value (Liu, Ting, Zhou 2008, "Isolation Forest"): nodes of all trees in one set of arrays,
 * in preorder, left child first. Columns are those of the one-hot form (`expandOneHot`).
 */
import type { FittedDetector } from '../detector.ts';

/** In place of a column: the node is a leaf. */
export const leafColumn = 0xffff;

/** Stands for any threshold between 0 and 1: all of them part "this category" from "another one". */
export const oneHotThreshold = 0.5;

export type FittedForest = FittedDetector & {
  readonly algorithm: 'isolation-forest';
  /** Rows that each tree was grown on. */
  readonly maxSamples: number;
  /** [treeCount + 1]: first node of each tree, and the number of all nodes. */
  readonly treeStart: Uint32Array;
  /** [nodeCount]: one-hot column that the node splits on, or `leafColumn`. */
  readonly column: Uint16Array;
  /**
   * [nodeCount]: a row goes left (to the next node) iff its value is not above. The largest float32 that is not above
   * scikit-learn's float64 threshold: rows are float32, so the comparison is the same. `oneHotThreshold` where the
   * column is a category, 0 for leaves.
   */
  readonly threshold: Float32Array;
  /** [nodeCount]: the right child, 0 for leaves. */
  readonly right: Uint32Array;
  /** [nodeCount]: training rows that reached the node, 1 … maxSamples. */
  readonly samples: Uint16Array;
};

const eulerGamma = 0.5772156649015329;

/**
 * Average path length of an unsuccessful search among n rows (Liu, Ting, Zhou 2008, eq. 1; scikit-learn's rounding).
 */
export function averagePathLength(n: number): number {
  if (n <= 1) return 0;
  if (n === 2) return 1;
  return 2 * (Math.log(n - 1) + eulerGamma) - 2 * (n - 1) / n;
}
