/**
 * Executes what is due in the outbox: one action of a kind at a time, kinds beside each other. Each step is written
 * down before the world is touched. An executor that throws is our bug, but must not take the detector along: its
 * action ends, with what it said.
 */
import { setTimeout as delayTimer } from 'node:timers/promises';
import { assertInvariant, describeError, EnvironmentError, limits } from '#base';
import type { ActionKind, ExecutionContext, Executor, Outcome, PlannedAction } from '../action.ts';
import type { ListedAction } from './action-rows.ts';
import type { Outbox } from './outbox.ts';

/** Instants at which a kill makes a difference. */
export type RunnerStep =
  /** It is written down that an executor is at work. */
  | 'taken'
  /** It is written down that the step which cannot be taken back follows. */
  | 'committing'
  /** The executor is through, and nothing is written down of that. */
  | 'executed'
  /** The outcome is written down. */
  | 'finished';

export type RunnerOptions = {
  /** The steady timeline. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  /** Nothing is executed, whatever the outbox holds. */
  readonly isDryRun: boolean;
  /** Actions of one kind in one run; what is due beyond waits for the next. */
  readonly actionsMax?: number;
  /** How long `stop` waits for executors after telling them to end. */
  readonly stopMs?: number;
  /** Waits; tests bring their own time. */
  readonly delay?: (durationMs: number) => Promise<void>;
  /** Called at each step; tests kill the process there. */
  readonly onStep?: (step: RunnerStep) => void;
};

export type RunReport = {
  readonly done: number;
  readonly retried: number;
  readonly failed: number;
  /** Executors that threw, which is our bug: their messages. */
  readonly thrown: readonly string[];
  /** Actions of uncertain fate found after a kill, or left so by this run. */
  readonly uncertain: readonly string[];
};

type Tally = { done: number; retried: number; failed: number; thrown: string[]; uncertain: string[] };
type Unrecorded = { readonly outcome: Outcome; readonly atMs: number };

const stopMsDefault = 5_000;

export class OutboxRunner {
  readonly #outbox: Outbox;
  readonly #executors: readonly Executor[];
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  /** Outcomes that the disk had no room for: written down before anything else is done. */
  readonly #unrecorded = new Map<string, Unrecorded>();
  #isRecovered = false;
  #isAbandoned = false;
  #running: Promise<RunReport> | undefined;

  /** @param executors  one for each kind */
  constructor(outbox: Outbox, executors: readonly Executor[], options: RunnerOptions) {
    assertInvariant(new Set(executors.map(({ kind }) => kind)).size === executors.length, 'two executors of one kind');
    this.#outbox = outbox;
    this.#executors = executors;
    this.#options = options;
  }

  /**
   * Executes what is due now. A run that is under way is waited for instead.
   *
   * @throws EnvironmentError  code `disk`: the outbox cannot be written; nothing was begun that is not written down
   */
  async run(): Promise<RunReport> {
    this.#running ??= this.#runOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Has what an earlier process left unfinished been found? The first run finds it. */
  get isRecovered(): boolean {
    return this.#isRecovered;
  }

  /** Outcomes that could not be written down yet. */
  get unrecordedCount(): number {
    return this.#unrecorded.size;
  }

  /**
   * Ends: running executors are told to, and waited for. What has not ended by then is found again by the next start.
   *
   * @returns true when everything ended in time
   */
  async stop(): Promise<boolean> {
    this.#stopping.abort();
    const ending = (async (): Promise<true> => {
      // What goes wrong in the last run was told to whoever started it.
      await this.#running?.catch(() => undefined);
      await Promise.allSettled(this.#executors.map(async (executor) => executor.close?.()));
      return true;
    })();
    const wait = this.#options.delay ?? (async (durationMs) => delayTimer(durationMs, undefined, { ref: false }));
    const isEnded = await Promise.race([ending, wait(this.#options.stopMs ?? stopMsDefault).then(() => false)]);
    // From here on the database may be closed: who comes late writes nothing.
    this.#isAbandoned = !isEnded;
    return isEnded;
  }

  async #runOnce(): Promise<RunReport> {
    const tally: Tally = { done: 0, retried: 0, failed: 0, thrown: [], uncertain: [] };
    if (this.#stopping.signal.aborted) return tally;
    this.#recordLate();
    if (!this.#isRecovered) tally.uncertain.push(...this.#recover().map(({ id }) => id));
    this.#outbox.settle(this.#options.nowMs());
    if (this.#options.isDryRun) return tally;
    const ends = await Promise.allSettled(this.#executors.map(async (executor) => this.#runKind(executor, tally)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return tally;
  }

  #recover(): readonly ListedAction[] {
    const repeatable = this.#executors.filter(({ isIdempotent }) => isIdempotent).map(({ kind }): ActionKind => kind);
    const uncertain = this.#outbox.recover(this.#options.nowMs(), repeatable);
    this.#isRecovered = true;
    return uncertain;
  }

  #recordLate(): void {
    for (const [id, { outcome, atMs }] of this.#unrecorded) {
      this.#outbox.finish(id, outcome, atMs);
      this.#unrecorded.delete(id);
    }
  }

  async #runKind(executor: Executor, tally: Tally): Promise<void> {
    const actionsMax = this.#options.actionsMax ?? limits.outboxRunActionsMax;
    for (let i = 0; i < actionsMax && !this.#stopping.signal.aborted; i++) {
      const action = this.#outbox.take(executor.kind, this.#options.nowMs());
      if (action === undefined) return;
      this.#options.onStep?.('taken');
      const { outcome, diskError } = await this.#execute(executor, action, tally);
      if (this.#isAbandoned) return;
      this.#options.onStep?.('executed');
      this.#record(action.id, outcome);
      this.#options.onStep?.('finished');
      addToTally(tally, action.id, outcome);
      if (diskError !== undefined) throw diskError;
    }
  }

  async #execute(executor: Executor, action: PlannedAction, tally: Tally): Promise<{
    readonly outcome: Outcome; readonly diskError: EnvironmentError | undefined;
  }> {
    let isCommitting = false;
    let diskError: EnvironmentError | undefined;
    let isGone = false;
    const context: ExecutionContext = {
      signal: this.#stopping.signal,
      wallMs: this.#options.wallMs,
      markCommitting: () => {
        try {
          isGone = this.#isAbandoned || !this.#outbox.commit(action.id);
        } catch (error) {
          if (error instanceof EnvironmentError) diskError = error;
          throw error;
        }
        // The executor goes no further: what it would do could not be known of after a kill, or is not wanted any more.
        if (isGone) throw new Error('the action is gone');
        isCommitting = true;
        this.#options.onStep?.('committing');
      },
    };
    try {
      return { outcome: await executor.execute(action, context), diskError };
    } catch (error) {
      const detail = `the executor threw: ${describeError(error)}`;
      if (diskError !== undefined || isGone) return { outcome: { status: 'retry', detail }, diskError };
      tally.thrown.push(`${action.kind}: ${describeError(error)}`);
      const status = isCommitting && !executor.isIdempotent ? 'uncertain' : 'failed';
      return { outcome: { status, detail }, diskError };
    }
  }

  #record(id: string, outcome: Outcome): void {
    const atMs = this.#options.nowMs();
    try {
      this.#outbox.finish(id, outcome, atMs);
    } catch (error) {
      this.#unrecorded.set(id, { outcome, atMs });
      throw error;
    }
  }
}

function addToTally(tally: Tally, id: string, { status }: Outcome): void {
  if (status === 'done') tally.done++;
  else if (status === 'retry') tally.retried++;
  else if (status === 'failed') tally.failed++;
  else tally.uncertain.push(id);
}
