/** The loop around every text importer: bytes → records → rows of a reused FlowBatch, rejections counted. */
import { limits } from '#base';
import { createDictionaries, createFlowBatch, clearRow, type Dictionaries, type FlowBatch } from '../flow-batch.ts';
import { schema } from '../schema.ts';
import { describeUnsoundRow } from './cells.ts';
import type { FlowReadReport } from './read-report.ts';
import { TextRecords } from './text-records.ts';

/** Reads one format. Made for one input; may remember what header lines said. */
export type RecordReader = {
  /** True where quoted fields may hold line ends. */
  readonly quoted: boolean;
  /**
   * Reads a record into an empty row.
   *
   * @param line  its number in the input, from 1
   * @returns `row` when the row was filled, `nothing` when the record is a header or comment, or else a sentence that
   *          says why the row is bad
   * @throws OperatorError  `bad-columns`: the header lacks an essential column
   */
  read(text: string, batch: FlowBatch, row: number, line: number): string;
  /** Called with the filled rows before they are handed out; may remove rows (and must report those). */
  settle?(batch: FlowBatch): void;
};

export const isRow = 'row';
export const isNothing = 'nothing';

export type TextTableOptions = {
  readonly batchRows?: number | undefined;
  /** Shared with other batches. */
  readonly dictionaries?: Dictionaries | undefined;
  readonly lineCharactersMax?: number | undefined;
  readonly recordLinesMax?: number | undefined;
};

/**
 * Rows of a text table.
 *
 * @param chunks  bytes; each chunk is valid until the next
 * @returns       batches, each valid until the next; none is empty
 */
export async function* readTextTable(
  chunks: AsyncIterable<Uint8Array>, reader: RecordReader, report: FlowReadReport, options: TextTableOptions,
): AsyncGenerator<FlowBatch, void, void> {
  const records = new TextRecords({ ...options, quoted: reader.quoted });
  const batch = createFlowBatch(options.batchRows ?? limits.flowBatchRows, options.dictionaries ??
    createDictionaries());
  function* fill(some: ReturnType<TextRecords['push']>): Generator<FlowBatch, void, void> {
    for (const record of some) {
      let outcome = record.problem;
      if (outcome === '') outcome = reader.read(record.text, batch, batch.rowCount, record.line);
      if (outcome === isRow) outcome = describeUnsoundRow(batch, batch.rowCount) || isRow;
      if (outcome === isRow) batch.rowCount++;
      else clearRow(batch, batch.rowCount);
      if (outcome !== isRow && outcome !== isNothing) report.reject(`line ${record.line}`, outcome);
      if (batch.rowCount === batch.capacity) yield* handOut();
    }
  }
  function* handOut(): Generator<FlowBatch, void, void> {
    reader.settle?.(batch);
    report.rows += batch.rowCount;
    if (batch.rowCount > 0) yield batch;
    // All rows at once: clearing each before it is filled took a tenth of the time of reading CSV.
    for (const column of schema) batch.columns[column.name].fill(0);
    batch.rowCount = 0;
  }
  for await (const chunk of chunks) yield* fill(records.push(chunk));
  yield* fill(records.finish());
  yield* handOut();
}
