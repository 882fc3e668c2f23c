/**
 * A batch that is filled again and again holds values of rows that were emitted. A plan that writes a column in every
 * row need not have it cleared; all others must find it at its default. This keeps account of which columns those are,
 * so that clearing costs nothing while one template follows itself.
 *
 * Whoever is given the batch may write the columns of `conditionalColumns` only (namers write two of them).
 */
import { bytesPerRow, type FlowBatch } from '../flow-batch.ts';
import { type ColumnName, elementsPerRow, schema } from '../schema.ts';
import type { FieldPlan } from './field-plan.ts';

/** Columns that not every row of a plan sets: cleared whenever rows were emitted. */
export const conditionalColumns: readonly ColumnName[] = [
  'applicationName', 'applicationNameSource', 'icmpTypeCodeIPv4', 'icmpTypeCodeIPv6',
];

const columnNames = schema.map(({ name }) => name).filter((name) => !conditionalColumns.includes(name));
const widths = new Map<ColumnName, number>(schema.map(({ name, storage }) => [name, elementsPerRow(storage)]));

/** Bytes of a row in all columns together. */
export const rowBytes = schema.reduce((sum, { storage }) => sum + bytesPerRow(storage), 0);

export class StaleColumns {
  readonly #batch: FlowBatch;
  /** Not at their defaults in rows from `rowCount` on. */
  readonly #stale = new Set<ColumnName>();
  /** Written in rows below `rowCount`: stale as soon as these are emitted. */
  readonly #written = new Set<ColumnName>();
  /** Plans for which rows from `rowCount` on are fit. Within a batch rows only become cleaner, so this only grows. */
  readonly #fitFor = new Set<FieldPlan>();
  #last: FieldPlan | undefined;

  constructor(batch: FlowBatch) {
    this.#batch = batch;
  }

  /** Makes rows from `rowCount` on fit for a plan that is about to write some of them. */
  prepare(plan: FieldPlan): void {
    if (plan === this.#last) return;
    this.#last = plan;
    if (this.#fitFor.has(plan)) return;
    this.#fitFor.add(plan);
    for (const name of this.#stale) {
      if (plan.always.has(name)) continue;
      this.#clear(name, this.#batch.rowCount, this.#batch.capacity);
      this.#stale.delete(name);
    }
    for (const name of plan.always) this.#written.add(name);
    if (plan.isIrregular) for (const name of columnNames) this.#written.add(name);
  }

  /** All rows were emitted: the batch is empty. */
  empty(): void {
    const { rowCount } = this.#batch;
    for (const name of conditionalColumns) this.#clear(name, 0, rowCount);
    for (const name of this.#written) this.#stale.add(name);
    this.#batch.rowCount = 0;
    // One plan that sets the same columns in every row is fit for the rows that it has left behind.
    if (this.#fitFor.size === 1 && this.#last?.isIrregular === false) return;
    this.#fitFor.clear();
    this.#written.clear();
    this.#last = undefined;
  }

  #clear(name: ColumnName, first: number, end: number): void {
    const width = widths.get(name) as number;
    this.#batch.columns[name].fill(0, first * width, end * width);
  }
}
