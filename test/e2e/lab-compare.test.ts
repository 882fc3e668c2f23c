/**
 * `natlens lab compare` as a user types it, on a small simulated lab: the table, the page and the graph; the same twice
 * but for what it cost; and what does not fit.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CompareReport, CompareRow } from '#lab';
import { homeMethods } from '../../src/lab/baseline/registry.ts';
import { runNatlens } from '../support/natlens-process.ts';

let folder = '';
const models = ['socket.Efergy.Ego', 'speaker.Amazon.Echo_Dot'];
/** A hundredth of a home-day is promised, which a few hundred homes can. */
const small = ['--seeds', '1', '--homes', '100', '--calibration-homes', '400', '--false-alarms', '0.3',
  '--linked-homes', '4', '--device-model', ...models];

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-compare-'));
  run('simulate', '--lab', 'lab', '--days', '2', '--scale', '0.1', '--units', '1', '--seed', '3');
});

after(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): string {
  const { status, stdout, stderr } = runNatlens(args, { cwd: folder });
  assert.equal(status, 0, stderr);
  return stdout;
}
const read = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const readReport = (...path: string[]): CompareReport => JSON.parse(read(...path, 'report.json')) as CompareReport;

test('one call builds the data set with packets and tries every method there is', () => {
  const text = run('lab', 'compare', '--inventory', 'lab/inventory.csv', '--out', 'out', ...small, '--json');
  assert.equal(read('out/results.json'), text);
  const rows = JSON.parse(text) as CompareRow[];
  assert.deepEqual(rows.map(({ name }) => name), homeMethods.map(({ name }) => name));
  for (const row of rows) {
    const { name, covered, coverage, measuredFpr, fprUpper95, nullHomes, tpr, foundAtFixedFpr } = row;
    assert.equal(coverage, covered.length / models.length, name);
    assert.ok(foundAtFixedFpr.every((share) => share >= 0 && share <= coverage), JSON.stringify(row));
    assert.ok(row.cpuMsPerHomeDay > 0, name);
    assert.ok(row.privacy.endsWith('.') && row.meaning.endsWith('.') && row.source !== '', name);
    if (covered.length === 0) assert.deepEqual([measuredFpr, fprUpper95, tpr, nullHomes], [null, null, null, 0]);
    else assert.ok((measuredFpr as number) <= (fprUpper95 as number) && nullHomes > 0 && tpr?.length === 4, name);
  }
  const ours = rows.at(-1) as CompareRow;
  assert.deepEqual([ours.name, ours.coverage], ['evidence-cascade', 1]);
  assert.ok((ours.tpr?.at(-1) as number) > 0.9, JSON.stringify(ours));
  assert.deepEqual(new Set(rows.map(({ sees }) => sees)),
    new Set(['flow records', 'names asked for', 'packet headers']));
});

test('the report says what names and identifications can tell; the pages are whole and fetch nothing', () => {
  const { names, graph, identification, dataset, worstModel, outcome, methods } = readReport('out');
  assert.equal(names.withThreeOrMore + names.withTwo + names.withOne + names.withNone, names.deviceModels.length);
  assert.equal(names.deviceModels.length, 13);
  assert.ok(graph.models.length >= 13 && graph.names.length > 20 && graph.asks.length >= graph.names.length);
  assert.ok(dataset.packets > 10_000 && dataset.queries > 100 && dataset.isSimulated);
  assert.equal(identification.homes, 4);
  assert.ok(identification.links.some(({ linker, hosts }) => linker === 'dns-chains' && hosts === 'all'));
  assert.ok(models.includes(worstModel));
  assert.match(outcome[0] as string, /^Where homes that calibrate .* evidence-cascade finds \d/);
  assert.match(outcome[1] as string, /^At an FPR of 0\.003 a home-day .* within 1 h evidence-cascade \d/);
  const [page, graphPage] = [read('out/report.html'), read('out/graph.html')];
  for (const text of [page, graphPage]) {
    assert.doesNotMatch(text, /src="http|href="http|@import|url\((?!#|data:)/);
    assert.doesNotMatch(text.replace(/<script[\s\S]*?<\/script>/g, ''), /NaN|undefined|Infinity/);
  }
  assert.doesNotMatch(page, /<script/);
  assert.match(page, /href="graph\.html"/);
  for (const { name } of methods) assert.ok(page.replaceAll('<wbr>', '').includes(name), name);
  for (const { name } of graph.models) assert.ok(graphPage.includes(name), name);
});

test('again it is the same, but for what it cost; people get tables', () => {
  const table = run('lab', 'compare', 'out/dataset', '--out', 'again', ...small);
  const withoutCost = (report: CompareReport): CompareReport =>
    ({ ...report, methods: report.methods.map((row) => ({ ...row, cpuMsPerHomeDay: 0 })) });
  assert.deepEqual(withoutCost(readReport('again')), withoutCost(readReport('out')));
  assert.equal(read('again/graph.html'), read('out/graph.html'));
  assert.match(table, /\(simulated\): 2 device models looked for/);
  assert.match(table, /Device models by dedicated names: 3 or more \d+ of 13/);
  for (const name of ['evidence-cascade', 'dns-chains', 'clocks', 'graph.html']) assert.ok(table.includes(name), table);
});

test('what does not fit is said in one sentence, with exit code 2', () => {
  const refuse = (pattern: RegExp, ...args: string[]): void => {
    const { status, stderr } = runNatlens(['lab', 'compare', ...args, '--out', 'refused'], { cwd: folder });
    assert.equal(status, 2, stderr);
    assert.match(stderr, pattern);
  };
  run('lab', 'build', '--inventory', 'lab/inventory.csv', '--out', 'bare');
  refuse(/bare has no traces.*build it with natlens lab build --traces/, 'bare');
  refuse(/Name the folder of a data set/);
  refuse(/not both/, 'out/dataset', '--inventory', 'lab/inventory.csv');
  refuse(/has no IoT device model webcam\.No\.One; it has/, 'out/dataset', '--device-model', 'webcam.No.One');
  refuse(/--linked-homes is a whole number/, 'out/dataset', '--linked-homes', '0');
});
