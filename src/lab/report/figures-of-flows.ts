/**
 * Figures of flows: whose are taken for whose (heat map), how scores are spread, and what traffic the data set holds.
 */
import * as Plot from '@observablehq/plot';
import { limits } from '#base';
import type { DeviceTimeline, ExperimentDetails, ExperimentReport } from '../evaluate/results.ts';
import { drawPanel, panelWidth, type Figure, type Panel } from './draw-panel.ts';
import { countOf, formatCount, formatPercent, unknownText } from './markup.ts';
import { colorOf } from './palette.ts';
import { compareTexts, mean, recommendedPercentile, type Contender, type ModelRow } from './summarize-results.ts';

/** Share of each device model's test flows that each classifier accepts. */
export function drawConfusion(contender: Contender, { dataset, details }: ExperimentReport): Figure | undefined {
  const known = contender.rows.filter((row) => row.details !== undefined);
  if (known.length === 0) return undefined;
  const total = new Map(dataset.deviceModels.map((model) => [model.deviceModel, model]));
  const classifiers = known.map(({ deviceModel }) => deviceModel);
  const seen = [...new Set(known.flatMap((row) => Object.keys(row.details?.acceptedShare ?? {})))];
  const others = seen.filter((name) => !classifiers.includes(name)).sort((a, b) =>
    compareTexts(total.get(a)?.kind ?? '', total.get(b)?.kind ?? '') || compareTexts(a, b));
  const columns = [...classifiers.filter((name) => seen.includes(name)), ...others];
  const ofContender = details.filter((one) =>
    one.algorithm === contender.algorithm && one.catalog === contender.catalog);
  const cells = known.flatMap((row) => columns.flatMap((column) => {
    const shares = ofContender.filter(({ deviceModel }) => deviceModel === row.deviceModel)
      .map(({ acceptedShare }) => acceptedShare[column]).filter((share) => share !== undefined);
    return shares.length === 0 ? [] : [{
      row: row.deviceModel, column, share: mean(shares), seeds: shares.length, flows: testFlowsOf(column, known, total),
    }];
  }));
  type Cell = typeof cells[number];
  const say = ({ share }: Cell): string =>
    share === 0 ? '0' : share < 0.005 ? '<1' : String(Math.round(share * 100));
  const sayRow = (name: string): string => `${name}: ` + cells
    .filter(({ row, share }) => row === name && share >= 0.005)
    .map((cell) => `${cell.column} ${say(cell)}`).join(', ');
  const longest = (names: readonly string[]): number => Math.max(...names.map((name) => name.length));
  const [left, top] = [longest(classifiers) * 7.6 + 16, longest(columns) * 7.2 + 20];
  // As many columns as captures have must still fit a screen.
  const cellSize = { width: columns.length > 20 ? 28 : 34, height: 28 };
  const text = { x: 'column', y: 'row', text: say } as const;
  const panel = drawPanel({
    heading: `${contender.label}, threshold of percentile ${recommendedPercentile}`,
    subheading: 'rows: classifier of; columns: flows of; numbers: per cent accepted',
    description: `Per cent of test flows accepted. ${classifiers.map(sayRow).join('. ')}`,
    width: left + columns.length * cellSize.width + 20, height: top + classifiers.length * cellSize.height + 10,
    marginLeft: left, marginTop: top, marginRight: 20, marginBottom: 10,
    x: { domain: columns, axis: 'top', tickRotate: -90, label: null, tickSize: 0 },
    y: { domain: classifiers, label: null, tickSize: 0 },
    marks: [
      Plot.cell(cells, { x: 'column', y: 'row', fill: colorOf('tint'), inset: 1 }),
      Plot.cell(cells, {
        x: 'column', y: 'row', fill: colorOf('heat'), fillOpacity: { value: 'share', scale: null } as never, inset: 1,
        title: ({ row, column, share, flows, seeds }: Cell) =>
          `classifier of ${row} accepts ${formatPercent(share)} of ` +
          `${flows} of ${column}; mean of ${countOf(seeds, 'seed')}`,
      }),
      Plot.cell(cells.filter(({ row, column }) => row === column), {
        x: 'column', y: 'row', fill: 'none', stroke: colorOf('ink'), strokeWidth: 1.5, inset: 1,
      }),
      Plot.text(cells.filter(({ share }) => share < 0.5), { ...text, fill: colorOf('ink'), pointerEvents: 'none' }),
      Plot.text(cells.filter(({ share }) => share >= 0.5),
        { ...text, fill: colorOf('on-heat'), pointerEvents: 'none' }),
    ],
  });
  const names = new Set(ofContender.map(({ seed }) => seed)).size;
  return {
    id: `confusion-${slug(contender.label)}`, title: `Confusion: ${contender.label}`, panels: [panel],
    caption: `Share of each device model's test flows that each classifier accepts, mean of ${countOf(names, 'seed')}; ` +
      'outlined: its own flows. Point at a cell for its numbers of flows.',
  };
}

function testFlowsOf(
  name: string, rows: readonly ModelRow[], total: ReadonlyMap<string, { readonly flows: number }>,
): string {
  const row = rows.find(({ deviceModel }) => deviceModel === name);
  if (row !== undefined) return `${formatCount(row.flows.test)} test flows`;
  const flows = total.get(name)?.flows;
  return flows === undefined ? 'the test flows' : `the test flows (latest fifth of ${formatCount(flows)} flows)`;
}

/** Names in `id` attributes: letters, digits and hyphens. */
export function slug(label: string): string {
  return label.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}

/** Scores of own flows upwards, of others' downwards, each as shares of its own number. */
export function drawScores(contender: Contender): Figure | undefined {
  const drawn = contender.rows.filter(({ details }) => details !== undefined && details.ownScores.length > 0);
  // All panels have the same scale, so that heights can be compared.
  const highest = Math.max(0, ...drawn.flatMap(({ details }) => [details?.ownScores ?? [], details?.otherScores ?? []])
    .map((counts) => Math.max(0, ...counts) / Math.max(1, sumOf(counts))));
  // Shares under a square root: a tail of one in a hundred is what makes false alarms, and must be seen.
  const scale = (share: number): number => Math.sign(share) * Math.sqrt(Math.abs(share));
  const ticks = (highest > 0.5 ? [0.05, 0.25, 0.5, 1] : highest > 0.2 ? [0.02, 0.1, 0.2, 0.5] : [0.01, 0.05, 0.1, 0.2])
    .filter((share) => share <= highest * 1.05);
  const panels = drawn.map((row): Panel => {
    const details = row.details as ExperimentDetails;
    const sides = [
      { name: 'own', counts: details.ownScores, sign: 1, color: 's1' as const },
      { name: 'other', counts: details.otherScores, sign: -1, color: 's2' as const },
    ].map((side) => ({ ...side, total: sumOf(side.counts) }));
    const bins = sides.flatMap(({ name, counts, sign, color, total }) => counts.map((count, i) => ({
      name, color, count, total, low: i / counts.length, high: (i + 1) / counts.length,
      share: total === 0 ? 0 : sign * count / total,
    }))).filter(({ count }) => count > 0);
    type Bin = typeof bins[number];
    const [own, other] = sides;
    return drawPanel({
      heading: row.deviceModel,
      subheading: `${formatCount(own?.total)} own (up), ${formatCount(other?.total)} other flows (down)`,
      description: `Anomaly scores of test flows: own flows have a median of ${medianOf(details.ownScores)}, ` +
        `others of ${medianOf(details.otherScores)}`,
      width: panelWidth, height: 210, marginLeft: 50, marginRight: 12, marginBottom: 38, marginTop: 10,
      x: { domain: [0, 1], label: 'anomaly score', ticks: 5, labelAnchor: 'center', labelArrow: 'none' },
      y: {
        domain: [-scale(highest) * 1.1, scale(highest) * 1.1], label: null,
        ticks: [...ticks.map((share) => -scale(share)), 0, ...ticks.map(scale)],
        tickFormat: (value: number) => `${Math.round(value * value * 100)} %`, grid: true,
      },
      marks: [
        Plot.rectY(bins, {
          x1: 'low', x2: 'high', y1: 0, y2: ({ share }: Bin) => scale(share), fill: ({ color }: Bin) => colorOf(color),
          insetLeft: 0.3, insetRight: 0.3,
          title: ({ name, count, total, low, high }: Bin) => `${name} flows with scores ${low.toFixed(2)} to ` +
            `${high.toFixed(2)}: ${formatCount(count)} of ${formatCount(total)}`,
        }),
        Plot.ruleY([0], { stroke: colorOf('ink') }),
        Plot.text(['own'], { frameAnchor: 'top-right', dx: -4, dy: 4, fill: colorOf('s1'), fontWeight: 600,
          text: ['own'] }),
        Plot.text(['others'], {
          frameAnchor: 'bottom-right', dx: -4, dy: -4, fill: colorOf('s2'), fontWeight: 600, text: ['others'],
        }),
      ],
    });
  });
  if (panels.length === 0) return undefined;
  const seed = Math.min(...contender.rows.flatMap(({ details }) => details === undefined ? [] : [details.seed]));
  return {
    id: `scores-${slug(contender.label)}`, title: `Anomaly scores: ${contender.label}`, panels,
    caption: `Scores of test flows in 50 bins, of seed ${seed}; heights are shares of own and of others' flows, each ` +
      'on its own number and under a square root, so that small shares are seen. Higher scores are less like the ' +
      'device model.',
  };
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The score below which half of the counted flows lie, to the middle of its bin. */
function medianOf(counts: readonly number[]): string {
  const half = sumOf(counts) / 2;
  let sum = 0;
  const bin = counts.findIndex((count) => (sum += count) >= half && half > 0);
  return bin < 0 ? unknownText : ((bin + 0.5) / counts.length).toFixed(2);
}

/** Flows (up) and octets (down) of single units over time. */
export function drawTimelines({ timelines, results }: ExperimentReport): Figure | undefined {
  if (timelines.length === 0) return undefined;
  // Those first whose classifiers the report is about.
  const trained = new Set(results.map(({ deviceModel }) => deviceModel));
  const isTrained = ({ deviceModel }: DeviceTimeline): number => Number(trained.has(deviceModel));
  const shown = timelines.toSorted((a, b) => isTrained(b) - isTrained(a)).slice(0, limits.reportTimelinesMax);
  return {
    id: 'timelines', title: 'Traffic of single devices', panels: shown.map(drawTimeline),
    caption: 'Flows (up) and octets (down) by equal slices of time, each against its own largest slice; times are UTC. ' +
      (shown.length < timelines.length
        ? `${shown.length} of ${formatCount(timelines.length)} devices are drawn.`
          : `${countOf(shown.length, 'device')}.`),
  };
}

function drawTimeline({ device, deviceModel, startMs, sliceMs, flows, octets }: DeviceTimeline): Panel {
  const most = { flows: Math.max(1, ...flows), octets: Math.max(1, ...octets) };
  const total = sumOf(flows);
  const slices = flows.map((count, i) => ({
    from: new Date(startMs + i * sliceMs), to: new Date(startMs + (i + 1) * sliceMs), count, octets: octets[i] ?? 0,
  }));
  type Slice = typeof slices[number];
  const say = ({ from, count, octets: bytes }: Slice): string =>
    `${from.toISOString().slice(0, 16).replace('T', ' ')} UTC: ${countOf(count, 'flow')}, ${formatOctets(bytes)}`;
  return drawPanel({
    heading: deviceModel === '' ? device : deviceModel, subheading: `${countOf(total, 'flow')}: ${device}`,
    description: `At most ${countOf(most.flows, 'flow')} and ${formatOctets(most.octets)} in ${formatSpan(sliceMs)}`,
    width: panelWidth, height: 176, marginLeft: 8, marginRight: 22, marginBottom: 36, marginTop: 10,
    x: { type: 'utc', label: null, ticks: 3, tickFormat: formatTick,
      domain: [new Date(startMs), new Date(startMs + flows.length * sliceMs)] },
    y: { domain: [-1.5, 1.5], axis: null },
    marks: [
      Plot.rectY(slices, {
        x1: 'from', x2: 'to', y1: 0, y2: ({ count }: Slice) => count / most.flows, fill: colorOf('s1'), title: say,
      }),
      Plot.rectY(slices, {
        x1: 'from', x2: 'to', y1: 0, y2: ({ octets: bytes }: Slice) => -bytes / most.octets, fill: colorOf('s2'),
          title: say,
      }),
      Plot.ruleY([0], { stroke: colorOf('ink') }),
      Plot.text(['flows'], {
        frameAnchor: 'top-left', fill: colorOf('s1'), fontWeight: 600,
        text: [`↑ at most ${countOf(most.flows, 'flow')} in ${formatSpan(sliceMs)}`],
      }),
      Plot.text(['octets'], {
        frameAnchor: 'bottom-left', dy: -6, fill: colorOf('s2'), fontWeight: 600,
          text: [`↓ at most ${formatOctets(most.octets)}`],
      }),
    ],
  });
}

/** Month and day, and below them the time: the same in every language. */
function formatTick(time: Date): string {
  const text = time.toISOString();
  return `${text.slice(5, 10)}\n${text.slice(11, 16)}`;
}

function formatOctets(octets: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const unit = octets < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(octets) / 3));
  const value = octets / 1000 ** unit;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function formatSpan(milliseconds: number): string {
  const minutes = milliseconds / 60_000;
  if (minutes < 1) return `${Math.round(milliseconds / 1000)} s`;
  return minutes < 120 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}
