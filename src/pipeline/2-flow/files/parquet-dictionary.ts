/**
 * Kernels that number the distinct values of a column in the order of their first rows, which is what a Parquet
 * dictionary needs: `codes` gets the number of every row's value, `firstRows` the row that each number stands for.
 * Each gives up (returns 0) as soon as a dictionary would not pay, or when the values crowd in the table, as they do
 * when somebody made them for that: work is bounded by the rows whatever the values are.
 */
import { assertInvariant } from '#base';

/** After so many rows it is decided whether values come again at all. */
const sampleRows = 2_048;
/** Distinct values of the sample above which the whole column is not worth trying. */
const sampleDistinctMax = 1_966;
/** Steps to a further slot of the table, per row, above which the values crowd. A random column needs about one. */
const stepsPerRowMax = 8;
/** Rows that a group may have: codes take 20 bits then. */
export const groupRowsMax = 1 << 20;

const c0 = 0x9e3779b1 | 0;
const c1 = 0x85ebca6b | 0;
const c2 = 0xc2b2ae35 | 0;
const c3 = 0x27d4eb2f | 0;
const free = -1;

/** Memory that the kernels share: they run one after the other. */
export class DictionaryMemory {
  /** [rows] number of each row's value. */
  readonly codes: Int32Array;
  /** [distinct values] the first row that has the value. */
  readonly firstRows: Int32Array;
  /** Numbers by hash, `free` where there is none; a power of two, at most half full. */
  readonly slots: Int32Array;
  /** Numbers by value, for columns of up to 16 bits. */
  readonly numbers: Int32Array;
  /**
   * Addresses by number. Looking them up in the column, at their first rows, took up to twice the time while other
   * programs used the processor's cache.
   */
  readonly addresses: Uint32Array;

  constructor(rowsMax: number) {
    assertInvariant(rowsMax > 0 && rowsMax <= groupRowsMax, 'a row group has 1 to 1,048,576 rows');
    this.codes = new Int32Array(rowsMax);
    this.firstRows = new Int32Array(rowsMax);
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(rowsMax * 2)));
    this.numbers = new Int32Array(1 << 16);
    this.addresses = new Uint32Array(rowsMax * 4);
  }
}

/**
 * Numbers small values, by a table of all of them.
 *
 * @param values       [rows] 0..65535; read only
 * @param distinctMax  more distinct values than this are no dictionary
 * @returns            distinct values, 0: no dictionary
 */
export function numberSmall(values: Int32Array, rows: number, memory: DictionaryMemory, distinctMax: number): number {
  const { codes, firstRows, numbers } = memory;
  numbers.fill(free);
  let distinct = 0;
  for (let row = 0; row < rows; row++) {
    const value = values[row]!;
    let code = numbers[value]!;
    if (code === free) {
      if (distinct === distinctMax || (row < sampleRows && distinct >= sampleDistinctMax)) return 0;
      code = distinct++;
      numbers[value] = code;
      firstRows[code] = row;
    }
    codes[row] = code;
  }
  return distinct;
}

/** The same for values of one word. @param keys  [rows] */
export function numberWords(keys: Uint32Array, rows: number, memory: DictionaryMemory, distinctMax: number): number {
  const { codes, firstRows, slots } = memory;
  const mask = clearSlots(slots, rows, distinctMax);
  let stepsLeft = rows * stepsPerRowMax;
  let distinct = 0;
  for (let row = 0; row < rows; row++) {
    const key = keys[row]!;
    const hash = Math.imul(key, c0);
    let slot = (hash ^ (hash >>> 15)) & mask;
    let code = slots[slot]!;
    while (code !== free && keys[firstRows[code]!] !== key) {
      slot = (slot + 1) & mask;
      code = slots[slot]!;
      if (--stepsLeft < 0) return 0;
    }
    if (code === free) {
      if (distinct === distinctMax || (row < sampleRows && distinct >= sampleDistinctMax)) return 0;
      code = distinct++;
      slots[slot] = code;
      firstRows[code] = row;
    }
    codes[row] = code;
  }
  return distinct;
}

/** The same for values of two words: MAC addresses, and the bits of doubles. @param keys  [2 × rows] */
export function numberPairs(keys: Uint32Array, rows: number, memory: DictionaryMemory, distinctMax: number): number {
  const { codes, firstRows, slots } = memory;
  const mask = clearSlots(slots, rows, distinctMax);
  let stepsLeft = rows * stepsPerRowMax;
  let distinct = 0;
  for (let row = 0; row < rows; row++) {
    const w0 = keys[row * 2]!;
    const w1 = keys[row * 2 + 1]!;
    const hash = Math.imul(Math.imul(w0, c0) ^ w1, c1);
    let slot = (hash ^ (hash >>> 15)) & mask;
    let code = slots[slot]!;
    while (code !== free) {
      const at = firstRows[code]! * 2;
      if (keys[at] === w0 && keys[at + 1] === w1) break;
      slot = (slot + 1) & mask;
      code = slots[slot]!;
      if (--stepsLeft < 0) return 0;
    }
    if (code === free) {
      if (distinct === distinctMax || (row < sampleRows && distinct >= sampleDistinctMax)) return 0;
      code = distinct++;
      slots[slot] = code;
      firstRows[code] = row;
    }
    codes[row] = code;
  }
  return distinct;
}

/**
 * The same for addresses. The address of zeros is no value at all but in a row of IPv6, where it is `::`.
 *
 * @param keys        [4 × rows]
 * @param ipVersions  [rows]
 */
export function numberAddresses(
  keys: Uint32Array, ipVersions: Uint8Array, rows: number, memory: DictionaryMemory, distinctMax: number,
): number {
  const { codes, firstRows, slots, addresses } = memory;
  const mask = clearSlots(slots, rows, distinctMax);
  let stepsLeft = rows * stepsPerRowMax;
  let distinct = 0;
  for (let row = 0; row < rows; row++) {
    const w0 = keys[row * 4]!;
    const w1 = keys[row * 4 + 1]!;
    const w2 = keys[row * 4 + 2]!;
    const w3 = keys[row * 4 + 3]!;
    const isZero = (w0 | w1 | w2 | w3) === 0;
    const isAbsent = isZero && ipVersions[row] !== 6;
    const hash = Math.imul(Math.imul(w0, c2) ^ Math.imul(w1, c3) ^ w2, c1) ^ Math.imul(w3, c0);
    let slot = (hash ^ (hash >>> 15)) & mask;
    let code = slots[slot]!;
    while (code !== free) {
      const at = code * 4;
      if (addresses[at + 3] === w3 && addresses[at + 2] === w2 && addresses[at + 1] === w1 && addresses[at] === w0) {
        if (!isZero || (ipVersions[firstRows[code]!] !== 6) === isAbsent) break;
      }
      slot = (slot + 1) & mask;
      code = slots[slot]!;
      if (--stepsLeft < 0) return 0;
    }
    if (code === free) {
      if (distinct === distinctMax || (row < sampleRows && distinct >= sampleDistinctMax)) return 0;
      code = distinct++;
      slots[slot] = code;
      firstRows[code] = row;
      addresses[code * 4] = w0;
      addresses[code * 4 + 1] = w1;
      addresses[code * 4 + 2] = w2;
      addresses[code * 4 + 3] = w3;
    }
    codes[row] = code;
  }
  return distinct;
}

/** Empties as many slots as are needed. @returns their mask */
function clearSlots(slots: Int32Array, rows: number, distinctMax: number): number {
  let size = 16;
  while (size < Math.min(rows, distinctMax) * 2) size *= 2;
  slots.fill(free, 0, size);
  return size - 1;
}
