/**
 * What an experiment leaves: results.json (what `--json` prints), results.parquet (a row for each result, for DuckDB
 * and the like) and report.json (what the report is made of).
 */
import { parquetWriteBuffer, type ColumnSource } from 'hyparquet-writer';
import { join } from 'node:path';
import { writeFileWhole } from './cell-store.ts';
import type { ExperimentReport, ExperimentResult } from './results.ts';

/**
 * Results as JSON, one a line; the same results give the same bytes.
 *
 * @param withTimes  false: without `trainSeconds`, the one figure that another run of the same seed has otherwise
 */
export function formatResults(results: readonly ExperimentResult[], withTimes: boolean): string {
  const lines = results.map(({ trainSeconds, ...rest }) =>
    JSON.stringify(withTimes ? { ...rest, trainSeconds } : rest));
  return `[\n${lines.join(',\n')}\n]\n`;
}

export async function writeResults(folder: string, report: ExperimentReport, withTimes: boolean): Promise<void> {
  await writeFileWhole(join(folder, 'results.json'), formatResults(report.results, withTimes));
  await writeFileWhole(join(folder, 'results.parquet'), formatParquet(report.results, withTimes));
  await writeFileWhole(join(folder, 'report.json'), `${JSON.stringify(report)}\n`);
}

/** One row for each result: numbers in columns of their own, lists as JSON. */
function formatParquet(results: readonly ExperimentResult[], withTimes: boolean): Uint8Array {
  const text = (name: string, read: (result: ExperimentResult) => string): ColumnSource =>
    ({ name, data: results.map(read), type: 'STRING' });
  const number = (name: string, read: (result: ExperimentResult) => number | null): ColumnSource =>
    ({ name, data: results.map(read), type: 'DOUBLE', nullable: true });
  const count = (name: string, read: (result: ExperimentResult) => number): ColumnSource =>
    ({ name, data: results.map((result) => BigInt(read(result))), type: 'INT64' });
  const atP10 = ({ percentiles }: ExperimentResult): { tpr: number; fpr: number } =>
    percentiles[10] ?? { tpr: Number.NaN, fpr: Number.NaN };
  return new Uint8Array(parquetWriteBuffer({
    columnData: [
      text('deviceModel', ({ deviceModel }) => deviceModel), text('algorithm', ({ algorithm }) => algorithm),
      text('catalog', ({ catalog }) => catalog), count('seed', ({ seed }) => seed),
      count('trainFlows', ({ flows }) => flows.train), count('validationFlows', ({ flows }) => flows.validation),
      count('testFlows', ({ flows }) => flows.test),
      number('auc', ({ auc }) => auc), number('aucLow', ({ aucInterval }) => aucInterval[0]),
      number('aucHigh', ({ aucInterval }) => aucInterval[1]),
      number('defaultTpr', (result) => result.default.tpr), number('defaultFpr', (result) => result.default.fpr),
      number('p10Tpr', (result) => atP10(result).tpr), number('p10Fpr', (result) => atP10(result).fpr),
      number('fprAtTpr90', ({ fprAtTpr90 }) => fprAtTpr90),
      number('deviceMacroFpr', ({ deviceMacroFpr }) => deviceMacroFpr),
      ...withTimes ? [number('trainSeconds', ({ trainSeconds }) => trainSeconds)] : [],
      count('artifactBytes', ({ artifactBytes }) => artifactBytes),
      number('interArrivalSeconds', ({ interArrivalSeconds }) => interArrivalSeconds),
      number('durationSeconds', ({ durationSeconds }) => durationSeconds),
      number('timeToDetectSeconds', ({ timeToDetectSeconds }) => timeToDetectSeconds),
      number('homesAlarmedByOneFlow', ({ homesAlarmedByOneFlow }) => homesAlarmedByOneFlow),
      text('percentiles', ({ percentiles }) => JSON.stringify(percentiles)),
      text('confusers', ({ confusers }) => JSON.stringify(confusers)),
      text('unfit', ({ unfit }) => JSON.stringify(unfit)),
    ],
    // This writer was seen to give a column the range of another, which a query engine would believe.
    statistics: false,
  }));
}
