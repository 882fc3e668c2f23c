/** Bytes of a Chow–Liu tree that an attacker may make: each is refused with the sentence that names the fault. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncodedRows } from '#feature';
import { treeTrainer } from './fit-chow-liu-tree.ts';
import { readTree, writeTree } from './tree-bytes.ts';

/** One number of two bins (ends 0, 1/2, 1), and a category of two that depends on it. */
const rows = createEncodedRows({ numericCount: 1, categoryCounts: [2] }, 8);
rows.numeric[0]?.set([0, 0, 0, 0, 1, 1, 1, 1]);
rows.codes[0]?.set([0, 0, 0, 0, 1, 1, 1, 1]);
rows.rowCount = 8;
const sound = writeTree(treeTrainer.fit(rows, { binCount: 2 }, 0));
const shortsAt = 16 + 3 * 4;

/** @param change  given a view of fresh bytes */
function read(change: (view: DataView) => void, bytes = sound.slice()): string {
  change(new DataView(bytes.buffer));
  const tree = readTree(bytes, rows.layout);
  return typeof tree === 'string' ? tree : 'accepted';
}

test('costs are those that a pencil finds', () => {
  const view = new DataView(sound.buffer);
  const shorts = (first: number, end: number): number[] =>
    Array.from({ length: end - first }, (_, at) => view.getUint16(shortsAt + (first + at) * 2, true));
  const costs = (...probabilities: number[]): number[] => probabilities.map((p) => Math.round(-Math.log(p) * 1024));
  // Four rows of each value; half a row is taken from each, so that an eighth of all is left: for the two bins outside,
  // or for 64 imaginary categories.
  assert.deepEqual(shorts(3, 7), costs(1 / 16, 3.5 / 8, 3.5 / 8, 1 / 16));
  assert.deepEqual(shorts(7, 10), costs(3.5 / 8, 3.5 / 8, 1 / 8 / 64));
  // Each bin's four rows stand beside four that say what the category is by itself; a bin without rows says nothing.
  assert.deepEqual(shorts(10, 14), costs(1, 4 / 8, 4 / 8, 1).map(Math.abs));
  assert.deepEqual(shorts(20, 22), costs((4 + 4 * 3.5 / 8) / 8, (4 + 4 * 3.5 / 8) / 8));
  // All training rows cost the same: a number's cost, and that of the category given it.
  assert.deepEqual([view.getUint32(0, true)], [(shorts(4, 5)[0] as number) + (shorts(20, 21)[0] as number)]);
});

test('the bytes are as the table says', () => {
  const view = new DataView(sound.buffer);
  assert.deepEqual([4, 8, 12].map((at) => view.getUint32(at, true)), [3, 2, 0]);
  assert.deepEqual([16, 20, 24].map((at) => view.getFloat32(at, true)), [0, 0.5, 1]);
  const short = (at: number): number => view.getUint16(shortsAt + at * 2, true);
  // Three ends, the number has no parent, the category has the number; four costs of the number.
  assert.deepEqual([0, 1, 2].map(short), [3, 0xffff, 0]);
  // Costs of three categories, on top of them for four bins, pairs of each bin, then the pairs.
  assert.deepEqual([14, 15, 16, 17].map(short), [0, 1, 1, 0]);
  assert.deepEqual([18, 19].map(short), [0, 1]);
  assert.equal(sound.length, shortsAt + 22 * 2);
});

const faults: readonly (readonly [string, (view: DataView) => void, RegExp])[] = [
  ['costs of nothing', (view) => view.setUint32(0, 0, true), /header of the tree is not sound/],
  ['a field that must be 0', (view) => view.setUint32(12, 1, true), /header of the tree is not sound/],
  ['more ends than bytes', (view) => view.setUint32(4, 0xffff_ffff, true), /no room for 4294967295 ends/],
  ['pairs that are not there', (view) => view.setUint32(8, 3, true), /do not have 3 pairs/],
  ['an end that is no number', (view) => view.setFloat32(20, Number.NaN, true), /do not ascend/],
  ['ends that fall', (view) => view.setFloat32(20, 2, true), /do not ascend/],
  ['an end too many', (view) => view.setUint16(shortsAt, 4, true), /Number 0 has 4 ends/],
  ['an end too few', (view) => view.setUint16(shortsAt, 1, true), /Number 0 has 1 ends/],
  ['ends of nobody', (view) => view.setUint16(shortsAt, 2, true), /1 ends of bins belong to no number/],
  ['its own parent', (view) => view.setUint16(shortsAt + 4, 1, true), /do not make a tree/],
  ['parents in a ring', (view) => view.setUint16(shortsAt + 2, 1, true), /do not make a tree/],
  ['a parent that is not there', (view) => view.setUint16(shortsAt + 4, 2, true), /do not make a tree/],
  ['a value that is not there', (view) => view.setUint16(shortsAt + 36, 3, true), /variable 1 are not in order/],
];

for (const [name, change, sentence] of faults) {
  test(`refused: ${name}`, () => assert.match(read(change), sentence));
}

test('refused: pairs of one value that do not ascend', () => {
  // Both pairs belong to the first bin.
  assert.match(read((view) => {
    view.setUint16(shortsAt + 30, 2, true);
    view.setUint16(shortsAt + 32, 0, true);
    view.setUint16(shortsAt + 38, 0, true);
  }), /pairs of variable 1 are not in order/);
});

test('refused: bytes too many or too few', () => {
  assert.match(read(() => {}, Uint8Array.of(...sound, 0, 0, 0, 0)), /bytes behind the end/);
  assert.match(read(() => {}, sound.slice(0, -4)), /ends before its tables do/);
  assert.match(read(() => {}, sound.slice(0, -1)), /multiple of 4/);
  assert.match(read(() => {}, sound.slice(0, 12)), /header of 16 bytes/);
});

test('the sound bytes are accepted', () => assert.equal(read(() => {}), 'accepted'));
