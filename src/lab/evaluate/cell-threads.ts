/**
 * Runs cells on several threads. Cells come back in any order; each is handed on as it comes. The first failure ends
 * all threads: whoever waits is told, nobody waits forever.
 */
import { Worker } from 'node:worker_threads';
import {
  assertInvariant, describeError, EnvironmentError, InvariantError, OperatorError, type EnvironmentErrorCode,
  type OperatorErrorCode,
} from '#base';
import type { CellOutcome, CellTask } from './cell.ts';
import type { WorkerAnswer, WorkerSetup } from './experiment-worker.ts';

const workerFile = new URL('./experiment-worker.ts', import.meta.url);

export type TakeCell = (task: CellTask, outcome: CellOutcome, artifact: Uint8Array) => Promise<void>;

/**
 * @param threads  at least 1
 * @param take     one call at a time for each thread
 */
export async function runOnThreads(
  tasks: readonly CellTask[], { threads, setup, take }: { threads: number; setup: WorkerSetup; take: TakeCell },
): Promise<void> {
  const waiting = [...tasks];
  const workers = Array.from({ length: Math.min(threads, tasks.length) }, () =>
    new Worker(workerFile, { workerData: setup }));
  try {
    await Promise.all(workers.map((worker) => serve(worker, waiting, take)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Gives a thread one task after the other, until there are none. */
async function serve(worker: Worker, waiting: CellTask[], take: TakeCell): Promise<void> {
  const ended = awaitEnd(worker);
  await Promise.race([nextAnswer(worker), ended]);
  for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
    const answered = nextAnswer(worker);
    worker.postMessage(task, []);
    const answer = await Promise.race([answered, ended]);
    assertInvariant(answer.is === 'done', 'a thread gave no outcome');
    await take(task, answer.outcome, answer.artifact);
  }
}

function nextAnswer(worker: Worker): Promise<Exclude<WorkerAnswer, { is: 'failed' }>> {
  return new Promise((resolve, reject) => {
    worker.once('message', (answer: WorkerAnswer) => {
      if (answer.is === 'failed') reject(revive(answer));
      else resolve(answer);
    });
  });
}

/** Fails when the thread ends, whenever that is: also between two tasks, when nobody asks. */
function awaitEnd(worker: Worker): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    worker.once('error', (error) => reject(new EnvironmentError('worker-failed',
      `A thread of the experiment failed: ${describeError(error)}; fewer --jobs need less memory.`, error)));
    worker.once('exit', (code) => reject(new EnvironmentError('worker-failed',
      `A thread of the experiment ended with code ${code}.`)));
  });
  // Ending is no failure once all tasks are done.
  ended.catch(() => undefined);
  return ended;
}

function revive({ who, code, message }: Extract<WorkerAnswer, { is: 'failed' }>): Error {
  if (who === 'operator') return new OperatorError(code as OperatorErrorCode, message);
  if (who === 'environment') return new EnvironmentError(code as EnvironmentErrorCode, message);
  return new InvariantError(message);
}
