/** `natlens lab report` as a user types it: where the page goes, what is said, and refusals. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runLine, runNatlens, type Ran } from '../support/natlens-process.ts';
import { makeReportSample } from '../support/report-sample.ts';

let folder = '';
const natlens = (...args: string[]): Ran => runNatlens(['lab', 'report', ...args], { cwd: folder });
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-lab-report-'));
  mkdirSync(join(folder, 'results'));
  writeFileSync(join(folder, 'results', 'report.json'),
    JSON.stringify(makeReportSample({ deviceModels: 3, seeds: 2 })));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('the page lies in the folder of the experiment, or where it is wanted, and is the same', () => {
  const run = natlens('results');
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.stderr, '');
  assert.match(run.stdout, /36 results of simulated data, 3 device models\nwritten to results\/report\.html \(/);
  assert.ok(read('results/report.html').startsWith('<!doctype html>'));
  const named = natlens('results/report.json', '-o', 'lab.html', '--json');
  assert.equal(named.status, 0, named.stderr);
  const bytes = readFileSync(join(folder, 'lab.html')).length;
  assert.deepEqual(JSON.parse(named.stdout), { input: 'results/report.json', output: 'lab.html', bytes, pdf: null,
    pdfBytes: null, results: 36, deviceModels: 3, isSimulated: true });
  assert.equal(read('lab.html'), read('results/report.html'));
  assert.equal(natlens('results', '-o', '-').stdout, read('lab.html'));
});

test('its page has every option that the help lists', () => {
  const help = natlens('--help').stdout;
  const options = [...help.matchAll(/^ {2}(-[a-z], )?(--[a-z]+)/gm)]
    .flatMap(([, short, long]) => [short?.slice(0, 2), long]).filter((option) => option !== undefined);
  assert.ok(options.includes('-o') && options.includes('--pdf'), options.join(' '));
  const page = readFileSync(new URL('../../docs/commands/lab-report.md', import.meta.url), 'utf8');
  assert.deepEqual(options.filter((option) => !new RegExp(`\\| .*\`${option}[ \`]`).test(page)), []);
  assert.match(help, /Examples:/);
});

test('what is no report is refused in one line, and nothing is written', () => {
  writeFileSync(join(folder, 'flows.csv'), 'a,b\n1,2\n');
  writeFileSync(join(folder, 'other.json'), '{"results":[]}');
  for (const [path, text] of [['flows.csv', /is no report/], ['other.json', /dataset of the file/],
    ['gone', /no such file/]] as const) {
    const run = natlens(path, '-o', 'never.html');
    assert.equal(run.status, 2, run.stderr);
    assert.match(run.stderr, text);
    assert.equal(run.stderr.trim().split('\n').length, 1, run.stderr);
  }
  for (const options of [['--pdf', '-'], ['-o', '-', '--json'], ['-o', 'no/such/folder/x.html']]) {
    assert.equal(natlens('results', ...options).status, 2, options.join(' '));
  }
  assert.equal(existsSync(join(folder, 'never.html')), false);
});

test('without Chromium --pdf ends with exit code 3, says what to install, and leaves nothing', () => {
  const run = runLine(`PATH='${folder}' natlens lab report results -o a.html --pdf a.pdf`, folder);
  assert.equal(run.status, 3, run.stderr);
  assert.match(run.stderr, /apt-get install chromium/);
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('a.') || name.includes('partial')), []);
});
