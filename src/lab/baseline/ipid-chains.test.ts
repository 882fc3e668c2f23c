/** Chains of queries: hosts that count are told apart and counted, over the wrap too; Linux and random ones are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { makeIdentifiedHome, type HostOptions } from '../../../test/support/identified-homes.ts';
import type { HomeTrace } from './device-trace.ts';
import { chainQueries, linkFlows, measureChains } from './ipid-chains.ts';
import { judgeLinks, measureLinks, noHost } from './ipid-links.ts';

const seeds = [1, 2, 3, 4, 5, 6];
const hostsOf = (count: number, seed: number, host: Omit<HostOptions, 'seed'>): HostOptions[] =>
  Array.from({ length: count }, (_, i) => ({ ...host, seed: seed * 100 + i }));

test('links are measured against the truth: what is mixed and what is torn apart both cost', () => {
  assert.deepEqual(measureLinks([0, 0, 1, 1, noHost], [7, 7, 8, 8, 8]),
    { packets: 5, coverage: 0.8, accuracy: 1, purity: 1 });
  assert.deepEqual(measureLinks([0, 0, 0, 0], [7, 7, 7, 8]), { packets: 4, coverage: 1, accuracy: 0.75, purity: 0.75 });
  assert.deepEqual(measureLinks([0, 0, 0, 1], [7, 7, 7, 7]), { packets: 4, coverage: 1, accuracy: 0.75, purity: 1 });
  assert.ok(Number.isNaN(measureLinks([noHost], [7]).accuracy));
});

test('hosts with a counter for each destination are covered, told apart and counted', () => {
  for (const seed of seeds) {
    const { queries, flows, hostCount } = measureChains(makeIdentifiedHome(
      hostsOf(4, seed, { numbering: { kind: 'perDestination' } })));
    assert.ok(queries.coverage >= 0.95 && queries.accuracy >= 0.95, JSON.stringify({ seed, queries }));
    assert.equal(hostCount, 4);
    assert.ok(flows.coverage >= 0.95 && flows.accuracy >= 0.95, JSON.stringify({ seed, flows }));
  }
});

test('hosts with one counter for everything are, too, and so are both kinds side by side', () => {
  const right = { homes: 0, queries: 0, linked: 0, accurate: 0 };
  for (const seed of seeds) {
    const globals = hostsOf(3, seed, { numbering: { kind: 'global' } });
    const both = [...globals, ...hostsOf(2, seed + 50, { numbering: { kind: 'perDestination' } })];
    for (const hosts of [globals, both]) {
      const { queries, hostCount } = measureChains(makeIdentifiedHome(hosts));
      right.homes += hostCount === hosts.length ? 1 : 0;
      right.queries += queries.packets;
      right.linked += queries.coverage * queries.packets;
      right.accurate += queries.coverage * queries.accuracy * queries.packets;
    }
  }
  // In the homes of one seed two counters come within 200 of each other for a while, and are taken for each other then.
  assert.ok(right.linked / right.queries >= 0.95 && right.accurate / right.linked >= 0.95, JSON.stringify(right));
  assert.ok(right.homes >= 2 * seeds.length - 2, JSON.stringify(right));
});

test('a host that slept for hours goes on where it was', () => {
  for (const seed of seeds) {
    const hour = 3_600_000;
    const { queries, hostCount } = measureChains(makeIdentifiedHome(hostsOf(3, seed, {
      numbering: { kind: 'perDestination' }, durationMs: 10 * hour, questionMeanMs: 60_000, sleep: [2 * hour, 9 * hour],
    })));
    assert.ok(queries.coverage >= 0.95 && queries.accuracy >= 0.95, JSON.stringify({ seed, queries }));
    assert.equal(hostCount, 3);
  }
});

test('Linux devices are not chained: their steps grow with the time between their queries', () => {
  for (const ticksPerSecond of [100, 250, 1_000]) {
    for (const seed of seeds) {
      const { queries, flows } = measureChains(makeIdentifiedHome(
        hostsOf(4, seed, { numbering: { kind: 'linux', ticksPerSecond } })));
      const said = JSON.stringify({ ticksPerSecond, seed, queries });
      assert.ok(queries.coverage < 0.1 && flows.coverage < 0.1, said);
    }
  }
});

test('hosts of random identifications, and of zero, are neither hosts nor in the way of those that count', () => {
  for (const seed of seeds) {
    const noise: HostOptions[] = [
      { numbering: { kind: 'random' }, seed: seed * 7 + 1 }, { numbering: { kind: 'zero' }, seed: seed * 7 + 2 },
      { numbering: { kind: 'linux', ticksPerSecond: 250 }, seed: seed * 7 + 3, questionMeanMs: 60_000 },
    ];
    const home = makeIdentifiedHome([...noise, ...hostsOf(3, seed, { numbering: { kind: 'perDestination' } })]);
    const { query, host } = chainQueries(home);
    const counting = [...query.keys()].filter((i) => (home.device[query[i] as number] as number) >= noise.length);
    const { coverage, accuracy } = measureLinks(counting.map((i) => host[i] as number),
      counting.map((i) => home.device[query[i] as number] as number));
    assert.ok(coverage >= 0.95 && accuracy >= 0.95, JSON.stringify({ seed, coverage, accuracy }));
    const silent = [...query.keys()].filter((i) => (home.device[query[i] as number] as number) < 2);
    assert.ok(measureLinks(silent.map((i) => host[i] as number), silent).coverage < 0.1);
  }
});

test('a day among many queries of others does not tear a host apart', () => {
  const day = { durationMs: 86_400_000 };
  const noise = [1, 2].map((seed): HostOptions => ({ ...day, numbering: { kind: 'random' }, seed }));
  const linux: HostOptions = { ...day, numbering: { kind: 'linux', ticksPerSecond: 250 }, seed: 4 };
  const counting = [6, 7, 8].map((seed): HostOptions => ({ ...day, numbering: { kind: 'perDestination' }, seed }));
  const { queries, hostCount } = measureChains(makeIdentifiedHome([...noise, linux, ...counting]));
  assert.ok(queries.coverage > 0.45 && queries.coverage < 0.55 && queries.accuracy >= 0.95, JSON.stringify(queries));
  assert.equal(hostCount, counting.length, JSON.stringify({ hostCount }));
});

test('a counter is followed through a quiet night, query by query', () => {
  // Ten queries a minute in the evening and in the morning, and between them one in twenty minutes.
  const evening = Array.from({ length: 30 }, (_, i) => i * 6_000);
  const night = Array.from({ length: 20 }, (_, i) => 180_000 + (i + 1) * 1_200_000);
  const morning = evening.map((timeMs) => 25_000_000 + timeMs);
  const times = [...evening, ...night, ...morning];
  const own = times.map((timeMs, i) => ({ timeMs, ipId: (65_500 + i) % 65_536, device: 0 }));
  const random = new Random(4);
  const noise = Array.from({ length: 800 }, () =>
    ({ timeMs: random.integer(0, 25_300_000), ipId: random.integer(0, 65_535), device: 1 }));
  const packets = [...own, ...noise].sort((a, b) => a.timeMs - b.timeMs);
  const home: HomeTrace = {
    ...traceOf(packets.map(({ ipId }) => ipId)), timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs),
    device: Uint8Array.from(packets, ({ device }) => device),
  };
  const { host, hostCount } = chainQueries(home);
  assert.equal(hostCount, 1);
  const linked = [...host.keys()].filter((i) => host[i] !== noHost);
  assert.equal(linked.filter((i) => home.device[i] === 0).length, times.length);
  assert.ok(linked.length <= times.length + 1, String(linked.length));
});

test('chains that begin anywhere are not merged by chance: a device that is set up anew counts anew', () => {
  const random = new Random(8);
  const starts = Array.from({ length: 30 }, () => random.integer(0, 65_535));
  const ids = starts.flatMap((start) => Array.from({ length: 40 }, (_, i) => (start + i) % 65_536));
  const home = traceOf(ids);
  home.timeMs.forEach((_, i) => { home.timeMs[i] = i * 2_000 + Math.floor(i / 40) * 120_000; });
  assert.ok(chainQueries(home).hostCount >= 25, String(chainQueries(home).hostCount));
});

test('links are judged packet by packet', () => {
  const { isLinked, isAccurate, isPure } = judgeLinks([0, 0, 1, 1, 1, noHost], [7, 7, 7, 7, 8, 8]);
  assert.deepEqual([...isLinked], [1, 1, 1, 1, 1, 0]);
  // Host 0 and host 1 are both of device 7: it counts for one of them, and the other stands for no device.
  assert.deepEqual([...isAccurate], [1, 1, 0, 0, 0, 0]);
  assert.deepEqual([...isPure], [1, 1, 1, 1, 0, 0]);
});

/** Queries to resolvers, one a second. */
function traceOf(ids: readonly number[], resolvers: readonly number[] = ids.map(() => 1)): HomeTrace {
  return {
    timeMs: Float64Array.from(ids.keys(), (i) => 1_000 * i), ipId: Uint16Array.from(ids),
    destination: Uint32Array.from(resolvers), name: new Uint32Array(ids.length).fill(1),
    flow: Uint32Array.from(ids.keys()), device: new Uint8Array(ids.length),
  };
}

test('counting goes on over the wrap, and two queries that changed places stay in their chain', () => {
  const wrapping = chainQueries(traceOf([65_533, 65_534, 65_535, 0, 1, 2]));
  assert.equal(wrapping.hostCount, 1);
  assert.deepEqual([...wrapping.host], [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(wrapping.slope, [1]);
  const swapped = traceOf([10, 12, 11, 13, 14, 15, 16]);
  swapped.timeMs.set([0, 1_000, 1_002, 2_000, 3_000, 4_000, 5_000]);
  assert.deepEqual([...chainQueries(swapped).host], [0, 0, 0, 0, 0, 0, 0]);
});

test('each resolver has its own chains, and hosts are as many as the most asked one has', () => {
  const chains = chainQueries(traceOf(
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 9_001, 9_002, 9_003, 9_004, 9_005], [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1]));
  assert.equal(chains.host.length, 15);
  assert.equal(new Set(chains.host).size, 3);
  assert.equal(chains.hostCount, 2);
});

test('a chain of few queries is no host, and a flow long after a query belongs to nobody', () => {
  assert.deepEqual([...chainQueries(traceOf([1, 2, 3, 4])).host], [-1, -1, -1, -1]);
  const home = traceOf([1, 2, 3, 4, 5, 500, 501, 502]);
  home.name.set([0, 0, 0], 5);
  home.timeMs.set([4_500, 20_000, 20_001], 5);
  home.flow.set([8, 9, 9], 5);
  const flows = linkFlows(home, chainQueries(home));
  assert.deepEqual([...flows.packet], [5, 6]);
  assert.deepEqual([...flows.host], [0, noHost]);
});

test('a home without queries has no hosts', () => {
  assert.equal(chainQueries(traceOf([])).hostCount, 0);
});
