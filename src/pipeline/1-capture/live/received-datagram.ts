/** What a receiver of export datagrams is told, hands on and counts, whichever way the datagrams come in. */
import type { AddressWords } from '#base';
import type { ExportDatagram } from '../export-datagrams.ts';
import type { ListenAddress } from '../listen/listen-address.ts';
import type { ListeningSocket } from '../listen/udp-listener.ts';

export type ReceivedDatagram = ExportDatagram & {
  readonly sourcePort: number;
  /** Index in `sockets()`. */
  readonly socket: number;
  /**
   * Lost on this host until it was queued: what the kernel dropped of its socket, and the receiver of its exporter's
   * address (`ringDropsOf`). It never falls from one datagram of an address and socket to the next.
   */
  readonly kernelDrops: number;
};

export type DatagramReceiverOptions = {
  /** Those of transport `udp` are listened at. */
  readonly listen: readonly ListenAddress[];
  /** Asked of the kernel for each socket, which may grant less. */
  readonly receiveBufferBytes: number;
  /** Memory between the kernel and the reader; by default `limits.receiveRingBytes`. */
  readonly ringBytes?: number;
  /** False: Node's own sockets, as also where the C library cannot be called. */
  readonly native: boolean;
  /** Given by tests only. */
  readonly datagramBytesMax?: number;
  readonly dropAddressesMax?: number;
  readonly workerFile?: URL;
};

export type DatagramReceiverParts = {
  /** Takes a datagram; its bytes are valid during the call only. */
  readonly accept: (datagram: ReceivedDatagram) => void;
  /** Something failed after the start; the receiver goes on. */
  readonly onError?: (error: Error) => void;
  /** The clock that `receivedMs` is of. */
  readonly nowMs: () => number;
};

export type ReceiverCounts = {
  readonly kind: 'recvmmsg' | 'dgram';
  /** Handed on, and their bytes. */
  readonly datagrams: number;
  readonly bytes: number;
  /** Handed on without their end: they were longer than any datagram may be. */
  readonly cutDatagrams: number;
  /** Dropped by the kernel because a socket's buffer was full; undefined where that cannot be known. */
  readonly kernelDrops: number | undefined;
  /** Dropped by the receiver because the reader was behind by as much as `ringBytes` hold. */
  readonly ringDrops: number;
  /** Most that ever waited for the reader. */
  readonly ringBytesUsedMax: number;
  readonly ringBytes: number;
  readonly socketErrors: number;
};

/** A socket of a receiver, with what was asked for it. */
export type ReceiverSocket = ListeningSocket & { readonly askedBytes: number };

/** One way in which datagrams come in. */
export type DatagramSource = {
  readonly kind: ReceiverCounts['kind'];
  /** Opens all sockets or none. @throws EnvironmentError  `network` */
  start(): Promise<void>;
  /** Hands on what the kernel and the ring still hold, also when paused; then closes. */
  stop(): Promise<void>;
  pause(): void;
  resume(): void;
  sockets(): readonly ReceiverSocket[];
  counts(): Promise<ReceiverCounts>;
  ringDropsOf(address: AddressWords): number;
};
