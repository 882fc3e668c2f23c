/**
 * The random numbers of numpy's RandomState, drawn as its legacy interface draws them, whose streams are frozen.
 */
import { assertInvariant, type KernelKind } from '#base';
import { createKernelTwister } from './mt19937-kernel.ts';
import { createTwister, outputCount, type Twister } from './mt19937.ts';

export class RandomState {
  readonly #twister: Twister;
  readonly #outputs: Int32Array;
  /** Outputs before it are used up. */
  #next = outputCount;
  #seed = -1;
  /** States since the seed; Infinity: the stream has ended. */
  #blockCount = 0;
  readonly #itemsMax: number;

  /**
   * @param seed    0 … 2^32-1, as `RandomState(seed)`
   * @param kernel  who computes the numbers; they are the same
   * @param count   items of the largest permutation
   */
  constructor(seed: number, kernel: KernelKind = 'none', count = 0) {
    this.#twister = (kernel === 'none' ? undefined : createKernelTwister(count)) ?? createTwister(count);
    this.#outputs = this.#twister.outputs;
    this.#itemsMax = count;
    this.seed(seed);
  }

  /** Begins the stream of a seed again (numpy's `_legacy_seeding` of an integer). */
  seed(seed: number): void {
    assertInvariant(Number.isInteger(seed) && seed >= 0 && seed <= 0xffff_ffff, 'a seed is a 32-bit unsigned integer');
    if (seed === this.#seed && this.#blockCount === 1) {
      // Of the first state there are all outputs still.
      this.#next = 0;
      return;
    }
    this.#twister.seed(seed);
    this.#seed = seed;
    this.#blockCount = 0;
    this.#next = outputCount;
  }

  /**
   * What `RandomState(seed).randint(end)` gives first, of many seeds. Ends the stream.
   *
   * @param seeds  each becomes its number
   * @param end    1 … 2^32
   */
  firstRandints(seeds: Uint32Array, end: number): void {
    const last = end - 1;
    const mask = last === 0 ? 0 : -1 >>> Math.clz32(last);
    const numbers = seeds.slice();
    this.#twister.firstOutputs(numbers);
    this.#end();
    numbers.forEach((output, i) => {
      const value = (output & mask) >>> 0;
      if (value <= last) {
        seeds[i] = value;
        return;
      }
      // The first output is refused.
      this.seed(seeds[i] as number);
      seeds[i] = this.randint(end);
    });
    this.#end();
  }

  /** Ends all streams, for good: nothing is seeded or drawn any more. */
  close(): void {
    this.#twister.close();
  }

  #end(): void {
    this.#blockCount = Infinity;
    this.#next = outputCount;
  }

  /** Uniform 32-bit unsigned integer. */
  uint32(): number {
    if (this.#next === outputCount) this.#refill();
    return (this.#outputs[this.#next++] as number) >>> 0;
  }

  #refill(): void {
    assertInvariant(this.#blockCount < Infinity, 'a stream that ended with a permutation is drawn from');
    this.#twister.refill();
    this.#blockCount++;
    this.#next = 0;
  }

  /** Uniform in [0, 1) with 53 random bits, as `random_sample()` and `uniform()`. */
  uniform(): number {
    const upper = this.uint32() >>> 5;
    const lower = this.uint32() >>> 6;
    return (upper * 67_108_864 + lower) / 9_007_199_254_740_992;
  }

  /** Uniform integer in [0, end), as `randint(end)`: masked rejection. @param end  1 … 2^32 */
  randint(end: number): number {
    const last = end - 1;
    if (last === 0) return 0;
    const mask = -1 >>> Math.clz32(last);
    for (;;) {
      const value = (this.uint32() & mask) >>> 0;
      if (value <= last) return value;
    }
  }

  /**
   * What `permutation(count)` has in its first places. Ends the stream: numpy would draw on.
   *
   * @param count  at least 2, at most what the constructor was told
   * @param kept   places, 1 … count - 1
   * @returns [kept]: ascending; valid until the next call
   */
  permuteFirst(count: number, kept: number): Uint16Array | Uint32Array {
    assertInvariant(count <= this.#itemsMax, 'a permutation of more items than there is room for');
    assertInvariant(kept >= 1 && kept < count, 'all places of a permutation hold all items');
    assertInvariant(this.#blockCount < Infinity, 'a stream that ended with a permutation is drawn from');
    const chosen = this.#twister.choose(this.#next, count, kept);
    this.#end();
    return chosen;
  }
}
