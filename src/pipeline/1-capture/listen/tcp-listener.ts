/**
 * IPFIX over TCP (RFC 7011 §10.4), with TLS where asked for (§11): each connection of an allowed exporter is a stream
 * of messages. A stream that breaks the format is closed (§10.4.3), one that is silent for long as well; connections,
 * and what one may hold back, are bounded. Nothing is ever written to an exporter.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { assertInvariant, Counts, limits, type AddressWords, type Prefix } from '#base';
import { IpfixMessageSplitter } from '../export-datagrams.ts';
import { ExporterGate } from './exporter-gate.ts';
import { isOnlyIPv6, type ListenAddress } from './listen-address.ts';
import { describeListenFailure } from './listen-failure.ts';
import type { TlsDoor, TlsIdentity } from './tls-door.ts';
import type { ListenerParts } from './udp-listener.ts';

export type { TlsIdentity };

export type TcpListenerOptions = {
  /** Those of transport `tcp` are listened at, and those of `tls` if there is an identity. */
  readonly listen: readonly ListenAddress[];
  /** Who may connect; empty: everybody. */
  readonly exporters: readonly Prefix[];
  readonly connectionsMax?: number;
  /** A connection without a byte for so long is closed: its exporter is gone, or comes again. */
  readonly idleMs?: number;
  readonly tls?: TlsIdentity;
  /** These are given by tests only. */
  readonly handshakeMs?: number;
  readonly certificateNamesMax?: number;
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
  /** TLS: no certificate of an authority that is trusted, or not the name that is expected. */
  | 'untrusted'
  /** TLS: there was no agreement: plain text, an old version, or our certificate is not trusted. */
  | 'tls-failed'
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
  /** With TLS: connections by the name in the certificate; names that found no entry share that of no name. */
  readonly peers?: readonly TlsPeer[];
};

export type TlsPeer = {
  readonly name: string;
  readonly connections: number;
  readonly openConnections: number;
  readonly messages: number;
};

/** Where it listens. */
export type TcpPlace = { readonly address: string; readonly port: number; readonly transport: 'tcp' | 'tls' };

const idleMsDefault = 1_800_000;

type Connection = {
  readonly socket: Socket;
  readonly splitter: IpfixMessageSplitter;
  end: ConnectionEnd | undefined;
  /** With TLS, after the handshake. */
  peer: { -readonly [Key in keyof TlsPeer]: TlsPeer[Key] } | undefined;
};

export class TcpListener {
  readonly #options: TcpListenerOptions;
  readonly #parts: ListenerParts;
  readonly #gate: ExporterGate;
  readonly #connections = new Set<Connection>();
  readonly #ended = new Counts<ConnectionEnd>();
  readonly #peers = new Map<string, NonNullable<Connection['peer']>>();
  #servers: { readonly server: Server; readonly place: TcpPlace }[] = [];
  #door: TlsDoor | undefined;
  #connectionCount = 0;
  #messages = 0;
  #bytes = 0;

  /** Opens nothing yet. */
  constructor(options: TcpListenerOptions, parts: ListenerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#gate = new ExporterGate(options.exporters);
  }

  /**
   * Listens at every address, at all or at none.
   *
   * @throws EnvironmentError  `network`, as for UDP
   * @throws OperatorError     `bad-config`: key, certificate or authorities cannot be used
   */
  async start(): Promise<void> {
    assertInvariant(this.#servers.length === 0, 'the listener was started twice');
    const { listen, tls, handshakeMs } = this.#options;
    const places = listen.filter(({ transport }) => transport !== 'udp');
    if (places.some(({ transport }) => transport === 'tls')) {
      assertInvariant(tls !== undefined, 'TLS is listened for with an identity only');
      const { TlsDoor: Door } = await import('./tls-door.ts');
      this.#door = new Door(tls, handshakeMs);
    }
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
  sockets(): readonly TcpPlace[] {
    return this.#servers.map(({ place }) => place);
  }

  counts(): TcpCounts {
    const ended = this.#ended.toJSON();
    assertInvariant(this.#ended.total() + this.#connections.size === this.#connectionCount,
      'every connection is open or has ended');
    return {
      messages: this.#messages, bytes: this.#bytes, openConnections: this.#connections.size,
      connections: this.#connectionCount, ended,
      ...this.#door === undefined ? {} : { peers: [...this.#peers.values()].map((peer) => ({ ...peer })) },
    };
  }

  async #open(listen: ListenAddress, all: readonly ListenAddress[]): Promise<{ server: Server; place: TcpPlace }> {
    const transport = listen.transport === 'tls' ? 'tls' : 'tcp';
    const server = createServer((socket) => this.#admit(socket, transport === 'tls' ? this.#door : undefined));
    const ipv6Only = isOnlyIPv6(listen, all);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(describeListenFailure(listen, error)));
      server.listen({ host: listen.address, port: listen.port, ipv6Only, exclusive: true }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#parts.onError?.(error));
    const bound = server.address();
    assertInvariant(bound !== null && typeof bound === 'object', 'a TCP server listens at a port');
    return { server, place: { address: listen.address, port: bound.port, transport } };
  }

  #admit(socket: Socket, door: TlsDoor | undefined): void {
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
    const connection: Connection = { socket, splitter: new IpfixMessageSplitter(), end: undefined, peer: undefined };
    this.#connections.add(connection);
    socket.setKeepAlive(true, 60_000);
    if (door === undefined) {
      this.#follow(connection, exporter, socket);
      return;
    }
    door.secure(socket, {
      onRefused: (end) => this.#close(connection, end),
      onSecure: (secured, name) => {
        connection.peer = this.#peerOf(name);
        connection.peer.connections++;
        connection.peer.openConnections++;
        this.#follow(connection, exporter, secured);
      },
    });
  }

  /** Reads a stream to its end. @param socket  of the connection, or TLS on it */
  #follow(connection: Connection, exporter: AddressWords, socket: Socket | TLSSocket): void {
    socket.setTimeout(this.#options.idleMs ?? idleMsDefault, () => this.#close(connection, 'idle'));
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
      if (connection.peer !== undefined) connection.peer.messages++;
      this.#bytes += bytes.length;
      this.#parts.accept({ bytes, exporter, receivedMs: this.#parts.nowMs() });
    }
    if (splitter.skippedBytes > 0) this.#close(connection, 'broken');
  }

  #peerOf(name: string): NonNullable<Connection['peer']> {
    const isKept = this.#peers.has(name) ||
      this.#peers.size < (this.#options.certificateNamesMax ?? limits.certificateNamesMax);
    const key = isKept ? name : '';
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = { name: key, connections: 0, openConnections: 0, messages: 0 };
      this.#peers.set(key, peer);
    }
    return peer;
  }

  /** Ends a connection, once; the first reason counts. */
  #close(connection: Connection, end: ConnectionEnd): void {
    if (connection.end !== undefined) return;
    connection.end = end;
    this.#ended.add(end);
    if (connection.peer !== undefined) connection.peer.openConnections--;
    this.#connections.delete(connection);
    connection.socket.destroy();
  }
}
