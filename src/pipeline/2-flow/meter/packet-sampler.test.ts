/** The sampler against what RFC 5475 says of its two ways, however packets are batched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPacketBatch, type PacketBatch } from '#capture';
import { PacketSampler, type SamplingWay } from './packet-sampler.ts';

/** Packets with their number as time, in batches of the given sizes. */
function* number(sizes: readonly number[]): Generator<PacketBatch, void, void> {
  let next = 0;
  for (const size of sizes) {
    const batch = createPacketBatch(Math.max(size, 1));
    batch.rowCount = size;
    batch.data = Uint8Array.of(1, 2, 3);
    for (let row = 0; row < size; row++) {
      batch.timeMicroseconds[row] = next;
      batch.networkOffset[row] = next + 1;
      batch.networkBytes[row] = next + 2;
      batch.ipVersion[row] = 4 + 2 * (next & 1);
      batch.linkOffset[row] = next + 3;
      batch.vlanId[row] = next & 0xfff;
      batch.interfaceIndex[row] = next + 4;
      next++;
    }
    yield batch;
  }
}

function takeAll(way: SamplingWay, interval: number, seed: number, sizes: readonly number[]): number[] {
  const sampler = new PacketSampler({ way, interval }, seed);
  const taken: number[] = [];
  for (const batch of number(sizes)) {
    const out = sampler.take(batch);
    for (let row = 0; row < out.rowCount; row++) {
      const packet = out.timeMicroseconds[row] as number;
      taken.push(packet);
      const { networkOffset, networkBytes, ipVersion, linkOffset, vlanId, interfaceIndex } = out;
      assert.deepEqual([out.data, networkOffset[row], networkBytes[row], ipVersion[row], linkOffset[row], vlanId[row],
        interfaceIndex[row]],
      [batch.data, packet + 1, packet + 2, 4 + 2 * (packet & 1), packet + 3, packet & 0xfff, packet + 4]);
    }
  }
  assert.equal(sampler.seenCount, sizes.reduce((sum, size) => sum + size, 0));
  assert.equal(sampler.takenCount, taken.length);
  return taken;
}

test('systematic: the last of each N', () => {
  assert.deepEqual(takeAll('systematic', 5, 1, [3, 0, 1, 9, 12]), [4, 9, 14, 19, 24]);
  assert.deepEqual(takeAll('systematic', 1, 1, [2, 3]), [0, 1, 2, 3, 4]);
  assert.deepEqual(takeAll('systematic', 100, 1, [99]), []);
});

test('property: one of each N, the same ones however they are batched', () => {
  fc.assert(fc.property(fc.constantFrom<SamplingWay>('systematic', 'random'), fc.integer({ min: 1, max: 50 }),
    fc.integer(), fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 30 }),
    (way, interval, seed, sizes) => {
      const count = sizes.reduce((sum, size) => sum + size, 0);
      const taken = takeAll(way, interval, seed, sizes);
      assert.deepEqual(taken, takeAll(way, interval, seed, [count]));
      const whole = Math.floor(count / interval);
      assert.deepEqual(taken.slice(0, whole).map((packet) => Math.floor(packet / interval)),
        Array.from({ length: whole }, (_, i) => i));
      assert.ok(taken.length - whole <= 1);
    }));
});

test('random: every place among the N has the same chance, and another seed takes others', () => {
  const interval = 10;
  const taken = takeAll('random', interval, 7, Array.from({ length: 1_000 }, () => 200));
  assert.equal(taken.length, 20_000);
  const places = new Array<number>(interval).fill(0);
  for (const packet of taken) places[packet % interval] = (places[packet % interval] as number) + 1;
  // Chi-squared with 9 degrees of freedom: 33.7 is exceeded once in ten thousand.
  const chiSquared = places.reduce((sum, count) => sum + (count - 2_000) ** 2 / 2_000, 0);
  assert.ok(chiSquared < 33.7, `${chiSquared}`);
  assert.deepEqual(takeAll('random', interval, 7, [5_000]), taken.slice(0, 500));
  assert.notDeepEqual(takeAll('random', interval, 8, [5_000]), taken.slice(0, 500));
});
