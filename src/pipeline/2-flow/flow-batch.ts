/**
 * FlowBatch: flow records as columns of `schema`. What every room of the flow walk up to `4-score` works on.
 * A batch is reused: valid until its owner's next fill; whoever keeps rows copies them with `copyRows`.
 */
import { assertInvariant, limits } from '#base';
import { Dictionary } from './dictionary.ts';
import { elementsPerRow, schema, type ColumnArrays, type DictionaryColumnName, type Storage } from './schema.ts';

export type Dictionaries = { readonly [N in DictionaryColumnName]: Dictionary };

export type FlowBatch = {
  readonly capacity: number;
  rowCount: number;
  readonly columns: ColumnArrays;
  /** May be shared by many batches; they only grow. */
  readonly dictionaries: Dictionaries;
};

/** New dictionaries, one per dictionary column. @param entriesMax  texts that each holds */
export function createDictionaries(entriesMax: number = limits.dictionaryEntriesMax): Dictionaries {
  const entries = schema.filter((column) => column.storage === 'dictionary')
    .map((column) => [column.name, new Dictionary(entriesMax)]);
  return Object.fromEntries(entries) as Dictionaries;
}

/** Gives zeroed memory for a column, shared with other threads or not; it begins at a multiple of 8. */
export type AllocateColumn = (bytes: number) => Uint8Array;

/**
 * An empty batch.
 *
 * @param capacity      rows
 * @param dictionaries  shared with other batches, so that codes mean the same in all of them
 * @param allocate      where the columns lie; by default each in memory of its own
 */
export function createFlowBatch(
  capacity: number = limits.flowBatchRows,
  dictionaries: Dictionaries = createDictionaries(),
  allocate: AllocateColumn = (bytes) => new Uint8Array(bytes),
): FlowBatch {
  const columns = Object.fromEntries(
    schema.map((column) => [column.name, createColumn(column.storage, capacity, allocate)]),
  ) as unknown as ColumnArrays;
  return { capacity, rowCount: 0, columns, dictionaries };
}

const bytesPerElement: Readonly<Partial<Record<Storage, number>>> = { u8: 1, u16: 2, f64: 8 };

/** Bytes that a row takes in a column of this storage. */
export function bytesPerRow(storage: Storage): number {
  return elementsPerRow(storage) * (bytesPerElement[storage] ?? 4);
}

/** An empty column. @param capacity  rows */
export function createColumn(storage: Storage, capacity: number,
  allocate: AllocateColumn): Uint8Array | Uint16Array | Uint32Array | Float64Array {
  const { buffer, byteOffset } = allocate(capacity * bytesPerRow(storage));
  const length = capacity * elementsPerRow(storage);
  if (storage === 'u8') return new Uint8Array(buffer, byteOffset, length);
  if (storage === 'u16') return new Uint16Array(buffer, byteOffset, length);
  if (storage === 'f64') return new Float64Array(buffer, byteOffset, length);
  return new Uint32Array(buffer, byteOffset, length);
}

/** Sets all columns of a row to their defaults (zero, the empty text). */
export function clearRow(batch: FlowBatch, rowIndex: number): void {
  for (const column of schema) {
    const width = elementsPerRow(column.storage);
    batch.columns[column.name].fill(0, rowIndex * width, (rowIndex + 1) * width);
  }
}

/**
 * Appends rows [first, end) of one batch to another.
 *
 * @throws InvariantError  the target is too small, or the batches do not share their dictionaries
 */
export function copyRows(from: FlowBatch, first: number, end: number, to: FlowBatch): void {
  assertInvariant(from.dictionaries === to.dictionaries, 'batches must share dictionaries to copy rows');
  assertInvariant(to.rowCount + end - first <= to.capacity, 'flow batch has no room for the rows');
  for (const column of schema) {
    const width = elementsPerRow(column.storage);
    const source = from.columns[column.name].subarray(first * width, end * width);
    to.columns[column.name].set(source as never, to.rowCount * width);
  }
  to.rowCount += end - first;
}

/**
 * What holds for all records of a flow set: how they were metered and named. Travels with files where they can hold it.
 */
export type FlowSetInfo = {
  /** `natlens meter`, or the foreign format that the records were imported from. */
  readonly origin: string;
  readonly l7Source: L7Source;
  /** Version of what named the flows (libndpi's, the owner table's), '' when there is none. */
  readonly l7Version: string;
  /** 0 when not known. */
  readonly activeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Both directions of a conversation are in one record; undefined when that is not known. */
  readonly isBiflow?: boolean | undefined;
};

/** Who names the layer 7 of flows. */
export type L7Source = 'exporter' | 'ndpi' | 'prefix' | 'none';
export const l7Sources: readonly L7Source[] = ['exporter', 'ndpi', 'prefix', 'none'];
