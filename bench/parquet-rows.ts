/** How many rows the Parquet files of a folder have, by their own account. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';

/** @throws Error  a file was not finished */
export async function parquetRows(folder: string): Promise<number> {
  let rows = 0;
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.parquet')) throw new Error(`${name} was not finished`);
    const { num_rows: count } = await parquetMetadataAsync(await asyncBufferFromFile(join(folder, name)));
    rows += Number(count);
  }
  return rows;
}
