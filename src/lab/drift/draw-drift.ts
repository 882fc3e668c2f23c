/** Drift as one SVG file: the explained share and the token recall of each day, and from when on it is drift. */
import * as Plot from '@observablehq/plot';
import { composeSheet, drawLegend, drawPanel } from '../report/draw-panel.ts';
import { colorOf, seriesStyle } from '../report/palette.ts';
import type { DriftDay, DriftHistory } from './watch-drift.ts';

const width = 640;

/** @param origin  whose data it shows, for the line at its foot */
export function drawDrift(deviceModel: string, { days, driftedMs, reference }: DriftHistory, origin: string): string {
  const series = [
    { label: 'flows that are explained, share', valueOf: ({ explainedShare }: DriftDay) => explainedShare },
    ...reference.tokenWeight === undefined ? []
      : [{ label: 'weight of tokens an hour, of the reference', valueOf: (day: DriftDay) => day.tokenRecall ?? NaN }],
  ];
  const highest = Math.max(1, ...series.flatMap(({ valueOf }) => days.map(valueOf)).filter(Number.isFinite));
  const marks = series.flatMap(({ valueOf }, i) => {
    const { color, dash, symbol } = seriesStyle(i);
    const points = days.map((day) => ({ x: new Date(day.dayMs), y: valueOf(day) }));
    return [
      Plot.line(points, { x: 'x', y: 'y', stroke: color, strokeWidth: 2, strokeDasharray: dash }),
      Plot.dot(points, { x: 'x', y: 'y', fill: color, symbol, r: 4 }),
    ];
  });
  const description = driftedMs === undefined ? `${days.length} days without drift.`
    : `Drift from ${new Date(driftedMs).toISOString().slice(0, 16)} UTC on.`;
  const panel = drawPanel({
    heading: deviceModel, subheading: description, description, width, height: 260, marginLeft: 44,
    x: { type: 'utc', label: null }, y: { domain: [0, highest], label: null, grid: true },
    marks: [
      Plot.ruleY([reference.explained.mean], { stroke: colorOf('quiet'), strokeDasharray: '2 3' }),
      ...driftedMs === undefined ? []
        : [Plot.ruleX([new Date(driftedMs)], { stroke: colorOf('warn'), strokeWidth: 2 })],
      ...marks,
    ],
  });
  return composeSheet({
    id: 'drift', title: 'Drift against the reference', caption: '', panels: [panel],
    legend: drawLegend(series.map(({ label }) => label), width),
  }, origin);
}
