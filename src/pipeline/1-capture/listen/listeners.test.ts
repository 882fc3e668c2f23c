/** The listeners, over loopback: what is handed on, what is counted, and what is said when a port cannot be had. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { EnvironmentError, formatAddress, parsePrefix, type Prefix } from '#base';
import type { ExportDatagram } from '../export-datagrams.ts';
import { ExporterGate } from './exporter-gate.ts';
import type { ListenAddress } from './listen-address.ts';
import { readKernelDrops } from './kernel-drops.ts';
import { TcpListener, type TcpListenerOptions } from './tcp-listener.ts';
import { describeSmallBuffer, UdpListener, type UdpListenerOptions } from './udp-listener.ts';

type Taken = { from: string; bytes: string; receivedMs: number };

const prefix = (text: string): Prefix => parsePrefix(text) as Prefix;
const udp = (address = '127.0.0.1', port = 0): ListenAddress => ({ transport: 'udp', address, port });
const tcp = (address = '127.0.0.1', port = 0): ListenAddress => ({ transport: 'tcp', address, port });

function collect(): { taken: Taken[]; accept: (datagram: ExportDatagram) => void } {
  const taken: Taken[] = [];
  return {
    taken,
    accept: ({ bytes, exporter, receivedMs }) => void taken.push({
      from: formatAddress(Uint32Array.from(exporter), 0), bytes: Buffer.from(bytes).toString('latin1'), receivedMs,
    }),
  };
}

async function openUdp(t: TestContext, options: Partial<UdpListenerOptions> = {}): Promise<{
  listener: UdpListener; taken: Taken[];
}> {
  const { taken, accept } = collect();
  const listener = new UdpListener(
    { listen: [udp()], exporters: [], receiveBufferBytes: 65_536, ...options }, { nowMs: () => 42, accept });
  await listener.start();
  t.after(() => listener.stop());
  return { listener, taken };
}

async function openTcp(t: TestContext, options: Partial<TcpListenerOptions> = {}): Promise<{
  listener: TcpListener; taken: Taken[]; dial: () => Promise<Socket>;
}> {
  const { taken, accept } = collect();
  const listener = new TcpListener({ listen: [tcp()], exporters: [], ...options }, { nowMs: () => 42, accept });
  await listener.start();
  t.after(() => listener.stop());
  const dial = async (): Promise<Socket> => {
    const socket = connect(listener.sockets()[0]?.port as number, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  return { listener, taken, dial };
}

async function until(isDone: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await isDone()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`waited in vain: ${what}`);
}

/** Sends datagrams, each when the one before was taken by the kernel. */
async function send(address: string, port: number, texts: readonly string[], from?: string): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  if (from !== undefined) await new Promise<void>((resolve) => void socket.bind(0, from, resolve));
  for (const text of texts) {
    await new Promise<void>((resolve, reject) =>
      socket.send(Buffer.from(text, 'latin1'), port, address, (error) => (error ? reject(error) : resolve())));
  }
  socket.close();
}

/** An IPFIX message with so many bytes behind its header; what they say is not the listener's business. */
function message(payloadBytes: number, fill = 1): Buffer {
  const bytes = Buffer.alloc(16 + payloadBytes, fill);
  bytes.writeUInt16BE(10, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  return bytes;
}

test('UDP: datagrams are handed on with the exporter and the time, at several addresses', async (t) => {
  const { listener, taken } = await openUdp(t, { listen: [udp(), tcp(), udp(), udp('::1')] });
  const [first, second, sixth] = listener.sockets();
  assert.equal(listener.sockets().length, 3, 'that of TCP is not ours');
  await send('127.0.0.1', first?.port as number, ['a', '']);
  await send('127.0.0.1', second?.port as number, ['b']);
  await send('::1', sixth?.port as number, ['c']);
  await until(() => taken.length === 4, 'four datagrams');
  taken.sort((a, b) => (a.bytes < b.bytes ? -1 : 1));
  assert.deepEqual(taken.map(({ from, bytes }) => `${from} ${bytes}`),
    ['127.0.0.1 ', '127.0.0.1 a', '127.0.0.1 b', '::1 c']);
  assert.ok(taken.every(({ receivedMs }) => receivedMs === 42));
  const counts = await listener.counts();
  assert.deepEqual({ ...counts, kernelDrops: 0 },
    { datagrams: 4, bytes: 3, foreignDatagrams: 0, socketErrors: 0, kernelDrops: 0 });
});

test('UDP: who is not on the list is counted, and nobody looks at the bytes', async (t) => {
  const { listener, taken } = await openUdp(t, { exporters: [prefix('127.0.0.2/31'), prefix('2001:db8::/32')] });
  const port = listener.sockets()[0]?.port as number;
  await send('127.0.0.1', port, ['no', 'no'], '127.0.0.1');
  await send('127.0.0.1', port, ['yes'], '127.0.0.3');
  await send('127.0.0.1', port, ['no'], '127.0.0.4');
  await until(async () => (await listener.counts()).foreignDatagrams === 3, 'three foreign datagrams');
  assert.deepEqual(taken.map(({ from, bytes }) => [from, bytes]), [['127.0.0.3', 'yes']]);
});

test('UDP: both families at one port; IPv4 senders keep their IPv4 address on an IPv6 socket', async (t) => {
  const { listener: any, taken } = await openUdp(t, { listen: [udp('::')], exporters: [prefix('127.0.0.0/8')] });
  await send('127.0.0.1', any.sockets()[0]?.port as number, ['four']);
  await until(() => taken.length === 1, 'the datagram');
  assert.equal(taken[0]?.from, '127.0.0.1');
  const port = any.sockets()[0]?.port as number;
  await any.stop();
  const { listener: both } = await openUdp(t, { listen: [udp('0.0.0.0', port), udp('::', port)] });
  assert.equal(both.sockets().length, 2);
});

test('UDP: a port in use, a strange address, a port that is not permitted: one sentence each, and nothing stays open',
  async (t) => {
    const { listener } = await openUdp(t);
    const port = listener.sockets()[0]?.port as number;
    const other = new UdpListener({ listen: [udp(), udp('127.0.0.1', port)], exporters: [], receiveBufferBytes: 1 },
      { nowMs: () => 0, accept: () => undefined });
    await assert.rejects(other.start(), (error: Error) => error instanceof EnvironmentError &&
      error.code === 'network' &&
      error.message.startsWith(`Cannot listen at 127.0.0.1:${port} (udp): another program`));
    assert.deepEqual(other.sockets(), []);
    const strange = new UdpListener({ listen: [udp('192.0.2.77')], exporters: [], receiveBufferBytes: 1 },
      { nowMs: () => 0, accept: () => undefined });
    await assert.rejects(strange.start(), /192\.0\.2\.77:0 \(udp\): the address is not this machine's/);
    const stream = new TcpListener({ listen: [tcp('192.0.2.77')], exporters: [] },
      { nowMs: () => 0, accept: () => undefined });
    await assert.rejects(stream.start(), /192\.0\.2\.77:0 \(tcp\): the address is not this machine's/);
  });

test('UDP: the buffer that the kernel granted is told, and what to do about a small one', async (t) => {
  const { listener } = await openUdp(t, { receiveBufferBytes: 50_000 });
  const [socket] = listener.sockets();
  assert.equal(socket?.receiveBufferBytes, 50_000);
  assert.equal(describeSmallBuffer(socket, 50_000), undefined);
  assert.match(describeSmallBuffer(socket, 4 << 20) ?? '', /of 50000 bytes instead of 4194304.*rmem_max=4194304/);
});

test('UDP: a stopped listener can be started again, and its port is free meanwhile', async (t) => {
  const { listener, taken } = await openUdp(t);
  await listener.stop();
  await listener.stop();
  await listener.start();
  await send('127.0.0.1', listener.sockets()[0]?.port as number, ['again']);
  await until(() => taken.length === 1, 'the datagram');
  assert.equal(taken[0]?.bytes, 'again');
});

test('UDP: a flood does not hold up timers, and what the kernel dropped of it is counted', { timeout: 30_000 },
  async (t) => {
    const { listener, taken } = await openUdp(t, { receiveBufferBytes: 8_192 });
    const port = listener.sockets()[0]?.port as number;
    const sender = createSocket('udp4');
    let isOver = false;
    let sent = 0;
    const payload = Buffer.alloc(1_000);
    const pour = (): void => {
      if (isOver) return;
      for (let i = 0; i < 64; i++) sender.send(payload, port, '127.0.0.1', () => void sent++);
      setImmediate(pour);
    };
    pour();
    let ticks = 0;
    const timer = setInterval(() => void ticks++, 5);
    await until(() => sent > 20_000, '20,000 datagrams sent');
    isOver = true;
    clearInterval(timer);
    assert.ok(ticks > 3, `${ticks} ticks during the flood`);
    await until(async () => {
      const { kernelDrops } = await listener.counts();
      return kernelDrops === undefined || taken.length + kernelDrops >= 20_000;
    }, 'every datagram is taken or counted as dropped');
    const { kernelDrops, datagrams } = await listener.counts();
    sender.close();
    assert.equal(datagrams, taken.length);
    if (process.platform === 'linux') assert.ok((kernelDrops ?? 0) > 0, 'the buffer of 8 kB was full at times');
  });

test('drops are read from the line of the very socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'natlens-drops-'));
  t.after(() => rm(folder, { recursive: true }));
  const heading = '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid ref pointer drops\n';
  const line = (place: string, drops: number): string =>
    ` 100: ${place} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 0000 ${drops}        \n`;
  await writeFile(join(folder, 'udp'), heading + line('0100007F:0807', 7) + line('00000000:0807', 1_000) +
    line('0100007F:0808', 20_000));
  await writeFile(join(folder, 'udp6'), heading + line('00000000000000000000000001000000:0807', 300));
  const tables = { udp: join(folder, 'udp'), udp6: join(folder, 'udp6') };
  const at = (address: string, port: number) => ({ address, port });
  assert.equal(await readKernelDrops([at('127.0.0.1', 0x807)], tables), 7);
  assert.equal(await readKernelDrops([at('0.0.0.0', 0x807)], tables), 1_000);
  assert.equal(await readKernelDrops([at('::1', 0x807), at('127.0.0.1', 0x808)], tables), 20_300);
  assert.equal(await readKernelDrops([at('::1', 0x807)], { ...tables, udp6: join(folder, 'none') }), undefined);
});

test('TCP: messages in any pieces, from several connections', async (t) => {
  const { listener, taken, dial } = await openTcp(t);
  const all = Buffer.concat([message(0), message(40, 2), message(1_000, 3)]);
  const [slow, fast] = [await dial(), await dial()];
  slow.setNoDelay(true);
  fast.end(all);
  for (let at = 0; at < all.length; at += 7) slow.write(all.subarray(at, at + 7));
  slow.end();
  await until(() => taken.length === 6, 'six messages');
  assert.deepEqual(taken.map(({ bytes }) => bytes.length).sort((a, b) => a - b), [16, 16, 56, 56, 1_016, 1_016]);
  assert.ok(taken.every(({ from }) => from === '127.0.0.1'));
  await until(() => listener.counts().openConnections === 0, 'both connections have ended');
  assert.deepEqual(listener.counts(), {
    messages: 6, bytes: 2 * all.length, openConnections: 0, connections: 2, ended: { closed: 2 },
  });
});

test('TCP: a broken stream is closed, and what follows in it is not believed', async (t) => {
  const { listener, taken, dial } = await openTcp(t);
  const socket = await dial();
  const closed = once(socket, 'close');
  socket.write(Buffer.concat([message(4), Buffer.from('GET / HTTP/1.1\r\n\r\n'), message(8)]));
  await closed;
  assert.equal(taken.length, 1);
  assert.deepEqual(listener.counts().ended, { broken: 1 });
  const netflow9 = await dial();
  const refused = once(netflow9, 'close');
  netflow9.write(Buffer.from([0, 9, 0, 1, ...new Array<number>(32).fill(0)]));
  await refused;
  assert.deepEqual(listener.counts().ended, { broken: 2 });
});

test('TCP: a stream that ends within a message is told from one that does not', async (t) => {
  const { listener, dial } = await openTcp(t);
  (await dial()).end(message(100).subarray(0, 50));
  (await dial()).resetAndDestroy();
  await until(() => listener.counts().openConnections === 0 && listener.counts().connections === 2, 'both ends');
  assert.deepEqual(listener.counts().ended, { cut: 1, failed: 1 });
});

test('TCP: silence ends a connection', async (t) => {
  const { listener, dial } = await openTcp(t, { idleMs: 30 });
  const socket = await dial();
  await once(socket, 'close');
  assert.deepEqual(listener.counts().ended, { idle: 1 });
});

test('TCP: at the limit a further connection is refused, and those that are open go on', async (t) => {
  const { listener, taken, dial } = await openTcp(t, { connectionsMax: 2 });
  const first = await dial();
  await dial();
  await until(() => listener.counts().openConnections === 2, 'two connections');
  await once(await dial(), 'close');
  first.write(message(1));
  await until(() => taken.length === 1, 'the message');
  assert.deepEqual(listener.counts().ended, { 'connection-limit': 1 });
  await listener.stop();
  assert.deepEqual(listener.counts(),
    { messages: 1, bytes: 17, openConnections: 0, connections: 3, ended: { 'connection-limit': 1, stopped: 2 } });
});

test('TCP: who is not on the list is disconnected', async (t) => {
  const { listener, dial, taken } = await openTcp(t, { exporters: [prefix('127.0.0.9/32')] });
  await once(await dial(), 'close');
  assert.deepEqual([listener.counts().ended, taken.length], [{ foreign: 1 }, 0]);
});

test('the gate: interfaces of link-local addresses, forged floods, texts that are no addresses', () => {
  const gate = new ExporterGate([prefix('fe80::/10'), prefix('10.0.0.0/8')]);
  assert.deepEqual(gate.admit('fe80::1%eth0'), [0xfe800000, 0, 0, 1]);
  assert.equal(gate.admit(''), undefined);
  for (let i = 0; i < 10_000; i++) assert.equal(gate.admit(`192.0.${i >> 8}.${i & 255}`), undefined);
  assert.deepEqual(gate.admit('::ffff:10.1.2.3'), [0, 0, 0xffff, 0x0a010203]);
  assert.deepEqual(gate.admit('10.1.2.3'), [0, 0, 0xffff, 0x0a010203]);
});
