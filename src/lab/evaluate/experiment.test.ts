/**
 * Experiments on a made data set: what is run, that a seed replays it, that finished cells are found and damage is not
 * believed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { OperatorError } from '#base';
import { readClassifier } from '#classifier/artifact';
import { createDictionaries, createFlowBatch } from '#flow';
import { batchOf, makeFlows, type MadeFlow } from '../../../test/support/labelled-flows.ts';
import { writeDataset, type MadeUnit } from '../../../test/support/made-dataset.ts';
import { runExperiment, type Experiment, type ExperimentOptions } from './experiment.ts';
import { CellRunner } from './run-cell.ts';
import { loadLabFlows } from './lab-flows.ts';
import { formatResults } from './write-results.ts';

let folder = '';
let dataset = '';
const camera = 'webcam.Test.One';
const plug = 'plug.Test.Two';
const rare = 'lamp.Test.Three';

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-experiment-'));
  dataset = join(folder, 'dataset');
  const dictionaries = createDictionaries();
  const unitOf = (deviceModel: string, device: string, count: number, seed: number, more: Partial<MadeFlow> = {},
    kind: MadeUnit['kind'] = 'iot'): MadeUnit =>
    ({ device, deviceModel, kind, flows: batchOf(makeFlows(count, seed, more), dictionaries) });
  await writeDataset(dataset, [
    unitOf(camera, 'camera/1', 400, 1), unitOf(camera, 'camera/2', 300, 2),
    unitOf(plug, 'plug', 400, 3, { port: 443, name: 'TLS.Plug' }),
    unitOf(rare, 'lamp', 40, 4, { octets: 3_000 }),
    // Talks as the camera does, but says more.
    unitOf('nonIoT', 'pc', 500, 5, { octets: 2_500 }, 'non-iot'),
  ]);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const optionsFor = (out: string, more: Partial<ExperimentOptions> = {}): ExperimentOptions => ({
  dataset, out: join(folder, out), deviceModels: [], algorithms: ['chow-liu-tree', 'isolation-forest'],
  catalogs: ['portable'], seeds: 2, jobs: 2, flowsMin: 300, withTimes: false, natlensVersion: '0.0.0-test', ...more,
});
const run = (out: string, more: Partial<ExperimentOptions> = {}): Promise<Experiment> =>
  runExperiment(optionsFor(out, more));
const read = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');

test('every combination has a result, in order, whatever the threads; the same seed gives the same bytes', async () => {
  const finished: number[] = [];
  const experiment = await run('two', { onCell: (progress) => finished.push(progress.finished) });
  const { results, details, timelines } = experiment.report;
  assert.deepEqual(results.map(({ deviceModel, algorithm, seed }) => [deviceModel, algorithm, seed].join(' ')),
    [plug, camera].flatMap((model) => ['chow-liu-tree', 'isolation-forest'].flatMap((algorithm) =>
      [1, 2].map((seed) => `${model} ${algorithm} ${seed}`))));
  assert.deepEqual(finished, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([details.length, timelines.length], [8, 5]);
  assert.deepEqual(experiment.leftOut, [{ deviceModel: rare, flows: 40 }]);
  await run('one', { jobs: 1 });
  assert.equal(read('one/results.json'), read('two/results.json'));
  const parquetOf = (out: string): Buffer => readFileSync(join(folder, out, 'results.parquet'));
  assert.deepEqual(parquetOf('one'), parquetOf('two'));
  const ofTree = results.find(({ deviceModel, algorithm }) => deviceModel === camera && algorithm === 'chow-liu-tree');
  assert.deepEqual(ofTree?.flows, { train: 490, validation: 70, test: 140 });
  assert.ok((ofTree?.auc ?? 0) > 0.95 && ofTree?.percentiles.length === 31);
});

test('figures are those of the scores, and a report has what they are made of', async () => {
  const { report } = await run('two');
  for (const [i, { auc, aucInterval, percentiles, deviceModel, deviceMacroFpr, confusers, ...rest }] of
    report.results.entries()) {
    const { roc, ownScores, otherScores, acceptedShare } = report.details[i] as (typeof report.details)[number];
    const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
    assert.deepEqual([sum(ownScores), sum(otherScores)],
      deviceModel === camera ? [140, 80 + 8 + 100] : [80, 140 + 8 + 100]);
    const area = roc.reduce((total, [fpr, tpr], at) => {
      const [fprBefore, tprBefore] = roc[at - 1] ?? [0, 0];
      return total + (fpr - fprBefore) * (tpr + tprBefore) / 2;
    }, 0);
    assert.ok(Math.abs(area - auc) < 1e-2 && aucInterval[0] <= auc && auc <= aucInterval[1]);
    assert.equal(acceptedShare[deviceModel], percentiles[10]?.tpr);
    const others = Object.entries(acceptedShare).filter(([name]) => name !== deviceModel);
    for (const { deviceModel: name, share } of confusers) assert.equal(share, acceptedShare[name]);
    // Of the plug's others, the camera has two units, each of which counts once.
    if (deviceModel === camera) {
      assert.ok(Math.abs(deviceMacroFpr - others.reduce((total, [, share]) => total + share, 0) / 3) < 1e-12);
    }
    assert.ok(rest.homesAlarmedByOneFlow >= 0 && rest.homesAlarmedByOneFlow <= 1);
  }
  const { dataset: described } = report;
  assert.deepEqual(described.deviceModels.find(({ deviceModel }) => deviceModel === camera),
    { deviceModel: camera, kind: 'iot', devices: 2, flows: 700 });
  const units = report.timelines.map(({ flows }) => flows.reduce((total, count) => total + count, 0));
  assert.deepEqual(units, [400, 300, 400, 40, 500]);
});

test('finished cells are found, missing and damaged ones run again, and the result is the same', async () => {
  const cells = readdirSync(join(folder, 'two/cells'));
  assert.equal(cells.length, 8);
  const expected = read('two/results.json');
  assert.equal((await run('two')).foundCells, 8);
  rmSync(join(folder, 'two/cells', cells[0] as string));
  writeFileSync(join(folder, 'two/cells', cells[1] as string), read('two/cells', cells[1] as string).slice(0, -9));
  const classifiers = readdirSync(join(folder, 'two/classifiers'));
  assert.equal(classifiers.length, 8);
  rmSync(join(folder, 'two/results.json'));
  assert.equal((await run('two')).foundCells, 6);
  assert.equal(read('two/results.json'), expected);
  writeFileSync(join(folder, 'two/classifiers', classifiers[0] as string), 'no classifier');
  assert.equal((await run('two')).foundCells, 7);
  for (const name of classifiers) readClassifier(readFileSync(join(folder, 'two/classifiers', name)));
  // Another version may have other results: nothing of this one is taken for its own.
  assert.equal((await run('two', { natlensVersion: '0.0.1-test', seeds: 1 })).foundCells, 0);
});

test('results.parquet has a row for each result, for any reader', async () => {
  const { report: { results } } = await run('two');
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, 'two/results.parquet')) });
  assert.equal(rows.length, results.length);
  for (const [i, row] of rows.entries()) {
    const result = results[i] as (typeof results)[number];
    assert.deepEqual([row['deviceModel'], row['seed'], row['testFlows'], row['auc'], row['p10Fpr']],
      [result.deviceModel, BigInt(result.seed), BigInt(result.flows.test), result.auc, result.percentiles[10]?.fpr]);
    assert.deepEqual(JSON.parse(row['confusers'] as string), result.confusers);
  }
});

test('times of training are stored once, and left out where they must be', async () => {
  const first = await run('times', { withTimes: true, seeds: 1 });
  assert.ok(first.report.results.every(({ trainSeconds }) => trainSeconds > 0));
  const text = read('times/results.json');
  await run('times', { withTimes: true, seeds: 1 });
  assert.equal(read('times/results.json'), text);
  assert.ok(text.includes('trainSeconds') && !formatResults(first.report.results, false).includes('trainSeconds'));
});

test('test flows have no part in the classifier', async () => {
  const flows = await loadLabFlows(dataset);
  const task = { deviceModel: camera, algorithm: 'isolation-forest', catalog: 'portable', seed: 1 } as const;
  const { artifact } = new CellRunner(flows, 'test').run(task);
  // Every test flow made another one, in memory: the bytes of the classifier stay.
  const changed = {
    ...flows, units: flows.units.map((unit) => {
      const { train, validation, test: count } = unit.device;
      const copy = createFlowBatch(unit.flows.rowCount, unit.flows.dictionaries);
      for (const name of Object.keys(copy.columns) as (keyof typeof copy.columns)[]) {
        copy.columns[name].set(unit.flows.columns[name] as never);
      }
      copy.rowCount = unit.flows.rowCount;
      copy.columns.initiatorOctets.fill(9e9, train + validation, train + validation + count);
      return { ...unit, flows: copy };
    }),
  };
  assert.deepEqual(new CellRunner(changed, 'test').run(task).artifact, artifact);
});

test('what does not fit the data set is the user\'s to mend', async () => {
  const refuse = (more: Partial<ExperimentOptions>, pattern: RegExp): Promise<void> =>
    assert.rejects(run('refused', more), (thrown) => thrown instanceof OperatorError && pattern.test(thrown.message));
  await refuse({ deviceModels: ['webcam.Test.Nine'] }, /no IoT device of model webcam\.Test\.Nine; it has lamp/);
  await refuse({ deviceModels: ['nonIoT'] }, /no IoT device of model nonIoT/);
  await refuse({ flowsMin: 5_000 }, /the most is 700.*--min-flows/);
  await refuse({ dataset: join(folder, 'nothing') }, /is no data set/);
});

test('a failure in a thread comes back as what it is, and ends the run', async () => {
  const lone = join(folder, 'lone');
  const dictionaries = createDictionaries();
  await writeDataset(lone,
    [{ device: 'a', deviceModel: camera, kind: 'iot', flows: batchOf(makeFlows(400, 1), dictionaries) }]);
  await assert.rejects(run('failed', { dataset: lone }),
    (thrown) => thrown instanceof OperatorError && /nothing to tell it from/.test(thrown.message));
});
