/** Tables of a report: the paper's Table 3 beside ours, confusers, training, and what the data set holds. */
import type { ExperimentReport } from '../evaluate/results.ts';
import {
  breakName, countOf, escapeText, formatCount, formatEstimate, formatKilobytes, formatMinutes, formatNumber,
  formatPercent, formatShare, formatTable, unknownText,
} from './markup.ts';
import { published, type MeanAndDeviation } from './published.ts';
import { meanAndDeviation, type Contender, type Estimate, type ModelRow } from './summarize-results.ts';

/** Columns that the summary and the table of device models share. */
type Measure = {
  readonly heading: string;
  readonly of: (row: ModelRow) => Estimate;
  readonly format: (value: number) => string;
  readonly published: string;
};

const sayDeviation = ({ mean, deviation }: MeanAndDeviation, format: (value: number) => string): string =>
  `${format(mean)}<small>${Number.isFinite(deviation) ? `±&nbsp;${format(deviation)}` : 'one device model'}</small>`;

const asPublished = (value: number): string => value.toFixed(2);

const measures: readonly Measure[] = [
  { heading: 'AUC', of: ({ auc }) => auc, format: formatShare, published: sayDeviation(published.auc, asPublished) },
  { heading: 'TPR<small>default</small>', of: ({ defaultTpr }) => defaultTpr, format: formatShare,
    published: sayDeviation(published.defaultTpr, asPublished) },
  { heading: 'FPR<small>default</small>', of: ({ defaultFpr }) => defaultFpr, format: formatShare,
    published: sayDeviation(published.defaultFpr, asPublished) },
  { heading: 'TPR<small>P10</small>', of: ({ p10Tpr }) => p10Tpr, format: formatShare,
    published: sayDeviation(published.p10Tpr, asPublished) },
  { heading: 'FPR<small>P10</small>', of: ({ p10Fpr }) => p10Fpr, format: formatShare,
    published: sayDeviation(published.p10Fpr, asPublished) },
  { heading: 'FPR<small>at TPR .9</small>', of: ({ fprAtTpr90 }) => fprAtTpr90, format: formatShare,
    published: unknownText },
  { heading: 'FPR<small>P10, by device</small>', of: ({ deviceMacroFpr }) => deviceMacroFpr, format: formatShare,
    published: unknownText },
  { heading: 'training<small>s</small>', of: ({ trainSeconds }) => trainSeconds, format: formatNumber,
    published: sayDeviation(published.trainSeconds, asPublished) },
  { heading: 'size<small>kB</small>', of: ({ artifactBytes }) => artifactBytes, format: formatKilobytes,
    published: sayDeviation(published.artifactBytes, formatKilobytes) },
  { heading: 'time to detect<small>min</small>', of: ({ timeToDetectSeconds }) => timeToDetectSeconds,
    format: formatMinutes,
    published: `${published.timeToDetectMinutes.low}–${published.timeToDetectMinutes.high}` +
      '<small>lowest–highest</small>' },
  { heading: 'homes alarmed<small>by one flow</small>', of: ({ homesAlarmedByOneFlow }) => homesAlarmedByOneFlow,
    format: formatPercent, published: unknownText },
];

/** Means over device models of every contender, under the published ones. */
export function formatSummaryTable(contenders: readonly Contender[]): string {
  const ours = contenders.map(({ label, rows, seeds }) => {
    const [own, other] = [rows.map(({ flows }) => flows.test), rows.map(({ otherFlows }) => otherFlows)];
    const total = (counts: readonly (number | undefined)[]): string =>
      counts.includes(undefined) ? unknownText
        : formatCount(counts.reduce<number>((sum, count) => sum + (count ?? 0), 0));
    return [escapeText(label), `${rows.length}<small>${countOf(seeds, 'seed')}</small>`, total(own), total(other),
      ...measures.map(({ of, format }) => sayDeviation(meanAndDeviation(rows.map((row) => of(row).mean)), format))];
  });
  return formatTable({
    caption: 'Mean ± standard deviation over device models, each the mean of its seeds. The first row is published ' +
      `(${published.source}; other captures, so no equal test). Test flows are summed over device models.`,
    headings: ['method', 'device models', 'own test flows', 'other test flows',
      ...measures.map(({ heading }) => heading)],
    rows: [
      [`published<small>${published.algorithm}</small>`, String(published.deviceModels), unknownText, unknownText,
        ...measures.map((measure) => measure.published)],
      ...ours,
    ],
    rowClasses: ['published'],
  });
}

/** The paper's Table 3 for one contender: a row per device model. */
export function formatModelTable({ label, rows, seeds }: Contender, { dataset }: ExperimentReport): string {
  const devices = new Map(dataset.deviceModels.map((model) => [model.deviceModel, model.devices]));
  return formatTable({
    caption: `${escapeText(label)}, ${countOf(seeds, 'seed')}. Under a number: its interval (explained at the end).`,
    headings: ['device model', 'devices', 'flows<small>train valid. test</small>', 'other<small>test flows</small>',
      ...measures.map(({ heading }) => heading)],
    rows: rows.map((row) => [
      `${breakName(row.deviceModel)}${formatUnfit(row)}`,
        `${formatCount(devices.get(row.deviceModel))}<small>${countOf(row.seeds, 'seed')}</small>`,
      [row.flows.train, row.flows.validation, row.flows.test]
        .map((count) => `<small>${formatCount(count)}</small>`).join(''),
      formatCount(row.otherFlows),
      ...measures.map(({ of, format }) => formatEstimate(of(row), format)),
    ]),
  });
}

function formatUnfit({ unfit }: ModelRow): string {
  return unfit.length === 0 ? '' : `<span class="unfit">unfit: ${escapeText(unfit.join(', '))}</span>`;
}

/** A longer table is folded. */
const confusersShown = 12;

/** Whose flows are taken for whose, and why. */
export function formatConfuserTable({ label, rows }: Contender, { dataset }: ExperimentReport): string {
  const total = new Map(dataset.deviceModels.map(({ deviceModel, flows }) => [deviceModel, flows]));
  const testFlows = (deviceModel: string): string => {
    const known = rows.find((row) => row.deviceModel === deviceModel)?.flows.test;
    if (known !== undefined) return formatCount(known);
    const flows = total.get(deviceModel);
    return flows === undefined ? unknownText : `about ${formatCount(flows / 5)}`;
  };
  const found = rows.flatMap((row) => row.confusers.map((confuser) => [
    breakName(row.deviceModel), breakName(confuser.deviceModel),
    formatPercent(confuser.share), testFlows(confuser.deviceModel),
    confuser.because.length === 0 ? 'no single feature' : confuser.because.map(escapeText).join(', '),
  ]));
  if (found.length === 0) {
    return `<p>${escapeText(label)}: no device model's flows are taken for those of another ` +
      `(${countOf(rows.length, 'device model')}).</p>`;
  }
  const table = formatTable({
    caption: `${escapeText(label)}: at the threshold of percentile 10, of the smallest seed. Features: their values lie in ` +
      'what training showed, in almost all of the accepted flows.',
    headings: ['classifier of', 'accepts flows of', 'share', 'of test flows', 'because these features fit'],
    rows: found, textColumns: [1, 4],
  });
  return found.length <= confusersShown ? table
    : `<details><summary>${countOf(found.length, 'confuser')} of ${escapeText(label)}</summary>${table}</details>`;
}

/** What the data set holds. */
export function formatDatasetTable({ dataset }: ExperimentReport): string {
  return formatTable({
    caption: `${escapeText(dataset.name)}: ${countOf(dataset.devices, 'device')}, ${countOf(dataset.flows, 'flow')}.`,
    headings: ['device model', 'kind', 'devices', 'flows'],
    rows: dataset.deviceModels.map(({ deviceModel, kind, devices, flows }) =>
      [breakName(deviceModel), kind === 'iot' ? 'IoT' : 'not IoT', formatCount(devices), formatCount(flows)]),
    textColumns: [1],
  });
}
