/**
 * The pages of `natlens lab compare`: the report, which has no script, and beside it the interactive graph of device
 * models and names. Each is one file that needs nothing else but the other's address and fetches nothing. The same
 * report gives the same bytes.
 */
import type { CompareReport } from '../compare/compare-report.ts';
import { compareStyle } from './compare-style.ts';
import { drawCompareTimes, drawFound, drawIdentificationStudy } from './figures-of-compare.ts';
import { linkGraph, type GraphInput } from './graph-data.ts';
import { drawGraphOverview } from './graph-drawing.ts';
import { countOf, escapeText, formatCount, formatShare } from './markup.ts';
import { renderPage, simulatedNote, type PageSection } from './page-head.ts';
import { formatFigures } from './place-figures.ts';
import { renderGraph } from './render-graph.ts';
import {
  findOurs, formatBetter, formatHeat, formatLinks, formatMethodTable, formatNames, formatSights, formatSignatures,
  listBetter,
} from './tables-of-compare.ts';

const generator = 'natlens lab compare';
/** Name of the interactive graph, in the folder of the report. */
const graphFile = 'graph.html';

export function renderCompare(report: CompareReport): string {
  return renderPage({
    title: `Methods compared: ${report.dataset.name}`, generator, intro: formatIntro(report), facts: listFacts(report),
    sections: listSections(report), extras: { style: compareStyle },
  });
}

/** The interactive graph, with the device model that ours finds least in red. */
export function renderCompareGraph(report: CompareReport): string {
  return renderGraph(inputOfGraph(report), generator);
}

function inputOfGraph({ dataset, graph, worstModel }: CompareReport): GraphInput {
  // A device model that asks for no name is not in the graph.
  const isDrawn = graph.models.some(({ name }) => name === worstModel);
  return { ...graph, dataset, ...(isDrawn ? { worst: worstModel } : {}) };
}

function listSections(report: CompareReport): PageSection[] {
  const origin = sayOrigin(report);
  return [
    { id: 'methods', title: 'Methods', html: formatMethodTable(report) },
    { id: 'equal', title: 'At equal FPR', html: formatFigures([drawFound(report), drawCompareTimes(report)], origin) },
    { id: 'models', title: 'Every device model', html: `${formatBetter(report)}\n${formatHeat(report)}` },
    { id: 'dedicated', title: 'Dedicated names', html: formatNames(report) },
    { id: 'names', title: 'Device models and names', html: formatGraphSection(report, origin) },
    { id: 'identification', title: 'Identifications', html: formatIdentification(report, origin) },
    { id: 'sights', title: 'What methods see', html: formatSights(report) },
    { id: 'reading', title: 'How to read the numbers', html: formatReading(report) },
  ];
}

/** Who wins, in a few sentences, and what else there is to know before anything is read. */
function formatIntro(report: CompareReport): string {
  const { dataset, deviceModels, outcome, remarks } = report;
  const ours = findOurs(report);
  const better = listBetter(report).length;
  const models = countOf(deviceModels.length, 'device model');
  const detail = ours === undefined || deviceModels.length === 0 ? ''
    : better === 0 ? `<li>There is none of ${models} that a method from elsewhere finds more of in a day.</li>\n`
      : '<li>A method from elsewhere finds more in a day of ' +
        `<a href="#models">${formatCount(better)} of ${models}</a>.</li>\n`;
  const origin = dataset.isSimulated ? `${simulatedNote}\n` : '';
  const first = outcome.length === 0 ? '' : `<ul class="outcome">\n${outcome.map((sentence) =>
    `<li>${escapeText(sentence)}</li>`).join('\n')}\n${detail}</ul>\n`;
  return `${origin}${first}${[dataset.note, ...remarks].filter((text) => text !== '')
    .map((text) => `<p class="quiet">${escapeText(text)}</p>`).join('\n')}`;
}

function listFacts({ dataset, settings, deviceModels, methods }: CompareReport): string[][] {
  const nullHomes = Math.max(0, ...methods.map((row) => row.nullHomes));
  return [
    ['units', formatCount(dataset.devices), countOf(dataset.flows, 'flow')],
    ['packets', formatCount(dataset.packets), `${formatCount(dataset.queries)} of them DNS queries`],
    ['methods', formatCount(methods.length), 'on the same homes'],
    ['device models looked for', formatCount(deviceModels.length), countOf(settings.seeds, 'seed')],
    ['null home-days', formatCount(nullHomes), 'of a method, at most'],
    ['promise', formatShare(settings.falseAlarmsPerMonth), 'false alarms per home, device model and month'],
  ];
}

function sayOrigin({ dataset, settings }: CompareReport): string {
  return `${dataset.isSimulated ? 'Simulated data. ' : ''}${dataset.name}: ${countOf(dataset.devices, 'unit')}, ` +
    `${countOf(dataset.flows, 'flow')}, ${countOf(dataset.packets, 'packet')}, ${countOf(settings.seeds, 'seed')}.`;
}

function formatGraphSection(report: CompareReport, origin: string): string {
  const input = inputOfGraph(report);
  const worst = report.worstModel === '' ? '' : ` ${input.worst === undefined
    ? `The device model that ours finds least, ${escapeText(report.worstModel)}, asks for no name.`
    : `In red: ${escapeText(report.worstModel)}, which ours finds least.`}`;
  return `<p>Who asks for what (as Fig. 5 of Meidan et al. 2020).${worst} <a href="${graphFile}">The same graph to ` +
    'zoom, to search and to follow</a>, with every name, is in the file beside this one.</p>\n' +
    formatFigures([drawGraphOverview(linkGraph(input))], origin);
}

function formatIdentification(report: CompareReport, origin: string): string {
  const figures = drawIdentificationStudy(report.identification);
  return `<h3>Hosts behind a NAT</h3>\n${formatLinks(report)}\n<h3>Signatures</h3>\n${formatSignatures(report)}\n` +
    `<h3>As the paper shows them</h3>\n${figures.length === 0 ? '<p>No packets to draw.</p>'
      : formatFigures(figures, origin)}`;
}

function formatReading({ settings, methods }: CompareReport): string {
  return `<ul>
<li><strong>Homes.</strong> The same homes for every method: units of one role together for a day, their flows and
their packets. Half of the other units are what methods learn from, a quarter calibrate, a quarter test.</li>
<li><strong>Coverage.</strong> Share of the device models looked for that a method can decide on at all in most seeds:
a rule of names needs names, a calibrated one a threshold.</li>
<li><strong>TPR.</strong> Share of the homes with the device model in which it is found by then, from its first flow
on; means over the device models that the method covers.</li>
<li><strong>FPR.</strong> Share of the home-days without the device model (and without its group) in which it is found
at any minute. Upper end: 95 %, the larger of the exact bound over homes and of seeds drawn anew.</li>
<li><strong>Coverage × TPR at equal FPR.</strong> With the score that ${formatShare(settings.fixedFpr)} of a seed's
null home-days reach, which nobody knows beforehand, and over all device models looked for: it compares methods, not
calibrations. “At 0”: with a score that none of them reaches.</li>
<li><strong>Median time to detect.</strong> Until a device model that is covered is found in half of the homes; a
dash: not within a day.</li>
<li><strong>CPU.</strong> Of one processor, for the flows or the packets of one home and day, without reading
files.</li>
<li><strong>Dedicated names.</strong> Names of servers that the maker runs for devices, and that only one device model
of the data set asks for.</li>
${methods.map(({ name, meaning, source }) =>
    `<li><strong>${escapeText(name)}.</strong> ${escapeText(meaning)} (${escapeText(source)})</li>`).join('\n')}
</ul>`;
}
