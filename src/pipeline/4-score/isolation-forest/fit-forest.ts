/**
 * Fits an isolation forest (Liu, Ting, Zhou 2008) to the training flows of one device model: the forest that
 * scikit-learn 1.2.1's `IsolationForest(random_state=seed)` fits to the one-hot form of the same rows, tree for tree.
 */
import { assertInvariant, type KernelKind } from '#base';
import { type EncodedRows, oneHotColumnCount } from '#feature';
import type { Trainer } from '../detector.ts';
import { percentileOf } from '../fit/percentile.ts';
import { type FittedForest, leafColumn, oneHotThreshold } from './forest.ts';
import { ForestNodes } from './forest-nodes.ts';
import { createKernelGrower } from './grow-kernel.ts';
import { type GrowerOptions, TreeGrower } from './grow-tree.ts';
import { RandomState } from './random-state.ts';
import { RowSampler } from './sample-rows.ts';
import { createForest } from './score-forest.ts';

export type ForestOptions = {
  /** Trees, 1 … 65,535. */
  readonly treeCount: number;
  /** Rows of a tree, 1 … 65,535; all rows when there are fewer. */
  readonly maxSamples: number;
  /** Share of training flows above the default threshold, over 0 and up to 0.5; 'auto': the threshold is 0.5. */
  readonly contamination: 'auto' | number;
};

/** The trees as scikit-learn has them, with float64 thresholds. */
export type GrownForest = {
  /** Rows of each tree. */
  readonly maxSamples: number;
  /** [treeCount + 1] */
  readonly treeStart: Uint32Array;
  readonly nodes: ForestNodes;
};

const uint16Max = 0xffff;
/** `randint(numpy.iinfo(int32).max)`: what scikit-learn draws all seeds of. */
const seedEnd = 0x7fff_ffff;
const one = new Float32Array(1);
const oneBits = new Int32Array(one.buffer);

export const isolationForestTrainer: Trainer<FittedForest, ForestOptions> = {
  name: 'isolation-forest',
  defaults: { treeCount: 100, maxSamples: 256, contamination: 'auto' },
  fit: (rows, options, seed) => {
    const chosen = { ...isolationForestTrainer.defaults, ...options };
    const forest = finishForest(growForest(rows, chosen, seed), rows);
    const { contamination } = chosen;
    return contamination === 'auto' ? forest : withContamination(forest, rows, contamination);
  },
};

/**
 * Grows all trees.
 *
 * @param rows    read only; at least one
 * @param seed    0 … 2^32-1, scikit-learn's `random_state`
 * @param kernel  who draws and grows; the forest is the same
 */
export function growForest(
  rows: EncodedRows, { treeCount, maxSamples }: Omit<ForestOptions, 'contamination'>, seed: number,
  kernel: KernelKind = 'wasm',
): GrownForest {
  const { rowCount, layout } = rows;
  assertInvariant(rowCount > 0, 'a forest needs at least one training flow');
  assertInvariant(isCount(treeCount) && isCount(maxSamples), 'trees and rows of a tree are 1 … 65,535');
  assertInvariant(oneHotColumnCount(layout) <= leafColumn, 'more columns than a forest can name');
  const sampleCount = Math.min(maxSamples, rowCount);
  const depthMax = Math.ceil(Math.log2(Math.max(sampleCount, 2)));
  const nodes = new ForestNodes();
  const random = new RandomState(seed, kernel, rowCount);
  const targets = new Float64Array(rowCount);
  for (let row = 0; row < rowCount; row++) targets[row] = random.uniform();
  const grow = createGrow({ rows, nodes, sampleCount, depthMax, targets }, kernel);
  const sampler = new RowSampler(rowCount, sampleCount);
  const sample = new Uint32Array(sampleCount);
  const treeStart = new Uint32Array(treeCount + 1);
  // scikit-learn begins the stream of the seed again for the seeds of the trees.
  random.seed(seed);
  const treeSeeds = Uint32Array.from({ length: treeCount }, () => random.randint(seedEnd));
  // The tree's own seed is the first number of the stream that its rows are drawn of, too.
  const growSeeds = treeSeeds.slice();
  random.firstRandints(growSeeds, seedEnd);
  random.firstRandints(growSeeds, seedEnd);
  for (let tree = 0; tree < treeCount; tree++) {
    random.seed(treeSeeds[tree] as number);
    sampler.sample(random, sample);
    treeStart[tree + 1] = grow.tree(sample, growSeeds[tree] as number);
  }
  grow.finish();
  random.close();
  return { maxSamples: sampleCount, treeStart, nodes };
}

type Grow = {
  /** Adds a tree. @returns nodes of the forest so far */
  readonly tree: (sample: Uint32Array, seed: number) => number;
  /** Afterwards the nodes are complete. */
  readonly finish: () => void;
};

function createGrow(options: GrowerOptions, kernel: KernelKind): Grow {
  const { nodes } = options;
  const fast = kernel === 'none' ? undefined : createKernelGrower(options);
  let readable: TreeGrower | undefined;
  return {
    tree: (sample, seed) => {
      if (fast?.grow(sample, seed) === true) return fast.nodeCount();
      fast?.flush();
      readable ??= new TreeGrower(options);
      readable.grow(sample, seed);
      return nodes.count;
    },
    finish: () => {
      fast?.flush();
      fast?.close();
    },
  };
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= uint16Max;
}

function finishForest({ maxSamples, treeStart, nodes }: GrownForest, { layout }: EncodedRows): FittedForest {
  const { count } = nodes;
  const column = nodes.column.slice(0, count);
  const threshold = new Float32Array(count);
  for (let node = 0; node < count; node++) {
    const at = column[node] as number;
    if (at === leafColumn) continue;
    threshold[node] = at < layout.numericCount ? floatBelow(nodes.threshold[node] as number) : oneHotThreshold;
  }
  return createForest({
    layout, defaultThreshold: 0.5, maxSamples, treeStart, column, threshold, right: nodes.right.slice(0, count),
    samples: nodes.samples.slice(0, count),
  });
}

/** The largest float32 that is not above a number of moderate size. */
function floatBelow(value: number): number {
  one[0] = value;
  if ((one[0] as number) <= value) return one[0] as number;
  // The float32 that was rounded to is above the value, and so the next one towards minus infinity is below it.
  oneBits[0] = (one[0] as number) > 0 ? (oneBits[0] as number) - 1 : (oneBits[0] as number) + 1;
  return one[0] as number;
}

/** scikit-learn's `offset_`: a percentile of the training flows' scores, with its signs. */
function withContamination(forest: FittedForest, rows: EncodedRows, contamination: number): FittedForest {
  assertInvariant(contamination > 0 && contamination <= 0.5, 'contamination lies over 0 and up to 0.5');
  const scores = new Float64Array(rows.rowCount);
  forest.score(rows, scores);
  const normality = scores.map((score) => -score).sort();
  return { ...forest, defaultThreshold: -percentileOf(normality, 100 * contamination) };
}
