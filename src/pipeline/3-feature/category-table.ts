/**
 * Raw category to category code: a hash table of fixed size, open addressing. Half of it is empty, so a look-up ends
 * soon, whatever the rows hold; it is small, so that tables of a hundred classifiers stay in the cache.
 */
import { assertInvariant } from '#base';

export type CategoryTable = {
  /** [slot] raw category. */
  readonly keys: Uint32Array;
  /** [slot] category code + 1; 0 marks an empty slot. */
  readonly codesPlusOne: Uint16Array;
  /** Bits that a hash is shifted right by, so that it becomes a slot. */
  readonly shiftBits: number;
};

/** An empty table. @param count  categories that it must hold, below 65,535 */
export function createCategoryTable(count: number): CategoryTable {
  assertInvariant(count < 0xffff, 'more categories than a code can tell apart');
  // At least two slots for each, and four: a shift by 32 bits would be one by 0.
  const bits = 33 - Math.clz32(Math.max(2, count) - 1);
  return { keys: new Uint32Array(1 << bits), codesPlusOne: new Uint16Array(1 << bits), shiftBits: 32 - bits };
}

/** 2^32 / golden ratio (Knuth, The Art of Computer Programming 3, §6.4): spreads keys that lie close together. */
const multiplier = 0x9e3779b1;

/** Adds a raw category that is not yet there. */
export function addCategory({ keys, codesPlusOne, shiftBits }: CategoryTable, key: number, code: number): void {
  const last = keys.length - 1;
  let slot = Math.imul(key, multiplier) >>> shiftBits;
  while (codesPlusOne[slot] !== 0) slot = (slot + 1) & last;
  keys[slot] = key;
  codesPlusOne[slot] = code + 1;
}

/**
 * Codes of raw categories. A kernel.
 *
 * @param raw     [rowCount]; read only
 * @param unseen  code of what is not in the table
 * @param out     [rowCount]; overwritten
 */
export function lookUpCategories(
  { keys, codesPlusOne, shiftBits }: CategoryTable, raw: Uint32Array, rowCount: number, unseen: number,
  out: Uint16Array,
): void {
  const last = keys.length - 1;
  for (let row = 0; row < rowCount; row++) {
    const key = raw[row] as number;
    let slot = Math.imul(key, multiplier) >>> shiftBits;
    let code = codesPlusOne[slot] as number;
    while (code !== 0 && keys[slot] !== key) {
      slot = (slot + 1) & last;
      code = codesPlusOne[slot] as number;
    }
    out[row] = code === 0 ? unseen : code - 1;
  }
}
