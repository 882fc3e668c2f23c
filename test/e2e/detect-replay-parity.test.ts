/**
 * A detector's replay against the lab's definitions, both as commands over the same flows of simulated homes: the same
 * verdicts with the same evidence, to the last byte; and a running detector that the flows are exported to finds the
 * same. The classifiers are those of a simulated lab, with other units of the device models.
 */
import assert from 'node:assert/strict';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#base';
import { readArtifact, writeArtifact } from '#classifier/artifact';
import type { DetectorStatus, HomeExplanation } from '#detector';
import { DetectorProcess } from '../support/detector-process.ts';
import { makeWorldCalibration } from '../support/detector-world.ts';
import {
  assertParity, defineEvidence, foundByLab, replayFlows, runLong, trainOn, writeParityConfig, type ParitySettings,
  type ParityWorld,
} from '../support/evidence-parity.ts';

const intruder = 'webcam.Sricam.SP017';
/** The first home has this one, and the others never. */
const householdModel = 'webcam.Edimax.IC_3116W';
const deviceModels = [intruder, householdModel, 'hub.Philips.Hue_Bridge', 'light_bulb.LIFX.A19'];
const router = '203.0.113.77';
const bucketMs = 60_000;

let folder = '';
let world: ParityWorld = { folder, classifierFolder: 'classifiers', classifiers: [] };
const natlens = (...args: string[]): string => runLong(folder, args);

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-parity-'));
  natlens('simulate', '--lab', 'lab', '--days', '4', '--scale', '0.05');
  natlens('lab', 'build', '--inventory', 'lab/inventory.csv', '--out', 'dataset', '-q');
  natlens('simulate', '--lab', 'homes', '--homes', '2', '--intruder', intruder, '--days', '1', '--scale', '0.3');
  for (const name of ['01-with', '01-without', '02-without']) {
    natlens('flows', `homes/home-${name}/outside.pcap`, '-o', `${name}.parquet`, '-q');
  }
  mkdirSync(join(folder, 'classifiers'));
  world = { folder, classifierFolder: 'classifiers', classifiers: deviceModels.map((name) => `${name}.nlc`).sort() };
  for (const deviceModel of deviceModels) trainOn('dataset', deviceModel, world);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const settings: readonly ParitySettings[] = [
  {}, { policy: 'single-flow' }, { present: 9, keep: 8, expiry: '1m', window: '20m' },
  { window: '10m', bucket: '30s', lateness: '1m', threshold: 'default', present: 2 }, { inside: `${router}/32` },
];

/** States and numbers of episodes. */
const seenStates = new Set<string>();

for (const [home, which] of [['01', 'with'], ['01', 'without'], ['02', 'without']] as const) {
  test(`home ${home} ${which} the intruder: the same verdicts, byte for byte`, () => {
    const seen = settings.map((each) => assertParity(world, each, [`${home}-${which}.parquet`]));
    const all = seen.flatMap(({ verdicts }) => verdicts);
    for (const { state, episode } of all) seenStates.add(`${state} ${Math.min(episode, 2)}`);
    for (const { verdicts, flowsOfHome } of seen) assert.ok(verdicts.length >= 1 && flowsOfHome > 1_000);
    assert.ok(seen.some(({ absent }) => absent > 0), 'nothing is found of some');
    assert.ok(all.some(({ evidence }) => (evidence?.tokens.length ?? 0) >= 3));
    assert.ok((seen[1]?.verdicts.length ?? 0) > (seen[2]?.verdicts.length ?? 0), 'the policy of the paper finds more');
  });
}

test('among these verdicts were present and expired ones, and some that came back', () => {
  assert.deepEqual([...seenStates].sort(), ['not yet 2', 'present 1', 'present 2']);
});

test('a capture and the Parquet file of its flows: the same, in both ways', () => {
  const capture = assertParity(world, {}, ['homes/home-01-with/outside.pcap']);
  const parquet = assertParity(world, {}, ['01-with.parquet']);
  assert.deepEqual(capture, parquet);
});

test('flows that come too late are evidence in neither, as when two files overlap in time', () => {
  const found = assertParity(world, { lateness: '5m' }, ['01-with.parquet', '02-without.parquet']);
  assert.ok(found.lateFlows > 1_000, `${found.lateFlows} late flows`);
});

test('the intruder stands out by its evidence: the same order of homes in both ways', () => {
  const strict: ParitySettings = { present: 30, keep: 1 };
  const states = (['with', 'without'] as const).map((which) =>
    assertParity(world, strict, [`01-${which}.parquet`]).verdicts.map(({ deviceModel }) => deviceModel));
  assert.ok(states[0]?.includes(intruder) && !states[1]?.includes(intruder), JSON.stringify(states));
});

test('homes by address behind one detector: each has what the lab finds of it alone', () => {
  const routers = ['198.51.100.1', '198.51.100.2'];
  for (const [i, name] of ['home-01-with', 'home-02-without'].entries()) {
    natlens('lab', 'nat', `homes/${name}/inside.pcap`, '--router', routers[i] as string, '-o', `router-${i}.pcap`,
      '-q');
  }
  const inputs = ['router-0.pcap', 'router-1.pcap'];
  const all: ParityWorld = { ...world, config: { homes: 'map = "address"' } };
  const { verdicts } = replayFlows(all, { inside: '198.51.100.0/24' }, inputs);
  const defined = routers.map((address) =>
    foundByLab(defineEvidence(world, { inside: `${address}/32` }, inputs, address)).verdicts);
  assert.equal(JSON.stringify(verdicts), JSON.stringify(defined.flat()));
  assert.notDeepEqual(...defined.map((ofHome) => ofHome.map(({ deviceModel }) => deviceModel)) as [string[], string[]]);
});

/**
 * Classifiers that carry everything: fingerprints learned against the other device models, second stages, and of four
 * calibrations one that is sound, one that ends while flows come, one of too few home-days, and none.
 */
function makeShipped(): ParityWorld {
  const shipped: ParityWorld = { ...world, classifierFolder: 'shipped' };
  mkdirSync(join(folder, 'shipped'));
  const flowsOf = (deviceModel: string): string[] =>
    globSync(join(folder, 'dataset', 'flows', deviceModel, '*')).map((path) => relative(folder, path)).sort();
  const { latest } = defineEvidence(world, { policy: 'single-flow' }, ['01-with.parquet']).classifiers
    .find(({ latest: evidence }) => evidence !== null) ?? {};
  const endMs = latest?.windowEndMs ?? assert.fail('nothing was accepted in the last hour');
  const calibrations = [
    makeWorldCalibration({ group: [...deviceModels].sort() }),
    makeWorldCalibration({ expiresMs: endMs - 12 * 3_600_000 }), makeWorldCalibration({ homeDays: 20 }), undefined,
  ];
  // The household has its device model all day; the others' come and go.
  for (const [i, deviceModel] of [intruder, householdModel, ...deviceModels.slice(2)].entries()) {
    const path = join(folder, 'shipped', `${deviceModel}.nlc`);
    const background = deviceModels.filter((name) => name !== deviceModel).flatMap(flowsOf);
    natlens('train', ...flowsOf(deviceModel), '--device-model', deviceModel, '--background', ...background, '-o', path,
      '-q');
    const { classifier, fingerprint, secondStage } = readArtifact(readFileSync(path));
    assert.ok((fingerprint?.tokens.length ?? 0) > 5, `${deviceModel} has a fingerprint`);
    writeFileSync(path, writeArtifact({ classifier, fingerprint, secondStage, calibration: calibrations[i] }));
  }
  return shipped;
}

test('classifiers with fingerprint, second stage and calibration: the same verdicts, byte for byte', () => {
  const shipped = makeShipped();
  const found = ['01-with', '01-without', '02-without'].flatMap((name) =>
    ([{}, { 'false-alarms': 0.4 }, { policy: 'distinct-tokens' }, { expiry: '1m', lateness: '5m' }] as
      const).map((each) => assertParity(shipped, each, [`${name}.parquet`])));
  const [byDefault] = found;
  const models = byDefault?.verdicts.map(({ deviceModel }) => deviceModel) ?? [];
  assert.ok(models.includes(intruder), `${models.join()} in the home with the intruder`);
  const { p, group } = byDefault?.verdicts.find(({ deviceModel }) => deviceModel === intruder) ?? {};
  assert.deepEqual([p, group], [1 / 20_001, [...deviceModels].sort()]);
  const verdicts = found.flatMap((each) => each.verdicts);
  assert.ok(verdicts.some(({ evidence }) => evidence?.tokens.some(({ weight }) => weight !== 1)));
});

/** Flows as if they had ended just now: moved by whole buckets, in whole milliseconds, as exporters send them. */
function writeRecentFlows(parquet: string, csv: string): number {
  natlens('flows', parquet, '-o', 'old.csv', '-q');
  const [heading = '', ...lines] = readFileSync(join(folder, 'old.csv'), 'utf8').trimEnd().split('\n');
  const names = heading.split(',');
  const [start, end] = ['flowStartMilliseconds', 'flowEndMilliseconds'].map((name) => names.indexOf(name)) as
    [number, number];
  const rows = lines.map((line) => line.split(','));
  const latestMs = rows.reduce((latest, cells) => Math.max(latest, Number(cells[end])), -Infinity);
  const byMs = Math.floor((systemClock.nowMs() - latestMs) / bucketMs) * bucketMs;
  for (const cells of rows) {
    for (const at of [start, end]) cells[at] = String(Math.floor(Number(cells[at])) + byMs);
  }
  writeFileSync(join(folder, csv), `${[heading, ...rows.map((cells) => cells.join(','))].join('\n')}\n`);
  return rows.length;
}

for (const format of ['--ipfix', '--v9']) {
  test(`flows exported to a running detector (${format}): the verdicts and tokens of the lab, also after a restart`,
    async () => {
      const live: ParityWorld = {
        ...world, madeAs: '120/60/prefix', config: {
          // The flows are of hours ago, and must be believed.
          input: 'listen = ["udp://127.0.0.1:0"]\nclock_skew = "7d"\npair = false',
        },
      };
      const flows = writeRecentFlows('01-with.parquet', 'recent.csv');
      const lab = defineEvidence(live, {}, ['recent.csv']);
      const expected = foundByLab(lab);
      const config = writeParityConfig(live, {}, `live${format}.toml`);
      rmSync(join(folder, 'state'), { recursive: true, force: true });
      const detector = await DetectorProcess.start(folder, config);
      const status = (): DetectorStatus =>
        JSON.parse(natlens('detect', 'status', '-c', config, '--json')) as DetectorStatus;
      const explain = (): HomeExplanation =>
        JSON.parse(natlens('detect', 'explain', 'home', '-c', config, '--json')) as HomeExplanation;
      const check = (found: HomeExplanation): void => {
        const byModel = [...found.verdicts].sort((a, b) => (a.deviceModel < b.deviceModel ? -1 : 1));
        assert.equal(JSON.stringify(byModel), JSON.stringify(expected.verdicts));
        const latest = lab.classifiers.map(({ latest: evidence }) => evidence).filter((evidence) => evidence !== null);
        assert.equal(JSON.stringify(found.evidence), JSON.stringify(latest));
      };
      try {
        natlens('export', 'recent.csv', '--to', `127.0.0.1:${detector.port}`, format, '--rate', '5000', '-q');
        let told = status();
        for (let i = 0; i < 40 && told.input.intake.flows < flows; i++) {
          await sleep(50);
          told = status();
        }
        assert.deepEqual([told.input.intake.flows, told.flows.ofHomes, told.flows.placedAtArrival],
          [flows, expected.flowsOfHome, 0], 'no datagram was lost, and every time was believed');
        check(explain());
      } finally {
        await detector.end('SIGTERM');
      }
      assert.ok(expected.verdicts.length > 0 && lab.classifiers.some(({ latest }) => latest !== null));
      check(explain());
      assert.ok(expected.verdicts.some(({ deviceModel }) => deviceModel === householdModel));
    });
}
