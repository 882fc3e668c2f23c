/**
 * Scores batches of flows on several cores: worker threads with a `Scorer` each, which every batch goes to through
 * shared memory. The scores are those of one `Scorer`, to the last bit, as it scores each row by itself. A worker that
 * fails ends the pool: whoever waits is told, nobody waits forever.
 */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { assertInvariant, describeError, EnvironmentError, InvariantError, type KernelKind, limits } from '#base';
import type { Dictionaries, DictionaryColumnName, FlowBatch } from '#flow';
import type { Classifier } from '../classifier.ts';
import { scorerDefaults, type Scores } from '../scorer.ts';
import type { ScoreAnswer, ScoreJob, ScoreTask } from './serve-scores.ts';
import { fillSharedBatch, openSharedBatch, type SharedBatch, sharedBytes, type SharedShape, shapeOf } from
  './shared-batch.ts';

export type ScorePoolOptions = {
  /** File of a worker: calls `serveScores`. */
  readonly workerFile: URL;
  readonly workers: number;
  readonly kernel?: KernelKind;
  /** Rows of the largest batch. */
  readonly batchRows?: number;
};

/** A classifier, and the bytes that a worker makes the same one of. */
export type PoolMember = {
  readonly classifier: Pick<Classifier, 'encoder'>;
  readonly source: Uint8Array;
};

export type PooledScores = Scores & {
  /** Time that a worker took for them. */
  readonly scoreMs: number;
  /** Gives the memory back: the scores are valid until then. Call it once. */
  readonly release: () => void;
};

type Slot = {
  readonly number: number;
  readonly memory: SharedArrayBuffer;
  readonly shared: SharedBatch;
  rowCount: number;
  settle: { readonly resolve: (scores: PooledScores) => void; readonly reject: (error: Error) => void } | undefined;
};

/** A worker thread, and what it has been told. */
type Member = {
  readonly thread: Worker;
  waiting: number;
  dictionaries: Dictionaries | undefined;
  readonly textCounts: Map<DictionaryColumnName, number>;
  readonly memories: Set<number>;
};

export class ScorePool {
  /** Batches that may be in work at once: those whose scores have not been released. */
  readonly capacity: number;
  readonly #shape: SharedShape;
  readonly #members: Member[] = [];
  readonly #slots: Slot[] = [];
  readonly #free: Slot[] = [];
  #failure: Error | undefined;
  #isClosed = false;

  /**
   * Starts the workers, which build their classifiers while the first batches wait.
   *
   * @param members  read only; sources are copied
   */
  constructor(members: readonly PoolMember[], options: ScorePoolOptions) {
    const { workerFile, workers, kernel = scorerDefaults.kernel, batchRows = scorerDefaults.batchRows } = options;
    assertInvariant(workers > 0 && workers <= limits.scoreWorkersMax, `${workers} workers are none, or too many`);
    this.capacity = workers * limits.scoreBatchesPerWorker;
    this.#shape = shapeOf(members.map(({ classifier }) => classifier), batchRows);
    // A view's copy would take the whole buffer below it along.
    const job: ScoreJob = { shape: this.#shape, kernel, sources: members.map(({ source }) => Uint8Array.from(source)) };
    try {
      for (let i = 0; i < workers; i++) this.#members.push(this.#start(workerFile, job));
    } catch (thrown) {
      // Those that were started must not keep the process alive; `score` tells of it.
      this.#fail(explain(thrown));
    }
  }

  /**
   * Scores of all rows by all classifiers. At most `capacity` are given out: release some first.
   *
   * @param batch  read only, copied: may be reused after the call
   * @throws EnvironmentError  `worker-failed`: a worker ended, or could not be started
   * @throws InvariantError    a worker threw: our own bug
   */
  score(batch: FlowBatch): Promise<PooledScores> {
    assertInvariant(!this.#isClosed, 'a pool that is closed scores nothing');
    const scores = this.#failure === undefined ? this.#scoreLater(batch) : Promise.reject(this.#failure);
    // Whoever waits for an earlier batch is told of a failure first, and never waits for this one.
    scores.catch(() => undefined);
    return scores;
  }

  /** Ends the workers; scores that are still waited for are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#refuseAll(new InvariantError('the pool was closed while scores were waited for'));
    await Promise.all(this.#members.map(({ thread }) => thread.terminate()));
  }

  #scoreLater(batch: FlowBatch): Promise<PooledScores> {
    const slot = this.#free.pop() ?? this.#addSlot();
    fillSharedBatch(this.#shape, batch, slot.shared);
    slot.rowCount = batch.rowCount;
    return new Promise<PooledScores>((resolve, reject) => {
      slot.settle = { resolve, reject };
      this.#send(slot, batch.dictionaries);
    });
  }

  #start(workerFile: URL, job: ScoreJob): Member {
    const thread = new Worker(workerFile, { workerData: job, env: workerEnvironment() });
    const member: Member = { thread, waiting: 0, dictionaries: undefined, textCounts: new Map(), memories: new Set() };
    thread.on('message', (answer: ScoreAnswer) => this.#receive(member, answer));
    thread.on('messageerror', (error) => this.#fail(new InvariantError('an answer of a worker is unreadable', error)));
    thread.on('error', (thrown) => this.#fail(explain(thrown)));
    thread.on('exit', (code) => this.#fail(new EnvironmentError('worker-failed',
      `A worker thread ended while it was needed (exit code ${code}).`)));
    return member;
  }

  #addSlot(): Slot {
    assertInvariant(this.#slots.length < this.capacity, 'more batches in work than the pool has room for');
    const memory = new SharedArrayBuffer(sharedBytes(this.#shape));
    const shared = openSharedBatch(this.#shape, memory);
    const slot: Slot = { number: this.#slots.length, memory, shared, rowCount: 0, settle: undefined };
    this.#slots.push(slot);
    return slot;
  }

  #send({ number, memory, rowCount }: Slot, dictionaries: Dictionaries): void {
    const [first, ...others] = this.#members;
    const member = others.reduce((least, other) => other.waiting < least.waiting ? other : least, first as Member);
    const isFresh = member.dictionaries !== dictionaries;
    if (isFresh) {
      member.dictionaries = dictionaries;
      member.textCounts.clear();
    }
    const texts = this.#shape.dictionaries.map((column) => [column, takeTexts(member, dictionaries, column)] as const)
      .filter(([, added]) => added.length > 0);
    const isNew = !member.memories.has(number);
    member.memories.add(number);
    member.waiting++;
    const task: ScoreTask = { slot: number, rowCount, isFresh, texts, ...(isNew && { memory }) };
    member.thread.postMessage(task, []);
  }

  #receive(member: Member, { slot: number, scoreMs }: ScoreAnswer): void {
    const slot = this.#slots[number];
    // What comes after a failure is of no use to anybody.
    if (slot?.settle === undefined) return;
    member.waiting--;
    const { resolve } = slot.settle;
    slot.settle = undefined;
    resolve({
      rowCount: slot.rowCount, anomalyScore: slot.shared.anomalyScore, scoreMs,
      release: () => void this.#free.push(slot),
    });
  }

  /** The first failure counts, and ends the pool. */
  #fail(error: Error): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#failure = error;
    this.#refuseAll(error);
    for (const { thread } of this.#members) void thread.terminate();
  }

  #refuseAll(error: Error): void {
    for (const slot of this.#slots) {
      slot.settle?.reject(error);
      slot.settle = undefined;
    }
  }
}

/** Texts of a dictionary that a worker has not been sent; the empty one it has. */
function takeTexts({ textCounts }: Member, dictionaries: Dictionaries, column: DictionaryColumnName): string[] {
  const dictionary = dictionaries[column];
  const sent = textCounts.get(column) ?? 1;
  textCounts.set(column, dictionary.size);
  return Array.from({ length: dictionary.size - sent }, (_, i) => dictionary.decode(sent + i));
}

/**
 * This thread's environment, with its cache of compiled code, which a worker does not inherit by itself. Measured: two
 * workers of the command are ready after 0.13 s instead of 0.32 s.
 */
function workerEnvironment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  // Node gives the folder of its own version, and expects the one above.
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
}

/** What Node says of a thread that it could not start, or that asked for more memory than there is. */
const environmentCodes: ReadonlySet<string> = new Set(['ERR_WORKER_OUT_OF_MEMORY', 'ERR_WORKER_INIT_FAILED']);

function explain(thrown: unknown): Error {
  const { code = '', stack = undefined } = thrown instanceof Error ? thrown as NodeJS.ErrnoException : {};
  if (environmentCodes.has(code)) {
    return new EnvironmentError('worker-failed', `A worker thread failed: ${describeError(thrown)}; fewer need less.`,
      thrown);
  }
  return new InvariantError(`a worker thread failed: ${stack ?? describeError(thrown)}`, thrown);
}
