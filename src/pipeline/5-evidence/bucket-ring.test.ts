/** Rings of bits against lists of buckets, at and around the ends of words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  countRingBits, newestRingBit, oldestRingBit, ringWordsOf, setRingBit, shiftRing,
} from './bucket-ring.ts';

/** A ring at another place than the first, between words that must stay as they are. */
function ringOf(bits: number, set: readonly number[]): Uint32Array {
  const words = new Uint32Array(ringWordsOf(bits) + 2).fill(0xdead_beef);
  words.fill(0, 1, 1 + ringWordsOf(bits));
  for (const bit of set) setRingBit(words, 1, bit);
  return words;
}

const arbitraryRing = fc.constantFrom(1, 5, 31, 32, 33, 64, 90, 96).chain((bits) => fc.record({
  bits: fc.constant(bits), set: fc.uniqueArray(fc.nat({ max: bits - 1 }), { maxLength: 12 }),
}));
const arbitraryPlace = fc.integer({ min: -10, max: 110 });

test('bits are counted and found between any two places', () => {
  fc.assert(fc.property(arbitraryRing, arbitraryPlace, arbitraryPlace, ({ bits, set }, from, end) => {
    const words = ringOf(bits, set);
    const within = set.filter((bit) => bit >= from && bit < end);
    assert.equal(countRingBits(words, 1, bits, from, end), within.length);
    assert.equal(oldestRingBit(words, 1, bits, from, end), Math.max(-1, ...within));
    assert.equal(newestRingBit(words, 1, bits), Math.min(bits, ...set));
  }), { numRuns: 1_000 });
});

test('time moves all bits on, and those beyond the end are gone', () => {
  fc.assert(fc.property(arbitraryRing, fc.integer({ min: 1, max: 120 }), ({ bits, set }, by) => {
    const words = ringOf(bits, set);
    const left = set.map((bit) => bit + by).filter((bit) => bit < bits);
    assert.equal(shiftRing(words, 1, bits, by), left.length > 0);
    assert.deepEqual(words, ringOf(bits, left));
  }), { numRuns: 1_000 });
});

test('a bit is new once', () => {
  const words = ringOf(90, []);
  assert.deepEqual([setRingBit(words, 1, 63), setRingBit(words, 1, 63), setRingBit(words, 1, 31)], [true, false, true]);
});
