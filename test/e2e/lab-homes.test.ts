/**
 * `natlens lab homes` as a user types it, on a small simulated lab: results, page and table; the same twice; what
 * cannot be promised is not; and what does not fit.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HomesReport, HomesResult } from '#lab';
import { homeMethods } from '../../src/lab/baseline/registry.ts';
import { runNatlens } from '../support/natlens-process.ts';

let folder = '';
const models = ['socket.Efergy.Ego', 'speaker.Amazon.Echo_Dot'];
/** A hundredth of a home-day is promised, which a few hundred homes can. */
const small = ['--seeds', '2', '--homes', '200', '--calibration-homes', '400', '--false-alarms', '0.3'];
const wanted = ['--device-model', ...models];

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-homes-'));
  run('simulate', '--lab', 'lab', '--days', '2', '--scale', '0.1', '--units', '1', '--seed', '3');
});

after(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): string {
  const { status, stdout, stderr } = runNatlens(args, { cwd: folder });
  assert.equal(status, 0, stderr);
  return stdout;
}
const read = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');

test('one call builds the data set, tries all methods, and leaves what it promises', () => {
  const text = run('lab', 'homes', '--inventory', 'lab/inventory.csv', '--out', 'out', ...small, ...wanted, '--json');
  const results = JSON.parse(text) as HomesResult[];
  assert.equal(read('out/results.json'), text);
  const methods = [...new Set(results.map(({ method }) => method))];
  // Of the data set that it builds, all: it has packets.
  assert.deepEqual(methods, homeMethods.map(({ name }) => name));
  assert.deepEqual([methods[0], ...methods.slice(-2)], ['single-flow', 'evidence', 'evidence-cascade']);
  for (const name of ['k-of-n', 'domain-rule', 'tf-idf', 'dns-domains', 'iot-finder-names', 'dedicated-destinations',
    'flow-trees', 'flow-trees-closed', 'one-class-svm-hits', 'local-outlier-factor-hits', 'packet-slope']) {
    assert.ok(methods.includes(name), name);
  }
  assert.equal(results.length, methods.length * models.length * 4);
  for (const [i, result] of results.entries()) {
    assert.deepEqual(Object.keys(result).slice(0, 11), ['method', 'deviceModel', 'windowMinutes', 'promisedFpr',
      'measuredFpr', 'fprUpper95', 'nullHomes', 'tpr', 'positiveHomes', 'group', 'verdict']);
    assert.ok(result.measuredFpr >= 0 && result.measuredFpr <= result.fprUpper95 && result.fprUpper95 <= 1);
    assert.ok(result.nullHomes > 0 && result.nullHomes <= 400 && result.positiveHomes === 40);
    assert.equal(result.windowMinutes, [10, 60, 360, 1_440][i % 4]);
    if (i % 4 > 0) assert.ok(result.tpr >= (results[i - 1] as HomesResult).tpr, 'who was found stays found');
  }
  const ours = results.filter(({ method, windowMinutes }) => method === 'evidence' && windowMinutes === 1_440);
  for (const result of ours) {
    assert.equal(result.promisedFpr, 0.01);
    assert.ok(result.tpr > 0.9, JSON.stringify(result));
    assert.equal(result.verdict, result.group.length > 0 ? 'one of' : 'present');
  }
});

test('the page is whole: every section, no script, nothing fetched; the data are beside it', () => {
  const report = JSON.parse(read('out/report.json')) as HomesReport;
  assert.deepEqual(report.results, JSON.parse(read('out/results.json')));
  assert.equal(report.dataset.isSimulated, true);
  assert.deepEqual(report.curves.map(({ method }) => method), homeMethods.map(({ name }) => name));
  assert.equal(new Set(homeMethods.map(({ name }) => name)).size, homeMethods.length);
  const grouping = homeMethods.filter(({ namesGroups }) => namesGroups);
  assert.ok(grouping.length >= 3);
  assert.deepEqual(report.library.map(({ method, libraryShare }) => [method, libraryShare]),
    grouping.flatMap(({ name }) => [0.25, 0.5, 1].map((share) => [name, share])));
  const calibrated = homeMethods.filter(({ isCalibrated }) => isCalibrated).map(({ name }) => name);
  assert.deepEqual([...new Set(report.looks.map(({ method }) => method))].sort(), calibrated.toSorted());
  assert.ok(calibrated.includes('flow-trees') && calibrated.includes('evidence'));
  for (const method of calibrated) {
    const looks = report.looks.filter((point) => point.method === method);
    assert.deepEqual(looks.map(({ calibratedOn, lookMinutes }) => [calibratedOn, lookMinutes]),
      ['home-days', 'home-days', 'single windows'].flatMap((on) => [[on, 1], [on, 60]]));
    for (const [i, { measuredFpr }] of looks.entries()) {
      // Minutes come first: hours find no other homes, as scores only grow with flows. Cosines do not.
      if (i % 2 === 0 || /^(?:tf-idf|iot-finder)/.test(method)) continue;
      assert.ok(measuredFpr <= (looks[i - 1]?.measuredFpr ?? 0));
    }
    assert.equal(looks[0]?.measuredFpr, report.overall.find((point) => point.method === method)?.measuredFpr);
  }
  assert.ok(report.trials.every(({ units }) => units.calibration > 0 && units.test > 0));
  const page = read('out/report.html');
  assert.doesNotMatch(page, /<script|src="http|href="http|@import|url\(/);
  for (const id of ['methods', 'time', 'models', 'promises', 'looks', 'library', 'base-rates', 'groups', 'reading']) {
    assert.ok(page.includes(`<h2 id="${id}">`), id);
  }
  for (const model of models) assert.ok(page.replaceAll('<wbr>', '').includes(model));
  assert.match(page, /Simulated data/);
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
});

test('again it is the same, to the last byte, and people get a table', () => {
  const table = run('lab', 'homes', 'out/dataset', '--out', 'again', ...small, ...wanted);
  for (const name of ['results.json', 'report.json', 'report.html']) {
    assert.equal(read('again', name), read('out', name), name);
  }
  assert.match(table, /\(simulated\).*2 device models/);
  for (const name of [...models, 'evidence-cascade', 'report.html']) assert.ok(table.includes(name), table);
});

test('with too few homes what counts all homes promises nothing; without packets nothing looks at them', () => {
  run('lab', 'build', '--inventory', 'lab/inventory.csv', '--out', 'plain');
  const results = JSON.parse(run('lab', 'homes', 'plain', '--out', 'few', '--seeds', '1', '--homes', '50',
    '--calibration-homes', '100', '--device-model', 'socket.Efergy.Ego', '--json')) as HomesResult[];
  const counting = ['k-of-n', 'tf-idf', 'flow-trees', 'flow-trees-closed', 'one-class-svm-hits',
    'local-outlier-factor-hits'];
  for (const name of counting) assert.ok(results.some(({ method }) => method === name), name);
  for (const { method, verdict, tpr, measuredFpr, unfit } of results) {
    if (!counting.includes(method)) continue;
    assert.deepEqual([verdict, tpr, measuredFpr, unfit], ['unfit', 0, 0, { 'few-home-days': 1 }]);
  }
  const { methods, remarks } = JSON.parse(read('few/report.json')) as HomesReport;
  assert.deepEqual(methods.map(({ name }) => name),
    homeMethods.filter(({ sees }) => sees === 'flow records').map(({ name }) => name));
  assert.ok(methods.length < homeMethods.length && remarks.some((remark) => /has no traces/.test(remark)));
});

test('what does not fit is said in one sentence, with exit code 2', () => {
  const refuse = (pattern: RegExp, ...args: string[]): void => {
    const { status, stderr } = runNatlens(['lab', 'homes', ...args, '--out', 'refused'], { cwd: folder });
    assert.equal(status, 2, stderr);
    assert.match(stderr, pattern);
  };
  refuse(/Name the folder of a data set/);
  refuse(/not both/, 'out/dataset', '--inventory', 'lab/inventory.csv');
  refuse(/--l7 is for building/, 'out/dataset', '--l7', 'none');
  refuse(/has no IoT device model webcam\.No\.One; it has/, 'out/dataset', '--device-model', 'webcam.No.One');
  refuse(/--library-share is a share above 0/, 'out/dataset', '--library-share', '0');
  refuse(/--homes is a whole number/, 'out/dataset', '--homes', '3');
  refuse(/is no data set/, 'nowhere');
  const { status, stderr } = runNatlens(['lab', 'homes', 'out/dataset', '--out', 'lab/inventory.csv/out'],
    { cwd: folder });
  assert.deepEqual([status, /Cannot make the folder/.test(stderr), /trials/.test(stderr)], [2, true, false], stderr);
});
