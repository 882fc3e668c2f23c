/**
 * Forests are those of scikit-learn 1.2.1, tree for tree: against results that test/oracle/isolation-forest.py made of
 * rows that both sides make by one formula.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createEncodedRows, type EncodedRows } from '#feature';
import { leafColumn } from './forest.ts';
import { ForestNodes } from './forest-nodes.ts';
import { type ForestOptions, type GrownForest, growForest, isolationForestTrainer } from './fit-forest.ts';
import { createKernelGrower } from './grow-kernel.ts';
import { TreeGrower } from './grow-tree.ts';
import { RandomState } from './random-state.ts';

type OracleNode = readonly [column: number, threshold: number, right: number, samples: number];
type OracleCase = {
  name: string; rows: number; distinct: number; seed: number; options: ForestOptions;
  numeric: [levels: number, scale: number, offset: number][]; categories: number[];
  replaced: [row: number, column: number, value: number][];
  expected: {
    maxSamples: number; offset: number; trees: string[]; firstTree: OracleNode[]; ownScores: number[];
    otherScores: number[];
  };
};
type Stream = { seed: number; uniform: number[]; randint: number[]; many: number; permutation: number[] };
const oracleFile = new URL('../../../../test/oracle/isolation-forest.json', import.meta.url);
const oracle = JSON.parse(readFileSync(oracleFile, 'utf8')) as {
  streams: Stream[]; uselessSplits: { seed: number; targets: number[] }[]; cases: OracleCase[];
};

/** The formula of the Python side. */
function mix(row: number, column: number, salt: number): number {
  let hash = (Math.imul(row, 2_654_435_761) + Math.imul(column, 2_246_822_519) + Math.imul(salt, 3_266_489_917)) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_519);
  hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_917);
  return (hash ^ (hash >>> 16)) >>> 0;
}

type RowsWanted = { salt: number; count: number; spread: [factor: number, shift: number]; hasUnseen: boolean };

function makeRows(spec: OracleCase, { salt, count, spread: [factor, shift], hasUnseen }: RowsWanted): EncodedRows {
  const rows = createEncodedRows({ numericCount: spec.numeric.length, categoryCounts: spec.categories }, count);
  rows.rowCount = count;
  for (let row = 0; row < count; row++) {
    const like = row % spec.distinct;
    spec.numeric.forEach(([levels, scale, offset], column) => {
      const value = (mix(like, column, salt) % levels) / levels * scale + offset;
      (rows.numeric[column] as Float32Array)[row] = value * factor + shift;
    });
    spec.categories.forEach((categories, feature) => {
      const share = mix(like, 1000 + feature, salt) / 4_294_967_296;
      const code = hasUnseen && row % 5 === feature % 5 ? categories : Math.floor(share * share * share * categories);
      (rows.codes[feature] as Uint16Array)[row] = code;
    });
  }
  if (salt === 1) {
    for (const [row, column, value] of spec.replaced) (rows.numeric[column] as Float32Array)[row] = value;
  }
  return rows;
}

function trainingRows(spec: OracleCase): EncodedRows {
  return makeRows(spec, { salt: 1, count: spec.rows, spread: [1, 0], hasUnseen: false });
}

/** Nodes of a tree as the Python side packs them, to compare all bits of them at once. */
function packTree({ nodes, treeStart }: GrownForest, tree: number): { nodes: OracleNode[]; digest: string } {
  const [first = 0, end = 0] = treeStart.subarray(tree, tree + 2);
  const packed = new DataView(new ArrayBuffer((end - first) * 20));
  const list: OracleNode[] = [];
  for (let node = first; node < end; node++) {
    const column = nodes.column[node] === leafColumn ? -1 : nodes.column[node] as number;
    const right = column < 0 ? 0 : (nodes.right[node] as number) - first;
    const entry: OracleNode = [column, nodes.threshold[node] as number, right, nodes.samples[node] as number];
    list.push(entry);
    const at = (node - first) * 20;
    packed.setInt32(at, entry[0], true);
    packed.setFloat64(at + 4, entry[1], true);
    packed.setInt32(at + 12, entry[2], true);
    packed.setInt32(at + 16, entry[3], true);
  }
  const digest = createHash('sha256').update(new Uint8Array(packed.buffer)).digest('hex').slice(0, 12);
  return { nodes: list, digest };
}

function assertScores(actual: Float64Array, expected: readonly number[]): void {
  expected.forEach((score, row) => {
    const difference = Math.abs((actual[row] as number) + score);
    assert.ok(difference <= 1e-12, `row ${row} differs by ${difference}`);
  });
}

for (const spec of oracle.cases) {
  test(`${spec.name}: the trees and scores of scikit-learn`, () => {
    const rows = trainingRows(spec);
    const grown = growForest(rows, spec.options, spec.seed);
    assert.equal(grown.maxSamples, spec.expected.maxSamples);
    assert.deepEqual(packTree(grown, 0).nodes.slice(0, spec.expected.firstTree.length), spec.expected.firstTree);
    assert.deepEqual(spec.expected.trees.map((_, tree) => packTree(grown, tree).digest), spec.expected.trees);
    assert.deepEqual(growForest(rows, spec.options, spec.seed, 'none'), grown, 'without the kernel');

    const forest = isolationForestTrainer.fit(rows, spec.options, spec.seed);
    const { contamination } = spec.options;
    assert.ok(Math.abs(forest.defaultThreshold + spec.expected.offset) <= (contamination === 'auto' ? 0 : 1e-12));
    const scores = new Float64Array(rows.rowCount);
    forest.score(rows, scores);
    assertScores(scores, spec.expected.ownScores);
    const others = makeRows(spec, { salt: 2, count: 20, spread: [2, -0.5], hasUnseen: true });
    const otherScores = new Float64Array(20);
    forest.score(others, otherScores);
    assertScores(otherScores, spec.expected.otherScores);
  });
}

test('the oracle has a forest in which unequal rows stay together because their targets nearly coincide', () => {
  const spec = oracle.cases.find(({ name }) => name === 'near-targets') as OracleCase;
  const { nodes, treeStart } = growForest(trainingRows(spec), spec.options, spec.seed);
  // Both rows of the pair lie above all thresholds: where they stay together they are the last leaf of their tree.
  const pairs = treeStart.subarray(1).filter((end) => nodes.samples[end - 1] === 2 &&
    nodes.column[end - 1] === leafColumn);
  assert.ok(pairs.length > 5, `${pairs.length} pairs`);
});

for (const { seed, targets } of oracle.uselessSplits) {
  test(`a split that rounding makes look harmful is not made, as in scikit-learn (seed ${seed})`, () => {
    const rows = createEncodedRows({ numericCount: 1, categoryCounts: [] }, targets.length);
    rows.rowCount = targets.length;
    rows.numeric[0]?.fill(1, targets.length / 2);
    const grow = (chosen: Float64Array): number => {
      const nodes = new ForestNodes();
      new TreeGrower({ rows, nodes, sampleCount: targets.length, depthMax: 8, targets: chosen })
        .grow(Uint32Array.from(targets.keys()), new RandomState(seed).randint(0x7fff_ffff));
      return nodes.count;
    };
    assert.equal(grow(Float64Array.from(targets)), 1);
    assert.equal(grow(Float64Array.from(targets, (target, row) => row < targets.length / 2 ? target : target + 1)), 3);
  });
}

for (const kernel of ['none', 'wasm'] as const) {
  for (const { seed, uniform, randint, many, permutation } of oracle.streams) {
    test(`the stream of seed ${seed} is numpy's (kernel: ${kernel})`, () => {
      const random = new RandomState(seed, kernel, 40);
      assert.deepEqual(uniform.map(() => random.uniform()), uniform);
      assert.deepEqual([1, 2, 7, 1000, 0x7fff_ffff].map((end) => random.randint(end)), randint);
      let last = 0;
      for (let i = 0; i < 2000; i++) last = random.randint(0x7fff_ffff);
      assert.equal(last, many);
      assert.deepEqual([...random.permuteFirst(40, 7)].sort((a, b) => a - b),
        permutation.slice(0, 7).sort((a, b) => a - b));
    });
  }
}

const permutations = [
  [2, 1], [3, 1], [17, 16], [255, 100], [256, 255], [257, 256], [258, 256], [259, 256], [1000, 10], [1025, 11],
  [4096, 64], [4097, 256], [20_000, 256], [25_599, 256], [32_768, 400], [32_769, 400], [65_535, 65_534],
  [65_536, 1000],
] as const;

test('with the kernel and without, the first places of permutations are the same', () => {
  for (const [count, kept] of permutations) {
    const [readable, fast] = [new RandomState(count, 'none', count), new RandomState(count, 'wasm', count)];
    // From every place in the state and after it, so that blocks of draws begin anywhere.
    for (const drawn of [0, 1, 7, 16, 623, 624, 625, 1300]) {
      readable.seed(drawn);
      fast.seed(drawn);
      for (let i = 0; i < drawn; i++) assert.equal(fast.uint32(), readable.uint32());
      const expected = readable.permuteFirst(count, kept);
      assert.deepEqual(fast.permuteFirst(count, kept), expected, `${kept} of ${count} after ${drawn}`);
      assert.equal(new Set(expected).size, kept);
      assert.throws(() => fast.uint32(), /ended with/);
    }
    readable.seed(5);
    fast.seed(5);
    for (let i = 0; i < 700; i++) assert.equal(fast.uint32(), readable.uint32());
  }
});

for (const kernel of ['none', 'wasm'] as const) {
  test(`first numbers of many seeds are those of each stream (kernel: ${kernel})`, () => {
    const random = new RandomState(0, kernel);
    const seeds = Uint32Array.from({ length: 1301 }, (_, i) => Math.imul(i, 2_654_435_761));
    // Of 5 numbers, three draws in eight are refused.
    for (const end of [1, 5, 256, 0x7fff_ffff, 2 ** 32]) {
      const expected = seeds.map((seed) => {
        random.seed(seed);
        return random.randint(end);
      });
      const first = seeds.slice();
      random.firstRandints(first, end);
      assert.deepEqual(first, expected, `below ${end}`);
    }
  });
}

/** Rows with columns of all kinds: constant ones, ties, categories never shown, hardly any or all the same. */
function makeMixedRows(salt: number): EncodedRows {
  const rowCount = 2 + mix(salt, 1, 7) % 600;
  const categoryCounts = Array.from({ length: mix(salt, 2, 7) % 5 }, (_, i) => 1 + mix(salt, 10 + i, 7) % 40);
  const rows = createEncodedRows({ numericCount: 1 + mix(salt, 3, 7) % 4, categoryCounts }, rowCount);
  rows.rowCount = rowCount;
  rows.numeric.forEach((column, feature) => {
    const levels = [1, 2, 30, 1e6][mix(salt, 20 + feature, 7) % 4] as number;
    for (let row = 0; row < rowCount; row++) column[row] = (mix(row, feature, salt) % levels) / levels - 0.25;
  });
  rows.codes.forEach((column, feature) => {
    const spread = mix(salt, 30 + feature, 7) % 3;
    for (let row = 0; row < rowCount; row++) {
      const share = (mix(row, 100 + feature, salt) / 2 ** 32) ** (1 + 3 * spread);
      column[row] = Math.floor(share * ((categoryCounts[feature] as number) + 1));
    }
  });
  return rows;
}

test('with the kernel and without, forests of any rows are the same', () => {
  for (let salt = 0; salt < 150; salt++) {
    const rows = makeMixedRows(salt);
    const maxSamples = [256, 256, 1, 2, 63, 64, 65, 200, 257][salt % 9] as number;
    const options = { treeCount: 1 + salt % 23, maxSamples };
    assert.deepEqual(growForest(rows, options, salt), growForest(rows, options, salt, 'none'), `rows ${salt}`);
  }
});

test('the kernel gives back a tree in which rounded sums might count, and no other', () => {
  const rows = createEncodedRows({ numericCount: 1, categoryCounts: [] }, 4);
  rows.rowCount = 4;
  rows.numeric[0]?.set([0, 0, 1, 1]);
  const grow = (...targets: number[]): [isGrown: boolean, nodes: number] => {
    const nodes = new ForestNodes();
    const options = { rows, nodes, sampleCount: 4, depthMax: 2 };
    const grower = createKernelGrower({ ...options, targets: Float64Array.from(targets) });
    assert.ok(grower !== undefined);
    const isGrown = grower.grow(Uint32Array.of(0, 1, 2, 3), 7);
    grower.flush();
    return [isGrown, nodes.count];
  };
  assert.deepEqual(grow(0.1, 0.2, 0.5, 0.6), [true, 3]);
  assert.deepEqual(grow(0.1, 0.2, 0.2, 0.1), [false, 0], 'sides of one mean');
  assert.deepEqual(grow(0.1, 0.1, 0.5, 0.6), [false, 0], 'a side whose rows are the same and whose targets coincide');
});

test('large trees and large tables are grown without the kernel', () => {
  const rows = createEncodedRows({ numericCount: 1, categoryCounts: [60_000] }, 1000);
  rows.rowCount = 1000;
  const options = { rows, nodes: new ForestNodes(), depthMax: 8, targets: new Float64Array(1000) };
  assert.ok(createKernelGrower({ ...options, sampleCount: 256 }) !== undefined);
  assert.equal(createKernelGrower({ ...options, sampleCount: 257 }), undefined);
  const many = { ...rows, rowCount: 2 ** 25 };
  assert.equal(createKernelGrower({ ...options, rows: many, sampleCount: 256 }), undefined);
});

test('more rows than the kernel has room for are sampled without it', () => {
  const [rowCount, options] = [70_000, { treeCount: 2, maxSamples: 800 }];
  const rows = createEncodedRows({ numericCount: 1, categoryCounts: [] }, rowCount);
  rows.rowCount = rowCount;
  rows.numeric[0]?.forEach((_, row, column) => { column[row] = mix(row, 0, 1) / 2 ** 32; });
  assert.deepEqual(growForest(rows, options, 1), growForest(rows, options, 1, 'none'));
});

test('infinite and huge numbers are no obstacle to fitting', () => {
  const rows = createEncodedRows({ numericCount: 2, categoryCounts: [2] }, 40);
  rows.rowCount = 40;
  for (let row = 0; row < 40; row++) {
    (rows.numeric[0] as Float32Array)[row] = [-Infinity, Infinity, 3e38, -3e38, row][row % 5] as number;
    (rows.numeric[1] as Float32Array)[row] = row;
  }
  const forest = isolationForestTrainer.fit(rows, {}, 1);
  const scores = new Float64Array(40);
  forest.score(rows, scores);
  assert.ok(forest.threshold.every((threshold) => Number.isFinite(threshold)));
  assert.ok(scores.every((score) => score > 0 && score < 1));
});
