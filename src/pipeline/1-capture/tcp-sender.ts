/**
 * Sends IPFIX messages over TCP (RFC 7011 §10.4). A collector that is away or slow is waited for: messages are kept up
 * to a limit, beyond which the oldest are given up and counted, and connecting is tried again and again, at growing
 * distances. Every connection begins with an announcement, and its sequence numbers begin at 0 (RFC 7011 §3.1).
 * What opens connections is given by whoever makes a sender, so that importing this room loads no sockets.
 */
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { assertInvariant, describeError, limits } from '#base';

/** `connect` of `node:net`, or a stand-in. */
export type ConnectTcp = (options: TcpNetConnectOpts) => Socket;

/** A whole IPFIX message, and how many data records are in it. */
export type TcpMessage = { readonly message: Uint8Array; readonly records: number };

export type TcpSenderOptions = {
  /** An address, not a name. */
  readonly address: string;
  readonly port: number;
  readonly connect: ConnectTcp;
  /** What a connection begins with: the templates. */
  readonly announce: () => TcpMessage;
  /** Bytes of messages that wait; these are given by tests only. */
  readonly queueBytesMax?: number;
  readonly retryMs?: number;
  readonly retryMsMax?: number;
  readonly connectMsMax?: number;
};

export type TcpSenderCounts = {
  readonly isConnected: boolean;
  /** Connections that were made, and attempts that failed. */
  readonly connections: number;
  readonly failedAttempts: number;
  /** Handed to the system whole, announcements among them. What it had not delivered when a connection broke nobody
   * knows. */
  readonly messages: number;
  readonly bytes: number;
  /** Data records of the messages that were queued: `records` were handed on, the others lost or waiting. */
  readonly records: number;
  readonly lostMessages: number;
  readonly lostRecords: number;
  readonly waitingMessages: number;
  readonly waitingRecords: number;
  readonly waitingBytes: number;
  /** Why it is not connected, or was not the last time; undefined when all went well so far. */
  readonly lastFailure: string | undefined;
};

const retryMsDefault = 1_000;
const retryMsMaxDefault = 60_000;
const connectMsMaxDefault = 10_000;
/** Bytes handed to a socket whose fate is not known: what it has not taken can go to the next connection. */
const inFlightBytesMax = 1 << 18;
const keepAliveMs = 30_000;
/** RFC 7011 §3.1: where the sequence number is. */
const sequenceOffset = 8;
const headerBytes = 16;

export class TcpSender {
  readonly #options: TcpSenderOptions;
  readonly #name: string;
  readonly #queueBytesMax: number;
  /** Messages in order; the first `#inFlight` of them are in the hands of the socket. */
  readonly #queue: TcpMessage[] = [];
  #inFlight = 0;
  #inFlightBytes = 0;
  #queuedBytes = 0;
  #queuedRecords = 0;
  #socket: Socket | undefined;
  #isConnected = false;
  #timer: NodeJS.Timeout | undefined;
  #retryMs: number;
  /** Data records of this connection. */
  #sequence = 0;
  #connections = 0;
  #failedAttempts = 0;
  #messages = 0;
  #bytes = 0;
  #records = 0;
  #lostMessages = 0;
  #lostRecords = 0;
  #lastFailure: string | undefined;
  #isEnded = false;
  #wake: (() => void) | undefined;

  /** Opens nothing yet. */
  constructor(options: TcpSenderOptions) {
    this.#options = options;
    this.#name = options.address.includes(':') ? `[${options.address}]:${options.port}`
      : `${options.address}:${options.port}`;
    this.#queueBytesMax = options.queueBytesMax ?? limits.tcpSendQueueBytes;
    this.#retryMs = options.retryMs ?? retryMsDefault;
  }

  /** Begins to connect. A collector that is not there yet is no failure. */
  start(): void {
    assertInvariant(this.#socket === undefined && this.#timer === undefined && !this.#isEnded,
      'a TCP sender begins once');
    this.#connect();
  }

  /**
   * Puts a message behind those that wait; it is sent when the collector takes it.
   *
   * @param message  a whole IPFIX message; copied, and given the sequence number of its connection
   * @param records  data records in it
   */
  queue(message: Uint8Array, records: number): void {
    assertInvariant(!this.#isEnded, 'a message after the end');
    assertInvariant(message.length >= headerBytes, 'a whole message');
    // Not `slice`: a Buffer's does not copy.
    this.#queue.push({ message: new Uint8Array(message), records });
    this.#queuedBytes += message.length;
    this.#queuedRecords += records;
    while (this.#queuedBytes > this.#queueBytesMax && this.#queue.length > this.#inFlight) this.#giveUp(this.#inFlight);
    this.#write();
  }

  /** Resolves when no more than so many bytes wait, or nobody takes any. */
  async drain(bytes = inFlightBytesMax): Promise<void> {
    while (this.#isConnected && this.#queuedBytes > bytes) await this.#moved();
  }

  /**
   * Sends what waits and closes the connection.
   *
   * @param waitMs  how long the collector may take; what it has not taken by then is lost and counted
   */
  async end(waitMs: number): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake?.();
    }, waitMs);
    while (this.#queue.length > 0 && !isLate) await this.#moved();
    this.#isEnded = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket !== undefined && !isLate) {
      const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
      socket.end();
      // A collector that never closes its side is not waited for.
      const late = new Promise<void>((resolve) => { this.#wake = resolve; });
      await Promise.race([closed, late]);
    }
    clearTimeout(timer);
    this.#socket = undefined;
    socket?.destroy();
    this.#isConnected = false;
    this.#inFlight = 0;
    while (this.#queue.length > 0) this.#giveUp(0);
  }

  counts(): TcpSenderCounts {
    return {
      isConnected: this.#isConnected, connections: this.#connections, failedAttempts: this.#failedAttempts,
      messages: this.#messages, bytes: this.#bytes, records: this.#records, lostMessages: this.#lostMessages,
      lostRecords: this.#lostRecords, waitingMessages: this.#queue.length, waitingRecords: this.#queuedRecords,
      waitingBytes: this.#queuedBytes, lastFailure: this.#lastFailure,
    };
  }

  /** Drops a message that nobody holds. */
  #giveUp(at: number): void {
    const [given] = this.#queue.splice(at, 1);
    if (given === undefined) return;
    this.#queuedBytes -= given.message.length;
    this.#queuedRecords -= given.records;
    this.#lostMessages++;
    this.#lostRecords += given.records;
  }

  #connect(): void {
    this.#timer = undefined;
    const { address, port, connect } = this.#options;
    const socket = connect({ host: address, port });
    this.#socket = socket;
    const limit = setTimeout(() => socket.destroy(new Error('it does not answer')),
      this.#options.connectMsMax ?? connectMsMaxDefault);
    socket.once('connect', () => {
      clearTimeout(limit);
      this.#begin(socket);
    });
    socket.on('error', (error) => {
      const isRefused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
      this.#lastFailure = `Sending to ${this.#name}: ${isRefused ? 'nobody listens there' : describeError(error)}.`;
    });
    // Collectors send nothing; what comes is not looked at, and their end of the connection is the end of it.
    socket.resume();
    socket.on('end', () => {
      if (!this.#isEnded) this.#lastFailure = `Sending to ${this.#name}: the collector closed the connection.`;
      socket.destroy();
    });
    socket.once('close', () => {
      clearTimeout(limit);
      if (this.#socket === socket) this.#lose();
    });
  }

  #begin(socket: Socket): void {
    socket.setKeepAlive(true, keepAliveMs);
    this.#isConnected = true;
    this.#connections++;
    this.#retryMs = this.#options.retryMs ?? retryMsDefault;
    this.#sequence = 0;
    const { message, records } = this.#options.announce();
    const copy = new Uint8Array(message);
    this.#number(copy, records);
    socket.write(copy, (error) => {
      if (error !== undefined && error !== null) return;
      this.#messages++;
      this.#bytes += copy.length;
    });
    this.#write();
    this.#wake?.();
  }

  /** The connection is gone, or was never made: what the system had not taken waits for the next one. */
  #lose(): void {
    if (!this.#isConnected) this.#failedAttempts++;
    this.#isConnected = false;
    this.#socket = undefined;
    this.#inFlight = this.#inFlightBytes = 0;
    this.#wake?.();
    if (this.#isEnded) return;
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, this.#options.retryMsMax ?? retryMsMaxDefault);
  }

  /** Hands messages to the socket, as many as may be under way. */
  #write(): void {
    const socket = this.#socket;
    if (socket === undefined || !this.#isConnected) return;
    while (this.#inFlight < this.#queue.length && this.#inFlightBytes < inFlightBytesMax) {
      const { message, records } = this.#queue[this.#inFlight] as TcpMessage;
      this.#number(message, records);
      this.#inFlight++;
      this.#inFlightBytes += message.length;
      socket.write(message, (error) => {
        // Of a connection that is gone, or of a write that failed: the message is still queued.
        if (this.#socket !== socket || (error !== undefined && error !== null)) return;
        this.#settle();
      });
    }
  }

  /** The system has taken the first message. */
  #settle(): void {
    const taken = this.#queue.shift();
    assertInvariant(taken !== undefined && this.#inFlight > 0, 'a message was taken that nobody sent');
    this.#inFlight--;
    this.#inFlightBytes -= taken.message.length;
    this.#queuedBytes -= taken.message.length;
    this.#queuedRecords -= taken.records;
    this.#messages++;
    this.#bytes += taken.message.length;
    this.#records += taken.records;
    this.#write();
    this.#wake?.();
  }

  #number(message: Uint8Array, records: number): void {
    new DataView(message.buffer, message.byteOffset).setUint32(sequenceOffset, this.#sequence);
    this.#sequence = (this.#sequence + records) % 0x1_0000_0000;
  }

  async #moved(): Promise<void> {
    await new Promise<void>((resolve) => { this.#wake = resolve; });
    this.#wake = undefined;
  }
}
