/**
 * A worker thread for `ScorePool` that does not what it should. Its first source says how, in letters: it answers the
 * first batches without scoring them, then fails.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { ScoreJob, ScoreTask } from '../../src/pipeline/4-score/parallel/serve-scores.ts';

export type Fault = 'exits-at-start' | 'throws-at-start' | 'exits' | 'throws' | 'throws-nothing' |
  'runs-out-of-memory' | 'never-answers';

const [source] = (workerData as ScoreJob).sources;
const fault = new TextDecoder().decode(source) as Fault;
const answersBefore = 2;
let answers = 0;

function fail(): void {
  if (fault.startsWith('exits')) process.exit(9);
  if (fault.startsWith('throws')) throw fault === 'throws-nothing' ? undefined : new TypeError('planted fault');
  if (fault === 'runs-out-of-memory') {
    const error: NodeJS.ErrnoException = new Error('Worker terminated due to reaching memory limit: planted');
    error.code = 'ERR_WORKER_OUT_OF_MEMORY';
    throw error;
  }
}

if (fault.endsWith('-at-start')) fail();
parentPort?.on('message', ({ slot }: ScoreTask) => {
  if (answers++ < answersBefore) parentPort?.postMessage({ slot, scoreMs: 0 }, []);
  else fail();
});
