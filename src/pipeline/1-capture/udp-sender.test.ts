/** The UDP sender on loopback: order, pace, and what is said when nobody listens. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { VirtualClock } from '#base';
import { UdpSender, type UdpSenderOptions } from './udp-sender.ts';

const loopback = '127.0.0.1';

/** A receiver on a port of the kernel's choice, and what came. */
async function openReceiver(): Promise<{ socket: Socket; port: number; received: Buffer[] }> {
  const socket = createSocket('udp4');
  const received: Buffer[] = [];
  socket.on('message', (message) => void received.push(message));
  socket.bind(0, loopback);
  await once(socket, 'listening');
  return { socket, port: socket.address().port, received };
}

/** Waits until as many datagrams have come, at most two seconds. */
async function waitFor(received: readonly Buffer[], count: number): Promise<void> {
  for (let i = 0; i < 200 && received.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 10));
}

const open = (port: number, more: Partial<UdpSenderOptions> = {}): Promise<UdpSender> =>
  UdpSender.open({ address: loopback, family: 4, port, unitsPerSecond: 0, createSocket, ...more });

test('datagrams come whole and in order; the queue copies', async () => {
  const { socket, port, received } = await openReceiver();
  try {
    const sender = await open(port);
    const datagram = Buffer.alloc(1_472);
    for (let i = 0; i < 60; i++) {
      datagram.writeUInt32BE(i);
      sender.queue(datagram, 10);
      if (i % 30 === 29) await sender.drain();
    }
    await sender.end();
    await waitFor(received, 60);
    assert.deepEqual(received.map((message) => message.readUInt32BE(0)), Array.from({ length: 60 }, (_, i) => i));
    assert.ok(received.every(({ length }) => length === 1_472));
    assert.deepEqual([sender.datagrams, sender.bytes], [60, 88_320]);
  } finally {
    socket.close();
  }
});

test('the pace: so many units a second, and no rush after a pause', async () => {
  const { socket, port, received } = await openReceiver();
  try {
    const clock = new VirtualClock(1_000);
    const waits: number[] = [];
    const sleep = (durationMs: number): Promise<void> => {
      waits.push(durationMs);
      clock.advance(durationMs);
      return Promise.resolve();
    };
    const sender = await open(port, { unitsPerSecond: 100, clock, sleep });
    for (let i = 0; i < 20; i++) sender.queue(Buffer.from([i]), 5);
    await sender.drain();
    // The first goes at once, each later one 50 ms after the one before.
    assert.deepEqual(waits, Array.from({ length: 19 }, () => 50));
    clock.advance(60_000);
    waits.length = 0;
    for (let i = 0; i < 6; i++) sender.queue(Buffer.from([i]), 1);
    await sender.drain();
    assert.deepEqual(waits, [10, 10, 10], 'up to 20 ms are made up for, not a minute');
    await sender.end();
    await waitFor(received, 26);
    assert.equal(received.length, 26);
  } finally {
    socket.close();
  }
});

test('nobody listens: an environment error, with the place', async () => {
  const { socket, port } = await openReceiver();
  socket.close();
  await once(socket, 'close');
  const sender = await open(port);
  sender.queue(Buffer.from('x'), 1);
  await assert.rejects(sender.end(),
    { code: 'network', message: `Sending to 127.0.0.1:${port} failed: nobody listens there.` });
});

test('a datagram that no network carries is an error, not a loss', async () => {
  const { socket, port } = await openReceiver();
  try {
    const sender = await open(port);
    sender.queue(Buffer.alloc(70_000), 1);
    await assert.rejects(sender.end(), { code: 'network', message: /EMSGSIZE/ });
  } finally {
    socket.close();
  }
});

test('an address without a way to it is said when the sender opens', async () => {
  await assert.rejects(open(1, { address: '0:0:0::zz' }), { code: 'network' });
});

test('who queues without draining is stopped at the limit', async () => {
  const { socket, port } = await openReceiver();
  try {
    const sender = await open(port, { queueDatagramsMax: 2 });
    sender.queue(Buffer.from('a'), 1);
    sender.queue(Buffer.from('b'), 1);
    assert.throws(() => sender.queue(Buffer.from('c'), 1), { name: 'InvariantError' });
    await sender.drain();
    sender.queue(Buffer.from('c'), 1);
    await sender.end();
    assert.equal(sender.datagrams, 3);
  } finally {
    socket.close();
  }
});

test('an abandoned sender sends nothing more', async () => {
  const { socket, port, received } = await openReceiver();
  try {
    const sender = await open(port);
    sender.queue(Buffer.from('x'), 1);
    sender.abandon();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual([received.length, sender.datagrams], [0, 0]);
  } finally {
    socket.close();
  }
});

test('who is told of failures goes on: a receiver that comes back gets what is sent from then on', async () => {
  const { socket, port } = await openReceiver();
  socket.close();
  await once(socket, 'close');
  const failures: string[] = [];
  const sender = await open(port, { onFailure: (error) => void failures.push(error.message) });
  for (let i = 0; i < 5; i++) {
    sender.queue(Buffer.from([i]), 3);
    await sender.drain();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(failures.length > 0 && failures.every((text) => /nobody listens there/.test(text)), failures.join('\n'));
  const again = createSocket('udp4');
  const received: Buffer[] = [];
  again.on('message', (message) => void received.push(message));
  again.bind(port, loopback);
  await once(again, 'listening');
  sender.queue(Buffer.from([9]), 3);
  await sender.end();
  await waitFor(received, 1);
  // The refusal of the one before does not take this one with it.
  assert.deepEqual(received.map((message) => message[0]), [9]);
  assert.equal(sender.datagrams + sender.lostDatagrams, 6);
  assert.equal(sender.lostUnits, 3 * sender.lostDatagrams);
  again.close();
});
