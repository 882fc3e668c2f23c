/**
 * Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), and the shuffle that numpy makes of its numbers: the
 * readable twin of the kernel. For fitting only; nothing here is fit for keys.
 */

/** Outputs of one state. */
export const outputCount = 624;
const shiftWords = 397;
const matrixA = 0x9908b0df | 0;
const seedMultiplier = 1_812_433_253;

/** A state with its outputs. */
export type Twister = {
  /** [624]: of the state at hand. */
  readonly outputs: Int32Array;
  /** Begins the stream of a 32-bit number; there are no outputs yet. */
  readonly seed: (seed: number) => void;
  /** The next state and its outputs. */
  readonly refill: () => void;
  /** Nothing is drawn any more. */
  readonly close: () => void;
  /** Puts the first output of each seed in the place of the seed. Afterwards there is neither state nor output. */
  readonly firstOutputs: (seeds: Uint32Array) => void;
  /**
   * What numpy's permutation has in its first places. The stream cannot be drawn on from: numpy would draw more.
   *
   * @param next   the output that is drawn next; all are used up at 624
   * @param count  items
   * @param kept   places, at least one, fewer than items
   * @returns [kept]: the items, ascending; valid until the next call
   */
  readonly choose: (next: number, count: number, kept: number) => Uint16Array | Uint32Array;
};

/** @param count  items of the largest permutation, below 2^31 */
export function createTwister(count: number): Twister {
  const state = new Int32Array(outputCount);
  const outputs = new Int32Array(outputCount);
  const room = 2 ** Math.ceil(Math.log2(Math.max(count, 1)));
  // Half the bytes where they suffice: the rows of a day stay in the processor's nearest cache.
  const items = count <= 0x1_0000 ? new Uint16Array(room) : new Uint32Array(room);
  return {
    outputs,
    seed: (seed) => seedState(state, seed),
    refill: () => twist(state, outputs),
    close: () => undefined,
    firstOutputs: (seeds) => {
      seeds.forEach((seed, i) => {
        seedState(state, seed);
        twist(state, outputs);
        seeds[i] = outputs[0] as number;
      });
    },
    choose: (next, itemCount, kept) => {
      for (let i = 0; i < itemCount; i++) items[i] = i;
      shuffle(items, state, outputs, { next, itemCount, kept });
      return items.subarray(0, kept).sort();
    },
  };
}

/**
 * Shuffles items as numpy shuffles, from the last one downwards, but keeps only what the first places are left with.
 * (A place that is done is never looked at again: an item that would move there is forgotten.)
 */
function shuffle(items: Uint16Array | Uint32Array, state: Int32Array, outputs: Int32Array,
  { next: from, itemCount, kept }: { next: number; itemCount: number; kept: number }): void {
  let next = from;
  let place = itemCount - 1;
  while (place >= kept) {
    const mask = -1 >>> Math.clz32(place);
    // The mask holds down to the power of two below.
    const end = Math.max(kept, (mask >>> 1) + 1);
    while (place >= end) {
      if (next === outputCount) {
        twist(state, outputs);
        next = 0;
      }
      // So many draws at most before the mask may change.
      const stop = Math.min(outputCount, next + place - end + 1);
      place = moveItems(items, outputs, next, stop, mask, place);
      next = stop;
    }
  }
}

/** Knuth's generator fills the state. */
function seedState(state: Int32Array, seed: number): void {
  let word = seed | 0;
  state[0] = word;
  for (let i = 1; i < outputCount; i++) {
    word = (Math.imul(word ^ (word >>> 30), seedMultiplier) + i) | 0;
    state[i] = word;
  }
}

/**
 * Moves the item of each place to a partner not above it, by masked rejection. A refused draw moves it above the place,
 * where nobody looks: a branch that is foreseen wrongly 3 times in 10 takes twice as long.
 *
 * @param at  draws `outputs[at … stop)` are used up
 * @returns the place that is next
 */
function moveItems(items: Uint16Array | Uint32Array, outputs: Int32Array, at: number, stop: number, mask: number,
  place: number): number {
  let next = place;
  for (let i = at; i < stop; i++) {
    const partner = (outputs[i] as number) & mask;
    items[partner] = items[next] as number;
    next = (next + ((partner - next - 1) >> 31)) | 0;
  }
  return next;
}

function twist(state: Int32Array, outputs: Int32Array): void {
  const wrapped = outputCount - shiftWords;
  let word = state[0] as number;
  for (let i = 0; i < wrapped; i++) {
    const following = state[i + 1] as number;
    const next = mix(word, following) ^ (state[i + shiftWords] as number);
    state[i] = next;
    outputs[i] = temper(next);
    word = following;
  }
  for (let i = wrapped; i < outputCount - 1; i++) {
    const following = state[i + 1] as number;
    const next = mix(word, following) ^ (state[i - wrapped] as number);
    state[i] = next;
    outputs[i] = temper(next);
    word = following;
  }
  const next = mix(word, state[0] as number) ^ (state[shiftWords - 1] as number);
  state[outputCount - 1] = next;
  outputs[outputCount - 1] = temper(next);
}

function mix(word: number, following: number): number {
  const mixed = (word & 0x8000_0000) | (following & 0x7fff_ffff);
  return (mixed >>> 1) ^ (-(mixed & 1) & matrixA);
}

function temper(word: number): number {
  let mixed = word ^ (word >>> 11);
  mixed ^= (mixed << 7) & 0x9d2c_5680;
  mixed ^= (mixed << 15) & 0xefc6_0000;
  return mixed ^ (mixed >>> 18);
}
