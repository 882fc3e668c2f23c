/** Main of the threads of an experiment: reads the data set, then runs one cell after the other as it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { assertInvariant, describeError, EnvironmentError, OperatorError } from '#base';
import type { CellOutcome, CellTask } from './cell.ts';
import { loadLabFlows } from './lab-flows.ts';
import { CellRunner } from './run-cell.ts';

export type WorkerSetup = { readonly dataset: string; readonly natlensVersion: string };

/** Errors lose their class between threads; who must act is said beside the message. */
export type WorkerAnswer =
  | { readonly is: 'ready' }
  | { readonly is: 'done'; readonly outcome: CellOutcome; readonly artifact: Uint8Array }
  | { readonly is: 'failed'; readonly who: 'operator' | 'environment' | 'us'; readonly code: string;
    readonly message: string };

function describeFailure(thrown: unknown): WorkerAnswer {
  if (thrown instanceof OperatorError) {
    return { is: 'failed', who: 'operator', code: thrown.code, message: thrown.message };
  }
  if (thrown instanceof EnvironmentError) {
    return { is: 'failed', who: 'environment', code: thrown.code, message: thrown.message };
  }
  const message = thrown instanceof Error ? thrown.stack ?? thrown.message : describeError(thrown);
  return { is: 'failed', who: 'us', code: 'invariant', message };
}

assertInvariant(parentPort !== null, 'the worker of an experiment is no program of its own');
const port = parentPort;
const { dataset, natlensVersion } = workerData as WorkerSetup;
const answer = (text: WorkerAnswer): void => port.postMessage(text);

try {
  const runner = new CellRunner(await loadLabFlows(dataset), natlensVersion);
  port.on('message', (task: CellTask) => {
    try {
      const { artifact, ...outcome } = runner.run(task);
      answer({ is: 'done', outcome, artifact });
    } catch (thrown) {
      answer(describeFailure(thrown));
    }
  });
  answer({ is: 'ready' });
} catch (thrown) {
  answer(describeFailure(thrown));
}
