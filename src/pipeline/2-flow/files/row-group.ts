/**
 * Rows on their way into a row group, column by column. A column of which all rows have one value, as all have that an
 * exporter does not fill, takes that one value and no copying: rows are compared with it while they lie in the
 * processor's cache.
 */
import { assertInvariant } from '#base';
import { bytesPerRow, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import { schema, type ColumnArrays, type ColumnName } from '../schema.ts';
import type { ParquetMemory } from './parquet-memory.ts';

const rowBytes = schema.map(({ storage }) => bytesPerRow(storage));
const indices = new Map<ColumnName, number>(schema.map(({ name }, i) => [name, i]));

export class RowGroup {
  rowCount = 0;
  readonly capacity: number;
  /** The columns. Of one that does not vary only the first row means something. */
  readonly columns: ColumnArrays;
  /** Of the rows; undefined before the first. */
  #dictionaries: Dictionaries | undefined;
  /** The columns' memory. */
  readonly #own: readonly Buffer[];
  /** [column]: rows differ, so the column's memory holds all of them; else only the first. */
  readonly #varies: boolean[] = schema.map(() => false);
  /** The batch that rows came from last, and its memory: most come from one. */
  #source: FlowBatch | undefined;
  #sourceBytes: readonly Buffer[] = [];

  /** @param memory  is this group's from now on */
  constructor(memory: ParquetMemory) {
    this.capacity = memory.rowsMax;
    this.columns = memory.columns;
    this.#own = memoryOf(memory.columns);
  }

  get dictionaries(): Dictionaries {
    assertInvariant(this.#dictionaries !== undefined, 'a row group without rows has no dictionaries');
    return this.#dictionaries;
  }

  /** Can rows of the batch be appended: do they have the same dictionaries as those that are there? */
  takes({ dictionaries }: FlowBatch): boolean {
    return this.rowCount === 0 || this.#dictionaries === dictionaries;
  }

  /** Does the memory of two rows differ in this column? */
  varies(name: ColumnName): boolean {
    return this.#varies[indices.get(name)!]!;
  }

  /** Appends rows [first, end) of a batch that it takes. */
  append(from: FlowBatch, first: number, end: number): void {
    assertInvariant(this.takes(from), 'batches must share dictionaries to copy rows');
    assertInvariant(this.rowCount + end - first <= this.capacity, 'a row group has no room for the rows');
    if (end === first) return;
    this.#dictionaries = from.dictionaries;
    const before = this.rowCount;
    if (from !== this.#source) {
      this.#source = from;
      this.#sourceBytes = memoryOf(from.columns);
    }
    for (let i = 0; i < rowBytes.length; i++) {
      const source = this.#sourceBytes[i]!;
      const own = this.#own[i]!;
      const bytes = rowBytes[i]!;
      if (before === 0) source.copy(own, 0, first * bytes, (first + 1) * bytes);
      if (this.#varies[i] || !isOneValue(source, first, end, own, bytes)) {
        if (!this.#varies[i]) this.#spread(i);
        source.copy(own, before * bytes, first * bytes, end * bytes);
      }
    }
    this.rowCount += end - first;
  }

  clear(): void {
    this.rowCount = 0;
    this.#varies.fill(false);
  }

  /** Gives every row of a column its value, whether they vary or not. */
  fill(name: ColumnName): void {
    const i = indices.get(name)!;
    if (!this.#varies[i]) this.#spread(i);
  }

  /** All rows with all columns; valid until the next change. */
  whole(): FlowBatch {
    for (const { name } of schema) this.fill(name);
    return { capacity: this.capacity, rowCount: this.rowCount, columns: this.columns, dictionaries: this.dictionaries };
  }

  #spread(column: number): void {
    this.#varies[column] = true;
    const own = this.#own[column]!;
    const bytes = rowBytes[column]!;
    const end = this.rowCount * bytes;
    for (let done = bytes; done < end; done *= 2) own.copyWithin(done, 0, Math.min(done, end - done));
  }
}

/** Are rows [first, end) all like the first of `own`? Memory is compared with itself, moved by one row. */
function isOneValue(source: Buffer, first: number, end: number, own: Buffer, bytes: number): boolean {
  const begin = first * bytes;
  const second = begin + bytes;
  return source.compare(own, 0, bytes, begin, second) === 0 &&
    source.compare(source, begin, end * bytes - bytes, second, end * bytes) === 0;
}

function memoryOf(columns: ColumnArrays): Buffer[] {
  return schema.map(({ name }) => {
    const { buffer, byteOffset, byteLength } = columns[name];
    return Buffer.from(buffer, byteOffset, byteLength);
  });
}
