/** `natlens score` as a user types it: scores in every format, counts, and refusals. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { readRows, runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
const webcam = 'webcam.Example.Cam_1';
const hub = 'hub.Example.Bridge_3';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-score-'));
  makeLabelledHome(folder);
  for (const [model, file] of [[webcam, 'webcam.nlc'], [hub, 'hub.nlc']] as const) {
    const run = natlens('train', 'lab.csv', '--made-as', asMetered, '--device-model', model, '-o', file);
    assert.equal(run.status, 0, run.stdout + run.stderr);
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

const labelled = ['lab.csv', '--made-as', asMetered];

type Counts = { flows: number; accepted: number };
type Summary = {
  flows: number;
  classifiers: {
    deviceModel: string; threshold: number; accepted: number; own: Counts; others: Counts; unlabelled: Counts;
  }[];
};

test('a classifier accepts its own flows and few others, and the counts add up', () => {
  const run = natlens('score', ...labelled, 'webcam.nlc', 'hub.nlc', '--json');
  assert.equal(run.status, 0, run.stderr);
  const { flows, classifiers } = JSON.parse(run.stdout) as Summary;
  assert.deepEqual(classifiers.map(({ deviceModel }) => deviceModel), [webcam, hub]);
  for (const { own, others, unlabelled, accepted, deviceModel } of classifiers) {
    assert.equal(own.flows + others.flows + unlabelled.flows, flows);
    assert.equal(own.accepted + others.accepted + unlabelled.accepted, accepted);
    assert.ok(own.accepted > 0.7 * own.flows, `${deviceModel}: ${own.accepted} of ${own.flows}`);
    assert.ok(others.accepted < 0.3 * others.flows, `${deviceModel}: ${others.accepted} of others' ${others.flows}`);
  }
});

const textsOf = (row: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]));

test('CSV, JSON lines and Parquet hold the same scores, and accepted is what lies below the threshold', async () => {
  for (const name of ['s.csv', 's.jsonl', 's.parquet']) {
    const run = natlens('score', ...labelled, 'webcam.nlc', 'hub.nlc', '-o', name);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /own +others/);
  }
  const { stdout } = natlens('score', ...labelled, 'webcam.nlc', 'hub.nlc', '--json');
  const { classifiers, flows } = JSON.parse(stdout) as Summary;
  const csv = readRows(readFileSync(join(folder, 's.csv'), 'utf8'));
  const jsonl = readFileSync(join(folder, 's.jsonl'), 'utf8').trimEnd().split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const parquet = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, 's.parquet')) });
  assert.equal(csv.length, flows);
  assert.equal(jsonl.length, flows);
  assert.equal(parquet.length, flows);
  for (const [i, row] of csv.entries()) {
    assert.deepEqual(textsOf(jsonl[i] ?? {}), row);
    assert.deepEqual(textsOf(parquet[i] ?? {}), row);
  }
  for (const { deviceModel, threshold, accepted } of classifiers) {
    const below = csv.filter((row) => Number(row[`anomalyScore.${deviceModel}`]) <= threshold);
    assert.equal(below.length, accepted);
    assert.ok(below.every((row) => row[`isAccepted.${deviceModel}`] === 'true'));
    assert.equal(csv.filter((row) => row[`isAccepted.${deviceModel}`] === 'true').length, accepted);
  }
});

test('flows without labels, captures, standard output; two classifiers of one device model are told apart', () => {
  const parquet = natlens('score', 'home.parquet', 'webcam.nlc', '--json');
  const capture = natlens('score', 'webcam.nlc', 'home.pcap', '--json');
  const [fromParquet, fromCapture] = [parquet, capture]
    .map(({ stdout }) => (JSON.parse(stdout) as Summary).classifiers);
  assert.deepEqual(fromCapture, fromParquet);
  assert.equal(fromParquet?.[0]?.own.flows, 0);
  const piped = natlens('score', 'home.parquet', 'webcam.nlc', 'webcam.nlc', '-o', '-');
  assert.equal(piped.status, 0, piped.stderr);
  const [heading = ''] = piped.stdout.split('\n');
  assert.match(heading, /anomalyScore\.webcam\.Example\.Cam_1,.*,anomalyScore\.webcam\.Example\.Cam_1#2,/);
  assert.match(piped.stderr, /flows scored by 2 classifiers/);
});

test('a higher percentile accepts less', () => {
  const accepted = ['0', '10', '30', 'default'].map((choice) => {
    const run = natlens('score', 'home.parquet', 'webcam.nlc', '--threshold', choice, '--json');
    return (JSON.parse(run.stdout) as Summary).classifiers[0]?.accepted ?? -1;
  });
  const [most = 0, some = 0, least = 0, byDefault = 0] = accepted;
  assert.ok(most >= some && some >= least && least > 0 && byDefault > 0, accepted.join(' '));
  assert.ok(most > least);
});

test('what is wrong is said in one sentence, and nothing is left behind', () => {
  natlens('train', ...labelled, '--device-model', webcam, '-o', 'unfit.nlc', '--algorithm', 'isolation-forest',
    '--set', 'treeCount=1', '--set',
    'maxSamples=1');
  const bytes = readFileSync(join(folder, 'webcam.nlc'));
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1;
  writeFileSync(join(folder, 'damaged.nlc'), bytes);
  natlens('flows', 'home.pcap', '--active', '60', '-o', 'short.parquet');
  natlens('flows', 'home.pcap', '--l7', 'none', '-o', 'nameless.parquet');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['home.parquet'], /at least one classifier/],
    [['webcam.nlc'], /at least one file of flows/],
    [['home.parquet', 'absent.nlc'], /absent\.nlc/],
    [['home.parquet', 'damaged.nlc'], /refused \(artifact-damaged\)/],
    [['home.parquet', 'unfit.nlc'], /unfit \(degenerate-scores\).*--allow-unfit/],
    [['short.parquet', 'webcam.nlc', '-o', 'bad.csv'], /active timeout of 120 s/],
    [['nameless.parquet', 'webcam.nlc', '-o', 'bad.parquet'], /layer-7 names/],
    [['lab.csv', 'webcam.nlc'], /does not say.*--made-as/s],
    [['home.parquet', 'webcam.nlc', '--threshold', '31'], /--threshold/],
    [['home.parquet', 'webcam.nlc', 'hub.nlc', '--matrix', 'm.npy'], /--matrix is of one classifier/],
    [['home.parquet', 'webcam.nlc', '-o', 'bad.ipfix'], /\.parquet, \.csv or \.jsonl/],
  ];
  for (const [args, message] of cases) {
    const run = natlens('score', ...args);
    assert.equal(run.status, 2, `${args.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, message);
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  }
  assert.ok(!existsSync(join(folder, 'bad.csv')) && !existsSync(join(folder, 'bad.parquet')));
  const allowed = natlens('score', 'home.parquet', 'unfit.nlc', '--allow-unfit');
  assert.equal(allowed.status, 0, allowed.stderr);
  assert.match(allowed.stdout, /UNFIT/);
});
