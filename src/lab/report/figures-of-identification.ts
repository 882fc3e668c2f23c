/**
 * Figures of IPv4 identifications, as the paper's Fig. 4b to 4d (Meidan et al. 2019, 7.2): how far they rise from query
 * to query of each device model, and how they run over time, for hosts that count and for hosts that follow ticks.
 */
import * as Plot from '@observablehq/plot';
import { drawLegend, drawPanel, type Figure } from './draw-panel.ts';
import { countOf, formatCount, formatNumber, formatPercent } from './markup.ts';
import { colorOf, seriesStyle } from './palette.ts';

const idCount = 65_536;
const widePanel = 700;
/** Points of one host that are drawn; more would only lie on each other. */
const pointsMax = 400;

export type ModelIncrements = {
  readonly deviceModel: string;
  /** Steps between successive queries to one resolver, 0..65535. */
  readonly step: Float64Array;
};

/** Spread of the steps of every device model on a logarithmic scale; undefined when there are none. */
export function drawIncrements(models: readonly ModelIncrements[]): Figure | undefined {
  const rows = models.filter(({ step }) => step.length > 0).map(({ deviceModel, step }) => {
    const rising = step.filter((one) => one > 0).sort();
    const at = (share: number): number => rising[Math.floor(share * (rising.length - 1))] ?? Number.NaN;
    return {
      deviceModel, steps: step.length, p5: at(0.05), p25: at(0.25), median: at(0.5), p75: at(0.75), p95: at(0.95),
      ones: step.filter((one) => one === 1).length / step.length, zeros: 1 - rising.length / step.length,
    };
  }).sort((a, b) => b.ones - a.ones || (a.deviceModel < b.deviceModel ? -1 : 1));
  if (rows.length === 0) return undefined;
  type Row = typeof rows[number];
  const say = ({ deviceModel, steps, p5, median, p95, ones, zeros }: Row): string => `${deviceModel}: ` +
    (zeros === 1 ? 'no step' : `median ${formatCount(median)}, nine in ten from ${formatCount(p5)} to ` +
      `${formatCount(p95)}`) + `, ${formatPercent(ones)} are 1, ${formatPercent(zeros)} are 0, of ` +
      countOf(steps, 'step');
  const rising = rows.filter(({ zeros }) => zeros < 1);
  const left = Math.max(...rows.map(({ deviceModel }) => deviceModel.length)) * 7.2 + 16;
  const panel = drawPanel({
    heading: 'Steps between successive queries to one resolver',
    subheading: 'thick: middle half; thin: nine in ten; dot: median',
    description: rows.map(say).join('; '), width: left + 440, height: 54 + rows.length * 24, marginLeft: left,
    marginRight: 110, marginTop: 20, marginBottom: 40,
    x: { type: 'log', domain: [0.8, idCount], axis: null },
    y: { domain: rows.map(({ deviceModel }) => deviceModel), label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([1], { stroke: colorOf('quiet'), strokeDasharray: '3 3' }),
      Plot.axisX([1, 10, 100, 1_000, 10_000], {
        label: 'rise of the identification (logarithmic)', labelAnchor: 'center', labelArrow: 'none',
        text: (step: number) => formatCount(step),
      }),
      Plot.ruleY(rising, { y: 'deviceModel', x1: 'p5', x2: 'p95', stroke: colorOf('s1'), strokeWidth: 1.5 }),
      Plot.ruleY(rising, { y: 'deviceModel', x1: 'p25', x2: 'p75', stroke: colorOf('s1'), strokeWidth: 8,
        strokeOpacity: 0.45 }),
      Plot.dot(rising, { y: 'deviceModel', x: 'median', fill: colorOf('s1'), r: 4, title: say }),
      Plot.text(rows, { y: 'deviceModel', x: () => idCount, dx: 8, textAnchor: 'start', title: say,
        text: ({ ones, zeros }: Row) => zeros === 1 ? 'always 0' : `${formatPercent(ones)} are 1` }),
    ],
  });
  return {
    id: 'identification-increments', title: 'Rise of the identification from query to query (as the paper\'s Fig. 4b)',
    panels: [panel],
    caption: 'Per device model, of DNS queries to one resolver at most a minute apart, modulo 65,536. Where most ' +
      'rise by 1 (dashed line), chains of queries tell hosts apart; where the rise grows with the time between them, ' +
      'they do not. Queries for both address families are sent together, and rise by 1 on almost every host.',
  };
}

export type IdentifiedHost = {
  /** Device model, or host. */
  readonly label: string;
  /** [query], ascending. */
  readonly timeMs: Float64Array;
  /** [query] */
  readonly ipId: Uint16Array;
  /** Identifications a second, as fitted; undefined or NaN when there is none. */
  readonly slope?: number;
};

/** As in the paper: hosts that count (Fig. 4c), and hosts whose identifications follow time (Fig. 4d). */
export type IdentifiedHosts = {
  readonly counting: readonly IdentifiedHost[];
  readonly ticking: readonly IdentifiedHost[];
};

export function drawIdentifications({ counting, ticking }: IdentifiedHosts): Figure[] {
  return [
    drawHosts(counting, {
      id: 'identification-counting', title: 'Identification of hosts that count, over time (as the paper\'s Fig. 4c)',
      remark: 'Each host keeps to its own line, which rises by 1 from query to query: to follow a line is to follow ' +
        'a host. Identifications begin again after 65,535.',
      heading: 'Identification of queries to one resolver', valuesOf: ({ ipId }) => Float64Array.from(ipId),
      y: { domain: [0, idCount], ticks: [0, 16_384, 32_768, 49_152, 65_536] },
    }),
    drawHosts(ticking, {
      id: 'identification-ticking', title: 'Identification of hosts that follow time (as the paper\'s Fig. 4d)',
      remark: 'The slope is that of the kernel\'s ticks, a half of them a second on Linux: it names the kernel, and ' +
        'any device model with that kernel has it.',
      heading: 'Rise of the identification since the first query, to one resolver', valuesOf: unwrap, y: { ticks: 5 },
    }),
  ].filter((figure) => figure !== undefined);
}

/** Rise since the first query. */
function unwrap({ ipId }: IdentifiedHost): Float64Array {
  const risen = new Float64Array(ipId.length);
  for (let i = 1; i < ipId.length; i++) {
    risen[i] = (risen[i - 1] as number) + ((ipId[i] as number) - (ipId[i - 1] as number) + idCount) % idCount;
  }
  return risen;
}

type HostsFigure = {
  readonly id: string;
  readonly title: string;
  readonly remark: string;
  readonly heading: string;
  /** [query]: what is drawn of it. */
  readonly valuesOf: (host: IdentifiedHost) => Float64Array;
  readonly y: { readonly domain?: readonly [number, number]; readonly ticks: number | readonly number[] };
};

function drawHosts(all: readonly IdentifiedHost[], figure: HostsFigure): Figure | undefined {
  const hosts = all.filter(({ timeMs }) => timeMs.length > 0);
  if (hosts.length === 0) return undefined;
  const { id, title, remark, heading, valuesOf, y } = figure;
  const startMs = Math.min(...hosts.map(({ timeMs }) => timeMs[0] as number));
  const points = hosts.flatMap((host, series) => {
    const values = valuesOf(host);
    return thin(host.timeMs.length).map((i) => ({
      series, label: host.label, minutes: ((host.timeMs[i] as number) - startMs) / 60_000, value: values[i] as number,
    }));
  });
  type Point = typeof points[number];
  const endMinutes = Math.max(1, ...points.map(({ minutes }) => minutes));
  const sayHost = ({ label, timeMs, slope }: IdentifiedHost): string => `${label}: ` +
    `${formatCount(timeMs.length)} ${timeMs.length === 1 ? 'query' : 'queries'}` +
    (slope === undefined || Number.isNaN(slope) ? '' : `, ${formatNumber(slope)} a second`);
  const panel = drawPanel({
    heading, subheading: countOf(hosts.length, 'host'),
    description: hosts.map(sayHost).join('; '), width: widePanel, height: 320, marginLeft: 64, marginBottom: 40,
    marginRight: 16,
    x: { domain: [0, endMinutes], label: 'minutes', labelAnchor: 'center', labelArrow: 'none', ticks: 8 },
    y: { ...y, label: null, grid: true, tickFormat: (value: number) => formatCount(value) },
    marks: hosts.map((_, series) => Plot.dot(points.filter((point) => point.series === series), {
      x: 'minutes', y: 'value', symbol: seriesStyle(series).symbol, fill: seriesStyle(series).color, r: 2.4,
      title: ({ label, minutes, value }: Point) => `${label}, minute ${minutes.toFixed(1)}: ${formatCount(value)}`,
    })),
  });
  return {
    id, title, panels: [panel], legend: drawLegend(hosts.map(sayHost), widePanel),
    caption: `${remark} At most ${pointsMax} queries of a host are drawn.`,
  };
}

/** Numbers from 0 to below a count, evenly thinned out. */
function thin(count: number): number[] {
  const drawn = Math.min(count, pointsMax);
  return Array.from({ length: drawn }, (_, i) => Math.floor(i * count / drawn));
}
