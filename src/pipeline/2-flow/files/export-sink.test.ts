/** Files of export messages: what lies in them, worked out from RFC 5655, RFC 791 and RFC 768, and what they note. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openByteSource, readCapture } from '#capture';
import { parseAddress, type AddressWords } from '#base';
import { createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import { sampleInfo, withFolder } from './arbitrary-flows.test.ts';
import { chooseFormat, openFlowSink } from './flow-sink.ts';
import { createIpfixSink } from './ipfix-sink.ts';
import { openFileTarget } from './output-target.ts';

/** Rows that differ in their ports and times. */
function flows(rowCount: number, firstPort = 1_024): FlowBatch {
  const batch = createFlowBatch(rowCount);
  batch.rowCount = rowCount;
  const { columns } = batch;
  for (let row = 0; row < rowCount; row++) {
    columns.flowStartMilliseconds[row] = 1_600_000_000_000 + row;
    columns.flowEndMilliseconds[row] = 1_600_000_000_250 + row * 10;
    columns.ipVersion[row] = 4;
    columns.sourceAddress.set(parseAddress('192.168.1.20') as AddressWords, row * 4);
    columns.destinationAddress.set(parseAddress('198.51.100.7') as AddressWords, row * 4);
    columns.sourceTransportPort[row] = firstPort + row;
    columns.applicationName[row] = batch.dictionaries.applicationName.encode('NTP');
  }
  return batch;
}

async function writeFlows(path: string, batches: readonly FlowBatch[]): Promise<Buffer> {
  const sink = await openFlowSink(path);
  for (const batch of batches) await sink.write(batch);
  await sink.end(sampleInfo);
  const bytes = await readFile(path);
  assert.equal(sink.bytesWritten, bytes.length);
  assert.deepEqual(sink.notes, []);
  return bytes;
}

/** Data records of a message by their source ports: fixed length but for a short name at the end. */
function portsIn(message: Buffer, headerBytes: number): number[] {
  const ports: number[] = [];
  for (let at = headerBytes; at < message.length;) {
    const [id, length] = [message.readUInt16BE(at), message.readUInt16BE(at + 2)];
    const isData = id === 256;
    // Both versions: 16 bytes of times and 8 of addresses stand before the ports.
    if (isData) {
      const recordBytes = headerBytes === 16 ? 81 + 4 : 79 + 32;
      for (let record = at + 4; record + recordBytes <= at + length; record += recordBytes) {
        ports.push(message.readUInt16BE(record + 24));
      }
    }
    at += length;
  }
  return ports;
}

test('the suffixes', () => {
  assert.equal(chooseFormat('a/B.IPFIX'), 'ipfix');
  assert.equal(chooseFormat('x.nf9.pcap'), 'nf9-pcap');
  assert.equal(chooseFormat('x.nf9.csv'), 'csv');
  assert.throws(() => chooseFormat('x.pcap'), { code: 'output-unknown-kind', message: /\.nf9\.pcap/ });
});

test('an IPFIX file is one message after the other, templates in the first (RFC 5655 §6)', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'x.ipfix');
    const bytes = await writeFlows(path, [flows(700), flows(700, 20_000)]);
    const ports: number[] = [];
    const sizes: number[] = [];
    for (let at = 0; at < bytes.length;) {
      assert.equal(bytes.readUInt16BE(at), 10);
      const length = bytes.readUInt16BE(at + 2);
      const message = bytes.subarray(at, at + length);
      assert.equal(message.length, length);
      assert.equal(message.readUInt16BE(16), at === 0 ? 2 : 256);
      assert.equal(message.readUInt32BE(8), ports.length);
      // Export time: the end of the latest flow so far, never before it.
      assert.ok(message.readUInt32BE(4) >= 1_600_000_000 && message.readUInt32BE(4) <= 1_600_000_007);
      ports.push(...portsIn(message, 16));
      sizes.push(length);
      at += length;
    }
    assert.ok(sizes.length > 5 && Math.max(...sizes) <= 16_384, sizes.join(' '));
    assert.deepEqual(ports, [...Array.from({ length: 700 }, (_, i) => 1_024 + i),
      ...Array.from({ length: 700 }, (_, i) => 20_000 + i)]);
    assert.deepEqual(await writeFlows(join(folder, 'y.ipfix'), [flows(700), flows(700, 20_000)]), bytes);
  });
});

test('a capture of NetFlow v9 has sound frames to port 2055, and our own reader takes it', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'x.nf9.pcap');
    await writeFlows(path, [flows(300)]);
    const source = await openByteSource(path);
    const reading = readCapture(source);
    const ports: number[] = [];
    let datagrams = 0;
    let lastMicroseconds = 0;
    for await (const packets of reading.batches()) {
      for (let row = 0; row < packets.rowCount; row++) {
        const at = packets.networkOffset[row] as number;
        const packet = Buffer.from(packets.data.slice(at, at + (packets.networkBytes[row] as number)));
        assert.equal(packet.readUInt16BE(2), packet.length, 'IP total length');
        assert.equal(onesSum(packet.subarray(0, 20)), 0xffff, 'IP checksum');
        const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.of(0, 17, 0, 0)]);
        pseudo.writeUInt16BE(packet.length - 20, 10);
        assert.equal(onesSum(Buffer.concat([pseudo, packet.subarray(20)])), 0xffff, 'UDP checksum');
        assert.deepEqual([packet[9], packet.readUInt16BE(22)], [17, 2_055]);
        assert.equal(packet.readUInt16BE(24), packet.length - 20, 'UDP length');
        assert.ok(packet.length <= 1_500, `${packet.length} bytes do not fit a frame`);
        const datagram = packet.subarray(28);
        assert.equal(datagram.readUInt32BE(12), datagrams++);
        ports.push(...portsIn(datagram, 20));
        const microseconds = packets.timeMicroseconds[row] as number;
        assert.equal(Math.floor(microseconds / 1e6), datagram.readUInt32BE(8));
        assert.ok(microseconds >= lastMicroseconds);
        lastMicroseconds = microseconds;
      }
    }
    await source.close();
    assert.equal(reading.rejected.total(), 0);
    assert.deepEqual(ports, Array.from({ length: 300 }, (_, i) => 1_024 + i));
  });
});

/** Sum in ones' complement (RFC 1071): all ones when a checksum in it is right. */
function onesSum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum >>> 16) + (sum & 0xffff);
  return sum;
}

test('what a format cannot hold is noted, and a dropped file leaves nothing', async () => {
  await withFolder(async (folder) => {
    const batch = flows(3);
    batch.columns.flowStartMilliseconds[0] = 1.5;
    batch.columns.initiatorOctets[1] = -1;
    const sink = createIpfixSink(await openFileTarget(join(folder, 'x.ipfix')), 1_000);
    await sink.write(batch);
    assert.deepEqual(sink.notes.map((note) => note.split(' ')[0]), ['1', '1']);
    assert.match(sink.notes[0] ?? '', /times were cut/);
    await sink.abandon();
    assert.deepEqual(await readdir(folder), []);
  });
});

test('no flows: the templates alone, so that the kind of file can be seen', async () => {
  await withFolder(async (folder) => {
    const bytes = await writeFlows(join(folder, 'x.ipfix'), []);
    assert.deepEqual([0, 2, 16].map((at) => bytes.readUInt16BE(at)), [10, bytes.length, 2]);
    assert.equal(bytes.readUInt16BE(18), bytes.length - 16);
    const capture = await writeFlows(join(folder, 'x.nf9.pcap'), [createFlowBatch(1)]);
    assert.equal(capture.readUInt16BE(24 + 16 + 42), 9);
  });
});
