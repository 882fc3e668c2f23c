/**
 * Memory that the receiving thread fills and the reader empties: a ring of datagrams of any length, the words by which
 * the two threads agree, and counts. One writer and one reader, so that a record costs no lock: each moves its own end
 * of the ring, and only after it is done with the bytes.
 */
import { addressWords, assertInvariant, type AddressWords } from '#base';

/** What the memory is laid out for. */
export type RingShape = {
  readonly ringBytes: number;
  readonly sockets: number;
  /** Addresses whose drops are counted apart. */
  readonly dropAddresses: number;
  /** Bytes that the receiving thread needs for itself, in the same memory so that it copies within one view. */
  readonly scratchBytes: number;
};

/** Words of `RingMemory.control`. */
export const controlWord = {
  /** Where the next record is written, and where the next is read; equal: nothing is there. Bytes in the ring. */
  head: 0, tail: 1,
  /** 1: the reader found nothing and wants to be told of the next. */
  readerAsleep: 2,
  /** 1: hand in what the kernel still holds, then end. */
  stop: 3,
  /** 1: the reader takes nothing: a full ring is no reason to drop. */
  paused: 4,
  /** Rises when the reader took something; the writer waits on it. */
  taken: 5,
  /** Addresses in the table of drops. */
  dropAddresses: 6,
} as const;

/**
 * Numbers of `RingMemory.totals`; the writer's, the reader only looks at them. Eight bytes are written in one piece.
 */
export const totalAt = { ringDrops: 0, cutDatagrams: 1, ringBytesUsedMax: 2, socketErrors: 3 } as const;

/** Before the bytes of a record: words of 4 bytes, from its beginning. */
export const recordWord = {
  /** Of header and bytes, a multiple of 16; 0: nothing more before the ring's end. */
  recordBytes: 0,
  dataBytes: 1,
  /** Source port, and the socket above it. */
  portAndSocket: 2,
  address: 4,
  /** Two words each, 8 bytes: when it was queued, and `ReceivedDatagram.kernelDrops`. */
  queuedMs: 8,
  kernelDrops: 10,
} as const;
export const recordHeaderBytes = 48;
const alignBytes = 16;
const ringBytesMax = 2 ** 30;

/** Bytes of a record of so many bytes of data. */
export function recordBytesOf(dataBytes: number): number {
  return recordHeaderBytes + Math.ceil(dataBytes / alignBytes) * alignBytes;
}

const controlBytes = 64;
const totalsBytes = 64;

/** Views of the memory; both threads make them of the same buffer. */
export class RingMemory {
  readonly shape: RingShape;
  readonly buffer: SharedArrayBuffer;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** The whole memory as numbers of 4 and 8 bytes, for record headers. */
  readonly words: Uint32Array<SharedArrayBuffer>;
  readonly doubles: Float64Array<SharedArrayBuffer>;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly totals: Float64Array<SharedArrayBuffer>;
  /** [socket]: dropped by the kernel, as the last datagram told. */
  readonly kernelDrops: Float64Array<SharedArrayBuffer>;
  /** [entry × 4]: addresses, and [entry]: their drops; the entry behind the last is for all others. */
  readonly dropAddresses: Uint32Array<SharedArrayBuffer>;
  readonly addressDrops: Float64Array<SharedArrayBuffer>;
  readonly scratchAt: number;
  readonly ringAt: number;

  /** @param buffer  of the other thread; without: new */
  constructor(shape: RingShape, buffer?: SharedArrayBuffer) {
    const { ringBytes, sockets, dropAddresses, scratchBytes } = shape;
    assertInvariant(ringBytes % alignBytes === 0 && ringBytes >= alignBytes && ringBytes <= ringBytesMax,
      `a ring of ${ringBytes} bytes cannot be`);
    this.shape = shape;
    const kernelDropsAt = controlBytes + totalsBytes;
    const addressDropsAt = kernelDropsAt + sockets * 8;
    const dropAddressesAt = addressDropsAt + (dropAddresses + 1) * 8;
    this.scratchAt = align(dropAddressesAt + dropAddresses * addressWords * 4, 4_096);
    this.ringAt = align(this.scratchAt + scratchBytes, 4_096);
    this.buffer = buffer ?? new SharedArrayBuffer(this.ringAt + ringBytes);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Uint32Array(this.buffer);
    this.doubles = new Float64Array(this.buffer);
    this.control = new Int32Array(this.buffer, 0, controlBytes / 4);
    this.totals = new Float64Array(this.buffer, controlBytes, totalsBytes / 8);
    this.kernelDrops = new Float64Array(this.buffer, kernelDropsAt, sockets);
    this.addressDrops = new Float64Array(this.buffer, addressDropsAt, dropAddresses + 1);
    this.dropAddresses = new Uint32Array(this.buffer, dropAddressesAt, dropAddresses * addressWords);
  }

  /** Bytes of the ring between the reader and the writer. */
  usedBytes(): number {
    const used = Atomics.load(this.control, controlWord.head) - Atomics.load(this.control, controlWord.tail);
    return used < 0 ? used + this.shape.ringBytes : used;
  }

  /** Drops of an address for want of room; those of addresses that found no entry are told for each of these. */
  ringDropsOf([a, b, c, d]: AddressWords): number {
    const { dropAddresses, addressDrops, control } = this;
    const count = Atomics.load(control, controlWord.dropAddresses);
    for (let entry = 0; entry < count; entry++) {
      const at = entry * addressWords;
      if (dropAddresses[at + 3] === d && dropAddresses[at + 2] === c && dropAddresses[at + 1] === b &&
        dropAddresses[at] === a) return addressDrops[entry] as number;
    }
    return addressDrops[this.shape.dropAddresses] as number;
  }
}

function align(at: number, bytes: number): number {
  return Math.ceil(at / bytes) * bytes;
}
