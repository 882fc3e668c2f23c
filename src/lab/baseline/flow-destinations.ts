/**
 * Flows as terms: the destination of each, by service and prefix (`tcp/443 198.51.100.0/24`), cut into windows to learn
 * from, or as tokens of sliding windows to decide on.
 */
import { noToken } from '#evidence';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { createRecording } from '../homes/recording.ts';
import { cutWindows, placeTexts, type TermUnit } from './name-windows.ts';
import type { TracePart } from './world-traces.ts';

const hourMs = 3_600_000;
const cut = new WeakMap<LabUnit, Map<TracePart, TermUnit>>();

/** Hours of a unit, by when flows ended; the same for every device model and seed, so they are cut once. */
export function destinationsOfFlows({ terms }: LabWorld, unit: LabUnit, part: TracePart): TermUnit {
  const parts = cut.get(unit) ?? new Map<TracePart, TermUnit>();
  cut.set(unit, parts);
  const known = parts.get(part);
  if (known !== undefined) return known;
  const { device: { device, deviceModel, kind, train }, flows } = unit;
  const recording = createRecording({ device, deviceModel, kind }, flows, 0, part === 'whole' ? flows.rowCount : train);
  const codes = terms.destinationsOf(unit);
  const windows = recording === undefined ? [] : cutWindows({
    timeMs: recording.endMs, code: recording.row.map((row) => codes[row] as number),
  }, terms.destinations, hourMs);
  const made = { name: device, deviceModel, kind, windows };
  parts.set(part, made);
  return made;
}

/** [row of the unit's flows]: place of the flow's destination in a list, or `noToken`. */
export function listFlowTokens({ terms }: LabWorld, ofRule: readonly string[]): (unit: LabUnit) => Uint32Array {
  const places = placeTexts(ofRule, terms.destinations, noToken);
  return (unit) => terms.destinationsOf(unit).map((code) => places[code] as number);
}
