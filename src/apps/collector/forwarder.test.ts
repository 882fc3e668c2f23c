/** The tee: copies to every receiver, over loopback, and counted losses of those that are away or slow. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Forwarder, type OpenSocket } from './forwarder.ts';

test('every receiver gets the bytes as they were during the call', async (t) => {
  const receivers = [createSocket('udp4'), createSocket('udp4')];
  const got: string[][] = receivers.map(() => []);
  const places = await Promise.all(receivers.map(async (socket, i) => {
    socket.on('message', (bytes) => got[i]?.push(bytes.toString()));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.after(() => socket.close());
    return { address: '127.0.0.1', port: socket.address().port };
  }));
  const forwarder = new Forwarder(places);
  const bytes = Buffer.from('message 0');
  for (let i = 0; i < 10; i++) {
    bytes.write(String(i), 8);
    forwarder.send(bytes);
  }
  await forwarder.end();
  for (let i = 0; i < 100 && got.some((list) => list.length < 10); i++) await sleep(10);
  const expected = Array.from({ length: 10 }, (_, i) => `message ${i}`);
  assert.deepEqual(got, [expected, expected]);
  assert.deepEqual(forwarder.counts().map(({ datagrams, bytes: sum }) => [datagrams, sum]), [[10, 90], [10, 90]]);
});

test('what is under way is bounded, what is too large or refused is counted', async () => {
  const waiting: ((error: Error | null) => void)[] = [];
  const openSocket: OpenSocket = () => ({
    send: ((_bytes: Uint8Array, _port: number, _address: string, done: (error: Error | null) => void) =>
      waiting.push(done)) as never,
    close: ((done: () => void) => done()) as never, on: (() => undefined) as never, unref: (() => undefined) as never,
  });
  const forwarder = new Forwarder([{ address: '192.0.2.1', port: 9 }], { openSocket, inFlightMax: 3 });
  for (let i = 0; i < 5; i++) forwarder.send(Uint8Array.of(i));
  forwarder.send(new Uint8Array(65_508));
  waiting.shift()?.(null);
  waiting.shift()?.(new Error('no way there'));
  forwarder.send(Uint8Array.of(9));
  waiting.splice(0).forEach((done) => done(null));
  await forwarder.end();
  assert.deepEqual(forwarder.counts(), [{
    to: '192.0.2.1:9', datagrams: 3, bytes: 3, dropped: 2, tooLarge: 1, failed: 1, lastError: 'no way there',
  }]);
});
