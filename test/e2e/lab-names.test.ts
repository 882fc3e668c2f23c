/**
 * Methods of names on the simulated lab, as published: names find every home of the device models that they cover, and
 * they do not cover all (Meidan et al. 2019, §7.2); who shares names with somebody unknown is taken for it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dnsDedicatedName, dnsDomains, dnsDomainsRelaxed } from '../../src/lab/baseline/dns-domains-homes.ts';
import type { MethodOutcome } from '../../src/lab/homes/judge-method.ts';
import { runTrial, trainModel } from '../../src/lab/homes/home-trial.ts';
import { describeModels, loadWorld, type LabWorld } from '../../src/lab/homes/lab-world.ts';
import { assignRoles } from '../../src/lab/homes/roles.ts';
import { buildByPrefix } from '../support/lab-builds.ts';
import { runNatlens } from '../support/natlens-process.ts';

const methods = [dnsDomains, dnsDomainsRelaxed, dnsDedicatedName] as const;
const [sricam, amcrest] = ['webcam.Sricam.SP017', 'webcam.Amcrest.IPM_723S'] as const;
const homes = { without: 100, with: 20 } as const;

let folder = '';
let world: LabWorld;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-names-'));
  const args = ['simulate', '--lab', 'lab', '--days', '5', '--scale', '0.3', '--units', '1', '--seed', '3'];
  const { status, stderr } = runNatlens(args, { cwd: folder });
  assert.equal(status, 0, stderr);
  await buildByPrefix(join(folder, 'lab', 'inventory.csv'), join(folder, 'dataset'), true);
  world = await loadWorld(join(folder, 'dataset'));
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Of each method, in their order. */
function tryHomes(deviceModel: string, seed: number): readonly MethodOutcome[] {
  const trained = trainModel(world, deviceModel, { seed, natlensVersion: '0.0.0' });
  return runTrial(world, trained, { deviceModel, seed, libraryShare: 1 }, {
    methods, budget: { perMonth: 0.3 }, windowMs: 3_600_000, bucketMs: 60_000, horizonsMs: [3_600_000, 86_400_000],
    calibrationHomes: 1, nullHomes: homes.without, positiveHomes: homes.with, knowsAllModels: false,
    countsLooks: false,
  }).methods;
}

test('device models that names cover are found in every home; those that they do not cover in none', () => {
  const outcomes = describeModels(world).flatMap(({ deviceModel }) => tryHomes(deviceModel, 1)
    .map((outcome) => ({ deviceModel, ...outcome })));
  for (const { deviceModel, method, unfit, found, falseAlarms } of outcomes) {
    const expected = unfit === undefined ? homes.with : 0;
    assert.equal(found.at(-1), expected, `${method}: ${deviceModel}, ${unfit}`);
    if (unfit === undefined) continue;
    assert.deepEqual([unfit, falseAlarms.at(-1)], ['few-names', 0], `${method}: ${deviceModel}`);
  }
  const coverageOf = ({ name }: (typeof methods)[number]): number =>
    outcomes.filter(({ method, unfit }) => method === name && unfit === undefined).length;
  // Few device models ask for three names again and again, as the paper found for three of its 13.
  const relaxed = coverageOf(dnsDomainsRelaxed);
  assert.ok(relaxed >= 3 && relaxed <= 8, `${relaxed} of 13`);
  assert.ok(coverageOf(dnsDedicatedName) > relaxed);
});

test('another device model of its platform that nobody knows is taken for it', () => {
  const unit = world.units.find(({ deviceModel }) => deviceModel === amcrest) ?? assert.fail();
  const seed = Array.from({ length: 50 }, (_, i) => i + 1).find((tried) =>
    assignRoles(world.units, { deviceModel: sricam, seed: tried }).get(unit.device) === 'test') ?? assert.fail();
  const [, relaxed, dedicated] = tryHomes(sricam, seed);
  for (const outcome of [relaxed, dedicated]) {
    assert.equal(outcome?.unfit, undefined);
    assert.ok((outcome?.falseAlarms.at(-1) ?? 0) > homes.without / 5, JSON.stringify(outcome));
  }
});
