/**
 * Thrift's compact protocol (thrift-compact-protocol.md), as much of it as Parquet's headers and footer need, written
 * into a buffer that grows. What is read is hyparquet's business; nothing here knows what a struct means.
 */

/** Bytes written one after the other; the buffer doubles when it is full and is used again after `clear`. */
export class GrowingBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** Index behind the last byte; set by whoever writes into `bytes`. */
  at = 0;

  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  /** Makes room for so many more bytes. `bytes` may be another array afterwards. */
  reserve(moreBytes: number): void {
    const needed = this.at + moreBytes;
    if (needed <= this.bytes.length) return;
    // Multiples of 8, so that views of wider elements fit.
    const larger = new Uint8Array((Math.max(needed, this.bytes.length * 2) + 7) & ~7);
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }

  /** What has been written: a view, valid until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  clear(): void {
    this.at = 0;
  }
}

/** Element types of the protocol that Parquet's structs use. */
export const thriftType = { i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

/** Bytes that a field's header and a number may take together. */
const numberBytesMax = 16;
const listSizeInHeader = 15;

const textEncoder = new TextEncoder();

/** Structs, field after field in rising order of their ids. */
export class ThriftWriter {
  readonly out: GrowingBytes;
  /** Ids of the fields written last, of the open struct and of those around it. */
  readonly #lastIds: number[] = [];
  #lastId = 0;

  constructor(out: GrowingBytes) {
    this.out = out;
  }

  /** Opens a struct that stands alone or is an element of a list. */
  begin(): void {
    this.#lastIds.push(this.#lastId);
    this.#lastId = 0;
  }

  /** Opens a struct that is a field. */
  beginField(id: number): void {
    this.#header(id, thriftType.struct);
    this.begin();
  }

  end(): void {
    this.out.reserve(1);
    this.out.bytes[this.out.at++] = 0;
    this.#lastId = this.#lastIds.pop() ?? 0;
  }

  i32(id: number, value: number): void {
    this.#header(id, thriftType.i32);
    this.number(value);
  }

  /** @param value  a whole number below 2^52 */
  i64(id: number, value: number): void {
    this.#header(id, thriftType.i64);
    this.number(value);
  }

  binary(id: number, bytes: Uint8Array): void {
    this.#header(id, thriftType.binary);
    this.bytes(bytes);
  }

  text(id: number, text: string): void {
    this.binary(id, textEncoder.encode(text));
  }

  /** Begins a list; its elements follow, each by `number`, `bytes` or `begin` … `end`. */
  list(id: number, elementType: number, size: number): void {
    this.#header(id, thriftType.list);
    const { out } = this;
    if (size < listSizeInHeader) {
      out.bytes[out.at++] = (size << 4) | elementType;
      return;
    }
    out.bytes[out.at++] = (listSizeInHeader << 4) | elementType;
    out.at = putVarint(out.bytes, out.at, size);
  }

  /** An element of a list, or a field's value: zigzag, which of numbers that are not negative is the double. */
  number(value: number): void {
    this.out.reserve(numberBytesMax);
    this.out.at = putVarint(this.out.bytes, this.out.at, value * 2);
  }

  /** An element of a list, or a field's value: bytes behind their length. */
  bytes(bytes: Uint8Array): void {
    this.out.reserve(numberBytesMax);
    this.out.at = putVarint(this.out.bytes, this.out.at, bytes.length);
    this.out.append(bytes);
  }

  /** Field ids of Parquet's structs rise by less than 16, so that the short form of a header always does. */
  #header(id: number, type: number): void {
    this.out.reserve(numberBytesMax);
    this.out.bytes[this.out.at++] = ((id - this.#lastId) << 4) | type;
    this.#lastId = id;
  }
}

/** An unsigned LEB128 number. @param value  whole, 0..2^53 - 1. @returns the index behind its last byte */
export function putVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[at++] = 0x80 | (rest % 0x80);
  out[at] = rest;
  return at + 1;
}
