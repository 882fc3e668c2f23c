/**
 * Fits a Chow–Liu tree to the training flows of one device model: the tree over all features whose edges share the most
 * information (Chow and Liu 1968), and for each feature what its parent's value says of it. Nothing is left to chance,
 * so the seed makes no difference.
 */
import { assertInvariant } from '#base';
import type { EncodedRows } from '#feature';
import type { Trainer } from '../detector.ts';
import { percentileOf } from '../fit/percentile.ts';
import { costOfNat, createTree, noParent, sumCosts, type FittedTree, type TreeVariable } from './chow-liu-tree.ts';
import { learnProbabilities, learnSymbols, type TrainingSymbols } from './fit-symbols.ts';

export type TreeOptions = {
  /** Bins of each number, about; 1 … 1024. */
  readonly binCount: number;
  /** Rows that a value's distribution by itself counts for, beside those seen with a value of the parent; above 0. */
  readonly aloneRows: number;
  /** Training flows that lie below the default threshold, in per cent. */
  readonly usualPercent: number;
};

const binCountMax = 1024;

export const treeTrainer: Trainer<FittedTree, TreeOptions> = {
  name: 'chow-liu-tree',
  // Twice or half of any of these makes no difference worth telling (docs/detectors.md).
  defaults: { binCount: 16, aloneRows: 4, usualPercent: 95 },
  fit: (rows, options) => fitTree(rows, { ...treeTrainer.defaults, ...options }),
};

function fitTree(rows: EncodedRows, { binCount, aloneRows, usualPercent }: TreeOptions): FittedTree {
  const { layout, rowCount } = rows;
  assertInvariant(rowCount > 0, 'a detector is fitted on at least one row');
  assertInvariant(binCount >= 1 && binCount <= binCountMax, 'binCount lies within 1 … 1024');
  assertInvariant(aloneRows > 0 && Number.isFinite(aloneRows), 'aloneRows is a number above 0');
  assertInvariant(usualPercent >= 0 && usualPercent <= 100, 'usualPercent lies within 0 … 100');
  const training = learnSymbols(rows, binCount);
  const variables = growTree(training).map((parent, variable) =>
    learnVariable({ training, variable, parent, aloneRows }));
  const parts = { layout, binEnds: training.binEnds, variables };
  const costs = new Float64Array(rowCount);
  sumCosts(parts, rows, costs);
  return createTree({ ...parts, rareCost: Math.max(1, Math.round(percentileOf(costs.sort(), usualPercent))) });
}

/**
 * Values of two variables that come together, as first · values of the second + second, ascending; and in how many
 * rows.
 */
type Pairs = { readonly keys: Float64Array; readonly counts: Uint32Array };

/** Cells of a table of all pairs of two variables; where there would be more, rows are sorted instead. */
const tableCellsMax = 1 << 21;

function countPairs({ symbols, valueCounts, rowCount }: TrainingSymbols, first: number, second: number): Pairs {
  const width = valueCounts[second] as number;
  const a = symbols[first] as Uint16Array;
  const b = symbols[second] as Uint16Array;
  const cells = (valueCounts[first] as number) * width;
  const keys = new Float64Array(rowCount);
  if (cells > tableCellsMax) {
    for (let row = 0; row < rowCount; row++) keys[row] = (a[row] as number) * width + (b[row] as number);
    return countSorted(keys.sort());
  }
  // So a fit to 20,000 rows of 13 features takes 15 ms; sorting all rows it took 130 ms.
  const table = new Uint32Array(cells);
  let kinds = 0;
  for (let row = 0; row < rowCount; row++) {
    const key = (a[row] as number) * width + (b[row] as number);
    const before = table[key] as number;
    if (before === 0) keys[kinds++] = key;
    table[key] = before + 1;
  }
  const found = keys.slice(0, kinds).sort();
  return { keys: found, counts: Uint32Array.from(found, (key) => table[key] as number) };
}

function countSorted(ascending: Float64Array): Pairs {
  const starts = Uint32Array.from(ascending.keys()).filter((row) => ascending[row] !== ascending[row - 1]);
  const keys = Float64Array.from(starts, (row) => ascending[row] as number);
  return { keys, counts: starts.map((row, at) => (starts[at + 1] ?? ascending.length) - row) };
}

/**
 * Mutual information of two variables in nats, less what chance alone would show (Miller 1955): otherwise variables of
 * many values would seem to know of each other.
 */
function shareInformation(training: TrainingSymbols, first: number, second: number): number {
  const { counts, valueCounts, rowCount } = training;
  const ofFirst = counts[first] as Float64Array;
  const ofSecond = counts[second] as Float64Array;
  const width = valueCounts[second] as number;
  const pairs = countPairs(training, first, second);
  let information = 0;
  for (const [at, key] of pairs.keys.entries()) {
    const count = pairs.counts[at] as number;
    const value = Math.floor(key / width);
    information += count / rowCount *
      Math.log(count * rowCount / ((ofFirst[value] as number) * (ofSecond[key - value * width] as number)));
  }
  const freedom = pairs.keys.length - countKinds(ofFirst) - countKinds(ofSecond) + 1;
  return information - Math.max(0, freedom) / (2 * rowCount);
}

function countKinds(counts: Float64Array): number {
  let kinds = 0;
  for (const count of counts) kinds += Number(count > 0);
  return kinds;
}

/** Edges that share less tell nothing. */
const informationMin = 1e-6;

/**
 * The tree of most information (Prim 1957).
 *
 * @returns [variable]: its parent, or `noParent` where no other tells of it
 */
export function growTree(training: TrainingSymbols): number[] {
  const count = training.valueCounts.length;
  const parents = Array.from({ length: count }, () => noParent);
  const best = new Float64Array(count).fill(informationMin);
  const isIn = new Uint8Array(count);
  for (let step = 0; step < count; step++) {
    let next = -1;
    for (let at = 0; at < count; at++) {
      if (isIn[at] === 0 && (next < 0 || (best[at] as number) > (best[next] as number))) next = at;
    }
    isIn[next] = 1;
    for (let at = 0; at < count; at++) {
      if (isIn[at] !== 0) continue;
      const information = shareInformation(training, next, at);
      if (information <= (best[at] as number)) continue;
      best[at] = information;
      parents[at] = next;
    }
  }
  return parents;
}

type VariableToLearn = {
  readonly training: TrainingSymbols;
  readonly variable: number;
  readonly parent: number;
  readonly aloneRows: number;
};

function learnVariable({ training, variable, parent, aloneRows }: VariableToLearn): TreeVariable {
  const { binEnds, valueCounts, counts } = training;
  const valueCount = valueCounts[variable] as number;
  const { ofValue } = learnProbabilities(counts[variable] as Float64Array, variable < binEnds.length);
  const alone = Uint16Array.from(ofValue, toCost);
  const ofParent = counts[parent];
  if (ofParent === undefined) {
    const none = new Uint16Array(0);
    return { parent, alone, apart: none, pairStart: Uint32Array.of(0), pairValue: none, pairCost: none };
  }
  const { keys, counts: pairCounts } = countPairs(training, parent, variable);
  const pairStart = new Uint32Array(ofParent.length + 1);
  const pairValue = new Uint16Array(keys.length);
  const pairCost = new Uint16Array(keys.length);
  for (const [at, key] of keys.entries()) {
    const count = pairCounts[at] as number;
    const parentValue = Math.floor(key / valueCount);
    const value = key - parentValue * valueCount;
    pairValue[at] = value;
    pairCost[at] = toCost((count + aloneRows * (ofValue[value] as number)) /
      ((ofParent[parentValue] as number) + aloneRows));
    pairStart[parentValue + 1] = at + 1;
  }
  for (let value = 1; value <= ofParent.length; value++) {
    pairStart[value] = Math.max(pairStart[value] as number, pairStart[value - 1] as number);
  }
  const apart = Uint16Array.from(ofParent, (rows) => toCost(aloneRows / (rows + aloneRows)));
  return { parent, alone, apart, pairStart, pairValue, pairCost };
}

function toCost(probability: number): number {
  return Math.min(Math.max(Math.round(-Math.log(probability) * costOfNat), 0), 0xffff);
}
