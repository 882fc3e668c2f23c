/** What reading flow records met: rows taken, rows rejected, and what had to be repaired or guessed. Bounded. */
import { Counts, limits, type Problem, type ProblemCode } from '#base';
import type { FlowSetInfo } from '../flow-batch.ts';

/** Filled while batches are read; valid at any time. Every row of the input is in `rows` or in `rejected`. */
export class FlowReadReport {
  /** Rows that became flow records. */
  rows = 0;
  /** Rows that did not, by reason. */
  readonly rejected = new Counts<ProblemCode>();
  /** The first rejections, with the line or row where each stands. */
  readonly problems: Problem[] = [];
  /** Sentences about what was repaired, guessed or left at its default in the rows taken. */
  readonly notes: string[] = [];
  /** Rows that were taken only after a repair, by kind of repair. */
  readonly repaired = new Counts<RepairName>();
  /** What the file itself says of the flow set (Parquet written by us), or what its format implies. */
  info: FlowSetInfo | undefined;
  readonly #problemsMax: number;

  constructor(problemsMax: number = limits.problemsKeptMax) {
    this.#problemsMax = problemsMax;
  }

  /** Rows met so far: those taken and those rejected. Headers, comments and empty lines are none. */
  get records(): number {
    return this.rows + this.rejected.total();
  }

  /** Counts rejected rows and keeps the first few. @param place `line 7`, or `row group 2` */
  reject(place: string, what: string, rows = 1): void {
    this.rejected.add('bad-row', rows);
    if (this.problems.length >= this.#problemsMax) return;
    this.problems.push({ code: 'bad-row', detail: `${place}: ${what}`, offsetBytes: -1 });
  }

  /** Adds a sentence, once. */
  note(sentence: string): void {
    if (this.notes.length < this.#problemsMax && !this.notes.includes(sentence)) this.notes.push(sentence);
  }
}

/** `clock-offset`: start and end came from two clocks; `payload-bytes`: payload lengths were given, not IP lengths. */
export type RepairName = 'clock-offset' | 'payload-bytes';
