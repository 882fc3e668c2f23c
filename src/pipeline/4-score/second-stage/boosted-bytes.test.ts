/** Boosted trees as bytes: the same back; hostile bytes are refused with a sentence that names the fault, or sound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, Random } from '#base';
import { createEncodedRows, type EncodedRows } from '#feature';
import { readBoostedTrees, writeBoostedTrees } from './boosted-bytes.ts';
import { fitBoostedTrees } from './fit-boosted-trees.ts';
import { predictBoostedTrees } from './predict-boosted-trees.ts';

const layout = { numericCount: 2, categoryCounts: [40, 3] };

/** Rows whose label depends on all features, missing numbers and unseen categories among them. */
function makeRows(rowCount: number, seed: number): { rows: EncodedRows; labels: Uint8Array } {
  const random = new Random(seed);
  const rows = createEncodedRows(layout, rowCount);
  rows.rowCount = rowCount;
  const labels = new Uint8Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const numbers = rows.numeric.map((column) => column[row] = random.chance(0.1) ? Number.NaN : random.uniform());
    const codes = rows.codes.map((column, i) =>
      column[row] = random.integer(0, layout.categoryCounts[i] as number));
    const odds = (numbers[0] as number) > 0.5 ? 1 : -1;
    labels[row] = Number(random.chance(odds + (codes[0] as number) % 3 > 0.5 ? 0.8 : 0.2));
  }
  return { rows, labels };
}

const { rows, labels } = makeRows(600, 1);
const fitted = fitBoostedTrees(rows, labels, { iterations: 6, maxLeaves: 7, minSamplesLeaf: 5 });
const trees = { ...fitted, acceptFrom: -1.25 };
const sound = writeBoostedTrees(trees);

function predict(of: typeof trees): Float64Array {
  const out = new Float64Array(rows.rowCount);
  predictBoostedTrees(of, rows, out);
  return out;
}

/** @param change  given a view of fresh bytes */
function read(change: (view: DataView) => void, bytes = sound.slice()): string {
  change(new DataView(bytes.buffer));
  const made = readBoostedTrees(bytes, layout);
  return typeof made === 'string' ? made : 'accepted';
}

test('what is written is read again, wherever it lies, and says the same', () => {
  const shifted = new Uint8Array(sound.length + 3);
  shifted.set(sound, 3);
  for (const bytes of [sound, shifted.subarray(3)]) {
    const made = readBoostedTrees(bytes, layout);
    assert.ok(typeof made !== 'string', String(made));
    assert.deepEqual(made, trees);
    assert.deepEqual(predict(made), predict(trees));
  }
  assert.ok(trees.codeSets.length > 0 && trees.missingLeft.some((side) => side === 1), 'the sample shows all there is');
});

test('no trees at all are 32 bytes', () => {
  const none = fitBoostedTrees(rows, labels, { iterations: 0 });
  const bytes = writeBoostedTrees(none);
  assert.equal(bytes.length, 32);
  assert.deepEqual(readBoostedTrees(bytes, layout), none);
});

test('the bytes of a stump are as the table says', () => {
  const plain = createEncodedRows({ numericCount: 1, categoryCounts: [] }, 40);
  plain.rowCount = 40;
  plain.numeric[0]?.fill(1, 20);
  const stump = fitBoostedTrees(plain, new Uint8Array(40).fill(1, 20), { iterations: 1, l2: 0 });
  const bytes = writeBoostedTrees({ ...stump, acceptFrom: 2 });
  const view = new DataView(bytes.buffer);
  assert.deepEqual([0, 4, 8, 12].map((at) => view.getUint32(at, true)), [1, 3, 1, 0]);
  assert.deepEqual([16, 24].map((at) => view.getFloat64(at, true)), [0, 2]);
  assert.deepEqual([32, 36, 40].map((at) => view.getFloat32(at, true)), [0.5, Math.fround(-0.2), Math.fround(0.2)]);
  // Feature 0; a split and two leaves; a missing number goes left, where half of the rows go.
  assert.deepEqual([...bytes.subarray(44)], [0, 1, 1]);
});

const shapeAt = sound.length - Math.ceil(trees.feature.length / 8) -
  Math.ceil(trees.feature.filter((feature) => feature < 2).length / 8);
const splits = (trees.feature.length - trees.roots.length) / 2;
const setsAt = shapeAt - splits - trees.codeSets.length * 4;
const leavesAt = setsAt - (splits + trees.roots.length) * 4;
const firstWide = trees.feature.findIndex((feature) => feature === 2);

const faults: readonly (readonly [string, (view: DataView) => void, RegExp])[] = [
  ['too many trees', (view) => view.setUint32(0, limits.boostedTreesMax + 1, true), /1025 boosted trees are more/],
  ['fewer nodes than trees', (view) => view.setUint32(4, 2, true), /2 nodes do not make 6/],
  ['an even tree', (view) => view.setUint32(4, trees.feature.length + 1, true), /nodes do not make 6/],
  ['more nodes than bytes', (view) => view.setUint32(4, 0x7fff_fff0, true), /too many for 6/],
  ['more numbers than splits', (view) => view.setUint32(8, splits + 1, true), /splits are on numbers/],
  ['words that are not there', (view) => view.setUint32(12, 0xffff_ffff, true), /need \d+ bytes/],
  ['a base that is none', (view) => view.setFloat64(16, Number.NaN, true), /not finite/],
  ['a threshold that is none', (view) => view.setFloat64(24, Infinity, true), /not finite/],
  ['a cut that is no number', (view) => view.setFloat32(32, Number.NaN, true), /threshold of node \d+ is no number/],
  ['a leaf without end', (view) => view.setFloat32(leavesAt, Infinity, true), /What leaf \d+ adds is not finite/],
  ['a feature that is not there', (view) => view.setUint8(shapeAt - splits, 4), /splits on feature 4 of 4/],
  ['a tree that does not end', (view) => view.setUint8(shapeAt, 0xff), /boosted tree|belong to no|splits are on/],
  ['a root that is a leaf', (view) => view.setUint8(shapeAt, 0), /belong to no boosted tree|nodes end/],
];

for (const [name, change, sentence] of faults) {
  test(`refused: ${name}`, () => assert.match(read(change), sentence));
}

test('refused: a code that no encoder makes', () => {
  // Codes 0 … 40 of the first category: bits 9 … 31 of the second word mean nothing.
  assert.ok(firstWide >= 0);
  const at = setsAt + ((trees.codeSetAt[firstWide] as number) + 1) * 4;
  assert.match(read((view) => view.setUint32(at, 1 << 9, true)), /knows a code above 40/);
  assert.equal(read((view) => view.setUint32(at, 1 << 8, true)), 'accepted');
});

test('refused: bytes too many or too few, and another layout', () => {
  assert.match(read(() => {}, Uint8Array.of(...sound, 0)), /need \d+ bytes/);
  assert.match(read(() => {}, sound.slice(0, -1)), /need \d+ bytes/);
  assert.match(read(() => {}, sound.slice(0, 31)), /begin with 32 bytes/);
  assert.equal(typeof readBoostedTrees(sound, { numericCount: 1, categoryCounts: [40, 3] }), 'string');
});

test('refused: a tree of more leaves than there may be', () => {
  const nodes = 2 * limits.boostedLeavesMax + 1;
  const bytes = new Uint8Array(32 + limits.boostedLeavesMax * 4 + 4 + (limits.boostedLeavesMax + 1) * 4 +
    limits.boostedLeavesMax + Math.ceil(nodes * 1 / 8) + Math.ceil(limits.boostedLeavesMax / 8));
  const view = new DataView(bytes.buffer);
  [1, nodes, limits.boostedLeavesMax, 0].forEach((count, i) => view.setUint32(i * 4, count, true));
  assert.match(String(readBoostedTrees(bytes, layout)), /too many for 1 boosted trees/);
});

test('changed bytes are refused, or are trees that are written as they were read', (context) => {
  const random = new Random(7);
  let accepted = 0;
  for (let turn = 0; turn < 20_000; turn++) {
    let bytes = sound.slice();
    if (random.chance(0.2)) bytes = bytes.slice(0, random.integer(0, bytes.length));
    for (let i = random.integer(1, 4); i > 0 && bytes.length > 0; i--) {
      bytes[random.integer(0, random.chance(0.5) ? Math.min(31, bytes.length - 1) : bytes.length - 1)] =
        random.integer(0, 255);
    }
    const made = readBoostedTrees(bytes, layout);
    if (typeof made === 'string') continue;
    accepted++;
    assert.deepEqual(writeBoostedTrees(made), bytes);
    if (accepted % 50 === 0) assert.ok(predict(made).every(Number.isFinite));
  }
  context.diagnostic(`${accepted} of 20,000 accepted`);
  assert.ok(accepted > 100 && accepted < 19_000);
});
