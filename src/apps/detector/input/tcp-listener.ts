/**
 * IPFIX over TCP (RFC 7011 §10.4): each connection of an allowed exporter is a stream of messages. A stream that breaks
 * the format is closed (§10.4.3), one that is silent for long as well; connections, and what one may hold back, are
 * bounded. Nothing is ever written to an exporter.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { assertInvariant, Counts, limits, type AddressWords, type Prefix } from '#base';
import { IpfixMessageSplitter } from '#capture';
import type { ListenAddress } from '../config/detector-config.ts';
import { ExporterGate } from './exporter-gate.ts';
import { describeListenFailure } from './listen-failure.ts';
import type { ListenerParts } from './udp-listener.ts';

export type TcpListenerOptions = {
  /** Those of transport `tcp` are listened at. */
  readonly listen: readonly ListenAddress[];
  /** Who may connect; empty: everybody. */
  readonly exporters: readonly Prefix[];
  readonly connectionsMax?: number;
  /** A connection without a byte for so long is closed: its exporter is gone, or comes again. */
  readonly idleMs?: number;
};

/** Why a connection ended, or was not taken. */
export type ConnectionEnd =
  /** The exporter closed it after a whole message. */
  | 'closed'
  /** It ended within a message, which is lost. */
  | 'cut'
  /** Bytes came that are no IPFIX message. */
  | 'broken'
  /** Nothing came for too long. */
  | 'idle'
  /** It was reset, or the network failed. */
  | 'failed'
  /** The sender is no allowed exporter. */
  | 'foreign'
  /** As many as there may be were open. */
  | 'connection-limit'
  /** We stopped. */
  | 'stopped';

export type TcpCounts = {
  /** Messages handed on. */
  readonly messages: number;
  readonly bytes: number;
  readonly openConnections: number;
  /** All connections that ever came; `openConnections` and `ended` sum to it. */
  readonly connections: number;
  readonly ended: Readonly<Record<string, number>>;
};

const idleMsDefault = 1_800_000;

type Connection = { readonly socket: Socket; readonly splitter: IpfixMessageSplitter; end: ConnectionEnd | undefined };

export class TcpListener {
  readonly #options: TcpListenerOptions;
  readonly #parts: ListenerParts;
  readonly #gate: ExporterGate;
  readonly #connections = new Set<Connection>();
  readonly #ended = new Counts<ConnectionEnd>();
  #servers: { readonly server: Server; readonly place: { readonly address: string; readonly port: number } }[] = [];
  #connectionCount = 0;
  #messages = 0;
  #bytes = 0;

  /** Opens nothing yet. */
  constructor(options: TcpListenerOptions, parts: ListenerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#gate = new ExporterGate(options.exporters);
  }

  /** Listens at every address, at all or at none. @throws EnvironmentError  `network`, as for UDP */
  async start(): Promise<void> {
    assertInvariant(this.#servers.length === 0, 'the listener was started twice');
    const places = this.#options.listen.filter(({ transport }) => transport === 'tcp');
    try {
      for (const place of places) this.#servers.push(await this.#open(place, places));
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
  }

  /** Ends all connections and listens no more. */
  async stop(): Promise<void> {
    const servers = this.#servers;
    this.#servers = [];
    const closed = servers.map(({ server }) => new Promise<void>((resolve) => void server.close(() => resolve())));
    for (const connection of this.#connections) this.#close(connection, 'stopped');
    await Promise.all(closed);
  }

  /** Where it listens now, in the order of the options. */
  sockets(): readonly { readonly address: string; readonly port: number }[] {
    return this.#servers.map(({ place }) => place);
  }

  counts(): TcpCounts {
    const ended = this.#ended.toJSON();
    assertInvariant(this.#ended.total() + this.#connections.size === this.#connectionCount,
      'every connection is open or has ended');
    return {
      messages: this.#messages, bytes: this.#bytes, openConnections: this.#connections.size,
      connections: this.#connectionCount, ended,
    };
  }

  async #open(listen: ListenAddress, all: readonly ListenAddress[]): Promise<{
    server: Server; place: { address: string; port: number };
  }> {
    const server = createServer((socket) => this.#admit(socket));
    const ipv6Only = listen.address.includes(':') &&
      all.some(({ address, port }) => !address.includes(':') && port === listen.port && port > 0);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(describeListenFailure(listen, error)));
      server.listen({ host: listen.address, port: listen.port, ipv6Only, exclusive: true }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#parts.onError?.(error));
    const bound = server.address();
    assertInvariant(bound !== null && typeof bound === 'object', 'a TCP server listens at a port');
    return { server, place: { address: listen.address, port: bound.port } };
  }

  #admit(socket: Socket): void {
    this.#connectionCount++;
    // Undefined when the other side was gone before we looked.
    const exporter = this.#gate.admit(socket.remoteAddress ?? '');
    const isFull = this.#connections.size >= (this.#options.connectionsMax ?? limits.exportConnectionsMax);
    if (exporter === undefined || isFull) {
      this.#ended.add(socket.remoteAddress === undefined ? 'failed' : exporter === undefined ? 'foreign'
        : 'connection-limit');
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const connection: Connection = { socket, splitter: new IpfixMessageSplitter(), end: undefined };
    this.#connections.add(connection);
    socket.setTimeout(this.#options.idleMs ?? idleMsDefault, () => this.#close(connection, 'idle'));
    socket.setKeepAlive(true, 60_000);
    socket.on('data', (chunk) => this.#read(connection, exporter, chunk));
    socket.on('end', () => this.#close(connection, connection.splitter.keptBytes > 0 ? 'cut' : 'closed'));
    socket.on('error', () => this.#close(connection, 'failed'));
    socket.on('close', () => this.#close(connection, 'failed'));
  }

  #read(connection: Connection, exporter: AddressWords, chunk: Uint8Array): void {
    const { splitter } = connection;
    if (connection.end !== undefined) return;
    for (const bytes of splitter.push(chunk)) {
      // The splitter looks for the next message in broken bytes; what it then finds may be anything.
      if (splitter.skippedBytes > 0) break;
      this.#messages++;
      this.#bytes += bytes.length;
      this.#parts.accept({ bytes, exporter, receivedMs: this.#parts.nowMs() });
    }
    if (splitter.skippedBytes > 0) this.#close(connection, 'broken');
  }

  /** Ends a connection, once; the first reason counts. */
  #close(connection: Connection, end: ConnectionEnd): void {
    if (connection.end !== undefined) return;
    connection.end = end;
    this.#ended.add(end);
    this.#connections.delete(connection);
    connection.socket.destroy();
  }
}
