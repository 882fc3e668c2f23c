/**
 * On how many threads `natlens score` scores: this one, or workers beside it. Scores come back in the order of the
 * flows either way, and no more batches are held than the workers can have in work.
 */
import { availableParallelism } from 'node:os';
import { limits, OperatorError, systemClock } from '#base';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import { type Classifier, Scorer, type Scores } from '#score';
import { type PooledScores, ScorePool } from '#score/parallel';

/** `auto`: one thread until there is enough to do for more of them. */
export type WorkerChoice = 'auto' | number;

export type AutoOptions = {
  /**
   * Scores (flows times classifiers) after which `auto` starts workers. One thread makes these in the time that workers
   * need to load their code: between 0.1 and 0.2 s.
   */
  readonly scoresAlone: number;
  /** Workers that it starts: one for each core, but no more than one thread that reads and writes keeps busy. */
  readonly workers: number;
};

export const autoDefaults: AutoOptions = { scoresAlone: 1_000_000, workers: Math.min(availableParallelism(), 8) };

const workerFile = new URL('./score-worker.ts', import.meta.url);

/** Parses `--workers`. @throws OperatorError */
export function parseWorkers(text: string): WorkerChoice {
  if (text === 'auto' || text === '0') return 'auto';
  if (/^\d{1,3}$/.test(text) && Number(text) <= limits.scoreWorkersMax) return Number(text);
  throw new OperatorError('bad-option',
    `--workers is a number of threads from 1 to ${limits.scoreWorkersMax}, or auto, not '${text}'.`);
}

/** Takes the scores of a batch; both are valid until the returned promise has resolved. */
export type TakeScores = (flows: FlowBatch, scores: Scores) => Promise<void>;

type Member = { readonly classifier: Classifier; readonly bytes: Uint8Array };

export class ScoreThreads {
  /** Time that features, encoding and scoring took, on all threads together. */
  scoreMs = 0;
  readonly #members: readonly Member[];
  readonly #take: TakeScores;
  readonly #workersMax: number;
  readonly #scoresAlone: number;
  readonly #waiting: { readonly flows: FlowBatch; readonly scores: Promise<PooledScores> }[] = [];
  readonly #spare: FlowBatch[] = [];
  #scorer: Scorer | undefined;
  #pool: ScorePool | undefined;
  #scoreCount = 0;

  constructor(members: readonly Member[], choice: WorkerChoice, take: TakeScores, auto: AutoOptions = autoDefaults) {
    this.#members = members;
    this.#take = take;
    this.#workersMax = choice === 'auto' ? auto.workers : choice;
    this.#scoresAlone = choice === 'auto' ? auto.scoresAlone : 0;
  }

  /** Threads that score: 1 without workers. */
  get count(): number {
    return this.#pool === undefined ? 1 : this.#workersMax;
  }

  /** Scores a batch, at once or later. @param batch  read only; of at most `limits.flowBatchRows` rows */
  async score(batch: FlowBatch): Promise<void> {
    if (this.#pool === undefined && this.#workersMax > 1 && this.#scoreCount >= this.#scoresAlone) this.#startWorkers();
    this.#scoreCount += batch.rowCount * this.#members.length;
    if (this.#pool === undefined) return this.#scoreHere(batch);
    if (this.#waiting.length === this.#pool.capacity) await this.#takeOldest();
    const flows = this.#copy(batch);
    this.#waiting.push({ flows, scores: this.#pool.score(flows) });
  }

  /** Waits until all scores were taken. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#takeOldest();
  }

  /** Ends the workers; what was not taken is dropped. */
  async close(): Promise<void> {
    this.#waiting.length = 0;
    await this.#pool?.close();
  }

  #startWorkers(): void {
    this.#scorer = undefined;
    this.#pool = new ScorePool(this.#members.map(({ classifier, bytes }) => ({ classifier, source: bytes })),
      { workerFile, workers: this.#workersMax, batchRows: limits.flowBatchRows });
  }

  #scoreHere(batch: FlowBatch): Promise<void> {
    this.#scorer ??= new Scorer(this.#members.map(({ classifier }) => classifier), { batchRows: limits.flowBatchRows });
    const startMs = systemClock.monotonicMs();
    const scores = this.#scorer.score(batch);
    this.scoreMs += systemClock.monotonicMs() - startMs;
    return this.#take(batch, scores);
  }

  /** Flows that stay until their scores come: the batch is its owner's. */
  #copy(batch: FlowBatch): FlowBatch {
    let copy = this.#spare.pop();
    if (copy?.dictionaries !== batch.dictionaries) copy = createFlowBatch(limits.flowBatchRows, batch.dictionaries);
    copy.rowCount = 0;
    copyRows(batch, 0, batch.rowCount, copy);
    return copy;
  }

  async #takeOldest(): Promise<void> {
    const oldest = this.#waiting.shift();
    if (oldest === undefined) return;
    const scores = await oldest.scores;
    this.scoreMs += scores.scoreMs;
    await this.#take(oldest.flows, scores);
    scores.release();
    this.#spare.push(oldest.flows);
  }
}
