/**
 * LiveCapture: packets of an interface as batches, out of the ring that `packet-socket.ts` opened. Needs no right.
 * Every packet that the kernel counted is handed on or in `kernelDrops`; after `stop` the two are exact to the packet.
 * Waits in `poll` on a thread of libuv. Measured idle and with the meter at 150,000 packets/s: 0.1 % and 8 % of a core;
 * a worker that polls 0.5 %, 9 % and 14 MiB more; a timer of 5 ms 1.3 % and 7.5 %, and packets later.
 */
import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { assertInvariant, Counts, EnvironmentError, systemClock, type ProblemCode } from '#base';
import { createPacketBatch, type PacketBatch } from '../packet-batch.ts';
import type { AllocateWindow } from '../record-window.ts';
import { findInterface, nameOfInterface, type InterfaceFacts } from './interfaces.ts';
import { errnoName, loadLibc, type Libc } from './libc.ts';
import {
  attachFilter, bindPacketSocket, closedFilter, joinPromiscuous, optionError, optionStatistics, packetLevel,
  socketLevel, words,
} from './packet-calls.ts';
import { blockField, blockIsOurs, RingBlock } from './packet-ring.ts';
import type { PacketSocketHandle } from './packet-socket.ts';

/** `away`: there is no interface of that name now. */
export type InterfaceState = 'up' | 'down' | 'away';

export type LiveCaptureCounts = {
  /** Frames read from the ring; always `rows + rejected.total()`. */
  readonly frames: number;
  /** Frames handed on. */
  readonly rows: number;
  readonly rejected: Counts<ProblemCode>;
  /** Packets that the kernel had for us, those that it dropped among them. */
  readonly kernelPackets: number;
  /** Packets for which the ring had no room. */
  readonly kernelDrops: number;
  /** How often the ring was full. */
  readonly ringFreezes: number;
  readonly vlanRestored: number;
  /** Frames longer than the snap length. */
  readonly cutFrames: number;
  /** Frames longer than the interface can carry: several packets that card or kernel joined (GRO, TSO), seen as one. */
  readonly joinedFrames: number;
  /** How often the interface went down or away. */
  readonly interfaceLosses: number;
};

/** PROT_READ | PROT_WRITE, and MAP_SHARED. */
const mapReadWrite = 3;
const mapShared = 1;
/** POLLIN, POLLERR, POLLHUP and POLLNVAL. */
const pollIn = 1;
const pollTrouble = 0x08 | 0x10 | 0x20;
/** EFD_CLOEXEC and EFD_NONBLOCK. */
const eventFlags = 0o2000000 | 0o4000;
/** What is added to an event: 1, in 64 bits. */
const eventOne = new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]);
/** ENETDOWN: the interface went down; what poll says of it once. */
const errorNetDown = 100;
/** How often counts are fetched, so that 32 bits never overflow, and an interface that is away is looked for. */
const lookMs = 1_000;
/** One wait: a process that ends in the middle of one waits for the thread in it. */
const waitMsMax = 250;
/** Another processor may be just taking a packet by the filter before when we stop. */
const settleMs = 5;
/** Beyond the block time-out, what the kernel may take to hand on the last block. */
const drainMs = 500;

export class LiveCapture {
  readonly interfaceName: string;
  readonly #handle: PacketSocketHandle;
  readonly #libc: Libc;
  readonly #ringAddress: number;
  readonly #ringBytes: number;
  /** Undefined when closed: the memory behind is gone then. */
  #ring: Uint8Array | undefined;
  #status: Int32Array | undefined;
  readonly #block: RingBlock;
  readonly #batch: PacketBatch;
  readonly #rejected = new Counts<ProblemCode>();
  /** Two `struct pollfd`: the socket, and the event by which stopping wakes us. */
  readonly #polled: Int32Array;
  readonly #polledAddress: number;
  readonly #event: number;
  readonly #statistics = words(0, 0, 0);
  #interfaceIndex: number;
  #state: InterfaceState = 'up';
  #nextBlock = 0;
  #kernelPackets = 0;
  #kernelDrops = 0;
  #ringFreezes = 0;
  #interfaceLosses = 0;
  #lookedMs = -Infinity;
  #stoppedMs: number | undefined;
  #isReading = false;

  /**
   * Maps the ring. The descriptor is ours from now on, and closed by `close`.
   *
   * @param handle   from `openPacketSocket`, in this process or one that became this one
   * @param options  `allocate` gives the memory that batches point into; `libc` is given by tests only
   * @throws EnvironmentError  `no-native-calls`, or `network`: the ring cannot be mapped
   */
  constructor(handle: PacketSocketHandle, options: {
    batchRows?: number; allocate?: AllocateWindow; libc?: Libc;
  } = {}) {
    this.#handle = handle;
    this.interfaceName = handle.interfaceName;
    this.#interfaceIndex = handle.interfaceIndex;
    this.#libc = options.libc ?? loadLibc();
    this.#ringBytes = handle.blockBytes * handle.blockCount;
    this.#ringAddress = this.#libc.mmap(0, this.#ringBytes, mapReadWrite, mapShared, handle.descriptor, 0);
    if (this.#ringAddress === -1) {
      throw new EnvironmentError('network',
        `the packet ring of ${handle.interfaceName} cannot be mapped (${errnoName(this.#libc)}).`);
    }
    const memory = this.#libc.view(this.#ringAddress, this.#ringBytes);
    this.#ring = new Uint8Array(memory);
    this.#status = new Int32Array(memory);
    const { blockBytes } = handle;
    this.#block = new RingBlock(options.allocate?.(blockBytes) ?? new Uint8Array(blockBytes), handle);
    this.#batch = createPacketBatch(options.batchRows);
    this.#event = this.#libc.eventfd(0, eventFlags);
    if (this.#event < 0) {
      throw new EnvironmentError('network', `no event to wake a capture by (${errnoName(this.#libc)}).`);
    }
    this.#polled = new Int32Array(new ArrayBuffer(16));
    this.#polled.set([handle.descriptor, pollIn, this.#event, pollIn]);
    this.#polledAddress = this.#libc.addressOf(this.#polled);
  }

  /** Whether packets can come at all. */
  get state(): InterfaceState {
    return this.#state;
  }

  counts(): LiveCaptureCounts {
    this.#readStatistics();
    this.#block.flush(this.#rejected);
    const { frames, rows, vlanRestored, cutFrames, joinedFrames } = this.#block;
    return {
      frames, rows, rejected: this.#rejected, kernelPackets: this.#kernelPackets, kernelDrops: this.#kernelDrops,
      ringFreezes: this.#ringFreezes, vlanRestored, cutFrames, joinedFrames, interfaceLosses: this.#interfaceLosses,
    };
  }

  /**
   * Packets as they come, in the kernel's order. One batch is filled again and again: valid until the next is asked
   * for. Goes on while the interface is down or away, and ends when `stop` was called and everything was handed on.
   *
   * @param tickMs  an empty batch comes at least so often, so that time can pass without packets
   * @throws EnvironmentError  `network`: the socket failed for good
   */
  async *batches(tickMs: number): AsyncGenerator<PacketBatch, void, void> {
    assertInvariant(!this.#isReading, 'a live capture is read once');
    this.#isReading = true;
    const batch = this.#batch;
    let handedMs = systemClock.monotonicMs();
    let hasWaited = false;
    while (this.#ring !== undefined) {
      if (!this.#block.isEmpty || this.#takeBlock()) {
        batch.rowCount = 0;
        this.#block.parse(batch);
        hasWaited = false;
      } else {
        if (this.#isDrained()) return;
        batch.rowCount = 0;
        await this.#wait(Math.max(1, handedMs + tickMs - systemClock.monotonicMs()));
        hasWaited = true;
      }
      const nowMs = systemClock.monotonicMs();
      if (nowMs - this.#lookedMs >= lookMs) this.#look(nowMs);
      if (batch.rowCount > 0 || nowMs - handedMs >= tickMs) {
        yield batch;
        handedMs = systemClock.monotonicMs();
      }
      // Timers and sockets of others get their turn between two blocks.
      if (!hasWaited && this.#block.isEmpty) await setImmediate();
    }
  }

  /** Takes no more packets; `batches` hands on what the ring holds and ends. */
  stop(): void {
    if (this.#stoppedMs !== undefined || this.#ring === undefined) return;
    this.#stoppedMs = systemClock.monotonicMs();
    // A filter that takes nothing stops the kernel at once and leaves the ring as it is.
    attachFilter(this.#libc, this.#handle.descriptor, closedFilter);
    this.#wake();
  }

  /** Closes the socket and gives the ring back; the counts stay. */
  close(): void {
    if (this.#ring === undefined) return;
    this.#readStatistics();
    this.#wake();
    this.#ring = undefined;
    this.#status = undefined;
    this.#libc.munmap(this.#ringAddress, this.#ringBytes);
    this.#libc.close(this.#handle.descriptor);
    this.#libc.close(this.#event);
  }

  /** Copies the next block, if the kernel has handed it on, and gives it back. */
  #takeBlock(): boolean {
    const { blockBytes, blockCount } = this.#handle;
    const status = this.#status as Int32Array;
    const start = this.#nextBlock * blockBytes;
    const at = (start + blockField.status) / 4;
    // The kernel writes the status last and reads it first, and so do we: atomics keep that order.
    if ((Atomics.load(status, at) & blockIsOurs) === 0) return false;
    this.#block.load((this.#ring as Uint8Array).subarray(start, start + blockBytes));
    Atomics.store(status, at, 0);
    this.#nextBlock = (this.#nextBlock + 1) % blockCount;
    return true;
  }

  /** True when, after `stop`, every packet that the kernel counted was read. */
  #isDrained(): boolean {
    if (this.#stoppedMs === undefined) return false;
    const stoppedForMs = systemClock.monotonicMs() - this.#stoppedMs;
    if (stoppedForMs < settleMs) return false;
    this.#readStatistics();
    return this.#block.frames >= this.#kernelPackets - this.#kernelDrops ||
      stoppedForMs > this.#handle.blockTimeoutMs * 4 + drainMs;
  }

  /** Waits for a block, `stop`, trouble or the time. */
  async #wait(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const isStopping = this.#stoppedMs !== undefined;
    // The event stays set once it is: while stopping, only the socket is waited for.
    this.#libc.pollAside(this.#polledAddress, isStopping ? 1 : 2,
      Math.ceil(Math.min(durationMs, isStopping ? this.#handle.blockTimeoutMs : waitMsMax)), resolve);
    await promise;
    if (this.#ring !== undefined && (((this.#polled[1] as number) >>> 16) & pollTrouble) !== 0) this.#readTrouble();
  }

  #wake(): void {
    writeSync(this.#event, eventOne);
  }

  /** What is wrong with the socket; asking takes it back. */
  #readTrouble(): void {
    const error = words(0);
    const isAsked = this.#libc.getsockopt(this.#handle.descriptor, socketLevel, optionError, error,
      new Uint32Array([4])) === 0;
    const code = new DataView(error.buffer).getInt32(0, true);
    if (isAsked && code === 0) return;
    if (!isAsked || code !== errorNetDown) {
      throw new EnvironmentError('network', `packets of ${this.interfaceName} cannot be received any more ` +
        `(${isAsked ? getSystemErrorName(-code) : errnoName(this.#libc)}).`);
    }
    if (this.#state === 'up') this.#interfaceLosses++;
    this.#state = 'down';
    this.#look(systemClock.monotonicMs());
  }

  /** Fetches the counts, and looks whether the interface is there. */
  #look(nowMs: number): void {
    this.#lookedMs = nowMs;
    this.#readStatistics();
    const { descriptor, interfaceName } = this.#handle;
    const libc = this.#libc;
    // By number first: an interface that was renamed is still ours, and the kernel goes on by itself when it is up
    // again.
    const nameNow = nameOfInterface(libc, descriptor, this.#interfaceIndex) ?? interfaceName;
    const facts = findInterface(libc, descriptor, nameNow);
    const before = this.#state;
    this.#state = facts === undefined ? 'away' : facts.isUp ? 'up' : 'down';
    if (before === 'up' && this.#state !== 'up') this.#interfaceLosses++;
    if (facts === undefined) return;
    if (facts.index !== this.#interfaceIndex || (before !== 'up' && this.#state === 'up')) this.#bindAnew(facts);
  }

  /**
   * An interface that was made anew under the same name, as dialled connections are, gives no packets to the binding of
   * the old one, even with the old number. Where it is the old one, this changes nothing.
   */
  #bindAnew(facts: InterfaceFacts): void {
    const { descriptor, hardwareKind, isPromiscuous, interfaceName } = this.#handle;
    if (facts.hardwareKind !== hardwareKind) {
      throw new EnvironmentError('network', `${interfaceName} came back as an interface of another kind: start anew.`);
    }
    if (bindPacketSocket(this.#libc, descriptor, facts.index) < 0) {
      this.#state = 'away';
      return;
    }
    // The membership went with the old interface; asked for twice, it is counted twice and held until we close.
    if (isPromiscuous) joinPromiscuous(this.#libc, descriptor, facts.index);
    this.#interfaceIndex = facts.index;
  }

  /** The kernel's counts begin anew whenever they are read. */
  #readStatistics(): void {
    if (this.#ring === undefined) return;
    const bytes = this.#statistics;
    if (this.#libc.getsockopt(this.#handle.descriptor, packetLevel, optionStatistics, bytes,
      new Uint32Array([bytes.length])) < 0) return;
    const view = new DataView(bytes.buffer);
    this.#kernelPackets += view.getUint32(0, true);
    this.#kernelDrops += view.getUint32(4, true);
    this.#ringFreezes += view.getUint32(8, true);
  }
}
