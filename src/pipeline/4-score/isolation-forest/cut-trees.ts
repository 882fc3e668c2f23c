/**
 * Cuts the trees of a forest into pieces of at most 64 leaves, so that the leaves of a piece that a row may fall into
 * are the bits of one word. A piece is the whole tree in which all that lies outside of a run of leaves has shrunk to
 * leaves of no length: of all pieces of a tree, one gives a row its path length and the others give nothing.
 *
 * Runs whenever a classifier is loaded: plain arrays of numbers, no objects.
 */
import { type FittedForest, leafColumn } from './forest.ts';
import { lengthsBelow } from './path-grid.ts';

export const leavesPerPiece = 64;
/** Deepest leaf: ceil(log2(65,535)) is 16, and what is read from bytes is held to that. */
const depthMax = 63;

/** Nodes of pieces: a row that is above the threshold cannot reach the leaves on the node's left. */
export type PieceNodes = {
  count: number;
  readonly column: Uint16Array;
  readonly threshold: Float32Array;
  readonly piece: Uint32Array;
  /** [2 × node]: bits of the leaves that stay, the lower word, the upper one. */
  readonly kept: Uint32Array;
};

export type Pieces = {
  readonly count: number;
  /** [count × 64]: index of each leaf's path length. */
  readonly leaves: Uint16Array;
  /** Different path lengths; the first is zero, for what lies in other pieces. */
  readonly lengths: readonly number[];
  readonly nodes: PieceNodes;
};

/** Pieces that a forest may have at most: the leaves that stand for what is outside take less than half of one. */
export function pieceCountMax({ column, treeStart }: FittedForest): number {
  return treeStart.length + Math.ceil(column.length / 2 / (leavesPerPiece / 2));
}

/** @param grid  of path lengths */
export function cutTrees(forest: FittedForest, grid: number): Pieces {
  const cutter = new TreeCutter(forest, grid);
  for (let tree = 0; tree + 1 < forest.treeStart.length; tree++) cutter.cut(forest.treeStart[tree] as number);
  return cutter.finish();
}

class TreeCutter {
  readonly #forest: FittedForest;
  readonly #lengthsBelow: Float64Array;
  readonly #leaves: Uint16Array;
  readonly #lengths: number[] = [0];
  /** [depth × (maxSamples + 1) + rows of a leaf]: index of its length, 0 for none yet. */
  readonly #known: Uint16Array;
  readonly #nodes: PieceNodes;
  /** Leaves below each node of the tree at hand. */
  readonly #below: Uint32Array;
  #count = 0;
  /** The run of leaves of the piece at hand, and the next bit of it. */
  #first = 0;
  #end = 0;
  #bit = 0;

  constructor(forest: FittedForest, grid: number) {
    this.#forest = forest;
    this.#lengthsBelow = lengthsBelow(forest.maxSamples, grid);
    this.#known = new Uint16Array((depthMax + 1) * (forest.maxSamples + 1));
    this.#below = new Uint32Array(forest.column.length);
    const piecesMax = pieceCountMax(forest);
    const nodesMax = Math.ceil(forest.column.length / 2) + piecesMax * leavesPerPiece;
    this.#leaves = new Uint16Array(piecesMax * leavesPerPiece);
    this.#nodes = {
      count: 0, column: new Uint16Array(nodesMax), threshold: new Float32Array(nodesMax),
      piece: new Uint32Array(nodesMax), kept: new Uint32Array(nodesMax * 2),
    };
  }

  cut(root: number): void {
    const leaves = this.#countLeaves(root);
    for (this.#first = 0; this.#first < leaves; this.#first = this.#end) {
      this.#end = Math.min(leaves, this.#first + leavesPerPiece);
      if (leaves > leavesPerPiece) while (this.#size(root, 0) > leavesPerPiece) this.#end--;
      this.#bit = 0;
      this.#addNode(root, 0, 0);
      this.#count++;
    }
  }

  finish(): Pieces {
    return { count: this.#count, leaves: this.#leaves, lengths: this.#lengths, nodes: this.#nodes };
  }

  #countLeaves(node: number): number {
    const { column, right } = this.#forest;
    const count = column[node] === leafColumn ? 1
      : this.#countLeaves(node + 1) + this.#countLeaves(right[node] as number);
    this.#below[node] = count;
    return count;
  }

  /** Leaves of the piece at hand, those that stand for what is outside too. @param at  first leaf below the node */
  #size(node: number, at: number): number {
    const below = this.#below[node] as number;
    if (at >= this.#end || at + below <= this.#first || below === 1) return 1;
    if (at >= this.#first && at + below <= this.#end) return below;
    const middle = at + (this.#below[node + 1] as number);
    return this.#size(node + 1, at) + this.#size(this.#forest.right[node] as number, middle);
  }

  #addNode(node: number, depth: number, at: number): void {
    const { column, threshold, right } = this.#forest;
    const below = this.#below[node] as number;
    const isOutside = at >= this.#end || at + below <= this.#first;
    if (isOutside || column[node] === leafColumn) {
      this.#leaves[this.#count * leavesPerPiece + this.#bit++] = isOutside ? 0 : this.#indexLength(node, depth);
      return;
    }
    const lowest = this.#bit;
    this.#addNode(node + 1, depth + 1, at);
    const nodes = this.#nodes;
    const i = nodes.count++;
    nodes.column[i] = column[node] as number;
    nodes.threshold[i] = threshold[node] as number;
    nodes.piece[i] = this.#count;
    nodes.kept[2 * i] = ~(bitsBelow(this.#bit) & ~bitsBelow(lowest));
    nodes.kept[2 * i + 1] = ~(bitsBelow(this.#bit - 32) & ~bitsBelow(lowest - 32));
    this.#addNode(right[node] as number, depth + 1, at + (this.#below[node + 1] as number));
  }

  #indexLength(node: number, depth: number): number {
    const samples = this.#forest.samples[node] as number;
    const key = depth * (this.#forest.maxSamples + 1) + samples;
    const known = this.#known[key] as number;
    if (known !== 0) return known;
    const index = this.#lengths.push(depth + (this.#lengthsBelow[samples] as number)) - 1;
    this.#known[key] = index;
    return index;
  }
}

/** The lower bits of a word of 32: none below 0, all from 32 on. */
function bitsBelow(end: number): number {
  if (end <= 0) return 0;
  return end >= 32 ? -1 : (1 << end) - 1;
}
