/** Classifiers from folders: hot reload, bad and half-written files, unfit and misfit ones, limits, watching. */
import assert from 'node:assert/strict';
import {
  appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { limits } from '#base';
import { fitClassifier, TrainingFlows } from '#classifier/train';
import { readArtifact, writeArtifact, writeClassifier } from '#classifier/artifact';
import { findCatalog, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { makeCalibration, makeFingerprint, makeSecondStage } from '../../../test/support/shipped-parts.ts';
import { ClassifierFolder, flowsOf, folderOptionsOf, type ClassifierFolderOptions } from './classifier-folder.ts';
import { fullConfig, smallestConfig } from './config/config-samples.ts';
import { parseConfig } from './config/read-config.ts';

function train(deviceModel: string, seed = 3, flowCount = 400, needs: Partial<FlowNeeds> = {}): Uint8Array {
  const training = new TrainingFlows(findCatalog('natlens') as Catalog, { deviceModel: undefined });
  training.add(batchOf(makeFlows(flowCount, 5)));
  return writeClassifier(fitClassifier(training.split(), {
    deviceModel, needs: { ...needsOf(madeByNatlens) as FlowNeeds, ...needs }, algorithm: 'isolation-forest', seed,
    natlensVersion: '1.2.3',
  }).classifier);
}

const digestOf = (bytes: Uint8Array): string => readArtifact(bytes).digest;
const first = train('webcam.A.1');
const firstAgain = train('webcam.A.1', 4);
const second = train('plug.B.2');
const unfit = train('plug.C.3', 3, 40);
const oneWay = train('plug.D.4', 3, 400, { isBiflow: false });

const root = mkdtempSync(join(tmpdir(), 'natlens-classifiers-'));
after(() => rmSync(root, { recursive: true }));
let folderCount = 0;

/** An empty folder. */
function makeFolder(): string {
  const folder = join(root, String(folderCount++));
  mkdirSync(folder);
  return folder;
}

function openFolder(path: string, more: Partial<ClassifierFolderOptions> = {}): ClassifierFolder {
  return new ClassifierFolder({ folders: [{ path, stage: 1 }], flows: madeByNatlens, ...more });
}

/** What a look finds, in short. */
async function look(folder: ClassifierFolder): Promise<{ used: string[]; refused: string[]; changed: boolean }> {
  const { classifiers, refused, changed } = await folder.poll();
  const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1);
  for (const { detail } of refused) assert.match(detail, /^\S.*\.$/s);
  return {
    used: classifiers.map(({ file, digest, stage }) => `${nameOf(file)} ${stage} ${digest.slice(0, 6)}`),
    refused: refused.map(({ file, code, keepsLast }) => `${nameOf(file)} ${code}${keepsLast ? ' keeps' : ''}`), changed,
  };
}

const used = (name: string, bytes: Uint8Array, stage = 1): string => `${name} ${stage} ${digestOf(bytes).slice(0, 6)}`;

test('what is put there is taken, what is taken away goes, and nothing else is a change', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  assert.deepEqual(await look(folder), { used: [], refused: [], changed: true });
  assert.deepEqual(await look(folder), { used: [], refused: [], changed: false });
  writeFileSync(join(path, 'b.nlc'), second);
  writeFileSync(join(path, 'a.nlc'), first);
  writeFileSync(join(path, 'notes.txt'), 'no classifier');
  writeFileSync(join(path, '.a.nlc.tmp'), 'half');
  writeFileSync(join(path, '.c.nlc'), 'half');
  const both = { used: [used('a.nlc', first), used('b.nlc', second)], refused: [] };
  assert.deepEqual(await look(folder), { ...both, changed: true });
  utimesSync(join(path, 'a.nlc'), 5, 5);
  assert.deepEqual(await look(folder), { ...both, changed: false });
  rmSync(join(path, 'a.nlc'));
  assert.deepEqual(await look(folder), { used: [used('b.nlc', second)], refused: [], changed: true });
  writeFileSync(join(path, 'b.nlc'), first);
  assert.deepEqual(await look(folder), { used: [used('b.nlc', first)], refused: [], changed: true });
});

test('a classifier comes with the parts of its artifact, and a new calibration is a change', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  const { classifier } = readArtifact(first);
  const shipped = {
    classifier, fingerprint: makeFingerprint(20), secondStage: makeSecondStage(classifier.detector.layout),
    calibration: undefined,
  };
  writeFileSync(join(path, 'a.nlc'), writeArtifact(shipped));
  const { classifiers: [uncalibrated] } = await folder.poll();
  assert.deepEqual(uncalibrated?.fingerprint, shipped.fingerprint);
  assert.deepEqual(uncalibrated?.secondStage, shipped.secondStage);
  assert.equal(uncalibrated?.calibration, undefined);
  const calibration = makeCalibration(classifier.deviceModel);
  writeFileSync(join(path, 'a.nlc'), writeArtifact({ ...shipped, calibration }));
  const { classifiers: [calibrated], changed } = await folder.poll();
  assert.ok(changed);
  assert.deepEqual(calibrated?.calibration, calibration);
});

test('a classifier that stays is the same object, so that nothing is made anew for it', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  writeFileSync(join(path, 'a.nlc'), first);
  const [before] = (await folder.poll()).classifiers;
  writeFileSync(join(path, 'b.nlc'), second);
  writeFileSync(join(path, 'a.nlc'), first);
  const [now] = (await folder.poll()).classifiers;
  assert.equal(now?.classifier, before?.classifier);
});

test('a file that is being written is refused for now, and taken when it is whole', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  writeFileSync(join(path, 'b.nlc'), second);
  writeFileSync(join(path, 'a.nlc'), first.subarray(0, 1_000));
  assert.deepEqual(await look(folder),
    { used: [used('b.nlc', second)], refused: ['a.nlc artifact-cut'], changed: true });
  appendFileSync(join(path, 'a.nlc'), first.subarray(1_000));
  assert.deepEqual(await look(folder),
    { used: [used('a.nlc', first), used('b.nlc', second)], refused: [], changed: true });
});

test('a file that turns bad keeps its last good classifier, and the others go on', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  writeFileSync(join(path, 'a.nlc'), first);
  writeFileSync(join(path, 'b.nlc'), second);
  await folder.poll();
  const damaged = first.slice();
  damaged[damaged.length - 9] = (damaged[damaged.length - 9] as number) ^ 1;
  writeFileSync(join(path, 'a.nlc'), damaged);
  const both = [used('a.nlc', first), used('b.nlc', second)];
  assert.deepEqual(await look(folder), { used: both, refused: ['a.nlc artifact-damaged keeps'], changed: true });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await look(folder), { used: both, refused: ['a.nlc artifact-damaged keeps'], changed: false });
  }
  writeFileSync(join(path, 'a.nlc'), 'something else');
  assert.deepEqual((await look(folder)).refused, ['a.nlc artifact-unknown-kind keeps']);
  writeFileSync(join(path, 'a.nlc'), firstAgain);
  assert.deepEqual(await look(folder),
    { used: [used('a.nlc', firstAgain), used('b.nlc', second)], refused: [], changed: true });
  rmSync(join(path, 'a.nlc'));
  assert.deepEqual((await look(folder)).used, [used('b.nlc', second)]);
});

test('a change that the clock of the file system does not show is seen at the next look', async () => {
  const path = makeFolder();
  const folder = openFolder(path, { markOf: () => 'the same tick' });
  writeFileSync(join(path, 'a.nlc'), first.subarray(0, 900));
  assert.deepEqual((await look(folder)).refused, ['a.nlc artifact-cut']);
  writeFileSync(join(path, 'a.nlc'), first);
  assert.deepEqual(await look(folder), { used: [used('a.nlc', first)], refused: [], changed: true });
});

test('a file at rest is read twice, not at every look', async () => {
  const path = makeFolder();
  const folder = openFolder(path, { markOf: () => 'the same tick' });
  writeFileSync(join(path, 'a.nlc'), first);
  for (let i = 0; i < 2; i++) await folder.poll();
  writeFileSync(join(path, 'a.nlc'), second);
  assert.deepEqual((await look(folder)).used, [used('a.nlc', first)]);
});

test('unfit classifiers are refused, and taken where they are allowed', async () => {
  const path = makeFolder();
  writeFileSync(join(path, 'c.nlc'), unfit);
  const { classifiers, refused } = await openFolder(path).poll();
  assert.equal(classifiers.length, 0);
  assert.match(refused[0]?.detail ?? '', /unfit \(few-training-flows: .*; few-validation-flows: /);
  assert.deepEqual((await look(openFolder(path, { allowUnfit: true }))).used, [used('c.nlc', unfit)]);
});

test('classifiers of flows that are made otherwise are refused with the reason', async () => {
  const path = makeFolder();
  writeFileSync(join(path, 'd.nlc'), oneWay);
  const { classifiers, refused } = await openFolder(path).poll();
  assert.equal(classifiers.length, 0);
  assert.equal(refused[0]?.code, 'other-flows');
  assert.match(refused[0]?.detail ?? '', /needs one record for each direction/);
  assert.deepEqual((await look(openFolder(path, { flows: { ...madeByNatlens, isBiflow: false } }))).used,
    [used('d.nlc', oneWay)]);
  writeFileSync(join(path, 'a.nlc'), first);
  const other = await openFolder(path, { flows: { ...madeByNatlens, activeTimeoutMs: 60_000 } }).poll();
  assert.deepEqual(other.refused.map(({ code }) => code), ['other-flows', 'other-flows']);
});

test('calibrated versions of one device model decide side by side, as many as may be', async () => {
  const path = makeFolder();
  const calibration = makeCalibration('webcam.A.1');
  const windows = { windowMs: calibration.windowMs, bucketMs: calibration.bucketMs };
  const [old, ...versions] = Array.from({ length: limits.classifierVersionsMax + 1 }, (_, i) =>
    writeArtifact({ ...readArtifact(first), calibration: { ...calibration, expiresMs: i } })) as
    [Uint8Array, ...Uint8Array[]];
  for (const [i, bytes] of [old, ...versions].entries()) writeFileSync(join(path, `${i}.nlc`), bytes);
  writeFileSync(join(path, '0-bare.nlc'), firstAgain);
  writeFileSync(join(path, '1-copy.nlc'), versions[0] as Uint8Array);
  const { used: inUse, refused } = await look(openFolder(path, { windows }));
  assert.deepEqual(inUse, versions.map((bytes, i) => used(`${i + 1}.nlc`, bytes)));
  assert.deepEqual(refused, ['0-bare.nlc superseded', '0.nlc superseded', '1-copy.nlc superseded']);
  // Where distinct tokens decide, there is one; and one without a calibration behind them takes their place.
  assert.equal((await look(openFolder(path))).used.length, 1);
  writeFileSync(join(path, '9.nlc'), firstAgain);
  assert.deepEqual((await look(openFolder(path, { windows }))).used, [used('9.nlc', firstAgain)]);
});

test('a calibration with other windows is refused where calibrations decide', async () => {
  const path = makeFolder();
  const calibration = makeCalibration('webcam.A.1');
  const { windowMs, bucketMs } = calibration;
  writeFileSync(join(path, 'a.nlc'), writeArtifact({ ...readArtifact(first), calibration }));
  writeFileSync(join(path, 'b.nlc'), second);
  const namesOf = async (windows: ClassifierFolderOptions['windows']): Promise<string[]> =>
    (await look(openFolder(path, { windows }))).refused;
  assert.deepEqual(await namesOf({ windowMs, bucketMs }), []);
  assert.deepEqual(await namesOf(undefined), []);
  assert.deepEqual(await namesOf({ windowMs: 2 * windowMs, bucketMs }), ['a.nlc other-windows']);
});

test('of two classifiers of one device model the later by name is used, of each stage', async () => {
  const [path, other] = [makeFolder(), makeFolder()];
  const folder = new ClassifierFolder({
    folders: [{ path, stage: 1 }, { path: other, stage: 2 }], flows: madeByNatlens,
  });
  writeFileSync(join(path, '2026-01.nlc'), first);
  writeFileSync(join(path, '2026-02.nlc'), firstAgain);
  writeFileSync(join(other, 'x.nlc'), first);
  assert.deepEqual(await look(folder), {
    used: [used('2026-02.nlc', firstAgain), used('x.nlc', first, 2)], refused: ['2026-01.nlc superseded'],
    changed: true,
  });
  rmSync(join(path, '2026-02.nlc'));
  assert.deepEqual(await look(folder),
    { used: [used('2026-01.nlc', first)], refused: ['x.nlc same-as-first'], changed: true });
});

test('limits of files and bytes', async () => {
  const path = makeFolder();
  for (const [name, bytes] of [['a', first], ['b', second], ['c', oneWay]] as const) {
    writeFileSync(join(path, `${name}.nlc`), bytes);
  }
  assert.deepEqual(await look(openFolder(path, { filesMax: 1 })),
    { used: [used('a.nlc', first)], refused: [`${path.slice(path.lastIndexOf('/') + 1)} too-many`], changed: true });
  const limited = openFolder(path, { bytesMax: first.length + 10 });
  assert.deepEqual((await look(limited)).refused, ['b.nlc too-large', 'c.nlc too-large']);
  for (let i = 0; i < 4; i++) await limited.poll();
  rmSync(join(path, 'a.nlc'));
  assert.deepEqual((await look(limited)).used, [used('b.nlc', second)], 'room that was made is used');
  assert.deepEqual((await look(openFolder(path, { fileBytesMax: 100 }))).refused,
    ['b.nlc too-large', 'c.nlc too-large']);
});

test('what is no file, and folders that are not there', async () => {
  const path = makeFolder();
  mkdirSync(join(path, 'a.nlc'));
  symlinkSync('/dev/zero', join(path, 'b.nlc'));
  symlinkSync(join(path, 'gone'), join(path, 'c.nlc'));
  symlinkSync('e.nlc', join(path, 'e.nlc'));
  writeFileSync(join(path, 'd.nlc'), '');
  const folder = openFolder(path);
  assert.deepEqual((await look(folder)).refused, ['a.nlc artifact-unknown-kind', 'b.nlc artifact-unknown-kind',
    'd.nlc artifact-unknown-kind', 'e.nlc unreadable']);
  const gone = openFolder(join(path, 'nowhere'));
  assert.deepEqual((await look(gone)).refused, ['nowhere unreadable keeps']);
});

test('a folder that cannot be looked at for a while costs no classifier', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  writeFileSync(join(path, 'a.nlc'), first);
  await folder.poll();
  renameSync(path, `${path}-away`);
  assert.deepEqual((await look(folder)).used, [used('a.nlc', first)]);
  mkdirSync(path);
  assert.deepEqual((await look(folder)).used, []);
});

test('looks at the same time see the same, and only one of them is a change', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  writeFileSync(join(path, 'a.nlc'), first);
  const states = await Promise.all(Array.from({ length: 5 }, () => folder.poll()));
  assert.deepEqual(states.map(({ changed }) => changed), [true, false, false, false, false]);
  for (const { classifiers } of states) assert.equal(classifiers.length, 1);
});

/** Waits until something holds, for at most some seconds. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10);
  assert.ok(holds());
}

function watchFolder(t: TestContext, path: string, pollMs: number): { counts: number[] } {
  const folder = openFolder(path);
  t.after(() => folder.close());
  const counts: number[] = [];
  folder.watch(({ classifiers }) => counts.push(classifiers.length), { pollMs });
  return { counts };
}

test('the system tells of changes', async (t) => {
  const path = makeFolder();
  const { counts } = watchFolder(t, path, 3_600_000);
  writeFileSync(join(path, 'a.nlc'), first.subarray(0, 500));
  appendFileSync(join(path, 'a.nlc'), first.subarray(500));
  await eventually(() => counts.at(-1) === 1);
  rmSync(join(path, 'a.nlc'));
  await eventually(() => counts.at(-1) === 0);
});

test('where it does not, polling finds them', async (t) => {
  const path = `${makeFolder()}-later`;
  const { counts } = watchFolder(t, path, 20);
  await eventually(() => counts.length > 0);
  mkdirSync(path);
  writeFileSync(join(path, 'a.nlc'), first);
  await eventually(() => counts.at(-1) === 1);
});

test('a closed folder is quiet', async () => {
  const path = makeFolder();
  const folder = openFolder(path);
  let told = 0;
  folder.watch(() => told++, { pollMs: 5 });
  await eventually(() => told > 0);
  folder.close();
  const before = told;
  writeFileSync(join(path, 'a.nlc'), first);
  await sleep(300);
  assert.equal(told, before);
});

test('any order of good and bad writes: what is used was whole once, and at rest all is as written', async () => {
  const contents = [first, firstAgain, second, first.subarray(0, 700), new Uint8Array(9), undefined] as const;
  const step = fc.tuple(fc.constantFrom('a.nlc', 'b.nlc'), fc.nat({ max: contents.length - 1 }), fc.boolean());
  const steps = fc.array(step, { minLength: 1, maxLength: 12 });
  await fc.assert(fc.asyncProperty(steps, async (chosen) => {
    const path = makeFolder();
    const folder = openFolder(path);
    const now = new Map<string, Uint8Array | undefined>();
    for (const [name, which, isLookedAt] of chosen) {
      const bytes = contents[which];
      now.set(name, bytes);
      if (bytes === undefined) rmSync(join(path, name), { force: true });
      else writeFileSync(join(path, name), bytes);
      if (isLookedAt) await folder.poll();
    }
    await folder.poll();
    const { classifiers, refused } = await folder.poll();
    const good = [...now].filter(([, bytes]) => bytes !== undefined && bytes.length > 700).map(([name]) => name).sort();
    const refusedNames = new Set(refused.map(({ file }) => file));
    for (const { file, digest } of classifiers) {
      const bytes = now.get(file.slice(path.length + 1));
      assert.ok(bytes !== undefined, 'a file that is gone is used');
      if (bytes.length > 700) assert.equal(digest, digestOf(bytes));
      else assert.ok(refusedNames.has(file), 'a bad file is used and not told');
    }
    for (const name of good) {
      const file = join(path, name);
      assert.ok(classifiers.some((loaded) => loaded.file === file) ||
        refused.some((one) => one.file === file && one.code === 'superseded'), `${name} is good and not used`);
    }
  }), { numRuns: 60 });
});

test('a config says which folders, and how its flows are made', () => {
  const smallest = parseConfig(smallestConfig, { folder: '/etc' });
  const full = parseConfig(fullConfig, { folder: '/etc' });
  assert.deepEqual(folderOptionsOf(smallest).folders, [{ path: '/etc/classifiers', stage: 1 }]);
  assert.deepEqual(folderOptionsOf(full).folders,
    [{ path: '/etc/classifiers', stage: 1 }, { path: '/etc/second', stage: 2 }]);
  assert.deepEqual(needsOf(flowsOf(smallest.input)), needsOf(madeByNatlens));
  assert.deepEqual(needsOf(flowsOf(full.input)),
    { l7Source: 'exporter', activeTimeoutMs: 300_000, idleTimeoutMs: 60_000, isBiflow: true });
});
