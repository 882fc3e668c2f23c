/**
 * Bits of the buckets in which a token was seen: bit i is the bucket i before the latest, so that time moving on is a
 * shift. Kernels over words of 32 bits; bits at and beyond the ring's length are zero, always.
 */

/** Words of a ring. */
export function ringWordsOf(bits: number): number {
  return Math.ceil(bits / 32);
}

/**
 * Moves all bits to older buckets; what leaves the ring is gone.
 *
 * @param at    index of the ring's first word
 * @param bits  length of the ring
 * @param by    buckets that time moved on, more than 0
 * @returns     false when no bit is left
 */
export function shiftRing(words: Uint32Array, at: number, bits: number, by: number): boolean {
  const wordCount = (bits + 31) >>> 5;
  if (by >= bits) {
    words.fill(0, at, at + wordCount);
    return false;
  }
  const wordShift = by >>> 5;
  const bitShift = by & 31;
  let left = 0;
  for (let i = wordCount - 1; i >= 0; i--) {
    const from = i - wordShift;
    let word = from < 0 ? 0 : (words[at + from] as number) << bitShift;
    if (bitShift > 0 && from > 0) word |= (words[at + from - 1] as number) >>> (32 - bitShift);
    if (i === wordCount - 1 && (bits & 31) !== 0) word &= (1 << (bits & 31)) - 1;
    words[at + i] = word;
    left |= word;
  }
  return left !== 0;
}

/** Sets a bit. @returns true when it was not set */
export function setRingBit(words: Uint32Array, at: number, bit: number): boolean {
  const mask = 1 << (bit & 31);
  const index = at + (bit >>> 5);
  const before = words[index] as number;
  words[index] = before | mask;
  return (before & mask) === 0;
}

/** Set bits from `from` on, before `end`; both may lie outside the ring. */
export function countRingBits(words: Uint32Array, at: number, bits: number, from: number, end: number): number {
  const first = Math.max(0, from);
  const last = Math.min(bits, end);
  let count = 0;
  for (let bit = first; bit < last;) {
    const inWord = bit & 31;
    const taken = Math.min(32 - inWord, last - bit);
    const mask = taken === 32 ? 0xffff_ffff : ((1 << taken) - 1) << inWord;
    count += countOnes((words[at + (bit >>> 5)] as number) & mask);
    bit += taken;
  }
  return count;
}

/** The highest set bit, so the oldest bucket, from `from` on and before `end`; -1 when there is none. */
export function oldestRingBit(words: Uint32Array, at: number, bits: number, from: number, end: number): number {
  const first = Math.max(0, from);
  for (let last = Math.min(bits, end); last > first;) {
    const base = (last - 1) & ~31;
    const taken = last - base;
    let word = words[at + (base >>> 5)] as number;
    if (taken < 32) word &= (1 << taken) - 1;
    if (first > base) word &= -1 << (first - base);
    if (word !== 0) return base + 31 - Math.clz32(word);
    last = base;
  }
  return -1;
}

/** The newest set bit; `bits` when there is none. */
export function newestRingBit(words: Uint32Array, at: number, bits: number): number {
  for (let i = 0; i < (bits + 31) >>> 5; i++) {
    const word = words[at + i] as number;
    if (word !== 0) return 32 * i + 31 - Math.clz32(word & -word);
  }
  return bits;
}

/** Bits of a word that are set (Hacker's Delight, figure 5-2). */
function countOnes(word: number): number {
  let ones = word - ((word >>> 1) & 0x5555_5555);
  ones = (ones & 0x3333_3333) + ((ones >>> 2) & 0x3333_3333);
  ones = (ones + (ones >>> 4)) & 0x0f0f_0f0f;
  return Math.imul(ones, 0x0101_0101) >>> 24;
}
