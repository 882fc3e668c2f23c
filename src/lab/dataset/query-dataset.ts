/**
 * Asks a data set in SQL through DuckDB: its flows as the table `flows`, its devices as the table `devices`, both in
 * memory. Whatever the query says, files are out of its reach. DuckDB is loaded when somebody asks.
 */
import { join } from 'node:path';
import { describeError, EnvironmentError, limits, OperatorError } from '#base';
import type { DatasetDevice } from './manifest.ts';
import type { Dataset } from './read-dataset.ts';

export type QueryValue = string | number | boolean | null;

export type QueryAnswer = {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly QueryValue[])[];
};

/** Columns of `devices`, with their types. */
const deviceColumns: readonly (readonly [keyof DatasetDevice & string, string])[] = [
  ['device', 'VARCHAR'], ['deviceModel', 'VARCHAR'], ['kind', 'VARCHAR'], ['mac', 'VARCHAR'], ['address', 'VARCHAR'],
  ['flows', 'BIGINT'], ['train', 'BIGINT'], ['validation', 'BIGINT'], ['test', 'BIGINT'], ['firstMs', 'DOUBLE'],
  ['lastMs', 'DOUBLE'],
];

/**
 * Answers a query.
 *
 * @param sql  one or more statements; the last one answers
 * @throws OperatorError     the query is wrong, or its answer too long
 * @throws EnvironmentError  `duckdb-absent`: DuckDB is not installed, or not for this machine
 */
export async function queryDataset(
  { folder, manifest: { devices } }: Dataset, sql: string, rowsMax: number = limits.queryRowsMax,
): Promise<QueryAnswer> {
  const { DuckDBInstance } = await import('@duckdb/node-api').catch((thrown: unknown) => {
    throw new EnvironmentError('duckdb-absent', 'Queries need DuckDB, which npm installs with natlens where there is ' +
      `one for the machine (npm install @duckdb/node-api): ${describeError(thrown)}.`, thrown);
  });
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const files = devices.map(({ file }) => quote(join(folder, file)));
    await connection.run(`CREATE TABLE flows AS SELECT * FROM read_parquet([${files.join(', ')}])`)
      .catch((thrown: unknown) => {
        throw new OperatorError('input-unreadable',
          `${folder} cannot be read: ${describeError(thrown)}; build the data set again.`, thrown);
      });
    const columns = deviceColumns.map(([name, type]) => `${name} ${type}`);
    await connection.run(`CREATE TABLE devices (${columns.join(', ')})`);
    const values = devices.map((device) => `(${deviceColumns.map(([name]) => literal(device[name])).join(', ')})`);
    await connection.run(`INSERT INTO devices VALUES ${values.join(', ')}`);
    // Two statements: once settings are locked nothing lets a query at files again.
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    return await answer(() => connection.streamAndReadUntil(sql, rowsMax + 1), rowsMax);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function literal(value: unknown): string {
  if (value === undefined) return 'NULL';
  return typeof value === 'number' ? String(value) : quote(String(value));
}

type Reader = { columnNames(): string[]; getRows(): unknown[][] };

async function answer(run: () => Promise<Reader>, rowsMax: number): Promise<QueryAnswer> {
  let reader: Reader;
  try {
    reader = await run();
  } catch (thrown) {
    throw new OperatorError('bad-option', `The query fails. ${describeError(thrown).split('\n')[0]}`, thrown);
  }
  const rows = reader.getRows();
  if (rows.length > rowsMax) {
    throw new OperatorError('bad-option', `The answer has more than ${rowsMax} rows: aggregate, or add LIMIT.`);
  }
  return { columns: reader.columnNames(), rows: rows.map((row) => row.map(plainValue)) };
}

/** What JSON can hold: whole numbers as numbers as long as they are exact, everything else as text. */
function plainValue(value: unknown): QueryValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return String(value);
}
