/**
 * An exporter whose every message is known: it numbers them as its protocol says, gives each flow an octet count of its
 * own, and leaves it to the test which messages go out, twice, late or never. By UDP from any loopback address, by TCP
 * and TLS.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import {
  message10, message5, message9, rfc7011Fields, set, template, join, ip, u32,
} from '../../src/pipeline/2-flow/decode/message-samples.ts';
import { systemClock } from '#base';

export type ScriptedTransport = {
  readonly kind: 'udp' | 'tcp' | 'tls';
  readonly port: number;
  /** Of TLS: our key and certificate, and who signed the collector's. */
  readonly identity?: { readonly key: string; readonly cert: string; readonly ca: string } | undefined;
};

export type ScriptedMessage = { readonly bytes: Uint8Array; readonly ids: readonly number[] };

/** Flows of one message. */
export const flowsOfMessage = 5;

let nextId = 1_000;

export class ScriptedExporter {
  readonly address: string;
  readonly version: 5 | 9 | 10;
  /** Units of its own numbers that it ever made. */
  sentUnits = 0;
  /** Of one message. */
  readonly unitsOfMessage: number;
  /** Octet counts of flows in messages that went out, each once. */
  readonly sentIds = new Set<number>();
  #udp: UdpSocket | undefined;
  #stream: Socket | undefined;
  readonly #bootMs = systemClock.nowMs() - 1_000_000;

  constructor(version: 5 | 9 | 10, address: string) {
    this.version = version;
    this.address = address;
    this.unitsOfMessage = version === 9 ? 1 : flowsOfMessage;
  }

  /** Opens the way to a collector; whoever comes again has another port. */
  async open(transport: ScriptedTransport): Promise<void> {
    if (transport.kind === 'udp') {
      const socket = createSocket('udp4');
      socket.bind(0, this.address);
      await once(socket, 'listening');
      socket.connect(transport.port, '127.0.0.1');
      await once(socket, 'connect');
      this.#udp = socket;
    } else if (transport.kind === 'tcp') {
      this.#stream = connect({ port: transport.port, host: '127.0.0.1', localAddress: this.address });
      await once(this.#stream, 'connect');
    } else {
      const plain = connect({ port: transport.port, host: '127.0.0.1', localAddress: this.address });
      const stream = connectTls({ ...transport.identity, socket: plain, host: '127.0.0.1' });
      await once(stream, 'secureConnect');
      this.#stream = stream;
    }
  }

  async close(): Promise<void> {
    this.#udp?.close();
    this.#udp = undefined;
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined || stream.destroyed) return;
    // What was written goes out first; a collector that is gone is not waited for.
    stream.on('error', () => undefined);
    stream.end();
    await Promise.race([once(stream, 'close'), sleep(1_000)]);
    stream.destroy();
  }

  /** The next message; it counts as sent whether it goes out or not. */
  make(isWithTemplate: boolean): ScriptedMessage {
    const nowMs = systemClock.nowMs();
    const header = {
      sequence: this.sentUnits, seconds: Math.floor(nowMs / 1_000), uptimeMs: Math.floor(nowMs / 1_000) * 1_000 -
        Math.floor(this.#bootMs / 1_000) * 1_000,
    };
    this.sentUnits += this.unitsOfMessage;
    const ids = Array.from({ length: flowsOfMessage }, () => nextId++);
    if (this.version === 5) {
      const flows = ids.map((octets) => ({
        source: '192.0.2.11', destination: '198.51.100.1', packets: 3, octets, firstMs: header.uptimeMs - 5_000,
        lastMs: header.uptimeMs - 1_000, ports: [40_000, 443] as const, protocol: 6,
      }));
      return { bytes: message5(header, flows), ids };
    }
    const data = set(256, ...ids.map((octets) => join(ip('192.0.2.12'), ip('192.0.2.254'), ip('192.0.2.1'), u32(5),
      u32(octets))));
    const described = template(256, rfc7011Fields);
    const [message, templateSet] = this.version === 9 ? [message9, set(0, described)] : [message10, set(2, described)];
    return { bytes: isWithTemplate ? message(header, templateSet, data) : message(header, data), ids };
  }

  /** Lets a message out. */
  async send({ bytes, ids }: ScriptedMessage): Promise<void> {
    for (const id of ids) this.sentIds.add(id);
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null): void => error === null || error === undefined ? resolve() : reject(error);
      if (this.#udp !== undefined) this.#udp.send(bytes, done);
      else this.#stream?.write(bytes, done);
    });
  }

  /** Makes and sends some, each within a millisecond or so of the last. */
  async sendMany(count: number, isWithTemplate: boolean): Promise<void> {
    for (let i = 0; i < count; i++) await this.send(this.make(isWithTemplate && i === 0));
  }
}
