/** `natlens classifier` as a user types it: inspect, verify, export. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readArtifact, writeArtifact } from '#classifier/artifact';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { runNatlens, type Ran } from '../support/natlens-process.ts';
import { makeCalibration, makeFingerprint, makeSecondStage } from '../support/shipped-parts.ts';

let folder = '';
const webcam = 'webcam.Example.Cam_1';
const natlens = (...args: string[]): Ran => runNatlens(args, { cwd: folder });

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-classifier-'));
  makeLabelledHome(folder);
  for (const [file, ...more] of [['tree.nlc'],
    ['forest.nlc', '--algorithm', 'isolation-forest', '--catalog', 'natlens'],
    ['lof.nlc', '--algorithm', 'local-outlier-factor']]) {
    const run = natlens('train', 'lab.csv', '--made-as', asMetered, '--device-model', webcam, '-o', file as string,
      ...more);
    assert.equal(run.status, 0, run.stdout + run.stderr);
  }
  const bytes = readFileSync(join(folder, 'forest.nlc'));
  writeFileSync(join(folder, 'cut.nlc'), bytes.subarray(0, 1_000));
});

after(() => rmSync(folder, { recursive: true, force: true }));

test('inspect tells everything there is', () => {
  const run = natlens('classifier', 'inspect', 'forest.nlc', '--json');
  assert.equal(run.status, 0, run.stderr);
  const found = JSON.parse(run.stdout) as {
    deviceModel: string; isFit: boolean; sizes: Record<string, number>; algorithm: { name: string };
    thresholds: { default: number; byPercentile: number[] };
    categoricalFeatures: { name: string; categories: string[] }[];
    provenance: { seed: number; trainingDigest: string };
  };
  assert.equal(found.deviceModel, webcam);
  assert.equal(found.isFit, true);
  assert.equal(found.algorithm.name, 'isolation-forest');
  assert.equal(found.sizes.total, readFileSync(join(folder, 'forest.nlc')).length);
  assert.equal(found.thresholds.byPercentile.length, 31);
  assert.equal(found.provenance.seed, 1);
  assert.match(found.provenance.trainingDigest, /^[0-9a-f]{64}$/);
  const names = found.categoricalFeatures.find(({ name }) => name === 'applicationName');
  assert.ok((names?.categories.length ?? 0) > 0);
  const text = natlens('classifier', 'inspect', 'forest.nlc').stdout;
  for (const fact of [webcam, 'isolation-forest 1', 'natlens 1', '120 s', found.provenance.trainingDigest, 'stable']) {
    assert.ok(text.includes(fact), fact);
  }
});

test('inspect tells what there is for homes, and what is promised about them', () => {
  const bytes = readFileSync(join(folder, 'forest.nlc'));
  const { classifier } = readArtifact(bytes);
  const fingerprint = makeFingerprint(30);
  const calibration = makeCalibration(webcam);
  const secondStage = makeSecondStage(classifier.detector.layout);
  writeFileSync(join(folder, 'whole.nlc'), writeArtifact({ classifier, fingerprint, secondStage, calibration }));
  const run = natlens('classifier', 'inspect', 'whole.nlc', '--json');
  assert.equal(run.status, 0, run.stderr);
  const found = JSON.parse(run.stdout) as {
    sizes: Record<string, number>; secondStage: object; calibration: Record<string, unknown>;
    fingerprint: { tokenCount: number; tokens: { weight: number }[] };
  };
  assert.equal(found.fingerprint.tokenCount, 30);
  assert.equal(found.fingerprint.tokens.length, 30);
  assert.equal(found.fingerprint.tokens[0]?.weight, Math.max(...fingerprint.tokens.map(({ weight }) => weight)));
  assert.deepEqual(found.secondStage, { trees: 2, nodes: 10, acceptFrom: 0.25 });
  const { homeDays, promisedFpr, group, expires, detection } = found.calibration;
  assert.deepEqual({ homeDays, promisedFpr, group, expires, detection }, {
    homeDays: 12_000, promisedFpr: 0.0001, group: calibration.group, expires: '2023-11-14T22:13:20.000Z',
    detection: calibration.card.detection,
  });
  assert.ok((found.sizes.fingerprint as number) > 0 && (found.sizes.secondStage as number) > 0);
  const text = natlens('classifier', 'inspect', 'whole.nlc').stdout;
  for (const fact of [
    '30 tokens, weighed against 30 units', '2 trees of 10 nodes together',
    'promised: 1 in 10,000 home-days, so 0.3 % of homes a month',
    '1 in 3,000 home-days, at most 1 in 633 home-days (95 %)', '12,000 home-days without the device model',
    '90 % after 10 min (40 homes), 92.5 % after 1 h (40 homes)', 'found in 40 % of its homes',
    'cannot tell apart', '2023-11-14', 'heaviest tokens', fingerprint.tokens[0]?.text.slice(0, 4) as string,
  ]) assert.ok(text.includes(fact), `${fact} in:\n${text}`);
  assert.equal(text.match(/^(?:tcp|udp|icmp|icmpv6)\/.* \d\.\d\d /gm)?.length, 10);
  assert.match(natlens('classifier', 'inspect', 'forest.nlc').stdout, /none: nothing is promised about homes/);
  assert.equal(natlens('classifier', 'verify', 'whole.nlc').stdout, 'whole.nlc: sound\n');
});

test('verify says which are refused, with exit code 1', () => {
  const sound = natlens('classifier', 'verify', 'forest.nlc', 'lof.nlc');
  assert.equal(sound.status, 0, sound.stdout);
  assert.equal(sound.stdout, 'forest.nlc: sound\nlof.nlc: sound\n');
  const refused = natlens('classifier', 'verify', 'forest.nlc', 'cut.nlc', 'lab.csv');
  assert.equal(refused.status, 1);
  assert.match(refused.stdout, /^forest\.nlc: sound\ncut\.nlc: REFUSED \(artifact-cut\)/);
  assert.match(refused.stdout, /\nlab\.csv: REFUSED \(artifact-unknown-kind\)/);
  const { stdout } = natlens('classifier', 'verify', 'cut.nlc', '--json');
  const asJson = JSON.parse(stdout) as { isSound: boolean; code: string }[];
  assert.deepEqual(asJson.map(({ isSound, code }) => [isSound, code]), [[false, 'artifact-cut']]);
});

test('export writes a model, the same each time', () => {
  for (const name of ['a.onnx', 'b.onnx']) {
    const run = natlens('classifier', 'export', 'forest.nlc', '--onnx', name);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /float32 \[n × \d+\]/);
  }
  const model = readFileSync(join(folder, 'a.onnx'));
  assert.ok(model.equals(readFileSync(join(folder, 'b.onnx'))));
  assert.ok(model.includes('TreeEnsembleRegressor'));
});

test('what is wrong is said in one sentence', () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['inspect', 'cut.nlc'], /cut\.nlc is refused \(artifact-cut\)/],
    [['inspect', 'absent.nlc'], /there is no such file/],
    [['verify', folder], /it is a folder/],
    [['export', 'lof.nlc', '--onnx', 'x.onnx'], /isolation forest/],
    [['export', 'forest.nlc'], /--onnx/],
  ];
  for (const [args, message] of cases) {
    const run = natlens('classifier', ...args);
    assert.equal(run.status, 2, `${args.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, message);
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  }
});
