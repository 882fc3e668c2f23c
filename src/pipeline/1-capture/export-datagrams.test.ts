/** Export datagrams out of captures and bare files: found, bounded, counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress } from '#base';
import { addressBytes, batchFrames, buildTcp, buildUdp, fragmentFrame } from '#sim';
import { ExportDatagramFinder, IpfixMessageSplitter, recogniseExports } from './export-datagrams.ts';

function pathOf(source: string, destination: string): Parameters<typeof buildUdp>[0] {
  return {
    sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
    source: addressBytes(source), destination: addressBytes(destination), hops: 64, classOfService: 0,
      identification: 7,
    isUnfragmentable: false, isPadded: false,
  };
}

function ipfixMessage(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, (10 << 16) | length);
  return bytes;
}

test('UDP payloads to export ports come out whole, with their sender', () => {
  const v4 = pathOf('192.0.2.7', '192.0.2.1');
  const v6 = pathOf('2001:db8::7', '2001:db8::1');
  const payload = Uint8Array.of(0, 9, 1, 2, 3);
  const segment = {
    ports: { source: 5, destination: 2055 }, sequence: 1, acknowledgment: 1, flags: 2, window: 1,
      options: new Uint8Array(0),
  };
  const batch = batchFrames([
    buildUdp(v4, { source: 50_000, destination: 2055 }, payload),
    buildUdp(v6, { source: 50_000, destination: 4739 }, payload),
    buildUdp(v4, { source: 2055, destination: 50_000 }, payload),
    buildTcp(v4, segment, payload),
    ...fragmentFrame(buildUdp(v4, { source: 1, destination: 2055 }, new Uint8Array(3000))),
  ].map((frame, i) => ({ timeMicroseconds: 1_500_000 + i, frame })));
  const finder = new ExportDatagramFinder();
  const found = [...finder.find(batch)].map(({ bytes, exporter, receivedMs }) =>
    [[...bytes], formatAddress(Uint32Array.from(exporter), 0), receivedMs]);
  assert.deepEqual(found, [[[0, 9, 1, 2, 3], '192.0.2.7', 1500], [[0, 9, 1, 2, 3], '2001:db8::7', 1500.001]]);
  assert.equal(JSON.stringify(finder.rejected), '{"fragmented-export":1,"not-an-export":4}');
  assert.equal(finder.datagramCount + finder.rejected.total(), batch.rowCount);
});

test('a payload cut by the snap length is counted, and any other port may be asked for', () => {
  const frame = buildUdp(pathOf('192.0.2.7', '192.0.2.1'), { source: 1, destination: 12_345 }, new Uint8Array(100));
  const batch = batchFrames([{ timeMicroseconds: 0, frame }]);
  assert.equal([...new ExportDatagramFinder([12_345]).find(batch)].length, 1);
  batch.networkBytes[0] = 60;
  const finder = new ExportDatagramFinder([12_345]);
  assert.equal([...finder.find(batch)].length, 0);
  assert.equal(finder.rejected.get('cut-export'), 1);
});

test('bare files are recognised by their first words', () => {
  const two = Buffer.concat([ipfixMessage(20), ipfixMessage(16)]);
  assert.equal(recogniseExports(two, two.length), 'ipfix');
  assert.equal(recogniseExports(ipfixMessage(20), 20), 'ipfix');
  assert.equal(recogniseExports(Buffer.concat([ipfixMessage(20), new Uint8Array(20).fill(65)]), 40), undefined);
  const v5 = new Uint8Array(72);
  v5.set([0, 5, 0, 1]);
  assert.equal(recogniseExports(v5, 72), 'netflow5');
  assert.equal(recogniseExports(v5, 60), undefined);
  const v9 = new Uint8Array(60);
  v9.set([0, 9, 0, 1]);
  v9.set([1, 0, 0, 40], 20);
  assert.equal(recogniseExports(v9, 60), 'netflow9');
  assert.equal(recogniseExports(new TextEncoder().encode('a text of some length, no export'), 33), undefined);
  assert.equal(recogniseExports(new Uint8Array(3)), undefined);
});

test('property: IPFIX messages come out whole from any pieces, and every byte is accounted for', () => {
  const lengths = fc.array(fc.integer({ min: 16, max: 80 }), { maxLength: 12 });
  fc.assert(fc.property(lengths, fc.integer({ min: 1, max: 70 }), fc.nat({ max: 40 }),
    (sizes, pieceBytes, junkBytes) => {
    const whole = Buffer.concat([new Uint8Array(junkBytes).fill(255), ...sizes.map(ipfixMessage)]);
    const splitter = new IpfixMessageSplitter();
    const found: number[] = [];
    for (let at = 0; at < whole.length; at += pieceBytes) {
      for (const message of splitter.push(whole.subarray(at, at + pieceBytes))) found.push(message.length);
    }
    assert.deepEqual(found, sizes);
    assert.equal(splitter.skippedBytes + splitter.keptBytes, junkBytes);
  }));
});

test('fuzz: any bytes are split without losing count', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (pieces) => {
    const splitter = new IpfixMessageSplitter();
    let messageBytes = 0;
    for (const piece of pieces) for (const message of splitter.push(piece)) messageBytes += message.length;
    const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
    assert.equal(messageBytes + splitter.skippedBytes + splitter.keptBytes, total);
  }));
});
