/** The kernel gives what walking the trees gives, to the last bit, whatever the forest and the rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createEncodedRows, type EncodedRows, type RowLayout } from '#feature';
import { cutTrees, leavesPerPiece } from './cut-trees.ts';
import { type FittedForest, leafColumn } from './forest.ts';
import { ForestKernel } from './forest-kernel.ts';
import { lengthsBelow, pathGrid, scorePathSums, usualPathSum } from './path-grid.ts';

/** A forest whose trees split at random: shapes that fitting would not give, too. */
function makeForest(random: Random, layout: RowLayout, options: { treeCount: number; depthMax: number }): FittedForest {
  const width = layout.categoryCounts.reduce((sum, count) => sum + count, layout.numericCount);
  const column: number[] = [];
  const threshold: number[] = [];
  const right: number[] = [];
  const samples: number[] = [];
  const grow = (depth: number): void => {
    const node = column.length;
    const isLeaf = width === 0 || depth >= options.depthMax || random.chance(0.1);
    const splitsOn = isLeaf ? leafColumn : random.integer(0, width - 1);
    column.push(splitsOn);
    threshold.push(isLeaf ? 0 : splitsOn < layout.numericCount ? Math.fround(random.integer(-3, 13) / 10)
      : Math.fround(random.pick([0, 0.25, 0.5, 0.999, 1, -0.5])));
    right.push(0);
    samples.push(random.integer(1, 256));
    if (isLeaf) return;
    grow(depth + 1);
    right[node] = column.length;
    grow(depth + 1);
  };
  const treeStart = [0];
  for (let tree = 0; tree < options.treeCount; tree++) {
    grow(0);
    treeStart.push(column.length);
  }
  return {
    algorithm: 'isolation-forest', layout, defaultThreshold: 0.5, maxSamples: 256,
    treeStart: Uint32Array.from(treeStart), column: Uint16Array.from(column), threshold: Float32Array.from(threshold),
    right: Uint32Array.from(right), samples: Uint16Array.from(samples), score: () => assert.fail('not asked for'),
  };
}

function makeRows(random: Random, layout: RowLayout, rowCount: number): EncodedRows {
  const rows = createEncodedRows(layout, rowCount);
  rows.rowCount = rowCount;
  for (const column of rows.numeric) {
    for (let row = 0; row < rowCount; row++) {
      column[row] = random.pick([0, 1, random.uniform(), random.integer(-3, 13) / 10, -5, 1e30,
        Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
    }
  }
  rows.codes.forEach((column, feature) => {
    const count = layout.categoryCounts[feature] as number;
    for (let row = 0; row < rowCount; row++) column[row] = random.integer(0, count);
  });
  return rows;
}

/** Walks every tree with every row. */
function walk(forest: FittedForest, rows: EncodedRows): Float64Array {
  const treeCount = forest.treeStart.length - 1;
  const below = lengthsBelow(forest.maxSamples, pathGrid(treeCount));
  const sums = new Float64Array(rows.rowCount);
  for (let row = 0; row < rows.rowCount; row++) {
    for (let tree = 0; tree < treeCount; tree++) {
      let node = forest.treeStart[tree] as number;
      let depth = 0;
      for (; forest.column[node] !== leafColumn; depth++) {
        const value = valueOf(rows, row, forest.column[node] as number);
        node = value <= (forest.threshold[node] as number) ? node + 1 : forest.right[node] as number;
      }
      sums[row] = (sums[row] as number) + depth + (below[forest.samples[node] as number] as number);
    }
  }
  scorePathSums(sums, rows.rowCount, usualPathSum(treeCount, forest.maxSamples));
  return sums;
}

function valueOf({ layout, numeric, codes }: EncodedRows, row: number, column: number): number {
  if (column < layout.numericCount) return (numeric[column] as Float32Array)[row] as number;
  let first = layout.numericCount;
  for (let feature = 0; ; feature++) {
    const count = layout.categoryCounts[feature] as number;
    if (column < first + count) return (codes[feature] as Uint16Array)[row] === column - first ? 1 : 0;
    first += count;
  }
}

const layouts = fc.record({
  numericCount: fc.nat(4), categoryCounts: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }),
});

test('property: the kernel scores as the trees are walked, to the last bit', () => {
  fc.assert(fc.property(fc.nat(), layouts, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 10 }),
    (seed, layout, treeCount, depthMax) => {
      const random = new Random(seed);
      const forest = makeForest(random, layout, { treeCount, depthMax });
      const rows = makeRows(random, layout, random.integer(0, 600));
      const kernel = new ForestKernel();
      const compiled = kernel.compile(forest);
      assert.ok(compiled);
      const out = new Float64Array(rows.rowCount);
      kernel.score(compiled, rows, out);
      assert.deepEqual(out, walk(forest, rows));
    }), { numRuns: 100 });
});

test('many forests of different shapes share one memory', () => {
  const random = new Random(7);
  const kernel = new ForestKernel();
  const forests = Array.from({ length: 20 }, (_, i) => {
    const layout = { numericCount: i % 4, categoryCounts: Array.from({ length: i % 5 }, () => random.integer(1, 30)) };
    return makeForest(random, layout, { treeCount: 1 + i * 3, depthMax: 8 });
  });
  const compiled = forests.map((forest) => kernel.compile(forest));
  forests.forEach((forest, i) => {
    const rows = makeRows(random, forest.layout, 300);
    const out = new Float64Array(300);
    kernel.score(compiled[i] as never, rows, out);
    assert.deepEqual(out, walk(forest, rows));
  });
  assert.ok(kernel.bytes < 32 << 20, `${kernel.bytes} bytes`);
});

test('every leaf of a tree lies in one piece, and no piece has more than 64', () => {
  const forest = makeForest(new Random(3), { numericCount: 2, categoryCounts: [] }, { treeCount: 1, depthMax: 12 });
  const leaves = [...forest.column].filter((column) => column === leafColumn).length;
  assert.ok(leaves > 3 * leavesPerPiece);
  const pieces = cutTrees(forest, pathGrid(1));
  assert.ok(pieces.count >= leaves / leavesPerPiece);
  const used = pieces.leaves.subarray(0, pieces.count * leavesPerPiece);
  assert.equal(used.filter((index) => (pieces.lengths[index] as number) > 0).length, leaves);
});

test('a forest for which there is no room, or with more features than the kernel takes, is left to slower code', () => {
  const kernel = new ForestKernel();
  const wide = makeForest(new Random(1), { numericCount: 65, categoryCounts: [] }, { treeCount: 1, depthMax: 2 });
  assert.equal(kernel.compile(wide), undefined);
  const layout = { numericCount: 0, categoryCounts: new Array<number>(100).fill(60_000) };
  const large = makeForest(new Random(1), layout, { treeCount: 5, depthMax: 5 });
  assert.equal(kernel.compile(large), undefined);
});
