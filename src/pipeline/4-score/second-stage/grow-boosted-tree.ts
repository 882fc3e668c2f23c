/**
 * Grows one tree of boosted trees leaf by leaf: the leaf whose split gains most is split next, until there are as many
 * leaves as there may be (Shi 2007; Ke et al. 2017). Only the smaller child of a split is counted: the larger one's
 * histogram is the parent's less the smaller one's. For trainers only.
 */
import { noBin, type BinnedFeature, type BinnedRows } from './bin-rows.ts';
import { createSplitSearch, findSplit, type NodeSums, type SplitOptions, type SplitSearch } from './find-split.ts';
import { binNumbers, fillHistogram, subtractHistogram } from './histograms.ts';

export type GrowOptions = SplitOptions & {
  readonly maxLeaves: number;
};

/** Sides of all bins of a feature, and of codes without one. */
const sidesOfNode = 256;

/** A grown node; reused for one tree after the other. */
export type GrownNode = {
  /** Rows of it: from `first` to `end` of the order. */
  first: number;
  end: number;
  sums: NodeSums;
  /** Where its histogram is, or -1. */
  slot: number;
  /** Best split: what it gains, 0 where there is none; the feature's place among the binned ones. */
  gain: number;
  feature: number;
  bin: number;
  missingLeft: boolean;
  left: NodeSums;
  /** Its left child, once it is split; the right one follows. Else 0. */
  child: number;
};

/** What trees are grown with: reused for all, so that growing allocates next to nothing. */
export type Grower = {
  readonly rows: BinnedRows;
  readonly options: GrowOptions;
  readonly nodes: readonly GrownNode[];
  nodeCount: number;
  /** Rows, those of one leaf together. */
  readonly order: Uint32Array;
  /** 0, 1, 2 … */
  readonly identity: Uint32Array;
  readonly moved: Uint32Array;
  /** [row × 3]: gradient, slope, rows. */
  readonly rowSums: Float64Array;
  readonly histograms: readonly Float64Array[];
  /** [node × 256]: 1 for a bin of its split that goes left. */
  readonly sides: Uint8Array;
  readonly search: SplitSearch;
};

const nothing: NodeSums = { gradient: 0, slope: 0, count: 0 };

export function createGrower(rows: BinnedRows, options: GrowOptions): Grower {
  const { rowCount, binCount } = rows;
  const nodesMax = 2 * options.maxLeaves - 1;
  return {
    rows, options, nodeCount: 0, order: new Uint32Array(rowCount), moved: new Uint32Array(rowCount),
    identity: Uint32Array.from({ length: rowCount }, (_, row) => row),
    nodes: Array.from({ length: nodesMax }, () => ({
      first: 0, end: 0, sums: nothing, slot: -1, gain: 0, feature: 0, bin: 0, missingLeft: false,
      left: nothing, child: 0,
    })),
    rowSums: new Float64Array(rowCount * binNumbers),
    histograms: Array.from({ length: options.maxLeaves }, () => new Float64Array(binCount * binNumbers)),
    sides: new Uint8Array(nodesMax * sidesOfNode), search: createSplitSearch(),
  };
}

/** Sides of a node's bins: 1 for left. @param node  that was split */
export function sidesOf({ sides }: Grower, node: number): Uint8Array {
  return sides.subarray(node * sidesOfNode, (node + 1) * sidesOfNode);
}

/** Grows a tree on the row sums in place. @param grower  its nodes and order are overwritten */
export function growTree(grower: Grower): void {
  const { rows, options, nodes, order, rowSums, histograms } = grower;
  order.set(grower.identity);
  placeNode(nodes[0] as GrownNode, 0, order.length, sumRows(rowSums));
  grower.nodeCount = 1;
  const root = nodes[0] as GrownNode;
  if (canSplit(root, options)) {
    root.slot = 0;
    fillHistogram(histograms[0] as Float64Array, rows.bins, rows.features.length, order, 0, order.length, rowSums);
    findBestSplit(grower, 0);
  }
  for (let leaves = 1; leaves < options.maxLeaves; leaves++) {
    const at = chooseLeaf(grower);
    if (at < 0) return;
    splitLeaf(grower, at, leaves);
  }
}

function placeNode(node: GrownNode, first: number, end: number, sums: NodeSums): void {
  node.first = first;
  node.end = end;
  node.sums = sums;
  node.slot = -1;
  node.gain = 0;
  node.child = 0;
}

function sumRows(rowSums: Float64Array): NodeSums {
  let [gradient, slope, count] = [0, 0, 0];
  for (let at = 0; at < rowSums.length; at += binNumbers) {
    gradient += rowSums[at] as number;
    slope += rowSums[at + 1] as number;
    count += rowSums[at + 2] as number;
  }
  return { gradient, slope, count };
}

function canSplit({ sums: { count }, first, end }: GrownNode, options: GrowOptions): boolean {
  return count >= 2 * options.minSamplesLeaf && end - first > 1;
}

/** The leaf whose split gains most, the first of equal ones; -1 when none gains anything. */
function chooseLeaf({ nodes, nodeCount }: Grower): number {
  let [best, gain] = [-1, 0];
  for (let at = 0; at < nodeCount; at++) {
    const node = nodes[at] as GrownNode;
    if (node.child !== 0 || node.gain <= gain) continue;
    [best, gain] = [at, node.gain];
  }
  return best;
}

/** @param leaves  how many there are: the number of the first free histogram */
function splitLeaf(grower: Grower, at: number, leaves: number): void {
  const { rows, options, nodes, order, rowSums, histograms } = grower;
  const node = nodes[at] as GrownNode;
  const middle = moveRows(grower, at);
  node.child = grower.nodeCount;
  grower.nodeCount += 2;
  const { sums: { gradient, slope, count }, left: leftSums } = node;
  const left = nodes[node.child] as GrownNode;
  const right = nodes[node.child + 1] as GrownNode;
  placeNode(left, node.first, middle, leftSums);
  placeNode(right, middle, node.end, {
    gradient: gradient - leftSums.gradient, slope: slope - leftSums.slope, count: count - leftSums.count,
  });
  const isLast = leaves + 1 === options.maxLeaves;
  if (isLast || !(canSplit(left, options) || canSplit(right, options))) return;
  const isLeftSmaller = left.end - left.first <= right.end - right.first;
  const [smaller, larger] = isLeftSmaller ? [left, right] : [right, left];
  smaller.slot = leaves;
  larger.slot = node.slot;
  const counted = histograms[smaller.slot] as Float64Array;
  fillHistogram(counted, rows.bins, rows.features.length, order, smaller.first, smaller.end, rowSums);
  subtractHistogram(histograms[larger.slot] as Float64Array, counted);
  if (canSplit(left, options)) findBestSplit(grower, node.child);
  if (canSplit(right, options)) findBestSplit(grower, node.child + 1);
}

/** Puts the rows that go left before the others, each side in order. @returns where the others begin */
function moveRows({ rows, nodes, order, moved, sides }: Grower, at: number): number {
  const { first, end, feature } = nodes[at] as GrownNode;
  const { columns } = rows;
  const column = feature * rows.rowCount;
  const side = at * sidesOfNode;
  let to = first;
  let held = 0;
  for (let i = first; i < end; i++) {
    const row = order[i] as number;
    // Written to both sides, and only one of them is gone on from: a branch would be wrong every other time.
    const isLeft = sides[side + (columns[column + row] as number)] as number;
    order[to] = row;
    moved[held] = row;
    to += isLeft;
    held += 1 - isLeft;
  }
  order.set(moved.subarray(0, held), to);
  return to;
}

/** Finds the best split of a node on any feature, the first of equal ones. */
function findBestSplit(grower: Grower, at: number): void {
  const { rows: { features }, options, nodes, histograms, search } = grower;
  const node = nodes[at] as GrownNode;
  const histogram = histograms[node.slot] as Float64Array;
  for (let place = 0; place < features.length; place++) {
    const feature = features[place] as BinnedFeature;
    findSplit(histogram, feature, node.sums, options, search);
    if (search.gain <= node.gain) continue;
    node.gain = search.gain;
    node.feature = place;
    node.bin = search.bin;
    node.left = { gradient: search.gradient, slope: search.slope, count: search.count };
    const isMoreLeft = search.count * 2 >= node.sums.count;
    if (feature.binOfCode !== undefined) {
      fillCategorySides(sidesOf(grower, at), search, isMoreLeft, histogram, feature);
      continue;
    }
    const missing = feature.hasMissing ? (feature.firstBin + feature.binCount - 1) * binNumbers + 2 : -1;
    const isMissingSeen = missing >= 0 && histogram[missing] !== 0;
    // A missing number that the node never saw goes where most rows go.
    node.missingLeft = isMissingSeen ? search.missingLeft : isMoreLeft;
    fillNumberSides(sidesOf(grower, at), node, feature);
  }
}

function fillNumberSides(sides: Uint8Array, { bin, missingLeft }: GrownNode, feature: BinnedFeature): void {
  sides.fill(0);
  sides.fill(1, 0, bin + 1);
  if (feature.hasMissing) sides[feature.binCount - 1] = Number(missingLeft);
}

/** A category that the node never saw goes where most rows go. */
function fillCategorySides(
  sides: Uint8Array, { order, bin }: SplitSearch, isMoreLeft: boolean, histogram: Float64Array,
  { firstBin, binCount }: BinnedFeature,
): void {
  sides.fill(0);
  if (isMoreLeft) {
    for (let other = 0; other < binCount; other++) {
      if (histogram[(firstBin + other) * binNumbers + 2] === 0) sides[other] = 1;
    }
    sides[noBin] = 1;
  }
  for (let i = 0; i <= bin; i++) sides[order[i] as number] = 1;
}
