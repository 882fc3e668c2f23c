/** `natlens train --background` as a user types it: what the artifact carries, what is left out, what is refused. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readArtifact, type Artifact } from '#classifier/artifact';
import { describeUnsoundFingerprint } from '#evidence';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { runNatlens, type Ran } from '../support/natlens-process.ts';

let folder = '';
const webcam = 'webcam.Example.Cam_1';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
const labelled = ['lab.csv', '--made-as', asMetered, '--device-model', webcam];

type Background = {
  flows: { taken: number; own: number; unlabelled: number }; units: number; otherTimeouts: number; tokens: number;
  heaviest: { text: string; weight: number; recall: number; prevalence: number }[];
  secondStage: { libraryFlows: number } | null;
};

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-background-'));
  assert.ok(makeLabelledHome(folder).includes(webcam));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): Artifact => readArtifact(readFileSync(join(folder, name)));

function train(output: string, ...more: string[]): Background {
  const run = natlens('train', ...labelled, '-o', output, '--json', ...more);
  assert.equal(run.status, 0, run.stderr);
  return (JSON.parse(run.stdout) as { background: Background }).background;
}

test('the artifact carries a fingerprint, and the flows of the device model are left out of the background', () => {
  assert.equal(train('bare.nlc'), null);
  const background = train('cam.nlc', '--background', 'lab.csv');
  assert.equal(background.units, 2);
  assert.ok(background.flows.own > 100 && background.flows.taken > 0, JSON.stringify(background.flows));
  const { fingerprint, secondStage, classifier } = read('cam.nlc');
  assert.ok(fingerprint !== undefined && fingerprint.tokens.length > 0);
  assert.equal(describeUnsoundFingerprint(fingerprint), undefined);
  assert.equal(fingerprint.tokens.length, background.tokens);
  assert.equal(fingerprint.libraryUnits, 2);
  // Two other devices, so no token can be rarer than one in six.
  assert.ok(fingerprint.tokens.every(({ weight }) => weight <= Math.log(6)));
  assert.equal(secondStage === undefined, background.secondStage === null);
  assert.ok(fingerprint.tokens.some(({ text }) => text === background.heaviest[0]?.text));
  const bare = read('bare.nlc');
  assert.equal(bare.fingerprint, undefined);
  assert.deepEqual(classifier.thresholds, bare.classifier.thresholds);
});

test('the order of the files makes no difference, and people read what came of it', () => {
  train('one.nlc', '--background', 'lab.csv', 'home.csv');
  const background = train('two.nlc', '--background', 'home.csv', 'lab.csv');
  assert.ok(background.flows.unlabelled > 0);
  assert.deepEqual(read('one.nlc').fingerprint, read('two.nlc').fingerprint);
  const run = natlens('train', ...labelled, '-o', 'cam.nlc', '--background', 'lab.csv', 'home.csv');
  assert.match(run.stdout, /background: [\d,]+ flows of 2 other devices; left out: [\d,]+ of the device model it/);
  assert.match(run.stdout, /fingerprint: \d+ tokens, [\w/.]+ /);
  assert.match(run.stdout, /second stage: /);
});

test('what cannot be a background is refused in one sentence', () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--background', 'home.csv'], /no flows of other devices: 0 are of the device model, [\d,]+ have no label/],
    [['--background', 'absent.csv'], /absent\.csv/],
    [['--background'], /argument missing/],
  ];
  for (const [more, message] of cases) {
    const run = natlens('train', ...labelled, '-o', 'bad.nlc', ...more);
    assert.equal(run.status, 2, run.stderr);
    assert.match(run.stderr, message);
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  }
  const named = natlens('train', 'home.parquet', '--all-rows', '--device-model', webcam, '-o', 'bad.nlc',
    '--background', 'lab.csv', '--made-as', '120/60/none');
  assert.equal(named.status, 2);
  assert.match(named.stderr, /background was made in another way.*layer-7 names/);
  const timed = natlens('train', 'home.parquet', '--all-rows', '--device-model', 'home.Example.All', '-o', 'timed.nlc',
    '--background', 'lab.csv', '--made-as', '300/60/prefix', '--json');
  assert.equal((JSON.parse(timed.stdout) as { background: Background }).background.otherTimeouts, 1);
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('bad')), []);
});
