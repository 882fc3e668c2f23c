/**
 * The page of `natlens lab homes`: one HTML file that needs nothing else and fetches nothing. The same report gives the
 * same bytes.
 */
import type { HomesReport } from '../homes/homes-report.ts';
import { drawLibrary, drawTimes } from './figures-of-homes.ts';
import { countOf, escapeText, formatCount, formatShare } from './markup.ts';
import { renderHead } from './page-head.ts';
import { formatFigures } from './place-figures.ts';
import {
  formatBaseRates, formatGroups, formatLooks, formatMethods, formatModels, formatPromises, nameWorst,
} from './tables-of-homes.ts';

type Section = { readonly id: string; readonly title: string; readonly html: string };

export function renderHomes(report: HomesReport): string {
  const title = `Homes: ${report.dataset.name}`;
  const sections = listSections(report);
  return `${renderHead(title, 'natlens lab homes')}
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<h1>${escapeText(title)}</h1>
${formatOrigin(report)}
${formatFacts(report)}
</header>
<nav aria-label="Contents"><strong>Contents</strong><ol>
${sections.map(({ id, title: name }) => `<li><a href="#${id}">${escapeText(name)}</a></li>`).join('\n')}
</ol></nav>
<main id="main">
${sections.map(({ id, title: name, html }) =>
    `<section aria-labelledby="${id}">\n<h2 id="${id}">${escapeText(name)}</h2>\n${html}\n</section>`).join('\n')}
</main>
<footer>Made by natlens lab homes. This file is whole: it has no scripts and fetches nothing.</footer>
</body>
</html>
`;
}

function listSections(report: HomesReport): Section[] {
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
  const origin = dataset.isSimulated ? '<p class="note"><strong>Simulated data.</strong> All traffic in this report was ' +
    'made by a simulator. It shows that the method runs, not how well it does on real devices.</p>\n' : '';
  return `${origin}${[dataset.note, ...remarks].filter((text) => text !== '')
    .map((text) => `<p class="quiet">${escapeText(text)}</p>`).join('\n')}`;
}

function formatFacts({ dataset, settings, deviceModels, results }: HomesReport): string {
  const nullHomes = Math.max(0, ...results.map((result) => result.nullHomes));
  const facts = [
    ['units', formatCount(dataset.devices), countOf(dataset.flows, 'flow')],
    ['device models looked for', formatCount(deviceModels.length), countOf(settings.seeds, 'seed')],
    ['null home-days', formatCount(nullHomes), 'for each of them, at most'],
    ['promise', formatShare(settings.falseAlarmsPerMonth), 'false alarms per home, device model and month'],
  ];
  return `<dl class="facts">${facts.map(([name = '', value = '', more = '']) => `<div><dt>${escapeText(name)}</dt>` +
    `<dd>${escapeText(value)}<small>${escapeText(more)}</small></dd></div>`).join('')}</dl>`;
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
