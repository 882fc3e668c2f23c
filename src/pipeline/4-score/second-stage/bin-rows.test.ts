/** Bins of training rows: no more than there may be, no value in a wrong one, equal rows made one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { createEncodedRows, type EncodedRows } from '#feature';
import { binRows, noBin, type BinnedFeature } from './bin-rows.ts';

function makeNumbers(...columns: readonly (readonly number[])[]): EncodedRows {
  const rows = createEncodedRows({ numericCount: columns.length, categoryCounts: [] }, columns[0]?.length ?? 0);
  rows.rowCount = columns[0]?.length ?? 0;
  columns.forEach((column, i) => rows.numeric[i]?.set(column));
  return rows;
}

function binNumbers(column: readonly number[], binMax: number): BinnedFeature | undefined {
  return binRows(makeNumbers(column), new Uint8Array(column.length), undefined, binMax).features[0];
}

test('few numbers have a bin each, cut in the middle; missing ones have the last', () => {
  const { ends, binCount, hasMissing } = binNumbers([3, 1, 1, 2, Number.NaN], 255) ?? assert.fail();
  assert.deepEqual([[...ends], binCount, hasMissing], [[1.5, 2.5, Infinity], 4, true]);
});

test('numbers that float32 cannot part in the middle, and those without end', () => {
  const next = 1 + 2 ** -23;
  assert.deepEqual([...(binNumbers([1, next], 255)?.ends ?? [])], [1, Infinity]);
  assert.deepEqual([...(binNumbers([-Infinity, 0, Infinity], 255)?.ends ?? [])], [-Infinity, 0, Infinity]);
  assert.deepEqual([...(binNumbers([-Infinity, Infinity], 255)?.ends ?? [])], [-Infinity, Infinity]);
  assert.deepEqual([...(binNumbers([-3e38, 3e38], 255)?.ends ?? [])], [0, Infinity]);
  assert.equal(binNumbers([0, -0], 255), undefined);
});

test('many numbers share bins of about as many rows; a frequent one is alone', () => {
  const random = new Random(1);
  for (let turn = 0; turn < 40; turn++) {
    const binMax = [2, 3, 16, 255][turn % 4] as number;
    const hasMissing = turn % 3 === 0;
    const column = Array.from({ length: 4_000 }, () => Math.fround(
      random.chance(0.2) ? 0.5 : hasMissing && random.chance(0.1) ? Number.NaN : random.uniform() ** 3));
    const feature = binNumbers(column, binMax) ?? assert.fail();
    assert.ok(feature.binCount <= binMax && feature.binCount >= Math.min(binMax, 2));
    assert.equal(feature.hasMissing, hasMissing);
    const { ends } = feature;
    assert.ok(ends.every((end, i) => i === 0 || end > (ends[i - 1] as number)));
    assert.equal(ends.at(-1), Infinity);
    if (binMax < 255) continue;
    const inBin = new Uint32Array(ends.length);
    for (const value of column) if (!Number.isNaN(value)) inBin[ends.findIndex((end) => value <= end)]! += 1;
    const frequent = ends.findIndex((end) => end >= 0.5);
    assert.equal(inBin[frequent], column.filter((value) => value === 0.5).length, 'the frequent number is alone');
    inBin.forEach((count, i) => assert.ok(i === frequent || count < 3 * 4_000 / 254, `${count} rows in bin ${i}`));
    assert.ok(ends.length > 200);
  }
});

test('each row has the bins of its values; equal rows are one, with what they weigh', () => {
  const random = new Random(2);
  const layout = { numericCount: 2, categoryCounts: [400, 3] };
  const rows = createEncodedRows(layout, 3_000);
  rows.rowCount = 3_000;
  rows.numeric.forEach((column) => column.forEach((_, row) => {
    column[row] = random.chance(0.1) ? Number.NaN : random.integer(0, 8);
  }));
  rows.codes.forEach((column, i) => column.forEach((_, row) => {
    column[row] = Math.floor(random.uniform() ** 2 * ((layout.categoryCounts[i] as number) + 1));
  }));
  const labels = Uint8Array.from({ length: 3_000 }, () => Number(random.chance(0.4)));
  const weights = Float64Array.from({ length: 3_000 }, () => random.integer(1, 8));
  const binned = binRows(rows, labels, weights, 255);
  const expected = new Map<string, { count: number; weight: number; own: number }>();
  const binOf = ({ feature, ends, binOfCode, binCount }: BinnedFeature, row: number): number => {
    if (binOfCode !== undefined) return binOfCode[rows.codes[feature - 2]?.[row] as number] as number;
    const value = rows.numeric[feature]?.[row] as number;
    return Number.isNaN(value) ? binCount - 1 : ends.findIndex((end) => value <= end);
  };
  for (let row = 0; row < 3_000; row++) {
    const key = binned.features.map((feature) => feature.firstBin + binOf(feature, row)).join();
    const sums = expected.get(key) ?? { count: 0, weight: 0, own: 0 };
    expected.set(key, {
      count: sums.count + 1, weight: sums.weight + (weights[row] as number),
      own: sums.own + (labels[row] as number) * (weights[row] as number),
    });
  }
  const width = binned.features.length;
  const found = new Map(Array.from({ length: binned.rowCount }, (_, row) => [
    binned.bins.subarray(row * width, (row + 1) * width).join(),
    { count: binned.counts[row], weight: binned.weights[row], own: binned.ownWeights[row] },
  ]));
  assert.deepEqual(found, expected);
  assert.equal(found.size, binned.rowCount);
  binned.features.forEach(({ firstBin }, at) => {
    for (let row = 0; row < binned.rowCount; row++) {
      assert.equal((binned.columns[at * binned.rowCount + row] as number) + firstBin, binned.bins[row * width + at]);
    }
  });
  const wide = binned.features.find(({ feature }) => feature === 2) ?? assert.fail();
  const counts = new Uint32Array(401);
  rows.codes[0]?.forEach((code) => counts[code]! += 1);
  assert.equal(wide.binCount, 255);
  const alone = [...counts.keys()].filter((code) => wide.binOfCode?.[code] !== 254 && counts[code] !== 0);
  const shared = [...counts.keys()].filter((code) => wide.binOfCode?.[code] === 254);
  assert.equal(alone.length, 254);
  assert.ok(shared.length > 1, 'the rarest codes share the last bin');
  assert.ok(Math.max(...shared.map((code) => counts[code] as number)) <=
    Math.min(...alone.map((code) => counts[code] as number)));
  [...counts.keys()].forEach((code) => assert.equal(counts[code] === 0, wide.binOfCode?.[code] === noBin));
});
