/** One run of `natlens lab homes`: builds the data set if asked to, tries the methods, shows the table. */
import { formatCount, formatTable, readVersion } from '#base';
import { runHomes, type HomesReport, type HomesResult } from '#lab';
import type { LabHomesOptions } from './lab-homes-command.ts';
import { runTrials } from './lab-trial-options.ts';

/** Runs `natlens lab homes`. @throws OperatorError, EnvironmentError  as `runTrials` */
export async function runLabHomes(dataset: string | undefined, options: LabHomesOptions): Promise<HomesReport> {
  return runTrials(dataset, options, (input, progress) => runHomes({
    ...input, libraryShare: options.libraryShare, natlensVersion: readVersion(),
    onTrial: ({ finished, all, current }) => progress.tick(() => `natlens: ${finished} of ${all} trials: ` +
      `${current.deviceModel}, seed ${current.seed}, ${formatCount(progress.seconds)} s`),
  }));
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
