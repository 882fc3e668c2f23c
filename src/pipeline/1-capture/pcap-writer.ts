/**
 * Writes pcap (draft-ietf-opsawg-pcap §4–5): microseconds, little-endian, link type Ethernet. Only bytes are made here;
 * where they go is the caller's affair.
 */
import { limits } from '#base';

export const pcapHeaderBytes = 24;
export const pcapRecordHeaderBytes = 16;
const linkTypeEthernet = 1;

/** The header of the file. */
export function encodePcapHeader(): Uint8Array {
  const bytes = new Uint8Array(pcapHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, limits.frameBytesMax, true);
  view.setUint32(20, linkTypeEthernet, true);
  return bytes;
}

/** A frame's bytes, and the length that it had on the wire, which may be larger. */
export type PcapFrame = { readonly timeMicroseconds: number; readonly frame: Uint8Array; readonly wireBytes: number };

/** Gathers records in chunks, for few large writes. */
export class PcapChunk {
  #bytes: Uint8Array;
  #view: DataView;
  #end = 0;

  /** @param chunkBytes  a frame that is larger makes the chunk larger */
  constructor(chunkBytes: number = limits.readChunkBytes) {
    this.#bytes = new Uint8Array(chunkBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** True when a frame must be waited with until `take` has emptied the chunk. */
  isFull(frameBytes: number): boolean {
    return this.#end > 0 && this.#end + pcapRecordHeaderBytes + frameBytes > this.#bytes.length;
  }

  /** Appends a record; the frame is copied. */
  add({ timeMicroseconds, frame, wireBytes }: PcapFrame): void {
    const recordBytes = pcapRecordHeaderBytes + frame.length;
    if (this.#end + recordBytes > this.#bytes.length) {
      const larger = new Uint8Array(this.#end + recordBytes);
      larger.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    const seconds = Math.floor(timeMicroseconds / 1e6);
    this.#view.setUint32(this.#end, seconds, true);
    this.#view.setUint32(this.#end + 4, Math.floor(timeMicroseconds - seconds * 1e6), true);
    this.#view.setUint32(this.#end + 8, frame.length, true);
    this.#view.setUint32(this.#end + 12, Math.max(wireBytes, frame.length), true);
    this.#bytes.set(frame, this.#end + pcapRecordHeaderBytes);
    this.#end += recordBytes;
  }

  /** What was gathered; valid until the next `add`. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    return taken;
  }
}
