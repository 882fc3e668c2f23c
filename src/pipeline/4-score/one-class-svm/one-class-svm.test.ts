/** The one-class SVM beside scikit-learn's (test/oracle/one-class-svm.py): as many iterations, so the same function. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError, OperatorError } from '#base';
import { createEncodedRows } from '#feature';
import { readPointCases, toRows } from '../../../../test/support/point-cases.ts';
import type { SvmRun } from '../../../../test/support/point-cases.ts';
import { fitSvm } from './fit-one-class-svm.ts';
import { decideSvm, oneClassSvm } from './one-class-svm.ts';

const cases = readPointCases<SvmRun>('one-class-svm');

for (const { name, layout, train, queries, runs } of cases) {
  test(`${name}: iterations, kernel width, offset and decision function are scikit-learn's`, () => {
    for (const { nu, tolerance, gamma, width, offset, iterations, decisions } of runs) {
      const got = fitSvm(toRows(layout, train), { nu, tolerance, gamma }, 1);
      const label = `nu ${nu}, tolerance ${tolerance}`;
      assert.equal(got.iterations, iterations, label);
      assert.ok(Math.abs(got.fitted.gamma / width - 1) < 1e-12, `${label}: kernel width`);
      assert.ok(Math.abs(got.fitted.offset - offset) < 1e-9, `${label}: offset`);
      const rows = toRows(layout, queries);
      const out = new Float64Array(rows.rowCount);
      decideSvm(got.fitted, rows, out);
      decisions.forEach((decision, row) => {
        const apart = Math.abs((out[row] as number) - decision);
        assert.ok(apart < 1e-9, `${label}: row ${row}: ${out[row]}, not ${decision}`);
      });
    }
  });
}

const [example] = cases as [typeof cases[number]];
const exampleRows = toRows(example.layout, example.train);
const exampleQueries = toRows(example.layout, example.queries);

test('scores fall as the decision function rises, and are 1/2 where it is 0', () => {
  const { fitted } = fitSvm(exampleRows, {}, 1);
  const decisions = new Float64Array(exampleQueries.rowCount);
  const scores = new Float64Array(exampleQueries.rowCount);
  decideSvm(fitted, exampleQueries, decisions);
  fitted.score(exampleQueries, scores);
  const order = [...decisions.keys()].sort((a, b) => (decisions[a] as number) - (decisions[b] as number));
  order.forEach((row, place) => {
    const score = scores[row] as number;
    assert.ok(score >= 0 && score <= 1);
    assert.equal(score <= fitted.defaultThreshold, (decisions[row] as number) >= 0);
    if (place > 0) assert.ok(score <= (scores[order[place - 1] as number] as number));
  });
  assert.ok(decisions.some((decision) => decision < 0) && decisions.some((decision) => decision > 0));
});

test('memory for two kernel rows gives the same machine as memory for all', () => {
  const solverLimits = { iterationsMax: 10_000, kernelBytesMax: 0 };
  const bytes = oneClassSvm.write(fitSvm(exampleRows, {}, 1).fitted);
  assert.deepEqual(oneClassSvm.write(fitSvm(exampleRows, {}, 1, solverLimits).fitted), bytes);
});

test('a solver that takes too many steps says what to change', () => {
  const solverLimits = { iterationsMax: 3, kernelBytesMax: 1 << 20 };
  assert.throws(() => fitSvm(exampleRows, {}, 1, solverLimits),
    (thrown) => thrown instanceof OperatorError && /after 3 steps; choose a larger tolerance/.test(thrown.message));
});

test('more rows than the limit are sampled: by the seed, and by it alone', () => {
  const fitBytes = (seed: number): Uint8Array => oneClassSvm.write(fitSvm(exampleRows, { rowsMax: 40 }, seed).fitted);
  assert.deepEqual(fitBytes(1), fitBytes(1));
  assert.notDeepEqual(fitBytes(1), fitBytes(2));
  const weights = fitSvm(exampleRows, { rowsMax: 40 }, 1).fitted.weights;
  assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 20) < 1e-9, 'weights add up to nu · rows');
});

test('numbers that no distance is finite for are far away, in training too', () => {
  const rows = createEncodedRows({ numericCount: 2, categoryCounts: [2] }, 6);
  rows.rowCount = 6;
  rows.numeric[0]?.set([0, 0.1, 0.2, 0.3, 3e38, Infinity]);
  const { fitted } = fitSvm(rows, { gamma: 1 }, 1);
  const queries = createEncodedRows(rows.layout, 4);
  queries.rowCount = 4;
  queries.numeric[1]?.set([Infinity, -Infinity, NaN, -3e38]);
  queries.codes[0]?.fill(2);
  const scores = new Float64Array(4);
  fitted.score(queries, scores);
  assert.deepEqual([...scores], [1, 1, 1, 1]);
  fitSvm(rows, {}, 1).fitted.score(queries, scores);
  assert.ok(scores.every((score) => score >= 0 && score <= 1), 'and with a kernel as wide as the numbers are');
});

test('nu must lie between 0 and 1, and there must be rows', () => {
  for (const nu of [0, 1, NaN]) assert.throws(() => fitSvm(exampleRows, { nu }, 1), InvariantError);
  assert.throws(() => fitSvm(createEncodedRows(example.layout, 1), {}, 1), InvariantError);
});

test('bytes: read back they write and score the same, from any place in memory', () => {
  const { fitted } = fitSvm(exampleRows, {}, 1);
  const bytes = oneClassSvm.write(fitted);
  const moved = new Uint8Array(bytes.length + 3);
  moved.set(bytes, 3);
  for (const place of [bytes, moved.subarray(3)]) {
    const again = oneClassSvm.read(place, example.layout);
    assert.ok(typeof again !== 'string');
    assert.deepEqual(oneClassSvm.write(again), bytes);
    const scores = [fitted, again].map((detector) => {
      const out = new Float64Array(exampleQueries.rowCount);
      detector.score(exampleQueries, out);
      return out;
    });
    assert.deepEqual(scores[0], scores[1]);
  }
});

test('bytes: each fault has its sentence', () => {
  const bytes = oneClassSvm.write(fitSvm(exampleRows, {}, 1).fitted);
  const groups = new DataView(bytes.buffer).getUint32(4, true);
  const points = new DataView(bytes.buffer).getUint32(0, true);
  const groupStart = 32 + points * 8;
  const numeric = groupStart + Math.ceil((groups + 1) / 2) * 8;
  const faults: [string, (view: DataView) => void, RegExp][] = [
    ['more points than bytes', (view) => view.setUint32(0, 0xffff_ffff, true), /where its header asks for/],
    ['one point more', (view) => view.setUint32(0, points + 1, true), /where its header asks for/],
    ['an axis that is none', (view) => view.setUint32(8, 3, true), /sorted by feature 3/],
    ['a field that is not used', (view) => view.setUint32(12, 1, true), /must be 0/],
    ['no kernel width', (view) => view.setFloat64(16, 0, true), /kernel width/],
    ['a negative offset', (view) => view.setFloat64(24, -1, true), /kernel width/],
    ['an offset that is no number', (view) => view.setFloat64(24, NaN, true), /not finite/],
    ['a negative weight', (view) => view.setFloat64(32, -1, true), /kernel width/],
    ['groups that begin late', (view) => view.setUint32(groupStart, 1, true), /groups are not its points/],
    ['groups that overlap', (view) => view.setUint32(groupStart + 4, 0, true), /ends before it begins/],
    ['a number that is none', (view) => view.setFloat32(numeric, NaN, true), /not sorted|not finite/],
    ['a category that is none', (view) => view.setUint16(bytes.length - 8, 999, true), /is unknown/],
  ];
  for (const [label, damage, sentence] of faults) {
    const copy = bytes.slice();
    damage(new DataView(copy.buffer));
    const got = oneClassSvm.read(copy, example.layout);
    assert.ok(typeof got === 'string', `${label} is refused`);
    assert.match(got, sentence, label);
  }
  assert.match(oneClassSvm.read(bytes.subarray(0, 9), example.layout) as string, /too few for its header/);
  for (let length = 16; length < bytes.length; length += 7) {
    assert.equal(typeof oneClassSvm.read(bytes.subarray(0, length), example.layout), 'string');
  }
});
