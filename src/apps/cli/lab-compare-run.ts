/** One run of `natlens lab compare`: builds the data set if asked to, tries the methods, shows the table. */
import { formatCount, formatTable, readVersion } from '#base';
import { runCompare, type CompareReport, type CompareRow } from '#lab';
import type { LabCompareOptions } from './lab-compare-command.ts';
import { runTrials } from './lab-trial-options.ts';

/** Runs `natlens lab compare`. @throws OperatorError, EnvironmentError  as `runTrials`; there are no traces */
export async function runLabCompare(dataset: string | undefined, options: LabCompareOptions): Promise<CompareReport> {
  return runTrials(dataset, options, (input, progress) => runCompare({
    ...input, linkedHomes: options.linkedHomes, natlensVersion: readVersion(),
    onProgress: (what, finished, all) => progress.tick(() =>
      `natlens: ${what}: ${finished} of ${all} done, ${formatCount(progress.seconds)} s`),
  }));
}

/** The tables for people: methods, what names can tell, how well packets are linked. */
export function formatCompare(report: CompareReport, { out }: LabCompareOptions): string {
  const { dataset, settings, deviceModels, methods, names, outcome, remarks } = report;
  const share = (count: number): string =>
    `${count} of ${names.deviceModels.length} (${(count / Math.max(1, names.deviceModels.length)).toFixed(2)})`;
  return [
    `${dataset.name}${dataset.isSimulated ? ' (simulated)' : ''}: ${formatCount(deviceModels.length)} device models ` +
    `looked for, ${formatCount(dataset.devices)} units, ${formatCount(settings.seeds)} seeds; FPR of a home-day; ` +
    `found: coverage times TPR where ${settings.fixedFpr} of the home-days without are found; at 0: where none is, ` +
    '24 h; calibrated: with the score that homes that calibrate set for the promise',
    '',
    formatTable(['method', 'covers', 'FPR', 'bound', 'TPR 1 h', '24 h', 'found 1 h', '24 h', 'at 0',
      'calibrated FPR', 'found 1 h', 'half by', 'sees', 'CPU/home-day'], methods.map((row) => formatRow(row, report))),
    '',
    `Device models by dedicated names: 3 or more ${share(names.withThreeOrMore)}, 2 ${share(names.withTwo)}, ` +
    `1 ${share(names.withOne)}, none ${share(names.withNone)}.`,
    ...formatLinks(report),
    '',
    ...outcome,
    ...remarks,
    `Written to ${out}: results.json, report.json, report.html, graph.html.`,
  ].join('\n');
}

function formatRow(row: CompareRow, { deviceModels, resultMinutes }: CompareReport): string[] {
  const at = (values: readonly number[] | null, minutes: number): string =>
    values?.[resultMinutes.indexOf(minutes)]?.toFixed(3) ?? '-';
  return [
    row.name, `${row.covered.length}/${deviceModels.length}`, row.measuredFpr?.toFixed(4) ?? '-',
    row.fprUpper95?.toPrecision(2) ?? '-', at(row.tpr, 60), at(row.tpr, 1_440), at(row.foundAtFixedFpr, 60),
    at(row.foundAtFixedFpr, 1_440), at(row.foundAtZeroFpr, 1_440),
    row.calibrated.measuredFpr?.toFixed(4) ?? '-', at(row.calibrated.found, 60),
    row.medianMinutes === null ? '-' : formatMinutes(row.medianMinutes), row.sees,
    formatMilliseconds(row.cpuMsPerHomeDay),
  ];
}

function formatMinutes(minutes: number): string {
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 0.1) return `${(1_000 * milliseconds).toPrecision(2)} µs`;
  return `${milliseconds < 100 ? milliseconds.toPrecision(2) : formatCount(milliseconds)} ms`;
}

function formatLinks({ identification: { links, homes } }: CompareReport): string[] {
  if (links.length === 0) return [];
  const share = (value: number | null): string => value?.toFixed(3) ?? '-';
  return ['', `Queries of hosts behind a NAT, linked by their identifications (${formatCount(homes)} homes):`, '',
    formatTable(['linker', 'counter of the hosts', 'units', 'queries', 'coverage', 'accuracy', 'purity'],
      links.map(({ linker, hosts, units, queries, coverage, accuracy, purity }) =>
        [linker, hosts, formatCount(units), formatCount(queries), share(coverage), share(accuracy), share(purity)]))];
}
