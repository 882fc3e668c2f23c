/**
 * The page of `natlens lab homes`: one HTML file that needs nothing else and fetches nothing. The same report gives the
 * same bytes.
 */
import type { HomesReport } from '../homes/homes-report.ts';
import { drawLibrary, drawTimes } from './figures-of-homes.ts';
import { countOf, escapeText, formatCount, formatShare } from './markup.ts';
import { renderPage, simulatedNote, type PageSection } from './page-head.ts';
import { formatFigures } from './place-figures.ts';
import {
  formatBaseRates, formatGroups, formatLooks, formatMethods, formatModels, formatPromises, nameWorst,
} from './tables-of-homes.ts';

export function renderHomes(report: HomesReport): string {
  const title = `Homes: ${report.dataset.name}`;
  return renderPage({
    title, generator: 'natlens lab homes', intro: formatOrigin(report), facts: listFacts(report),
    sections: listSections(report),
  });
}

function listSections(report: HomesReport): PageSection[] {
  const origin = sayOrigin(report);
  return [
    { id: 'methods', title: 'Methods', html: `${nameWorst(report)}\n${formatMethods(report)}` },
    { id: 'time', title: 'Found, against time', html: formatFigures([drawTimes(report)], origin) },
    { id: 'models', title: 'Every device model', html: formatModels(report) },
    { id: 'promises', title: 'Promised and measured', html: formatPromises(report) },
    { id: 'looks', title: 'How often one looks', html: formatLooks(report) },
    { id: 'library', title: 'Size of the library', html: formatFigures([drawLibrary(report)], origin) },
    { id: 'base-rates', title: 'A day among a million homes', html: formatBaseRates(report) },
    { id: 'groups', title: 'Groups', html: formatGroups(report) },
    { id: 'reading', title: 'How to read the numbers', html: formatReading(report) },
  ];
}

function formatOrigin({ dataset, remarks }: HomesReport): string {
  const origin = dataset.isSimulated ? `${simulatedNote}\n` : '';
  return `${origin}${[dataset.note, ...remarks].filter((text) => text !== '')
    .map((text) => `<p class="quiet">${escapeText(text)}</p>`).join('\n')}`;
}

function listFacts({ dataset, settings, deviceModels, results }: HomesReport): string[][] {
  const nullHomes = Math.max(0, ...results.map((result) => result.nullHomes));
  return [
    ['units', formatCount(dataset.devices), countOf(dataset.flows, 'flow')],
    ['device models looked for', formatCount(deviceModels.length), countOf(settings.seeds, 'seed')],
    ['null home-days', formatCount(nullHomes), 'for each of them, at most'],
    ['promise', formatShare(settings.falseAlarmsPerMonth), 'false alarms per home, device model and month'],
  ];
}

function sayOrigin({ dataset, settings }: HomesReport): string {
  return `${dataset.isSimulated ? 'Simulated data. ' : ''}${dataset.name}: ${countOf(dataset.devices, 'unit')}, ` +
    `${countOf(dataset.flows, 'flow')}, ${countOf(settings.seeds, 'seed')}.`;
}

function formatReading({ settings, methods }: HomesReport): string {
  const known = settings.knowsAllModels
    ? 'Groups are learned of all device models of the data set, as a lab knows those that it has.'
    : 'Groups are learned of units of the library and of calibration: what unknown units do is a false alarm.';
  return `<ul>
<li><strong>Roles.</strong> Half of the other units are the library, a quarter calibrate, a quarter test; those of one device
model share a role. Each seed deals anew.</li>
<li><strong>Homes.</strong> 3 to 25 units of one role (as many as there are), people's machines among them, for a day.
Homes with the device model have its test part, and time runs from its first flow.</li>
<li><strong>TPR.</strong> Share of the homes with the device model in which it is found by then.</li>
<li><strong>FPR.</strong> Share of the home-days without the device model (and without its group) in which it is found at any
minute. Upper end: 95 %, the larger of the exact bound over homes and of seeds drawn anew.</li>
<li><strong>TPR at FPR ${formatShare(settings.fixedFpr)}.</strong> With the score that so few of a seed's null home-days
reach, which nobody knows beforehand: it compares methods, not calibrations.</li>
<li><strong>Groups.</strong> ${known}</li>
${methods.map(({ name, meaning }) =>
    `<li><strong>${escapeText(name)}.</strong> ${escapeText(meaning)}</li>`).join('\n')}
</ul>`;
}
