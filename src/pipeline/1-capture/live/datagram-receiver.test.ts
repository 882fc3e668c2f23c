/**
 * The receiver over loopback, by recvmmsg and by Node's sockets: every datagram that was sent is handed on, or counted
 * as lost where it was lost. Senders that must not wait for us are processes of their own.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';
import { EnvironmentError, formatAddress, mappedWord } from '#base';
import type { ListenAddress } from '../listen/listen-address.ts';
import { readKernelDrops } from '../listen/kernel-drops.ts';
import { DatagramReceiver } from './datagram-receiver.ts';
import { loadLibc } from './libc.ts';
import type { DatagramReceiverOptions } from './received-datagram.ts';

type Taken = { from: string; bytes: string; receivedMs: number; sourcePort: number; socket: number; drops: number };

const blasterFile = fileURLToPath(new URL('../../../../bench/export-blaster.ts', import.meta.url));
const udp = (address = '127.0.0.1', port = 0): ListenAddress => ({ transport: 'udp', address, port });

function findNative(): string | false {
  try {
    loadLibc();
    return false;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}
const skipNative = findNative();
/** Both ways in, of which one may be closed here. */
const ways: readonly (readonly [kind: 'recvmmsg' | 'dgram', skip: string | false])[] =
  [['recvmmsg', skipNative], ['dgram', false]];

async function open(t: TestContext, options: Partial<DatagramReceiverOptions> = {}): Promise<{
  receiver: DatagramReceiver; taken: Taken[]; ports: () => number[]; errors: Error[];
}> {
  const taken: Taken[] = [];
  const errors: Error[] = [];
  const receiver = new DatagramReceiver(
    { listen: [udp()], receiveBufferBytes: 1 << 20, ringBytes: 1 << 20, native: true, ...options }, {
      nowMs: () => 1e6,
      onError: (error) => void errors.push(error),
      accept: ({ bytes, exporter, receivedMs, sourcePort, socket, kernelDrops }) => void taken.push({
        from: formatAddress(Uint32Array.from(exporter), 0), bytes: Buffer.from(bytes).toString('latin1'), receivedMs,
        sourcePort, socket, drops: kernelDrops,
      }),
    });
  await receiver.start();
  t.after(() => receiver.stop());
  return { receiver, taken, ports: () => receiver.sockets().map(({ port }) => port), errors };
}

async function until(isDone: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await isDone()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`waited in vain: ${what}`);
}

/** @returns the port that they were sent from */
async function send(address: string, port: number, texts: readonly string[], from?: string): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const own = from ?? (address.includes(':') ? '::' : '0.0.0.0');
  await new Promise<void>((resolve) => void socket.bind(0, own, resolve));
  for (const text of texts) {
    await new Promise<void>((resolve, reject) =>
      socket.send(Buffer.from(text, 'latin1'), port, address, (error) => (error ? reject(error) : resolve())));
  }
  const sourcePort = socket.address().port;
  socket.close();
  return sourcePort;
}

/** Whether the kernel gave the buffer that was asked for; net.core.rmem_max may forbid it. */
function isGranted(receiver: DatagramReceiver): boolean {
  return receiver.sockets().every(({ receiveBufferBytes, askedBytes }) => receiveBufferBytes >= askedBytes);
}

type Blasted = { datagrams: number; templateDatagrams: number; sources: { address: string; datagrams: number }[] };

/** Sends while this thread stands still. @returns datagrams */
function blastWhileStanding(port: number, datagrams: number, sources = 1): Blasted & { all: number } {
  const options = { port, protocol: 9, datagramsPerSecond: 0, seconds: 30, datagrams, sources, addresses: sources };
  const { stdout, status, stderr } = spawnSync(process.execPath, [blasterFile, JSON.stringify(options)],
    { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const sent = JSON.parse(stdout) as Blasted;
  return { ...sent, all: sent.datagrams + sent.templateDatagrams };
}

for (const [kind, skip] of ways) {
  const native = kind === 'recvmmsg';

  test(`${kind}: datagrams are handed on with exporter, port, socket and time`, { skip }, async (t) => {
    const { receiver, taken, ports } = await open(t,
      { native, listen: [udp(), { ...udp(), transport: 'tcp' }, udp(), udp('::1')] });
    assert.equal(receiver.kind, kind);
    assert.equal(receiver.fallBackReason, undefined);
    const [first = 0, second = 0, sixth = 0, ...others] = ports();
    assert.deepEqual(others, [], 'that of TCP is not ours');
    const sent = [
      await send('127.0.0.1', first, ['a', ''], '127.0.0.9'), await send('127.0.0.1', second, ['b']),
      await send('::1', sixth, ['c'.repeat(9_000)]),
    ];
    await until(() => taken.length === 4, 'four datagrams');
    taken.sort((a, b) => a.socket - b.socket || b.bytes.length - a.bytes.length);
    const seen = taken.map(({ from, bytes, sourcePort, socket }) => [from, bytes.slice(0, 3), sourcePort, socket]);
    assert.deepEqual(seen, [
      ['127.0.0.9', 'a', sent[0], 0], ['127.0.0.9', '', sent[0], 0], ['127.0.0.1', 'b', sent[1], 1],
      ['::1', 'ccc', sent[2], 2],
    ]);
    assert.ok(taken.every(({ receivedMs, drops }) => receivedMs <= 1e6 && receivedMs > 1e6 - 10_000 && drops === 0));
    const { datagrams, bytes, kernelDrops, ringDrops, socketErrors, cutDatagrams } = await receiver.counts();
    assert.deepEqual({ datagrams, bytes, kernelDrops, ringDrops, socketErrors, cutDatagrams },
      { datagrams: 4, bytes: 9_002, kernelDrops: 0, ringDrops: 0, socketErrors: 0, cutDatagrams: 0 });
  });

  test(`${kind}: both families at one port; IPv4 senders keep their IPv4 address on an IPv6 socket`, { skip },
    async (t) => {
      const { receiver, taken, ports } = await open(t, { native, listen: [udp('::')] });
      const [port = 0] = ports();
      await send('127.0.0.1', port, ['four']);
      await send('::1', port, ['six']);
      await until(() => taken.length === 2, 'both datagrams');
      assert.deepEqual(taken.map(({ from, bytes }) => [from, bytes]), [['127.0.0.1', 'four'], ['::1', 'six']]);
      await receiver.stop();
      assert.equal((await open(t, { native, listen: [udp('0.0.0.0', port), udp('::', port)] })).ports().length, 2);
    });

  test(`${kind}: a port in use or a strange address: one sentence, and nothing stays open`, { skip }, async (t) => {
    const [port = 0] = (await open(t, { native })).ports();
    const refused = (listen: ListenAddress[], pattern: RegExp): Promise<void> => {
      const receiver = new DatagramReceiver({ listen, native, receiveBufferBytes: 1, ringBytes: 1 << 16 },
        { nowMs: () => 0, accept: () => undefined });
      return assert.rejects(receiver.start(), (error: Error) => {
        assert.deepEqual(receiver.sockets(), []);
        return error instanceof EnvironmentError && error.code === 'network' && pattern.test(error.message);
      });
    };
    await refused([udp(), udp('127.0.0.1', port)], /^Cannot listen at 127\.0\.0\.1:\d+ \(udp\): another program has/);
    await refused([udp('192.0.2.77')], /^Cannot listen at 192\.0\.2\.77:0 \(udp\): the address is not this machine's/);
    await refused([udp('2001:db8::7')], /^Cannot listen at \[2001:db8::7\]:0 \(udp\): the address is not this machine's/);
  });

  test(`${kind}: the buffer that the kernel granted is told beside what was asked for`, { skip }, async (t) => {
    const { receiver } = await open(t, { native, receiveBufferBytes: 50_000 });
    const [socket] = receiver.sockets();
    assert.deepEqual([socket?.receiveBufferBytes, socket?.askedBytes], [50_000, 50_000]);
  });

  test(`${kind}: while the reader pauses nothing is handed on; what then finds no room is counted`, { skip },
    async (t) => {
      const { receiver, taken, ports } = await open(t, { native, receiveBufferBytes: 1 << 16, ringBytes: 1 << 16 });
      const [port = 0] = ports();
      receiver.pause();
      const sent = blastWhileStanding(port, 2_000);
      await until(async () => {
        const { ringBytesUsedMax, ringBytes, kernelDrops = 0, ringDrops } = await receiver.counts();
        return ringBytesUsedMax > ringBytes / 2 && kernelDrops + ringDrops > 0;
      }, 'the ring is full');
      assert.equal(taken.length, 0);
      receiver.resume();
      await until(async () => {
        const { datagrams, kernelDrops = 0, ringDrops } = await receiver.counts();
        return datagrams + kernelDrops + ringDrops === sent.all;
      }, 'every datagram is handed on or counted');
      const { datagrams, ringDrops } = await receiver.counts();
      assert.equal(datagrams, taken.length);
      if (native) assert.equal(ringDrops, 0, 'who pauses leaves the loss to the kernel');
    });

  test(`${kind}: a stop hands on what the kernel and the ring hold, also when paused`, { skip }, async (t) => {
    const { receiver, taken, ports } = await open(t, { native, ringBytes: 1 << 18 });
    const isFitting = isGranted(receiver);
    receiver.pause();
    // Fits in a buffer of 1 MiB with the kernel's bookkeeping, and not in the ring.
    const sent = blastWhileStanding(ports()[0] as number, 600);
    await receiver.stop();
    const { datagrams, kernelDrops = 0, ringDrops } = await receiver.counts();
    assert.equal(taken.length, datagrams);
    assert.equal(datagrams + kernelDrops + ringDrops, sent.all);
    if (native && isFitting) assert.deepEqual([datagrams, kernelDrops], [sent.all, 0]);
    assert.deepEqual(receiver.sockets(), []);
    await receiver.stop();
  });
}

test('recvmmsg: a reader that stands still loses datagrams, which are counted for each address', { skip: skipNative },
  async (t) => {
    const { receiver, taken, ports } = await open(t, { ringBytes: 1 << 16, receiveBufferBytes: 4 << 20 });
    const sent = blastWhileStanding(ports()[0] as number, 2_000, 4);
    // Long enough that its thread gives up waiting for this one.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_600);
    await until(async () => {
      const { datagrams, kernelDrops = 0, ringDrops } = await receiver.counts();
      return datagrams + kernelDrops + ringDrops === sent.all;
    }, 'every datagram is handed on or counted');
    const { ringDrops, kernelDrops = 0, datagrams, ringBytesUsedMax, ringBytes } = await receiver.counts();
    assert.ok(ringDrops > 0 && ringBytesUsedMax > ringBytes * 0.9, `${ringDrops} dropped`);
    const of = (last: number): number => receiver.ringDropsOf([0, 0, mappedWord, 0x7f000000 + last]);
    assert.equal(of(1) + of(2) + of(3) + of(4), ringDrops);
    assert.equal(taken.length, datagrams);
    if (isGranted(receiver)) assert.equal(kernelDrops, 0);
    else return;
    for (const last of [1, 2, 3, 4]) {
      const from = `127.0.0.${last}`;
      const told = taken.filter((each) => each.from === from).map(({ drops }) => drops);
      assert.deepEqual(told, told.toSorted((a, b) => a - b), 'drops never fall');
      assert.equal(taken.filter((each) => each.from === from).length + of(last),
        1 + (sent.sources.find(({ address }) => address === from)?.datagrams ?? 0));
    }
  });

test('recvmmsg: drops of the kernel are those of /proc/net/udp, and the next datagram tells of them',
  { skip: skipNative }, async (t) => {
    const { receiver, taken, ports } = await open(t, { receiveBufferBytes: 8_192, ringBytes: 1 << 16 });
    const [port = 0] = ports();
    receiver.pause();
    const sent = blastWhileStanding(port, 3_000);
    const dropped = await readKernelDrops([{ address: '127.0.0.1', port }]);
    assert.ok((dropped ?? 0) > 1_000, `${dropped} dropped`);
    assert.equal((await receiver.counts()).kernelDrops, dropped);
    receiver.resume();
    await until(() => taken.length === sent.all - (dropped ?? 0), 'what was not dropped');
    await send('127.0.0.1', port, ['next']);
    await until(() => taken.at(-1)?.bytes === 'next', 'one more');
    assert.equal(taken.at(-1)?.drops, dropped);
    assert.equal(taken[0]?.drops, 0);
    // Every hole in the exporter's numbers is as wide as the count rises.
    let [number, drops] = [-1, 0];
    for (const each of taken.slice(0, -1)) {
      const next = Buffer.from(each.bytes, 'latin1').readUInt32BE(12);
      assert.equal(next - number - 1, each.drops - drops);
      [number, drops] = [next, each.drops];
    }
    await receiver.stop();
    assert.equal((await receiver.counts()).kernelDrops, dropped, 'known after the end as well');
  });

test('recvmmsg: a datagram that is longer than any may be is cut, and counted', { skip: skipNative }, async (t) => {
  const { receiver, taken, ports } = await open(t, { datagramBytesMax: 64 });
  await send('127.0.0.1', ports()[0] as number, ['x'.repeat(64), 'y'.repeat(65), 'z']);
  await until(() => taken.length === 3, 'three datagrams');
  assert.deepEqual(taken.map(({ bytes }) => bytes.length), [64, 64, 1]);
  assert.equal((await receiver.counts()).cutDatagrams, 1);
});

test('recvmmsg: a flood goes round the ring many times, whole, and holds up no timer', { skip: skipNative },
  async (t) => {
    const { receiver, taken, ports } = await open(t, { receiveBufferBytes: 16 << 20, ringBytes: 4 << 20 });
    let ticks = 0;
    const timer = setInterval(() => void ticks++, 5);
    t.after(() => clearInterval(timer));
    const { blast } = await import('../../../../bench/export-blaster.ts');
    const sent = await blast({
      port: ports()[0] as number, protocol: 9, datagramsPerSecond: 20_000, seconds: 1, sources: 3, addresses: 3,
    });
    const all = sent.datagrams + sent.templateDatagrams;
    await until(async () => {
      const { datagrams, kernelDrops = 0, ringDrops } = await receiver.counts();
      return datagrams + kernelDrops + ringDrops === all;
    }, 'every datagram is handed on or counted');
    assert.ok(ticks > 20, `${ticks} ticks`);
    const { datagrams, bytes } = await receiver.counts();
    assert.equal(taken.reduce((sum, each) => sum + each.bytes.length, 0), bytes);
    // Sequence numbers of each exporter rise by one: the bytes are those that were sent, in their order.
    for (const { address, sequence } of sent.sources) {
      const numbers = taken.filter(({ from }) => from === address)
        .map((each) => Buffer.from(each.bytes, 'latin1').readUInt32BE(12));
      assert.ok(numbers.every((number, i) => i === 0 || number > (numbers[i - 1] as number)));
      if (datagrams === all) assert.deepEqual([numbers.length, numbers.at(-1)], [sequence, sequence - 1]);
    }
  });

/** A thread that fails when it is started first: the control memory's last word says so. */
const workerFile = new URL(`data:text/javascript,${encodeURIComponent(`
  import { workerData } from 'node:worker_threads';
  if (Atomics.exchange(new Int32Array(workerData.buffer, 0, 16), 15, 1) === 0) throw new Error('planted');
  await import(${JSON.stringify(new URL('./receive-worker.ts', import.meta.url).href)});`)}`);

test('recvmmsg: a stop hands on what came while a thread was missing', { skip: skipNative }, async (t) => {
  const { receiver, taken, ports, errors } = await open(t, { workerFile });
  await send('127.0.0.1', ports()[0] as number, ['a', 'b']);
  assert.equal(errors.length, 1);
  await Promise.all([receiver.stop(), receiver.stop()]);
  assert.deepEqual(taken.map(({ bytes }) => bytes), ['a', 'b']);
});

test('recvmmsg: a thread that fails is told of and started anew', { skip: skipNative }, async (t) => {
  const { taken, ports, errors } = await open(t, { workerFile });
  await send('127.0.0.1', ports()[0] as number, ['patience']);
  await until(() => taken.length === 1, 'the datagram');
  assert.deepEqual(errors.map(({ message }) => message),
    ['The thread that receives datagrams ended (planted); it is started anew.']);
});

test('where the C library cannot be called, Node’s sockets serve, and it is said why', () => {
  const file = new URL('./datagram-receiver.ts', import.meta.url).href;
  const script = `Object.defineProperty(process, 'platform', { value: 'darwin' });
    const { DatagramReceiver } = await import(${JSON.stringify(file)});
    const receiver = new DatagramReceiver({ listen: [], receiveBufferBytes: 1, native: true }, {});
    console.log(receiver.kind, receiver.fallBackReason);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8', cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  assert.match(stdout, /^dgram packets and fast sockets need Linux on x64 or arm64, and this is darwin on/, stderr);
});
