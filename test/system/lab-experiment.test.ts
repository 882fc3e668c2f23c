/**
 * `natlens lab experiment` on real captures, and on computers that others recorded: the paper's method has the figures
 * that scikit-learn has on the same exported flows, the default detector is as good as the documents say, and all of it
 * takes minutes.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#base';
import type { ExperimentReport, ExperimentResult, Rates } from '#lab';
import { environment, launcher } from '../support/natlens-process.ts';
import { missing, sharedData } from './shared-data.ts';
import { sharedComputers, writeSharedInventory } from './shared-inventory.ts';
import { findSklearnPython, runOracle } from './sklearn.ts';

const skip = missing({ data: ['captures/inventory.csv', 'hosts'] });
const python = findSklearnPython();
const seeds = 5;
/** Building, training and testing, on two cores. */
const secondsMax = 300;

let folder = '';

/** Runs the command for as long as it may take; what runs longer than the limit is the failure looked for here. */
function natlens(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args],
    { cwd: folder, encoding: 'utf8', env: environment(folder), timeout: 2 * secondsMax * 1_000, maxBuffer: 1 << 28 });
  assert.equal(status, 0, `natlens ${args.join(' ')}: ${stderr}`);
  return stdout;
}

before(() => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-system-'));
  writeSharedInventory(folder);
});

after(() => {
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
let results: ExperimentResult[] = [];
const select = (algorithm: string, catalog: string): ExperimentResult[] =>
  results.filter((result) => result.algorithm === algorithm && result.catalog === catalog);

test('one call runs captures and computers in minutes', { skip }, (context) => {
  const startMs = systemClock.monotonicMs();
  results = JSON.parse(natlens('lab', 'experiment', '--inventory', 'inventory.csv', '--flows',
    ...globSync(`${sharedData}hosts/*conn.log.labeled`).sort(), '--out', 'out', '--algorithm', 'chow-liu-tree',
    'isolation-forest', '--catalog', 'portable', 'natlens', 'paper', '--seeds', String(seeds), '--json')) as
    ExperimentResult[];
  const seconds = (systemClock.monotonicMs() - startMs) / 1_000;
  context.diagnostic(`${results.length} classifiers in ${seconds.toFixed(1)} s`);
  assert.ok(seconds < secondsMax, `${seconds} s`);
  assert.equal(results.length, 5 * 2 * 3 * seeds);
  const { dataset } = JSON.parse(readFileSync(join(folder, 'out/report.json'), 'utf8')) as ExperimentReport;
  // Whoever has a thousand flows is in the table, and the computers are among those that it is told from.
  const enough = dataset.deviceModels.filter(({ kind, flows }) => kind === 'iot' && flows >= 1_000);
  assert.deepEqual([...new Set(results.map(({ deviceModel }) => deviceModel))],
    enough.map(({ deviceModel }) => deviceModel));
  const computer = dataset.deviceModels.find(({ kind }) => kind === 'non-iot');
  assert.ok(computer?.devices === sharedComputers.length && computer.flows > 1_000, JSON.stringify(computer));
  assert.match(dataset.note, /computer\.Windows were made with other timeouts/);
});

test('the default detector is as good as promised, with and without destinations', { skip }, (context) => {
  for (const catalog of ['portable', 'natlens']) {
    const judged = select('chow-liu-tree', catalog);
    const [auc, fpr] = [meanOf(judged.map((result) => result.auc)), meanOf(judged.map(({ fprAtTpr90 }) => fprAtTpr90))];
    const least = Math.min(...judged.map((result) => result.auc));
    context.diagnostic(`${catalog}: mean AUC ${auc.toFixed(4)}, least ${least.toFixed(4)}, FPR at TPR .9 ` +
      fpr.toFixed(4));
    assert.ok(auc >= 0.992 && fpr <= 0.015 && least >= 0.97, `${catalog}: ${auc}, ${fpr}, ${least}`);
  }
});

type OracleRun = { readonly seed: number; readonly auc: number; readonly default: Rates; readonly p10: Rates };

test('the paper\'s method has scikit-learn\'s figures, seed by seed', {
  skip: skip !== false ? skip : python === undefined ? 'python3-sklearn is not installed' : false,
}, (context) => {
  const judged = select('isolation-forest', 'paper');
  const deviceModels = [...new Set(judged.map(({ deviceModel }) => deviceModel))];
  assert.equal(deviceModels.length, 5);
  natlens('flows', ...globSync('out/dataset/flows/*/*.parquet', { cwd: folder }), '-o', 'flows.csv', '-q');
  const oracle = JSON.parse(runOracle(python as string, 'experiment.py', join(folder, 'flows.csv'), String(seeds),
    ...deviceModels)) as Record<string, OracleRun[]>;
  for (const deviceModel of deviceModels) {
    const ours = judged.filter((result) => result.deviceModel === deviceModel);
    const theirs = oracle[deviceModel] as OracleRun[];
    context.diagnostic(`${deviceModel}: AUC ${meanOf(ours.map(({ auc }) => auc)).toFixed(4)}`);
    for (const [i, { seed, auc, percentiles, ...rest }] of ours.entries()) {
      const other = theirs[i] as OracleRun;
      // The same trees and encoder: what differs is the order in which sums are made.
      assert.equal(seed, other.seed);
      assert.ok(Math.abs(auc - other.auc) < 1e-6, `${deviceModel} ${seed}: AUC ${auc}, scikit-learn has ${other.auc}`);
      // A flow whose score is the threshold itself may fall to either side.
      const differences = [rest.default.tpr - other.default.tpr, rest.default.fpr - other.default.fpr,
        (percentiles[10]?.tpr ?? 2) - other.p10.tpr, (percentiles[10]?.fpr ?? 2) - other.p10.fpr];
      const furthest = Math.max(...differences.map(Math.abs));
      assert.ok(furthest < 1e-2, `${deviceModel} ${seed}: ${differences}`);
    }
  }
});
