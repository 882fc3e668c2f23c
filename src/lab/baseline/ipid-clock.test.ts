/** Hosts by their clocks: linked and counted at every tick rate, beside others and over the wrap; no others are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { homeStartMs, makeIdentifiedHome, type HostOptions } from '../../../test/support/identified-homes.ts';
import { linkClocks } from './ipid-clock.ts';
import { measureLinks, noHost } from './ipid-links.ts';

const seeds = [1, 2, 3];
const clock = (ticksPerSecond: number): HostOptions['numbering'] => ({ kind: 'clock', ticksPerSecond });
const noise = (seed: number): HostOptions[] => [
  { numbering: { kind: 'perDestination' }, seed: seed + 1 }, { numbering: { kind: 'global' }, seed: seed + 2 },
  { numbering: { kind: 'linux', ticksPerSecond: 250 }, seed: seed + 3 },
  { numbering: { kind: 'linux', ticksPerSecond: 100 }, seed: seed + 4 },
  { numbering: { kind: 'random' }, seed: seed + 5 }, { numbering: { kind: 'zero' }, seed: seed + 6 },
];

test('hosts that follow a clock are linked and counted, at every rate and beside hosts that do not', () => {
  for (const seed of seeds) {
    const clocks = [100, 250, 250, 1_000].map((ticksPerSecond, i): HostOptions =>
      ({ numbering: clock(ticksPerSecond), seed: seed * 100 + i, questionMeanMs: 40_000 }));
    const home = makeIdentifiedHome([...clocks, ...noise(seed * 1_000)]);
    const found = linkClocks(home);
    assert.deepEqual(found.clocks.map(({ rate }) => rate).sort((a, b) => a - b), [100, 250, 250, 1_000]);
    const theirs = [...home.device.keys()].filter((i) => (home.device[i] as number) < clocks.length);
    const { coverage, accuracy } = measureLinks(theirs.map((i) => found.host[i] as number),
      theirs.map((i) => home.device[i] as number));
    assert.ok(coverage >= 0.95 && accuracy >= 0.95, JSON.stringify({ seed, coverage, accuracy }));
    const linked = [...home.device.keys()].filter((i) => found.host[i] !== noHost);
    const all = measureLinks(linked.map((i) => found.host[i] as number), linked.map((i) => home.device[i] as number));
    assert.ok(all.accuracy >= 0.95, JSON.stringify({ seed, all }));
  }
});

test('homes without such hosts have none', () => {
  for (const seed of seeds) assert.deepEqual(linkClocks(makeIdentifiedHome(noise(seed * 1_000))).clocks, []);
});

/** One packet every so often, with ids from a clock, up to some ticks off it. */
function traceOf(count: number, everyMs: number, idAt: (timeMs: number, i: number) => number):
{ timeMs: Float64Array; ipId: Uint16Array } {
  const timeMs = Float64Array.from({ length: count }, (_, i) => homeStartMs + i * everyMs);
  return { timeMs, ipId: Uint16Array.from(timeMs, (time, i) => Math.round(idAt(time - homeStartMs, i))) };
}

test('a clock is followed within five ticks, over the wrap and as its quartz drifts', () => {
  // At 250 ticks a second identifications begin again every 262 seconds; the first packets straddle that.
  const off = [0, 5, -5, 3, -3, 0];
  const within = linkClocks(traceOf(240, 15_013, (ms, i) => 65_530 + ms * 0.25 * (1 + 20e-6) + (off[i % 6] as number)));
  assert.equal(within.clocks.length, 1);
  assert.ok([...within.host].filter((host) => host === 0).length >= 235);
  assert.equal(within.clocks[0]?.rate, 250);
  const beyond = linkClocks(traceOf(240, 15_013, (ms, i) => ms * 0.25 + 40 * (i % 40)));
  assert.deepEqual(beyond.clocks, []);
});

test('counters, one burst, and zero are no clocks', () => {
  assert.deepEqual(linkClocks(traceOf(2_000, 1_700, (_, i) => 1 + i)).clocks, []);
  assert.deepEqual(linkClocks(traceOf(2_000, 1, (_, i) => 1 + (i >> 3))).clocks, []);
  assert.deepEqual(linkClocks(traceOf(2_000, 262_144 / 100, () => 0)).clocks, []);
  // At 1,000 ticks a second a round takes 65.536 s: a counter with a heartbeat of that seems to stand still on it.
  assert.deepEqual(linkClocks(traceOf(200, 65_536, (_, i) => 5_000 + (i >> 2))).clocks, []);
  assert.deepEqual(linkClocks(traceOf(0, 1, () => 0)).clocks, []);
});

test('a host that was silent for hours is still one host', () => {
  const hours = 3 * 3_600_000;
  const { timeMs } = traceOf(200, 20_000, () => 0);
  timeMs.forEach((time, i) => { if (i >= 100) timeMs[i] = time + hours; });
  const ipId = Uint16Array.from(timeMs, (time) => Math.floor((time - homeStartMs) / 10));
  assert.equal(linkClocks({ timeMs, ipId }).clocks.length, 1);
});
