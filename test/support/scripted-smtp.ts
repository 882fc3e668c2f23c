/** Starts an SMTP server that follows a script, beside the test, and tells what it has counted. */
import { Worker } from 'node:worker_threads';
import { smtpCounts, type SmtpScript } from './scripted-smtp-worker.ts';

export class ScriptedSmtp {
  readonly port: number;
  readonly #worker: Worker;
  readonly #counts: Int32Array;

  private constructor(worker: Worker, port: number, shared: SharedArrayBuffer) {
    this.#worker = worker;
    this.port = port;
    this.#counts = new Int32Array(shared);
  }

  /** @param bodyEnd  a regular expression for a body that has come as a whole */
  static async open(script: SmtpScript, bodyEnd = '^$'): Promise<ScriptedSmtp> {
    const shared = new SharedArrayBuffer(4 * Object.keys(smtpCounts).length);
    const worker = new Worker(new URL('scripted-smtp-worker.ts', import.meta.url),
      { workerData: { script, shared, bodyEnd } });
    const port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    return new ScriptedSmtp(worker, port, shared);
  }

  count(what: keyof typeof smtpCounts): number {
    return Atomics.load(this.#counts, smtpCounts[what]);
  }

  /** Stands still, this thread and all in it, until the first is counted. @returns  was it within the time? */
  standStillUntil(what: keyof typeof smtpCounts, timeoutMs: number): boolean {
    return Atomics.wait(this.#counts, smtpCounts[what], 0, timeoutMs) !== 'timed-out';
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
