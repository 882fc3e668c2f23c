/**
 * Nodes of the trees that are being grown, in one set of arrays that get longer as needed; what scikit-learn calls a
 * tree, with its float64 thresholds. Only fitting needs it: a `FittedForest` is made of it.
 */
import { leafColumn } from './forest.ts';

const nodesAtFirst = 4096;

export class ForestNodes {
  count = 0;
  /** [node]: one-hot column, or `leafColumn`. */
  column = new Uint16Array(nodesAtFirst);
  /** [node]: rows whose value is not above it go left; 0 for leaves. */
  threshold = new Float64Array(nodesAtFirst);
  /** [node]: the right child, 0 for leaves. The left one is the next node. */
  right = new Uint32Array(nodesAtFirst);
  /** [node]: rows that reached it. */
  samples = new Uint16Array(nodesAtFirst);

  /** Makes room for so many nodes more. */
  reserve(nodes: number): void {
    const needed = this.count + nodes;
    if (needed <= this.column.length) return;
    const capacity = Math.max(needed, 2 * this.column.length);
    this.column = widen(this.column, new Uint16Array(capacity));
    this.threshold = widen(this.threshold, new Float64Array(capacity));
    this.right = widen(this.right, new Uint32Array(capacity));
    this.samples = widen(this.samples, new Uint16Array(capacity));
  }

  /** A leaf, until it is split. @returns the node */
  add(samples: number): number {
    const node = this.count++;
    this.column[node] = leafColumn;
    this.threshold[node] = 0;
    this.right[node] = 0;
    this.samples[node] = samples;
    return node;
  }
}

function widen<Column extends Uint16Array | Uint32Array | Float64Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
