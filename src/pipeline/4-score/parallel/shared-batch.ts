/**
 * Memory that a batch of flows goes to a worker thread in, and its scores come back: one block, with the columns that
 * the classifiers look at and nothing else. Both sides make their views of it from the same shape. Who may write is
 * agreed by messages: the sender until it has told the worker, then the worker until it answers.
 */
import { assertInvariant } from '#base';
import { findCatalog } from '#feature';
import {
  bytesPerRow, type ColumnArrays, type ColumnName, createColumn, type DictionaryColumnName, elementsPerRow,
  findColumn, type FlowBatch, type Storage,
} from '#flow';
import type { Classifier } from '../classifier.ts';

export type SharedShape = {
  /** Columns that the catalogs of all classifiers name, in the order of their first mention. */
  readonly columns: readonly ColumnName[];
  /** Those of them that hold codes of a dictionary. */
  readonly dictionaries: readonly DictionaryColumnName[];
  readonly batchRows: number;
  readonly classifierCount: number;
};

/** Views of a block. */
export type SharedBatch = {
  /** Those of the shape only: a feature that reads another column fails at once. */
  readonly columns: ColumnArrays;
  /** [classifier][row] */
  readonly anomalyScore: readonly Float64Array[];
};

/** Views begin at multiples of this, so that any element type fits. */
const alignment = 8;

/** Shape of the batches for classifiers. @param batchRows  rows of the largest */
export function shapeOf(classifiers: readonly Pick<Classifier, 'encoder'>[], batchRows: number): SharedShape {
  const columns = new Set<ColumnName>();
  const dictionaries = new Set<DictionaryColumnName>();
  for (const { encoder } of classifiers) {
    const catalog = findCatalog(encoder.catalog, encoder.catalogVersion);
    assertInvariant(catalog !== undefined, `there is no catalog ${encoder.catalog} ${encoder.catalogVersion}`);
    for (const name of [...catalog.numeric, ...catalog.categorical].flatMap((feature) => feature.columns)) {
      const column = findColumn(name);
      assertInvariant(column !== undefined, `a feature of ${catalog.name} is made of ${name}, which is no column`);
      columns.add(name as ColumnName);
      if (column.storage === 'dictionary') dictionaries.add(name as DictionaryColumnName);
    }
  }
  return { columns: [...columns], dictionaries: [...dictionaries], batchRows, classifierCount: classifiers.length };
}

/** Bytes of the block of one batch. */
export function sharedBytes({ columns, batchRows, classifierCount }: SharedShape): number {
  const ofColumns = columns.map((name) => align(batchRows * bytesPerRow(storageOf(name))));
  return ofColumns.reduce((sum, bytes) => sum + bytes, classifierCount * batchRows * Float64Array.BYTES_PER_ELEMENT);
}

/** @param memory  `sharedBytes` long */
export function openSharedBatch(
  { columns: names, batchRows, classifierCount }: SharedShape, memory: SharedArrayBuffer,
): SharedBatch {
  let from = 0;
  const take = (bytes: number): Uint8Array => {
    const view = new Uint8Array(memory, from, bytes);
    from += align(bytes);
    return view;
  };
  const columns = Object.fromEntries(names.map((name) => [name, createColumn(storageOf(name), batchRows, take)]));
  const anomalyScore = Array.from({ length: classifierCount }, () => createColumn('f64', batchRows, take));
  return { columns: columns as unknown as ColumnArrays, anomalyScore: anomalyScore as Float64Array[] };
}

/** Copies what the classifiers look at. @param from  read only, of at most `batchRows` rows */
export function fillSharedBatch({ columns, batchRows }: SharedShape, from: FlowBatch, to: SharedBatch): void {
  assertInvariant(from.rowCount <= batchRows, 'shared memory is too small for the batch');
  for (const name of columns) {
    const elements = from.rowCount * elementsPerRow(storageOf(name));
    to.columns[name].set(from.columns[name].subarray(0, elements) as never);
  }
}

function storageOf(name: ColumnName): Storage {
  const column = findColumn(name);
  assertInvariant(column !== undefined, `there is no column ${name}`);
  return column.storage;
}

function align(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
