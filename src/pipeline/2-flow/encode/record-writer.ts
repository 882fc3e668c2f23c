/**
 * Writes rows of a FlowBatch as data records, field by field as their layout says. All numbers are in network order
 * (RFC 7011 §6.1). Knows nothing of messages and sets; never writes behind the bytes that `recordBytes` announced.
 */
import { isMapped } from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import type { Dictionary } from '../dictionary.ts';
import {
  fieldKinds, layoutOfIPv6, layoutWithMacs, variableLength, type FieldKind, type RecordLayout,
} from './export-fields.ts';

/** What could not be sent as it stands in its row. */
export type WriterCounts = {
  /** Layer-7 names longer than the encoder's limit, cut at a character. */
  namesCut: number;
  /** Times with a fraction of a millisecond, which was cut off. */
  timesCut: number;
  /** TCP flags of which NetFlow v9 has no bit: the nonce sum and the reserved ones. */
  flagsCut: number;
  /** Times and counters that are no whole number from 0 to 2^53 - 1; sent as the nearest one, or as 0. */
  numbersBent: number;
};

const twoTo32 = 0x1_0000_0000;
/** Longest content whose length takes one byte (RFC 7011 §7). */
const shortLengthMax = 254;

type Columns = Uint8Array | Uint16Array | Uint32Array | Float64Array;

export class RecordWriter {
  readonly counts: WriterCounts = { namesCut: 0, timesCut: 0, flagsCut: 0, numbersBent: 0 };
  readonly #layouts: readonly RecordLayout[];
  readonly #kinds: readonly (readonly FieldKind[])[];
  readonly #isNameVariable: boolean;
  readonly #nameBytesMax: number;
  /** Where the address words begin that a layout sends. */
  readonly #firstWords: readonly number[];
  #arrays: readonly (readonly Columns[])[] = [];
  #batch: FlowBatch | undefined;
  #names: Dictionary | undefined;
  /** Bytes of names by their code in `#names`. */
  #nameBytes: (Uint8Array | undefined)[] = [];
  #namesCutByCode: boolean[] = [];

  /** @param nameBytesMax  longest layer-7 name, in bytes of UTF-8 */
  constructor(layouts: readonly RecordLayout[], nameBytesMax: number) {
    this.#layouts = layouts;
    this.#kinds = layouts.map(({ fields }) => fields.map((field) => field.kind));
    this.#isNameVariable = layouts[0]?.fields.at(-1)?.lengthBytes === variableLength;
    this.#nameBytesMax = nameBytesMax;
    this.#firstWords = layouts.map((_, index) => ((index & layoutOfIPv6) === 0 ? 3 : 0));
  }

  /** Names the batch that the next rows are of; read only. */
  open(batch: FlowBatch): void {
    if (this.#batch !== batch) {
      this.#arrays = this.#layouts.map(({ fields }) => fields.map(({ column }) => batch.columns[column]));
      this.#batch = batch;
    }
    const names = batch.dictionaries.applicationName;
    if (this.#names === names) return;
    this.#names = names;
    this.#nameBytes = [];
    this.#namesCutByCode = [];
  }

  /** Index of the layout that a row goes by. */
  chooseLayout(row: number): number {
    const { sourceAddress, destinationAddress, sourceMacAddress, destinationMacAddress } =
      (this.#batch as FlowBatch).columns;
    const isIPv4 = isMapped(sourceAddress, row * 4) && isMapped(destinationAddress, row * 4);
    const at = row * 2;
    const hasMacs = ((sourceMacAddress[at] as number) | (sourceMacAddress[at + 1] as number) |
      (destinationMacAddress[at] as number) | (destinationMacAddress[at + 1] as number)) !== 0;
    return (isIPv4 ? 0 : layoutOfIPv6) | (hasMacs ? layoutWithMacs : 0);
  }

  /** Bytes that a row takes by a layout. */
  recordBytes(row: number, layoutIndex: number): number {
    const { fixedBytes } = this.#layouts[layoutIndex] as RecordLayout;
    if (!this.#isNameVariable) return fixedBytes;
    const { length } = this.#nameOf((this.#batch as FlowBatch).columns.applicationName[row] as number);
    return fixedBytes + length + (length > shortLengthMax ? 3 : 1);
  }

  /**
   * Writes a row.
   *
   * @param view   of `bytes`
   * @param bytes  overwritten from `at` on
   * @returns      the offset behind the record
   */
  put(view: DataView, bytes: Uint8Array, at: number, row: number, layoutIndex: number): number {
    const kinds = this.#kinds[layoutIndex] as readonly FieldKind[];
    const arrays = this.#arrays[layoutIndex] as readonly Columns[];
    let end = at;
    for (let i = 0; i < kinds.length; i++) {
      const array = arrays[i] as Columns;
      switch (kinds[i]) {
        case fieldKinds.u8:
          bytes[end++] = (array as Uint8Array)[row] as number;
          break;
        case fieldKinds.flags8: {
          const flags = (array as Uint16Array)[row] as number;
          if (flags > 0xff) this.counts.flagsCut++;
          bytes[end++] = flags;
          break;
        }
        case fieldKinds.u16:
          view.setUint16(end, (array as Uint16Array)[row] as number);
          end += 2;
          break;
        case fieldKinds.u32:
          view.setUint32(end, (array as Uint32Array)[row] as number);
          end += 4;
          break;
        case fieldKinds.u64:
        case fieldKinds.time: {
          const found = (array as Float64Array)[row] as number;
          const isSound = found >= 0 && Number.isSafeInteger(found);
          const value = isSound ? found : this.#bend(found, kinds[i] === fieldKinds.time);
          view.setUint32(end, value / twoTo32);
          view.setUint32(end + 4, value % twoTo32);
          end += 8;
          break;
        }
        case fieldKinds.words:
          for (let word = this.#firstWords[layoutIndex] as number; word < 4; word++, end += 4) {
            view.setUint32(end, (array as Uint32Array)[row * 4 + word] as number);
          }
          break;
        case fieldKinds.mac:
          view.setUint16(end, (array as Uint32Array)[row * 2] as number);
          view.setUint32(end + 2, (array as Uint32Array)[row * 2 + 1] as number);
          end += 6;
          break;
        case fieldKinds.name:
          end = this.#putName(view, bytes, end, (array as Uint32Array)[row] as number);
          break;
      }
    }
    return end;
  }

  /** The nearest value that the wire can hold; counted. */
  #bend(value: number, isTime: boolean): number {
    const whole = Math.floor(value);
    if (isTime && whole >= 0 && Number.isSafeInteger(whole)) {
      this.counts.timesCut++;
      return whole;
    }
    this.counts.numbersBent++;
    return value > 0 ? Math.min(whole, Number.MAX_SAFE_INTEGER) : 0;
  }

  /** RFC 7011 §7 for a variable length; else the fixed field, filled up with zeros. */
  #putName(view: DataView, bytes: Uint8Array, at: number, code: number): number {
    const name = this.#nameOf(code);
    if (this.#namesCutByCode[code] === true) this.counts.namesCut++;
    if (!this.#isNameVariable) {
      bytes.set(name, at);
      bytes.fill(0, at + name.length, at + this.#nameBytesMax);
      return at + this.#nameBytesMax;
    }
    let start = at + 1;
    if (name.length <= shortLengthMax) bytes[at] = name.length;
    else {
      bytes[at] = 255;
      view.setUint16(start, name.length);
      start += 2;
    }
    // A loop: names are a dozen bytes, for which `set` costs more than it copies.
    for (let i = 0; i < name.length; i++) bytes[start + i] = name[i] as number;
    return start + name.length;
  }

  #nameOf(code: number): Uint8Array {
    const known = this.#nameBytes[code];
    if (known !== undefined) return known;
    const whole = new TextEncoder().encode((this.#names as Dictionary).decode(code));
    let length = Math.min(whole.length, this.#nameBytesMax);
    // Continuation bytes of UTF-8 are 10xxxxxx: a character is cut off as a whole.
    while (length > 0 && length < whole.length && ((whole[length] as number) & 0xc0) === 0x80) length--;
    const name = whole.slice(0, length);
    this.#nameBytes[code] = name;
    this.#namesCutByCode[code] = length < whole.length;
    return name;
  }
}
