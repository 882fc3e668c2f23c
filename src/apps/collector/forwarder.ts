/**
 * The tee: hands messages on by UDP as they came. A receiver that is away or slow costs its own copies, counted, and
 * nothing else; messages of TCP that fit into no datagram are counted, too. It never waits.
 */
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertInvariant, limits } from '#base';
import { formatPlace } from '#capture/listen';
import type { CollectorPlace } from './config/collector-config.ts';

/** Plain data: what one receiver was sent. */
export type ForwardCounts = {
  readonly to: string;
  readonly datagrams: number;
  readonly bytes: number;
  /** Too many were under way. */
  readonly dropped: number;
  /** Larger than a datagram may be (RFC 768: 65,507 bytes over IPv4). */
  readonly tooLarge: number;
  /** The system refused them. Of a receiver where nobody listens, some are refused. */
  readonly failed: number;
  readonly lastError: string | null;
};

/** Opens a socket; `createSocket` of node:dgram, or a stand-in. */
export type OpenSocket = (type: 'udp4' | 'udp6') => Pick<Socket, 'send' | 'close' | 'on' | 'unref'>;

const payloadBytesMax = 65_507;
const endTurnMs = 5;
const endTurns = 100;

type Receiver = {
  readonly place: CollectorPlace;
  readonly socket: ReturnType<OpenSocket>;
  datagrams: number;
  bytes: number;
  dropped: number;
  tooLarge: number;
  failed: number;
  lastError: string | null;
  inFlight: number;
};

export class Forwarder {
  readonly #receivers: readonly Receiver[];
  readonly #inFlightMax: number;

  constructor(places: readonly CollectorPlace[], options: {
    readonly openSocket?: OpenSocket; readonly inFlightMax?: number;
  } = {}) {
    const { openSocket = createSocket, inFlightMax = limits.forwardInFlightMax } = options;
    assertInvariant(places.length <= limits.collectorForwardsMax, 'more receivers than a collector sends to');
    this.#inFlightMax = inFlightMax;
    this.#receivers = places.map((place) => {
      const socket = openSocket(place.address.includes(':') ? 'udp6' : 'udp4');
      const receiver: Receiver = {
        place, socket, datagrams: 0, bytes: 0, dropped: 0, tooLarge: 0, failed: 0, lastError: null, inFlight: 0,
      };
      socket.on('error', (error) => {
        receiver.lastError = error.message;
      });
      return receiver;
    });
  }

  /** Sends a copy to every receiver. @param bytes  valid during the call only */
  send(bytes: Uint8Array): void {
    // One copy for all: the system reads it after the call.
    let copy: Buffer | undefined;
    for (const receiver of this.#receivers) {
      if (bytes.length > payloadBytesMax) {
        receiver.tooLarge++;
      } else if (receiver.inFlight >= this.#inFlightMax) {
        receiver.dropped++;
      } else {
        copy ??= Buffer.from(bytes);
        this.#hand(receiver, copy);
      }
    }
  }

  counts(): ForwardCounts[] {
    return this.#receivers.map(({ place, datagrams, bytes, dropped, tooLarge, failed, lastError }) =>
      ({ to: formatPlace(place), datagrams, bytes, dropped, tooLarge, failed, lastError }));
  }

  /** Waits until what is under way was sent, but not for long, and closes. */
  async end(): Promise<void> {
    for (let i = 0; i < endTurns && this.#receivers.some(({ inFlight }) => inFlight > 0); i++) await sleep(endTurnMs);
    await Promise.all(this.#receivers.map(({ socket }) =>
      new Promise<void>((resolve) => void socket.close(resolve))));
  }

  #hand(receiver: Receiver, copy: Buffer): void {
    const { place, socket } = receiver;
    receiver.inFlight++;
    socket.send(copy, place.port, place.address, (error) => {
      receiver.inFlight--;
      if (error === null || error === undefined) {
        receiver.datagrams++;
        receiver.bytes += copy.length;
      } else {
        receiver.failed++;
        receiver.lastError = error.message;
      }
    });
  }
}
