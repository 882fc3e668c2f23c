/**
 * The Parquet encoder's inner loops for WebAssembly (AssemblyScript, 128-bit vectors): numbers the distinct values of a
 * column in the order of their first rows, packs those numbers, and finds the range of doubles. The readable code
 * (`column-numbers.ts`, `parquet-values.ts`) does the same; the tests hold both to the same files. Work is bounded by
 * the rows whatever the values are: when values crowd in the table, as they do when somebody made them for that, the
 * column gets no dictionary. Nothing here allocates.
 */

// parquet-memory.ts: addresses of the parts, and what is told beside a result.
const codesAt: usize = 0;
const firstRowsAt: usize = 4;
const slotsAt: usize = 8;
const valuesAt: usize = 12;
const runsAt: usize = 16;
const numbersAt: usize = 20;
const rangeAt: usize = 24;

// column-numbers.ts
const sampleRows: u32 = 2048;
const sampleDistinctMax: u32 = 1966;

/** Steps to a further slot of the table, per row, above which the values crowd. A random column needs less than one. */
const stepsPerRowMax: i32 = 8;
const free: i32 = -1;

const c0: u32 = 0x9e3779b1;
const c1: u32 = 0x85ebca6b;
const k0: u64 = 0xc2b2ae3d27d4eb4f;
const k1: u64 = 0x9e3779b185ebca87;

@inline function mix(product: u32): u32 { return product ^ (product >>> 15); }
@inline function hashWord(key: u32): u32 { return mix(key * c0); }
@inline function hashPair(key: u64): u32 { return mix(((<u32>key * c0) ^ <u32>(key >>> 32)) * c1); }

@inline function hashHalves(low: u64, high: u64): u32 { return <u32>((((low * k0) ^ high) * k1) >>> 32); }

/** Of the value with a number, by the bytes that a value takes: 4, 8 or 16. */
@inline function hashValue(values: usize, code: u32, shift: u32): u32 {
  const at = values + (<usize>code << shift);
  if (shift === 2) return hashWord(load<u32>(at));
  return shift === 3 ? hashPair(load<u64>(at)) : hashHalves(load<u64>(at), load<u64>(at, 8));
}

function clearSlots(slots: usize, count: u32): void {
  const none = i32x4.splat(free);
  for (const end = slots + (<usize>count << 2); slots < end; slots += 16) v128.store(slots, none);
}

/** Twice as many slots. @returns their mask */
function grow(slots: usize, mask: u32, values: usize, distinct: u32, shift: u32): u32 {
  const larger = (mask << 1) | 1;
  clearSlots(slots, larger + 1);
  for (let code: u32 = 0; code < distinct; code++) {
    let slot = hashValue(values, code, shift) & larger;
    while (load<i32>(slots + (<usize>slot << 2)) !== free) slot = (slot + 1) & larger;
    store<u32>(slots + (<usize>slot << 2), code);
  }
  return larger;
}

/** Is there to be one value more? Else a dictionary would not pay. */
@inline function mayAdd(row: u32, distinct: u32, distinctMax: u32): bool {
  return distinct < distinctMax && (row >= sampleRows || distinct < sampleDistinctMax);
}

/** @template K  u32 or u64 */
@inline function numberKeys<K>(keys: usize, rows: u32, distinctMax: u32, firstSlots: u32): u32 {
  const shift: u32 = alignof<K>();
  const codes = load<usize>(codesAt);
  const firstRows = load<usize>(firstRowsAt);
  const slots = load<usize>(slotsAt);
  const values = load<usize>(valuesAt);
  clearSlots(slots, firstSlots);
  let mask = firstSlots - 1;
  let stepsLeft = <i32>rows * stepsPerRowMax;
  let distinct: u32 = 0;
  let runs: u32 = 0;
  let last: K = 0;
  let code = free;
  for (let row: u32 = 0; row < rows; row++) {
    const key = load<K>(keys + (<usize>row << shift));
    if (key !== last || code < 0) {
      last = key;
      runs++;
      let slot = (sizeof<K>() === 4 ? hashWord(<u32>key) : hashPair(<u64>key)) & mask;
      for (;;) {
        code = load<i32>(slots + (<usize>slot << 2));
        if (code < 0 || load<K>(values + (<usize>code << shift)) === key) break;
        slot = (slot + 1) & mask;
        if (--stepsLeft < 0) return 0;
      }
      if (code < 0) {
        if (!mayAdd(row, distinct, distinctMax)) return 0;
        code = distinct++;
        store<K>(values + (<usize>code << shift), key);
        store<u32>(firstRows + (<usize>code << 2), row);
        store<i32>(slots + (<usize>slot << 2), code);
        if (distinct << 1 > mask) mask = grow(slots, mask, values, distinct, shift);
      }
    }
    store<i32>(codes + (<usize>row << 2), code);
  }
  store<u32>(runsAt, runs);
  return distinct;
}

/**
 * Numbers values of one word.
 *
 * @param firstSlots  of the table, which doubles when it is half full: a power of two. A column of few values stays in
 *                    the nearest cache
 * @returns           distinct values, 0: no dictionary
 */
export function numberWords(keys: usize, rows: u32, distinctMax: u32, firstSlots: u32): u32 {
  return numberKeys<u32>(keys, rows, distinctMax, firstSlots);
}

/** The same for values of two words. */
export function numberPairs(keys: usize, rows: u32, distinctMax: u32, firstSlots: u32): u32 {
  return numberKeys<u64>(keys, rows, distinctMax, firstSlots);
}

/**
 * The same for addresses. That of zeros is no value at all but in a row of IPv6.
 *
 * @param versions  a byte a row
 */
export function numberAddresses(keys: usize, versions: usize, rows: u32, distinctMax: u32, firstSlots: u32): u32 {
  const codes = load<usize>(codesAt);
  const firstRows = load<usize>(firstRowsAt);
  const slots = load<usize>(slotsAt);
  const values = load<usize>(valuesAt);
  clearSlots(slots, firstSlots);
  let mask = firstSlots - 1;
  let stepsLeft = <i32>rows * stepsPerRowMax;
  let distinct: u32 = 0;
  let runs: u32 = 0;
  let last = free;
  let lastLow: u64 = 0;
  let lastHigh: u64 = 0;
  let absent = free;
  for (let row: u32 = 0; row < rows; row++) {
    const key = keys + (<usize>row << 4);
    const low = load<u64>(key);
    const high = load<u64>(key, 8);
    if (low === 0 && high === 0 && load<u8>(versions + row) !== 6) {
      if (absent < 0) {
        if (!mayAdd(row, distinct, distinctMax)) return 0;
        absent = distinct++;
        // The slots do not know it: what lies here is never compared, and moves to no slot that anybody finds.
        v128.store(values + (<usize>absent << 4), v128.load(key));
        store<u32>(firstRows + (<usize>absent << 2), row);
      }
      runs += <u32>(last !== absent);
      last = absent;
    } else if (high !== lastHigh || low !== lastLow || last < 0 || last === absent) {
      let slot = hashHalves(low, high) & mask;
      let code: i32;
      for (;;) {
        code = load<i32>(slots + (<usize>slot << 2));
        if (code < 0) break;
        const value = values + (<usize>code << 4);
        if (load<u64>(value, 8) === high && load<u64>(value) === low && code !== absent) break;
        slot = (slot + 1) & mask;
        if (--stepsLeft < 0) return 0;
      }
      if (code < 0) {
        if (!mayAdd(row, distinct, distinctMax)) return 0;
        code = distinct++;
        store<u64>(values + (<usize>code << 4), low);
        store<u64>(values + (<usize>code << 4), high, 8);
        store<u32>(firstRows + (<usize>code << 2), row);
        store<i32>(slots + (<usize>slot << 2), code);
        if (distinct << 1 > mask) mask = grow(slots, mask, values, distinct, 4);
      }
      runs += <u32>(code !== last);
      last = code;
      lastLow = low;
      lastHigh = high;
    }
    store<i32>(codes + (<usize>row << 2), last);
  }
  store<u32>(runsAt, runs);
  return distinct;
}

/**
 * Numbers values of up to 16 bits, by a table of all of them that every call leaves as it found it: to empty 128 KiB
 * would cost more than to take back what was put there.
 *
 * @template K  u8 or u16
 */
@inline function numberSmall<K>(keys: usize, rows: u32, distinctMax: u32): u32 {
  const shift: usize = alignof<K>();
  const codes = load<usize>(codesAt);
  const firstRows = load<usize>(firstRowsAt);
  const numbers = load<usize>(numbersAt);
  let distinct: u32 = 0;
  let runs: u32 = 0;
  let last: u32 = 0;
  let isUseful = true;
  for (let row: u32 = 0; row < rows; row++) {
    const number = numbers + (<usize>load<K>(keys + (<usize>row << shift)) << 1);
    // 0 is free.
    let next = <u32>load<u16>(number);
    if (next === 0) {
      if (!mayAdd(row, distinct, distinctMax)) {
        isUseful = false;
        break;
      }
      store<u32>(firstRows + (<usize>distinct << 2), row);
      next = ++distinct;
      store<u16>(number, next);
    }
    runs += <u32>(next !== last);
    last = next;
    store<u32>(codes + (<usize>row << 2), next - 1);
  }
  for (let code: u32 = 0; code < distinct; code++) {
    const row = load<u32>(firstRows + (<usize>code << 2));
    store<u16>(numbers + (<usize>load<K>(keys + (<usize>row << shift)) << 1), 0);
  }
  store<u32>(runsAt, runs);
  return isUseful ? distinct : 0;
}

/** The same for values of 8 bits. */
export function numberBytes(keys: usize, rows: u32, distinctMax: u32): u32 {
  return numberSmall<u8>(keys, rows, distinctMax);
}

/** The same for values of 16 bits. @param distinctMax  65,535 at most */
export function numberShorts(keys: usize, rows: u32, distinctMax: u32): u32 {
  return numberSmall<u16>(keys, rows, distinctMax);
}

/**
 * Packs the codes where they lie, the lowest bits first. @param count  a multiple of 8 @param bits  1..24
 *
 * @returns bytes
 */
export function packCodes(count: u32, bits: u32): u32 {
  const codes = load<usize>(codesAt);
  const end = codes + (<usize>count << 2);
  let from = codes;
  let out = codes;
  if (bits === 8) {
    for (; from + 64 <= end; from += 64, out += 16) {
      const low = i16x8.narrow_i32x4_u(v128.load(from), v128.load(from, 16));
      v128.store(out, i8x16.narrow_i16x8_u(low, i16x8.narrow_i32x4_u(v128.load(from, 32), v128.load(from, 48))));
    }
    for (; from < end; from += 4, out++) store<u8>(out, load<u32>(from));
    return <u32>(out - codes);
  }
  if (bits === 16) {
    for (; from < end; from += 32, out += 16) {
      v128.store(out, i16x8.narrow_i32x4_u(v128.load(from), v128.load(from, 16)));
    }
    return <u32>(out - codes);
  }
  let held: u64 = 0;
  let heldBits: u32 = 0;
  for (; from < end; from += 4) {
    held |= <u64>load<u32>(from) << heldBits;
    heldBits += bits;
    if (heldBits >= 32) {
      store<u32>(out, <u32>held);
      out += 4;
      held >>= 32;
      heldBits -= 32;
    }
  }
  for (; heldBits > 0; heldBits -= 8, held >>= 8, out++) store<u8>(out, <u8>held);
  return <u32>(out - codes);
}

/** Smallest and largest of doubles, to `rangeAt`; what is no number is neither. */
export function findRange(values: usize, count: u32): void {
  let min = Infinity;
  let max = -Infinity;
  let mins = f64x2.splat(Infinity);
  let maxs = f64x2.splat(-Infinity);
  const end = values + (<usize>count << 3);
  for (; values + 16 <= end; values += 16) {
    const both = v128.load(values);
    mins = f64x2.pmin(mins, both);
    maxs = f64x2.pmax(maxs, both);
  }
  if (values < end) {
    min = load<f64>(values) < min ? load<f64>(values) : min;
    max = load<f64>(values) > max ? load<f64>(values) : max;
  }
  for (let i: u32 = 0; i < 2; i++) {
    const low = i === 0 ? f64x2.extract_lane(mins, 0) : f64x2.extract_lane(mins, 1);
    const high = i === 0 ? f64x2.extract_lane(maxs, 0) : f64x2.extract_lane(maxs, 1);
    min = low < min ? low : min;
    max = high > max ? high : max;
  }
  store<f64>(rangeAt, min);
  store<f64>(rangeAt, max, 8);
}
