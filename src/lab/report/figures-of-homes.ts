/** Figures of `natlens lab homes`: how soon device models are found, and what a smaller library costs. */
import * as Plot from '@observablehq/plot';
import type { HomesReport } from '../homes/homes-report.ts';
import { drawLegend, drawPanel, type Figure } from './draw-panel.ts';
import { formatShare } from './markup.ts';
import { colorOf, seriesStyle } from './palette.ts';

/** Share found against minutes, of all methods: where so few null homes are found, and as calibrated. */
export function drawTimes({ curves, curveMinutes, settings }: HomesReport): Figure {
  const panelOf = (heading: string, read: (curve: HomesReport['curves'][number]) => readonly number[]): ReturnType<
  typeof drawPanel> => drawPanel({
    heading, subheading: 'share of homes found, mean of device models', height: 260, marginLeft: 40, marginBottom: 40,
    description: curves.map((curve) => `${curve.method}: ${curveMinutes.map((minutes, i) =>
      `${minutes} min ${formatShare(read(curve)[i] as number)}`).join(', ')}`).join('; '),
    x: { type: 'log', axis: null },
    y: { domain: [0, 1], label: null, grid: true },
    marks: [
      Plot.ruleY([0], { stroke: colorOf('line') }),
      // Left to itself, a logarithmic axis writes powers of ten only.
      Plot.axisX([1, 10, 60, 360, 1_440], {
        label: 'minutes since its first flow', labelAnchor: 'center', labelArrow: 'none',
        text: (minutes: number) => String(minutes),
      }),
      ...curves.flatMap((curve, series) => {
        const { color, dash, symbol } = seriesStyle(series);
        const points = curveMinutes.map((minutes, i) => ({ minutes, share: read(curve)[i] as number }))
          .filter(({ share }) => Number.isFinite(share));
        const title = ({ minutes, share }: { minutes: number; share: number }): string =>
          `${curve.method}, ${minutes} min: ${formatShare(share)}`;
        return [
          Plot.line(points, { x: 'minutes', y: 'share', stroke: color, strokeWidth: 2, strokeDasharray: dash }),
          Plot.dot(points, { x: 'minutes', y: 'share', fill: color, symbol, r: 3, title }),
        ];
      }),
    ],
  });
  return {
    id: 'times', title: 'Share of homes in which the device model is found, against time',
    legend: drawLegend(curves.map(({ method }) => method)),
    caption: `Left: every method with the score that ${formatShare(settings.fixedFpr)} of the null home-days reach. ` +
      'Right: as it decides by itself; what that costs in false alarms is in the tables.',
    panels: [
      panelOf(`at home-level FPR ${formatShare(settings.fixedFpr)}`, ({ tprAtFixedFpr }) => tprAtFixedFpr),
      panelOf('as calibrated', ({ tpr }) => tpr),
    ],
  };
}

/** False alarms against units in the library, of the methods that have one. */
export function drawLibrary({ library, settings }: HomesReport): Figure | undefined {
  if (library.length === 0) return undefined;
  const names = [...new Set(library.map(({ method }) => method))];
  const panels = names.map((method, series) => {
    const points = library.filter((point) => point.method === method);
    const { color, symbol } = seriesStyle(series);
    const say = (point: HomesReport['library'][number]): string =>
      `${point.libraryUnits.toFixed(1)} units: FPR ${formatShare(point.measuredFpr)}, at most ` +
      `${formatShare(point.fprUpper95)}; TPR within an hour ${formatShare(point.tprHour)}; says nothing in ` +
      `${formatShare(point.abstains)} of the trials`;
    return drawPanel({
      heading: method, subheading: 'home-level FPR', description: points.map(say).join('; '), height: 240,
      marginLeft: 56, marginBottom: 40,
      x: { label: 'units in the library', labelAnchor: 'center', labelArrow: 'none', domain: [0,
        1.1 * Math.max(...points.map(({ libraryUnits }) => libraryUnits), 1)] },
      y: { label: null, grid: true, domain: [0,
        Math.max(...points.map(({ fprUpper95 }) => fprUpper95), 2 * settings.fixedFpr)] },
      marks: [
        Plot.ruleY([settings.falseAlarmsPerMonth / 30], { stroke: colorOf('quiet'), strokeDasharray: '3 3' }),
        Plot.ruleX(points, { x: 'libraryUnits', y1: 'measuredFpr', y2: 'fprUpper95', stroke: color, strokeWidth: 2 }),
        Plot.dot(points, { x: 'libraryUnits', y: 'measuredFpr', fill: color, symbol, r: 4.5, title: say }),
      ],
    });
  });
  return {
    id: 'libraries', title: 'False alarms with a part of the library', panels,
    caption: 'Units that are taken out of the library are in homes that test: nobody knows them. Points: all device ' +
      'models and seeds together. Lines: up to the 95 % bound. Dashed: what is promised per home-day.',
  };
}
