/** Figures of scores, each beside a brute-force count over all pairs or all flows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { areaUnderCurve, countByBin, countUpTo, curvePoints, fprAtTpr, ratesAt } from './metrics.ts';

/** Few values, so that ties are the normal case. */
const scores = fc.array(fc.integer({ min: 0, max: 9 }).map((tenth) => tenth / 10), { minLength: 1, maxLength: 60 })
  .map((values) => Float64Array.from(values).sort());

const shareUpTo = (values: Float64Array, threshold: number): number =>
  values.filter((score) => score <= threshold).length / values.length;

test('the area is how often another flow scores higher, ties half', () => {
  fc.assert(fc.property(scores, scores, (own, others) => {
    let pairs = 0;
    for (const a of own) for (const b of others) pairs += a < b ? 1 : a === b ? 0.5 : 0;
    assert.ok(Math.abs(areaUnderCurve(own, others) - pairs / (own.length * others.length)) < 1e-12);
  }));
  assert.equal(areaUnderCurve(Float64Array.of(0.1, 0.2), Float64Array.of(0.3)), 1);
  assert.equal(areaUnderCurve(Float64Array.of(0.5), Float64Array.of(0.5)), 0.5);
});

test('rates and counts are those of looking at each flow', () => {
  fc.assert(fc.property(scores, scores, fc.double({ min: 0, max: 1, noNaN: true }), (own, others, threshold) => {
    assert.equal(countUpTo(own, threshold), own.filter((score) => score <= threshold).length);
    assert.deepEqual(ratesAt(own, others, threshold),
      { tpr: shareUpTo(own, threshold), fpr: shareUpTo(others, threshold) });
  }));
});

test('FPR at a TPR is at the lowest threshold that accepts so many', () => {
  fc.assert(fc.property(scores, scores, (own, others) => {
    const lowest = own.find((threshold) => shareUpTo(own, threshold) >= 0.9 - 1e-9) as number;
    assert.equal(fprAtTpr(own, others, 0.9), shareUpTo(others, lowest));
  }));
  // 0.9 · 30 is 27.000000000000004 in no arithmetic but ours: 27 flows are enough.
  const own = Float64Array.from({ length: 30 }, (_, i) => i / 100);
  assert.equal(fprAtTpr(own, Float64Array.of(0.265, 0.9), 0.9), 0);
});

test('the curve rises from corner to corner through true points, and encloses the area', () => {
  fc.assert(fc.property(scores, scores, (own, others) => {
    const points = curvePoints(own, others, 200);
    assert.deepEqual([points[0], points.at(-1)], [[0, 0], [1, 1]]);
    const reached = new Set([0, ...own, ...others].map((threshold) =>
      String([shareUpTo(others, threshold), shareUpTo(own, threshold)])));
    let area = 0;
    for (const [i, [fpr, tpr]] of points.entries()) {
      const [fprBefore, tprBefore] = points[i - 1] ?? [0, 0];
      assert.ok(fpr >= fprBefore && tpr >= tprBefore);
      assert.ok((fpr === 0 && tpr === 0) || reached.has(String([fpr, tpr])));
      area += (fpr - fprBefore) * (tpr + tprBefore) / 2;
    }
    assert.ok(Math.abs(area - areaUnderCurve(own, others)) < 1e-9);
  }));
});

test('a curve of many flows is thinned, and its area hardly changes', () => {
  const spread = (shift: number): Float64Array =>
    Float64Array.from({ length: 20_000 }, (_, i) => Math.min((i * 7_919 % 20_000) / 25_000 + shift, 1)).sort();
  const [own, others] = [spread(0), spread(0.15)];
  const points = curvePoints(own, others, 200);
  assert.ok(points.length > 150 && points.length <= 200, `${points.length} points`);
  const area = points.reduce((sum, [fpr, tpr], i) => {
    const [fprBefore, tprBefore] = points[i - 1] ?? [0, 0];
    return sum + (fpr - fprBefore) * (tpr + tprBefore) / 2;
  }, 0);
  assert.ok(Math.abs(area - areaUnderCurve(own, others)) < 1e-3);
});

test('bins count every score, and 1 is in the last', () => {
  fc.assert(fc.property(scores, (own) => {
    assert.equal(countByBin(own, 50).reduce((sum, count) => sum + count, 0), own.length);
  }));
  assert.deepEqual(countByBin(Float64Array.of(0, 0.24, 0.25, 0.99, 1), 4), [2, 1, 0, 2]);
});
