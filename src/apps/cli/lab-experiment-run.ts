/** One run of `natlens lab experiment`: builds the data set if asked to, runs the experiment, shows the table. */
import { join } from 'node:path';
import { formatBytes, formatCount, formatDuration, formatTable, readVersion } from '#base';
import { dropTemporaryFiles } from '#flow/files';
import { runExperiment, type Experiment, type ExperimentResult } from '#lab';
import { cleanUpOnSignal } from './interruption.ts';
import { runLabBuild } from './lab-build-command.ts';
import type { LabExperimentOptions } from './lab-experiment-command.ts';
import { Progress } from './progress.ts';

/**
 * Runs `natlens lab experiment`.
 *
 * @param dataset  folder of a data set; undefined: it is built from `options.inventory`
 * @throws OperatorError     an input cannot be read, an option does not fit it
 * @throws EnvironmentError  the disk or a thread failed, libndpi is absent
 */
export async function runLabExperiment(
  dataset: string | undefined, options: LabExperimentOptions,
): Promise<Experiment> {
  const folder = dataset ?? join(options.out, 'dataset');
  if (options.inventory !== undefined) {
    await runLabBuild({ ...options, inventory: options.inventory, out: folder });
  }
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  const progress = new Progress(options.quiet === true);
  try {
    return await runExperiment({
      dataset: folder, out: options.out, deviceModels: options.deviceModel,
      algorithms: options.algorithm, catalogs: options.catalog, seeds: options.seeds, jobs: options.jobs,
      flowsMin: options.minFlows, withTimes: options.times, natlensVersion: readVersion(),
      onCell: ({ finished, all, last }) => progress.tick(() => `natlens: ${finished} of ${all} classifiers: ` +
        `${last.deviceModel}, ${last.algorithm}, ${last.catalog}, seed ${last.seed}, ` +
        `${formatCount(progress.seconds)} s`),
    });
  } finally {
    progress.end();
    forgetCleanUp();
  }
}

/** The table for people: means of the seeds. */
export function formatExperiment(
  { report, foundCells, leftOut, remarks }: Experiment, { out }: LabExperimentOptions,
): string {
  const { dataset, results } = report;
  const rows = [...Map.groupBy(results, ({ deviceModel, algorithm, catalog }) =>
    [deviceModel, algorithm, catalog].join('\n')).values()].map(formatRow);
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  return [
    `${dataset.name}${dataset.isSimulated ? ' (simulated)' : ''}: ${formatCount(dataset.flows)} flows of ` +
    `${dataset.devices} devices; test parts of all of them are judged`,
    '',
    formatTable(['device model', 'algorithm', 'catalog', 'train', 'test', 'AUC', 'TPR', 'FPR', 'P10 TPR', 'P10 FPR',
      'FPR at TPR .9', 'fit', 'size', 'to detect'], rows),
    '',
    ...(seeds > 1 ? [`Means of ${seeds} seeds.`] : []),
    ...(leftOut.length === 0 ? [] : [`Not run, for too few flows: ${leftOut.map(({ deviceModel, flows }) =>
      `${deviceModel} (${formatCount(flows)})`).join(', ')}.`]),
    ...remarks,
    ...describeUnfit(results),
    ...(foundCells === 0 ? [] : [`${foundCells} of ${results.length} were finished by an earlier run.`]),
    `Written to ${out}: results.json, results.parquet, report.json, classifiers/.`,
  ].join('\n');
}

function formatRow(results: readonly ExperimentResult[]): string[] {
  const [first] = results as [ExperimentResult];
  const mean = (read: (result: ExperimentResult) => number | undefined): number =>
    results.reduce((sum, result) => sum + (read(result) ?? Number.NaN), 0) / results.length;
  const share = (read: (result: ExperimentResult) => number | undefined): string => mean(read).toFixed(3);
  const toDetect = mean(({ timeToDetectSeconds }) => timeToDetectSeconds ?? undefined);
  return [
    first.deviceModel, first.algorithm, first.catalog, formatCount(first.flows.train), formatCount(first.flows.test),
    share(({ auc }) => auc), share((result) => result.default.tpr), share((result) => result.default.fpr),
    share(({ percentiles }) => percentiles[10]?.tpr), share(({ percentiles }) => percentiles[10]?.fpr),
    share(({ fprAtTpr90 }) => fprAtTpr90), formatDuration(mean(({ trainSeconds }) => trainSeconds) * 1_000),
    formatBytes(Math.round(mean(({ artifactBytes }) => artifactBytes))),
    Number.isNaN(toDetect) ? 'never' : formatDuration(toDetect * 1_000),
  ];
}

/** A line for each classifier that calls itself unfit, its seeds together; results.json has all reasons. */
function describeUnfit(results: readonly ExperimentResult[]): string[] {
  const unfit = results.filter((result) => result.unfit.length > 0);
  const groups = Map.groupBy(unfit, ({ deviceModel, algorithm, catalog }) =>
    [deviceModel, algorithm, catalog].join(', '));
  return [...groups].map(([name, ofGroup]) => {
    const seeds = ofGroup.map(({ seed }) => seed).join(', ');
    return `UNFIT: ${name}, ${ofGroup.length === 1 ? 'seed' : 'seeds'} ${seeds}: ${ofGroup[0]?.unfit.join(' ')}`;
  });
}
