/**
 * A cursor that writes a saved state or reads it: one description of the layout serves both ways, so that they cannot
 * differ. Little-endian. Reading never throws: the first thing that is wrong is kept as a sentence, and from there on
 * all values are zero and all lists empty.
 *
 *   0  "NLXS"   4  u16 version   6  u16 zero   8  the first 8 bytes of SHA-256 over all from byte 16 on   16  the state
 */
import { createHash } from 'node:crypto';
import { limits } from '#base';

const magic = 0x5358_4c4e;
const version = 1;
const digestBytes = 8;
const bodyAt = 16;
const firstBytes = 1 << 16;

export class StateBytes {
  readonly isReading: boolean;
  /** The first thing that is wrong with what is read. */
  fault: string | undefined;
  #bytes: Uint8Array;
  #view: DataView;
  #at = bodyAt;

  /** @param bytes  what to read, only read; left out to write */
  constructor(bytes?: Uint8Array) {
    this.isReading = bytes !== undefined;
    this.#bytes = bytes ?? new Uint8Array(firstBytes);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    if (bytes !== undefined) this.fault = this.#checkHeader();
  }

  /** The finished bytes of what was written. */
  finish(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#at);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, magic, true);
    view.setUint16(4, version, true);
    bytes.set(digestOf(bytes), 8);
    return bytes;
  }

  /** Must be true of what is read. @returns whether it is, and nothing was wrong before */
  expect(isGood: boolean, sentence: string): boolean {
    if (!isGood && this.isReading) this.fault ??= sentence;
    return this.fault === undefined;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.isReading) this.expect(this.#at === this.#bytes.length, 'The state has bytes behind its end.');
  }

  byte(value: number): number {
    const at = this.#move(1);
    if (at < 0) return 0;
    if (this.isReading) return this.#view.getUint8(at);
    this.#view.setUint8(at, value);
    return value;
  }

  flag(value: boolean): boolean {
    const read = this.byte(Number(value));
    this.expect(read <= 1, 'A yes or no of the state is neither.');
    return read === 1;
  }

  half(value: number): number {
    const at = this.#move(2);
    if (at < 0) return 0;
    if (this.isReading) return this.#view.getUint16(at, true);
    this.#view.setUint16(at, value, true);
    return value;
  }

  word(value: number): number {
    const at = this.#move(4);
    if (at < 0) return 0;
    if (this.isReading) return this.#view.getUint32(at, true);
    this.#view.setUint32(at, value, true);
    return value;
  }

  /** Any number, NaN among them; never infinite. */
  double(value: number): number {
    const at = this.#move(8);
    if (at < 0) return 0;
    if (!this.isReading) {
      this.#view.setFloat64(at, value, true);
      return value;
    }
    const read = this.#view.getFloat64(at, true);
    return this.expect(Math.abs(read) !== Number.POSITIVE_INFINITY, 'A number of the state is infinite.') ? read : 0;
  }

  /** A number that says something; what an exporter has told that is none is written as 0. */
  finite(value: number): number {
    const read = this.double(this.isReading || Number.isFinite(value) ? value : 0);
    return this.expect(!Number.isNaN(read), 'A number of the state is none.') ? read : 0;
  }

  /** A whole number from 0 on. */
  count(value: number): number {
    const read = this.double(value);
    return this.expect(Number.isSafeInteger(read) && read >= 0, 'A count of the state is no count.') ? read : 0;
  }

  text(value: string): string {
    const encoded = this.isReading ? undefined : Buffer.from(value);
    const length = this.half(encoded?.length ?? 0);
    const at = this.#move(length);
    if (at < 0) return '';
    if (encoded === undefined) return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, length).toString();
    this.#bytes.set(encoded, at);
    return value;
  }

  /** Bytes of any length. @returns what is read is a copy */
  blob(value: Uint8Array): Uint8Array {
    const length = this.word(value.length);
    const at = this.#move(length);
    if (at < 0) return new Uint8Array(0);
    if (this.isReading) return this.#bytes.slice(at, at + length);
    this.#bytes.set(value, at);
    return value;
  }

  /**
   * A list: its length, then each item.
   *
   * @param items  what to write; not looked at when reading
   * @param each   writes the item it is given, or reads one when it is given none
   */
  list<T>(items: Iterable<T>, each: (item: T | undefined) => void): void {
    if (!this.isReading) {
      const all = [...items];
      this.word(all.length);
      for (const item of all) each(item);
      return;
    }
    const length = this.word(0);
    // An item has a byte or more, so a length that does not fit ends with the bytes.
    for (let i = 0; i < length && this.fault === undefined; i++) each(undefined);
  }

  #checkHeader(): string | undefined {
    const bytes = this.#bytes;
    if (bytes.length > limits.decoderSnapshotBytesMax) return `A state of ${bytes.length} bytes is too large.`;
    if (bytes.length < bodyAt) return `A state of ${bytes.length} bytes ends within its header.`;
    if (this.#view.getUint32(0, true) !== magic) return 'These bytes are no state of a decoder of exports.';
    const found = this.#view.getUint16(4, true);
    if (found !== version || this.#view.getUint16(6, true) !== 0) {
      return `The state is of version ${found}; natlens reads ${version}.`;
    }
    return Buffer.compare(digestOf(bytes), bytes.subarray(8, bodyAt)) === 0 ? undefined
      : 'The digest of the state does not fit its content: it was damaged.';
  }

  /** Where the next value is, or -1 when there is none. */
  #move(lengthBytes: number): number {
    const at = this.#at;
    if (this.fault !== undefined) return -1;
    if (at + lengthBytes > this.#bytes.length) {
      if (this.isReading) {
        this.fault = 'The state ends before its end.';
        return -1;
      }
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, at + lengthBytes));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = at + lengthBytes;
    return at;
  }
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes.subarray(bodyAt)).digest().subarray(0, digestBytes);
}
