/**
 * Kernels that write the values of Parquet pages: PLAIN values of chosen rows, and dictionary codes in the hybrid of
 * runs and packed bits (Encodings.md of the Parquet format). Each writes from `out.at` on and moves it.
 * Words are written through typed arrays, so in the machine's order: little-endian, as Parquet is and Node's builds
 * are.
 */
import { mappedWord } from '#base';
import type { ParquetMemory } from './parquet-memory.ts';
import { putAddress, putMac } from './text-bytes.ts';
import { putVarint, type GrowingBytes } from './parquet-thrift.ts';

/** Bytes of the length before a text. */
const lengthBytes = 4;
/** A text address takes no more than this with its length. */
const addressBytesMax = 48 + lengthBytes;
const macBytes = 17;
const two32 = 2 ** 32;

/** INT32: chosen rows of a column of small integers. @param out  at a multiple of 4 */
export function putInt32s(
  values: Uint8Array | Uint16Array | Uint32Array, rows: Int32Array, count: number, out: GrowingBytes,
): void {
  out.reserve(count * 4);
  const words = new Int32Array(out.bytes.buffer, out.at, count);
  for (let i = 0; i < count; i++) words[i] = values[rows[i]!]!;
  out.at += count * 4;
}

/** DOUBLE: chosen rows. @param out  at a multiple of 8 */
export function putDoubles(values: Float64Array, rows: Int32Array, count: number, out: GrowingBytes): void {
  out.reserve(count * 8);
  const doubles = new Float64Array(out.bytes.buffer, out.at, count);
  for (let i = 0; i < count; i++) doubles[i] = values[rows[i]!]!;
  out.at += count * 8;
}

/** The largest counter in a file. Exporters may claim more, but a double does not count further one by one. */
export const counterMax = Number.MAX_SAFE_INTEGER;

/**
 * INT64 of whole numbers that stand as doubles: chosen rows. Larger ones than `counterMax` become that.
 *
 * @param out  at a multiple of 4
 * @returns    false when a number is not whole, or none; what was written is worth nothing then
 */
export function putInt64s(values: Float64Array, rows: Int32Array, count: number, out: GrowingBytes): boolean {
  out.reserve(count * 8);
  const words = new Int32Array(out.bytes.buffer, out.at, count * 2);
  let isSound = true;
  for (let i = 0; i < count; i++) {
    const claimed = values[rows[i]!]!;
    const value = claimed > counterMax && claimed < Infinity ? counterMax : claimed;
    const low = value | 0;
    // Most counters fit in 31 bits and need no division.
    if (low === value) {
      words[i * 2] = low;
      words[i * 2 + 1] = low >> 31;
    } else {
      isSound = isSound && Number.isSafeInteger(value);
      const high = Math.floor(value / two32);
      words[i * 2] = value - high * two32;
      words[i * 2 + 1] = high;
    }
  }
  out.at += count * 8;
  return isSound;
}

/** Texts of the octets with the dot behind them, as little-endian words, and their lengths with the dot. */
const octetTexts = Uint32Array.from({ length: 256 }, (_, octet) =>
  [...`${octet}.`].reduce((word, character, i) => word + character.charCodeAt(0) * 256 ** i, 0));
const octetLengths = Uint8Array.from({ length: 256 }, (_, octet) => `${octet}.`.length);

/** Addresses as texts; four zero words are the empty text, but in a row of IPv6. */
export function putAddresses(
  words: Uint32Array, ipVersions: Uint8Array, rows: Int32Array, count: number, out: GrowingBytes,
): void {
  out.reserve(count * addressBytesMax);
  const { bytes } = out;
  const view = new DataView(bytes.buffer);
  let { at } = out;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    const from = row * 4;
    const last = words[from + 3]!;
    let end = at + lengthBytes;
    if (words[from + 2] === mappedWord && words[from + 1] === 0 && words[from] === 0) {
      // Whole words, of which the next one overwrites what is too much: half of the time that single bytes took.
      view.setUint32(end, octetTexts[last >>> 24]!, true);
      end += octetLengths[last >>> 24]!;
      view.setUint32(end, octetTexts[(last >>> 16) & 255]!, true);
      end += octetLengths[(last >>> 16) & 255]!;
      view.setUint32(end, octetTexts[(last >>> 8) & 255]!, true);
      end += octetLengths[(last >>> 8) & 255]!;
      view.setUint32(end, octetTexts[last & 255]!, true);
      end += octetLengths[last & 255]! - 1;
    } else if ((words[from]! | words[from + 1]! | words[from + 2]! | last) !== 0 || ipVersions[row] === 6) {
      end = putAddress(bytes, end, words, from);
    }
    view.setUint32(at, end - at - lengthBytes, true);
    at = end;
  }
  out.at = at;
}

/** MAC addresses as texts; two zero words are the empty text. */
export function putMacs(words: Uint32Array, rows: Int32Array, count: number, out: GrowingBytes): void {
  out.reserve(count * (macBytes + lengthBytes));
  const { bytes } = out;
  const view = new DataView(bytes.buffer);
  let { at } = out;
  for (let i = 0; i < count; i++) {
    const from = rows[i]! * 2;
    const isAbsent = (words[from]! | words[from + 1]!) === 0;
    const end = isAbsent ? at + lengthBytes : putMac(bytes, at + lengthBytes, words, from);
    view.setUint32(at, end - at - lengthBytes, true);
    at = end;
  }
  out.at = at;
}

const textEncoder = new TextEncoder();

/** A text of any length, as UTF-8. */
export function putText(text: string, out: GrowingBytes): void {
  out.reserve(lengthBytes + text.length * 3);
  const { written } = textEncoder.encodeInto(text, out.bytes.subarray(out.at + lengthBytes));
  new DataView(out.bytes.buffer).setUint32(out.at, written, true);
  out.at += lengthBytes + written;
}

/** Codes of more bits than this are filled up to one or two bytes: that takes a tenth of the time. */
const exactBitsMax = 4;
const wholeBitsMax = 16;

/** Bits that codes 0..count-1 take here. One at least: some readers do not take none. */
export function codeBits(count: number): number {
  const bits = Math.max(1, 32 - Math.clz32(count - 1));
  return bits <= exactBitsMax || bits > wholeBitsMax ? bits : bits <= 8 ? 8 : 16;
}

/** Codes of a data page: their width, then either runs or one stretch of packed bits, whichever is shorter. */
export function putCodes(memory: ParquetMemory, count: number, distinct: number, out: GrowingBytes): void {
  const { codes, runs, kernel } = memory;
  const bits = codeBits(distinct);
  const valueBytes = (bits + 7) >> 3;
  const groups = (count + 7) >> 3;
  // The header of a run of 64 values or more takes two bytes, of 8,192 or more three: there are not many of those.
  const longRunBytes = (count >> 6) + (count >> 13) + 1;
  const runsMax = Math.floor((groups * bits - longRunBytes) / (1 + valueBytes));
  out.reserve(1 + groups * bits + 8);
  out.bytes[out.at++] = bits;
  if (runs <= runsMax) return putRuns(codes, count, valueBytes, out);
  out.at = putVarint(out.bytes, out.at, groups * 2 + 1);
  if (kernel === undefined) {
    out.at = packBits(codes, count, bits, out.bytes, out.at);
    return;
  }
  // What fills the last group up is zero.
  codes.fill(0, count, groups * 8);
  out.append(new Uint8Array(codes.buffer, codes.byteOffset, kernel.packCodes(groups * 8, bits)));
}

/** One code for all rows. */
export function putSingleCode(count: number, out: GrowingBytes): void {
  out.reserve(8);
  out.bytes[out.at++] = 1;
  out.at = putVarint(out.bytes, out.at, count * 2);
  out.bytes[out.at++] = 0;
}

function putRuns(codes: Int32Array, count: number, valueBytes: number, out: GrowingBytes): void {
  const { bytes } = out;
  let { at } = out;
  for (let begin = 0; begin < count;) {
    const code = codes[begin]!;
    let end = begin + 1;
    while (end < count && codes[end] === code) end++;
    at = putVarint(bytes, at, (end - begin) * 2);
    for (let i = 0; i < valueBytes; i++) bytes[at++] = code >>> (8 * i);
    begin = end;
  }
  out.at = at;
}

/** Codes with the lowest bits first, filled up with zeros to a multiple of 8 codes. @param bits  1..24 */
function packBits(codes: Int32Array, count: number, bits: number, out: Uint8Array, from: number): number {
  const view = new DataView(out.buffer);
  const end = from + ((count + 7) >> 3) * bits;
  let at = from;
  let held = 0;
  let heldBits = 0;
  for (let i = 0; i < count; i++) {
    const code = codes[i]!;
    held |= code << heldBits;
    heldBits += bits;
    if (heldBits >= 32) {
      view.setInt32(at, held, true);
      at += 4;
      heldBits -= 32;
      held = code >> (bits - heldBits);
    }
  }
  for (; at < end; held >>= 8) out[at++] = held;
  return end;
}
