/**
 * `natlens calibrate` and `natlens lab drift` as a user types them, on simulated labs: trained against a library that
 * takes no further part, calibrated, renewed with home-days of the field, and drifted after new firmware.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readArtifact, type Artifact } from '#classifier/artifact';
import { countHomeDays, formatNullSketch, NullCounter } from '#verdict';
import { runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
const plug = 'socket.TP_Link.HS110';
const bulb = 'light_bulb.LIFX.A19';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
/** Few homes, and a budget that they can keep. */
const few = ['--home-days', '1500', '--test-home-days', '500', '--homes', '50', '--false-alarms', '0.03', '-q'];

function succeed(...args: string[]): string {
  const { status, stdout, stderr } = natlens(...args);
  assert.equal(status, 0, `${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const artifactOf = (...path: string[]): Artifact => readArtifact(readFileSync(join(folder, ...path)));
const flowsOf = (dataset: string, deviceModel: string): string[] =>
  readdirSync(join(folder, dataset, 'flows', deviceModel)).map((name) => join(dataset, 'flows', deviceModel, name));

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-calibrate-'));
  // Days of 2.4 hours: ten are a day of the clock.
  const labs = [
    ['quiet', '--days', '10'], ['changed', '--days', '20', '--seed', '2', '--firmware', `${plug}@10`],
  ] as const;
  for (const [name, ...more] of labs) {
    succeed('simulate', '--lab', name, '--scale', '0.1', '--units', '1', ...more);
    succeed('lab', 'build', '--inventory', `${name}/inventory.csv`, '--out', `${name}-data`, '-q');
  }
  for (const [deviceModel, file] of [[plug, 'plug.nlc'], [bulb, 'bulb.nlc']] as const) {
    const background = succeed('calibrate', '--dataset', 'quiet-data', '--list-library', deviceModel).trim()
      .split('\n');
    assert.ok(background.length >= 8 && background.every((path) => !path.includes(deviceModel)));
    succeed('train', ...flowsOf('quiet-data', deviceModel), '--device-model', deviceModel, '--background',
      ...background, '-o', file, '-q');
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

type Summary = {
  units: { lab: number; simulator: number };
  classifiers: {
    deviceModel: string; output: string; classifier: string; sources: string[]; measuredFpr: number;
    fprUpper95: number; group: string[]; expires: string; uncalibrated: string | null; nullHomeDays: number;
    detection: { minutes: number; rate: number }[]; measured: { testUnits: number; calibrationUnits: number } | null;
    field: string[];
  }[];
};

test('several classifiers at once: written anew with their cards, the same in every run', () => {
  const args = ['calibrate', 'plug.nlc', 'bulb.nlc', '--dataset', 'quiet-data', '--expires', '2031-05-01', ...few];
  const summary = JSON.parse(succeed(...args, '--out', 'one', '--json')) as Summary;
  succeed(...args, '--out', 'two');
  for (const [i, file] of ['plug.nlc', 'bulb.nlc'].entries()) {
    const said = summary.classifiers[i];
    const { classifier, fingerprint, calibration, digest } = artifactOf('one', file);
    assert.deepEqual(readFileSync(join(folder, 'one', file)), readFileSync(join(folder, 'two', file)));
    assert.deepEqual([said?.classifier, said?.deviceModel, said?.uncalibrated],
      [digest, classifier.deviceModel, null]);
    assert.ok(calibration !== undefined && fingerprint !== undefined);
    assert.deepEqual(fingerprint, artifactOf(file).fingerprint, 'nothing else is changed');
    assert.deepEqual([calibration.card.sources, new Date(calibration.expiresMs).toISOString()],
      [['simulator'], '2031-05-01T00:00:00.000Z']);
    assert.equal(calibration.card.testHomeDays, 500);
    assert.ok(calibration.card.measuredFpr <= calibration.card.fprUpper95);
    assert.deepEqual(calibration.card.detection.map(({ minutes }) => minutes), [10, 60, 360, 1_440]);
    assert.ok((calibration.card.detection[3]?.rate ?? 0) >= 0.95, JSON.stringify(calibration.card));
    assert.ok((said?.measured?.testUnits ?? 0) >= 3 && (said?.measured?.calibrationUnits ?? 0) >= 3);
  }
  assert.match(natlens('classifier', 'inspect', 'one/plug.nlc').stdout, /false alarms/);
});

test('for people: a table, and a classifier without a fingerprint, too', () => {
  succeed('train', ...flowsOf('quiet-data', bulb), '--device-model', bulb, '-o', 'plain.nlc', '-q');
  const run = natlens('calibrate', 'plain.nlc', '--dataset', 'quiet-data', '--out', 'plain', ...few);
  assert.ok(run.status === 0 || run.status === 1, run.stderr);
  assert.match(run.stdout, /device model +decides +null home-days/);
  assert.match(run.stdout, /plain\.nlc: written to plain\/plain\.nlc/);
  const { calibration, fingerprint } = artifactOf('plain', 'plain.nlc');
  assert.equal(fingerprint, undefined);
  assert.ok(calibration !== undefined && calibration.ownFloor >= 2);
  assert.equal(run.status === 0, !/not-separable|few-home-days/.test(run.stdout));
});

test('the simulator alone makes homes, and says that it did', () => {
  const summary = JSON.parse(succeed('calibrate', 'plug.nlc', '--simulate', '--out', 'simulated', '--json', ...few)) as
    Summary;
  assert.deepEqual([summary.units, summary.classifiers[0]?.sources], [{ lab: 0, simulator: 33 }, ['simulator']]);
  assert.ok((summary.classifiers[0]?.detection[3]?.rate ?? 0) >= 0.95);
  const expiresMs = Date.parse(summary.classifiers[0]?.expires ?? '');
  assert.ok(expiresMs % 86_400_000 === 0 && expiresMs > Date.UTC(2026, 0, 1));
});

test('home-days of the field are added to a calibrated classifier, of its own digest only', () => {
  const counter = new NullCounter();
  for (let i = 0; i < 20_000; i++) counter.add(i % 100 === 0 ? 1 : 0, 3_000);
  const writeSketch = (file: string, classifier: string): void => writeFileSync(join(folder, file), formatNullSketch({
    windowMs: 3_600_000, bucketMs: 60_000, classifiers: [{ deviceModel: plug, classifier, nullTable: counter.table() }],
  }));
  const known = artifactOf('one', 'plug.nlc');
  writeSketch('north.json', known.digest);
  writeSketch('south.json', known.digest);
  writeSketch('other.json', '0'.repeat(64));
  succeed('calibrate', 'one/plug.nlc', '--sketch', 'north.json', 'south.json', '--out', 'renewed', ...few);
  const { calibration } = artifactOf('renewed', 'plug.nlc');
  assert.ok(calibration !== undefined && known.calibration !== undefined);
  assert.ok(countHomeDays(calibration.nullTable) >= countHomeDays(known.calibration.nullTable) + 40_000);
  assert.deepEqual([calibration.card.sources, calibration.ownFloor],
    [['simulator', 'field'], known.calibration.ownFloor]);
  for (const [args, pattern] of [
    [['one/plug.nlc', '--sketch', 'other.json'], /No sketch tells of one\/plug\.nlc/],
    [['plug.nlc', '--sketch', 'north.json'], /not calibrated yet/],
    [['one/plug.nlc', '--sketch', 'plug.nlc'], /plug\.nlc: The null sketch is no JSON/],
    [['one/plug.nlc', '--sketch', 'north.json', '--window', '2h'], /of another length/],
  ] as const) {
    const { status, stderr } = natlens('calibrate', ...args, '--out', 'no', ...few);
    assert.deepEqual([status, pattern.test(stderr)], [2, true], stderr);
  }
});

test('new firmware is drift, in a table, as JSON and drawn', () => {
  const flows = flowsOf('changed-data', plug);
  const args = ['lab', 'drift', 'plug.nlc', '--flows', ...flows, '--reference', '22h', '-o', 'drift.svg', '-q'];
  const run = natlens(...args, '--json');
  assert.equal(run.status, 1, run.stdout + run.stderr);
  const summary = JSON.parse(run.stdout) as { drifted: string; days: { isDrifted: boolean }[] };
  assert.deepEqual([summary.drifted, summary.days.map(({ isDrifted }) => isDrifted)],
    ['2026-01-06T12:00:00.000Z', [false, true]]);
  assert.match(readFileSync(join(folder, 'drift.svg'), 'utf8'), /^<svg[^]*socket\.TP_Link\.HS110[^]*Drift from 2026/);
  assert.match(natlens(...args).stdout, /DRIFTED: said at 2026-01-06 12:00 UTC/);
});

test('without new firmware there is no drift', () => {
  const run = natlens('lab', 'drift', 'bulb.nlc', '--flows', ...flowsOf('changed-data', bulb), '--reference', '22h',
    '-q');
  assert.equal(run.status, 0, run.stdout + run.stderr);
  assert.match(run.stdout, /It did not drift/);
});

const refusals: readonly (readonly [readonly string[], RegExp])[] = [
  [['calibrate'], /Name the classifiers/],
  [['calibrate', 'plug.nlc', '--dataset', 'quiet-data'], /--out is the folder/],
  [['calibrate', 'plug.nlc', '--out', 'no'], /Name where homes/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--dataset', 'a', '--inventory', 'b'], /not both/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--dataset', 'quiet'], /quiet is no data set/],
  [['calibrate', 'plug.nlc', 'one/plug.nlc', '--out', 'no', '--dataset', 'quiet-data'], /the same name/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--simulate', '--false-alarms', '2'], /a share between 0 and 1/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--simulate', '--expires', 'soon'], /--expires is a day/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--simulate', '--expires', '2020-01-01'], /2020-01-01 is over/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--simulate', '--bucket', '7m'], /--window, --bucket/],
  [['calibrate', 'plug.nlc', '--out', 'no', '--simulate', '--home-days', '0'], /--home-days is a whole number/],
  [['calibrate', '--list-library', plug], /files of a --dataset/],
  [['calibrate', '--dataset', 'quiet-data', '--list-library', 'no.such.Model'],
    /has no device model no\.such\.Model; it has .*, /],
  [['lab', 'drift', 'plug.nlc'], /Name a --dataset, or --flows/],
  [['lab', 'drift', 'plug.nlc', '--dataset', 'quiet-data'], /recorded hours, and it takes 6/],
  [['lab', 'drift', 'plug.nlc', '--dataset', 'quiet-data', '--level', '0'], /--level is a share/],
];

for (const [args, sentence] of refusals) {
  test(`refused: ${args.join(' ')}`, () => {
    const run = natlens(...args);
    assert.deepEqual([run.status, run.stdout], [2, ''], run.stdout + run.stderr);
    assert.match(run.stderr, sentence);
    assert.doesNotMatch(run.stderr, /\n {4}at /);
  });
}
