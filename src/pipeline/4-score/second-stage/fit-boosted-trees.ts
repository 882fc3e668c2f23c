/**
 * Fits boosted trees to rows of two kinds by their log loss (Friedman 2001, algorithm 5, with Newton steps as in Chen
 * and Guestrin 2016): each tree on what the trees before it leave over. Histogram-based and leaf by leaf as Ke et al.
 * 2017. Nothing is drawn by chance: the same rows give the same trees. For trainers only.
 */
import { assertInvariant, limits } from '#base';
import type { EncodedRows, RowLayout } from '#feature';
import { assertSameLayout } from '../same-layout.ts';
import { binRows, binsMax, type BinnedFeature, type BinnedRows } from './bin-rows.ts';
import { countCodeSetWords, leafFeature, type BoostedTrees } from './boosted-trees.ts';
import { createGrower, growTree, sidesOf, type GrowOptions, type Grower, type GrownNode } from './grow-boosted-tree.ts';
import { findLeaf } from './predict-boosted-trees.ts';

export type BoostOptions = GrowOptions & {
  /** Trees. */
  readonly iterations: number;
  readonly learningRate: number;
  /** Bins of one feature. */
  readonly maxBins: number;
  /** [rowCount]: how much a row counts, at least 0; as many as there are rows. Undefined: all alike. */
  readonly weights: Float64Array | undefined;
  /** Stops once so many trees did not lower the loss of rows held out; the trees up to the best one stay. */
  readonly earlyStop: EarlyStop | undefined;
};

export type EarlyStop = { readonly rows: EncodedRows; readonly labels: Uint8Array; readonly patience: number };

export const boostDefaults: BoostOptions = {
  iterations: 100, learningRate: 0.1, maxLeaves: 31, minSamplesLeaf: 20, l2: 1, categorySmoothing: 10,
  categoryRowsMin: 10, maxBins: binsMax, weights: undefined, earlyStop: undefined,
};

/**
 * Fits boosted trees.
 *
 * @param rows    read only; at least one
 * @param labels  [rowCount]: 1 for rows of the device model, 0 for others
 * @returns       trees with `acceptFrom` 0: what is more likely than not is accepted
 * @throws InvariantError  no rows, labels that are neither, or options out of range
 * @source Friedman 2001, algorithm 5; Ke et al. 2017
 */
export function fitBoostedTrees(
  rows: EncodedRows, labels: Uint8Array, options: Partial<BoostOptions> = {},
): BoostedTrees {
  const settings = { ...boostDefaults, ...options };
  checkInput(rows, labels, settings);
  const binned = binRows(rows, labels, settings.weights, settings.maxBins);
  const base = baseOf(binned);
  const forest = createForest(rows.layout, settings);
  const grower = createGrower(binned, settings);
  const odds = new Float64Array(binned.rowCount).fill(base);
  const held = settings.earlyStop === undefined ? undefined : createHeld(settings.earlyStop, rows.layout, base);
  while (forest.treeCount < settings.iterations) {
    fillRowSums(binned, odds, grower.rowSums);
    growTree(grower);
    // No leaf can be split: nothing is left over that a further tree could tell apart.
    if (grower.nodeCount === 1) break;
    emitTree(forest, grower, settings, odds);
    if (held !== undefined && hasStopped(held, forest)) break;
  }
  if (held !== undefined) cutTrees(forest, held.bestTrees);
  return {
    layout: rows.layout, base, acceptFrom: 0, roots: forest.roots.slice(0, forest.treeCount),
    feature: forest.feature.slice(0, forest.nodeCount), threshold: forest.threshold.slice(0, forest.nodeCount),
    missingLeft: forest.missingLeft.slice(0, forest.nodeCount),
    codeSetAt: forest.codeSetAt.slice(0, forest.nodeCount), codeSets: forest.codeSets.slice(0, forest.wordCount),
    left: forest.left.slice(0, forest.nodeCount),
  };
}

function checkInput(rows: EncodedRows, labels: Uint8Array, options: BoostOptions): void {
  const { rowCount } = rows;
  const { iterations, maxLeaves, maxBins, l2, learningRate, weights, minSamplesLeaf } = options;
  const { categorySmoothing, categoryRowsMin } = options;
  assertInvariant(rowCount > 0, 'boosted trees cannot be fitted to nothing');
  assertInvariant(labels.length >= rowCount && labels.subarray(0, rowCount).every((label) => label <= 1),
    'every row of boosted trees is labelled 0 or 1');
  assertInvariant(iterations >= 0 && iterations <= limits.boostedTreesMax, `${iterations} boosted trees`);
  assertInvariant(maxLeaves >= 2 && maxLeaves <= limits.boostedLeavesMax, `boosted trees of ${maxLeaves} leaves`);
  assertInvariant(maxBins >= 2 && maxBins <= binsMax, `${maxBins} bins of a feature`);
  assertInvariant(l2 >= 0 && categorySmoothing >= 0 && learningRate > 0 && minSamplesLeaf >= 1 &&
    categoryRowsMin >= 1, 'what boosted trees are fitted with is out of range');
  if (weights === undefined) return;
  let sum = 0;
  for (let row = 0; row < rowCount; row++) {
    const weight = weights[row] as number;
    assertInvariant(weight >= 0 && Number.isFinite(weight), `the weight of row ${row} is none`);
    sum += weight;
  }
  assertInvariant(sum > 0, 'no row of boosted trees has a weight');
}

/** Log-odds of all rows together; where a label is missing, as if half a row had it. */
function baseOf({ weights, ownWeights }: BinnedRows): number {
  let [own, all] = [0, 0];
  for (let row = 0; row < weights.length; row++) {
    own += ownWeights[row] as number;
    all += weights[row] as number;
  }
  const others = all - own;
  return own > 0 && others > 0 ? Math.log(own / others) : Math.log((own + 0.5) / (others + 0.5));
}

/** Gradient and slope of the log loss by the log-odds. A kernel. @source Friedman 2001, eq. 22 */
function fillRowSums({ weights, ownWeights, counts }: BinnedRows, odds: Float64Array, out: Float64Array): void {
  for (let row = 0, to = 0; row < odds.length; row++, to += 3) {
    const share = 1 / (1 + Math.exp(-(odds[row] as number)));
    const weight = weights[row] as number;
    out[to] = weight * share - (ownWeights[row] as number);
    out[to + 1] = weight * share * (1 - share);
    out[to + 2] = counts[row] as number;
  }
}

/** Trees as they are made: arrays with room for all. */
type Forest = {
  readonly layout: RowLayout;
  treeCount: number;
  nodeCount: number;
  wordCount: number;
  readonly roots: Uint32Array;
  readonly feature: Uint16Array;
  readonly threshold: Float32Array;
  readonly missingLeft: Uint8Array;
  readonly codeSetAt: Uint32Array;
  codeSets: Uint32Array;
  readonly left: Uint32Array;
};

function createForest(layout: RowLayout, { iterations, maxLeaves }: BoostOptions): Forest {
  const nodes = iterations * (2 * maxLeaves - 1);
  return {
    layout, treeCount: 0, nodeCount: 0, wordCount: 0, roots: new Uint32Array(iterations),
    feature: new Uint16Array(nodes), threshold: new Float32Array(nodes), missingLeft: new Uint8Array(nodes),
    codeSetAt: new Uint32Array(nodes), codeSets: new Uint32Array(1 << 10), left: new Uint32Array(nodes),
  };
}

/** Adds the grown tree, level by level, and what its leaves say to the log-odds of their rows. */
function emitTree(forest: Forest, grower: Grower, options: BoostOptions, odds: Float64Array): void {
  const root = forest.nodeCount;
  forest.roots[forest.treeCount++] = root;
  const queue = [0];
  for (let i = 0; i < queue.length; i++) {
    const at = queue[i] as number;
    const node = grower.nodes[at] as GrownNode;
    const to = root + i;
    if (node.child === 0) emitLeaf(forest, to, node, grower, options, odds);
    else {
      emitSplit(forest, to, node, at, grower);
      forest.left[to] = root + queue.length;
      queue.push(node.child, node.child + 1);
    }
  }
  forest.nodeCount += queue.length;
}

function emitLeaf(
  forest: Forest, to: number, { first, end, sums }: GrownNode, { order }: Grower,
  { l2, learningRate }: BoostOptions, odds: Float64Array,
): void {
  // As it is written down, lest training and prediction drift apart.
  const value = Math.fround(-learningRate * sums.gradient / (sums.slope + l2));
  forest.feature[to] = leafFeature;
  forest.threshold[to] = value;
  for (let i = first; i < end; i++) {
    const row = order[i] as number;
    odds[row] = (odds[row] as number) + value;
  }
}

function emitSplit(forest: Forest, to: number, node: GrownNode, at: number, grower: Grower): void {
  const { feature, ends, binOfCode } = grower.rows.features[node.feature] as BinnedFeature;
  forest.feature[to] = feature;
  if (binOfCode === undefined) {
    // Behind the last bin of numbers only missing ones go right.
    forest.threshold[to] = ends[Math.min(node.bin, ends.length - 1)] as number;
    forest.missingLeft[to] = Number(node.missingLeft);
    return;
  }
  const sides = sidesOf(grower, at);
  const first = forest.wordCount;
  forest.wordCount += countCodeSetWords(binOfCode.length - 1);
  if (forest.wordCount > forest.codeSets.length) {
    const more = new Uint32Array(Math.max(forest.wordCount, forest.codeSets.length * 2));
    more.set(forest.codeSets);
    forest.codeSets = more;
  }
  const { codeSets } = forest;
  forest.codeSetAt[to] = first;
  for (let code = 0; code < binOfCode.length; code++) {
    if (sides[binOfCode[code] as number] !== 1) continue;
    codeSets[first + (code >>> 5)] = (codeSets[first + (code >>> 5)] as number) | (1 << (code & 31));
  }
}

/** Rows held out, their log-odds so far, and the trees at which their loss was least. */
type Held = EarlyStop & { readonly odds: Float64Array; bestLoss: number; bestTrees: number };

function createHeld(stop: EarlyStop, layout: RowLayout, base: number): Held {
  assertSameLayout(stop.rows, layout);
  const odds = new Float64Array(stop.rows.rowCount).fill(base);
  return { ...stop, odds, bestLoss: lossOf(stop.labels, odds), bestTrees: 0 };
}

/** Looks at the newest tree. */
function hasStopped(held: Held, forest: Forest): boolean {
  const { rows, labels, odds, patience } = held;
  const root = forest.roots[forest.treeCount - 1] as number;
  for (let row = 0; row < odds.length; row++) {
    odds[row] = (odds[row] as number) + (forest.threshold[findLeaf(forest, root, rows, row)] as number);
  }
  const loss = lossOf(labels, odds);
  if (loss < held.bestLoss) {
    held.bestLoss = loss;
    held.bestTrees = forest.treeCount;
  }
  return forest.treeCount - held.bestTrees >= patience;
}

/** Sum of log losses. @source Friedman 2001, section 4.5 */
function lossOf(labels: Uint8Array, odds: Float64Array): number {
  let loss = 0;
  for (let row = 0; row < odds.length; row++) {
    const against = labels[row] === 1 ? -(odds[row] as number) : odds[row] as number;
    loss += against > 0 ? against + Math.log1p(Math.exp(-against)) : Math.log1p(Math.exp(against));
  }
  return loss;
}

/** Drops the trees behind the first ones. */
function cutTrees(forest: Forest, treeCount: number): void {
  if (treeCount === forest.treeCount) return;
  const nodeCount = forest.roots[treeCount] as number;
  for (let node = nodeCount; node < forest.nodeCount; node++) {
    const asked = forest.feature[node] as number;
    if (asked === leafFeature || asked < forest.layout.numericCount) continue;
    forest.wordCount = forest.codeSetAt[node] as number;
    break;
  }
  forest.treeCount = treeCount;
  forest.nodeCount = nodeCount;
}
