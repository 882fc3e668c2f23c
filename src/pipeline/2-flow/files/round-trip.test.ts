/**
 * What a sink writes, `readFlows` reads back bit for bit, in all three formats, whatever the sizes of buffers and
 * batches.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDictionaries } from '../flow-batch.ts';
import { schema } from '../schema.ts';
import { fileSource, randomBatch, rowsOf, sampleInfo, withFolder } from './arbitrary-flows.test.ts';
import { openFlowSink } from './flow-sink.ts';
import { readFlows } from './read-flows.ts';
import { recogniseFlows } from './recognise-flows.ts';

const formats = ['csv', 'jsonl', 'parquet'] as const;

for (const format of formats) {
  test(`${format}: random batches come back bit for bit`, async () => {
    await withFolder(async (folder) => {
      let runs = 0;
      await fc.assert(fc.asyncProperty(
        fc.integer(), fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 4 }),
          fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 30 }),
        async (seed, sizes, bufferBytes, batchRows) => {
          const path = join(folder, `${runs++}.${format}`);
          const sink = await openFlowSink(path, { bufferBytes, groupRows: batchRows });
          const shared = createDictionaries();
          const written: unknown[][] = [];
          for (const [i, rows] of sizes.entries()) {
            // Every other batch brings dictionaries of its own.
            const batch = randomBatch(seed + i, rows, i % 2 === 0 ? shared : createDictionaries());
            written.push(...rowsOf(batch));
            await sink.write(batch);
            batch.columns.initiatorOctets.fill(7);
          }
          await sink.end(sampleInfo);
          const bytes = await readFile(path);
          assert.equal(sink.bytesWritten, bytes.length);
          if (written.length > 0 || format !== 'jsonl') assert.equal(recogniseFlows(bytes.subarray(0, 4_096)), format);
          const reading = readFlows(fileSource(path, 512), format, { batchRows });
          const read: unknown[][] = [];
          for await (const batch of reading.batches()) read.push(...rowsOf(batch));
          assert.deepEqual(read, written);
          assert.equal(reading.rows, written.length);
          assert.equal(reading.rejected.total(), 0);
          if (format === 'parquet') assert.deepEqual(reading.info, sampleInfo);
        }), { numRuns: format === 'parquet' ? 15 : 60 });
    });
  });
}

test('the CSV header is the schema, and a row is what it should be to the letter', async () => {
  await withFolder(async (folder) => {
    const batch = randomBatch(3, 1);
    const { columns, dictionaries } = batch;
    for (const column of schema) columns[column.name].fill(0);
    columns.flowStartMilliseconds[0] = 1_655_071_198_444.458;
    columns.flowEndMilliseconds[0] = 1_655_071_199_000.5;
    columns.ipVersion[0] = 4;
    columns.sourceAddress.set([0, 0, 0xffff, 0xc0a80119]);
    columns.destinationAddress.set([0, 0, 0xffff, 0x08080808]);
    columns.sourceTransportPort[0] = 50_123;
    columns.destinationTransportPort[0] = 443;
    columns.protocolIdentifier[0] = 6;
    columns.initiatorPackets[0] = 1_000;
    columns.initiatorOctets[0] = 123_456_789_012;
    columns.sourceMacAddress.set([0x00aa, 0x0bccddee]);
    columns.applicationName[0] = dictionaries.applicationName.encode('TLS.Amazon, Inc.');
    const path = join(folder, 'one.csv');
    const sink = await openFlowSink(path);
    await sink.write(batch);
    await sink.end(sampleInfo);
    assert.equal(await readFile(path, 'utf8'), `${schema.map((column) => column.name).join(',')}\n` +
      '1655071198444.458,1655071199000.5,4,192.168.1.25,8.8.8.8,50123,443,6,0,0,1000,0,123456789012,0,0,0,0,0,0,0,0,0,' +
      '00:aa:0b:cc:dd:ee,,,0,0,"TLS.Amazon, Inc.",,,,\n');
    const json = await openFlowSink(join(folder, 'one.jsonl'));
    await json.write(batch);
    await json.end(sampleInfo);
    assert.deepEqual(JSON.parse(await readFile(join(folder, 'one.jsonl'), 'utf8')), {
      flowStartMilliseconds: 1655071198444.458, flowEndMilliseconds: 1655071199000.5, ipVersion: 4,
        sourceAddress: '192.168.1.25',
      destinationAddress: '8.8.8.8', sourceTransportPort: 50123, destinationTransportPort: 443, protocolIdentifier: 6,
        ipClassOfService: 0,
      initiatorPackets: 1000, responderPackets: 0, initiatorOctets: 123456789012, responderOctets: 0,
      sourceMacAddress: '00:aa:0b:cc:dd:ee', applicationName: 'TLS.Amazon, Inc.',
    });
  });
});
