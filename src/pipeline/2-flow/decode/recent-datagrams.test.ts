/** Copies of datagrams are known by a hash: of which bytes, by which memory, and by whom it is made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { type DatagramHash, hashDatagram } from './datagram-hash.ts';
import { ExportDomain } from './export-domain.ts';
import { bytesPerRecent, RecentDatagrams } from './recent-datagrams.ts';
import { DecodeMemory, inputBytesMax } from './record-program.ts';

function hashOf(bytes: Uint8Array): DatagramHash {
  const hash = { low: 0, high: 0 };
  hashDatagram(bytes, hash);
  return hash;
}

test('the kernel makes the same hash of any bytes, whatever lay there before', () => {
  const memory = new DecodeMemory('wasm', 0);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    memory.input.fill(0xa5);
    const hash = { low: 0, high: 0 };
    memory.hash(bytes, hash);
    assert.deepEqual(hash, hashOf(bytes));
  }));
  for (const length of [inputBytesMax - 1, inputBytesMax, inputBytesMax + 1]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 8));
    const hash = { low: 0, high: 0 };
    memory.hash(bytes, hash);
    assert.deepEqual(hash, hashOf(bytes), `${length} bytes`);
  }
});

test('one word, the length, and twice the same bit make another hash', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(), fc.integer({ min: 1, max: 255 }),
    (bytes, where, change) => {
      const at = where % bytes.length;
      const other = Uint8Array.from(bytes);
      other[at] = other[at]! ^ change;
      assert.notDeepEqual(hashOf(other), hashOf(bytes));
      assert.notDeepEqual(hashOf(Uint8Array.of(...bytes, 0)), hashOf(bytes));
    }));
  // The upper bit of two words of one lane: a product alone would let both cancel.
  const plain = new Uint8Array(256);
  const turned = Uint8Array.from(plain);
  turned[3] = 0x80;
  turned[67] = 0x80;
  assert.notDeepEqual(hashOf(turned), hashOf(plain));
});

test('hashes of datagrams that count up differ, all of 300,000 of them', () => {
  const bytes = new Uint8Array(80);
  const view = new DataView(bytes.buffer);
  const seen = new Set<string>();
  const lows = new Set<number>();
  for (let i = 0; i < 300_000; i++) {
    view.setUint32(12, i);
    view.setUint32(40, i >>> 3);
    const { low, high } = hashOf(bytes);
    seen.add(`${low}/${high}`);
    lows.add(low);
  }
  assert.equal(seen.size, 300_000);
  // Of 2^32, 300,000 at random meet about 10 times.
  assert.ok(lows.size > 299_950, `${lows.size}`);
});

test('recent datagrams: of a bucket the oldest is forgotten', () => {
  const domain = new ExportDomain([0, 0, 0xffff, 1], 9, 0);
  const other = new ExportDomain([0, 0, 0xffff, 2], 9, 0);
  const recent = new RecentDatagrams(4 * bytesPerRecent);
  const bytes = (value: number, length = 40): Uint8Array => new Uint8Array(length).fill(value);
  const add = (of: ExportDomain, sequence: number, it: Uint8Array): void =>
    recent.add(of, sequence, it.length, hashOf(it));
  const has = (of: ExportDomain, sequence: number, it: Uint8Array): boolean =>
    recent.has(of, sequence, it.length, hashOf(it));
  assert.equal(has(domain, 0, bytes(0)), false);
  for (const value of [1, 2, 3, 4]) add(domain, 7, bytes(value));
  assert.deepEqual([1, 2, 3, 4].map((value) => has(domain, 7, bytes(value))), [true, true, true, true]);
  assert.deepEqual([has(other, 7, bytes(1)), has(domain, 8, bytes(1)), has(domain, 7, bytes(1, 39))],
    [false, false, false]);
  add(other, 9, bytes(5));
  assert.deepEqual([1, 2, 3, 4].map((value) => has(domain, 7, bytes(value))), [false, true, true, true]);
  assert.equal(has(other, 9, bytes(5)), true);
});

test('recent datagrams: as many as the memory holds, spread evenly', () => {
  const count = 4_096;
  const recent = new RecentDatagrams(count * bytesPerRecent);
  const domains = [1, 2, 3, 4].map((last) => new ExportDomain([0, 0, 0xffff, 0x0a00_0000 + last], 9, last));
  const hash = { low: 1, high: 2 };
  for (let i = 0; i < count / 2; i++) recent.add(domains[i & 3]!, i >> 2, 100, hash);
  let found = 0;
  for (let i = 0; i < count / 2; i++) found += Number(recent.has(domains[i & 3]!, i >> 2, 100, hash));
  // With two on average in buckets of four, one in ten or so is pushed out.
  assert.ok(found > count / 2 * 0.85, `${found} of ${count / 2}`);
});

test('recent datagrams: the last hundreds are all there, whatever came before', () => {
  const recent = new RecentDatagrams(1 << 16);
  const domains = [1, 2, 3, 4, 5].map((last) => new ExportDomain([0, 0, 0xffff, 0xc000_0200 + last], 10, 0));
  const random = new Random(7);
  const sequences = domains.map(() => random.uint32());
  const sent: (readonly [ExportDomain, number])[] = [];
  const hash = { low: 1, high: 2 };
  for (let i = 0; i < 20_000; i++) {
    const which = random.integer(0, domains.length - 1);
    const sequence = sequences[which]!;
    sequences[which] = (sequence + random.integer(1, 30)) >>> 0;
    recent.add(domains[which]!, sequence, 1_400, hash);
    sent.push([domains[which]!, sequence]);
    if (i % 500 !== 499) continue;
    const missed = sent.slice(-300).filter(([domain, one]) => !recent.has(domain, one, 1_400, hash));
    assert.equal(missed.length, 0, `after ${i + 1}`);
  }
});

test('without memory nothing is remembered', () => {
  const recent = new RecentDatagrams(0);
  const domain = new ExportDomain([0, 0, 0xffff, 1], 9, 0);
  recent.add(domain, 1, 10, { low: 1, high: 1 });
  assert.deepEqual([recent.isUsed, recent.has(domain, 1, 10, { low: 1, high: 1 })], [false, false]);
});
