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
  assert.deepEqual(methods, ['single-flow', 'single-flow-natlens', 'k-of-n', 'domain-rule', 'tf-idf', 'evidence',
    'evidence-cascade']);
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
  assert.equal(report.curves.length, 7);
  assert.deepEqual(report.library.map(({ libraryShare }) => libraryShare), [0.25, 0.5, 1, 0.25, 0.5, 1]);
  for (const method of ['k-of-n', 'tf-idf', 'evidence', 'evidence-cascade']) {
    const looks = report.looks.filter((point) => point.method === method);
    assert.deepEqual(looks.map(({ calibratedOn, lookMinutes }) => [calibratedOn, lookMinutes]),
      ['home-days', 'home-days', 'single windows'].flatMap((on) => [[on, 1], [on, 60]]));
    for (const [i, { measuredFpr }] of looks.entries()) {
      // Minutes come first: hours find no other homes, as scores only grow with flows. A cosine does not.
      if (i % 2 === 1 && method !== 'tf-idf') assert.ok(measuredFpr <= (looks[i - 1]?.measuredFpr ?? 0));
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

test('with too few homes what counts all homes promises nothing and finds nothing', () => {
  const results = JSON.parse(run('lab', 'homes', 'out/dataset', '--out', 'few', '--seeds', '1', '--homes', '50',
    '--calibration-homes', '100', '--device-model', 'socket.Efergy.Ego', '--json')) as HomesResult[];
  for (const { method, verdict, tpr, measuredFpr, unfit } of results) {
    if (!['k-of-n', 'tf-idf'].includes(method)) continue;
    assert.deepEqual([verdict, tpr, measuredFpr, unfit], ['unfit', 0, 0, { 'few-home-days': 1 }]);
  }
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
