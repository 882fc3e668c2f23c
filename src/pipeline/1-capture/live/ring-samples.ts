/**
 * Blocks of a packet ring made byte by byte, and a kernel that hands them out, for the tests of this folder only.
 * Written from Linux's packet_mmap.rst and if_packet.h, not from the reader, so that both do not share a mistake.
 */
import type { Libc } from './libc.ts';
import type { PacketSocketHandle } from './packet-socket.ts';

export type SampleRingFrame = {
  /** From the link header on, or from the network header in a cooked ring. */
  readonly bytes: Uint8Array;
  readonly seconds?: number;
  readonly nanoseconds?: number;
  /** On the wire. */
  readonly wireBytes?: number;
  /** Tag that the kernel took off; its protocol is told by newer kernels only. */
  readonly tag?: { readonly control: number; readonly protocol?: number };
  /** Of a cooked frame: EtherType. */
  readonly protocol?: number;
};

/** Bytes from a frame's beginning to its link header, as the kernel lays it out: 82 for Ethernet, 96 without. */
const ethernetAt = 82;
const cookedAt = 96;

/** A block as the kernel leaves it, in as many bytes as it has. */
export function ringBlock(blockBytes: number, frames: readonly SampleRingFrame[], isCooked = false): Uint8Array {
  const block = new Uint8Array(blockBytes).fill(0xee);
  const view = new DataView(block.buffer);
  let at = 48;
  for (const [i, frame] of frames.entries()) {
    const { bytes, seconds = 1, nanoseconds = 0, wireBytes = bytes.length, tag, protocol = 0x0800 } = frame;
    const dataAt = isCooked ? cookedAt : ethernetAt;
    const next = Math.ceil((dataAt + bytes.length) / 16) * 16;
    if (at + next > blockBytes) throw new Error(`frame ${i} does not fit`);
    const status = 1 | (tag === undefined ? 0 : 0x10) | (tag?.protocol === undefined ? 0 : 0x40);
    const header = [i === frames.length - 1 ? 0 : next, seconds, nanoseconds, bytes.length, wireBytes, status];
    for (const [word, value] of header.entries()) view.setUint32(at + 4 * word, value, true);
    view.setUint16(at + 24, dataAt, true);
    view.setUint16(at + 26, isCooked ? dataAt : dataAt + 14, true);
    view.setUint32(at + 28, 0xdeadbeef, true);
    view.setUint32(at + 32, tag?.control ?? 0xffffffff, true);
    view.setUint16(at + 36, tag?.protocol ?? 0xffff, true);
    // struct sockaddr_ll: family, then the protocol in network order.
    view.setUint16(at + 48, 17, true);
    view.setUint16(at + 50, protocol);
    block.set(bytes, at + dataAt);
    at += next;
  }
  view.setUint32(0, 3, true);
  view.setUint32(4, 0, true);
  view.setUint32(8, 1, true);
  view.setUint32(12, frames.length, true);
  view.setUint32(16, 48, true);
  view.setUint32(20, at, true);
  return block;
}

/** What `ioctl` finds of an interface. */
export type FakeInterface = { name: string; index: number; hardwareKind: number; isUp: boolean };

/**
 * The calls that a live capture makes, over memory of ours. What is put into the ring waits until poll is asked; with
 * nothing to give, poll says that its time is over.
 */
export class FakeKernel {
  readonly handle: PacketSocketHandle;
  readonly ring: Uint8Array;
  interfaces: FakeInterface[] = [{ name: 'eth0', index: 2, hardwareKind: 1, isUp: true }];
  /** What the socket's error says next: ENETDOWN is 100. */
  socketError = 0;
  isClosed = false;
  isStopped = false;
  readonly bound: number[] = [];
  polls = 0;
  joined = 0;
  /** Done at the next polls, one each. */
  readonly script: (() => void)[] = [];
  #packets = 0;
  #drops = 0;
  #nextBlock = 0;
  #answer: Int32Array | undefined;

  constructor(handle: Partial<PacketSocketHandle> = {}) {
    this.handle = {
      descriptor: 7, interfaceName: 'eth0', interfaceIndex: 2, hardwareKind: 1, isCooked: false, isPromiscuous: false,
      mtuBytes: 1_500, blockBytes: 1 << 16, blockCount: 2, blockTimeoutMs: 1, snapBytes: 65_000, ...handle,
    };
    this.ring = new Uint8Array(new ArrayBuffer(this.handle.blockBytes * this.handle.blockCount));
  }

  /** Fills the next block as the kernel would, or drops the packets when the reader still has it. */
  put(frames: readonly SampleRingFrame[]): void {
    this.#packets += frames.length;
    const start = this.#nextBlock * this.handle.blockBytes;
    if (this.ring[start + 8] !== 0) {
      this.#drops += frames.length;
      return;
    }
    this.ring.set(ringBlock(this.handle.blockBytes, frames, this.handle.isCooked), start);
    this.#nextBlock = (this.#nextBlock + 1) % this.handle.blockCount;
  }

  /** Packets that are counted, but that no block will ever give. */
  count(packets: number): void {
    this.#packets += packets;
  }

  readonly #getsockopt: Libc['getsockopt'] = (_socket, level, name, value) => {
    const view = new DataView(value.buffer, value.byteOffset);
    if (level === 1 && name === 4) {
      view.setInt32(0, this.socketError, true);
      this.socketError = 0;
      return 0;
    }
    view.setUint32(0, this.#packets, true);
    view.setUint32(4, this.#drops, true);
    view.setUint32(8, this.#drops > 0 ? 1 : 0, true);
    this.#packets = 0;
    this.#drops = 0;
    return 0;
  };

  readonly #ioctl: Libc['ioctl'] = (_descriptor, request, value) => {
    const view = new DataView(value.buffer, value.byteOffset);
    const name = new TextDecoder().decode(value.subarray(0, value.indexOf(0)));
    const index = view.getInt32(16, true);
    const found = this.interfaces.find((one) => request === 0x8910 ? one.index === index : one.name === name);
    if (found === undefined) return -1;
    if (request === 0x8910) value.set(new TextEncoder().encode(`${found.name}\0`));
    else if (request === 0x8913) view.setUint16(16, found.isUp ? 1 : 0, true);
    else if (request === 0x8921) view.setInt32(16, 1_500, true);
    else if (request === 0x8927) view.setUint16(16, found.hardwareKind, true);
    else view.setInt32(16, found.index, true);
    return 0;
  };

  readonly #pollAside: Libc['pollAside'] = (_descriptors, _count, timeoutMs, done) => {
    this.polls++;
    const step = this.script.shift();
    step?.();
    setTimeout(() => {
      // Events of the socket, in the upper half of its second word: POLLERR when there is an error.
      if (this.#answer !== undefined) this.#answer[1] = 1 | ((this.socketError === 0 ? 0 : 8) << 16);
      done();
    }, step === undefined ? Math.min(timeoutMs, 5) : 0);
  };

  /** @param event  a descriptor that can be written to, for waking */
  libc(event: number): Libc {
    const calls: Pick<Libc, 'close' | 'bind' | 'setsockopt' | 'getsockopt' | 'mmap' | 'munmap' | 'ioctl' | 'eventfd' |
      'pollAside' | 'errno' | 'view' | 'addressOf'> = {
      close: (descriptor) => {
        if (descriptor === this.handle.descriptor) this.isClosed = true;
        return 0;
      },
      bind: (_socket, address) => {
        this.bound.push(new DataView(address.buffer).getInt32(4, true));
        return 0;
      },
      setsockopt: (_socket, level) => {
        if (level === 1) this.isStopped = true;
        else this.joined++;
        return 0;
      },
      getsockopt: this.#getsockopt,
      mmap: () => 4_096,
      munmap: () => 0,
      ioctl: this.#ioctl,
      eventfd: () => event,
      pollAside: this.#pollAside,
      errno: () => 0,
      view: () => this.ring.buffer as ArrayBuffer,
      addressOf: (bytes) => {
        if (bytes instanceof Int32Array) this.#answer = bytes;
        return 8_192;
      },
    };
    // A live capture makes no others; one that did would end its test.
    return calls as Libc;
  }
}
