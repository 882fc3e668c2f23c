/** The compact protocol: numbers of every size, short and long lists, structs in structs, a buffer that grows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GrowingBytes, putVarint, ThriftWriter, thriftType } from './parquet-thrift.ts';

/** LEB128 read back with whole numbers of any size. */
function readVarint(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 128n + BigInt(byte & 0x7f), 0n);
}

test('numbers up to 2^53 - 1 are written in as few bytes as they take', () => {
  const edges = [0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 53 - 1].map((value): [number] => [value]);
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    const out = new Uint8Array(16);
    const bytes = out.subarray(0, putVarint(out, 0, value));
    assert.equal(readVarint(bytes), BigInt(value));
    assert.equal(bytes.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
    assert.ok(bytes.every((byte, i) => (byte >= 0x80) === (i < bytes.length - 1)));
  }), { examples: edges });
});

test('structs, lists and texts to the byte', () => {
  const out = new GrowingBytes(1);
  const thrift = new ThriftWriter(out);
  thrift.begin();
  thrift.i32(1, 2);
  thrift.beginField(3);
  thrift.i64(2, 300);
  thrift.end();
  thrift.text(4, 'é');
  thrift.list(5, thriftType.i32, 2);
  thrift.number(0);
  thrift.number(1);
  thrift.list(6, thriftType.struct, 15);
  thrift.end();
  assert.deepEqual([...out.written()], [
    0x15, 4, // field 1, i32, zigzag 2
    0x2c, 0x26, 0xd8, 0x04, 0, // field 3, struct { field 2, i64, zigzag 300 }
    0x18, 2, 0xc3, 0xa9, // field 4, binary
    0x19, 0x25, 0, 2, // field 5, list of two i32
    0x19, 0xfc, 15, // field 6, list of 15 structs, whose number has a byte of its own
    0,
  ]);
});
