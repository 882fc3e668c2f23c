/** Damaged inputs of every kind: never a throw but of `OperatorError`, every record counted, limits reached. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatorError, Random } from '#base';
import { bytesSource, fileSource, randomBatch, rowsOf, sampleInfo, withFolder } from './arbitrary-flows.test.ts';
import { AddressTexts } from './cells.ts';
import { openFlowSink } from './flow-sink.ts';
import { readFlows, type FlowReadOptions, type FlowReading, type FlowSource } from './read-flows.ts';
import type { FlowFileKind } from './recognise-flows.ts';

const nprobe = 'IPV4_SRC_ADDR,IPV4_DST_ADDR,L4_SRC_PORT,L4_DST_PORT,PROTOCOL,IN_BYTES,IN_PKTS,FIRST_SWITCHED,LAST_SWITCHED,L7_PROTO_NAME\n' +
  '10.0.0.1,10.0.0.2,5,6,17,100,1,1655071198,1655071199,"DNS, or so"\n'.repeat(6);
const zeek = '#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\tresp_pkts\torig_ip_bytes\tresp_ip_bytes\n' +
  '1655071198.5\t10.0.0.1\t5\t10.0.0.2\t6\tudp\t1\t2\t100\t200\n'.repeat(6);
const zeekJson = '{"ts":1655071198.5,"id.orig_h":"10.0.0.1","id.orig_p":5,"id.resp_h":"10.0.0.2","id.resp_p":6,"proto":"udp","orig_pkts":1,"resp_pkts":2,"orig_ip_bytes":3,"resp_ip_bytes":4}\n'.repeat(6);
const iotDenat = 'device_model,partition,FIRST_SWITCHED,LAST_SWITCHED,IN_BYTES,IPV4_DST_ADDR,L4_DST_PORT,PROTOCOL\n' +
  'cam.a.b,test,1655075398,1655071198,100,10.0.0.2,6,17\n'.repeat(30);

/** Bytes that our own writer makes. */
async function written(folder: string, format: 'csv' | 'jsonl' | 'parquet', rows: number): Promise<Uint8Array> {
  const path = join(folder, `written.${format}`);
  const sink = await openFlowSink(path, { groupRows: 10 });
  await sink.write(randomBatch(11, rows));
  await sink.end(sampleInfo);
  return readFile(path);
}

/** Reads to the end; an `OperatorError` is an answer too. @returns the account, or undefined when it was refused */
async function drain(source: FlowSource, kind: FlowFileKind,
  options: FlowReadOptions = {}): Promise<FlowReading | undefined> {
  const reading = readFlows(source, kind, { batchRows: 4, ...options });
  let rows = 0;
  try {
    for await (const batch of reading.batches()) {
      assert.ok(batch.rowCount > 0 && batch.rowCount <= batch.capacity);
      rows += batch.rowCount;
      assert.equal(rows, reading.rows);
    }
  } catch (thrown) {
    assert.ok(thrown instanceof OperatorError, String(thrown));
    return undefined;
  }
  assert.equal(reading.records, rows + reading.rejected.total());
  return reading;
}

test('mutated and cut texts never throw, and all is counted', async () => {
  await withFolder(async (folder) => {
    const texts: [FlowFileKind, Uint8Array][] = [
      ['csv', await written(folder, 'csv', 20)], ['jsonl', await written(folder, 'jsonl', 20)],
      ['nprobe', Buffer.from(nprobe)], ['zeek', Buffer.from(zeek)], ['zeek-json', Buffer.from(zeekJson)],
        ['iot-denat', Buffer.from(iotDenat)],
    ];
    await fc.assert(fc.asyncProperty(fc.constantFrom(...texts), fc.integer(), fc.nat(20),
      async ([kind, original], seed, mutations) => {
      const random = new Random(seed);
      const bytes = Uint8Array.from(original).subarray(0, random.integer(0, 2) === 0
        ? random.integer(0, original.length) : original.length);
      for (let i = 0; i < mutations && bytes.length > 0; i++) bytes[random.integer(0,
        bytes.length - 1)] = random.pick([0, 10, 34, 44, 124, 48, 255, random.integer(0, 255)]);
      await drain(bytesSource(bytes, random.integer(1, 300)), kind, { lineCharactersMax: 2_000, recordLinesMax: 5 });
    }), { numRuns: 400 });
  });
});

test('each bad row is counted once, with its line', async () => {
  await withFolder(async (folder) => {
    const lines = Buffer.from(await written(folder, 'jsonl', 10)).toString().trimEnd().split('\n');
    const bad = ['null', '[]', '{', '{}', lines[0]!.replace('"ipVersion":', '"ipVersion":1'.padEnd(30, '9') + ',"x":'),
      lines[1]!.replace(/}$/, ',"device":5}')];
    const reading = await drain(bytesSource([...lines, ...bad, ...lines].join('\n'), 50), 'jsonl');
    assert.deepEqual([reading!.rows, reading!.rejected.get('bad-row')], [20, 6]);
    assert.match(reading!.problems[0]!.detail, /^line 11: no JSON object$/);
  });
});

test('the limits: long lines, kept problems, remembered addresses', async () => {
  const lines = nprobe.trimEnd().split('\n');
  const text = [lines[0], lines[1], 'x'.repeat(5_000), lines[2], ...Array.from({ length: 50 }, () => 'bad')].join('\n');
  const reading = await drain(bytesSource(text, 700), 'nprobe', { lineCharactersMax: 1_000, problemsMax: 3 });
  assert.deepEqual([reading!.rows, reading!.rejected.total(), reading!.problems.length], [2, 51, 3]);
  assert.equal(reading!.problems[0]!.detail, 'line 3: longer than 1000 characters');
  const addresses = new AddressTexts(3);
  const words = new Uint32Array(4);
  for (let i = 0; i < 20; i++) {
    assert.ok(addresses.store(`10.0.0.${i}`, words, 0));
    assert.deepEqual([words[3]! & 255, addresses.size <= 3], [i, true]);
  }
  assert.ok(!addresses.store('10.0.0', words, 0));
});

test('own tables without what makes a flow are refused; missing others get their defaults', async () => {
  const reading = readFlows(bytesSource('sourceAddress,protocolIdentifier,destinationAddress\n1.1.1.1,6,2.2.2.2\n'),
    'csv');
  await assert.rejects(reading.batches().next(), { code: 'bad-columns',
    message: /flowStartMilliseconds, flowEndMilliseconds, sourceTransportPort/ });
  const few = 'extra,protocolIdentifier,sourceAddress,destinationAddress,sourceTransportPort,destinationTransportPort,flowStartMilliseconds,flowEndMilliseconds,initiatorPackets,initiatorOctets\n' +
    'x,6,2001:db8::1,2001:db8::2,1,2,1.5,2.5,3,4\nx,6,1.1.1.1,2.2.2.2,1,2,,2.5,3,4\n';
  const some = readFlows(bytesSource(few), 'csv');
  for await (const batch of some.batches()) assert.deepEqual([batch.rowCount, batch.columns.ipVersion[0],
    batch.columns.responderOctets[0]], [1, 6, 0]);
  assert.match(some.problems[0]!.detail, /^line 3: flowStartMilliseconds cannot be $/);
});

test('damaged Parquet: refused, or groups counted as rejected', async () => {
  await withFolder(async (folder) => {
    const original = await written(folder, 'parquet', 45);
    const path = join(folder, 'damaged.parquet');
    const random = new Random(5);
    let refused = 0;
    let rejected = 0;
    for (let run = 0; run < 120; run++) {
      const bytes = Uint8Array.from(original).subarray(0, random.chance(0.1)
        ? random.integer(0, original.length) : original.length);
      for (let i = 0; i < 3 && bytes.length > 0; i++) bytes[random.integer(0, bytes.length - 1)] = random.integer(0,
        255);
      await writeFile(path, bytes);
      const reading = await drain(fileSource(path), 'parquet', { groupRowsMax: 100 });
      if (reading === undefined) refused++;
      else if (reading.rejected.total() > 0) rejected++;
    }
    assert.ok(refused > 5 && rejected > 5, `${refused} refused, ${rejected} with rejected rows`);
  });
});

test('Parquet: one damaged group leaves the others; too large groups and missing files are told', async () => {
  await withFolder(async (folder) => {
    const batch = randomBatch(11, 45);
    const bytes = await written(folder, 'parquet', 45);
    const path = join(folder, 'damaged.parquet');
    bytes.fill(0xff, 4, 12);
    await writeFile(path, bytes);
    const reading = readFlows(fileSource(path), 'parquet');
    const rows: unknown[] = [];
    for await (const read of reading.batches()) rows.push(...rowsOf(read));
    assert.deepEqual(rows, rowsOf(batch).slice(10));
    assert.deepEqual([reading.rows, reading.rejected.get('bad-row')], [35, 10]);
    assert.match(reading.problems[0]!.detail, /^row group 1: it cannot be decoded/);
    const small = await drain(fileSource(join(folder, 'written.parquet')), 'parquet', { groupRowsMax: 9 });
    assert.deepEqual([small!.rows, small!.rejected.total()], [5, 40]);
    await assert.rejects(readFlows(fileSource(join(folder, 'absent.parquet')), 'parquet').batches().next(),
      { code: 'input-unreadable' });
    await assert.rejects(readFlows(fileSource('/dev/null'), 'parquet').batches().next(),
      { code: 'input-unreadable', message: /plain file/ });
  });
});
