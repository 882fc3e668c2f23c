/** Forests as bytes: small, written in one way only, and every kind of damage named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createEncodedRows, type EncodedRows, type RowLayout } from '#feature';
import { isolationForestTrainer } from './fit-forest.ts';
import { readForest, writeForest } from './forest-bytes.ts';
import { leafColumn } from './forest.ts';
import { createForest, type ForestParts } from './score-forest.ts';

const layout: RowLayout = { numericCount: 1, categoryCounts: [2] };
const wide: RowLayout = { numericCount: 2, categoryCounts: [300, 4] };

/** One tree: a number first, then on the right a category. */
const parts: ForestParts = {
  layout, defaultThreshold: 0.5, maxSamples: 5, treeStart: Uint32Array.of(0, 5),
  column: Uint16Array.of(0, leafColumn, 2, leafColumn, leafColumn), threshold: Float32Array.of(0.25, 0, 0.5, 0, 0),
  right: Uint32Array.of(2, 0, 4, 0, 0), samples: Uint16Array.of(5, 2, 3, 1, 2),
};
const header = 24;
/** Sections of the tree above: one threshold, two columns, three leaves, five bits. */
const [columnsAt, leavesAt, shapeAt, endAt] = [header + 4, header + 6, header + 9, header + 10];

function changed(change: (bytes: Uint8Array, view: DataView) => void): string {
  const bytes = writeForest(createForest(parts));
  change(bytes, new DataView(bytes.buffer));
  const read = readForest(bytes, layout);
  return typeof read === 'string' ? read : 'was read';
}

function randomRows(of: RowLayout, count: number): EncodedRows {
  const random = new Random(5);
  const rows = createEncodedRows(of, count);
  rows.rowCount = count;
  for (const column of rows.numeric) column.forEach((_, row) => { column[row] = random.uniform(); });
  rows.codes.forEach((column, feature) => {
    column.forEach((_, row) => { column[row] = random.integer(0, (of.categoryCounts[feature] as number) - 1); });
  });
  return rows;
}

test('the bytes of a tree are those of the table', () => {
  const bytes = writeForest(createForest(parts));
  const view = new DataView(bytes.buffer);
  assert.equal(bytes.length, endAt);
  assert.deepEqual([0, 4, 8].map((at) => view.getUint32(at, true)), [1, 5, 1]);
  assert.equal(view.getUint16(12, true), 5);
  assert.equal(view.getFloat64(16, true), 0.5);
  assert.equal(view.getFloat32(header, true), 0.25);
  assert.deepEqual([...bytes.subarray(columnsAt)], [0, 2, 1, 0, 1, 0b00101]);
});

test('reading gives back every array', () => {
  const read = readForest(writeForest(createForest(parts)), layout);
  if (typeof read === 'string') assert.fail(read);
  const { score, algorithm, ...arrays } = read;
  assert.deepEqual(arrays, parts);
  assert.equal(algorithm, 'isolation-forest');
  assert.equal(typeof score, 'function');
});

test('every kind of damage is named', () => {
  assert.equal(changed(() => undefined), 'was read');
  assert.match(changed((_, view) => view.setUint32(0, 0, true)), /without trees/);
  assert.match(changed((_, view) => view.setUint32(0, 7, true)), /5 nodes do not make 7 trees/);
  assert.match(changed((_, view) => view.setUint32(4, 6, true)), /6 nodes do not make 1 trees/);
  assert.match(changed((_, view) => view.setUint32(4, 0xffff_ffff, true)), /needs \d+ bytes, but there are 34/);
  assert.match(changed((_, view) => view.setUint32(8, 3, true)), /3 of 2 splits are on numbers/);
  assert.match(changed((_, view) => view.setUint16(12, 0, true)), /without rows/);
  assert.match(changed((_, view) => view.setUint16(12, 6, true)), /Tree 0 is of 5 rows, not 6/);
  assert.match(changed((_, view) => view.setUint16(12, 4, true)), /More than 4 rows reach node 0/);
  assert.match(changed((_, view) => view.setUint16(12, 2, true)), /deeper than 1/);
  assert.match(changed((bytes) => { bytes[14] = 1; }), /mean nothing/);
  for (const threshold of [NaN, Infinity, -0.1, 1.1]) {
    assert.match(changed((_, view) => view.setFloat64(16, threshold, true)), /within 0 … 1/);
  }
  assert.match(changed((_, view) => view.setFloat32(header, NaN, true)), /threshold of node 0 is not finite/);
  assert.match(changed((bytes) => { bytes[columnsAt] = 3; }), /Node 0 splits on column 3 of 3/);
  assert.match(changed((bytes) => { bytes[columnsAt] = 1; }), /0 splits are on numbers, not 1/);
  assert.match(changed((bytes) => { bytes[columnsAt + 1] = 0; }), /More than 1 splits are on numbers/);
  assert.match(changed((bytes) => { bytes[leavesAt] = 0; }), /Tree 0 is of 4 rows/);
  assert.match(changed((bytes) => { bytes[shapeAt] = 0b11111; }), /deeper than 3/);
  assert.match(changed((bytes) => { bytes[shapeAt] = 0b00111; }), /The nodes end within tree 0/);
  assert.match(changed((bytes) => { bytes[shapeAt] = 0b00001; }), /2 nodes belong to no tree/);
  assert.match(changed((bytes) => { bytes[shapeAt] = 0b100101; }), /behind the last node/);
});

test('wide columns and large leaves take two bytes, and come back', () => {
  const rows = randomRows(wide, 700);
  const forest = isolationForestTrainer.fit(rows, { treeCount: 5, maxSamples: 600 }, 1);
  const bytes = writeForest(forest);
  const read = readForest(bytes, wide);
  if (typeof read === 'string') assert.fail(read);
  assert.deepEqual({ ...read, score: undefined }, { ...forest, score: undefined });
  const leafless = bytes.slice();
  new DataView(leafless.buffer).setUint16(bytes.length - Math.ceil(forest.column.length / 8) - 2, 0, true);
  assert.match(String(readForest(leafless, wide)), /is a leaf without rows/);
});

test('a forest of 100 trees of depth 8 takes less than 100 kB where values differ as much as they can', () => {
  const usual: RowLayout = { numericCount: 3, categoryCounts: [3, 4, 2, 12, 40] };
  const bytes = writeForest(isolationForestTrainer.fit(randomRows(usual, 5000), {}, 1));
  assert.ok(bytes.length < 100_000, `${bytes.length} bytes`);
});

test('what is read from damaged bytes writes exactly these bytes', () => {
  const sample = writeForest(isolationForestTrainer.fit(randomRows(layout, 90), { treeCount: 4 }, 1));
  let accepted = 0;
  fc.assert(fc.property(fc.nat(sample.length - 1), fc.nat(255), fc.nat(sample.length - 1), fc.nat(255),
    (first, one, second, other) => {
      const bytes = sample.slice();
      bytes[first] = one;
      bytes[second] = other;
      const read = readForest(bytes, layout);
      if (typeof read === 'string') return;
      accepted++;
      assert.deepEqual(writeForest(read), bytes);
    }), { numRuns: 3000, seed: 1 });
  assert.ok(accepted > 100, `only ${accepted} were accepted`);
});
