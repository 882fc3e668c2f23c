/**
 * Flow records to Parquet files: our pages against hyparquet-writer, the same columns, types, ranges and row groups.
 * CPU time of the writing alone, the kernel's included; decoding and start-up are left out.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bench, type BenchResult, compareRates, inFolder, measureCommand } from './bench.ts';

const runs = 3;
const ourRows = 4_000_000;
const theirRows = 400_000;
const bench = 'parquet';
const contents = [
  ['random', 'records of random bytes, as the decoding benchmark has them'],
  ['home', 'records as an access router has them'],
] as const;

export const parquetBench: Bench = {
  name: bench,
  description: 'flow columns to Parquet files: our pages against hyparquet-writer',
  run: (say) => inFolder((folder) => run(folder, say)),
};

type Written = { readonly rows: number; readonly seconds: number; readonly bytes: number };

function run(folder: string, say: (line: string) => void): BenchResult {
  const rows = [];
  const notes: string[] = [];
  for (const [content, meaning] of contents) {
    const ours: Written[] = [];
    const packed: Written[] = [];
    const theirs: Written[] = [];
    for (let i = 0; i < runs; i++) {
      say(`${content}, run ${i + 1} of ${runs}`);
      ours.push(write(folder, 'ours', content, ourRows));
      packed.push(write(folder, 'ours-zstd', content, ourRows));
      theirs.push(write(folder, 'hyparquet-writer', content, theirRows));
    }
    const rates = (all: readonly Written[]): number[] => all.map((one) => one.rows / one.seconds);
    rows.push(compareRates(bench, `hyparquet-writer, ${content}`, 'rows/CPU s', rates(ours), rates(theirs)),
      compareRates(bench, 'the same, ours with zstd', 'rows/CPU s', rates(packed), rates(theirs)));
    notes.push(`${content} (${meaning}): ours ${describe(ours)}; zstd ${describe(packed)}; hyparquet-writer with ` +
      `snappy ${describe(theirs)}.`);
  }
  return { rows, notes };
}

function write(folder: string, writer: string, content: string, rows: number): Written {
  const script = fileURLToPath(new URL('parquet-write.ts', import.meta.url));
  const { stdout } = measureCommand('node', [script, writer, content, join(folder, 'flows.parquet'), String(rows)]);
  return JSON.parse(stdout) as Written;
}

/** The median run. */
function describe(all: readonly Written[]): string {
  const nanoseconds = all.map(({ rows, seconds }) => seconds / rows * 1e9).sort((a, b) => a - b);
  const { bytes, rows } = all[0]!;
  return `${Math.round(nanoseconds[nanoseconds.length >> 1]!)} ns of CPU and ${(bytes / rows).toFixed(1)} bytes a row`;
}
