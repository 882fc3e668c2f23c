/**
 * Which rows a tree is grown on: numpy's and scikit-learn's sampling without replacement, draw for draw
 * (sklearn.utils.random.sample_without_replacement with method "auto"). The rows of a sample come in ascending order,
 * since scikit-learn hands them to a tree as weights.
 */
import type { RandomState } from './random-state.ts';

/** Draws samples out of the same rows; holds the scratch space of one forest. */
export class RowSampler {
  readonly #rowCount: number;
  readonly #sampleCount: number;
  readonly #kind: Sampling;
  /** One bit for every row: is it in the sample? */
  readonly #bits: Int32Array;

  constructor(rowCount: number, sampleCount: number) {
    this.#rowCount = rowCount;
    this.#sampleCount = sampleCount;
    this.#kind = samplingOf(rowCount, sampleCount);
    this.#bits = new Int32Array((rowCount + 31) >>> 5);
  }

  /** @param out  [sampleCount]: rows, ascending; overwritten */
  sample(random: RandomState, out: Uint32Array): void {
    if (this.#kind === 'permutation') {
      out.set(random.permuteFirst(this.#rowCount, this.#sampleCount));
      return;
    }
    this.#bits.fill(0);
    if (this.#kind === 'tracking') this.#track(random);
    else this.#reserve(random, out);
    listBits(this.#bits, out);
  }

  /** Draws until a row comes that was not drawn before. */
  #track(random: RandomState): void {
    const bits = this.#bits;
    for (let i = 0; i < this.#sampleCount; i++) {
      let row = random.randint(this.#rowCount);
      while (((bits[row >>> 5] as number) >>> (row & 31) & 1) === 1) row = random.randint(this.#rowCount);
      setBit(bits, row);
    }
  }

  /** Reservoir sampling: all rows, or all but very few. */
  #reserve(random: RandomState, out: Uint32Array): void {
    for (let row = 0; row < this.#sampleCount; row++) out[row] = row;
    for (let row = this.#sampleCount; row < this.#rowCount; row++) {
      const place = random.randint(row + 1);
      if (place < this.#sampleCount) out[place] = row;
    }
    for (const row of out) setBit(this.#bits, row);
  }
}

function setBit(bits: Int32Array, row: number): void {
  bits[row >>> 5] = (bits[row >>> 5] as number) | (1 << (row & 31));
}

/** Rows whose bits are set, ascending. */
function listBits(bits: Int32Array, out: Uint32Array): void {
  let to = 0;
  for (let at = 0; at < bits.length; at++) {
    for (let left = bits[at] as number; left !== 0; left &= left - 1) {
      out[to++] = (at << 5) + 31 - Math.clz32(left & -left);
    }
  }
}

type Sampling = 'permutation' | 'tracking' | 'reservoir';

/** What scikit-learn chooses by the share of rows. */
function samplingOf(rowCount: number, sampleCount: number): Sampling {
  const share = sampleCount / rowCount;
  if (share > 0.01 && share < 0.99) return 'permutation';
  return share < 0.2 ? 'tracking' : 'reservoir';
}
