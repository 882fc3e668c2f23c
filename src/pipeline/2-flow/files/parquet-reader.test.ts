/** Parquet of other writers: other types for the same columns, absent and further columns, nulls. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parquetWriteBuffer, type ColumnSource } from 'hyparquet-writer';
import { formatAddress } from '#base';
import { fileSource, randomBatch, sampleInfo, withFolder } from './arbitrary-flows.test.ts';
import { openParquetSink } from './parquet-sink.ts';
import { readFlows, type FlowReading } from './read-flows.ts';

const columnData: ColumnSource[] = [
  { name: 'flowStartMilliseconds', type: 'TIMESTAMP',
    data: [1_655_071_198_444, 1_655_071_198_445, 5].map((ms) => new Date(ms)) },
  { name: 'flowEndMilliseconds', type: 'INT64', data: [1_655_071_199_000n, 1_655_071_199_001n, 6n] },
  { name: 'sourceAddress', type: 'STRING', data: ['10.0.0.1', '2001:db8::1', '10.0.0'] },
  { name: 'destinationAddress', type: 'STRING', data: ['10.0.0.2', '2001:db8::2', '10.0.0.2'] },
  { name: 'sourceTransportPort', type: 'INT64', data: [5n, 6n, 7n] },
  { name: 'destinationTransportPort', type: 'DOUBLE', data: [443, 53, 1] },
  { name: 'protocolIdentifier', type: 'INT32', data: [6, 17, 17] },
  { name: 'initiatorPackets', type: 'DOUBLE', data: [1, 2, 3] },
  { name: 'initiatorOctets', type: 'FLOAT', data: [100, 200, 300] },
  { name: 'responderOctets', type: 'INT32', data: [null, 7, 8] },
  { name: 'myOwn', type: 'STRING', data: ['x', 'y', 'z'] },
];

async function readBack(data: ColumnSource[], folder: string): Promise<{ reading: FlowReading; rows: unknown[][] }> {
  const path = join(folder, 'foreign.parquet');
  await writeFile(path, new Uint8Array(parquetWriteBuffer({ columnData: data })));
  const reading = readFlows(fileSource(path), 'parquet');
  const rows: unknown[][] = [];
  for await (const { columns: c, rowCount } of reading.batches()) {
    for (let row = 0; row < rowCount; row++) {
      rows.push([
        c.flowStartMilliseconds[row], c.flowEndMilliseconds[row], c.ipVersion[row],
        formatAddress(c.sourceAddress, row * 4), c.sourceTransportPort[row],
        c.destinationTransportPort[row], c.initiatorOctets[row], c.responderOctets[row],
      ]);
    }
  }
  return { reading, rows };
}

test('timestamps, wide integers and doubles are converted; a bad row is rejected alone', async () => {
  await withFolder(async (folder) => {
    const { reading, rows } = await readBack(columnData, folder);
    assert.deepEqual(rows, [
      [1_655_071_198_444, 1_655_071_199_000, 4, '10.0.0.1', 5, 443, 100, 0],
      [1_655_071_198_445, 1_655_071_199_001, 6, '2001:db8::1', 6, 53, 200, 7],
    ]);
    assert.deepEqual(reading.problems.map(({ detail }) => detail), ['row 3: sourceAddress cannot be 10.0.0']);
    assert.equal(reading.info, undefined);
  });
});

test('values that do not fit, and nulls where a value must be, reject their rows', async () => {
  await withFolder(async (folder) => {
    const bad: Record<string, unknown[]> = {
      protocolIdentifier: [256, 17, 17], destinationTransportPort: [1.5, 53, 1], initiatorPackets: [-1, 2, 3],
      initiatorOctets: [null, 1, 2],
    };
    for (const [name, data] of Object.entries(bad)) {
      const changed = columnData.map((column) => (column.name === name ? { ...column, data } : column));
      const { reading } = await readBack(changed, folder);
      assert.deepEqual([reading.rows, reading.rejected.total()], [1, 2], name);
    }
    const without = columnData.filter(({ name }) => name !== 'initiatorOctets');
    await assert.rejects(readBack(without, folder), { code: 'bad-columns', message: /initiatorOctets/ });
  });
});

test('a file says whether its flows have both directions; what is neither yes nor no says nothing', async () => {
  await withFolder(async (folder) => {
    for (const isBiflow of [true, false, undefined, 'yes']) {
      const path = join(folder, `${isBiflow}.parquet`);
      const info = { ...sampleInfo, isBiflow } as typeof sampleInfo;
      const sink = await openParquetSink(path);
      sink.write(randomBatch(1, 3));
      await sink.end(info);
      const reading = readFlows(fileSource(path), 'parquet');
      for await (const { rowCount } of reading.batches()) assert.equal(rowCount, 3);
      assert.deepEqual(reading.info, typeof isBiflow === 'boolean' ? { ...sampleInfo, isBiflow } : sampleInfo);
    }
  });
});
