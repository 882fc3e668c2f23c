/**
 * Figures of how well classifiers tell flows apart: area under the curve, ROC curves (the paper's Fig. 4a), and what
 * another percentile would give. Colour, dashes and symbol of a series are those of its algorithm and catalog.
 */
import * as Plot from '@observablehq/plot';
import type { ExperimentReport } from '../evaluate/results.ts';
import { drawLegend, drawPanel, panelWidth, type Figure, type Panel } from './draw-panel.ts';
import { countOf, escapeText, formatCount, formatShare, sayEstimate } from './markup.ts';
import { colorOf, seriesStyle } from './palette.ts';
import { published } from './published.ts';
import {
  mean, recommendedPercentile, type Contender, type Estimate, type ModelRow, type PercentilePoint,
} from './summarize-results.ts';

/** Width of a figure that is one wide panel. */
const widePanel = 700;

/** What a number of a device model rests on. */
const flowsOf = ({ flows, otherFlows, seeds }: ModelRow): string =>
  `${formatCount(flows.test)} own and ${formatCount(otherFlows)} other test flows, ${countOf(seeds, 'seed')}`;

/** Area under the curve of every device model and contender, with intervals and the published mean. */
export function drawAreas(contenders: readonly Contender[]): Figure {
  const models = contenders[0]?.rows.map(({ deviceModel }) => deviceModel) ?? [];
  const all = [...new Set([...models, ...contenders.flatMap(({ rows }) =>
    rows.map(({ deviceModel }) => deviceModel))])];
  const lowest = Math.min(1, ...contenders.flatMap(({ rows }) => rows.map(({ auc }) => auc.interval?.[0] ?? auc.mean))
    .filter((area) => Number.isFinite(area)));
  const from = Math.max(0, Math.floor(Math.min(lowest, published.auc.mean - published.auc.deviation) * 20) / 20);
  const panels = all.map((deviceModel) => {
    const found = contenders.flatMap(({ label, rows }, index) => rows.filter((row) => row.deviceModel === deviceModel)
      .map((row) => ({ label, index, row, auc: row.auc.mean, low: row.auc.interval?.[0],
        high: row.auc.interval?.[1] })));
    type Found = typeof found[number];
    const say = ({ label, row }: Found): string => `${label}: ${sayEstimate(row.auc, formatShare)}, ${flowsOf(row)}`;
    const colorAt = ({ index }: Found): string => seriesStyle(index).color;
    return drawPanel({
      heading: deviceModel, subheading: flowsOf((found[0] as Found).row), description: found.map(say).join('; '),
      height: 40 + found.length * 18, marginTop: 8, marginLeft: 18, marginRight: 58, marginBottom: 34,
      x: { domain: [from, 1], label: 'area under the ROC curve', ticks: 5, labelAnchor: 'center', labelArrow: 'none' },
      y: { domain: found.map(({ label }) => label), axis: null },
      marks: [
        Plot.rectX([0], {
          x1: published.auc.mean - published.auc.deviation, x2: published.auc.mean + published.auc.deviation,
          fill: colorOf('quiet'), fillOpacity: 0.14,
        }),
        Plot.ruleX([published.auc.mean], { stroke: colorOf('quiet'), strokeDasharray: '3 3' }),
        Plot.ruleY(found.filter(({ low }) => low !== undefined), {
          x1: 'low', x2: 'high', y: 'label', stroke: colorAt, strokeWidth: 2,
        }),
        ...found.map((one) => Plot.dot([one], {
          x: 'auc', y: 'label', symbol: seriesStyle(one.index).symbol, fill: colorAt(one), r: 4.5, title: say,
        })),
        Plot.text(found, {
          x: () => 1, y: 'label', dx: 8, textAnchor: 'start', text: ({ auc }: Found) => formatShare(auc), title: say,
        }),
      ],
    });
  });
  return {
    id: 'areas', title: 'Area under the ROC curve, by device model', panels,
    legend: drawLegend(contenders.map(({ label }) => label)),
    caption: `Symbols: mean over seeds. Lines: 95 % of bootstrap samples of test flows, the widest of all seeds. Grey: ` +
      `the published mean ${published.auc.mean} ± ${published.auc.deviation} (dashed line and band; ` +
      `${published.deviceModels} other device models, ${published.source}).`,
  };
}

/** ROC curves, one panel per device model, one line per contender. */
export function drawRocCurves(contenders: readonly Contender[]): Figure {
  const first = contenders[0]?.rows ?? [];
  const panels: Panel[] = [];
  const models = new Set([...first, ...contenders.flatMap(({ rows }) => rows)].map(({ deviceModel }) => deviceModel));
  for (const deviceModel of models) {
    const found = contenders.flatMap(({ label, rows }, index) => rows
      .filter((row) => row.deviceModel === deviceModel && row.details !== undefined && row.details.roc.length > 0)
      .map((row) => ({ label, index, row, points: row.details?.roc ?? [] })));
    const main = found[0];
    if (main === undefined) continue;
    panels.push(drawPanel({
      heading: deviceModel,
      subheading: `AUC ${formatShare(main.row.auc.mean)} (${main.label})`,
      description: 'ROC curves of ' +
        found.map(({ label, row }) => `${label}, AUC ${formatShare(row.auc.mean)}`).join('; '),
      height: 300, marginLeft: 44, marginBottom: 40, marginRight: 12, marginTop: 12,
      x: { domain: [0, 1], label: 'false positive rate', ticks: 5, labelAnchor: 'center', labelArrow: 'none' },
      y: { domain: [0, 1], label: 'true positive rate', ticks: 5, labelAnchor: 'center', labelArrow: 'none',
        grid: true },
      marks: [
        Plot.line([[0, 0], [1, 1]], { stroke: colorOf('quiet'), strokeDasharray: '2 4', strokeWidth: 1 }),
        // The first contender is drawn last, on top.
        ...found.toReversed().map(({ label, index, row, points }) => {
          const { color, dash } = seriesStyle(index);
          const text = `${label}: AUC ${sayEstimate(row.auc, formatShare)}, ${flowsOf(row)}`;
          return Plot.line(points, {
            stroke: color, strokeWidth: index === 0 ? 2.6 : 1.6, title: () => text,
            ...(dash === '' ? {} : { strokeDasharray: dash }),
          });
        }),
      ],
    }));
  }
  return {
    id: 'roc', title: 'ROC curves, by device model (as the paper\'s Fig. 4a)', panels,
    legend: drawLegend(contenders.map(({ label }) => label)),
    caption: 'Test flows of the device model against those of all other devices; each curve is of the smallest seed, ' +
      'AUC in the heading is the mean over seeds. Point at a curve for its interval and numbers of flows. Dotted: chance.',
  };
}

/** Rates against the percentile of the validation scores that sets the threshold. */
export function drawPercentiles(contenders: readonly Contender[]): Figure {
  const withPoints = contenders.filter(({ rows }) => rows.some(({ percentiles }) => percentiles.length > 0));
  const [main] = withPoints;
  const means = withPoints.map((contender) => drawRates({
    heading: contender.label,
    subheading: `mean of ${countOf(contender.rows.length, 'device model')}, ${countOf(contender.seeds, 'seed')}`,
    points: meanPoints(contender.rows), isMean: true,
  }));
  const models = main === undefined ? [] : main.rows.map((row) => drawRates({
    heading: row.deviceModel, subheading: `${formatCount(row.flows.test)} own test flows; ${main.label}`,
    points: row.percentiles, isMean: false,
  }));
  return {
    id: 'percentiles', title: 'True and false positive rate against the percentile', panels: [...means, ...models],
    caption: 'The threshold accepts all but p per cent of the validation flows. Vertical line: percentile ' +
      `${recommendedPercentile}. Crosses: published means there, TPR ${published.p10Tpr.mean} and FPR ` +
      `${published.p10Fpr.mean}. Bands: from the lowest to the highest device model where the panel is a mean, else the ` +
      '95 % interval (Wilson) of the number of flows.' +
      (main === undefined ? '' : ` Panels of single device models are of ${escapeText(main.label)}.`),
  };
}

/** Means over device models; the interval is from the lowest to the highest. */
function meanPoints(rows: readonly ModelRow[]): PercentilePoint[] {
  const percentiles = [...new Set(rows.flatMap(({ percentiles: points }) => points.map(({ p }) => p)))].sort((a, b) =>
    a - b);
  return percentiles.map((p) => {
    const points = rows.flatMap((row) => row.percentiles.filter((point) => point.p === p));
    const over = (values: readonly number[]): Estimate =>
      ({ mean: mean(values), interval: [Math.min(...values), Math.max(...values)] });
    return { p, tpr: over(points.map(({ tpr }) => tpr.mean)), fpr: over(points.map(({ fpr }) => fpr.mean)) };
  });
}

type RatesOptions = {
  readonly heading: string; readonly subheading: string;
  readonly points: readonly PercentilePoint[]; readonly isMean: boolean;
};

function drawRates({ heading, subheading, points, isMean }: RatesOptions): Panel {
  const sides = [
    { name: 'TPR', of: (point: PercentilePoint) => point.tpr, color: 's1' as const, dash: '',
      paper: published.p10Tpr.mean },
    { name: 'FPR', of: (point: PercentilePoint) => point.fpr, color: 's2' as const, dash: '6 3',
      paper: published.p10Fpr.mean },
  ];
  const last = points.at(-1);
  const at = points.find(({ p }) => p === recommendedPercentile);
  return drawPanel({
    heading, subheading,
    description: at === undefined ? 'No rates.'
      : `At percentile ${recommendedPercentile}: TPR ${sayEstimate(at.tpr, formatShare)}, ` +
        `FPR ${sayEstimate(at.fpr, formatShare)}`,
    width: panelWidth, height: 210, marginLeft: 40, marginRight: 40, marginBottom: 38, marginTop: 10,
    x: { domain: [0, 30], label: 'percentile p', ticks: 6, labelAnchor: 'center', labelArrow: 'none' },
    y: { domain: [0, 1], label: null, ticks: 5, grid: true },
    marks: [
      Plot.ruleX([recommendedPercentile], { stroke: colorOf('quiet'), strokeDasharray: '3 3' }),
      ...sides.flatMap(({ name, of, color, dash, paper }) => {
        const known = points.filter((point) => Number.isFinite(of(point).mean));
        const end = last === undefined ? undefined : of(last).mean;
        return [
          Plot.areaY(known.filter((point) => of(point).interval !== undefined), {
            x: 'p', y1: (point: PercentilePoint) => of(point).interval?.[0],
            y2: (point: PercentilePoint) => of(point).interval?.[1], fill: colorOf(color), fillOpacity: 0.16,
          }),
          Plot.line(known, {
            x: 'p', y: (point: PercentilePoint) => of(point).mean, stroke: colorOf(color), strokeWidth: 2.2,
            ...(dash === '' ? {} : { strokeDasharray: dash }),
          }),
          // Invisible circles that answer the pointer.
          Plot.dot(known, {
            x: 'p', y: (point: PercentilePoint) => of(point).mean, r: 5, fill: colorOf(color), fillOpacity: 0.01,
            title: (point: PercentilePoint) => `p = ${point.p}: ${name} ${formatShare(of(point).mean)}` +
              (of(point).interval === undefined ? '' : ` [${of(point).interval?.map(formatShare).join('–')}` +
                `${isMean ? ', lowest to highest device model' : ''}]`),
          }),
          Plot.dot([recommendedPercentile], {
            x: recommendedPercentile, y: paper, symbol: 'times', stroke: colorOf('ink'), r: 5,
            title: () => `published mean ${name} ${paper}`,
          }),
          ...(end === undefined || !Number.isFinite(end) ? [] : [Plot.text([name], {
            x: 30, y: end, dx: 6, textAnchor: 'start', fill: colorOf(color), fontWeight: 600, text: () => name,
          })]),
        ];
      }),
    ],
  });
}

/** Contenders side by side: false positive rate when nine of ten own flows are accepted, a dot per device model. */
export function drawComparison(contenders: readonly Contender[], { dataset }: ExperimentReport): Figure {
  const values = contenders.flatMap(({ label, rows }, index) =>
    rows.map((row) => ({ label, index, row, fpr: row.fprAtTpr90.mean })));
  const means = contenders.map(({ label, rows }) =>
    ({ label, fpr: mean(rows.map(({ fprAtTpr90 }) => fprAtTpr90.mean)) }));
  // Rates span three powers of ten; zero cannot stand on such an axis, so it stands at its foot.
  const floor = 0.0005;
  const panel = drawPanel({
    heading: 'False positive rate at TPR .9', description: means.map(({ label, fpr }) =>
      `${label}: mean ${formatShare(fpr)}`).join('; '),
    width: widePanel, height: contenders.length * 34 + 60, marginLeft: 190, marginRight: 70, marginBottom: 40,
      marginTop: 8,
    x: {
      type: 'log', domain: [floor, 1], label: 'share of other devices\' flows that are accepted (logarithmic)',
      ticks: [0.001, 0.01, 0.1, 1], tickFormat: (value: number) => `${value * 100} %`, grid: true,
      labelAnchor: 'center', labelArrow: 'none',
    },
    y: { domain: contenders.map(({ label }) => label), label: null, tickSize: 0 },
    marks: [
      ...contenders.map((_, index) => {
        const { color, symbol } = seriesStyle(index);
        return Plot.dot(values.filter((value) => value.index === index), {
          x: ({ fpr }: { fpr: number }) => Math.max(floor, fpr), y: 'label', symbol, stroke: color, strokeWidth: 1.8,
            r: 4,
          title: ({ label, row }: typeof values[number]) =>
            `${row.deviceModel}, ${label}: ${sayEstimate(row.fprAtTpr90, formatShare)}, ${flowsOf(row)}`,
        });
      }),
      Plot.tickX(means.filter(({ fpr }) => Number.isFinite(fpr)), {
        x: ({ fpr }: { fpr: number }) => Math.max(floor, fpr), y: 'label', stroke: colorOf('ink'), strokeWidth: 2.5,
          inset: 4,
      }),
      Plot.text(means, {
        x: 1, y: 'label', dx: 8, textAnchor: 'start', text: ({ fpr }: { fpr: number }) => formatShare(fpr),
      }),
    ],
  });
  return {
    id: 'comparison', title: 'Algorithms and catalogs compared', panels: [panel],
    caption: `A symbol is a device model (mean over seeds), the thick line and the number at the right the mean over ` +
      `device models. Rates below ${floor * 100} % stand at the left edge. Data set: ` +
      `${countOf(dataset.devices, 'device')}, ${countOf(dataset.flows, 'flow')}. Point at a symbol for its ` +
      '95 % interval.',
  };
}
