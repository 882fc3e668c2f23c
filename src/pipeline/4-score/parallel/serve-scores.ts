/**
 * A worker thread's side of `ScorePool`: builds its classifiers from bytes, then scores one batch after the other, in
 * the order of the messages. It has no queue of its own, catches nothing, and ends when the pool ends it. An app makes
 * a worker's file of it by saying how bytes become a classifier: this room does not know.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { assertInvariant, type KernelKind, systemClock } from '#base';
import { createDictionaries, type Dictionaries, type DictionaryColumnName } from '#flow';
import type { Classifier } from '../classifier.ts';
import { Scorer } from '../scorer.ts';
import { openSharedBatch, type SharedBatch, type SharedShape } from './shared-batch.ts';

/** What a worker is started with. */
export type ScoreJob = {
  readonly shape: SharedShape;
  readonly kernel: KernelKind;
  /** A classifier each; what the bytes are is the business of the worker's file. */
  readonly sources: readonly Uint8Array[];
};

/** A batch to score. */
export type ScoreTask = {
  readonly slot: number;
  /** Memory of the slot, when the worker sees it for the first time. */
  readonly memory?: SharedArrayBuffer;
  readonly rowCount: number;
  /** The batch does not share the dictionaries of the one before: `texts` are all of them. */
  readonly isFresh: boolean;
  /** Texts that this worker does not know yet, in the order of their codes. */
  readonly texts: readonly (readonly [DictionaryColumnName, readonly string[]])[];
};

/** The answer: the slot's scores are written. */
export type ScoreAnswer = {
  readonly slot: number;
  /** What features, encoding and scoring took. */
  readonly scoreMs: number;
};

/**
 * Serves the pool that started this thread, until it is ended.
 *
 * @param read  one of the pool's sources to a classifier; the pool's owner has read the same bytes before
 */
export function serveScores(read: (source: Uint8Array) => Classifier): void {
  const port = parentPort;
  assertInvariant(port !== null, 'scores are served in a worker thread only');
  const { shape, kernel, sources } = workerData as ScoreJob;
  const scorer = new Scorer(sources.map(read), { kernel, batchRows: shape.batchRows });
  const slots: SharedBatch[] = [];
  let dictionaries = createDictionaries();
  port.on('message', ({ slot, memory, rowCount, isFresh, texts }: ScoreTask) => {
    if (memory !== undefined) slots[slot] = openSharedBatch(shape, memory);
    const shared = slots[slot];
    assertInvariant(shared !== undefined, 'a batch in memory that this worker was not given');
    if (isFresh) dictionaries = createDictionaries();
    learnTexts(dictionaries, texts);
    const startMs = systemClock.monotonicMs();
    const { columns } = shared;
    const { anomalyScore } = scorer.score({ capacity: shape.batchRows, rowCount, columns, dictionaries });
    for (const [i, scores] of anomalyScore.entries()) shared.anomalyScore[i]?.set(scores.subarray(0, rowCount));
    port.postMessage({ slot, scoreMs: systemClock.monotonicMs() - startMs } satisfies ScoreAnswer);
  });
}

/** Gives texts the codes that they have at the sender: each the next one. */
function learnTexts(dictionaries: Dictionaries, texts: ScoreTask['texts']): void {
  for (const [column, added] of texts) {
    const dictionary = dictionaries[column];
    for (const text of added) {
      const expected = dictionary.size;
      assertInvariant(dictionary.encode(text) === expected, `the dictionary of ${column} is not the sender's`);
    }
  }
}
