/**
 * Log-odds of rows by boosted trees: the readable form, and fast enough for what asks it, for only flows that show a
 * token do. Nodes by index, no recursion.
 */
import { assertInvariant } from '#base';
import type { EncodedRows } from '#feature';
import { assertSameLayout } from '../same-layout.ts';
import { leafFeature, type BoostedTrees } from './boosted-trees.ts';

type Nodes = Pick<BoostedTrees,
  'layout' | 'feature' | 'threshold' | 'missingLeft' | 'codeSetAt' | 'codeSets' | 'left'>;

/**
 * Log-odds of every row; higher is more like the device model.
 *
 * @param trees  read only
 * @param rows   read only; encoded by the classifier's own encoder
 * @param out    [rowCount]; overwritten
 * @throws InvariantError  rows of another layout, or no room
 * @source Friedman 2001, eq. 10 and algorithm 5
 */
export function predictBoostedTrees(trees: BoostedTrees, rows: EncodedRows, out: Float64Array): void {
  assertSameLayout(rows, trees.layout);
  assertInvariant(out.length >= rows.rowCount, 'no room for the log-odds of all rows');
  for (let row = 0; row < rows.rowCount; row++) out[row] = sumTrees(trees, rows, row);
}

/**
 * The same of one row: where few of a batch are asked for.
 *
 * @throws InvariantError  a row that is not there, or rows of another layout
 */
export function logOddsOf(trees: BoostedTrees, rows: EncodedRows, row: number): number {
  assertSameLayout(rows, trees.layout);
  assertInvariant(row < rows.rowCount, 'a row that is not there was to be scored');
  return sumTrees(trees, rows, row);
}

function sumTrees(trees: BoostedTrees, rows: EncodedRows, row: number): number {
  const { roots, threshold } = trees;
  let sum = trees.base;
  for (let tree = 0; tree < roots.length; tree++) {
    sum += threshold[findLeaf(trees, roots[tree] as number, rows, row)] as number;
  }
  return sum;
}

/** Node of the leaf that a row ends in. @param root  first node of the tree */
export function findLeaf(nodes: Nodes, root: number, rows: EncodedRows, row: number): number {
  const { layout: { numericCount }, feature, threshold, missingLeft, codeSetAt, codeSets, left } = nodes;
  let node = root;
  for (;;) {
    const asked = feature[node] as number;
    if (asked === leafFeature) return node;
    let goesLeft: boolean;
    if (asked < numericCount) {
      const value = (rows.numeric[asked] as Float32Array)[row] as number;
      goesLeft = Number.isNaN(value) ? missingLeft[node] === 1 : value <= (threshold[node] as number);
    } else {
      const code = (rows.codes[asked - numericCount] as Uint16Array)[row] as number;
      const word = codeSets[(codeSetAt[node] as number) + (code >>> 5)] as number;
      goesLeft = ((word >>> (code & 31)) & 1) === 1;
    }
    node = (left[node] as number) + (goesLeft ? 0 : 1);
  }
}
