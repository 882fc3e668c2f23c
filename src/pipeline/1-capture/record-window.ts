/**
 * RecordWindow: the part of a byte stream that lies in memory, moved along so that a record never lies across its
 * edges. Only the bytes of an unfinished record are copied when it moves. Bounded by the largest record asked for.
 */
import { assertInvariant, limits } from '#base';

/** Where the bytes come from. */
export type ByteReader = { read(target: Uint8Array, from: number): Promise<number> };

/** Memory of somebody who works on the packets in place, or undefined when there is none to be had. */
export type AllocateWindow = (bytes: number) => Uint8Array | undefined;

export class RecordWindow {
  data: Uint8Array;
  view: DataView;
  /** First byte that was not used yet; parsers move it. */
  from = 0;
  /** Behind the last byte that is there. */
  end = 0;
  /** Offset of `data[0]` in the stream. */
  baseOffsetBytes = 0;
  readonly #chunkBytes: number;

  /**
   * @param chunkBytes  bytes read at once
   * @param allocate    gives the memory of the window, as long as it is not outgrown
   */
  constructor(chunkBytes: number = limits.readChunkBytes, allocate?: AllocateWindow) {
    this.#chunkBytes = chunkBytes;
    this.data = allocate?.(chunkBytes * 2) ?? new Uint8Array(chunkBytes * 2);
    this.view = viewOf(this.data);
  }

  /** Offset of `data[from]` in the stream. */
  get offsetBytes(): number {
    return this.baseOffsetBytes + this.from;
  }

  /**
   * Reads on until at least `neededBytes` lie between `from` and `end`. All earlier offsets into `data` become void.
   *
   * @returns false when the stream ends before
   */
  async fill(source: ByteReader, neededBytes: number): Promise<boolean> {
    const kept = this.end - this.from;
    this.#moveToFront(Math.max(neededBytes, kept + this.#chunkBytes));
    while (this.end < neededBytes) {
      const room = this.data.subarray(0, Math.min(this.data.length, this.end + this.#chunkBytes));
      const count = await source.read(room, this.end);
      if (count === 0) return false;
      this.end += count;
    }
    return true;
  }

  /**
   * Passes over bytes, whether they are in memory or not.
   *
   * @returns false when the stream ends before
   */
  async skip(source: ByteReader, bytes: number): Promise<boolean> {
    let left = bytes;
    while (left > this.end - this.from) {
      left -= this.end - this.from;
      this.from = this.end;
      if (!(await this.fill(source, 1))) return false;
    }
    this.from += left;
    return true;
  }

  #moveToFront(capacity: number): void {
    assertInvariant(this.from <= this.end, 'a parser went past the end of the record window');
    const kept = this.end - this.from;
    if (capacity > this.data.length) {
      const grown = new Uint8Array(capacity);
      grown.set(this.data.subarray(this.from, this.end));
      this.data = grown;
      this.view = viewOf(grown);
    } else {
      this.data.copyWithin(0, this.from, this.end);
    }
    this.baseOffsetBytes += this.from;
    this.from = 0;
    this.end = kept;
  }
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
