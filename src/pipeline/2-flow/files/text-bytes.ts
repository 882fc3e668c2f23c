/**
 * Numbers and addresses as ASCII, written straight into a byte buffer: the kernel under the CSV and JSON-lines writers.
 * Every function writes at `at` and returns the index after its last byte; the caller has made sure that there is room
 * (`cellBytesMax`). No strings are made on the usual paths: rows built from strings came out
 * 7 times slower.
 */
import { mappedWord } from '#base';

/** No cell of a number, an address or a MAC takes more bytes than this. */
export const cellBytesMax = 48;

const zero = 48;
const dot = 46;
const colon = 58;

/** The three digits of 0..999, with leading zeros. */
const threeDigits = Uint8Array.from({ length: 3_000 }, (_, i) => {
  const value = Math.floor(i / 3);
  return zero + [Math.floor(value / 100), Math.floor(value / 10) % 10, value % 10][i % 3]!;
});
const hexDigits = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** Slow path: the bytes of any ASCII text. */
export function putAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** 0..999 without leading zeros. */
function putBelow1000(out: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    out[at] = zero + value;
    return at + 1;
  }
  const from = value * 3;
  if (value < 100) {
    out[at] = threeDigits[from + 1]!;
    out[at + 1] = threeDigits[from + 2]!;
    return at + 2;
  }
  return putThree(out, at, value);
}

function putThree(out: Uint8Array, at: number, value: number): number {
  const from = value * 3;
  out[at] = threeDigits[from]!;
  out[at + 1] = threeDigits[from + 1]!;
  out[at + 2] = threeDigits[from + 2]!;
  return at + 3;
}

/** Decimal digits. @param value integer, 0..2^53 - 1 */
export function putUint(out: Uint8Array, at: number, value: number): number {
  if (value < 1_000) return putBelow1000(out, at, value);
  if (value < 1_000_000) {
    const high = (value / 1_000) | 0;
    return putThree(out, putBelow1000(out, at, high), value - high * 1_000);
  }
  if (value < 1_000_000_000) {
    const high = (value / 1_000_000) | 0;
    return putSix(out, putBelow1000(out, at, high), value - high * 1_000_000);
  }
  const high = Math.floor(value / 1_000_000_000);
  const low = value - high * 1_000_000_000;
  const middle = (low / 1_000_000) | 0;
  return putSix(out, putThree(out, putUint(out, at, high), middle), low - middle * 1_000_000);
}

function putSix(out: Uint8Array, at: number, value: number): number {
  const high = (value / 1_000) | 0;
  return putThree(out, putThree(out, at, high), value - high * 1_000);
}

/**
 * A counter: digits, or for anything but a safe non-negative integer the shortest text that reads back as the same
 * bits.
 */
export function putCounter(out: Uint8Array, at: number, value: number): number {
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value) return putUint(out, at, value);
  return putAscii(out, at, String(value));
}

/** Up to here (the year 2096) a time in milliseconds keeps its microseconds in a double and in this writer. */
const timeMsMax = 4e12;

/** A time: milliseconds, with one to three decimals when it has microseconds; finer fractions are rounded. */
export function putTime(out: Uint8Array, at: number, timeMs: number): number {
  if (!(timeMs >= 0 && timeMs <= timeMsMax)) return putAscii(out, at, String(timeMs));
  const microseconds = Math.round(timeMs * 1_000);
  const whole = Math.floor(microseconds / 1_000);
  const end = putUint(out, at, whole);
  const fraction = microseconds - whole * 1_000;
  if (fraction === 0) return end;
  out[end] = dot;
  putThree(out, end + 1, fraction);
  if (fraction % 10 !== 0) return end + 4;
  return fraction % 100 !== 0 ? end + 3 : end + 2;
}

/** Text of the address of four words at `from`: dotted quad or RFC 5952. */
export function putAddress(out: Uint8Array, at: number, words: Uint32Array, from: number): number {
  const last = words[from + 3]!;
  if (words[from] === 0 && words[from + 1] === 0 && words[from + 2] === mappedWord) {
    let end = putBelow1000(out, at, last >>> 24);
    out[end] = dot;
    end = putBelow1000(out, end + 1, (last >>> 16) & 255);
    out[end] = dot;
    end = putBelow1000(out, end + 1, (last >>> 8) & 255);
    out[end] = dot;
    return putBelow1000(out, end + 1, last & 255);
  }
  return putIPv6(out, at, words, from);
}

/** RFC 5952 §4: lower case, no leading zeros, the first of the longest runs of two or more zero groups as `::`. */
function putIPv6(out: Uint8Array, at: number, words: Uint32Array, from: number): number {
  let runBegin = -1;
  let runLength = 1;
  for (let group = 0, begin = 0; group < 8; group++) {
    if (groupOf(words, from, group) !== 0) begin = group + 1;
    else if (group + 1 - begin > runLength) {
      runBegin = begin;
      runLength = group + 1 - begin;
    }
  }
  for (let group = 0; group < 8; group++) {
    if (group === runBegin) {
      out[at++] = colon;
      out[at++] = colon;
      group += runLength - 1;
      continue;
    }
    if (group !== 0 && !(runBegin >= 0 && group === runBegin + runLength)) out[at++] = colon;
    at = putHexGroup(out, at, groupOf(words, from, group));
  }
  return at;
}

function groupOf(words: Uint32Array, from: number, group: number): number {
  const word = words[from + (group >> 1)]!;
  return (group & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function putHexGroup(out: Uint8Array, at: number, group: number): number {
  if (group >= 0x1000) out[at++] = hexDigits[group >>> 12]!;
  if (group >= 0x100) out[at++] = hexDigits[(group >>> 8) & 15]!;
  if (group >= 0x10) out[at++] = hexDigits[(group >>> 4) & 15]!;
  out[at] = hexDigits[group & 15]!;
  return at + 1;
}

/** `aa:bb:cc:dd:ee:ff` of the two words at `from`. */
export function putMac(out: Uint8Array, at: number, words: Uint32Array, from: number): number {
  const high = words[from]!;
  const low = words[from + 1]!;
  let end = putHexByte(out, at, (high >>> 8) & 255);
  out[end] = colon;
  end = putHexByte(out, end + 1, high & 255);
  out[end] = colon;
  end = putHexByte(out, end + 1, low >>> 24);
  out[end] = colon;
  end = putHexByte(out, end + 1, (low >>> 16) & 255);
  out[end] = colon;
  end = putHexByte(out, end + 1, (low >>> 8) & 255);
  out[end] = colon;
  return putHexByte(out, end + 1, low & 255);
}

function putHexByte(out: Uint8Array, at: number, byte: number): number {
  out[at] = hexDigits[byte >>> 4]!;
  out[at + 1] = hexDigits[byte & 15]!;
  return at + 2;
}

/** Copies a text. From some 12 bytes on `set` is faster than a loop (JSON lines: by a fifth), below it is not. */
export function putBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (length > 12) {
    out.set(bytes, at);
    return at + length;
  }
  for (let i = 0; i < length; i++) out[at + i] = bytes[i]!;
  return at + length;
}
