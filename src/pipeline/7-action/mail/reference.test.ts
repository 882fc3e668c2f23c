/** References: eight characters that nobody mistakes for others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normaliseReference, referenceOf } from './reference.ts';

test('a reference is the first forty bits in Crockford base32', () => {
  assert.equal(referenceOf('00'.repeat(32)), '00000000');
  assert.equal(referenceOf('ff'.repeat(32)), 'ZZZZZZZZ');
  // 0x0123456789 in groups of five bits: 0 4 17 20 10 25 28 9.
  assert.equal(referenceOf(`0123456789${'0'.repeat(54)}`), '04HMASW9');
});

test('no two ids that differ in the first forty bits share one, and people may write it as they like', () => {
  fc.assert(fc.property(fc.bigInt(0n, (1n << 40n) - 1n), (bits) => {
    const id = bits.toString(16).padStart(10, '0').padEnd(64, 'a');
    const reference = referenceOf(id);
    assert.match(reference, /^[0-9A-HJKMNP-TV-Z]{8}$/);
    const back = [...reference].reduce((sum, digit) =>
      sum * 32n + BigInt('0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(digit)), 0n);
    assert.equal(back, bits);
    const written = reference.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l');
    assert.equal(normaliseReference(`${written.slice(0, 4)} - ${written.slice(4)}`), reference);
  }));
});

test('what is no digest is our own bug', () => {
  for (const id of ['', 'ABCDEF0123', '0123', 'xyz']) assert.throws(() => referenceOf(id), /SHA-256/);
});
