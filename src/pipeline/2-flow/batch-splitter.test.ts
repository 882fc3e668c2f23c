/** Batches in pieces: all rows, in their order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchSplitter } from './batch-splitter.ts';
import { createFlowBatch, type FlowBatch } from './flow-batch.ts';

test('a batch in pieces: itself when it is small enough, else all of its rows in their order', () => {
  const [batch, other] = [createFlowBatch(7), createFlowBatch(4)];
  batch.rowCount = 7;
  for (let row = 0; row < 7; row++) batch.columns.sourceTransportPort[row] = 100 + row;
  const whole = new BatchSplitter(7).split(batch);
  assert.deepEqual([whole.next().value, whole.next().done], [batch, true]);
  const splitter = new BatchSplitter(3);
  const portsOf = (given: FlowBatch): number[][] => {
    const ports: number[][] = [];
    for (const { columns, rowCount, dictionaries } of splitter.split(given)) {
      assert.equal(dictionaries, given.dictionaries);
      ports.push([...columns.sourceTransportPort.subarray(0, rowCount)]);
    }
    return ports;
  };
  assert.deepEqual(portsOf(batch), [[100, 101, 102], [103, 104, 105], [106]]);
  other.rowCount = 4;
  assert.deepEqual(portsOf(other), [[0, 0, 0], [0]]);
  assert.deepEqual([batch.rowCount, other.rowCount], [7, 4]);
});
