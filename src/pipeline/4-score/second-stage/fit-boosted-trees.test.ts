/** Fitting of boosted trees: what a pencil finds, what a slow and plain implementation finds, and the edges. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { createEncodedRows, type EncodedRows } from '#feature';
import { growPlainly } from '../../../../test/support/plain-boosting.ts';
import { leafFeature, type BoostedTrees } from './boosted-trees.ts';
import { fitBoostedTrees, type BoostOptions } from './fit-boosted-trees.ts';
import { logOddsOf, predictBoostedTrees } from './predict-boosted-trees.ts';

function makeRows(numeric: readonly number[][], codes: readonly number[][], counts: readonly number[]): EncodedRows {
  const rowCount = (numeric[0] ?? codes[0] ?? []).length;
  const rows = createEncodedRows({ numericCount: numeric.length, categoryCounts: counts }, rowCount);
  rows.rowCount = rowCount;
  numeric.forEach((column, i) => rows.numeric[i]?.set(column));
  codes.forEach((column, i) => rows.codes[i]?.set(column));
  return rows;
}

const repeat = <T>(count: number, ...values: readonly T[]): T[] =>
  values.flatMap((value) => Array.from({ length: count }, () => value));

function predict(trees: BoostedTrees, rows: EncodedRows): number[] {
  const out = new Float64Array(rows.rowCount);
  predictBoostedTrees(trees, rows, out);
  return [...out];
}

test('one cut between two kinds: the values that a pencil finds', () => {
  const rows = makeRows([repeat(20, 1, 3)], [], []);
  const labels = Uint8Array.from(repeat(20, 0, 1));
  // Each of 20 rows: gradient ±1/2, slope 1/4; a tenth of the step 10 / (5 + λ).
  for (const [l2, step] of [[0, 0.2], [1, 1 / 6], [5, 0.1]] as const) {
    const trees = fitBoostedTrees(rows, labels, { iterations: 1, l2 });
    assert.deepEqual([...trees.feature], [0, leafFeature, leafFeature]);
    assert.deepEqual([...trees.threshold], [2, Math.fround(-step), Math.fround(step)]);
    assert.deepEqual([...trees.left], [1, 0, 0]);
    assert.deepEqual([trees.base, trees.acceptFrom], [0, 0]);
  }
  const two = fitBoostedTrees(rows, labels, { iterations: 2, l2: 0 });
  const share = 1 / (1 + Math.exp(Math.fround(0.2)));
  // What the first tree left over: gradient 20 p, slope 20 p (1 - p).
  assert.equal(two.threshold[4], Math.fround(-0.1 / (1 - share)));
});

test('the base is the log-odds of all rows', () => {
  const rows = makeRows([repeat(40, 1)], [], []);
  assert.equal(fitBoostedTrees(rows, Uint8Array.from([...repeat(30, 1), ...repeat(10, 0)])).base, Math.log(3));
});

test('categories are divided by what they say, in any order of codes', () => {
  const rows = makeRows([], [repeat(20, 0, 1, 2, 5)], [5]);
  const trees = fitBoostedTrees(rows, Uint8Array.from(repeat(20, 1, 0, 1, 0)), { iterations: 1 });
  // Half of the rows go left, so what was never seen (3, 4) goes there, too; 5 is the code of the unseen.
  assert.deepEqual([...trees.codeSets], [0b01_1101]);
  assert.ok((trees.threshold[1] as number) > 0 && (trees.threshold[2] as number) < 0);
});

test('a category of few rows goes with the rest', () => {
  const rows = makeRows([], [[...repeat(30, 0, 1), ...repeat(5, 2)]], [3]);
  const trees = fitBoostedTrees(rows, Uint8Array.from([...repeat(30, 1, 0), ...repeat(5, 1)]), { iterations: 1 });
  // Its five rows speak like 0, but too softly: it stays with whichever side does not name its categories.
  assert.equal(trees.codeSets.length, 1);
  const isLeft = (code: number): boolean => (((trees.codeSets[0] as number) >>> code) & 1) === 1;
  assert.notEqual(isLeft(0), isLeft(1));
  assert.equal(isLeft(2), false);
  assert.equal(isLeft(0), false, 'with those that it resembles');
});

test('missing numbers go where they belong; unseen ones where most rows go', () => {
  const labels = Uint8Array.from(repeat(20, 0, 1, 1));
  const like = fitBoostedTrees(makeRows([repeat(20, 1, 2, Number.NaN)], [], []), labels, { iterations: 1 });
  assert.deepEqual([like.threshold[0], like.missingLeft[0]], [1.5, 0]);
  const other = fitBoostedTrees(makeRows([repeat(20, 2, 1, Number.NaN)], [], []), labels, { iterations: 1 });
  assert.deepEqual([other.threshold[0], other.missingLeft[0]], [1.5, 1]);
  const alone = fitBoostedTrees(makeRows([repeat(20, Number.NaN, 1, 2)], [], []), labels, { iterations: 1 });
  assert.deepEqual([alone.threshold[0], alone.missingLeft[0]], [Infinity, 0]);
  const asked = makeRows([[Number.NaN, 1e30, Infinity, -Infinity]], [], []);
  const [missing, ...seen] = predict(alone, asked);
  assert.ok((missing as number) < alone.base && seen.every((odds) => odds > alone.base));
  for (const [first, side] of [[30, 1], [50, 0]] as const) {
    const cut = fitBoostedTrees(makeRows([[...repeat(40, 1), ...repeat(first, 2)]], [], []),
      Uint8Array.from([...repeat(40, 0), ...repeat(first, 1)]), { iterations: 1 });
    assert.equal(cut.missingLeft[0], side);
  }
});

test('a leaf has as many rows as it must have', () => {
  const fit = (own: number): number => fitBoostedTrees(
    makeRows([[...repeat(60, 0), ...repeat(own, 1)]], [], []),
    Uint8Array.from([...repeat(60, 0), ...repeat(own, 1)]), { iterations: 3 }).roots.length;
  assert.deepEqual([fit(19), fit(20)], [0, 3]);
});

test('the leaf that gains most is split next', () => {
  // 0 | 1 2 tells most; then 1 | 2 tells some; within 0 there is little to tell by the other feature.
  const rows = makeRows([repeat(40, 0, 0, 1, 2), repeat(20, 0, 1, 0, 1, 0, 1, 0, 1)], [], []);
  const labels = Uint8Array.from([...repeat(79, 0), 1, ...repeat(30, 1), ...repeat(10, 0), ...repeat(40, 1)]);
  const at = (maxLeaves: number): number[] => [...fitBoostedTrees(rows, labels, { iterations: 1, maxLeaves }).feature];
  assert.deepEqual(at(2), [0, leafFeature, leafFeature]);
  assert.deepEqual(at(3).filter((feature) => feature !== leafFeature).length, 2);
  const three = fitBoostedTrees(rows, labels, { iterations: 1, maxLeaves: 3 });
  assert.deepEqual([three.feature[1], three.left[2]], [leafFeature, 3]);
});

test('nothing to tell apart: no trees, and the base alone', () => {
  const log = Math.log;
  const cases: readonly (readonly [EncodedRows, number[], number])[] = [
    [makeRows([[1]], [[0]], [1]), [1], log(3)],
    [makeRows([repeat(50, 1)], [repeat(50, 1)], [1]), repeat(25, 0, 1), 0],
    [makeRows([repeat(25, 0, 1)], [], []), repeat(50, 1), log(101)],
    [makeRows([repeat(25, 0, 1)], [], []), repeat(50, 0), -log(101)],
    [makeRows([repeat(50, Number.NaN)], [repeat(50, 1)], [1]), repeat(25, 0, 1), 0],
    [makeRows([[0, 1, 2]], [], []), [0, 1, 0], log(0.5)],
  ];
  for (const [rows, labels, base] of cases) {
    const trees = fitBoostedTrees(rows, Uint8Array.from(labels));
    assert.equal(trees.roots.length, 0);
    assert.ok(Math.abs(trees.base - base) < 1e-12);
    assert.ok(predict(trees, rows).every((odds) => odds === trees.base));
  }
  const none = createEncodedRows({ numericCount: 0, categoryCounts: [] }, 30);
  none.rowCount = 30;
  assert.equal(fitBoostedTrees(none, Uint8Array.from(repeat(15, 0, 1))).roots.length, 0);
});

/** Rows whose label depends on numbers and categories. */
function makeMixed(rowCount: number, seed: number, { values = 12, missing = 0.1 } = {}): {
  rows: EncodedRows; labels: Uint8Array; weights: Float64Array;
} {
  const random = new Random(seed);
  const layout = { numericCount: 3, categoryCounts: [6, 20] };
  const rows = createEncodedRows(layout, rowCount);
  rows.rowCount = rowCount;
  const labels = new Uint8Array(rowCount);
  const weights = new Float64Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const numbers = rows.numeric.map((column) =>
      column[row] = random.chance(missing) ? Number.NaN : random.integer(0, values) / values);
    const codes = rows.codes.map((column, i) => column[row] = random.integer(0, layout.categoryCounts[i] as number));
    const odds = Number((numbers[0] as number) > 0.4) + Number((codes[1] as number) % 3 === 0) -
      Number((numbers[1] as number) < (codes[0] as number) / 6);
    labels[row] = Number(random.chance(0.5 + odds / 5));
    weights[row] = 0.5 + random.uniform();
  }
  return { rows, labels, weights };
}

test('the trees are those of a slow and plain implementation', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { rows, labels, weights } = makeMixed(150 + seed * 30, seed);
    const options = {
      iterations: 4, maxLeaves: 2 + seed, minSamplesLeaf: 1 + seed % 7, l2: seed % 3, learningRate: 0.3,
      categorySmoothing: seed % 4, categoryRowsMin: 1 + seed % 5, weights,
    } satisfies Partial<BoostOptions>;
    const trees = fitBoostedTrees(rows, labels, options);
    const expected = growPlainly(rows, labels, options);
    predict(trees, rows).forEach((odds, row) => {
      const apart = Math.abs(odds - (expected[row] as number));
      assert.ok(apart < 1e-6, `seed ${seed}, row ${row}: ${odds}, not ${expected[row]}`);
    });
  }
});

test('the same rows give the same trees, and are left as they were', () => {
  const { rows, labels } = makeMixed(2_000, 3, { values: 1_000 });
  const before = structuredClone({ numeric: rows.numeric, codes: rows.codes, labels });
  const trees = fitBoostedTrees(rows, labels);
  assert.deepEqual(fitBoostedTrees(rows, labels), trees);
  assert.deepEqual({ numeric: rows.numeric, codes: rows.codes, labels }, before);
  assert.equal(trees.roots.length, 100);
});

test('a row that counts twice is a row that is there twice', () => {
  const { rows, labels } = makeMixed(300, 4);
  const twice = createEncodedRows(rows.layout, 600);
  twice.rowCount = 600;
  rows.numeric.forEach((column, i) => [0, 300].forEach((at) => twice.numeric[i]?.set(column, at)));
  rows.codes.forEach((column, i) => [0, 300].forEach((at) => twice.codes[i]?.set(column, at)));
  const options = { iterations: 5, minSamplesLeaf: 1, categoryRowsMin: 1 };
  const weighted = fitBoostedTrees(rows, labels, { ...options, weights: new Float64Array(300).fill(2) });
  assert.deepEqual(fitBoostedTrees(twice, Uint8Array.of(...labels, ...labels), options), weighted);
});

test('more trees always fit the training rows better, and never more leaves than asked for', () => {
  const { rows, labels } = makeMixed(1_000, 5);
  const lossAt = (iterations: number): number => predict(fitBoostedTrees(rows, labels, { iterations }), rows)
    .reduce((sum, odds, row) => sum + Math.log1p(Math.exp(labels[row] === 1 ? -odds : odds)), 0);
  const losses = [0, 1, 3, 10, 40].map(lossAt);
  losses.slice(1).forEach((loss, i) => assert.ok(loss < (losses[i] as number)));
  const { roots, feature } = fitBoostedTrees(rows, labels, { maxLeaves: 5, iterations: 20 });
  [...roots].forEach((root, tree) => assert.ok((roots[tree + 1] ?? feature.length) - root <= 9));
});

test('stops early at the trees that serve rows held out best', () => {
  const train = makeMixed(2_000, 6);
  const held = makeMixed(2_000, 7);
  const options = { minSamplesLeaf: 5, learningRate: 0.3, iterations: 60 };
  const earlyStop = { rows: held.rows, labels: held.labels, patience: 5 };
  const stopped = fitBoostedTrees(train.rows, train.labels, { ...options, earlyStop });
  const count = stopped.roots.length;
  assert.ok(count > 0 && count < 55);
  assert.deepEqual(fitBoostedTrees(train.rows, train.labels, { ...options, iterations: count }), stopped);
  const lossAt = (iterations: number): number =>
    predict(fitBoostedTrees(train.rows, train.labels, { ...options, iterations }), held.rows)
      .reduce((sum, odds, row) => sum + Math.log1p(Math.exp(held.labels[row] === 1 ? -odds : odds)), 0);
  const best = lossAt(count);
  for (let other = 0; other < count + 5; other++) assert.ok(lossAt(other) >= best - 1e-9);
});

test('one row is scored as in a batch; rows of another layout are refused', () => {
  const { rows, labels } = makeMixed(200, 8);
  const trees = fitBoostedTrees(rows, labels, { iterations: 5 });
  assert.deepEqual([...rows.numeric[0]?.keys() ?? []].map((row) => logOddsOf(trees, rows, row)), predict(trees, rows));
  assert.throws(() => logOddsOf(trees, rows, 200), { name: 'InvariantError' });
  assert.throws(() => predict(trees, makeRows([[1]], [], [])), { name: 'InvariantError' });
});

test('what cannot be fitted is refused', () => {
  const rows = makeRows([[1, 2]], [], []);
  const labels = Uint8Array.of(0, 1);
  const refuse = (options: Partial<BoostOptions>, of = labels): void =>
    assert.throws(() => fitBoostedTrees(rows, of, options), { name: 'InvariantError' });
  refuse({}, Uint8Array.of(0, 2));
  refuse({}, Uint8Array.of(1));
  refuse({ iterations: 1_025 });
  refuse({ maxLeaves: 257 });
  refuse({ maxBins: 256 });
  refuse({ weights: Float64Array.of(1, Number.NaN) });
  refuse({ weights: new Float64Array(2) });
  assert.throws(() => fitBoostedTrees(createEncodedRows(rows.layout, 0), labels), { name: 'InvariantError' });
  assert.throws(() => fitBoostedTrees(makeRows([], [[2, 0]], [1]), labels), { name: 'InvariantError' });
});
