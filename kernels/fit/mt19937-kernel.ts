/**
 * Random numbers and samples for WebAssembly (AssemblyScript, 128-bit vectors): what `mt19937.ts` of the room does in
 * TypeScript, which is most of the time of fitting an isolation forest. MT19937 (Matsumoto and Nishimura 1998), sixteen
 * words at a time.
 *
 * Memory: the words of the generator in a line, of which the first 624 are the state before and the next 624 the state
 * at hand; its 624 outputs; tables; one mark for every row; the draws of a permutation; the rows of a sample. The side
 * that calls keeps rows within their room and `next` within the outputs.
 */

// mt19937-kernel.ts of the room
const outputsAt: usize = 16384;
const constantsAt: usize = 18880;
const blockAt: usize = 18992;
const shufflesAt: usize = 19056;
const marksAt: usize = 23152;
const drawsAt: usize = 88688;
const sampleAt: usize = 219792;

const stateBytes: usize = 2496;
const shiftBytes: usize = 1588;
const lineBytes: usize = 16384;

for (let chosen: usize = 0; chosen < 256; chosen++) {
  let to = shufflesAt + (chosen << 4);
  for (let lane: u32 = 0; lane < 8; lane++) {
    if (((chosen >> lane) & 1) == 0) continue;
    store<u16>(to, <u16>(lane * 0x0202 + 0x0100));
    to += 2;
  }
}

// Constants come from memory, once for each function: written as constants, V8 makes them anew in every turn of a loop
// (`draw` takes 2.3 ms then instead of 1.8).
v128.store(constantsAt, i32x4.splat(0x80000000));
v128.store(constantsAt, i32x4.splat(0x7fffffff), 16);
v128.store(constantsAt, i32x4.splat(0x9908b0df), 32);
v128.store(constantsAt, i32x4.splat(0x9d2c5680), 48);
v128.store(constantsAt, i32x4.splat(0xefc60000), 64);
v128.store(constantsAt, i32x4.splat(1812433253), 80);
v128.store(constantsAt, i32x4.splat(1), 96);

/** Knuth's generator fills the state. */
export function seed(value: u32): void {
  let word = value;
  store<u32>(stateBytes, word);
  for (let i: u32 = 1; i < 624; i++) {
    word = (word ^ (word >> 30)) * 1812433253 + i;
    store<u32>(stateBytes + (i << 2), word);
  }
}

/**
 * The first output of each seed, in the place of the seed among the outputs. It is made of three words only, and four
 * seeds are one chain: 0.02 ms for 100 trees, where a state and its outputs for each take 0.12.
 */
export function firstOutputs(count: u32): void {
  const end = outputsAt + (<usize>count << 2);
  const upper = i32x4.splat(0x80000000);
  const lower = i32x4.splat(0x7fffffff);
  const multiplier = v128.load(constantsAt, 80);
  const one = v128.load(constantsAt, 96);
  for (let at: usize = outputsAt; at < end; at += 16) {
    const first = v128.load(at);
    let step = one;
    const second = i32x4.add(i32x4.mul(v128.xor(first, i32x4.shr_u(first, 30)), multiplier), step);
    let word = second;
    for (let i: u32 = 2; i <= 397; i++) {
      step = i32x4.add(step, one);
      word = i32x4.add(i32x4.mul(v128.xor(word, i32x4.shr_u(word, 30)), multiplier), step);
    }
    const mixed = v128.or(v128.and(first, upper), v128.and(second, lower));
    const twist = v128.and(i32x4.shr_s(i32x4.shl(mixed, 31), 31), v128.load(constantsAt, 32));
    v128.store(at, temper(v128.xor(v128.xor(word, i32x4.shr_u(mixed, 1)), twist), v128.load(constantsAt, 48),
      v128.load(constantsAt, 64)));
  }
}

/** Four words of the state after this one, and their outputs. */
@inline function twistAt(at: usize, upper: v128, lower: v128, matrix: v128, temperB: v128, temperC: v128): v128 {
  const mixed = v128.or(v128.and(v128.load(at), upper),
    v128.and(v128.load(at, 4), lower));
  const twist = v128.and(i32x4.shr_s(i32x4.shl(mixed, 31), 31), matrix);
  const next = v128.xor(v128.xor(v128.load(at, shiftBytes), i32x4.shr_u(mixed, 1)), twist);
  v128.store(at, next, stateBytes);
  return temper(next, temperB, temperC);
}

@inline function temper(state: v128, temperB: v128, temperC: v128): v128 {
  let word = v128.xor(state, i32x4.shr_u(state, 11));
  word = v128.xor(word, v128.and(i32x4.shl(word, 7), temperB));
  word = v128.xor(word, v128.and(i32x4.shl(word, 15), temperC));
  return v128.xor(word, i32x4.shr_u(word, 18));
}

/** The next state, and its outputs. */
export function refill(): void {
  const upper = v128.load(constantsAt);
  const lower = v128.load(constantsAt, 16);
  const matrix = v128.load(constantsAt, 32);
  const temperB = v128.load(constantsAt, 48);
  const temperC = v128.load(constantsAt, 64);
  memory.copy(0, stateBytes, stateBytes);
  for (let at: usize = 0; at < stateBytes; at += 16) {
    v128.store(at + outputsAt, twistAt(at, upper, lower, matrix, temperB, temperC));
  }
}

/**
 * Draws a partner for each place, from the last one downwards to the kept ones: masked rejection, as numpy draws.
 *
 * A draw is refused when it lies above the place, and each one that is not moves the place down. Of sixteen draws all
 * can be compared with one place unless one of them lies among the sixteen places that might be next; such a block, and
 * the last places under a mask, are taken draw by draw. Twist, output, comparison and packing are one loop because its
 * chain from place to place leaves room for all of that: 100 trees of 20,000 rows take 2.3 ms so, but 3.4 ms with
 * outputs stored first and eight draws at a time, and one draw at a time without a branch no less.
 */
function draw(next: u32, count: u32, kept: u32): void {
  const upper = v128.load(constantsAt);
  const lower = v128.load(constantsAt, 16);
  const matrix = v128.load(constantsAt, 32);
  const temperB = v128.load(constantsAt, 48);
  const temperC = v128.load(constantsAt, 64);
  let at = <usize>next << 2;
  let to = drawsAt;
  let place = count - 1;
  while (place >= kept) {
    const mask: u32 = <u32>0xffffffff >> clz<u32>(place);
    // The mask holds down to the power of two below.
    const half = (mask >> 1) + 1;
    const end = half > kept ? half : kept;
    const masks = i32x4.splat(mask);
    while (place >= end) {
      if (at > lineBytes - stateBytes - 64) {
        memory.copy(0, at, stateBytes);
        at = 0;
      }
      const a = twistAt(at, upper, lower, matrix, temperB, temperC);
      const b = twistAt(at + 16, upper, lower, matrix, temperB, temperC);
      const c = twistAt(at + 32, upper, lower, matrix, temperB, temperC);
      const d = twistAt(at + 48, upper, lower, matrix, temperB, temperC);
      at += 64;
      const low = i16x8.narrow_i32x4_u(v128.and(a, masks), v128.and(b, masks));
      const high = i16x8.narrow_i32x4_u(v128.and(c, masks), v128.and(d, masks));
      const top = i16x8.splat(<i16>place);
      const bottom = i16x8.splat(<i16>(place - 16));
      const taken = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.ge_u(top, low), i16x8.ge_u(top, high)));
      const sure = <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.ge_u(bottom, low), i16x8.ge_u(bottom, high)));
      if (taken == sure && place >= end + 15) {
        const first = taken & 0xff;
        v128.store(to, i8x16.swizzle(low, v128.load(shufflesAt + (<usize>first << 4))));
        v128.store(to + (<usize>popcnt<u32>(first) << 1),
          i8x16.swizzle(high, v128.load(shufflesAt + (<usize>(taken >> 8) << 4))));
        const takenCount = popcnt<u32>(taken);
        to += takenCount << 1;
        place -= takenCount;
        continue;
      }
      v128.store(blockAt, a);
      v128.store(blockAt, b, 16);
      v128.store(blockAt, c, 32);
      v128.store(blockAt, d, 48);
      for (let from = blockAt; from < blockAt + 64 && place >= kept; from += 4) {
        const partner = load<u32>(from) & (<u32>0xffffffff >> clz<u32>(place));
        store<u16>(to, <u16>partner);
        const isTaken = <u32>(partner <= place);
        to += isTaken << 1;
        place -= isTaken;
      }
    }
  }
}

/**
 * What numpy's `permutation(count)` has in its first places: the rows go to the sample, ascending. The stream cannot be
 * drawn on from.
 *
 * The shuffle is undone in thought: the item that ends in one of the first places was, before the last swap, in that
 * place or in the one it was swapped with. So the marks walk back through the swaps, and no item is ever moved. Without
 * a branch: one that is foreseen wrongly a thousand times takes nearly twice as long (1.6 ms for 100 trees, not 0.9).
 *
 * @param next  the output that is drawn next
 * @param kept  places; below count
 */
export function choose(next: u32, count: u32, kept: u32): void {
  draw(next, count, kept);
  memory.fill(marksAt, 0, (count + 63) & ~63);
  memory.fill(marksAt, 1, kept);
  let from = drawsAt + (<usize>(count - 1 - kept) << 1);
  let place: usize = kept;
  for (; place + 4 <= count; place += 4) {
    moveMark(load<u16>(from), place);
    moveMark(load<u16>(from - 2), place + 1);
    moveMark(load<u16>(from - 4), place + 2);
    moveMark(load<u16>(from - 6), place + 3);
    from -= 8;
  }
  for (; place < count; place++) {
    moveMark(load<u16>(from), place);
    from -= 2;
  }
  let to = sampleAt;
  for (let row: usize = 0; row < count; row += 64) {
    const at = marksAt + row;
    let left = marked(at) | marked(at + 16) << 16 | marked(at + 32) << 32 | marked(at + 48) << 48;
    while (left != 0) {
      store<u16>(to, <u16>(row + <usize>ctz<u64>(left)));
      to += 2;
      left &= left - 1;
    }
  }
}

@inline function moveMark(from: usize, to: usize): void {
  const mark = load<u8>(from, marksAt);
  store<u8>(from, 0, marksAt);
  store<u8>(to, mark, marksAt);
}

/** One bit for each of sixteen marks. */
@inline function marked(at: usize): u64 {
  return <u64><u32>i8x16.bitmask(i8x16.neg(v128.load(at)));
}
