/**
 * Random numbers and shuffles for WebAssembly (AssemblyScript, 128-bit vectors): what `mt19937.ts` of the room does in
 * TypeScript, which is most of the time of fitting an isolation forest. MT19937 (Matsumoto and Nishimura 1998), four
 * words at a time.
 *
 * Memory: 624 words of state and the first four of them once more, 624 outputs, and the items that are shuffled. The
 * side that calls keeps the items within their room and `from` within the outputs.
 */

// mt19937-kernel.ts of the room
const outputsAt: usize = 2560;
const itemsAt: usize = 8192;

const stateBytes: usize = 2496;
const shiftBytes: usize = 1588;
/** From here on, words are made of words of the next state. */
const wrappedBytes: usize = 912;

/** Knuth's generator fills the state. */
export function seed(value: u32): void {
  let word = value;
  store<u32>(0, word);
  for (let i: u32 = 1; i < 624; i++) {
    word = (word ^ (word >> 30)) * 1812433253 + i;
    store<u32>(i << 2, word);
  }
}

/** Four words of the next state, and their outputs. @param shifted  of words 397 further on */
@inline function twistAt(at: usize, shifted: usize): v128 {
  const mixed = v128.or(v128.and(v128.load(at), i32x4.splat(0x80000000)),
    v128.and(v128.load(at + 4), i32x4.splat(0x7fffffff)));
  const twist = v128.and(i32x4.shr_s(i32x4.shl(mixed, 31), 31), i32x4.splat(0x9908b0df));
  const next = v128.xor(v128.xor(v128.load(shifted), i32x4.shr_u(mixed, 1)), twist);
  v128.store(at, next);
  let word = v128.xor(next, i32x4.shr_u(next, 11));
  word = v128.xor(word, v128.and(i32x4.shl(word, 7), i32x4.splat(0x9d2c5680)));
  word = v128.xor(word, v128.and(i32x4.shl(word, 15), i32x4.splat(0xefc60000)));
  v128.store(at + outputsAt, v128.xor(word, i32x4.shr_u(word, 18)));
  return next;
}

/** The next state, and its outputs. The first words stand once more behind the last ones: so the circle is a line. */
export function refill(): void {
  v128.store(stateBytes, twistAt(0, shiftBytes));
  for (let at: usize = 16; at < wrappedBytes; at += 16) twistAt(at, at + shiftBytes);
  for (let at: usize = wrappedBytes; at < stateBytes; at += 16) twistAt(at, at + shiftBytes - stateBytes);
}

/**
 * Shuffles the items downwards as far as the kept ones.
 *
 * @param from  the output that is drawn next
 * @returns the output after the last one that was drawn
 */
export function shuffle(from: u32, count: u32, kept: u32): u32 {
  const outputsEnd = outputsAt + stateBytes;
  let next = outputsAt + (<usize>from << 2);
  let place = count - 1;
  while (place >= kept) {
    const mask: u32 = <u32>0xffffffff >> clz<u32>(place);
    // The mask holds down to the power of two below.
    const half = (mask >> 1) + 1;
    const end = half > kept ? half : kept;
    while (place >= end) {
      if (next == outputsEnd) {
        refill();
        next = outputsAt;
      }
      // So many draws at most before the mask may change.
      const safe = next + ((place - end + 1) << 2);
      const stop = safe < outputsEnd ? safe : outputsEnd;
      for (; next < stop; next += 4) {
        const partner = load<u32>(next) & mask;
        store<u16>(itemsAt + (partner << 1), load<u16>(itemsAt + (place << 1)));
        // One less where the partner is not above the place; written so, it takes an eighth less time.
        place += <u32>((<i32>(partner - 1) - <i32>place) >> 31);
      }
    }
  }
  return <u32>((next - outputsAt) >> 2);
}
