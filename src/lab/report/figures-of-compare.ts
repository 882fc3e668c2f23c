/** Figures of `natlens lab compare`: what methods find at equal FPR by what they see, and how soon. */
import * as Plot from '@observablehq/plot';
import type { IdentificationStudy, IdSeries } from '../baseline/identification-study.ts';
import type { CompareReport, CompareRow } from '../compare/compare-report.ts';
import type { HomesCurve } from '../homes/homes-report.ts';
import { drawLegend, drawPanel, type Figure, type Panel } from './draw-panel.ts';
import { drawIdentifications, drawIncrements, type IdentifiedHost } from './figures-of-identification.ts';
import { formatShare } from './markup.ts';
import { colorOf, seriesStyle, type ColorName } from './palette.ts';
import { findOurs, sayMinutes, sights } from './tables-of-compare.ts';

const sightColors: readonly ColorName[] = ['s1', 's3', 's4'];
const letterWidth = 7.2;

/** A row of the figure of bars: what methods see, or a method. */
type Bar = { readonly key: string; readonly method: CompareRow; readonly hour: number; readonly day: number;
  /** After the last of the times, where no null home is found. */
  readonly zero: number };

/** Coverage × TPR at equal FPR of each method, after an hour and after the last of the times; most first. */
export function drawFound(report: CompareReport): Figure | undefined {
  const { methods, settings, resultMinutes, deviceModels } = report;
  if (methods.length === 0) return undefined;
  const ours = findOurs(report);
  const [hour, day] = [Math.max(0, resultMinutes.indexOf(60)), resultMinutes.length - 1];
  const at = (row: CompareRow, i: number): number => row.foundAtFixedFpr[i] ?? 0;
  const groups = sights.map((sight, i) => ({
    heading: `sees ${sight}`, color: colorOf(sightColors[i] as ColorName),
    bars: methods.filter(({ sees }) => sees === sight)
      .map((method): Bar => ({ key: method.name, method, hour: at(method, hour), day: at(method, day),
        zero: method.foundAtZeroFpr[day] ?? 0 }))
      .sort((a, b) => b.day - a.day || b.hour - a.hour || (a.key < b.key ? -1 : 1)),
  })).filter(({ bars }) => bars.length > 0);
  const keys = groups.flatMap(({ heading, bars }) => [heading, ...bars.map(({ key }) => key)]);
  const left = Math.max(...keys.map((key) => key.length)) * letterWidth + 16;
  const last = sayMinutes(resultMinutes[day] ?? 0);
  const first = sayMinutes(resultMinutes[hour] ?? 0);
  const sayCovered = ({ method }: Bar): string => `covers ${method.covered.length} of ${deviceModels.length}`;
  const say = (bar: Bar): string => `${bar.key}: ${formatShare(bar.day)} within ${last}, ` +
    `${formatShare(bar.hour)} within ${first}; ${formatShare(bar.zero)} within ${last} where no null home is found; ` +
    sayCovered(bar);
  const panel = drawPanel({
    heading: `Coverage × TPR at home-level FPR ${formatShare(settings.fixedFpr)}`,
    subheading: `pale: within ${last}; full: within ${first}; line: within ${last} where no null home is found`,
    description: groups.flatMap(({ heading, bars }) => [heading, ...bars.map(say)]).join('; '),
    width: left + 600, height: 50 + keys.length * 26, marginLeft: left, marginRight: 230, marginBottom: 36,
    x: { domain: [0, 1], label: 'share of the homes with a device model looked for', labelAnchor: 'center',
      labelArrow: 'none', grid: true, ticks: 5 },
    y: { domain: keys, axis: null, padding: 0.2 },
    marks: [
      Plot.ruleX([0], { stroke: colorOf('line') }),
      ...groups.flatMap(({ heading, color, bars }) => [
        Plot.text([heading], { y: (key: string) => key, x: 0, dx: 12 - left, textAnchor: 'start', fill: color,
          fontWeight: 600, text: (key: string) => key }),
        Plot.barX(bars, { y: 'key', x1: 0, x2: 'day', fill: color, fillOpacity: 0.35, title: say }),
        Plot.barX(bars, { y: 'key', x1: 0, x2: 'hour', fill: color, insetTop: 5, insetBottom: 5, title: say }),
        Plot.tickX(bars, { y: 'key', x: 'zero', stroke: colorOf('ink'), strokeWidth: 2, title: say }),
        ...[true, false].flatMap((isOurs) => {
          const some = bars.filter(({ key }) => (key === ours?.name) === isOurs);
          const weight = isOurs ? 700 : 400;
          return [
            Plot.text(some, { y: 'key', x: 0, dx: -8, textAnchor: 'end', fontWeight: weight, text: 'key' }),
            Plot.text(some, { y: 'key', x: () => 1, dx: 10, textAnchor: 'start', fontWeight: weight,
              text: (bar: Bar) => `${formatShare(bar.day)} (${formatShare(bar.hour)}); ${sayCovered(bar)}` }),
          ];
        }),
      ]),
    ],
  });
  return {
    id: 'found', title: 'What methods find at equal FPR, by what they must see', panels: [panel],
    caption: 'Of all device models looked for: one that a method cannot decide on counts as never found. Every ' +
      `method has the score that ${formatShare(settings.fixedFpr)} of a seed's null home-days reach.`,
  };
}

/** A panel for each method: share found against time, at equal FPR and as it decides, with ours behind it. */
export function drawCompareTimes(report: CompareReport): Figure | undefined {
  const { curves, curveMinutes, methods, settings } = report;
  const ours = curves.find(({ method }) => method === findOurs(report)?.name);
  const panels = methods.flatMap((method) => {
    const curve = curves.find((one) => one.method === method.name);
    return curve === undefined ? [] : [drawCurve(curve, method, ours, curveMinutes)];
  });
  if (panels.length === 0) return undefined;
  return {
    id: 'times', title: 'Share of homes in which the device model is found, against time', panels,
    legend: drawLegend([`at home-level FPR ${formatShare(settings.fixedFpr)}`, 'as it decides by itself',
      ...(ours === undefined ? [] : [`${ours.method} at that FPR`])]),
    caption: 'Means over all device models looked for; those that a method cannot decide on count as never found. What ' +
      'it costs in false alarms when a method decides by itself is in the table.',
  };
}

type Point = { readonly minutes: number; readonly share: number };

function drawCurve(curve: HomesCurve, { sees }: CompareRow, ours: HomesCurve | undefined, minutes: readonly number[],
): Panel {
  const pointsOf = (shares: readonly number[]): Point[] => minutes.flatMap((minute, i) => {
    const share = shares[i];
    return share === undefined || !Number.isFinite(share) ? [] : [{ minutes: minute, share }];
  });
  const series = [curve.tprAtFixedFpr, curve.tpr, ...(ours === undefined || ours === curve ? [] : [ours.tprAtFixedFpr])]
    .map(pointsOf);
  const [fixed = []] = series;
  return drawPanel({
    heading: curve.method, subheading: `sees ${sees}`, height: 170, marginLeft: 34, marginBottom: 38,
    description: `at equal FPR ${fixed.map(({ minutes: minute, share }) =>
      `${sayMinutes(minute)} ${formatShare(share)}`).join(', ')}`,
    x: { type: 'log', domain: [minutes[0] ?? 1, minutes.at(-1) ?? 1_440], axis: null },
    y: { domain: [0, 1], label: null, grid: true, ticks: 5 },
    marks: [
      Plot.ruleY([0], { stroke: colorOf('line') }),
      Plot.axisX([1, 10, 60, 360, 1_440], { label: 'minutes since its first flow', labelAnchor: 'center',
        labelArrow: 'none', text: (minute: number) => String(minute) }),
      // The method itself lies over ours.
      ...[...series.entries()].reverse().flatMap(([index, points]) => {
        const { color, dash, symbol } = seriesStyle(index);
        return [
          Plot.line(points, { x: 'minutes', y: 'share', stroke: color, strokeWidth: index === 0 ? 2.5 : 1.5,
            strokeDasharray: dash }),
          Plot.dot(points, { x: 'minutes', y: 'share', fill: color, symbol, r: 2.6,
            title: ({ minutes: minute, share }: Point) => `${sayMinutes(minute)}: ${formatShare(share)}` }),
        ];
      }),
    ],
  });
}

/** Figures 4b to 4d of the paper, of this data set. Hosts that neither count nor tick are in none of them. */
export function drawIdentificationStudy({ increments, series }: IdentificationStudy): Figure[] {
  const ofClass = (pattern: RegExp): IdentifiedHost[] => series.filter(({ idClass }) => pattern.test(idClass ?? ''))
    .map(identifyHost);
  const steps = increments.map(({ deviceModel, counts }) =>
    ({ deviceModel, step: Float64Array.from(counts.flatMap(([step, count]) => Array<number>(count).fill(step))) }));
  return [
    drawIncrements(steps),
    ...drawIdentifications({ counting: ofClass(/counter$/i), ticking: ofClass(/^(?:ticks|clock)/) }),
  ].filter((figure) => figure !== undefined);
}

function identifyHost({ device, deviceModel, slope, points }: IdSeries): IdentifiedHost {
  return {
    label: device.includes(deviceModel) ? device : `${deviceModel} (${device})`,
    timeMs: Float64Array.from(points, ([minutes]) => minutes * 60_000),
    ipId: Uint16Array.from(points, ([, ipId]) => ipId), ...(slope === null ? {} : { slope }),
  };
}
