/**
 * Datagrams by Node's own sockets: the fall-back where the C library cannot be called. The same interface and the same
 * counts, but a third of the speed, and the kernel's drops are looked up now and then instead of told by each datagram.
 */
import { limits, type AddressWords } from '#base';
import type { ExportDatagram } from '../export-datagrams.ts';
import { readKernelDrops } from '../listen/kernel-drops.ts';
import { UdpListener } from '../listen/udp-listener.ts';
import { recordBytesOf } from './datagram-ring.ts';
import type {
  DatagramReceiverOptions, DatagramReceiverParts, DatagramSource, ReceivedDatagram, ReceiverCounts, ReceiverSocket,
} from './received-datagram.ts';

/** How often the kernel's drops are looked up; a gap is told from loss on the way no finer. */
const dropsEveryMs = 200;
/** Turns of the event loop without a datagram after which the kernel holds none. */
const quietTurns = 3;
const drainTurnsMax = 10_000;

export class PlainDatagrams implements DatagramSource {
  readonly kind = 'dgram';
  readonly #options: DatagramReceiverOptions;
  readonly #parts: DatagramReceiverParts;
  readonly #listener: UdpListener;
  /** What came while the reader paused. */
  #kept: ReceivedDatagram[] = [];
  #keptBytes = 0;
  #isPaused = false;
  #timer: NodeJS.Timeout | undefined;
  #sockets: readonly ReceiverSocket[] = [];
  /** [socket] */
  #kernelDrops: (number | undefined)[] = [];
  #arrived = 0;
  #datagrams = 0;
  #bytes = 0;
  #ringDrops = 0;
  #ringBytesUsedMax = 0;
  readonly #dropsOf = new Map<string, number>();
  #dropsOfOthers = 0;

  /** Opens nothing yet. */
  constructor(options: DatagramReceiverOptions, parts: DatagramReceiverParts) {
    this.#options = options;
    this.#parts = parts;
    const { listen, receiveBufferBytes } = options;
    this.#listener = new UdpListener({ listen, receiveBufferBytes, exporters: [] }, {
      ...parts, accept: (datagram, sourcePort, socket) => this.#take(datagram, sourcePort, socket),
    });
  }

  async start(): Promise<void> {
    await this.#listener.start();
    this.#sockets = this.#listener.sockets()
      .map((place) => ({ ...place, askedBytes: this.#options.receiveBufferBytes }));
    await this.#readDrops();
    this.#timer = setInterval(() => void this.#readDrops(), dropsEveryMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.resume();
    let quiet = 0;
    for (let turn = 0; turn < drainTurnsMax && quiet < quietTurns; turn++) {
      const before = this.#arrived;
      await new Promise(setImmediate);
      quiet = this.#arrived === before ? quiet + 1 : 0;
    }
    if (this.#sockets.length > 0) await this.#readDrops();
    await this.#listener.stop();
    this.#sockets = [];
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const kept = this.#kept;
    this.#kept = [];
    this.#keptBytes = 0;
    for (const datagram of kept) this.#handOn(datagram);
  }

  sockets(): readonly ReceiverSocket[] {
    return this.#sockets;
  }

  async counts(): Promise<ReceiverCounts> {
    if (this.#sockets.length > 0) await this.#readDrops();
    const { socketErrors } = await this.#listener.counts();
    return {
      kind: this.kind, datagrams: this.#datagrams, bytes: this.#bytes, cutDatagrams: 0,
      kernelDrops: this.#kernelDrops.includes(undefined) ? undefined
        : this.#kernelDrops.reduce<number>((sum, drops) => sum + (drops ?? 0), 0),
      ringDrops: this.#ringDrops, ringBytesUsedMax: this.#ringBytesUsedMax, ringBytes: this.#ringBytes(), socketErrors,
    };
  }

  ringDropsOf(address: AddressWords): number {
    return this.#dropsOf.get(address.join()) ?? this.#dropsOfOthers;
  }

  #ringBytes(): number {
    return this.#options.ringBytes ?? limits.receiveRingBytes;
  }

  async #readDrops(): Promise<void> {
    this.#kernelDrops = await Promise.all(this.#sockets.map((socket) => readKernelDrops([socket])));
  }

  #take(datagram: ExportDatagram, sourcePort: number, socket: number): void {
    this.#arrived++;
    const isDropping = this.#ringDrops > 0;
    const kernelDrops = (this.#kernelDrops[socket] ?? 0) + (isDropping ? this.ringDropsOf(datagram.exporter) : 0);
    const received = { ...datagram, sourcePort, socket, kernelDrops };
    if (this.#isPaused) this.#keep(received);
    else this.#handOn(received);
  }

  #handOn(datagram: ReceivedDatagram): void {
    this.#datagrams++;
    this.#bytes += datagram.bytes.length;
    this.#parts.accept(datagram);
  }

  /** Node's sockets cannot be told to wait, so it is the ring that overflows, and never the kernel's buffer. */
  #keep(datagram: ReceivedDatagram): void {
    const bytes = recordBytesOf(datagram.bytes.length);
    if (this.#keptBytes + bytes > this.#ringBytes()) {
      this.#countDrop(datagram.exporter);
      return;
    }
    this.#kept.push({ ...datagram, bytes: Uint8Array.from(datagram.bytes) });
    this.#keptBytes += bytes;
    this.#ringBytesUsedMax = Math.max(this.#ringBytesUsedMax, this.#keptBytes);
  }

  #countDrop(address: AddressWords): void {
    this.#ringDrops++;
    const key = address.join();
    const known = this.#dropsOf.get(key);
    const isFull = this.#dropsOf.size >= (this.#options.dropAddressesMax ?? limits.dropAddressesMax);
    if (known === undefined && isFull) this.#dropsOfOthers++;
    else this.#dropsOf.set(key, (known ?? 0) + 1);
  }
}
