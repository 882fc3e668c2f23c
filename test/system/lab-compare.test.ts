/**
 * `natlens lab compare` on real captures, whose packets have names and identifications: the table has every method, who
 * has dedicated names is told, and evidence keeps its promise where it finds most.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CompareReport, CompareRow } from '#lab';
import { homeMethods } from '../../src/lab/baseline/registry.ts';
import { environment, launcher } from '../support/natlens-process.ts';
import { missing } from './shared-data.ts';
import { writeSharedInventory } from './shared-inventory.ts';

const skip = missing({ data: ['captures/inventory.csv'] });
const secondsMax = 600;

let folder = '';

before(() => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-compare-system-'));
  writeSharedInventory(folder);
});

after(() => {
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

test('every method on the same real homes, and what names can tell of them', { skip }, (context) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, 'lab', 'compare', '--inventory',
    'inventory.csv', '--out', 'out', '--seeds', '2', '--homes', '500', '--linked-homes', '10'], {
    cwd: folder, encoding: 'utf8', env: environment(folder), timeout: secondsMax * 1_000,
  });
  assert.equal(status, 0, stderr);
  const report = JSON.parse(readFileSync(join(folder, 'out', 'report.json'), 'utf8')) as CompareReport;
  const { methods, names, identification, outcome } = report;
  context.diagnostic(outcome.join('\n'));
  assert.deepEqual(methods.map(({ name }) => name), homeMethods.map(({ name }) => name));
  assert.deepEqual([names.withThreeOrMore, names.withTwo, names.withOne, names.withNone], [5, 1, 8, 17]);
  const rowOf = (name: string): CompareRow => methods.find((row) => row.name === name) ?? assert.fail(name);
  const ours = rowOf('evidence-cascade');
  assert.equal(ours.coverage, 1);
  assert.ok((ours.measuredFpr as number) <= 0.003 && (ours.tpr?.[1] as number) >= 0.92, JSON.stringify(ours));
  // What others that keep the promise find, they find of fewer device models, or later.
  for (const row of methods.filter(({ isOurs }) => isOurs === undefined)) {
    const keeps = row.calibrated.measuredFpr !== null && row.calibrated.measuredFpr <= 0.0001;
    if (keeps) assert.ok((row.calibrated.found[1] as number) < (ours.calibrated.found[1] as number), row.name);
  }
  assert.equal(rowOf('dns-domains').coverage, 0);
  assert.ok((rowOf('single-flow').measuredFpr as number) > 0.4);
  const linkOf = (linker: string, hosts: string): number =>
    identification.links.find((row) => row.linker === linker && row.hosts === hosts)?.coverage ?? assert.fail(hosts);
  assert.ok(linkOf('dns-chains', 'counter') > 0.9 && linkOf('dns-chains', 'clock250') < 0.05);
  assert.ok(linkOf('clocks', 'clock250') > 0.3 && linkOf('clocks', 'counter') < 0.05);
  assert.match(stdout, /evidence-cascade +6\/6/);
});
