/**
 * Bytes of a section, one value after the other: numbers of seven bits a byte (LEB128), f64 in little-endian, texts
 * with their length before them. A reader never throws: behind the end everything is 0 or empty, and `fault` says so.
 */

/** Above this, seven-bit numbers would not be exact. */
const countMax = Number.MAX_SAFE_INTEGER;

export class SectionWriter {
  readonly #bytes: number[] = [];
  readonly #scratch = new DataView(new ArrayBuffer(8));

  byte(value: number): this {
    this.#bytes.push(value);
    return this;
  }

  /** @param value  whole, not negative, at most 2^53 - 1 */
  count(value: number): this {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes.push((rest % 128) | 128);
    return this.byte(rest);
  }

  float(value: number): this {
    this.#scratch.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.#bytes.push(this.#scratch.getUint8(i));
    return this;
  }

  text(value: string): this {
    const encoded = new TextEncoder().encode(value);
    this.count(encoded.length);
    for (const byte of encoded) this.#bytes.push(byte);
    return this;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

export class SectionReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #fault: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The end of a sentence: what was found first. */
  get fault(): string | undefined {
    return this.#fault;
  }

  get bytesLeft(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#takes(1) ? this.#bytes[this.#at - 1] as number : 0;
  }

  count(): number {
    let value = 0;
    for (let scale = 1; scale <= countMax; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value <= countMax ? value : this.#refuse('has a number beyond 2^53');
    }
    return this.#refuse('has a number that does not end');
  }

  float(): number {
    return this.#takes(8) ? this.#view.getFloat64(this.#at - 8, true) : 0;
  }

  text(): string {
    const length = this.count();
    if (!this.#takes(length)) return '';
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
        .decode(this.#bytes.subarray(this.#at - length, this.#at));
    } catch {
      this.#fault ??= 'has a text that is no UTF-8';
      return '';
    }
  }

  /** Steps over so many bytes, if they are there. */
  #takes(length: number): boolean {
    if (this.bytesLeft < length) {
      this.#fault ??= 'is cut';
      this.#at = this.#bytes.length;
      return false;
    }
    this.#at += length;
    return true;
  }

  #refuse(fault: string): number {
    this.#fault ??= fault;
    return 0;
  }
}

export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
