/** Flows to a collector on loopback, by UDP and TCP: what arrives, and what is said of what does not. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import type { AddressWords } from '#base';
import { IpfixMessageSplitter } from '#capture';
import { createFlowBatch, ExportDecoder, type FlowBatch } from '#flow';
import { openExport, type ExportOptions, type ExportOutlet } from './export-outlet.ts';

const loopback = '127.0.0.1';
const exporter: AddressWords = [0, 0, 0xffff, 0x7f000001];

function flows(rowCount: number): FlowBatch {
  const batch = createFlowBatch(Math.max(rowCount, 1));
  batch.rowCount = rowCount;
  const { columns } = batch;
  for (let row = 0; row < rowCount; row++) {
    columns.sourceAddress.set([0, 0, 0xffff, 0xc0a80000 + row], row * 4);
    columns.destinationAddress.set([0, 0, 0xffff, 0xcb007105], row * 4);
    columns.ipVersion[row] = 4;
    columns.protocolIdentifier[row] = 6;
    columns.flowStartMilliseconds[row] = columns.flowEndMilliseconds[row] = 1_700_000_000_000;
    columns.initiatorPackets[row] = columns.responderPackets[row] = 1;
    columns.initiatorOctets[row] = columns.responderOctets[row] = 40;
  }
  return batch;
}

const settings = (port: number, more: Partial<ExportOptions> = {}): ExportOptions => ({
  address: loopback, port, transport: 'udp', version: 10, domain: 3, recordsPerSecond: 0, sampling: undefined, ...more,
});

/** Decodes what comes at a port, by UDP or TCP. */
class Collector {
  readonly decoder = new ExportDecoder({ renormalise: true }, ({ rowCount }) => { this.flows += rowCount; });
  flows = 0;
  port = 0;
  close!: () => Promise<void>;

  static async udp(port = 0): Promise<Collector> {
    const collector = new Collector();
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    socket.on('message', (bytes) => collector.decoder.decode({ bytes, exporter, receivedMs: 1_700_000_001_000 }));
    socket.bind(port, loopback);
    await once(socket, 'listening');
    collector.port = socket.address().port;
    collector.close = async () => void socket.close();
    return collector;
  }

  static async tcp(port = 0): Promise<Collector> {
    const collector = new Collector();
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      const splitter = new IpfixMessageSplitter();
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        for (const bytes of splitter.push(chunk)) {
          collector.decoder.decode({ bytes, exporter, receivedMs: 1_700_000_001_000 });
        }
      });
    });
    server.listen(port, loopback);
    await once(server, 'listening');
    collector.port = (server.address() as { port: number }).port;
    collector.close = async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    };
    return collector;
  }

  async until(count: number): Promise<void> {
    for (let i = 0; i < 400; i++) {
      this.decoder.flush();
      if (this.flows >= count) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(this.flows, count);
  }
}

function assertBalance(outlet: ExportOutlet): void {
  const { records, sentRecords, lostRecords, waitingRecords } = outlet.counts();
  assert.equal(records, sentRecords + lostRecords + waitingRecords);
}

for (const [transport, version] of [['udp', 9], ['udp', 10], ['tcp', 10]] as const) {
  test(`${transport}, version ${version}: all flows arrive with their sampling, and no gap`, async () => {
    const collector = await Collector[transport]();
    const outlet = await openExport(settings(collector.port,
      { transport, version, sampling: { way: 'random', interval: 50 } }));
    for (const rows of [1, 700, 0, 30]) {
      outlet.accept(flows(rows));
      assertBalance(outlet);
    }
    outlet.flush();
    await collector.until(731);
    outlet.accept(flows(9));
    await outlet.end(5_000);
    await collector.until(740);
    assertBalance(outlet);
    const { flows: encoded, lostRecords, waitingRecords, lastFailure } = outlet.counts();
    assert.deepEqual([encoded, lostRecords, waitingRecords, lastFailure], [740, 0, 0, undefined]);
    const { exporters } = collector.decoder.counts();
    const [heard, ...others] = exporters;
    assert.deepEqual([heard?.domain, heard?.samplingInterval, heard?.sequenceGaps, others.length], [3, 50, 0, 0]);
    await collector.close();
  });
}

test('udp: a collector that is not there stops nobody, and gets what is sent once it is', async () => {
  const before = await Collector.udp();
  await before.close();
  const outlet = await openExport(settings(before.port));
  for (let i = 0; i < 4; i++) {
    outlet.accept(flows(20));
    outlet.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertBalance(outlet);
  }
  assert.match(outlet.counts().lastFailure ?? '', /nobody listens there/);
  const collector = await Collector.udp(before.port);
  outlet.accept(flows(20));
  await outlet.end(2_000);
  assertBalance(outlet);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // The templates went while nobody listened: what came waits for them, and is counted as waiting.
  assert.ok(collector.decoder.counts().datagrams >= 1);
  await collector.close();
});

test('udp: what finds no room is lost and counted, and memory stays bounded', async () => {
  const collector = await Collector.udp();
  const outlet = await openExport(settings(collector.port, { datagramsMax: 5, recordsPerSecond: 100 }));
  outlet.accept(flows(2_000));
  const { lostRecords, waitingRecords } = outlet.counts();
  assert.ok(lostRecords > 1_000);
  assert.ok(waitingRecords > 0 && waitingRecords <= 5 * 40);
  assertBalance(outlet);
  // Too slow a pace for the end: what is left is given up.
  await outlet.end(50);
  assertBalance(outlet);
  assert.equal(outlet.counts().waitingRecords, 0);
  await collector.close();
});

test('tcp: a collector that comes late gets everything', async () => {
  const before = await Collector.tcp();
  await before.close();
  const outlet = await openExport(settings(before.port, { transport: 'tcp', tcp: { retryMs: 5, retryMsMax: 20 } }));
  outlet.accept(flows(100));
  outlet.flush();
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(outlet.counts().isConnected, false);
  assert.equal(outlet.counts().waitingRecords, 100);
  const collector = await Collector.tcp(before.port);
  await collector.until(100);
  await outlet.end(2_000);
  assertBalance(outlet);
  assert.deepEqual([outlet.counts().lostRecords, collector.decoder.counts().exporters[0]?.sequenceGaps], [0, 0]);
  await collector.close();
});
