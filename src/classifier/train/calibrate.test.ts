/** Thresholds, stable features and the self-check, on scores made for the purpose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits, Random } from '#base';
import { createEncodedRows, type EncodedRows } from '#feature';
import { percentileMax, type Thresholds } from '#score';
import { calibrate, checkFitness, findStableFeatures, type ScoredPart } from './calibrate.ts';

const scoresOf = (values: readonly number[]): Float64Array => Float64Array.from(values);

test('the threshold of percentile p leaves p per cent of validation above it', () => {
  const scores = scoresOf(Array.from({ length: 101 }, (_, i) => i / 200));
  const { byPercentile, default: byDefault } = calibrate(scores, scores, 0.4);
  assert.equal(byDefault, 0.4);
  assert.equal(byPercentile.length, percentileMax + 1);
  assert.equal(byPercentile[0], 0.5);
  assert.ok(Math.abs((byPercentile[10] as number) - 0.45) < 1e-15);
  assert.ok(Math.abs((byPercentile[30] as number) - 0.35) < 1e-15);
});

test('thresholds never rise, and a rejection never raises one above what the detector itself gave', () => {
  const score = fc.double({ min: 0, max: 0.99, noNaN: true });
  fc.assert(fc.property(fc.array(fc.tuple(score, fc.boolean()), { minLength: 1, maxLength: 80 }), (flows) => {
    const own = scoresOf(flows.map(([value]) => value));
    const isRejected = flows.map(([, rejected], i) => rejected && i > 0);
    const scores = own.map((value, i) => (isRejected[i] === true ? 1 : value));
    const { byPercentile } = calibrate(own, scores, 0.5);
    const highest = Math.max(...own.filter((_, i) => isRejected[i] !== true));
    for (let p = 0; p <= percentileMax; p++) {
      assert.ok((byPercentile[p] as number) <= highest);
      if (p > 0) assert.ok((byPercentile[p] as number) <= (byPercentile[p - 1] as number));
    }
    assert.equal(byPercentile[0], highest);
  }));
});

/** Rows with one categorical feature; codes of `categories` are known, that number itself is unseen. */
function rowsOf(codes: readonly number[], categories: number): EncodedRows {
  const rows = createEncodedRows({ numericCount: 0, categoryCounts: [categories] }, codes.length);
  rows.rowCount = codes.length;
  (rows.codes[0] as Uint16Array).set(codes);
  return rows;
}

/** A part of training or validation by its codes or scores, evenly spread over its time. */
function partOf(
  values: readonly number[], [from, end]: readonly [number, number], codes?: readonly number[],
): ScoredPart {
  return {
    rows: rowsOf(codes ?? values.map(() => 0), 400),
    age: scoresOf(values.map((_, i) => from + (end - from) * i / values.length)), scores: scoresOf(values),
  };
}

const trainingTime = [0, 7 / 8] as const;
const validationTime = [7 / 8, 1] as const;

test('a feature is stable when its categories keep to what came before', () => {
  const isStable = (training: number[], validation: number[]): boolean => findStableFeatures([
    partOf(training, trainingTime, training), partOf(validation, validationTime, validation),
  ]).length === 1;
  const steady = Array.from({ length: 700 }, (_, i) => i % 3);
  assert.ok(isStable(steady, steady.slice(0, 100)));
  // One new category among a hundred flows of validation is two per cent or less; three are not.
  assert.ok(isStable(steady, [400, ...steady.slice(0, 99)]));
  assert.ok(!isStable(steady, [400, 400, 400, ...steady.slice(0, 97)]));
  // Ever new categories in training, as of a rotating cloud: validation need not show it.
  assert.ok(!isStable(steady.map((code, i) => (i % 20 === 0 ? 3 + i / 20 : code)), steady.slice(0, 100)));
  // New ones at the beginning are no sign of that.
  assert.ok(isStable(steady.map((code, i) => (i < 100 ? i : code)), steady.slice(0, 100)));
});

const random = new Random(7);
const usual = (count: number): number[] => Array.from({ length: count }, () => 0.4 + 0.2 * random.uniform());
const thresholdsOf = (scores: Float64Array): Thresholds => calibrate(scores, scores, 0.5);

function reasonsOf(training: readonly number[], validation: readonly number[]): string[] {
  const validated = partOf(validation, validationTime);
  return checkFitness(partOf(training, trainingTime), validated, thresholdsOf(validated.scores)).reasons
    .map(({ code }) => code);
}

test('usual scores are fit, and each reason is found', () => {
  assert.deepEqual(reasonsOf(usual(1_400), usual(200)), []);
  assert.deepEqual(reasonsOf(usual(limits.trainingFlowsMin), usual(limits.validationFlowsMin)), []);
  assert.deepEqual(reasonsOf(usual(limits.trainingFlowsMin - 1), usual(30)), ['few-training-flows']);
  assert.deepEqual(reasonsOf(usual(200), usual(limits.validationFlowsMin - 1)), ['few-validation-flows']);
  assert.deepEqual(reasonsOf(usual(700).fill(0.5), usual(100).fill(0.5)), ['degenerate-scores']);
  assert.deepEqual(reasonsOf(usual(700), usual(100).fill(1)), ['accepts-all']);
});

test('an eighth of the time that behaves otherwise is drift, a few odd flows are not', () => {
  const withBurst = (share: number): number[] => usual(1_400).map((score, i) =>
    (i >= 800 && i < 1_000 && (i % 100) / 100 < share ? 0.8 : score));
  assert.deepEqual(reasonsOf(withBurst(0.5), usual(200)), ['validation-drift']);
  assert.deepEqual(reasonsOf(withBurst(0.1), usual(200)), []);
  // Validation that is all alike moves the threshold below what training was: a storm of one kind of flow.
  assert.deepEqual(reasonsOf(usual(1_400), usual(200).map((score) => 0.3 + score / 10)), ['validation-drift']);
  const fitness = checkFitness(partOf(withBurst(0.5), trainingTime), partOf(usual(200), validationTime),
    { default: 0.5, byPercentile: new Float64Array(percentileMax + 1).fill(0.58) });
  assert.equal(fitness.isFit, false);
  assert.match(fitness.reasons[0]?.detail ?? '', /^In part 5 of 8 .* 4\d % of 200 flows/);
});
