/** The interval of an area: where it lies, how wide it is, and that a seed decides it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { bootstrapArea } from './bootstrap.ts';
import { areaUnderCurve } from './metrics.ts';

const draw = (count: number, mean: number, seed: number): Float64Array => {
  const random = new Random(seed);
  return Float64Array.from({ length: count }, () => random.normal(mean, 1)).sort();
};

test('the same seed gives the same interval, which holds the area', () => {
  const [own, others] = [draw(300, 0, 1), draw(700, 1, 2)];
  const [low, high] = bootstrapArea(own, others, new Random(3));
  assert.deepEqual(bootstrapArea(own, others, new Random(3)), [low, high]);
  assert.notDeepEqual(bootstrapArea(own, others, new Random(4)), [low, high]);
  const area = areaUnderCurve(own, others);
  assert.ok(low < area && area < high, `${low} ${area} ${high}`);
});

test('it is as wide as theory has it', () => {
  // Hanley and McNeil 1982, eq. 1, for two normal distributions of the same width.
  const [own, others] = [draw(400, 0, 5), draw(900, 1, 6)];
  const area = areaUnderCurve(own, others);
  const [q1, q2] = [area / (2 - area), 2 * area * area / (1 + area)];
  const variance = (area * (1 - area) + (own.length - 1) * (q1 - area * area) + (others.length - 1) *
    (q2 - area * area)) / (own.length * others.length);
  const [low, high] = bootstrapArea(own, others, new Random(7));
  const ratio = (high - low) / (2 * 1.96 * Math.sqrt(variance));
  assert.ok(ratio > 0.8 && ratio < 1.2, `${ratio}`);
});

test('it covers the true area about as often as it says', () => {
  // Φ(1/√2), the area of two normal distributions one deviation apart.
  const truth = 0.7602499389;
  let covered = 0;
  const runs = 100;
  for (let run = 0; run < runs; run++) {
    const [low, high] = bootstrapArea(draw(60, 0, 2 * run), draw(80, 1, 2 * run + 1), new Random(run));
    if (low <= truth && truth <= high) covered++;
  }
  assert.ok(covered >= 87 && covered <= 100, `${covered} of ${runs}`);
});

test('ties, and flows that are told apart without a doubt', () => {
  assert.deepEqual(bootstrapArea(Float64Array.of(0.1, 0.1), Float64Array.of(0.9), new Random(1)), [1, 1]);
  assert.deepEqual(bootstrapArea(Float64Array.of(0.5, 0.5), Float64Array.of(0.5), new Random(1)), [0.5, 0.5]);
});
