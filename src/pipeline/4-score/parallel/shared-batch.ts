/**
 * Memory that a batch of flows goes to a worker thread in, and its scores come back: one block, with the columns that
 * the classifiers look at and nothing else. Both sides make their views of it from the same shape. Who may write is
 * agreed by messages: the sender until it has told the worker, then the worker until it answers.
 */
import { findCatalog } from '#feature';
import {
  type ColumnArrays, type ColumnName, createColumn, type Dictionaries, type DictionaryColumnName, findColumn,
  type FlowBatch,
} from '#flow';
import { assertInvariant } from '#base';
import type { Classifier } from '../classifier.ts';

export type SharedShape = {
  /** Columns that the catalogs of all classifiers name, in the order of their first mention. */
  readonly columns: readonly ColumnName[];
  /** Those of them that hold codes of a dictionary. */
  readonly dictionaries: readonly DictionaryColumnName[];
  readonly batchRows: number;
  readonly classifierCount: number;
};

export type SharedBatch = {
  /** A batch over the block. It has the columns of the shape only: a feature that reads another one fails at once. */
  readonly flows: FlowBatch;
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
export function sharedBytes(shape: SharedShape): number {
  let bytes = 0;
  layOut(shape, (more) => {
    bytes += Math.ceil(more / alignment) * alignment;
    return new Uint8Array(0);
  }, 0);
  return bytes;
}

/** Views of a block. @param buffer  at least `sharedBytes` long  @param dictionaries  what codes are codes of */
export function openSharedBatch(
  shape: SharedShape, buffer: SharedArrayBuffer, dictionaries: Dictionaries,
): SharedBatch {
  let at = 0;
  const { columns, anomalyScore } = layOut(shape, (bytes) => {
    const view = new Uint8Array(buffer, at, bytes);
    at += Math.ceil(bytes / alignment) * alignment;
    return view;
  }, shape.batchRows);
  return { flows: { capacity: shape.batchRows, rowCount: 0, columns, dictionaries }, anomalyScore };
}
