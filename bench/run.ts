/**
 * `npm run bench`: runs us and the peers in one run on the same work and prints the ratios. `-- --list` names the
 * benchmarks, `-- NAME --json` prints one object a comparison: {bench, peer, unit, ours, theirs, ratio, runs}.
 */
import { formatTable } from '../src/base/text-table.ts';
import { boostedBench } from './boosted.bench.ts';
import { collectorBench } from './collector.bench.ts';
import { decodeBench } from './decode.bench.ts';
import { detectorBench } from './detector.bench.ts';
import { encodeBench } from './encode.bench.ts';
import { meterBench } from './meter.bench.ts';
import { ndpiBench } from './ndpi.bench.ts';
import { parquetBench } from './parquet.bench.ts';
import { scoreBench } from './score.bench.ts';
import type { Bench, Comparison } from './bench.ts';

const benches: readonly Bench[] = [meterBench, ndpiBench, decodeBench, encodeBench, parquetBench, scoreBench,
  boostedBench, detectorBench, collectorBench];

/** Options of single benchmarks that take a value. */
const valued = new Set(['--minutes', '--bundle']);
const names = process.argv.slice(2).filter((argument, at, all) =>
  !argument.startsWith('-') && !valued.has(all[at - 1] ?? ''));
const isJson = process.argv.includes('--json');

if (process.argv.includes('--list')) {
  process.stdout.write(`${benches.map((bench) => `${bench.name}\t${bench.description}`).join('\n')}\n`);
} else {
  const unknown = names.find((name) => !benches.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no benchmark '${unknown}'; npm run bench -- --list names them\n`);
    process.exit(2);
  }
  const comparisons: Comparison[] = [];
  for (const bench of benches) {
    if (names.length > 0 && !names.includes(bench.name)) continue;
    const { rows, notes } = await bench.run((line) => process.stderr.write(`${line}\n`));
    comparisons.push(...rows);
    if (isJson) continue;
    process.stdout.write(`\n${bench.name}: ${bench.description}\n\n${formatTable(
      ['against', 'unit', 'ours', 'theirs', 'ratio', 'runs'],
      rows.map((row) => [row.peer, row.unit, format(row.ours), format(row.theirs), row.ratio.toFixed(2),
        String(row.runs)]))}\n`);
    for (const note of notes) process.stdout.write(`${note}\n`);
  }
  if (isJson) process.stdout.write(`${JSON.stringify(comparisons, null, 2)}\n`);
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
}
