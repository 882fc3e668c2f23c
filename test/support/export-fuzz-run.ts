/**
 * Runs the fuzz loop in a worker and watches it: no message may take forever, the heap may not pass its limit. What the
 * worker cannot tell itself, because it hangs or has died, is told here, with the message at which it happened.
 */
import { Worker } from 'node:worker_threads';
import { createMessages, type Finding, type FuzzPlan, printMessage } from './export-fuzzer.ts';
import type { WorkerReport } from './export-fuzz-worker.ts';

export type FuzzJob = {
  /** URL of the module that exports the decoder. */
  readonly decoder: string;
  readonly plan: FuzzPlan;
  readonly sessions: number;
  readonly bufferBytesMax: number;
  /** Session, number of its current message from 1, and a count that goes on with every message. */
  readonly place: SharedArrayBuffer;
};

export type FuzzOptions = Omit<FuzzJob, 'place' | 'decoder'> & {
  readonly decoder?: string;
  readonly heapMebibytesMax: number;
  /** Seconds after which a message that is not done is a hang. A guard, no measure of speed. */
  readonly messageSecondsMax: number;
  readonly onSession?: (done: number) => void;
};

export type FuzzResult = {
  readonly finding: Finding | undefined;
  readonly messages: number;
  /** Reasons for which the decoder has rejected something. */
  readonly codes: ReadonlySet<string>;
  readonly heapBytesMost: number;
  readonly bufferBytesMost: number;
};

const shippedDecoder = new URL('../../src/pipeline/2-flow/decode/export-decoder.ts', import.meta.url).href;

/** Ends at the first finding, or after all sessions. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { plan, sessions, heapMebibytesMax, messageSecondsMax, bufferBytesMax, onSession } = options;
  const place = new SharedArrayBuffer(12);
  const places = new Int32Array(place);
  const job: FuzzJob = { decoder: options.decoder ?? shippedDecoder, plan, sessions, bufferBytesMax, place };
  const worker = new Worker(new URL('./export-fuzz-worker.ts', import.meta.url), {
    workerData: job, resourceLimits: { maxOldGenerationSizeMb: heapMebibytesMax },
  });
  const codes = new Set<string>();
  let [done, heapBytesMost, bufferBytesMost] = [0, 0, 0];
  let finding: Finding | undefined;
  /** What the worker was doing, for findings that it cannot tell. */
  const findHere = (what: string): Finding => {
    const [session = 0, index = 0] = places;
    const message = [...createMessages(plan, session)].slice(index - 1, index);
    const reproduce = `seed ${plan.seed}, session ${session}, message ${index - 1}`;
    return { what, reproduce, messages: message.map(printMessage) };
  };
  worker.on('message', (message: WorkerReport) => {
    if (message.kind === 'finding') {
      finding = message.finding;
      return;
    }
    done++;
    for (const code of message.codes) codes.add(code);
    heapBytesMost = Math.max(heapBytesMost, message.heapBytes);
    bufferBytesMost = Math.max(bufferBytesMost, message.bufferBytes);
    onSession?.(done);
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    finding = findHere(error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? `the heap passed ${heapMebibytesMax} MiB` : `the fuzzer failed: ${error.stack}`);
  });
  let seconds = 0;
  let lastCount = 0;
  const watch = setInterval(() => {
    const count = places[2] as number;
    seconds = count > 0 && count === lastCount ? seconds + 1 : 0;
    lastCount = count;
    if (seconds < messageSecondsMax) return;
    finding = findHere(`one message has taken more than ${messageSecondsMax} seconds`);
    void worker.terminate();
  }, 1000);
  // Not `once` of node:events: it would give up at the error that comes before the exit.
  await new Promise((resolve) => worker.once('exit', resolve));
  clearInterval(watch);
  return { finding, messages: done * plan.sessionMessages, codes, heapBytesMost, bufferBytesMost };
}

/** A finding as text; '' when there is none. */
export const printFinding = (finding: Finding | undefined): string => (finding === undefined ? ''
  : `${finding.what}\n${finding.reproduce}\n${finding.messages.join('\n')}`);
