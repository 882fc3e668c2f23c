/** The TCP sender on loopback: what a collector gets, before, during and after it was away. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { IpfixMessageSplitter } from './export-datagrams.ts';
import { TcpSender, type TcpSenderOptions } from './tcp-sender.ts';

const loopback = '127.0.0.1';

/** An IPFIX message that names itself, and has a wrong sequence number. */
function message(number: number, bytes = 40): Uint8Array {
  const made = Buffer.alloc(bytes, 0xee);
  made.writeUInt16BE(10, 0);
  made.writeUInt16BE(bytes, 2);
  made.writeUInt32BE(number, 4);
  made.writeUInt32BE(0xbadbad, 8);
  return made;
}

const announcement = 0xffffffff;

type Got = { connection: number; number: number; sequence: number };

/** A collector that notes what comes. */
class Collector {
  readonly got: Got[] = [];
  readonly sockets: Socket[] = [];
  connections = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      const connection = this.connections++;
      const splitter = new IpfixMessageSplitter();
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        for (const bytes of splitter.push(chunk)) {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          this.got.push({ connection, number: view.getUint32(4), sequence: view.getUint32(8) });
        }
      });
    });
  }

  static async open(port = 0): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.listen(port, loopback);
    await once(server, 'listening');
    return collector;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

function open(port: number, more: Partial<TcpSenderOptions> = {}): TcpSender {
  const sender = new TcpSender({
    address: loopback, port, connect, retryMs: 5, retryMsMax: 20,
    announce: () => ({ message: message(announcement), records: 1 }), ...more,
  });
  sender.start();
  return sender;
}

async function until(isMet: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isMet(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(isMet(), 'it did not happen within 2.5 s');
}

test('a connection begins with the announcement, and its sequence counts data records', async () => {
  const collector = await Collector.open();
  const sender = open(collector.port);
  for (let i = 0; i < 5; i++) sender.queue(message(i), 10);
  await sender.end(2_000);
  await until(() => collector.got.length === 6);
  assert.deepEqual(collector.got.map(({ number, sequence }) => [number, sequence]),
    [[announcement, 0], [0, 1], [1, 11], [2, 21], [3, 31], [4, 41]]);
  const { messages, records, bytes, lostRecords, waitingRecords, connections } = sender.counts();
  assert.deepEqual([messages, records, bytes, lostRecords, waitingRecords, connections], [6, 50, 240, 0, 0, 1]);
  await collector.close();
});

test('a collector that comes late gets all that waited', async () => {
  const before = await Collector.open();
  const { port } = before;
  await before.close();
  const sender = open(port);
  for (let i = 0; i < 3; i++) sender.queue(message(i), 2);
  await until(() => sender.counts().failedAttempts >= 3);
  assert.match(sender.counts().lastFailure ?? '', /nobody listens there/);
  assert.equal(sender.counts().waitingRecords, 6);
  const collector = await Collector.open(port);
  await until(() => collector.got.length === 4);
  assert.deepEqual(collector.got.map(({ number }) => number), [announcement, 0, 1, 2]);
  await sender.end(1_000);
  assert.equal(sender.counts().lostRecords, 0);
  await collector.close();
});

test('after a broken connection the next begins anew: announcement, sequence from 0', async () => {
  const collector = await Collector.open();
  const sender = open(collector.port);
  sender.queue(message(1), 7);
  await until(() => collector.got.length === 2);
  for (const socket of collector.sockets) socket.resetAndDestroy();
  await until(() => sender.counts().connections === 2);
  sender.queue(message(2), 7);
  sender.queue(message(3), 7);
  await until(() => collector.got.length === 5);
  assert.deepEqual(collector.got.slice(2), [
    { connection: 1, number: announcement, sequence: 0 }, { connection: 1, number: 2, sequence: 1 },
    { connection: 1, number: 3, sequence: 8 },
  ]);
  await sender.end(1_000);
  assert.equal(sender.counts().records, 21);
  await collector.close();
});

test('a collector that closes its side is left, and tried again', async () => {
  const collector = await Collector.open();
  const sender = open(collector.port);
  await until(() => collector.got.length === 1);
  collector.sockets[0]?.end();
  await until(() => sender.counts().connections === 2);
  assert.match(sender.counts().lastFailure ?? '', /closed the connection/);
  await sender.end(1_000);
  await collector.close();
});

test('when nobody takes them, the oldest messages are lost and counted, and memory stays bounded', async () => {
  const before = await Collector.open();
  const { port } = before;
  await before.close();
  const sender = open(port, { queueBytesMax: 400 });
  for (let i = 0; i < 25; i++) {
    sender.queue(message(i), 3);
    assert.ok(sender.counts().waitingBytes <= 400);
  }
  const counts = sender.counts();
  assert.deepEqual([counts.waitingMessages, counts.lostMessages, counts.lostRecords, counts.waitingRecords],
    [10, 15, 45, 30]);
  const collector = await Collector.open(port);
  await until(() => collector.got.length === 11);
  assert.deepEqual(collector.got.map(({ number }) => number).slice(1), Array.from({ length: 10 }, (_, i) => 15 + i));
  await sender.end(1_000);
  await collector.close();
});

test('a slow collector slows nobody down: what it does not take waits, and the end counts it as lost', async () => {
  const collector = await Collector.open();
  const sender = open(collector.port, { queueBytesMax: 64 << 20 });
  await until(() => collector.got.length === 1);
  collector.sockets[0]?.pause();
  // More than the buffers of both sides hold.
  const count = 1_000;
  for (let i = 0; i < count; i++) sender.queue(message(i, 60_000), 1);
  await until(() => sender.counts().records > 0);
  await sender.end(100);
  const { records, lostRecords, waitingRecords } = sender.counts();
  assert.ok(lostRecords > 0);
  assert.equal(records + lostRecords, count);
  assert.equal(waitingRecords, 0);
  await collector.close();
});

test('ending does not wait for a collector that is not there longer than it may', async () => {
  const before = await Collector.open();
  const { port } = before;
  await before.close();
  const sender = open(port);
  sender.queue(message(1), 4);
  await sender.end(30);
  assert.deepEqual([sender.counts().lostMessages, sender.counts().lostRecords], [1, 4]);
});
