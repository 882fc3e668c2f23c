/**
 * Export datagrams off the network by UDP (NetFlow v5 and v9, IPFIX: RFC 7011 §10.3). Hands on what allowed exporters
 * sent, with their address and the time; counts the rest without looking at it. What the kernel drops because we are
 * too slow is counted too: UDP tells nobody of loss.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { assertInvariant, type Prefix } from '#base';
import type { ExportDatagram } from '../export-datagrams.ts';
import { ExporterGate } from './exporter-gate.ts';
import { readKernelDrops } from './kernel-drops.ts';
import { isOnlyIPv6, type ListenAddress } from './listen-address.ts';
import { describeListenFailure, formatPlace } from './listen-failure.ts';

export type UdpListenerOptions = {
  /** Those of transport `udp` are listened at. */
  readonly listen: readonly ListenAddress[];
  /** Who may send; empty: everybody. */
  readonly exporters: readonly Prefix[];
  /** Asked of the kernel for each socket, which may grant less. */
  readonly receiveBufferBytes: number;
};

export type ListenerParts = {
  /** Time of arrival. */
  readonly nowMs: () => number;
  /** Takes a datagram; its bytes are valid during the call only. */
  readonly accept: (datagram: ExportDatagram) => void;
  /** A socket failed after it was opened; it is listened on with the others. */
  readonly onError?: (error: Error) => void;
};

export type UdpListenerParts = Omit<ListenerParts, 'accept'> & {
  /** @param socket  index in `sockets()` */
  readonly accept: (datagram: ExportDatagram, sourcePort: number, socket: number) => void;
};

export type UdpCounts = {
  /** Handed on; `datagrams + foreignDatagrams` came in. */
  readonly datagrams: number;
  readonly bytes: number;
  /** From addresses that are no allowed exporter; not decoded. */
  readonly foreignDatagrams: number;
  readonly socketErrors: number;
  /** Dropped by the kernel because its buffer was full; undefined where that cannot be read (no Linux). */
  readonly kernelDrops: number | undefined;
};

/** Where a socket listens, and how large a buffer it has. */
export type ListeningSocket = {
  readonly address: string;
  readonly port: number;
  /** What datagrams may take in the kernel; less than asked for where `net.core.rmem_max` says so. */
  readonly receiveBufferBytes: number;
};

type Opened = { readonly socket: Socket; readonly place: ListeningSocket };

export class UdpListener {
  readonly #options: UdpListenerOptions;
  readonly #parts: UdpListenerParts;
  readonly #gate: ExporterGate;
  #opened: Opened[] = [];
  #datagrams = 0;
  #bytes = 0;
  #foreignDatagrams = 0;
  #socketErrors = 0;

  /** Opens nothing yet. */
  constructor(options: UdpListenerOptions, parts: UdpListenerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#gate = new ExporterGate(options.exporters);
  }

  /**
   * Opens a socket at every address; at all or at none.
   *
   * @throws EnvironmentError  `network`: a port is in use or not permitted, an address is not this machine's
   */
  async start(): Promise<void> {
    assertInvariant(this.#opened.length === 0, 'the listener was started twice');
    const places = this.#options.listen.filter(({ transport }) => transport === 'udp');
    try {
      for (const place of places) this.#opened.push(await this.#open(place, places, this.#opened.length));
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
  }

  /** Closes the sockets; what they still hold is lost. */
  async stop(): Promise<void> {
    const opened = this.#opened;
    this.#opened = [];
    await Promise.all(opened.map(({ socket }) => new Promise<void>((resolve) => void socket.close(resolve))));
  }

  /** Where it listens now, in the order of the options. */
  sockets(): readonly ListeningSocket[] {
    return this.#opened.map(({ place }) => place);
  }

  async counts(): Promise<UdpCounts> {
    return {
      datagrams: this.#datagrams, bytes: this.#bytes, foreignDatagrams: this.#foreignDatagrams,
      socketErrors: this.#socketErrors,
      kernelDrops: await readKernelDrops(this.#opened.map(({ place }) => place)),
    };
  }

  async #open(listen: ListenAddress, all: readonly ListenAddress[], index: number): Promise<Opened> {
    const socket = createSocket(
      { type: listen.address.includes(':') ? 'udp6' : 'udp4', ipv6Only: isOnlyIPv6(listen, all) });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error: NodeJS.ErrnoException) => {
        socket.close();
        reject(describeListenFailure(listen, error));
      });
      socket.bind({ address: listen.address, port: listen.port, exclusive: true }, resolve);
    });
    socket.removeAllListeners('error');
    socket.on('error', (error) => {
      this.#socketErrors++;
      this.#parts.onError?.(error);
    });
    const receiveBufferBytes = askForBuffer(socket, this.#options.receiveBufferBytes);
    // Node reads at most 32 datagrams of a socket before it looks at timers and other sockets again.
    socket.on('message', (bytes, sender) => this.#take(bytes, sender, index));
    return { socket, place: { address: listen.address, port: socket.address().port, receiveBufferBytes } };
  }

  #take(bytes: Uint8Array, sender: RemoteInfo, socket: number): void {
    const exporter = this.#gate.admit(sender.address);
    if (exporter === undefined) {
      this.#foreignDatagrams++;
      return;
    }
    this.#datagrams++;
    this.#bytes += bytes.length;
    this.#parts.accept({ bytes, exporter, receivedMs: this.#parts.nowMs() }, sender.port, socket);
  }
}

/** @returns bytes granted; Linux tells twice of it, for it counts its own bookkeeping in (socket(7)) */
function askForBuffer(socket: Socket, bytes: number): number {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // What the kernel gives by default is told then.
  }
  try {
    const told = socket.getRecvBufferSize();
    return process.platform === 'linux' ? told / 2 : told;
  } catch {
    return 0;
  }
}

/** A sentence when a socket got a smaller buffer than asked for, else undefined. */
export function describeSmallBuffer(socket: ListeningSocket, askedBytes: number): string | undefined {
  if (socket.receiveBufferBytes >= askedBytes) return undefined;
  return `The kernel grants ${formatPlace(socket)} a receive buffer of ${socket.receiveBufferBytes} bytes instead of ` +
    `${askedBytes}, so bursts may be lost: sysctl -w net.core.rmem_max=${askedBytes} allows more.`;
}

