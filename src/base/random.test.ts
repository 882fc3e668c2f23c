/** The seeded generator: the same seed gives the same numbers, and they are spread as they should be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from './random.ts';

test('one seed, one sequence', () => {
  const draw = (seed: number): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 50 }, () => random.uint32());
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
});

test('integers, exponentials and normals have the means asked for', () => {
  const random = new Random(1);
  const mean = (draw: () => number): number =>
    Array.from({ length: 20_000 }, draw).reduce((sum, value) => sum + value, 0) / 20_000;
  assert.ok(Math.abs(mean(() => random.integer(1, 9)) - 5) < 0.1);
  assert.ok(Math.abs(mean(() => random.exponential(3)) - 3) < 0.15);
  assert.ok(Math.abs(mean(() => random.normal(10, 2)) - 10) < 0.1);
  assert.ok(Math.abs(mean(() => (random.chance(0.25) ? 1 : 0)) - 0.25) < 0.02);
});

test('every item of a range is drawn, and none outside it', () => {
  const random = new Random(3);
  const seen = new Set(Array.from({ length: 1_000 }, () => random.integer(0, 9)));
  assert.deepEqual([...seen].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a fork does not disturb its origin beyond one draw', () => {
  const left = new Random(5);
  const right = new Random(5);
  left.fork();
  right.uint32();
  assert.equal(left.uint32(), right.uint32());
});
