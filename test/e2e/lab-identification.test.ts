/**
 * Hosts behind a NAT by their identifications, on the simulated lab: as strong as published on hosts with a counter for
 * each destination (Windows and Android, Orevi et al. 2018), and failing on Linux IoT, as Meidan et al. 2019 say; and a
 * slope that does not know a device model from another with the same kernel.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { studyIdentification, type IdentificationStudy, type LinkRow } from
  '../../src/lab/baseline/identification-study.ts';
import { loadWorld } from '../../src/lab/homes/lab-world.ts';
import { runNatlens } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-identification-'));
let study: IdentificationStudy;

before(async () => {
  run('simulate', '--lab', 'lab', '--days', '1', '--units', '1', '--scale', '1', '--seed', '9');
  run('lab', 'build', '--inventory', 'lab/inventory.csv', '--out', 'dataset', '--traces');
  study = studyIdentification(await loadWorld(join(folder, 'dataset')), { seed: 3, homes: 4 });
});

after(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): void {
  const { status, stderr } = runNatlens(args, { cwd: folder });
  assert.equal(status, 0, stderr);
}

function chainsOf(hosts: LinkRow['hosts']): LinkRow {
  const found = study.links.find((row) => row.linker === 'dns-chains' && row.hosts === hosts);
  assert.ok(found !== undefined, JSON.stringify(study.links));
  return found;
}

test('chains cover hosts with a counter for each destination, and tell them apart', () => {
  const { units, coverage, accuracy, queries } = chainsOf('counter');
  assert.equal(units, 4, 'two computers with Windows, and two smartphones');
  assert.ok(queries > 3_000);
  assert.ok(coverage !== null && coverage >= 0.95, JSON.stringify(study.links));
  assert.ok(accuracy !== null && accuracy >= 0.95, JSON.stringify(study.links));
});

test('chains fail on Linux, and so on most of the home', () => {
  const { coverage, units } = chainsOf('ticks250');
  assert.ok(units >= 8);
  assert.ok(coverage !== null && coverage < 0.05, JSON.stringify(study.links));
  assert.ok((chainsOf('all').coverage ?? 1) < 0.6);
  const [chains] = study.hostCounts;
  assert.ok(chains !== undefined && chains.counted < chains.asking / 2, JSON.stringify(study.hostCounts));
});

test('a slope names the kernel: device models of six makers share one', () => {
  const linux = study.signatures.filter(({ idClass }) => idClass === 'ticks250').map(({ deviceModel }) => deviceModel);
  assert.ok(new Set(linux.map((deviceModel) => deviceModel.split('.')[1])).size >= 6, linux.join(', '));
  for (const { idClass, slope, steps, deviceModel, ownVetoed } of study.signatures) {
    // Half of the ticks; of a few steps a median is rough.
    const isKnown = idClass === 'ticks250' && steps >= 100;
    if (isKnown) assert.ok(slope !== null && slope > 85 && slope < 165, `${deviceModel}: ${slope}`);
    assert.ok((ownVetoed ?? 0) <= 0.1, `${deviceModel} is vetoed by itself: ${ownVetoed}`);
  }
});
