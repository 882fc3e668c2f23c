/**
 * The card of a data set: what is in it, where it is from, how it was made, what was left out and what was looked for.
 * As Markdown for people at a terminal and for repositories, and as one HTML file with plots that fetches nothing.
 */
import * as Plot from '@observablehq/plot';
import type { DeviceTimeline, ExperimentReport } from '../evaluate/results.ts';
import { drawPanel, type Figure, type Panel } from '../report/draw-panel.ts';
import { drawTimelines } from '../report/figures-of-flows.ts';
import { breakName, countOf, escapeText, formatCount, formatNumber, formatTable } from '../report/markup.ts';
import { colorOf } from '../report/palette.ts';
import { renderHead } from '../report/page-head.ts';
import { flowsForTraining, type DatasetDescription, type DeviceDescription } from './describe-dataset.ts';

type Fact = readonly [name: string, value: string];

/** The card as Markdown. */
export function formatCard(description: DatasetDescription): string {
  const { name, isSimulated, note, deviceModels, devices, remarks, leakChecks } = description;
  return [
    `# Data set ${name}`, '',
    ...(isSimulated ? ['**Simulated data.** All traffic was made by a simulator.', ''] : []),
    ...(note === '' ? [] : [note, '']),
    ...listFacts(description).map(([fact, value]) => `- ${fact}: ${value}`), '',
    '## Device models', '',
    markdownTable(['device model', 'kind', 'devices', 'flows', 'train', 'validation', 'test'],
      deviceModels.map((model) => [model.deviceModel, model.kind, formatCount(model.devices),
        ...[model.flows, model.train, model.validation, model.test].map(formatCount)])), '',
    '## Devices', '',
    markdownTable(deviceHeadings, devices.map(describeRow)), '',
    '## Looked for, and not found', '', ...leakChecks.map((check) => `- ${check}`),
    ...(remarks.length === 0 ? [] : ['', '## Remarks', '', ...remarks.map((remark) => `- ${remark}`)]),
  ].join('\n');
}

function listFacts({ parameters, counts, sources, devices, deviceModels, madeBy }: DatasetDescription): Fact[] {
  const { l7Source, l7Version, activeTimeoutMs, idleTimeoutMs, trainTenths, validationTenths } = parameters;
  const leftOut = Object.entries(counts.leftOut).filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${formatCount(count)}`);
  const enough = deviceModels.filter(({ flows, kind }) => kind === 'iot' && flows >= flowsForTraining).length;
  return [
    ['Flows', `${formatCount(counts.labelled)} of ${countOf(devices.length, 'device')}, ` +
      `${countOf(deviceModels.length, 'device model')}; ${enough} IoT device models with ` +
      `${formatCount(flowsForTraining)} flows or more`],
    ['Read', `${countOf(sources - 1, 'file')} with ${formatCount(counts.read)} flows; left out: ` +
      `${leftOut.join(', ') || 'none'}`],
    ['Made by', `${madeBy}; timeouts ${activeTimeoutMs / 1_000} s active, ${idleTimeoutMs / 1_000} s idle; ` +
      `layer-7 names: ${l7Source}${l7Version === '' ? '' : ` ${l7Version}`}`],
    ['Parts', `of each device the earliest ${trainTenths * 10} % of the flows train, the next ` +
      `${validationTenths * 10} % validate, the latest ${100 - 10 * (trainTenths + validationTenths)} % test`],
  ];
}

const deviceHeadings = ['device', 'from', 'days', 'flows', 'MB', 'destinations', 'median s between flows',
  'most frequent names'] as const;
const dayMs = 86_400_000;

function describeRow(device: DeviceDescription): string[] {
  const { firstMs, lastMs, flows, octets, destinations, interArrivalSeconds, names } = device;
  return [
    device.device, new Date(firstMs).toISOString().slice(0, 10), formatNumber((lastMs - firstMs) / dayMs),
    formatCount(flows), formatNumber(octets / 1e6), formatCount(destinations),
    interArrivalSeconds === undefined ? '–' : formatNumber(interArrivalSeconds),
    names.map(({ name, flows: count }) => `${name || 'no name'} ${Math.round(100 * count / flows)} %`).join(', '),
  ];
}

function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n');
}

/**
 * The card as HTML; the same data set gives the same bytes.
 *
 * @param timelines  of each device
 */
export function renderCard(description: DatasetDescription, timelines: readonly DeviceTimeline[]): string {
  const { name, isSimulated, note, deviceModels, devices, remarks, leakChecks } = description;
  const title = `Data set ${name}`;
  const list = (items: readonly string[]): string =>
    `<ul>${items.map((item) => `<li>${escapeText(item)}</li>`).join('\n')}</ul>`;
  return `${renderHead(title)}
<body>
<header><h1>${escapeText(title)}</h1>
${isSimulated ? simulatedNote : ''}
${note === '' ? '' : `<p class="quiet">${escapeText(note)}</p>`}
</header>
<main>
${list(listFacts(description).map(([fact, value]) => `${fact}: ${value}`))}
<h2>Device models</h2>
${formatFigure(drawModels(description))}
${formatTable({
    caption: 'Flows of each device model, and of its parts.',
    headings: ['device model', 'kind', 'devices', 'flows', 'train', 'validation', 'test'], textColumns: [1],
    rows: deviceModels.map((model) => [breakName(model.deviceModel), model.kind, formatCount(model.devices),
      ...[model.flows, model.train, model.validation, model.test].map(formatCount)]),
  })}
<h2>Devices</h2>
${formatTable({
    caption: 'Each device: since when and how long, what it sends, and to how many.',
    headings: deviceHeadings,
    textColumns: [1, 7], rows: devices.map((device) => describeRow(device).map((cell, i) =>
      i === 0 ? breakName(cell) : escapeText(cell))),
  })}
<h2>Traffic</h2>
${formatFigure(drawTimelines(reportOf(description, timelines)))}
<h2>Looked for, and not found</h2>
${list(leakChecks)}
${remarks.length === 0 ? '' : `<h2>Remarks</h2>\n${list(remarks)}`}
</main>
<footer>Made by natlens lab describe. This file is whole: it has no scripts and fetches nothing.</footer>
</body>
</html>
`;
}

const simulatedNote = '<p class="note"><strong>Simulated data.</strong> All traffic was made by a simulator.</p>';

/** An experiment without results: what figures of flows are drawn from. */
function reportOf(
  { name, isSimulated, note, devices, deviceModels, counts }: DatasetDescription, timelines: readonly DeviceTimeline[],
): ExperimentReport {
  const dataset = { name, isSimulated, note, devices: devices.length, flows: counts.labelled, deviceModels };
  const flowsOf = ({ flows }: DeviceTimeline): number => flows.reduce((sum, count) => sum + count, 0);
  // Where there are more than are drawn, those with most flows are.
  return { dataset, results: [], details: [], timelines: timelines.toSorted((a, b) => flowsOf(b) - flowsOf(a)) };
}

/** Flows of each device model by part, on a logarithmic scale: a model's flows differ by factors of a thousand. */
function drawModels({ deviceModels }: DatasetDescription): Figure {
  const domain = deviceModels.map(({ deviceModel }) => deviceModel);
  const longest = Math.max(...domain.map((name) => name.length));
  const marginLeft = longest * 7.4 + 16;
  const panel: Panel = drawPanel({
    heading: 'Flows of each device model', subheading: 'line: about as many are needed to train',
    description: deviceModels.map(({ deviceModel, flows }) => `${deviceModel} ${flows}`).join(', '),
    width: marginLeft + 420, height: domain.length * 20 + 50, marginLeft, marginRight: 60, marginTop: 24,
    marginBottom: 10,
    x: { type: 'log', axis: 'top', label: null, ticks: 4, tickFormat: (value: number) => formatCount(value),
      domain: [1, Math.max(flowsForTraining, ...deviceModels.map(({ flows }) => flows))] },
    y: { domain, label: null, tickSize: 0 },
    marks: [
      Plot.barX(deviceModels, {
        y: 'deviceModel', x1: () => 1, x2: 'flows', inset: 2,
        fill: ({ kind }: DatasetDescription['deviceModels'][number]) => colorOf(kind === 'iot' ? 's1' : 's2'),
        title: (model: DatasetDescription['deviceModels'][number]) => `${model.deviceModel} (${model.kind}): ` +
          `${countOf(model.flows, 'flow')}: ${model.train} train, ${model.validation} validation, ${model.test} test`,
      }),
      Plot.text(deviceModels, {
        y: 'deviceModel', x: 'flows', dx: 4, textAnchor: 'start', fill: colorOf('ink'),
        text: ({ flows }: DatasetDescription['deviceModels'][number]) => formatCount(flows),
      }),
      Plot.ruleX([flowsForTraining], { stroke: colorOf('ink'), strokeDasharray: '4 3' }),
    ],
  });
  return { id: 'models', title: 'Flows of each device model', panels: [panel],
    caption: 'Blue: IoT; orange: not IoT. The scale is logarithmic.' };
}

function formatFigure(figure: Figure | undefined): string {
  if (figure === undefined) return '';
  const drawing = figure.panels.map(({ svg }) => svg.replace(' xmlns="http://www.w3.org/2000/svg"', '')).join('\n');
  const box = figure.panels.length > 1 ? `<div class="panels">\n${drawing}\n</div>`
    : `<div class="scroll wide" role="region" tabindex="0" aria-label="${escapeText(figure.title)}">${drawing}</div>`;
  const title = escapeText(figure.title);
  return `<figure id="${figure.id}"><figcaption><strong>${title}</strong> ${figure.caption}</figcaption>
${box}</figure>`;
}
