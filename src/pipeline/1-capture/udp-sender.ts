/**
 * Sends datagrams over UDP at a pace. UDP tells nobody of loss: a pace that the receiver can follow is the only care
 * that a sender can take. The socket is made by whoever opens the sender, so that importing this room loads no sockets.
 */
import type { Socket, SocketType } from 'node:dgram';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { assertInvariant, describeError, EnvironmentError, limits, systemClock, type Clock } from '#base';

/** `createSocket` of `node:dgram`, or a stand-in. */
export type CreateSocket = (type: SocketType) => Socket;

export type UdpSenderOptions = {
  /** An address, not a name. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  /** Units (records) a second; 0: as fast as the kernel takes them. */
  readonly unitsPerSecond: number;
  readonly createSocket: CreateSocket;
  /** Told what goes wrong; sending goes on then, and what the system did not take is counted as lost. */
  readonly onFailure?: (error: EnvironmentError) => void;
  /** These are given by tests only. */
  readonly queueDatagramsMax?: number;
  readonly clock?: Clock;
  readonly sleep?: (durationMs: number) => Promise<unknown>;
};

/** Datagrams handed to the kernel whose fate is not yet known. */
const inFlightMax = 64;
/**
 * A sender that was held up (a stopped process, a slow input) makes up for no more than this. What it makes up for goes
 * out at once: at 20,000 records a second 30 to 40 datagrams, where Linux's default receive buffer holds some 90.
 */
const lagMsMax = 20;
/** Shorter waits are not taken: timers are no finer. */
const waitMsMin = 2;
/** A receiver's host says within this time that nobody listens, if it says so at all. */
const refusalMs = 50;
const sendBufferBytes = 1 << 20;

export class UdpSender {
  datagrams = 0;
  bytes = 0;
  units = 0;
  /** With `onFailure`: what the system did not take. */
  lostDatagrams = 0;
  lostUnits = 0;
  readonly #socket: Socket;
  readonly #name: string;
  readonly #unitsPerSecond: number;
  readonly #queueDatagramsMax: number;
  readonly #clock: Clock;
  readonly #sleep: (durationMs: number) => Promise<unknown>;
  readonly #onFailure: ((error: EnvironmentError) => void) | undefined;
  readonly #queue: { datagram: Uint8Array; units: number }[] = [];
  #dueMs: number;
  #inFlight = 0;
  #isOpen = false;
  #isAbandoned = false;
  #wake: (() => void) | undefined;
  #failure: EnvironmentError | undefined;

  /**
   * Opens a socket towards a receiver. Nothing is sent yet.
   *
   * @throws EnvironmentError  `network`: there is no way to the address
   */
  static async open(options: UdpSenderOptions): Promise<UdpSender> {
    const socket = options.createSocket(options.family === 6 ? 'udp6' : 'udp4');
    const sender = new UdpSender(options, socket);
    await new Promise<void>((resolve) => {
      // Node tells of a failure to the callback or by an event.
      socket.once('error', () => resolve());
      socket.connect(options.port, options.address, (error?: Error) => {
        if (error !== undefined && error !== null) sender.#fail(error);
        resolve();
      });
    });
    if (sender.#failure !== undefined) {
      socket.close();
      throw sender.#failure;
    }
    sender.#isOpen = true;
    try {
      socket.setSendBufferSize(sendBufferBytes);
    } catch {
      // A smaller buffer makes the sender wait more often, no more.
    }
    return sender;
  }

  private constructor(options: UdpSenderOptions, socket: Socket) {
    this.#socket = socket;
    this.#name = options.family === 6 ? `[${options.address}]:${options.port}` : `${options.address}:${options.port}`;
    this.#unitsPerSecond = options.unitsPerSecond;
    this.#queueDatagramsMax = options.queueDatagramsMax ?? limits.sendQueueDatagramsMax;
    this.#clock = options.clock ?? systemClock;
    this.#sleep = options.sleep ?? sleepFor;
    this.#dueMs = this.#clock.monotonicMs();
    this.#onFailure = options.onFailure;
    socket.on('error', (error) => this.#fail(error));
  }

  /**
   * Puts a datagram behind those that wait. It is sent by `drain`, which must be called now and then.
   *
   * @param datagram  copied
   * @param units     what it counts for in the pace
   * @throws InvariantError  too many wait
   */
  queue(datagram: Uint8Array, units: number): void {
    assertInvariant(this.#queue.length < this.#queueDatagramsMax, 'datagrams are queued and not drained');
    // Not `slice`: a Buffer's does not copy.
    this.#queue.push({ datagram: new Uint8Array(datagram), units });
  }

  /** Hands what waits to the kernel, at the pace. @throws EnvironmentError  `network` */
  async drain(): Promise<void> {
    for (const { datagram, units } of this.#queue.splice(0)) {
      await this.#pace(units);
      while (this.#inFlight >= inFlightMax) await this.#settled();
      if (this.#isAbandoned) return;
      this.#throwFailure();
      this.#send(datagram, units, this.#onFailure !== undefined);
    }
  }

  /** @param mayRepeat  what the system says of a datagram may be about one before it: then this one is sent again */
  #send(datagram: Uint8Array, units: number, mayRepeat: boolean): void {
    this.#inFlight++;
    this.#socket.send(datagram, (error) => {
      this.#inFlight--;
      if (error === null) {
        this.datagrams++;
        this.bytes += datagram.length;
        this.units += units;
      } else if (mayRepeat && (error as NodeJS.ErrnoException).code === 'ECONNREFUSED') {
        this.#fail(error);
        this.#send(datagram, units, false);
      } else {
        this.#fail(error);
        this.lostDatagrams++;
        this.lostUnits += units;
      }
      this.#wake?.();
    });
  }

  /**
   * Sends what waits and closes the socket.
   *
   * @throws EnvironmentError  `network`: sending failed, or the receiver's host said that nobody listens
   */
  async end(): Promise<void> {
    try {
      await this.drain();
      while (this.#inFlight > 0) await this.#settled();
      if (this.#failure === undefined) await this.#sleep(refusalMs);
      this.#throwFailure();
    } finally {
      this.#socket.close();
    }
  }

  /** Closes the socket; what waits is dropped. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#queue.length = 0;
    this.#socket.close();
  }

  /** Waits until a datagram is due that comes before `units` more. */
  async #pace(units: number): Promise<void> {
    if (this.#unitsPerSecond === 0) return;
    const nowMs = this.#clock.monotonicMs();
    this.#dueMs = Math.max(this.#dueMs, nowMs - lagMsMax);
    const waitMs = this.#dueMs - nowMs;
    this.#dueMs += units * 1000 / this.#unitsPerSecond;
    if (waitMs >= waitMsMin) await this.#sleep(waitMs);
  }

  async #settled(): Promise<void> {
    await new Promise<void>((resolve) => { this.#wake = resolve; });
    this.#wake = undefined;
  }

  #fail(error: Error): void {
    const isRefused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    const why = isRefused ? 'nobody listens there' : describeError(error);
    const failure = new EnvironmentError('network', `Sending to ${this.#name} failed: ${why}.`, error);
    if (this.#onFailure === undefined || !this.#isOpen) this.#failure ??= failure;
    else this.#onFailure(failure);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
