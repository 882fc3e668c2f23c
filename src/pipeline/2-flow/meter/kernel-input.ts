/**
 * Brings rows of a packet batch to where the kernel sees them: the columns are copied (30 bytes a packet), the bytes
 * only when the batch does not lie in the meter's memory already.
 */
import { limits } from '#base';
import { noLinkHeader, type PacketBatch } from '#capture';
import { parameter, type MeterMemory } from './meter-memory.ts';

export class KernelInput {
  readonly #memory: MeterMemory;
  readonly #bytes: Uint8Array;
  readonly #networkOffset: Uint32Array;
  readonly #networkBytes: Uint32Array;
  readonly #ipVersion: Uint8Array;
  readonly #timeMicroseconds: Float64Array;
  readonly #linkOffset: Uint32Array;
  readonly #interfaceIndex: Uint32Array;
  readonly #vlanId: Uint16Array;

  /** Bytes that it takes from the memory. */
  static bytes(rowsMax: number): number {
    return limits.frameBytesMax + 64 + rowsMax * 32 + 1024;
  }

  constructor(memory: MeterMemory, rowsMax: number) {
    this.#memory = memory;
    this.#bytes = memory.allocate(limits.frameBytesMax + 64);
    this.#timeMicroseconds = memory.doubles(rowsMax);
    this.#networkOffset = memory.words(rowsMax);
    this.#networkBytes = memory.words(rowsMax);
    this.#linkOffset = memory.words(rowsMax);
    this.#interfaceIndex = memory.words(rowsMax);
    this.#ipVersion = memory.allocate(rowsMax);
    this.#vlanId = new Uint16Array(memory.buffer, memory.allocate(rowsMax * 2).byteOffset, rowsMax);
    const { parameters } = memory;
    parameters[parameter.networkOffset] = this.#networkOffset.byteOffset;
    parameters[parameter.networkBytes] = this.#networkBytes.byteOffset;
    parameters[parameter.ipVersion] = this.#ipVersion.byteOffset;
    parameters[parameter.timeMicroseconds] = this.#timeMicroseconds.byteOffset;
    parameters[parameter.linkOffset] = this.#linkOffset.byteOffset;
    parameters[parameter.interfaceIndex] = this.#interfaceIndex.byteOffset;
    parameters[parameter.vlanId] = this.#vlanId.byteOffset;
  }

  /**
   * Places rows from `first` on; the kernel knows them as rows 0, 1, ….
   *
   * @returns the row behind the last that was placed: `end`, or fewer when their bytes do not fit
   */
  place(packets: PacketBatch, first: number, end: number): number {
    const placedEnd = packets.data.buffer === this.#memory.buffer ? end : this.#copyBytes(packets, first, end);
    this.#networkOffset.set(packets.networkOffset.subarray(first, placedEnd));
    this.#networkBytes.set(packets.networkBytes.subarray(first, placedEnd));
    this.#ipVersion.set(packets.ipVersion.subarray(first, placedEnd));
    this.#timeMicroseconds.set(packets.timeMicroseconds.subarray(first, placedEnd));
    this.#linkOffset.set(packets.linkOffset.subarray(first, placedEnd));
    this.#interfaceIndex.set(packets.interfaceIndex.subarray(first, placedEnd));
    this.#vlanId.set(packets.vlanId.subarray(first, placedEnd));
    const { parameters } = this.#memory;
    if (packets.data.buffer === this.#memory.buffer) parameters[parameter.data] = packets.data.byteOffset;
    parameters[parameter.rowBase] = first;
    return placedEnd;
  }

  /**
   * Copies the stretch of bytes that the rows lie in. At least one row always fits: a frame has at most
   * `frameBytesMax`.
   */
  #copyBytes(packets: PacketBatch, first: number, end: number): number {
    const { linkOffset, networkOffset, networkBytes } = packets;
    let low = Infinity;
    let high = 0;
    let row = first;
    for (; row < end; row++) {
      const network = networkOffset[row] as number;
      const link = linkOffset[row] as number;
      const rowLow = Math.min(low, link === noLinkHeader ? network : Math.min(link, network));
      const rowHigh = Math.max(high, network + (networkBytes[row] as number));
      if (rowHigh - rowLow > this.#bytes.length && row > first) break;
      low = rowLow;
      high = rowHigh;
    }
    this.#bytes.set(packets.data.subarray(low, Math.min(high, low + this.#bytes.length)));
    // The kernel adds offsets of the batch to this; addresses wrap round like its own arithmetic.
    this.#memory.parameters[parameter.data] = this.#bytes.byteOffset - low;
    return row;
  }
}
