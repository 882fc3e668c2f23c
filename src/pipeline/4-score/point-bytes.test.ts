/** Bytes of detectors that are made of points: damaged anywhere they are refused, or score as a detector must. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, Random } from '#base';
import { createEncodedRows } from '#feature';
import type { EncodedRows } from '#feature';
import { lofTrainer } from './local-outlier-factor/fit-local-outlier-factor.ts';
import { localOutlierFactor } from './local-outlier-factor/local-outlier-factor.ts';
import { svmTrainer } from './one-class-svm/fit-one-class-svm.ts';
import { oneClassSvm } from './one-class-svm/one-class-svm.ts';
import { readPoints, writePoints } from './point-bytes.ts';

function makeRows(random: Random, rowCount: number): EncodedRows {
  const rows = createEncodedRows({ numericCount: 2, categoryCounts: [3, 2] }, rowCount);
  rows.rowCount = rowCount;
  for (let row = 0; row < rowCount; row++) {
    for (const column of rows.numeric) column[row] = random.integer(0, 5) / 4;
    for (const column of rows.codes) column[row] = random.integer(0, 2);
  }
  return rows;
}

const rows = makeRows(new Random(1), 60);
const detectors = [
  { name: 'one-class SVM', bytes: oneClassSvm.write(svmTrainer.fit(rows, {}, 1)), read: oneClassSvm.read },
  {
    name: 'local outlier factors', bytes: localOutlierFactor.write(lofTrainer.fit(rows, {}, 1)),
    read: localOutlierFactor.read,
  },
];

for (const { name, bytes, read } of detectors) {
  test(`${name}: damaged bytes are refused, or score within 0 and 1`, () => {
    const random = new Random(2);
    const scores = new Float64Array(rows.rowCount);
    let refused = 0;
    let accepted = 0;
    for (let round = 0; round < 4_000; round++) {
      const copy = bytes.slice();
      for (let flips = random.integer(1, 3); flips > 0; flips--) {
        const at = random.chance(0.3) ? random.integer(0, 31) : random.integer(0, bytes.length - 1);
        copy[at] = random.pick([0, 1, 0x7f, 0x80, 0xf0, 0xff, random.integer(0, 255)]);
      }
      const got = read(copy, rows.layout);
      if (typeof got === 'string') {
        assert.match(got, /^The detector .+\.$/);
        refused++;
        continue;
      }
      accepted++;
      got.score(rows, scores.fill(NaN));
      assert.ok(scores.every((score) => score >= 0 && score <= 1), `round ${round}: ${scores}`);
    }
    assert.ok(refused > 500 && accepted > 500, `both happen: ${refused} refused, ${accepted} accepted`);
  });
}

test('a detector with as many points as there may be is read, one with one more is not', () => {
  const layout = { numericCount: 0, categoryCounts: [] };
  const { trainingPointsMax } = limits;
  for (const pointCount of [trainingPointsMax, trainingPointsMax + 1]) {
    const points = {
      layout, axis: 0, pointCount, groupStart: Uint32Array.of(0, pointCount), groupCodes: new Uint16Array(),
      numeric: new Float32Array(),
    };
    const bytes = writePoints({ points, whole: 0, parameters: new Float64Array(), weights: [] });
    const got = readPoints(bytes, layout, { parameters: 0, weights: 0 });
    assert.equal(typeof got === 'string', pointCount > trainingPointsMax, String(pointCount));
  }
});
