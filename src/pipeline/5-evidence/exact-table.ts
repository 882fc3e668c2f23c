/**
 * A hash table from tuples of three numbers to indices, made once and then asked for every flow: open addressing, at
 * most half full, keys compared exactly. What is in it comes from artifacts, never from flows.
 */
import { assertInvariant } from '#base';

/** What `find` says of a tuple that is not there. */
export const notFound = -1;

export class ExactTable {
  readonly #mask: number;
  /** [index × 3]: close together, where slots are mostly empty. */
  readonly #keys: Float64Array;
  /** [slot] */
  readonly #index: Int32Array;
  #count = 0;

  /** @param countMax  tuples that it must hold */
  constructor(countMax: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * countMax)));
    this.#mask = slots - 1;
    this.#keys = new Float64Array(3 * countMax);
    this.#index = new Int32Array(slots).fill(notFound);
  }

  get count(): number {
    return this.#count;
  }

  /** Index of a tuple, in the order of their first coming; a new one where it is not there. */
  intern(a: number, b: number, c: number): number {
    const slot = this.#slotOf(a, b, c);
    const known = this.#index[slot] as number;
    if (known !== notFound) return known;
    assertInvariant(3 * this.#count < this.#keys.length, 'a table was made for fewer tuples');
    this.#keys.set([a, b, c], 3 * this.#count);
    this.#index[slot] = this.#count;
    return this.#count++;
  }

  /** Index of a tuple, or `notFound`. */
  find(a: number, b: number, c: number): number {
    return this.#index[this.#slotOf(a, b, c)] as number;
  }

  /** Where a tuple is, or would be. */
  #slotOf(a: number, b: number, c: number): number {
    const keys = this.#keys;
    const index = this.#index;
    const mask = this.#mask;
    let slot = hashOf(a, b, c) & mask;
    for (;;) {
      const known = index[slot] as number;
      if (known === notFound) return slot;
      const at = 3 * known;
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c) return slot;
      slot = (slot + 1) & mask;
    }
  }
}

/** Murmur3's steps over the lower words of three numbers. Those that differ above 32 bits alone share a slot. */
function hashOf(a: number, b: number, c: number): number {
  let hash = Math.imul(a | 0, 0xcc9e2d51);
  hash = Math.imul((hash << 13 | hash >>> 19) ^ (b | 0), 0x1b873593);
  hash = Math.imul((hash << 15 | hash >>> 17) ^ (c | 0), 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ hash >>> 16;
}
