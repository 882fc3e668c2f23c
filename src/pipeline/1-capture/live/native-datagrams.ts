/**
 * Datagrams by recvmmsg on a thread of its own. This side opens and closes the sockets, starts the thread (anew when it
 * fails), and hands on what it put in the ring, in turns that leave room for timers and other sockets.
 */
import { Worker } from 'node:worker_threads';
import { describeError, EnvironmentError, limits, type AddressWords } from '#base';
import type { ListenAddress } from '../listen/listen-address.ts';
import { controlWord, RingMemory, totalAt } from './datagram-ring.ts';
import { loadLibc, type Libc } from './libc.ts';
import { scratchBytesOf } from './receive-loop.ts';
import { threadReady, type ReceiveJob } from './receive-job.ts';
import type {
  DatagramReceiverOptions, DatagramReceiverParts, DatagramSource, ReceiverCounts, ReceiverSocket,
} from './received-datagram.ts';
import { RingReader } from './ring-reader.ts';
import { bindUdpSocket, openUdpSocket, readSocketDrops, type UdpSocket } from './udp-socket.ts';

/** Time that one turn of reading takes at most, before others have theirs. */
const turnMs = 4;
/** Before a thread that failed is started anew. */
const restartMs = 1_000;

export class NativeDatagrams implements DatagramSource {
  readonly kind = 'recvmmsg';
  readonly #libc: Libc;
  readonly #listen: readonly ListenAddress[];
  readonly #parts: DatagramReceiverParts;
  readonly #options: DatagramReceiverOptions;
  readonly #memory: RingMemory;
  readonly #reader: RingReader;
  #opened: readonly UdpSocket[] = [];
  #isRunning = false;
  #threadEnded: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;
  #isPaused = false;
  #isStopping = false;
  #hasTurn = false;
  #closedDrops = 0;
  readonly #mayGoOn = (): boolean => !this.#isPaused;

  /** Opens nothing yet. @throws EnvironmentError  `no-native-calls` */
  constructor(options: DatagramReceiverOptions, parts: DatagramReceiverParts) {
    this.#libc = loadLibc();
    this.#options = options;
    this.#listen = options.listen;
    this.#parts = parts;
    this.#memory = new RingMemory({
      ringBytes: options.ringBytes ?? limits.receiveRingBytes,
      sockets: options.listen.length,
      dropAddresses: options.dropAddressesMax ?? limits.dropAddressesMax,
      scratchBytes: scratchBytesOf(options.datagramBytesMax ?? limits.receivedDatagramLengthMax),
    });
    this.#reader = new RingReader(this.#memory, parts);
  }

  async start(): Promise<void> {
    const opened: UdpSocket[] = [];
    try {
      for (const place of this.#listen) {
        opened.push(openUdpSocket(this.#libc, place, this.#listen, this.#options.receiveBufferBytes));
      }
      if (opened.length === 0) return;
      Atomics.store(this.#memory.control, controlWord.readerAsleep, 1);
      // At full rate the kernel's buffer would be full before a thread has started: the thread comes first.
      await this.#startThread(opened);
      this.#opened = opened.map((socket) => bindUdpSocket(this.#libc, socket));
    } catch (thrown) {
      await this.#endThread();
      for (const { descriptor } of opened) this.#libc.close(descriptor);
      throw thrown;
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  pause(): void {
    if (this.#isStopping) return;
    this.#isPaused = true;
    Atomics.store(this.#memory.control, controlWord.paused, 1);
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    Atomics.store(this.#memory.control, controlWord.paused, 0);
    this.#takeTurn();
  }

  sockets(): readonly ReceiverSocket[] {
    return this.#opened.map(({ place }) => place);
  }

  counts(): Promise<ReceiverCounts> {
    const { totals, shape } = this.#memory;
    return Promise.resolve({
      kind: this.kind, datagrams: this.#reader.datagrams, bytes: this.#reader.bytes,
      cutDatagrams: totals[totalAt.cutDatagrams] as number,
      kernelDrops: this.#closedDrops + this.#readDrops(),
      ringDrops: totals[totalAt.ringDrops] as number,
      ringBytesUsedMax: totals[totalAt.ringBytesUsedMax] as number, ringBytes: shape.ringBytes,
      socketErrors: totals[totalAt.socketErrors] as number,
    });
  }

  ringDropsOf(address: AddressWords): number {
    return this.#memory.ringDropsOf(address);
  }

  async #stop(): Promise<void> {
    this.resume();
    await this.#endThread();
    while (this.#reader.read(turnMs, this.#mayGoOn)) await new Promise(setImmediate);
    this.#closedDrops = this.#readDrops();
    for (const { descriptor } of this.#opened) this.#libc.close(descriptor);
    this.#opened = [];
  }

  /** The kernel's own count, with what no datagram has told of yet; beyond 2^32 the thread knows better. */
  #readDrops(): number {
    let drops = 0;
    this.#opened.forEach(({ descriptor }, socket) => {
      const known = this.#memory.kernelDrops[socket] as number;
      drops += known + (((readSocketDrops(this.#libc, descriptor) ?? known) - known) >>> 0);
    });
    return drops;
  }

  /** Lets a thread take what came before, and end. */
  async #endThread(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const { control } = this.#memory;
    Atomics.store(control, controlWord.stop, 1);
    Atomics.notify(control, controlWord.stop);
    // One that failed a moment ago left what the kernel holds.
    if (!this.#isRunning && this.#opened.length > 0) void this.#startThread(this.#opened);
    await this.#threadEnded;
  }

  /** @returns when it receives, or has failed */
  #startThread(sockets: readonly UdpSocket[]): Promise<void> {
    const job: ReceiveJob = {
      shape: this.#memory.shape, buffer: this.#memory.buffer,
      loop: {
        descriptors: sockets.map(({ descriptor }) => descriptor),
        receiveBufferBytes: sockets.map(({ place }) => place.receiveBufferBytes),
        datagramBytesMax: this.#options.datagramBytesMax ?? limits.receivedDatagramLengthMax,
      },
    };
    const { workerFile = new URL('./receive-worker.ts', import.meta.url) } = this.#options;
    const thread = new Worker(workerFile, { workerData: job });
    this.#isRunning = true;
    let failure = '';
    thread.on('error', (thrown) => { failure = describeError(thrown); });
    this.#threadEnded = new Promise((resolve) => thread.on('exit', (code) => {
      this.#isRunning = false;
      if (!this.#isStopping) this.#noteEnd(failure === '' ? `exit code ${code}` : failure);
      resolve();
    }));
    const ready = new Promise<void>((resolve) => thread.on('message', (said: number) => {
      if (said === threadReady) resolve();
      else this.#takeTurn();
    }));
    return Promise.race([ready, this.#threadEnded]);
  }

  #noteEnd(why: string): void {
    this.#parts.onError?.(new EnvironmentError('worker-failed',
      `The thread that receives datagrams ended (${why}); it is started anew.`));
    this.#restart = setTimeout(() => void this.#startThread(this.#opened), restartMs);
  }

  /** Reads for a while, and again soon if there is more. */
  #takeTurn(): void {
    if (this.#hasTurn || this.#isPaused) return;
    const { control } = this.#memory;
    Atomics.store(control, controlWord.readerAsleep, 0);
    let isMore = true;
    try {
      isMore = this.#reader.read(turnMs, this.#mayGoOn);
      if (!isMore && !this.#isPaused) {
        Atomics.store(control, controlWord.readerAsleep, 1);
        // What came between the last look and going to sleep would wake nobody.
        isMore = this.#memory.usedBytes() > 0;
      }
    } finally {
      if (isMore && !this.#isPaused) {
        this.#hasTurn = true;
        setImmediate(() => {
          this.#hasTurn = false;
          this.#takeTurn();
        });
      }
    }
  }
}
