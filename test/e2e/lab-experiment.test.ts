/**
 * `natlens lab experiment` as a user types it: on a simulated home with labels, killed in the middle and run again, and
 * with what does not fit.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExperimentReport, ExperimentResult } from '#lab';
import { makeLabelledHome } from '../support/labelled-home.ts';
import { environment, launcher, readRows, runNatlens } from '../support/natlens-process.ts';

let folder = '';
let deviceModels: readonly string[] = [];
/** Devices of four hours have a few hundred flows each. */
const fewFlows = ['--min-flows', '50'];

/** The simulator's home has labels by address; an inventory says them, as a lab would. */
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-experiment-'));
  deviceModels = makeLabelledHome(folder);
  const rows = new Map(readRows(readFileSync(join(folder, 'lab.csv'), 'utf8'))
    .filter(({ device_model: deviceModel }) => deviceModel !== '')
    .map(({ sourceAddress = '', device = '', device_model: deviceModel = '' }) =>
      [device, ['home.pcap', sourceAddress, device, deviceModel, 'iot'].join(',')]));
  writeFileSync(join(folder, 'inventory.csv'), ['# Simulated by natlens simulate.',
    'capture,address,device,device_model,kind', ...rows.values()].map((line) => `${line}\n`).join(''));
});

after(() => rmSync(folder, { recursive: true, force: true }));

function experiment(...args: string[]): string {
  const { status, stdout, stderr } = runNatlens(['lab', 'experiment', ...args], { cwd: folder });
  assert.equal(status, 0, stderr);
  return stdout;
}
const readJson = (...path: string[]): unknown => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));

test('one call builds the data set, runs all, and leaves what it promises', () => {
  const text = experiment('--inventory', 'inventory.csv', '--out', 'out', '--seeds', '2', '--algorithm',
    'chow-liu-tree', 'isolation-forest', '--catalog', 'portable', 'paper', ...fewFlows, '--json');
  const results = JSON.parse(text) as ExperimentResult[];
  assert.equal(readFileSync(join(folder, 'out/results.json'), 'utf8'), text);
  assert.deepEqual([...new Set(results.map(({ deviceModel }) => deviceModel))], [...deviceModels].sort());
  assert.equal(results.length, deviceModels.length * 2 * 2 * 2);
  for (const { algorithm, catalog, auc, aucInterval, artifactBytes, timeToDetectSeconds } of results) {
    if (algorithm === 'chow-liu-tree' && catalog === 'portable') assert.ok(auc > 0.9, text);
    assert.ok(aucInterval[0] <= auc && auc <= aucInterval[1]);
    assert.ok(artifactBytes > 500 && timeToDetectSeconds !== null && timeToDetectSeconds > 0);
  }
  const report = readJson('out/report.json') as ExperimentReport;
  assert.deepEqual(report.results, results);
  assert.equal(report.dataset.isSimulated, true);
  assert.equal(report.dataset.devices, deviceModels.length);
  assert.equal(readdirSync(join(folder, 'out/classifiers')).length, results.length);
  assert.ok(existsSync(join(folder, 'out/dataset/manifest.json')));
  assert.ok(statSync(join(folder, 'out/results.parquet')).size > 1_000);
});

test('a classifier of the experiment is the one that natlens train makes of the same flows', () => {
  const [deviceModel = ''] = deviceModels;
  const flows = readdirSync(join(folder, 'out/dataset/flows', deviceModel))
    .map((name) => join('out/dataset/flows', deviceModel, name));
  runNatlens(['train', ...flows, '--device-model', deviceModel, '--algorithm', 'isolation-forest', '--seed', '2', '-o',
    'trained.nlc', '-q'], { cwd: folder });
  assert.deepEqual(readFileSync(join(folder, 'trained.nlc')),
    readFileSync(join(folder, 'out/classifiers', `${deviceModel}.isolation-forest.portable.2.nlc`)));
});

test('people get a table, and are told what was finished before', () => {
  const text = experiment('out/dataset', '--out', 'out', '--seeds', '2', ...fewFlows);
  for (const deviceModel of deviceModels) assert.ok(text.includes(deviceModel), text);
  assert.match(text, /\(simulated\)/);
  const cells = deviceModels.length * 2;
  const finished = new RegExp(`${cells} of ${cells} were finished by an earlier run`);
  assert.match(text, finished);
  // A data set that is built again from the same files is the same.
  assert.match(experiment('--inventory', 'inventory.csv', '--out', 'out', '--seeds', '2', ...fewFlows), finished);
});

test('killed in the middle, it goes on, and ends with the same bytes', async () => {
  // The slowest detector, on one thread: there is a middle to be killed in.
  const args = ['lab', 'experiment', 'out/dataset', '--algorithm', 'isolation-forest', '--catalog', 'paper', '--seeds',
    '25', '--jobs', '1', '--no-times', ...fewFlows, '--out'];
  const whole = runNatlens([...args, 'whole'], { cwd: folder });
  assert.equal(whole.status, 0, whole.stderr);
  const child = spawn(process.execPath, [launcher, ...args, 'killed'],
    { cwd: folder, env: environment(folder), stdio: 'ignore' });
  const cells = join(folder, 'killed/cells');
  const countCells = (): number => existsSync(cells)
    ? readdirSync(cells).filter((name) => name.endsWith('.json')).length : 0;
  for (let i = 0; countCells() < 5; i++) {
    assert.ok(i < 6_000 && child.exitCode === null, 'no five cells before the end');
    await sleep(5);
  }
  child.kill('SIGKILL');
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  const finished = countCells();
  assert.ok(finished >= 5 && finished < 25 * deviceModels.length, `${finished} cells`);
  assert.ok(!existsSync(join(folder, 'killed/results.json')));
  const text = experiment(...args.slice(2), 'killed');
  assert.match(text, new RegExp(`${finished} of ${25 * deviceModels.length} were finished by an earlier run`));
  for (const name of ['results.json', 'results.parquet']) {
    assert.deepEqual(readFileSync(join(folder, 'killed', name)), readFileSync(join(folder, 'whole', name)), name);
  }
});

test('what does not fit is said in a sentence', () => {
  for (const [args, pattern] of [
    [['--out', 'no'], /Name the folder of a data set/],
    [['out/dataset', '--inventory', 'inventory.csv', '--out', 'no'], /not both/],
    [['out/dataset', '--out', 'no', '--l7', 'prefix'], /--l7 is for building/],
    [['out', '--out', 'no'], /out is no data set/],
    [['out/dataset', '--out', 'no', '--min-flows', '100000'], /--min-flows/],
    [['out/dataset', '--out', 'no', '--device-model', 'webcam.No.One'], /no IoT device of model webcam\.No\.One/],
    [['out/dataset', '--out', 'no', '--seeds', '0'], /--seeds is a whole number/],
    [['out/dataset', '--out', 'no', '--jobs', '9999'], /--jobs is a whole number/],
    [['out/dataset', '--out', 'no', '--algorithm', 'oracle'], /--algorithm is one of chow|isolation/],
    [['out/dataset', '--out', 'no', '--catalog', 'mine'], /--catalog is one of paper/],
    [['out/dataset', '--out', 'home.pcap', ...fewFlows], /Cannot write in home\.pcap/],
  ] as const) {
    const { status, stdout, stderr } = runNatlens(['lab', 'experiment', ...args], { cwd: folder });
    assert.deepEqual([status, stdout], [2, ''], stderr);
    assert.match(stderr, pattern);
  }
});
