/** Identifications of each kind of stack: what counts, what for, and what follows the clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { NetworkStack, type IdentificationKind } from './network-stack.ts';

const [here, there] = [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(198, 51, 100, 7)];
const secondUs = 1e6;

function stackOf(identification: IdentificationKind): NetworkStack {
  return new NetworkStack({
    identification, hops: 64, classOfService: 0, ephemeralPorts: { low: 49_152, high: 65_535 },
    hasTcpTimestamps: false, windowBytes: 64_240, isWired: false,
  }, new Random(3));
}

/** Steps of packets to one destination, a second apart, with as many to another between them. */
function stepsOf(identification: IdentificationKind): number[] {
  const stack = stackOf(identification);
  const ids = Array.from({ length: 200 }, (_, i) => {
    stack.identify(there, (i + 0.5) * secondUs);
    return stack.identify(here, (i + 1) * secondUs);
  });
  return ids.slice(1).map((id, i) => (id - (ids[i] as number) + 65_536) % 65_536);
}

test('a counter for each destination moves on by its own packets, whatever time goes by', () => {
  assert.deepEqual(new Set(stepsOf('destinationCounter')), new Set([1]));
});

test('one counter for all moves on by all packets, and zero by none', () => {
  assert.deepEqual(new Set(stepsOf('global')), new Set([2]));
  assert.deepEqual(new Set(stepsOf('zero')), new Set([0]));
});

test('Linux draws from the ticks that went by, and random stacks from everything', () => {
  const linux = stepsOf('perDestination');
  assert.ok(linux.every((step) => step >= 1 && step <= 250));
  const mean = linux.reduce((sum, step) => sum + step, 0) / linux.length;
  assert.ok(mean > 110 && mean < 140, String(mean));
  assert.ok(Math.max(...stepsOf('random')) > 60_000);
});
