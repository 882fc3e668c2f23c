/**
 * An experiment's report as one HTML file that needs nothing else: no script, no font, no address is fetched, and its
 * own content policy forbids that anything ever is. The same data give the same bytes.
 */
import type { ExperimentReport } from '../evaluate/results.ts';
import type { Figure } from './draw-panel.ts';
import { drawAreas, drawComparison, drawPercentiles, drawRocCurves } from './figures-of-curves.ts';
import { drawConfusion, drawScores, drawTimelines } from './figures-of-flows.ts';
import { countOf, escapeText, formatCount, formatShare } from './markup.ts';
import { renderPage, simulatedNote, type PageSection } from './page-head.ts';
import { formatFigures } from './place-figures.ts';
import { groupBy, isPaperMethod, meanAndDeviation, summarizeContenders, type Contender } from './summarize-results.ts';
import { formatConfuserTable, formatDatasetTable, formatModelTable, formatSummaryTable } from './tables.ts';

/**
 * Draws a report.
 *
 * @param report  read only; results in any order
 * @returns       the HTML, in UTF-8
 */
export function renderReport(report: ExperimentReport): string {
  const contenders = summarizeContenders(report);
  const sections = contenders.length === 0
    ? [emptySection(), datasetSection(report)]
    : [...resultSections(report, contenders), datasetSection(report), methodSection()];
  const title = `Experiment: ${report.dataset.name}`;
  return renderPage({
    title, generator: 'natlens lab report', intro: formatOrigin(report), facts: listFacts(report, contenders), sections,
  });
}

function formatOrigin({ dataset }: ExperimentReport): string {
  const origin = dataset.isSimulated ? simulatedNote : '';
  return `${origin}${dataset.note === '' ? '' : `\n<p class="quiet">${escapeText(dataset.note)}</p>`}`;
}

function listFacts({ dataset }: ExperimentReport, contenders: readonly Contender[]): string[][] {
  return [
    ['devices', formatCount(dataset.devices), `${countOf(dataset.deviceModels.length, 'device model')}`],
    ['flows', formatCount(dataset.flows), dataset.isSimulated ? 'simulated' : 'captured'],
    ...contenders.slice(0, 2).map(({ label, rows, seeds }) => {
      const { mean, deviation, count } = meanAndDeviation(rows.map(({ auc }) => auc.mean));
      const spread = Number.isFinite(deviation) ? `± ${formatShare(deviation)}, ` : '';
      const sizes = `${countOf(count, 'device model')}, ${countOf(seeds, 'seed')}`;
      return [`mean AUC, ${label}`, formatShare(mean), `${spread}${sizes}`];
    }),
  ];
}

function resultSections(report: ExperimentReport, contenders: readonly Contender[]): PageSection[] {
  // The default detector and the paper's method in full; the others are compared.
  const shown = contenders.filter((contender, i) => i === 0 || isPaperMethod(contender));
  const rest = contenders.filter((contender) => !shown.includes(contender));
  const draw = (figures: readonly (Figure | undefined)[]): string => formatFigures(figures, sayOrigin(report));
  const folded = rest.length === 0 ? '' : `<details><summary>${countOf(rest.length, 'other method')}</summary>\n` +
    `${rest.map((contender) => formatModelTable(contender, report)).join('\n')}\n</details>`;
  return [
    { id: 'summary', title: 'Results beside the published ones', html: `${formatUnfitNote(contenders)}` +
      `${formatSummaryTable(contenders)}` },
    { id: 'table-3', title: 'Every device model (Table 3)',
      html: `${shown.map((contender) => formatModelTable(contender, report)).join('\n')}\n${folded}` },
    { id: 'auc', title: 'Area under the curve', html: draw([drawAreas(contenders)]) },
    { id: 'curves', title: 'ROC curves', html: draw([drawRocCurves(contenders)]) },
    { id: 'thresholds', title: 'Thresholds', html: draw([drawPercentiles(contenders)]) },
    { id: 'confusion', title: 'Confusion', html: draw(shown.map((one) => drawConfusion(one, report))) +
      shown.map((one) => formatConfuserTable(one, report)).join('\n') },
    { id: 'scores', title: 'Scores', html: draw(shown.map((one) => drawScores(one))) },
    { id: 'methods', title: 'Algorithms and catalogs', html: draw([drawComparison(contenders, report)]) },
    { id: 'traffic', title: 'Traffic', html: draw([drawTimelines(report)]) },
  ];
}

function formatUnfitNote(contenders: readonly Contender[]): string {
  const unfit = groupBy(contenders.flatMap(({ rows }) => rows.filter((row) => row.unfit.length > 0)),
    ({ deviceModel }) => deviceModel);
  if (unfit.size === 0) return '';
  const count = [...unfit.values()].reduce((sum, rows) => sum + rows.length, 0);
  const models = [...unfit].map(([name, rows]) =>
    `${escapeText(name)} (${rows.length} of ${countOf(contenders.length, 'method')})`);
  return `<p class="note"><strong>${countOf(count, 'classifier')} unfit for use</strong>, but counted in all means: ` +
    `${models.join('; ')}. The reasons stand in the tables of device models.</p>\n`;
}

function emptySection(): PageSection {
  return { id: 'summary', title: 'Results',
    html: '<p>The experiment has no results: no device model had enough flows.</p>' };
}

function datasetSection(report: ExperimentReport): PageSection {
  return { id: 'data', title: 'Data set', html: formatDatasetTable(report) };
}

function methodSection(): PageSection {
  return { id: 'reading', title: 'How to read the numbers', html: `<ul>
<li><strong>Split.</strong> Of each device the earliest 70 % of its flows train, the next 10 % validate, the latest 20 % test.</li>
<li><strong>AUC.</strong> Own test flows against those of all other devices. Interval: 95 % of bootstrap samples of flows, the
widest of all seeds.</li>
<li><strong>TPR, FPR.</strong> Shares of own and of other test flows that are accepted. Interval: 95 % after Wilson, on the number
of flows. Flows of one device resemble each other,
  so that the truth lies outside more often than in one of twenty cases.</li>
<li><strong>default, P10.</strong> The algorithm's own threshold, and the one that all but 10 % of the validation flows pass.</li>
<li><strong>FPR by device.</strong> Mean over the other devices, so that each counts once, however many flows it has.</li>
<li><strong>Other columns.</strong> Mean over seeds; under it the lowest and highest seed, where there is more than one.</li>
<li><strong>Time to detect.</strong> Mean time between accepted test flows of a unit, and their duration. –: none was detected.</li>
<li><strong>Homes alarmed by one flow.</strong> Of simulated homes without the device model, the share in which an hour of flows
has one that is accepted at percentile 10.</li>
</ul>` };
}

/** What a figure says of its data when it stands alone. */
function sayOrigin({ dataset, results }: ExperimentReport): string {
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  return `${dataset.isSimulated ? 'Simulated data. ' : ''}${dataset.name}: ${countOf(dataset.devices, 'device')}, ` +
    `${countOf(dataset.flows, 'flow')}, ${countOf(seeds, 'seed')}.`;
}
