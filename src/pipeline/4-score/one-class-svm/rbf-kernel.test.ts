/** The exponential of the kernel beside Math.exp. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { fillKernel, sumKernel } from './rbf-kernel.ts';

test('kernel values are those of Math.exp, but for the last digits', () => {
  const random = new Random(1);
  for (const gamma of [1e-3, 0.2, 1, 37]) {
    for (let i = 0; i < 20_000; i++) {
      const distance = random.uniform() * 10 ** random.integer(-9, 2);
      const expected = Math.exp(-gamma * distance);
      if (expected < 1e-300) continue;
      const got = sumKernel(Float64Array.of(distance), Float64Array.of(1), 1, gamma);
      // Half a unit of the exponent in the last place shows as that many units of the result.
      const tolerance = 2 ** -51 * Math.max(1, gamma * distance);
      assert.ok(Math.abs(got / expected - 1) <= tolerance, `exp(-${gamma} · ${distance}) = ${got}, not ${expected}`);
    }
  }
});

test('distance 0 gives 1, and what is too far for a number gives 0', () => {
  const out = new Float32Array(5);
  fillKernel(Float64Array.of(0, 744, 746, 1e300, Infinity), 5, 1, out);
  assert.deepEqual([...out], [1, 0, 0, 0, 0]);
  assert.equal(sumKernel(Float64Array.of(0, Infinity, 1e300), Float64Array.of(2, 3, 4), 3, 1), 2);
  assert.ok(sumKernel(Float64Array.of(740), Float64Array.of(1), 1, 1) > 0, 'down to the smallest numbers there are');
});
