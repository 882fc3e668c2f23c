/**
 * `natlens detect --replay` against `natlens lab evidence` over real captures: the same verdicts and evidence, to the
 * last byte. Homes are made of captures of devices that were recorded for the same week: by NAT (`natlens lab nat`),
 * and as one tap inside would have them. Classifiers are trained on a data set of the captures; the cameras' on other
 * units.
 */
import assert from 'node:assert/strict';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import {
  assertParity, runLong, trainOn, type Found, type ParitySettings, type ParityWorld,
} from '../support/evidence-parity.ts';
import { missing, sharedData } from './shared-data.ts';

const skip = missing({ data: ['captures/fit', 'captures/hub', 'captures/sentinel', 'captures/inventory.csv'] });
const camera = 'webcam.Blink.Camera';
const lock = 'lock.Schlage.Encode';
const lockly = 'hub.Lockly.Secure_Link';
const ultraloq = 'hub.U_tec.Ultraloq_Bridge';
const deviceModels = [lockly, ultraloq, lock, camera];
/** What classifiers are trained on; the second camera and another hub are in homes alone. */
const labCaptures = /fit\/(?:blink-cam-0[13]|lockly|ultraloq|schlage)/;
/** Homes by the device models that are in them. */
const homes = {
  locks: { captures: ['lockly-hub-01', 'schlage-lock-01', 'sifely-hub-01'], present: [lockly, lock] },
  camera: { captures: ['sifely-hub-01', 'blink-cam-02'], present: [camera] },
  other: { captures: ['sifely-hub-01'], present: [] },
} as const;

let folder = '';
let world: ParityWorld = { folder, classifierFolder: 'classifiers', classifiers: [] };
const natlens = (...args: string[]): string => runLong(folder, args);

before(() => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-detector-replay-'));
  const [heading = '', ...rows] = readFileSync(`${sharedData}captures/inventory.csv`, 'utf8').trim().split(/\r?\n/);
  const used = rows.filter((row) => labCaptures.test(row)).map((row) => relative(folder, join(sharedData, row)));
  writeFileSync(join(folder, 'inventory.csv'), [heading, ...used].map((row) => `${row}\n`).join(''));
  natlens('lab', 'build', '--inventory', 'inventory.csv', '--out', 'dataset', '-q');
  mkdirSync(join(folder, 'classifiers'));
  world = { folder, classifierFolder: 'classifiers', classifiers: deviceModels.map((name) => `${name}.nlc`).sort() };
  // The cameras have few flows in a week: their classifier is marked unfit, and used all the same.
  for (const deviceModel of deviceModels) trainOn('dataset', deviceModel, world, deviceModel === camera ? [1] : [0]);
  for (const [name, { captures }] of Object.entries(homes)) {
    natlens('lab', 'nat', ...captures.map((capture) => `${sharedData}captures/fit/${capture}.pcap`), '--align',
      '--router', '203.0.113.7', '-o', `${name}.pcap`, '--inside', `${name}-inside.pcap`, '-q');
    natlens('flows', `${name}.pcap`, '-o', `${name}.parquet`, '-q');
  }
});

after(() => {
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

const settings: readonly ParitySettings[] = [
  {}, { policy: 'single-flow' }, { window: '15m', bucket: '1m', lateness: '5m', present: 2, keep: 2, expiry: '1h' },
  { window: '12h', bucket: '10m', lateness: '2h', threshold: 'default', present: 8 },
];
const presentIn = ({ verdicts }: Found): string[] => verdicts.map(({ deviceModel }) => deviceModel);

for (const [name, { present }] of Object.entries(homes)) {
  test(`the home '${name}': the same bytes outside and inside, from captures and Parquet, by both policies`, { skip },
    (context) => {
      for (const each of settings) {
        const [capture, parquet, inside] = [`${name}.pcap`, `${name}.parquet`, `${name}-inside.pcap`]
          .map((input) => assertParity(world, each, [input]));
        assert.deepEqual(capture, parquet);
        assert.ok((capture?.flowsOfHome ?? 0) > 3_000 && (inside?.flows ?? 0) > (inside?.flowsOfHome ?? 0));
        if (each.present !== undefined) continue;
        const found = presentIn(capture as Found);
        assert.deepEqual(found, [...present].sort(), JSON.stringify(each));
        assert.deepEqual(presentIn(inside as Found), found);
        for (const { deviceModel, evidence, episode } of capture?.verdicts ?? []) {
          context.diagnostic(`${each.policy ?? 'distinct-tokens'}: ${deviceModel}, episode ${episode}, ` +
            `${evidence?.tokens.map(({ text }) => text).join(', ')}`);
        }
      }
    });
}

test('verdicts that expired and came back within a week are the same, too', { skip }, () => {
  const { verdicts } = assertParity(world,
    { window: '5m', bucket: '1m', lateness: '1m', present: 2, keep: 2, expiry: '5m' }, ['locks.parquet']);
  assert.ok(verdicts.some(({ episode }) => episode > 10), JSON.stringify(verdicts.map(({ episode }) => episode)));
});

test('flows of an export file: the same, with what is said of how they were made', { skip }, () => {
  natlens('flows', 'camera.pcap', '-o', 'camera.ipfix', '-q');
  const exported = assertParity({ ...world, madeAs: '120/60/prefix' }, {}, ['camera.ipfix']);
  assert.deepEqual(presentIn(exported), [camera]);
  const { flows, flowsOfHome } = assertParity(world, {}, ['camera.parquet']);
  assert.deepEqual([exported.flows, exported.flowsOfHome], [flows, flowsOfHome]);
});

test('captures of other vendors\' devices: flows without a verdict, late ones among them', { skip }, () => {
  const hub = assertParity(world, {}, globSync(`${sharedData}captures/hub/*.pcap`).sort());
  assert.ok(hub.flowsOfHome > 100 && hub.verdicts.length === 0 && hub.absent === deviceModels.length);
  // Set-ups that were recorded one after another, in the order of their names and not of time.
  const setUps = assertParity(world, { policy: 'single-flow' },
    globSync(`${sharedData}captures/sentinel/WeMo{Link,Switch}/*.pcap`).sort());
  assert.ok(setUps.lateFlows > 100, `${setUps.lateFlows} late flows`);
});
