/** Files of NetFlow datagrams one after the other: where one ends, in any pieces, and what becomes of the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NetflowSplitter } from './netflow-splitter.ts';

/** A v5 datagram; its records are full of what may be taken for headers. */
function version5(recordCount: number): Uint8Array {
  const bytes = new Uint8Array(24 + recordCount * 48);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 2) view.setUint16(at, at % 4 === 0 ? 9 : 1);
  view.setUint32(0, (5 << 16) | recordCount);
  return bytes;
}

/** A v9 datagram with a set for each size, the first a template's; their contents may be taken for headers, too. */
function version9(setSizes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(20 + setSizes.reduce((sum, size) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  for (let at = 20; at + 2 <= bytes.length; at += 2) view.setUint16(at, at % 4 === 0 ? 9 : 1);
  view.setUint32(0, (9 << 16) | setSizes.length);
  let at = 20;
  for (const [i, size] of setSizes.entries()) {
    view.setUint16(at, i === 0 ? 0 : 255 + i);
    view.setUint16(at + 2, size);
    at += size;
  }
  return bytes;
}

/** What a splitter makes of bytes that come in pieces. */
function split(bytes: Uint8Array, pieceBytes: number): { datagrams: Uint8Array[]; skippedBytes: number } {
  const splitter = new NetflowSplitter();
  const datagrams: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    for (const datagram of splitter.push(bytes.subarray(at, at + pieceBytes))) datagrams.push(datagram.slice());
  }
  for (const datagram of splitter.end()) datagrams.push(datagram.slice());
  return { datagrams, skippedBytes: splitter.skippedBytes };
}

const datagram = fc.oneof(
  fc.integer({ min: 1, max: 30 }).map(version5),
  fc.array(fc.integer({ min: 4, max: 60 }), { minLength: 1, maxLength: 5 }).map(version9));

test('property: datagrams of v5 and v9 come out whole, in their order, from any pieces', () => {
  const anyPieceBytes = fc.integer({ min: 1, max: 3000 });
  fc.assert(fc.property(fc.array(datagram, { maxLength: 12 }), anyPieceBytes, (sent, pieceBytes) => {
    const { datagrams, skippedBytes } = split(Buffer.concat(sent), pieceBytes);
    assert.deepEqual(datagrams, sent);
    assert.equal(skippedBytes, 0);
  }));
});

test('what no header begins stays with the datagram before it', () => {
  const junk = new Uint8Array(50).fill(0xaa);
  for (const first of [version5(2), version9([40, 20])]) {
    const bytes = Buffer.concat([first, junk]);
    assert.deepEqual(split(bytes, 7).datagrams, [new Uint8Array(bytes)]);
  }
  // Zeros to the end of a large datagram, as some exporters send, are no set, and hide what follows.
  const padded = Buffer.concat([version9([40]), new Uint8Array(100)]);
  assert.deepEqual(split(padded, 1000).datagrams, [new Uint8Array(padded)]);
});

test('a cut datagram at the end comes out as it is', () => {
  const [first, second] = [version9([40, 20]), version9([44, 300])];
  const { datagrams } = split(Buffer.concat([first, second.subarray(0, 100)]), 33);
  assert.deepEqual(datagrams, [first, second.subarray(0, 100)]);
});

test('memory is bounded by the longest datagram; the rest is counted', () => {
  const { datagrams, skippedBytes } = split(Buffer.concat([version5(1), version5(1), new Uint8Array(200_000)]), 10_000);
  assert.deepEqual(datagrams.map(({ length }) => length), [72, 65_535]);
  assert.equal(72 + 65_535 + skippedBytes, 2 * 72 + 200_000);
});

test('fuzz: any bytes are split without losing count', () => {
  fc.assert(fc.property(fc.array(fc.oneof(datagram, fc.uint8Array({ maxLength: 90 })), { maxLength: 8 }),
    fc.integer({ min: 1, max: 500 }), (parts, pieceBytes) => {
      const bytes = Buffer.concat(parts);
      const { datagrams, skippedBytes } = split(bytes, pieceBytes);
      assert.deepEqual(Buffer.concat(datagrams), bytes.subarray(0, bytes.length - skippedBytes));
    }));
});
