/** Scores on one thread or several: the same, in the order of the flows; and when `auto` starts workers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { writeClassifier } from '#classifier/artifact';
import { fitClassifier, TrainingFlows } from '#classifier/train';
import { findCatalog, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { createDictionaries, type FlowBatch } from '#flow';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { type AutoOptions, parseWorkers, ScoreThreads, type WorkerChoice } from './score-threads.ts';

const members = ([1, 2] as const).map((seed) => {
  const training = new TrainingFlows(findCatalog('portable') as Catalog, { deviceModel: undefined });
  training.add(batchOf(makeFlows(200, seed)));
  const { classifier } = fitClassifier(training.split(), {
    deviceModel: 'webcam.Test.One', needs: needsOf(madeByNatlens) as FlowNeeds, algorithm: 'isolation-forest', seed,
    natlensVersion: '',
  });
  return { classifier, bytes: writeClassifier(classifier) };
});

/** Batches of 1 to 7 flows, each of which knows its place: by a port that is never a feature. */
function makeBatches(count: number): FlowBatch[] {
  const dictionaries = createDictionaries();
  let place = 0;
  return Array.from({ length: count }, (_, i) => {
    const batch = batchOf(makeFlows(1 + i % 7, i), dictionaries);
    for (let row = 0; row < batch.rowCount; row++) batch.columns.sourceTransportPort[row] = place++;
    return batch;
  });
}

type Taken = readonly { readonly place: number; readonly scores: readonly number[] }[];

/** Taking is slow now and then, as a disk is. */
async function scoreAll(
  choice: WorkerChoice, auto?: AutoOptions,
): Promise<{ taken: Taken; before: number; after: number }> {
  const taken: { place: number; scores: number[] }[] = [];
  const threads = new ScoreThreads(members, choice, async ({ columns }, { rowCount, anomalyScore }) => {
    if (taken.length % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let row = 0; row < rowCount; row++) {
      const scores = anomalyScore.map((column) => column[row] as number);
      taken.push({ place: columns.sourceTransportPort[row] as number, scores });
    }
  }, auto);
  try {
    const [first, ...others] = makeBatches(80) as [FlowBatch, ...FlowBatch[]];
    await threads.score(first);
    const before = threads.count;
    for (const batch of others) {
      await threads.score(batch);
      // The batch is its owner's again.
      for (const column of Object.values(batch.columns)) column.fill(0xff);
    }
    await threads.drain();
    assert.ok(threads.scoreMs > 0);
    return { taken, before, after: threads.count };
  } finally {
    await threads.close();
  }
}

test('any number of threads takes the same scores in the order of the flows', async () => {
  const alone = await scoreAll(1);
  assert.deepEqual(alone.taken.map(({ place }) => place), alone.taken.map((_, i) => i));
  assert.ok(new Set(alone.taken.map(({ scores }) => String(scores))).size > 50);
  assert.deepEqual([alone.before, alone.after], [1, 1]);
  for (const workers of [2, 3]) {
    const { taken, before, after } = await scoreAll(workers);
    assert.deepEqual(taken, alone.taken);
    assert.deepEqual([before, after], [workers, workers]);
  }
});

test('auto is one thread until there is enough to do, and stays it on one core', async () => {
  const alone = await scoreAll(1);
  const few = await scoreAll('auto', { scoresAlone: 100_000, workers: 2 });
  assert.deepEqual([few.before, few.after], [1, 1]);
  // The batches before are scored here, those behind by workers.
  const many = await scoreAll('auto', { scoresAlone: 100, workers: 2 });
  assert.deepEqual([many.before, many.after], [1, 2]);
  const oneCore = await scoreAll('auto', { scoresAlone: 100, workers: 1 });
  assert.deepEqual([oneCore.before, oneCore.after], [1, 1]);
  for (const { taken } of [few, many, oneCore]) assert.deepEqual(taken, alone.taken);
});

test('a failure while scores are taken comes out, and no thread stays behind', async () => {
  const threads = new ScoreThreads(members, 2, () => Promise.reject(new Error('the disk is full')));
  const scoreMany = async (): Promise<void> => {
    for (const batch of makeBatches(30)) await threads.score(batch);
    await threads.drain();
  };
  await assert.rejects(scoreMany, /the disk is full/);
  await threads.close();
});

test('--workers is a number of threads, or auto', () => {
  assert.deepEqual(['auto', '0', '1', '2', '64'].map(parseWorkers), ['auto', 'auto', 1, 2, 64]);
  for (const text of ['', '-1', '65', '1.5', 'all', '1000', '2 ']) {
    assert.throws(() => parseWorkers(text), OperatorError);
  }
});
