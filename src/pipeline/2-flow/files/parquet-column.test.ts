/** The kernel and the readable code make the same pages of the same rows, whatever way the rows came into the group. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDictionaries, createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import { schema } from '../schema.ts';
import { randomBatch, rowsOf, shapedBatch } from './arbitrary-flows.test.ts';
import { ColumnEncoder } from './parquet-column.ts';
import { ParquetMemory } from './parquet-memory.ts';
import { RowGroup } from './row-group.ts';

const rowsMax = 20_000;
const made = (['wasm', 'none'] as const).map((kind) => {
  const memory = new ParquetMemory(rowsMax, kind);
  return { kind, group: new RowGroup(memory), encoder: new ColumnEncoder(memory) };
});

/** All pages of the rows, by way of pieces of so many rows. */
function pagesOf({ group, encoder }: (typeof made)[number], batch: FlowBatch, piece: number): unknown[] {
  group.clear();
  for (let row = 0; row < batch.rowCount; row += piece) group.append(batch, row, Math.min(batch.rowCount, row + piece));
  return schema.map((column) => {
    encoder.encode(group, column);
    const { dictionaryPage, dataPage, entries, range } = encoder;
    return [column.name, entries, Buffer.from(dictionaryPage.written()).toString('base64'),
      Buffer.from(dataPage.written()).toString('base64'), range];
  });
}

test('the kernel and the readable code make the same pages', () => {
  const dictionaries = createDictionaries();
  fc.assert(fc.property(fc.integer(), fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 300 }), fc.boolean(),
    (seed, rows, piece, isShaped) => {
      const batch = isShaped ? shapedBatch(seed, rows, dictionaries) : randomBatch(seed, rows, dictionaries);
      const [ours, readable] = made.map((one) => pagesOf(one, batch, piece));
      assert.deepEqual(ours, readable);
      // However the rows came.
      assert.deepEqual(pagesOf(made[0]!, batch, rows), ours);
    }), { numRuns: 60 });
});

test('tables grow, and are given up, at the same values', () => {
  const batch = createFlowBatch(rowsMax);
  batch.rowCount = rowsMax;
  const { columns } = batch;
  for (let row = 0; row < rowsMax; row++) {
    columns.sourceAddress.set([0, 0, 0xffff, row % 7_000], row * 4);
    // One row in three has none, one in three is `::` in a row of IPv6.
    columns.destinationAddress[row * 4 + 3] = row % 3 === 0 ? row : 0;
    columns.ipVersion[row] = row % 3 === 1 ? 6 : 4;
    columns.ingressInterface[row] = Math.imul(row % 3_000, 0x9e3779b1) >>> 0;
    // Of 2,048 rows 1,966 values are too many, one less is not.
    columns.egressInterface[row] = row % 1_966;
    columns.observationDomainId[row] = row % 1_965;
    columns.initiatorPackets[row] = row % 4_500;
    columns.initiatorOctets[row] = row % 5_001;
    columns.sourceTransportPort[row] = row % 4_999;
    columns.destinationTransportPort[row] = row * 31;
    columns.sourceMacAddress.set([row & 0xff, row % 900], row * 2);
    columns.flowStartMilliseconds[row] = row === 3 ? Number.NaN : 1_700_000_000_000 + row * 37 % 5_000;
  }
  for (const piece of [4_096, rowsMax]) {
    const [ours, readable] = made.map((one) => pagesOf(one, batch, piece));
    assert.deepEqual(ours, readable);
    // Again, with tables of the size that the last group's took.
    assert.deepEqual(pagesOf(made[0]!, batch, piece), readable);
  }
});

test('a group without rows of its own has those that came, whether columns vary or not', () => {
  const { group } = made[0]!;
  fc.assert(fc.property(fc.integer(), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 50 }),
    (seed, rows, piece) => {
      const batch = shapedBatch(seed, rows);
      group.clear();
      for (let row = 0; row < rows; row += piece) group.append(batch, row, Math.min(rows, row + piece));
      assert.deepEqual(rowsOf(group.whole()), rowsOf(batch));
    }), { numRuns: 30 });
});
