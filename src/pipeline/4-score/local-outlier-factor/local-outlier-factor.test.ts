/**
 * Local outlier factors beside scikit-learn's (test/oracle/local-outlier-factor.py), and beside the definition written
 * down plainly where scikit-learn's answer depends on the order in which it finds neighbours that are equally far away.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError, Random } from '#base';
import { createEncodedRows, expandOneHot, oneHotColumnCount } from '#feature';
import type { EncodedRows } from '#feature';
import { largestDifference, readPointCases, toRows } from '../../../../test/support/point-cases.ts';
import type { LofRun } from '../../../../test/support/point-cases.ts';
import { lofTrainer } from './fit-local-outlier-factor.ts';
import { findOutlierFactors, localOutlierFactor } from './local-outlier-factor.ts';

const cases = readPointCases<LofRun>('local-outlier-factor');

function factorsOf(train: EncodedRows, queries: EncodedRows, neighbours: number): Float64Array {
  const out = new Float64Array(queries.rowCount);
  findOutlierFactors(lofTrainer.fit(train, { neighbours }, 1), queries, out);
  return out;
}

for (const { name, layout, train, queries, runs } of cases) {
  test(`${name}: factors are scikit-learn's wherever the definition gives them`, () => {
    for (const { neighbours, scores, isDetermined } of runs) {
      const got = factorsOf(toRows(layout, train), toRows(layout, queries), neighbours);
      const difference = largestDifference(got, scores.map((score) => -score), (row) => isDetermined[row] === true);
      assert.ok(difference < 1e-9, `${neighbours} neighbours: ${difference} apart`);
    }
  });
}

test('the cases leave little open: only categories alone are mostly ties', () => {
  for (const { name, runs } of cases.filter((one) => one.name !== 'categories alone')) {
    assert.ok(runs.every(({ isDetermined }) => isDetermined.every((is) => is)), name);
  }
});

/** The definition over all pairs of one-hot rows; of equally near points those that sort first by codes and numbers. */
function factorsByDefinition(train: EncodedRows, queries: EncodedRows, neighbours: number): number[] {
  const width = oneHotColumnCount(train.layout);
  const expand = (rows: EncodedRows): Float32Array[] => {
    const out = new Float32Array(rows.rowCount * width);
    expandOneHot(rows, out);
    return Array.from({ length: rows.rowCount }, (_, row) => out.subarray(row * width, (row + 1) * width));
  };
  const keyOf = (row: number): number[] =>
    [...train.codes.map((column) => column[row] as number), ...train.numeric.map((column) => column[row] as number)];
  const known = expand(train);
  const place = known.map((_, row) => row).sort((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at < 0 ? a - b : (left[at] as number) - (right[at] as number);
  });
  const measure = (a: Float32Array, b: Float32Array): number =>
    Math.sqrt(a.reduce((sum, value, i) => sum + ((b[i] as number) - value) ** 2, 0));
  const nearest = (row: Float32Array, without: number): { row: number; distance: number }[] => place
    .filter((other) => other !== without)
    .map((other) => ({ row: other, distance: measure(known[other] as Float32Array, row) }))
    .sort((a, b) => a.distance - b.distance).slice(0, neighbours);
  const near = known.map((row, index) => nearest(row, index));
  const reach = near.map((list) => list.at(-1)?.distance ?? 0);
  const densityOf = (list: { row: number; distance: number }[]): number => 1 / (1e-10 + list.reduce(
    (sum, { row, distance }) => sum + Math.max(distance, reach[row] as number), 0) / list.length);
  const density = near.map(densityOf);
  return expand(queries).map((row) => {
    const list = nearest(row, -1);
    const own = densityOf(list);
    return list.reduce((sum, other) => sum + (density[other.row] as number) / own, 0) / list.length;
  });
}

/** Rows on a coarse grid: nearly every distance is a tie. The first number has most values, so points sort by it. */
function makeGrid(random: Random, rowCount: number): EncodedRows {
  const rows = createEncodedRows({ numericCount: 2, categoryCounts: [3, 2] }, rowCount);
  rows.rowCount = rowCount;
  for (let row = 0; row < rowCount; row++) {
    (rows.numeric[0] as Float32Array)[row] = random.integer(0, 8) / 8;
    (rows.numeric[1] as Float32Array)[row] = random.integer(0, 3) / 8;
    (rows.codes[0] as Uint16Array)[row] = random.integer(0, 3);
    (rows.codes[1] as Uint16Array)[row] = random.integer(0, 1);
  }
  return rows;
}

test('ties: factors are those of the definition, with the points that sort first', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const random = new Random(seed);
    const train = makeGrid(random, 120);
    const queries = makeGrid(random, 40);
    for (const neighbours of [1, 4, 20]) {
      const difference = largestDifference(factorsOf(train, queries, neighbours),
        factorsByDefinition(train, queries, neighbours));
      assert.ok(difference < 1e-9, `seed ${seed}, ${neighbours} neighbours: ${difference} apart`);
    }
  }
});

const [example] = cases as [typeof cases[number]];
const exampleRows = toRows(example.layout, example.train);
const exampleQueries = toRows(example.layout, example.queries);
const exampleLof = lofTrainer.fit(exampleRows, {}, 1);

test('the order of training rows changes nothing', () => {
  const reversed = createEncodedRows(example.layout, exampleRows.rowCount);
  reversed.rowCount = exampleRows.rowCount;
  reversed.numeric.forEach((column, feature) => column.set(exampleRows.numeric[feature]?.toReversed() ?? []));
  reversed.codes.forEach((column, feature) => column.set(exampleRows.codes[feature]?.toReversed() ?? []));
  assert.deepEqual(localOutlierFactor.write(lofTrainer.fit(reversed, {}, 1)), localOutlierFactor.write(exampleLof));
});

test('scores rise with the factor, and the default threshold is scikit-learn\'s offset', () => {
  const factors = new Float64Array(exampleQueries.rowCount);
  const scores = new Float64Array(exampleQueries.rowCount);
  findOutlierFactors(exampleLof, exampleQueries, factors);
  exampleLof.score(exampleQueries, scores);
  const outside = -(example.runs[0]?.offset ?? NaN);
  const order = [...factors.keys()].sort((a, b) => (factors[a] as number) - (factors[b] as number));
  order.forEach((row, place) => {
    const score = scores[row] as number;
    assert.ok(score >= 0 && score <= 1);
    assert.equal(score > exampleLof.defaultThreshold, (factors[row] as number) > outside);
    if (place > 0) assert.ok(score >= (scores[order[place - 1] as number] as number));
  });
  assert.ok(factors.some((factor) => factor > outside) && factors.some((factor) => factor < outside));
});

test('a single training row: it is as dense as can be, and all else lies outside', () => {
  const rows = createEncodedRows({ numericCount: 1, categoryCounts: [1] }, 1);
  rows.rowCount = 1;
  const fitted = lofTrainer.fit(rows, {}, 1);
  const queries = createEncodedRows(rows.layout, 2);
  queries.rowCount = 2;
  queries.codes[0]?.set([0, 1]);
  const scores = new Float64Array(2);
  fitted.score(queries, scores);
  assert.equal(scores[0], 0.5);
  assert.ok((scores[1] as number) > fitted.defaultThreshold);
});

test('numbers that no distance is finite for are far away, in training too', () => {
  const rows = createEncodedRows({ numericCount: 2, categoryCounts: [2] }, 6);
  rows.rowCount = 6;
  rows.numeric[0]?.set([0, 0.1, 0.2, 0.3, 3e38, Infinity]);
  const queries = createEncodedRows(rows.layout, 4);
  queries.rowCount = 4;
  queries.numeric[1]?.set([Infinity, -Infinity, NaN, -3e38]);
  for (const neighbours of [1, 2, 20]) {
    const scores = new Float64Array(4);
    lofTrainer.fit(rows, { neighbours }, 1).score(queries, scores);
    assert.ok(scores.every((score) => Number.isFinite(score) && score >= 0 && score <= 1), `${scores}`);
  }
});

test('more rows than the limit are sampled: by the seed, and by it alone', () => {
  const fitBytes = (seed: number): Uint8Array =>
    localOutlierFactor.write(lofTrainer.fit(exampleRows, { rowsMax: 40 }, seed));
  assert.deepEqual(fitBytes(1), fitBytes(1));
  assert.notDeepEqual(fitBytes(1), fitBytes(2));
  const { rowsOf } = lofTrainer.fit(exampleRows, { rowsMax: 40 }, 1);
  assert.equal(rowsOf.reduce((sum, count) => sum + count, 0), 40);
});

test('neighbours are whole and within the limit, and there must be rows', () => {
  for (const neighbours of [0, 1.5, 1_025]) {
    assert.throws(() => lofTrainer.fit(exampleRows, { neighbours }, 1), InvariantError);
  }
  assert.throws(() => lofTrainer.fit(createEncodedRows(example.layout, 1), {}, 1), InvariantError);
});

test('bytes: read back they write and score the same, from any place in memory', () => {
  const bytes = localOutlierFactor.write(exampleLof);
  const moved = new Uint8Array(bytes.length + 3);
  moved.set(bytes, 3);
  for (const place of [bytes, moved.subarray(3)]) {
    const again = localOutlierFactor.read(place, example.layout);
    assert.ok(typeof again !== 'string');
    assert.deepEqual(localOutlierFactor.write(again), bytes);
    const scores = [exampleLof, again].map((detector) => {
      const out = new Float64Array(exampleQueries.rowCount);
      detector.score(exampleQueries, out);
      return out;
    });
    assert.deepEqual(scores[0], scores[1]);
  }
});

test('bytes: each fault has its sentence', () => {
  const bytes = localOutlierFactor.write(exampleLof);
  const points = exampleLof.points.pointCount;
  const [rowsOf, reach, density] = [16, 16 + points * 8, 16 + points * 16] as const;
  const faults: [string, (view: DataView) => void, RegExp][] = [
    ['no neighbours', (view) => view.setUint32(12, 0, true), /asks for 0 neighbours/],
    ['more neighbours than rows', (view) => view.setUint32(12, 301, true), /asks for 301 neighbours/],
    ['half a row', (view) => view.setFloat64(rowsOf, 0.5, true), /whole numbers of training rows/],
    ['too many rows', (view) => view.setFloat64(rowsOf, 2 ** 40, true), /whole numbers of training rows/],
    ['a negative distance', (view) => view.setFloat64(reach, -1, true), /out of range/],
    ['a distance beyond any two rows', (view) => view.setFloat64(reach, 1e300, true), /out of range/],
    ['no density', (view) => view.setFloat64(density, 0, true), /out of range/],
    ['a density above all', (view) => view.setFloat64(density, 1e11, true), /out of range/],
    ['no groups', (view) => view.setUint32(4, 0, true), /where its header asks for|0 groups/],
  ];
  for (const [label, damage, sentence] of faults) {
    const copy = bytes.slice();
    damage(new DataView(copy.buffer));
    const got = localOutlierFactor.read(copy, example.layout);
    assert.ok(typeof got === 'string', `${label} is refused`);
    assert.match(got, sentence, label);
  }
  for (let length = 0; length < bytes.length; length += 7) {
    assert.equal(typeof localOutlierFactor.read(bytes.subarray(0, length), example.layout), 'string');
  }
});
