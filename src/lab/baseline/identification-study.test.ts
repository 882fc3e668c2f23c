/** What identifications tell of homes: hosts that count are linked and told apart, Linux hosts and random ones not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostOptions, Numbering } from '../../../test/support/identified-homes.ts';
import { makeIdentifiedWorld, type IdentifiedUnit } from '../../../test/support/identified-world.ts';
import { studyIdentification, type LinkRow, type Linker } from './identification-study.ts';

const hourMs = 3_600_000;
const linux = (ticksPerSecond: number): Numbering => ({ kind: 'linux', ticksPerSecond });
const clock: Numbering = { kind: 'clock', ticksPerSecond: 250 };
let seed = 0;
const unitOf = (deviceModel: string, numbering: Numbering, rest: Partial<HostOptions> = {}): IdentifiedUnit =>
  ({ deviceModel, host: { numbering, seed: 31 * ++seed, durationMs: 8 * hourMs, ...rest } });

const world = makeIdentifiedWorld([
  ...[1, 2, 3].map(() => unitOf('laptop.Test.Counting', { kind: 'perDestination' })),
  unitOf('phone.Test.Counting', { kind: 'perDestination' }, { resolver: 2 }),
  ...[1, 2].map(() => unitOf('webcam.Test.Linux', linux(250))), unitOf('hub.Test.Linux', linux(100)),
  unitOf('plug.Test.Clock', clock), unitOf('phone.Test.Random', { kind: 'random' }),
  unitOf('speaker.Test.Zero', { kind: 'zero' }),
  // It asks once in 40 minutes, twice at once: such steps are 1 everywhere, and its other packets tell more.
  unitOf('scale.Test.Quiet', { kind: 'perDestination' }, { questionMeanMs: 2_400_000, packetsMax: 2 }),
]);
const study = studyIdentification(world, { seed: 5, homes: 12, homeMs: 4 * hourMs });

function rowOf(linker: Linker, hosts: LinkRow['hosts']): LinkRow {
  const found = study.links.find((row) => row.linker === linker && row.hosts === hosts);
  assert.ok(found !== undefined, `${linker} of ${hosts}: ${JSON.stringify(study.links)}`);
  return found;
}

test('chains: hosts with a counter for each destination are covered and told apart, and no others', () => {
  const { units, coverage, accuracy, queries, flowCoverage, flowAccuracy } = rowOf('dns-chains', 'counter');
  assert.equal(units, 4);
  assert.ok(queries > 10_000);
  const isStrong = coverage !== null && coverage >= 0.95 && accuracy !== null && accuracy >= 0.95;
  assert.ok(isStrong, JSON.stringify(study.links));
  assert.ok(flowCoverage !== null && flowCoverage > 0.5 && flowAccuracy !== null && flowAccuracy > 0.8);
  for (const hosts of ['ticks250', 'ticks100', 'random', 'zero', 'clock250'] as const) {
    assert.ok((rowOf('dns-chains', hosts).coverage ?? 1) < 0.05, hosts);
  }
  const all = rowOf('dns-chains', 'all');
  assert.equal(all.units, world.units.length);
  const kinds = study.links.filter(({ linker, hosts }) => linker === 'dns-chains' && hosts !== 'all');
  assert.equal(kinds.reduce((sum, row) => sum + row.queries, 0), all.queries);
});

test('clocks: hosts that follow one are linked, and no others', () => {
  const { coverage, accuracy, flowCoverage } = rowOf('clocks', 'clock250');
  const isStrong = coverage !== null && coverage >= 0.95 && accuracy !== null && accuracy >= 0.95;
  assert.ok(isStrong, JSON.stringify(study.links));
  assert.equal(flowCoverage, null);
  for (const hosts of ['counter', 'ticks250', 'random'] as const) {
    assert.ok((rowOf('clocks', hosts).coverage ?? 1) < 0.02, hosts);
  }
});

test('hosts are counted as far as their counter can be followed', () => {
  const [chains, clocks] = study.hostCounts;
  assert.ok(chains !== undefined && clocks !== undefined);
  assert.equal(chains.asking, clocks.asking);
  assert.ok(Math.abs(clocks.counted - clocks.countable) < 0.2, JSON.stringify(clocks));
  // A host on another resolver is counted only where the first has no more.
  assert.ok(chains.counted > 0 && chains.counted <= chains.countable + 0.2, JSON.stringify(chains));
  assert.ok(chains.absoluteError > 2);
});

test('signatures name kernels, which device models share, and speak against others', () => {
  const classes = Object.fromEntries(study.signatures.map(({ deviceModel, idClass }) => [deviceModel, idClass]));
  assert.deepEqual(classes, {
    'hub.Test.Linux': 'ticks100', 'laptop.Test.Counting': 'counter', 'phone.Test.Counting': 'counter',
    'phone.Test.Random': 'random', 'plug.Test.Clock': 'clock250', 'scale.Test.Quiet': 'counter',
    'speaker.Test.Zero': 'zero', 'webcam.Test.Linux': 'ticks250',
  });
  const { slope, slopeQuartiles, ownVetoed, othersVetoed, basis } =
    study.signatures.find(({ deviceModel }) => deviceModel === 'webcam.Test.Linux') as typeof study.signatures[number];
  assert.equal(basis, 'queries');
  assert.ok(slope !== null && Math.abs(slope - 125) < 10 && slopeQuartiles !== null && slopeQuartiles[0] < slope);
  assert.equal(ownVetoed, 0);
  assert.equal(othersVetoed, 1);
  const random = study.signatures.find(({ deviceModel }) => deviceModel === 'phone.Test.Random');
  assert.equal(random?.slope, null);
});

test('figures get points of both kinds, limited in number', () => {
  assert.deepEqual(study.series.map(({ deviceModel, idClass }) => [deviceModel, idClass]).sort(), [
    ['hub.Test.Linux', 'ticks100'], ['laptop.Test.Counting', 'counter'], ['phone.Test.Counting', 'counter'],
    ['plug.Test.Clock', 'clock250'], ['webcam.Test.Linux', 'ticks250'],
  ]);
  // What counts comes first, as Fig. 4c comes before Fig. 4d.
  assert.deepEqual(study.series.map(({ idClass }) => idClass === 'counter').lastIndexOf(true), 1);
  for (const { points } of study.series) {
    assert.ok(points.length >= 20 && points.length <= 400, String(points.length));
    assert.ok(points.every(([minute, ipId], i) => minute >= (points[i - 1]?.[0] ?? 0) && minute < 60 && ipId < 65_536));
  }
  const ones = study.increments.find(({ deviceModel }) => deviceModel === 'phone.Test.Counting');
  assert.deepEqual(ones?.counts.map(([step]) => step), [1]);
  const ticks = study.increments.find(({ deviceModel }) => deviceModel === 'webcam.Test.Linux');
  assert.ok(ticks !== undefined && ticks.counts.length > 100 && ticks.counts.length <= 500);
});

test('the same seed gives the same study, and homes are told of as they are done', () => {
  const done: number[] = [];
  const again = studyIdentification(world,
    { seed: 5, homes: 12, homeMs: 4 * hourMs, onHome: (home) => done.push(home) });
  assert.deepEqual(again, study);
  assert.deepEqual(done, Array.from({ length: 12 }, (_, i) => i + 1));
  assert.equal(study.homeHours, 4);
});
