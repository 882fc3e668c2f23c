/**
 * The fuzz loop in a thread of its own, so that another can watch it: a decoder that hangs or eats all memory ends with
 * this thread, not with the test. Tells its place before every message.
 */
import { memoryUsage } from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import type { DecoderClass, Finding } from './export-fuzzer.ts';
import { fuzzSession } from './export-fuzzer.ts';
import type { FuzzJob } from './export-fuzz-run.ts';

export type WorkerReport =
  | { readonly kind: 'session'; readonly codes: readonly string[]; readonly heapBytes: number;
    readonly bufferBytes: number }
  | { readonly kind: 'finding'; readonly finding: Finding };

const { decoder, plan, sessions, bufferBytesMax, place } = workerData as FuzzJob;
const { ExportDecoder } = await import(decoder) as { ExportDecoder: DecoderClass };
const report = (message: WorkerReport): void => parentPort?.postMessage(message, []);
const places = new Int32Array(place);

for (let session = 0; session < sessions; session++) {
  Atomics.store(places, 0, session);
  let codes: string[] = [];
  let finding = fuzzSession(ExportDecoder, plan, session, {
    onMessage: (index) => {
      Atomics.store(places, 1, index + 1);
      Atomics.add(places, 2, 1);
    },
    onShrink: () => Atomics.add(places, 2, 1),
    onEnd: ({ rejected }) => {
      codes = Object.entries(rejected).filter(([, count]) => count > 0).map(([code]) => code);
    },
  });
  // Of this thread its heap, of the process its buffers; the heap's limit is V8's own, which ends the thread.
  const { heapUsed: heapBytes, arrayBuffers: bufferBytes } = memoryUsage();
  if (finding === undefined && bufferBytes > bufferBytesMax) {
    finding = { what: `${bufferBytes} bytes of buffers are held, ${bufferBytesMax} are allowed`,
      reproduce: `seed ${plan.seed}, sessions 0 to ${session}`, messages: [] };
  }
  if (finding === undefined) report({ kind: 'session', codes, heapBytes, bufferBytes });
  else {
    report({ kind: 'finding', finding });
    break;
  }
}
