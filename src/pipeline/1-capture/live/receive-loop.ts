/**
 * The receiving thread: takes many datagrams a call off its sockets (recvmmsg(2)) into memory that stays in the
 * processor's caches, and copies each to its place in the ring, which then holds no more than the bytes that came.
 */
import { mappedWord, systemClock } from '#base';
import { controlWord, totalAt, type RingMemory } from './datagram-ring.ts';
import { errnoName, type Libc } from './libc.ts';
import type { RingWriter } from './ring-writer.ts';

export type ReceiveLoopOptions = {
  /** [socket] */
  readonly descriptors: readonly number[];
  /** [socket]: granted by the kernel. */
  readonly receiveBufferBytes: readonly number[];
  /** A longer one is cut. */
  readonly datagramBytesMax: number;
};

/** Datagrams a call: at 32 the call itself no longer counts, and their bytes fit in a core's own cache. */
const batchDatagrams = 64;
/** `struct mmsghdr`, `struct iovec`, room for `struct sockaddr_in6` and for one control message of 4 bytes. */
const headerBytes = 64;
const vectorBytes = 16;
const nameBytes = 32;
const controlMessageBytes = 32;
/** Fields of `struct mmsghdr`, in words of 4 bytes. */
const header = { nameLength: 2, controlLength: 10, flags: 12, dataLength: 14 } as const;
const AF_INET = 2;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;

/** A thread that waits must end soon when the process does. */
const pollMs = 50;
/**
 * With room in the kernel, datagrams may gather there between two calls, as calls that take one or two each are dear.
 * A buffer of 4 MiB holds 3,600 datagrams of 1,400 bytes: those of 8 ms at more than any core takes.
 */
const gatherMsOfByte = 8 / (4 << 20);
const gatherMsMin = 0.25;
const gatherMsMax = 8;
/** A reader that sleeps is woken for so many bytes, or after so long: to wake it costs as much as ten datagrams. */
const wakeBytesMax = 1 << 20;
const wakeMs = 40;
const afterErrorMs = 10;

/** Bytes of scratch memory that a loop needs. */
export function scratchBytesOf(datagramBytesMax: number): number {
  return batchDatagrams * (headerBytes + vectorBytes + nameBytes + controlMessageBytes + slotBytesOf(datagramBytesMax));
}

/** Not a power of two: the beginnings of all slots would share a few lines of the cache. */
function slotBytesOf(datagramBytesMax: number): number {
  return Math.ceil(datagramBytesMax / 64) * 64 + 1_664;
}

export class ReceiveLoop {
  readonly #libc: Libc;
  readonly #memory: RingMemory;
  readonly #writer: RingWriter;
  readonly #options: ReceiveLoopOptions;
  readonly #address: number;
  readonly #view: DataView<SharedArrayBuffer>;
  readonly #headersAt: number;
  readonly #namesAt: number;
  readonly #controlsAt: number;
  readonly #slotsAt: number;
  readonly #slotBytes: number;
  readonly #polled: Uint8Array;
  readonly #gatherMs: number;
  readonly #wakeReader: () => void;
  readonly #wakeBytes: number;
  /** Since when a reader that sleeps has something to read. */
  #unknownSinceMs: number | undefined;

  /** @param wakeReader  called when the reader sleeps and something came */
  constructor(
    libc: Libc, memory: RingMemory, writer: RingWriter, options: ReceiveLoopOptions, wakeReader: () => void,
  ) {
    this.#libc = libc;
    this.#memory = memory;
    this.#writer = writer;
    this.#options = options;
    this.#wakeReader = wakeReader;
    writer.onWake = wakeReader;
    this.#wakeBytes = Math.min(wakeBytesMax, memory.shape.ringBytes / 4);
    this.#address = libc.addressOf(memory.bytes);
    this.#view = new DataView(memory.buffer);
    this.#slotBytes = slotBytesOf(options.datagramBytesMax);
    this.#headersAt = memory.scratchAt;
    const vectorsAt = this.#headersAt + batchDatagrams * headerBytes;
    this.#namesAt = vectorsAt + batchDatagrams * vectorBytes;
    this.#controlsAt = this.#namesAt + batchDatagrams * nameBytes;
    this.#slotsAt = this.#controlsAt + batchDatagrams * controlMessageBytes;
    this.#polled = new Uint8Array(options.descriptors.length * 8);
    const polled = new DataView(this.#polled.buffer);
    options.descriptors.forEach((descriptor, i) => {
      polled.setInt32(i * 8, descriptor, true);
      polled.setInt16(i * 8 + 4, POLLIN, true);
    });
    this.#gatherMs = Math.min(gatherMsMax, ...options.receiveBufferBytes.map((bytes) => bytes * gatherMsOfByte));
    for (let i = 0; i < batchDatagrams; i++) this.#prepare(i, vectorsAt);
  }

  /** Receives until it is told to stop, then what the kernel still holds. */
  run(): void {
    const { control } = this.#memory;
    const { descriptors } = this.#options;
    while (Atomics.load(control, controlWord.stop) === 0) {
      let most = 0;
      for (let socket = 0; socket < descriptors.length; socket++) most = Math.max(most, this.#receive(socket));
      const waitMs = this.#wakeInTime();
      if (most === 0) this.#libc.poll(this.#polled, descriptors.length, waitMs);
      else if (most < batchDatagrams && this.#gatherMs >= gatherMsMin) {
        Atomics.wait(control, controlWord.stop, 0, this.#gatherMs);
      }
    }
    for (let socket = 0; socket < descriptors.length; socket++) this.#drain(socket);
    if (this.#writer.takeWake()) this.#wakeReader();
  }

  /** Wakes the reader when it is time. @returns for how long nothing has to be done, in whole ms */
  #wakeInTime(): number {
    const bytes = this.#writer.unknownBytes();
    if (bytes === 0) {
      this.#unknownSinceMs = undefined;
      return pollMs;
    }
    const nowMs = systemClock.monotonicMs();
    this.#unknownSinceMs ??= nowMs;
    const leftMs = this.#unknownSinceMs + wakeMs - nowMs;
    if (bytes < this.#wakeBytes && leftMs > 0) return Math.ceil(leftMs);
    this.#unknownSinceMs = undefined;
    if (this.#writer.takeWake()) this.#wakeReader();
    return pollMs;
  }

  /** What came before the stop; a flood that goes on ends nothing. */
  #drain(socket: number): void {
    let bytesLeft = (this.#options.receiveBufferBytes[socket] as number) * 2;
    for (;;) {
      const count = this.#receive(socket);
      for (let i = 0; i < count; i++) bytesLeft -= this.#word(i, header.dataLength);
      if (count < batchDatagrams || bytesLeft < 0) return;
    }
  }

  /** One call. @returns datagrams of it */
  #receive(socket: number): number {
    const count = this.#libc.recvmmsg(this.#options.descriptors[socket] as number, this.#address + this.#headersAt,
      batchDatagrams, MSG_DONTWAIT, 0);
    if (count < 0) {
      this.#noteError();
      return 0;
    }
    const queuedMs = systemClock.nowMs();
    for (let i = 0; i < count; i++) this.#take(i, socket, queuedMs);
    this.#writer.publish();
    return count;
  }

  #take(i: number, socket: number, queuedMs: number): void {
    const { words, kernelDrops, totals } = this.#memory;
    const at = (this.#headersAt + i * headerBytes) >>> 2;
    const dataBytes = words[at + header.dataLength] as number;
    if (((words[at + header.flags] as number) & MSG_TRUNC) !== 0) {
      totals[totalAt.cutDatagrams] = (totals[totalAt.cutDatagrams] as number) + 1;
    }
    // A control message comes only once something was dropped; the count is of 32 bits and goes round.
    if ((words[at + header.controlLength] as number) > 0) {
      const told = words[(this.#controlsAt + i * controlMessageBytes + 16) >>> 2] as number;
      const known = kernelDrops[socket] as number;
      kernelDrops[socket] = known + ((told - known) >>> 0);
    }
    // The kernel wrote what it used of both.
    words[at + header.controlLength] = controlMessageBytes;
    words[at + header.nameLength] = nameBytes;
    const port = this.#readSender(this.#namesAt + i * nameBytes);
    this.#writer.write(this.#slotsAt + i * this.#slotBytes, dataBytes, (socket << 16 | port) >>> 0, queuedMs,
      kernelDrops[socket] as number);
  }

  /** Address to the writer. @returns the port */
  #readSender(at: number): number {
    const view = this.#view;
    const { address } = this.#writer;
    if (view.getUint16(at, true) === AF_INET) {
      address[0] = 0;
      address[1] = 0;
      address[2] = mappedWord;
      address[3] = view.getUint32(at + 4);
    } else {
      address[0] = view.getUint32(at + 8);
      address[1] = view.getUint32(at + 12);
      address[2] = view.getUint32(at + 16);
      address[3] = view.getUint32(at + 20);
    }
    return view.getUint16(at + 2);
  }

  #noteError(): void {
    const name = errnoName(this.#libc);
    if (name === 'EAGAIN' || name === 'EINTR') return;
    const { totals, control } = this.#memory;
    totals[totalAt.socketErrors] = (totals[totalAt.socketErrors] as number) + 1;
    Atomics.wait(control, controlWord.stop, 0, afterErrorMs);
  }

  #prepare(i: number, vectorsAt: number): void {
    const view = this.#view;
    const pointer = (at: number, target: number): void =>
      view.setBigUint64(at, BigInt(this.#address + target), true);
    const size = (at: number, bytes: number): void => view.setBigUint64(at, BigInt(bytes), true);
    const at = this.#headersAt + i * headerBytes;
    const vectorAt = vectorsAt + i * vectorBytes;
    pointer(at, this.#namesAt + i * nameBytes);
    view.setUint32(at + header.nameLength * 4, nameBytes, true);
    pointer(at + 16, vectorAt);
    size(at + 24, 1);
    pointer(at + 32, this.#controlsAt + i * controlMessageBytes);
    size(at + header.controlLength * 4, controlMessageBytes);
    pointer(vectorAt, this.#slotsAt + i * this.#slotBytes);
    size(vectorAt + 8, this.#options.datagramBytesMax);
  }

  #word(i: number, field: number): number {
    return this.#memory.words[((this.#headersAt + i * headerBytes) >>> 2) + field] as number;
  }
}
