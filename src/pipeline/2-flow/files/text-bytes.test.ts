/** The digit kernels against JavaScript's own texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, formatMac } from '#base';
import { cellBytesMax, putAddress, putCounter, putMac, putTime, putUint } from './text-bytes.ts';

const out = new Uint8Array(256);

function textOf(put: (at: number) => number): string {
  out.fill(1);
  const end = put(3);
  assert.ok(end - 3 <= cellBytesMax);
  assert.equal(out[3 + cellBytesMax], 1, 'no byte behind the room of a cell is touched');
  return new TextDecoder().decode(out.subarray(3, end));
}

test('whole numbers', () => {
  const edges = Array.from({ length: 16 }, (_, power) => [10 ** power - 1, 10 ** power, 10 ** power + 1]).flat();
  for (const value of [...edges, 4_294_967_295, Number.MAX_SAFE_INTEGER]) assert.equal(textOf((at) => putUint(out, at,
    value)), String(value));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => assert.equal(textOf((at) => putUint(out, at, value)),
    String(value))));
});

test('counters read back as the same bits', () => {
  fc.assert(fc.property(fc.double({ noNaN: true }), (value) => {
    assert.equal(Number(textOf((at) => putCounter(out, at, value))), value === 0 ? 0 : value);
  }));
});

test('times keep their microseconds, and none shows needless decimals', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 4e15 }), (microseconds) => {
    const text = textOf((at) => putTime(out, at, microseconds / 1_000));
    assert.equal(Number(text), microseconds / 1_000);
    assert.match(text, /^\d+(\.\d{0,2}[1-9])?$/);
  }), { numRuns: 2_000 });
  assert.equal(textOf((at) => putTime(out, at, 12.000_6)), '12.001');
  assert.equal(textOf((at) => putTime(out, at, 12.999_9)), '13');
  assert.equal(textOf((at) => putTime(out, at, Number.NaN)), 'NaN');
  assert.equal(textOf((at) => putTime(out, at, -1.5)), '-1.5');
});

test('addresses and MACs are those of base', () => {
  const word = fc.oneof(...[0, 1, 0xffff, 0x10000, 0xabc0000f].map((value) => fc.constant(value)), fc.nat(0xffffffff));
  fc.assert(fc.property(word, word, word, word, (a, b, c, d) => {
    const words = Uint32Array.of(9, a, b, c, d);
    assert.equal(textOf((at) => putAddress(out, at, words, 1)), formatAddress(words, 1));
    const mac = Uint32Array.of(9, a & 0xffff, b);
    assert.equal(textOf((at) => putMac(out, at, mac, 1)), formatMac(mac, 1));
  }), { numRuns: 3_000 });
});
