/** `natlens train` as a user types it, on a simulated lab: artifacts, the summary, and every way to get it wrong. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
const webcam = 'webcam.Example.Cam_1';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-train-'));
  assert.ok(makeLabelledHome(folder).includes(webcam));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): Buffer => readFileSync(join(folder, name));
const labelled = ['lab.csv', '--made-as', asMetered];

test('a labelled lab makes a classifier, and the same command the same bytes', () => {
  const runs = ['one.nlc', 'two.nlc'].map((output) =>
    natlens('train', ...labelled, '--device-model', webcam, '-o', output, '--json'));
  for (const run of runs) assert.equal(run.status, 0, run.stderr);
  assert.ok(read('one.nlc').equals(read('two.nlc')));
  const summary = JSON.parse(runs[0]?.stdout ?? '') as Record<string, unknown>;
  assert.equal(summary.deviceModel, webcam);
  assert.deepEqual(summary.devices, ['camera-1']);
  assert.deepEqual(summary.unfit, []);
  const { trainingFlows, validationFlows, testFlows } = summary as Record<string, number>;
  const all = (trainingFlows as number) + (validationFlows as number) + (testFlows as number);
  assert.equal(trainingFlows, Math.floor(all * 7 / 10));
  assert.equal((trainingFlows as number) + (validationFlows as number), Math.floor(all * 8 / 10));
  assert.equal(summary.bytes, read('one.nlc').length);
  assert.ok((summary.bytes as number) < 100_000);
  assert.ok((summary.fitSeconds as number) < 1, `${String(summary.fitSeconds)} s of fitting`);
  assert.deepEqual(summary.needs,
    { l7Source: 'prefix', activeTimeoutMs: 120_000, idleTimeoutMs: 60_000, isBiflow: true });
});

test('another seed, algorithm, option or catalog makes another classifier', () => {
  natlens('train', ...labelled, '--device-model', webcam, '-o', 'first.nlc');
  const others = [['--seed', '2'], ['--catalog', 'paper'], ['--algorithm', 'local-outlier-factor'],
    ['--set', 'binCount=8']];
  for (const [i, more] of others.entries()) {
    const run = natlens('train', ...labelled, '--device-model', webcam, '-o', `other-${i}.nlc`, ...more);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^webcam\.Example\.Cam_1: [\d,]+ flows trained/);
    assert.ok(!read(`other-${i}.nlc`).equals(read('first.nlc')), more.join(' '));
  }
});

test('unlabelled flows train with --all-rows, and a Parquet file says itself how it was made', () => {
  const run = natlens('train', 'home.parquet', '--all-rows', '--device-model', 'home.Example.All', '-o', 'all.nlc',
    '--json');
  assert.equal(run.status, 0, run.stderr);
  const summary = JSON.parse(run.stdout) as { devices: string[]; flowsRead: number; trainingFlows: number };
  assert.deepEqual(summary.devices, ['']);
  assert.equal(summary.trainingFlows, Math.floor(summary.flowsRead * 7 / 10));
});

test('too few flows make an unfit classifier, which is written and ends with exit code 1', () => {
  const run = natlens('train', ...labelled, '--device-model', 'plug.Example.Switch_2', '-o', 'plug.nlc', '--json');
  const { isFit, unfit } = JSON.parse(run.stdout) as { isFit: boolean; unfit: { code: string }[] };
  assert.equal(run.status, isFit ? 0 : 1);
  const few = natlens('train', ...labelled, '--device-model', webcam, '-o', 'few.nlc', '--algorithm',
    'isolation-forest', '--set', 'treeCount=1', '--set', 'maxSamples=1', '--json');
  assert.equal(few.status, 1, few.stderr);
  assert.ok(existsSync(join(folder, 'few.nlc')));
  assert.match(few.stdout, /degenerate-scores/);
  assert.equal(isFit, unfit.length === 0);
});

test('the training matrix has a row for each training flow', () => {
  const run = natlens('train', ...labelled, '--device-model', webcam, '-o', 'm.nlc', '--matrix', 'm.csv', '--json');
  assert.equal(run.status, 0, run.stderr);
  const { trainingFlows, columns } = JSON.parse(run.stdout) as { trainingFlows: number; columns: number };
  const lines = read('m.csv').toString().trimEnd().split('\n');
  assert.equal(lines.length, trainingFlows + 1);
  assert.equal(lines[0]?.split(',').length, columns);
  assert.match(lines[0] ?? '', /^initiatorOctetsLog2,.*,protocolIdentifier=6,/);
  assert.equal(natlens('train', ...labelled, '--device-model', webcam, '-o', 'm.nlc', '--matrix', 'm.npy').status, 0);
  const npy = read('m.npy');
  assert.equal(npy.subarray(1, 6).toString(), 'NUMPY');
  assert.equal(npy.length, 10 + npy.readUInt16LE(8) + 4 * trainingFlows * columns);
});

test('what is wrong is said in one sentence, and nothing is left behind', () => {
  const model = ['--device-model', webcam];
  const out = [...model, '-o', 'bad.nlc'];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[...labelled, '-o', 'bad.nlc'], /--device-model/],
    [[...labelled, ...model], /--output/],
    [[...labelled, ...model, '-o', 'bad.bin'], /\.nlc/],
    [[...labelled, ...out, '--algorithm', 'magic'], /--algorithm is one of isolation-forest/],
    [[...labelled, ...out, '--catalog', 'magic'], /--catalog is one of paper/],
    [[...labelled, ...out, '--seed', '-1'], /--seed/],
    [[...labelled, ...out, '--set', 'binCount'], /NAME=VALUE/],
    [[...labelled, ...out, '--set', 'trees=5'], /has no option trees; it has binCount/],
    [[...labelled, ...out, '--set', 'binCount=many'], /is a number/],
    [[...labelled, ...out, '--set', 'binCount=0'], /cannot be fitted with --set/],
    [[...labelled, '--device-model', 'tv.None.None', '-o', 'bad.nlc'], /there are flows of .*webcam\.Example\.Cam_1/],
    [['home.parquet', ...out], /--all-rows/],
    [['lab.csv', ...out], /does not say.*--made-as/s],
    [['lab.csv', '--made-as', '120/60', ...out], /ACTIVE\/IDLE\/L7/],
    [['lab.csv', 'home.parquet', '--all-rows', '--made-as', '60/60/prefix', ...out], /not to be mixed/],
    [['absent.csv', ...out], /absent\.csv/],
    [[...labelled, ...model, '-o', join('nowhere', 'bad.nlc')], /nowhere does not exist/],
    [[...labelled, ...out, '--matrix', 'm.xlsx'], /\.npy or \.csv/],
  ];
  for (const [args, message] of cases) {
    const run = natlens('train', ...args);
    assert.equal(run.status, 2, `${args.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, message);
    assert.equal(run.stdout, '');
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  }
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('bad') || name.endsWith('.partial')), []);
});
