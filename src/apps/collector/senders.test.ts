/** Who may send and how much: by a virtual clock, over floods of forged senders, and fair between exporters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress, parsePrefix, type AddressWords, type Prefix } from '#base';
import { ExporterGate } from '#capture/listen';
import { Senders, type SenderOptions } from './senders.ts';

const words = (text: string): AddressWords => parseAddress(text) as AddressWords;
const everybody = new ExporterGate([]);
const open = (options: Partial<SenderOptions> = {}, gate = everybody): Senders =>
  new Senders(gate, { rateLimit: 0, rateBurst: 1, ...options });

/** An address of a flood, each time another object. */
const forged = (i: number): AddressWords => [0, 0, 0xffff, (0x0a000000 + i) >>> 0];

test('without a limit everything that is allowed is taken', () => {
  const senders = open();
  for (let i = 0; i < 1_000; i++) assert.equal(senders.admit(words('192.0.2.1'), 5, true), 'taken');
  assert.deepEqual(senders.counts(), { known: 1, taken: 1_000, limited: 0, foreign: 0, unlistedDatagrams: 0 });
});

test('strangers are counted and take no place', () => {
  const gate = new ExporterGate([parsePrefix('192.0.2.0/24') as Prefix, parsePrefix('2001:db8::/32') as Prefix]);
  const senders = open({ sendersMax: 2 }, gate);
  for (let i = 0; i < 100; i++) assert.equal(senders.admit(forged(i), 5, true), 'foreign');
  assert.equal(senders.admit(words('192.0.2.9'), 5, true), 'taken');
  assert.equal(senders.admit(words('2001:db8::9'), 5, true), 'taken');
  const counts = senders.counts();
  assert.equal(counts.known, 2);
  assert.equal(counts.foreign, 100);
});

test('a bucket gives its burst at once and its rate from then on', () => {
  const senders = open({ rateLimit: 100, rateBurst: 50 });
  const from = words('192.0.2.1');
  const takeMany = (count: number, atMs: number): number =>
    Array.from({ length: count }, () => senders.admit(from, atMs, true)).filter((each) => each === 'taken').length;
  assert.equal(takeMany(200, 1_000), 50);
  assert.equal(takeMany(200, 1_000), 0);
  assert.equal(takeMany(200, 1_100), 10);
  assert.equal(takeMany(200, 60_000), 50, 'no more is saved up than a burst');
  assert.equal(takeMany(200, 10_000), 0, 'a clock that was set back gives nothing');
  assert.equal(takeMany(200, 10_100), 10, 'and goes on from there');
});

test('a connection is never limited', () => {
  const senders = open({ rateLimit: 1, rateBurst: 1 });
  for (let i = 0; i < 10; i++) assert.equal(senders.admit(words('192.0.2.1'), 0, false), 'taken');
});

test('one that sends too much takes nothing from another', () => {
  const senders = open({ rateLimit: 10, rateBurst: 10 });
  let honest = 0;
  for (let ms = 0; ms < 10_000; ms++) {
    senders.admit(words('192.0.2.66'), ms, true);
    senders.admit(words('192.0.2.66'), ms, true);
    if (ms % 200 === 0 && senders.admit(words('192.0.2.1'), ms, true) === 'taken') honest++;
  }
  assert.equal(honest, 50);
  const [most, ...others] = senders.limitedSenders(5);
  assert.equal(most?.address, '192.0.2.66');
  assert.equal(others.length, 0);
  assert.equal(most.datagrams, 20_000);
  // Ten at the start and ten a second from then on.
  assert.equal(most.datagrams - most.limitedDatagrams, 10 + 99);
});

test('at the limit forged senders share one bucket, and known ones keep theirs', () => {
  const senders = open({ rateLimit: 10, rateBurst: 10, sendersMax: 4 });
  assert.equal(senders.admit(words('192.0.2.1'), 0, true), 'taken');
  let taken = 0;
  for (let i = 0; i < 5_000; i++) if (senders.admit(forged(i), 0, true) === 'taken') taken++;
  assert.equal(taken, 3 + 10, 'three of their own place, and the burst that the others share');
  assert.equal(senders.admit(words('192.0.2.1'), 0, true), 'taken');
  const counts = senders.counts();
  assert.equal(counts.known, 4);
  assert.equal(counts.unlistedDatagrams, 5_000 - 3);
  assert.equal(senders.limitedSenders(1)[0]?.address, '');
});

test('who is silent for long makes room', () => {
  const senders = open({ sendersMax: 2, idleMs: 1_000 });
  senders.admit(words('192.0.2.1'), 0, true);
  senders.admit(words('2001:db8::1'), 900, true);
  senders.sweep(1_500);
  assert.equal(senders.counts().known, 1);
  senders.sweep(5_000);
  assert.equal(senders.counts().known, 0);
  assert.equal(senders.admit(words('192.0.2.1'), 5_000, true), 'taken');
});

test('every datagram is taken, limited or foreign, and no bucket gives more than burst and rate', () => {
  const step = fc.record({ sender: fc.integer({ min: 0, max: 5 }), passedMs: fc.integer({ min: 0, max: 300 }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: 1, max: 20 }), (steps, rateLimit, rateBurst) => {
      const senders = open({ rateLimit, rateBurst, sendersMax: 3 });
      const taken = new Map<number, number>();
      let nowMs = 0;
      for (const { sender, passedMs } of steps) {
        nowMs += passedMs;
        // The first three met have a bucket each; who they are differs, so only sums by sender are looked at.
        if (senders.admit(forged(sender), nowMs, true) === 'taken') taken.set(sender, (taken.get(sender) ?? 0) + 1);
      }
      const counts = senders.counts();
      assert.equal(counts.taken + counts.limited + counts.foreign, steps.length);
      for (const count of taken.values()) assert.ok(count <= rateBurst + nowMs * rateLimit / 1_000 + 1e-6);
    }));
});
