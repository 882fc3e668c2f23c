/**
 * Kernels that read one field of many records into a column, and readers of single values. A field lies at
 * `at + record × stride`, big-endian (RFC 7011 §6.1), integers possibly shortened (§6.2). No allocation in the loops.
 */
import { read16, read32 } from './message-header.ts';

/** Unsigned integer of any length; of more than 8 bytes the last 8 count. Above 2^53 the nearest double. */
export function readUnsigned(bytes: Uint8Array, at: number, lengthBytes: number): number {
  if (lengthBytes === 4) return read32(bytes, at);
  if (lengthBytes === 2) return read16(bytes, at);
  if (lengthBytes === 1) return bytes[at] as number;
  if (lengthBytes === 8) return read32(bytes, at) * 0x1_0000_0000 + read32(bytes, at + 4);
  let value = 0;
  for (let i = Math.max(0, lengthBytes - 8); i < lengthBytes; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

/** float64 or float32 (RFC 7011 §6.1.3, §6.2); 0 for other lengths. */
export function readFloat(bytes: Uint8Array, at: number, lengthBytes: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, lengthBytes);
  if (lengthBytes === 8) return view.getFloat64(0);
  return lengthBytes === 4 ? view.getFloat32(0) : 0;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Text up to the zero bytes that fill a field of fixed length; bytes that are no UTF-8 become U+FFFD. */
export function readText(bytes: Uint8Array, at: number, lengthBytes: number): string {
  let end = at + lengthBytes;
  while (end > at && bytes[end - 1] === 0) end--;
  return utf8.decode(bytes.subarray(at, end));
}

/** Where the values of a column's run lie and go. One object is filled again and again. */
export type Run = { bytes: Uint8Array; at: number; lengthBytes: number; stride: number; count: number; row: number };

export function readRun8(run: Run, out: Uint8Array): void {
  const { bytes, stride, count, row } = run;
  let at = run.at + run.lengthBytes - 1;
  for (let i = 0; i < count; i++, at += stride) out[row + i] = bytes[at] as number;
}

export function readRun16(run: Run, out: Uint16Array): void {
  const { bytes, lengthBytes, stride, count, row } = run;
  let at = run.at;
  if (lengthBytes === 2) for (let i = 0; i < count; i++, at += stride) out[row + i] = read16(bytes, at);
  else for (let i = 0; i < count; i++, at += stride) out[row + i] = readUnsigned(bytes, at, lengthBytes);
}

export function readRun32(run: Run, out: Uint32Array): void {
  const { bytes, lengthBytes, stride, count, row } = run;
  let at = run.at;
  if (lengthBytes === 4) for (let i = 0; i < count; i++, at += stride) out[row + i] = read32(bytes, at);
  else for (let i = 0; i < count; i++, at += stride) out[row + i] = readUnsigned(bytes, at, lengthBytes);
}

/** @param scale  what one unit is in units of the column */
export function readRunDouble(run: Run, out: Float64Array, scale: number): void {
  const { bytes, lengthBytes, stride, count, row } = run;
  let at = run.at;
  if (lengthBytes === 4) for (let i = 0; i < count; i++, at += stride) out[row + i] = read32(bytes, at) * scale;
  else if (lengthBytes === 8) {
    for (let i = 0; i < count; i++, at += stride) {
      out[row + i] = (read32(bytes, at) * 0x1_0000_0000 + read32(bytes, at + 4)) * scale;
    }
  } else for (let i = 0; i < count; i++, at += stride) out[row + i] = readUnsigned(bytes, at, lengthBytes) * scale;
}

/** IPv4 addresses as mapped ones. @param out  four words a row */
export function readRunIPv4(run: Run, out: Uint32Array): void {
  const { bytes, stride, count } = run;
  let at = run.at;
  let to = run.row * 4;
  for (let i = 0; i < count; i++, at += stride, to += 4) {
    out[to] = 0;
    out[to + 1] = 0;
    out[to + 2] = 0xffff;
    out[to + 3] = read32(bytes, at);
  }
}

/** @param out  four words a row */
export function readRunIPv6(run: Run, out: Uint32Array): void {
  const { bytes, stride, count } = run;
  let at = run.at;
  let to = run.row * 4;
  for (let i = 0; i < count; i++, at += stride, to += 4) {
    out[to] = read32(bytes, at);
    out[to + 1] = read32(bytes, at + 4);
    out[to + 2] = read32(bytes, at + 8);
    out[to + 3] = read32(bytes, at + 12);
  }
}

/** @param out  two words a row */
export function readRunMac(run: Run, out: Uint32Array): void {
  const { bytes, stride, count } = run;
  let at = run.at;
  let to = run.row * 2;
  for (let i = 0; i < count; i++, at += stride, to += 2) {
    out[to] = read16(bytes, at);
    out[to + 1] = read32(bytes, at + 2);
  }
}
