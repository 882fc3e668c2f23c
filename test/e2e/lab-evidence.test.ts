/** `natlens lab evidence` as a user types it: verdicts with their tokens, options, and refusals. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Evidence } from '#evidence';
import type { Verdict } from '#verdict';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
const webcam = 'webcam.Example.Cam_1';
const hub = 'hub.Example.Bridge_3';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-evidence-'));
  makeLabelledHome(folder);
  for (const [model, file] of [[webcam, 'webcam.nlc'], [hub, 'hub.nlc']] as const) {
    const run = natlens('train', 'lab.csv', '--made-as', asMetered, '--device-model', model, '-o', file);
    assert.equal(run.status, 0, run.stdout + run.stderr);
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

type Summary = {
  flows: number; outwardFlows: number; lateFlows: number; home: string;
  classifiers: { deviceModel: string; classifier: string; accepted: number; latest: Evidence | null }[];
  verdicts: { deviceModel: string; verdict: Verdict; episodes: Verdict[] }[];
};

function runJson(...args: string[]): Summary {
  const run = natlens('lab', 'evidence', ...args, '--json');
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as Summary;
}

test('a home with the device models is found, and every verdict says why', () => {
  const summary = runJson('home.parquet', 'webcam.nlc', 'hub.nlc', '--home', 'customer-7', '--present', '1');
  assert.deepEqual(summary.verdicts.map(({ deviceModel, verdict }) => [deviceModel, verdict.state, verdict.home]),
    [[webcam, 'present', 'customer-7'], [hub, 'present', 'customer-7']]);
  assert.ok(summary.outwardFlows > 0 && summary.outwardFlows < summary.flows);
  for (const { verdict, episodes } of summary.verdicts) {
    assert.deepEqual(episodes, [verdict]);
    const { evidence } = verdict;
    assert.equal(evidence?.score, evidence?.tokens.length);
    assert.equal(evidence?.windowEndMs, verdict.sinceMs);
    assert.equal((evidence?.windowEndMs ?? 0) - (evidence?.windowStartMs ?? 0), 3_600_000);
  }
  for (const { accepted, latest } of summary.classifiers) {
    assert.ok(accepted > 0 && accepted <= summary.outwardFlows);
    assert.ok((latest?.windowEndMs ?? 0) >= (summary.verdicts[0]?.verdict.sinceMs ?? Infinity));
  }
});

test('captures, tables and Parquet of the same home give the same verdicts', () => {
  const [table, parquet, capture] = [['home.csv', '--made-as', asMetered], ['home.parquet'], ['home.pcap']]
    .map((input) => runJson(...input, 'webcam.nlc').verdicts);
  assert.deepEqual(table, parquet);
  assert.deepEqual(capture, parquet);
});

test('a score that no window reaches is no verdict, one flow is enough for the policy of the paper', () => {
  const unreached = runJson('home.parquet', 'webcam.nlc', '--present', '900').verdicts[0];
  assert.deepEqual([unreached?.verdict.state, unreached?.verdict.episode, unreached?.episodes], ['not yet', 0, []]);
  const single = runJson('home.parquet', 'webcam.nlc', '--policy', 'single-flow').verdicts[0];
  assert.deepEqual([single?.verdict.state, single?.verdict.evidence?.score], ['present', 1]);
});

test('for people: a table, and the tokens that led there', () => {
  const run = natlens('lab', 'evidence', 'home.parquet', 'webcam.nlc', '--present', '1');
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /flows, .* of home outward; present from a score of 1 on/);
  assert.match(run.stdout, /webcam\.Example\.Cam_1 +present/);
  assert.match(run.stdout, /webcam\.Example\.Cam_1: score 1 from \d{4}-\d\d-\d\d /);
  assert.match(run.stdout, /^ {2}(?:tcp|udp|icmp)\/\S+ \S+ 2\^\d+ {2}in 1 bucket$/m);
});

test('flows that are not outward of what is inside are not looked at', () => {
  const summary = runJson('home.parquet', 'webcam.nlc', '--inside', '203.0.113.0/24');
  assert.equal(summary.outwardFlows, 0);
  assert.equal(summary.verdicts[0]?.verdict.state, 'not yet');
});

const refusals: readonly (readonly [readonly string[], RegExp])[] = [
  [['home.parquet'], /at least one classifier/],
  [['webcam.nlc'], /at least one file of flows/],
  [['home.parquet', 'webcam.nlc', 'webcam.nlc'], /the same classifier as webcam\.nlc/],
  [['home.csv', 'webcam.nlc'], /--made-as/],
  [['home.csv', '--made-as', '60/30/prefix', 'webcam.nlc'], /timeout/],
  [['home.parquet', 'webcam.nlc', '--window', '1'], /a number with its unit/],
  [['home.parquet', 'webcam.nlc', '--window', '90s'], /a multiple of its buckets/],
  [['home.parquet', 'webcam.nlc', '--window', '7d'], /4096 buckets/],
  [['home.parquet', 'webcam.nlc', '--keep', '4'], /--keep is at most --present/],
  [['home.parquet', 'webcam.nlc', '--policy', 'single-flow', '--keep', '2'], /--keep is at most --present/],
  [['home.parquet', 'webcam.nlc', '--present', '0'], /above 0/],
  [['home.parquet', 'webcam.nlc', '--policy', 'any'], /distinct-tokens or single-flow/],
  [['home.parquet', 'webcam.nlc', '--inside', 'home'], /a prefix such as/],
  [['home.parquet', 'webcam.nlc', '--threshold', '31'], /a whole percentile/],
];

for (const [args, sentence] of refusals) {
  test(`refused: ${args.join(' ')}`, () => {
    const run = natlens('lab', 'evidence', ...args);
    assert.equal(run.status, 2, run.stdout);
    assert.match(run.stderr, sentence);
    assert.doesNotMatch(run.stderr, /\n {4}at /);
  });
}
