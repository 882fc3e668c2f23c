/** One run of `natlens lab homes`: builds the data set if asked to, tries the methods, shows the table. */
import { join } from 'node:path';
import { formatCount, formatTable, readVersion } from '#base';
import { dropTemporaryFiles } from '#flow/files';
import { runHomes, type HomesReport, type HomesResult } from '#lab';
import { cleanUpOnSignal } from './interruption.ts';
import { runLabBuild } from './lab-build-command.ts';
import type { LabHomesOptions } from './lab-homes-command.ts';
import { makeFolder } from './make-folder.ts';
import { Progress } from './progress.ts';

/**
 * Runs `natlens lab homes`.
 *
 * @param dataset  folder of a data set; undefined: it is built from `options.inventory`
 * @throws OperatorError     an input cannot be read, an option does not fit it
 * @throws EnvironmentError  the disk failed, libndpi is absent
 */
export async function runLabHomes(dataset: string | undefined, options: LabHomesOptions): Promise<HomesReport> {
  const folder = dataset ?? join(options.out, 'dataset');
  if (options.inventory !== undefined) {
    await runLabBuild({ ...options, inventory: options.inventory, out: folder });
  }
  // Before minutes of work, not after them.
  makeFolder(options.out);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  const progress = new Progress(options.quiet === true);
  try {
    return await runHomes({
      dataset: folder, out: options.out, deviceModels: options.deviceModel, flowsMin: options.minFlows,
      seeds: options.seeds, libraryShare: options.libraryShare, budget: { perMonth: options.falseAlarms },
      homes: options.homes, calibrationHomes: options.calibrationHomes, knowsAllModels: options.knownModels === true,
      natlensVersion: readVersion(),
      onTrial: ({ finished, all, last }) => progress.tick(() => `natlens: ${finished} of ${all} trials: ` +
        `${last.deviceModel}, seed ${last.seed}, ${formatCount(progress.seconds)} s`),
    });
  } finally {
    progress.end();
    forgetCleanUp();
  }
}

/** The tables for people: all device models together, and those of our best method one by one. */
export function formatHomes(report: HomesReport, { out }: LabHomesOptions): string {
  const { dataset, settings, methods, deviceModels, results, overall, remarks } = report;
  const ours = methods.at(-1)?.name ?? '';
  const summary = methods.map(({ name }) => formatRow(name, results.filter(({ method }) => method === name),
    overall.find(({ method }) => method === name)));
  const models = deviceModels.map(({ deviceModel }) => formatRow(deviceModel,
    results.filter((result) => result.method === ours && result.deviceModel === deviceModel)));
  const headings = ['promised', 'FPR', 'bound', 'null home-days', 'TPR 10 min', '1 h', '6 h', '24 h', 'says'];
  return [
    `${dataset.name}${dataset.isSimulated ? ' (simulated)' : ''}: ${countOf(deviceModels.length, 'device model')} ` +
    `looked for, ${countOf(dataset.devices, 'unit')}, ${countOf(settings.seeds, 'seed')}; ` +
    'FPR of a home-day, 95 % bound',
    '',
    formatTable(['method', ...headings], summary),
    '',
    formatTable([ours, ...headings], models),
    '',
    // Members of a group that are looked for say the same.
    ...new Set(results.filter(({ method, windowMinutes, group }) =>
      method === ours && windowMinutes === 60 && group.length > 0)
      .map(({ group }) => `Not told apart: ${group.join(', ')}.`)),
    ...remarks,
    `Written to ${out}: results.json, report.json, report.html.`,
  ].join('\n');
}

function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** @param overall  of all device models; undefined: the results are of one */
function formatRow(name: string, results: readonly HomesResult[], overall?: HomesReport['overall'][number]): string[] {
  const mean = (of: readonly HomesResult[], read: (result: HomesResult) => number): number =>
    of.reduce((sum, result) => sum + read(result), 0) / of.length;
  const at = (minutes: number): HomesResult[] => results.filter(({ windowMinutes }) => windowMinutes === minutes);
  const day = at(1_440);
  const measured = overall ?? day[0];
  const promised = day[0]?.promisedFpr ?? null;
  const verdicts = [...new Set(day.map(({ verdict }) => verdict))];
  return [
    name, promised === null ? '-' : promised.toExponential(1), (measured?.measuredFpr ?? Number.NaN).toFixed(4),
    (measured?.fprUpper95 ?? Number.NaN).toPrecision(2), formatCount(measured?.nullHomes ?? 0),
    ...[10, 60, 360, 1_440].map((minutes) => mean(at(minutes), ({ tpr }) => tpr).toFixed(3)), verdicts.join(', '),
  ];
}
