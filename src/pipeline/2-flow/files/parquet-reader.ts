/**
 * Flow records from Parquet, one row group at a time: files of ours, and of DuckDB, pyarrow and others that use our
 * column names (integers, doubles, timestamps and texts are converted). A group that cannot be decoded is counted as
 * rejected rows; what was read before it stands.
 */
import { stat } from 'node:fs/promises';
import {
  asyncBufferFromFile, parquetMetadataAsync, parquetScan, type AsyncBuffer, type DecodedArray, type FileMetaData,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { OperatorError, describeError, limits } from '#base';
import { schema } from '../schema.ts';
import {
  copyRows, createDictionaries, createFlowBatch, l7Sources, type Dictionaries, type FlowBatch, type FlowSetInfo,
} from '../flow-batch.ts';
import { AddressTexts, deriveIpVersion, describeUnsoundRow, essentialColumns, findCell, storeValue,
  type Cell } from './cells.ts';
import { badColumns, badValue, missingColumns } from './own-text.ts';
import { parquetInfoKey } from './parquet-file.ts';
import type { FlowReadReport } from './read-report.ts';

export type ParquetReadOptions = {
  readonly batchRows?: number | undefined;
  readonly dictionaries?: Dictionaries | undefined;
  /** Largest row group that is read; a larger one is rejected. */
  readonly groupRowsMax?: number | undefined;
};

/** Timestamps become milliseconds, whatever unit the file has. */
const parsers = {
  timestampFromMilliseconds: (value: bigint): number => Number(value),
  timestampFromMicroseconds: (value: bigint): number => Number(value) / 1_000,
  timestampFromNanoseconds: (value: bigint): number => Number(value / 1_000n) / 1_000,
};

/**
 * Rows of a Parquet file.
 *
 * @returns  batches, each valid until the next; none is empty
 * @throws OperatorError  `input-unreadable`: no Parquet file; `bad-columns`
 */
export async function* readParquet(
  path: string, report: FlowReadReport, options: ParquetReadOptions,
): AsyncGenerator<FlowBatch, void, void> {
  const { file, metadata } = await openParquet(path);
  report.info = readInfo(metadata);
  const leaves = metadata.schema.slice(1).filter((element) => element.num_children === undefined);
  const names = leaves.map((element) => element.name);
  const missing = missingColumns(essentialColumns, names);
  if (missing.length > 0) throw badColumns('Parquet file', missing);
  const cells = schema.map((column) => findCell(column.name)).filter((cell) => cell !== undefined)
    .filter((cell) => names.includes(cell.column.name));
  const dictionaries = options.dictionaries ?? createDictionaries();
  const batch = createFlowBatch(options.batchRows ?? limits.flowBatchRows, dictionaries);
  const addresses = new AddressTexts();
  let rowStart = 0;
  for (const [index, group] of metadata.row_groups.entries()) {
    const rows = Number(group.num_rows);
    const place = `row group ${index + 1}`;
    if (!(rows >= 0 && rows <= (options.groupRowsMax ?? limits.parquetGroupRowsMax))) {
      report.reject(place, `it claims ${rows} rows, which is more than is read at once`, Math.max(0, rows));
    } else if (rows > 0) {
      const read = await readGroup({ file, metadata, rowStart, rows, place, cells, addresses, dictionaries }, report);
      for (let first = 0; read !== undefined && first < read.rowCount; first += batch.rowCount) {
        batch.rowCount = 0;
        copyRows(read, first, Math.min(first + batch.capacity, read.rowCount), batch);
        report.rows += batch.rowCount;
        yield batch;
      }
    }
    rowStart += rows;
  }
}

async function openParquet(path: string): Promise<{ file: AsyncBuffer; metadata: FileMetaData }> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('Parquet is read from a plain file only, not from a pipe');
    const file = await asyncBufferFromFile(path);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (thrown) {
    throw new OperatorError('input-unreadable', `Cannot read ${path} as Parquet: ${describeError(thrown)}.`, thrown);
  }
}

type GroupJob = {
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly rowStart: number;
  readonly rows: number;
  readonly place: string;
  readonly cells: readonly Cell[];
  readonly addresses: AddressTexts;
  readonly dictionaries: Dictionaries;
};

/** One row group as a batch without its bad rows, or undefined when it cannot be decoded. */
async function readGroup(job: GroupJob, report: FlowReadReport): Promise<FlowBatch | undefined> {
  const batch = createFlowBatch(job.rows, job.dictionaries);
  const problems = new Map<number, string>();
  try {
    for (const cell of job.cells) {
      const values = await readColumn(job, cell.column.name);
      if (values.length !== job.rows) throw new Error(`${cell.column.name} has ${values.length} values`);
      for (let row = 0; row < job.rows; row++) {
        const isStored = storeValue(batch, cell, row, values[row], job.addresses);
        if (!isStored) problems.set(row, badValue(cell, values[row]));
      }
    }
  } catch (thrown) {
    report.reject(job.place, `it cannot be decoded: ${describeError(thrown)}`, job.rows);
    return undefined;
  }
  if (!job.cells.some((cell) => cell.column.name === 'ipVersion')) {
    for (let row = 0; row < job.rows; row++) deriveIpVersion(batch, row);
  }
  for (let row = 0; row < job.rows; row++) {
    const unsound = problems.has(row) ? '' : describeUnsoundRow(batch, row);
    if (unsound !== '') problems.set(row, unsound);
  }
  batch.rowCount = job.rows;
  for (const [row, problem] of problems) report.reject(`row ${job.rowStart + row + 1}`, problem);
  return problems.size === 0 ? batch : withoutRows(batch, problems);
}

/** Values of a column of a row group. A scan remembers what it read: one for each column keeps one in memory. */
async function readColumn(job: GroupJob, column: string): Promise<DecodedArray> {
  const { file, metadata, rowStart, rows } = job;
  const scan = await parquetScan({ file, metadata, columns: [column], compressors, parsers, useOffsetIndex: false });
  return scan.readColumn({ column, rowStart, rowEnd: rowStart + rows });
}

function withoutRows(batch: FlowBatch, rows: ReadonlyMap<number, string>): FlowBatch {
  const kept = createFlowBatch(batch.rowCount, batch.dictionaries);
  for (let row = 0; row < batch.rowCount; row++) {
    if (!rows.has(row)) copyRows(batch, row, row + 1, kept);
  }
  return kept;
}

/** The `FlowSetInfo` that a file of ours carries; undefined when there is none, or it is damaged. */
function readInfo(metadata: FileMetaData): FlowSetInfo | undefined {
  const text = metadata.key_value_metadata?.find((entry) => entry.key === parquetInfoKey)?.value;
  try {
    const info = JSON.parse(text ?? '') as Partial<FlowSetInfo>;
    const { origin, l7Source, l7Version, activeTimeoutMs, idleTimeoutMs, isBiflow } = info;
    if (typeof origin !== 'string' || typeof l7Version !== 'string') return undefined;
    if (l7Source === undefined || !l7Sources.includes(l7Source)) return undefined;
    if (typeof activeTimeoutMs !== 'number' || typeof idleTimeoutMs !== 'number') return undefined;
    const known = { origin, l7Source, l7Version, activeTimeoutMs, idleTimeoutMs };
    return typeof isBiflow === 'boolean' ? { ...known, isBiflow } : known;
  } catch {
    return undefined;
  }
}
