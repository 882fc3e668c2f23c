/** Scores of worker threads: those of one `Scorer` to the last bit, and never a wait for a worker that is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvironmentError, InvariantError, limits, Random } from '#base';
import { writeClassifier } from '#classifier/artifact';
import { fitClassifier, TrainingFlows } from '#classifier/train';
import { catalogs, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { createDictionaries, type Dictionaries, type FlowBatch } from '#flow';
import { algorithms, Scorer, type AlgorithmName, type Classifier } from '#score';
import { batchOf, madeByNatlens, makeFlows } from '../../../../test/support/labelled-flows.ts';
import type { Fault } from '../../../../test/support/faulty-score-worker.ts';
import { ScorePool, type PooledScores, type PoolMember } from './score-pool.ts';
import { sharedBytes, shapeOf } from './shared-batch.ts';

const workerFile = new URL('../../../apps/cli/score-worker.ts', import.meta.url);
const faultyFile = new URL('../../../../test/support/faulty-score-worker.ts', import.meta.url);
const batchRows = 5;

function train(catalog: Catalog, algorithm: AlgorithmName, seed: number): Classifier {
  const training = new TrainingFlows(catalog, { deviceModel: undefined });
  training.add(batchOf(makeFlows(300, seed)));
  return fitClassifier(training.split(), {
    deviceModel: `webcam.Test.${seed}`, needs: needsOf(madeByNatlens) as FlowNeeds, algorithm, seed, natlensVersion: '',
  }).classifier;
}

/** Every catalog and every algorithm once, so that no feature reads a column that it does not name. */
const classifiers = [
  ...catalogs.map((catalog, i) => train(catalog, 'isolation-forest', i + 1)),
  ...[...algorithms.keys()].map((algorithm, i) => train(catalogs[i % catalogs.length] as Catalog, algorithm, i + 9)),
];
const members: PoolMember[] = classifiers.map((classifier) => ({ classifier, source: writeClassifier(classifier) }));

/** Tiny batches, an empty one among them, whose texts come as they go; from time to time with other dictionaries. */
function makeBatches(count: number): FlowBatch[] {
  const random = new Random(3);
  let dictionaries: Dictionaries = createDictionaries();
  return Array.from({ length: count }, (_, i) => {
    if (i % 8 === 7) dictionaries = createDictionaries();
    const names = ['DNS', 'MQTT.Cloud', `App.${i}`, `App.${random.integer(0, i)}`];
    const flows = makeFlows(i === 3 ? 0 : random.integer(1, batchRows), i)
      .map((flow) => ({ ...flow, name: random.pick(names), port: random.pick([53, 443, flow.port]) }));
    return batchOf(flows, dictionaries);
  });
}

/** [batch][classifier][row], copied. */
function scoreAlone(batches: readonly FlowBatch[]): number[][][] {
  const scorer = new Scorer(classifiers, { batchRows });
  return batches.map((batch) =>
    scorer.score(batch).anomalyScore.map((scores) => [...scores.subarray(0, batch.rowCount)]));
}

async function scorePooled(pool: ScorePool, batches: readonly FlowBatch[]): Promise<number[][][]> {
  const out: number[][][] = [];
  const waiting: Promise<PooledScores>[] = [];
  const takeOldest = async (): Promise<void> => {
    const { rowCount, anomalyScore, scoreMs, release } = await (waiting.shift() as Promise<PooledScores>);
    assert.ok(scoreMs >= 0);
    out.push(anomalyScore.map((scores) => [...scores.subarray(0, rowCount)]));
    release();
  };
  for (const batch of batches) {
    if (waiting.length === pool.capacity) await takeOldest();
    waiting.push(pool.score(batch));
    // The batch is its owner's again.
    for (const column of Object.values(batch.columns)) column.fill(0xff);
  }
  while (waiting.length > 0) await takeOldest();
  return out;
}

for (const workers of [1, 2, 3]) {
  for (const kernel of ['wasm', 'none'] as const) {
    test(`${workers} workers score as one thread does, kernel ${kernel}`, async () => {
      const expected = scoreAlone(makeBatches(60));
      const distinct = new Set(expected.flat(2));
      assert.ok(distinct.size > 100, `${distinct.size} different scores`);
      const pool = new ScorePool(members, { workerFile, workers, kernel, batchRows });
      try {
        assert.deepEqual(await scorePooled(pool, makeBatches(60)), expected);
      } finally {
        await pool.close();
      }
    });
  }
}

test('more workers than batches, and none at all', async () => {
  const pool = new ScorePool(members, { workerFile, workers: 4, batchRows });
  assert.deepEqual(await scorePooled(pool, makeBatches(2)), scoreAlone(makeBatches(2)));
  await pool.close();
  await pool.close();
  const idle = new ScorePool(members, { workerFile, workers: 2, batchRows });
  await idle.close();
  assert.throws(() => idle.score(batchOf(makeFlows(1, 1))), InvariantError);
});

test('memory is bounded: who takes more than the capacity, or a larger batch, has a bug', async () => {
  const pool = new ScorePool(members, { workerFile, workers: 1, batchRows });
  assert.equal(pool.capacity, limits.scoreBatchesPerWorker);
  assert.throws(() => pool.score(batchOf(makeFlows(batchRows + 1, 1))), /too small for the batch/);
  await pool.close();
  const one = new ScorePool(members, { workerFile, workers: 1, batchRows });
  const [batch] = makeBatches(1) as [FlowBatch];
  for (let i = 0; i < one.capacity; i++) void one.score(batch);
  assert.throws(() => one.score(batch), /more batches in work/);
  await one.close();
});

test('shared memory holds the columns that catalogs name, and no others', () => {
  const shape = shapeOf(classifiers, batchRows);
  assert.ok(shape.columns.includes('initiatorOctets') && shape.columns.includes('applicationName'));
  for (const name of ['sourceAddress', 'sourceMacAddress', 'device', 'device_model'] as const) {
    assert.ok(!shape.columns.includes(name), name);
  }
  assert.deepEqual(shape.dictionaries, ['applicationName']);
  const more = shapeOf([...classifiers, classifiers[0] as Classifier], batchRows);
  assert.equal(sharedBytes(more) - sharedBytes(shape), batchRows * 8);
});

/** Scores batches until it fails, as whoever reads flows would. @returns how */
async function scoreUntilFailure(pool: ScorePool): Promise<unknown> {
  try {
    await scorePooled(pool, makeBatches(1_000));
    return undefined;
  } catch (thrown) {
    return thrown;
  } finally {
    await pool.close();
  }
}

const faults: readonly (readonly [Fault, typeof EnvironmentError | typeof InvariantError, RegExp])[] = [
  ['exits', EnvironmentError, /^A worker thread ended while it was needed \(exit code 9\)\.$/],
  ['exits-at-start', EnvironmentError, /exit code 9/],
  ['runs-out-of-memory', EnvironmentError, /^A worker thread failed: .*memory limit.*; fewer need less\.$/],
  ['throws', InvariantError, /a worker thread failed: TypeError: planted fault\n +at /],
  ['throws-at-start', InvariantError, /planted fault/],
  ['throws-nothing', InvariantError, /a worker thread failed: undefined/],
];

for (const [fault, kind, message] of faults) {
  test(`a worker that ${fault.replaceAll('-', ' ')} ends the pool, and whoever waits is told`, async () => {
    const source = new TextEncoder().encode(fault);
    const faulty = members.slice(0, 1).map(({ classifier }) => ({ classifier, source }));
    for (const workers of [1, 3]) {
      const thrown = await scoreUntilFailure(new ScorePool(faulty, { workerFile: faultyFile, workers, batchRows }));
      assert.ok(thrown instanceof kind, String(thrown));
      assert.match(thrown.message, message);
    }
  });
}

test('bytes that are no classifier, and a file that is not there, are our own bugs', async () => {
  const [first] = members as [PoolMember];
  const damaged = { ...first, source: Uint8Array.from(first.source, (byte, i) => i === 100 ? byte ^ 1 : byte) };
  const pools = [
    new ScorePool([damaged], { workerFile, workers: 2, batchRows }),
    new ScorePool([first], { workerFile: new URL('./absent.ts', import.meta.url), workers: 2, batchRows }),
  ];
  for (const pool of pools) assert.ok(await scoreUntilFailure(pool) instanceof InvariantError);
});

test('closing refuses the scores that are still waited for, whatever the worker does', async () => {
  const source = new TextEncoder().encode('never-answers' satisfies Fault);
  const pool = new ScorePool(members.slice(0, 1).map(({ classifier }) => ({ classifier, source })),
    { workerFile: faultyFile, workers: 1, batchRows });
  const [batch] = makeBatches(1) as [FlowBatch];
  const scores = Array.from({ length: 3 }, () => pool.score(batch));
  for (const answered of scores.slice(0, 2)) await answered;
  await pool.close();
  await assert.rejects(scores[2] as Promise<PooledScores>, /closed while scores were waited for/);
});
