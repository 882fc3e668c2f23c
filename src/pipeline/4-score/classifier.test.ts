/** The rule about new categories, thresholds and acceptance, with a detector made for the purpose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '#base';
import { createEncodedRows, type EncodedRows } from '#feature';
import { acceptScores, chooseThreshold, percentileMax, scoreRows, unseenScore, type Scoring } from './classifier.ts';
import type { FittedDetector } from './detector.ts';

const layout = { numericCount: 1, categoryCounts: [2, 3] };

/** Gives each row its number as its score. */
const detector: FittedDetector = {
  algorithm: 'isolation-forest', layout, defaultThreshold: 0.5,
  score: ({ rowCount, numeric }, out) => out.set((numeric[0] as Float32Array).subarray(0, rowCount)),
};

/** Rows of three features each: the score, and two codes. */
function rowsOf(...values: readonly (readonly [number, number, number])[]): EncodedRows {
  const rows = createEncodedRows(layout, values.length);
  rows.rowCount = values.length;
  for (const [row, [score, first, second]] of values.entries()) {
    (rows.numeric[0] as Float32Array)[row] = score;
    (rows.codes[0] as Uint16Array)[row] = first;
    (rows.codes[1] as Uint16Array)[row] = second;
  }
  return rows;
}

function scoresOf(stableFeatures: Scoring['stableFeatures'], rows: EncodedRows): number[] {
  const out = new Float64Array(rows.rowCount + 1).fill(-1);
  scoreRows({ detector, stableFeatures }, rows, out);
  assert.equal(out[rows.rowCount], -1, 'nothing is written behind the rows');
  return [...out.subarray(0, rows.rowCount)];
}

test('a new category rejects in stable features alone', () => {
  const rows = rowsOf([0.25, 0, 0], [0.25, 2, 0], [0.25, 1, 3], [0.25, 2, 3]);
  assert.deepEqual(scoresOf([], rows), [0.25, 0.25, 0.25, 0.25]);
  assert.deepEqual(scoresOf([0], rows), [0.25, unseenScore, 0.25, unseenScore]);
  assert.deepEqual(scoresOf([1], rows), [0.25, 0.25, unseenScore, unseenScore]);
  assert.deepEqual(scoresOf([0, 1], rows), [0.25, unseenScore, unseenScore, unseenScore]);
  assert.deepEqual(scoresOf([0], rowsOf()), []);
  assert.throws(() => scoresOf([2], rows), InvariantError);
});

test('a flow is accepted up to its threshold', () => {
  const byPercentile = Float64Array.from({ length: percentileMax + 1 }, (_, p) => 1 - p / 100);
  const thresholds = { default: 0.5, byPercentile };
  assert.equal(chooseThreshold(thresholds, 'default'), 0.5);
  assert.equal(chooseThreshold(thresholds, 10), 0.9);
  for (const bad of [31, -1, 1.5]) assert.throws(() => chooseThreshold(thresholds, bad), InvariantError);
  const out = new Uint8Array(4).fill(9);
  acceptScores(Float64Array.from([0.5, 0.5000001, 0.4]), 3, 0.5, out);
  assert.deepEqual([...out], [1, 0, 1, 9]);
});
