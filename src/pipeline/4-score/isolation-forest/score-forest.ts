/**
 * Scores rows with an isolation forest (Liu, Ting, Zhou 2008): the readable twin of the scoring kernel, and what stands
 * in for it. Equal to scikit-learn's `score_samples`, negated, within 1e-12.
 */
import { type EncodedRows, oneHotColumnCount, type RowLayout } from '#feature';
import { assertSameLayout } from '../same-layout.ts';
import { type FittedForest, leafColumn } from './forest.ts';
import { lengthsBelow, pathGrid, scorePathSums, usualPathSum } from './path-grid.ts';

/** What a forest is made of. */
export type ForestParts = Omit<FittedForest, 'algorithm' | 'score'>;

/** The detector of a forest's arrays. @param parts  sound, and never changed again */
export function createForest(parts: ForestParts): FittedForest {
  const { layout, treeStart, maxSamples } = parts;
  const columns = describeColumns(layout);
  // Only when this readable code is asked: the kernel makes its own.
  let lengths: Float64Array | undefined;
  const usualSum = usualPathSum(treeStart.length - 1, maxSamples);
  return {
    ...parts,
    algorithm: 'isolation-forest',
    score: (rows, out) => {
      assertSameLayout(rows, layout);
      lengths ??= measurePaths(parts);
      out.fill(0, 0, rows.rowCount);
      for (let tree = 0; tree + 1 < treeStart.length; tree++) addPaths(parts, tree, columns, lengths, rows, out);
      scorePathSums(out, rows.rowCount, usualSum);
    },
  };
}

type Columns = {
  /** [one-hot column]: the numeric or the categorical feature that it belongs to. */
  readonly feature: Uint16Array;
  /** [one-hot column]: its category; -1 for numbers. */
  readonly code: Int32Array;
};

function describeColumns({ numericCount, categoryCounts }: RowLayout): Columns {
  const count = oneHotColumnCount({ numericCount, categoryCounts });
  const columns = { feature: new Uint16Array(count), code: new Int32Array(count).fill(-1) };
  for (let column = 0; column < numericCount; column++) columns.feature[column] = column;
  let column = numericCount;
  categoryCounts.forEach((categoryCount, feature) => {
    for (let code = 0; code < categoryCount; code++, column++) {
      columns.feature[column] = feature;
      columns.code[column] = code;
    }
  });
  return columns;
}

/** [node]: length of the path that ends in a leaf. A parent comes before its children. */
function measurePaths({ treeStart, column, right, samples, maxSamples }: ForestParts): Float64Array {
  const below = lengthsBelow(maxSamples, pathGrid(treeStart.length - 1));
  const depths = new Uint16Array(column.length);
  const lengths = new Float64Array(column.length);
  for (let node = 0; node < column.length; node++) {
    const depth = depths[node] as number;
    if (column[node] === leafColumn) {
      lengths[node] = depth + (below[samples[node] as number] as number);
      continue;
    }
    depths[node + 1] = depth + 1;
    depths[right[node] as number] = depth + 1;
  }
  return lengths;
}

/** Adds one tree's path of every row. @param sums  [rowCount] */
function addPaths(forest: ForestParts, tree: number, columns: Columns, lengths: Float64Array, rows: EncodedRows,
  sums: Float64Array): void {
  const { column, threshold, right } = forest;
  const { numeric, codes, rowCount } = rows;
  const root = forest.treeStart[tree] as number;
  for (let row = 0; row < rowCount; row++) {
    let node = root;
    for (let at = column[node] as number; at !== leafColumn; at = column[node] as number) {
      const feature = columns.feature[at] as number;
      const code = columns.code[at] as number;
      const value = code < 0 ? (numeric[feature] as Float32Array)[row] as number
        : (codes[feature] as Uint16Array)[row] === code ? 1 : 0;
      // Written so that what is not a number goes right, as it does in scikit-learn's trees.
      node = value <= (threshold[node] as number) ? node + 1 : right[node] as number;
    }
    sums[row] = (sums[row] as number) + (lengths[node] as number);
  }
}
