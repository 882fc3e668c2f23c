/**
 * The traces of a data set as methods use them: of every unit, with its training part, and the names that it asked for
 * in windows. Worked out once for all device models, seeds and methods.
 */
import { assertInvariant } from '#base';
import { loadTraces } from '../dataset/read-traces.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { noFlow, type DeviceTrace, type TraceTexts } from './device-trace.ts';
import type { TermUnit } from './name-windows.ts';
import { cutNames, listTraceTerms, type TraceTerms } from './trace-terms.ts';

/** Which packets of a unit: all, or those of flows that may be learned from where the unit is the device model's. */
export type TracePart = 'whole' | 'training';

export type WorldTraces = {
  readonly texts: TraceTexts;
  readonly terms: TraceTerms;
  /** Read only. */
  traceOf(unit: LabUnit, part: TracePart): DeviceTrace;
  /** Windows of names of servers that a unit asked for. */
  namesOf(unit: LabUnit, part: TracePart, windowMs: number): TermUnit;
};

/** @throws OperatorError  the data set has no traces, or they are of other flows */
export async function loadWorldTraces(folder: string, units: readonly LabUnit[]): Promise<WorldTraces> {
  const { texts, load } = await loadTraces(folder);
  const traces = new Map<string, DeviceTrace>();
  for (const { device: { device } } of units) traces.set(device, await load(device));
  return createWorldTraces(texts, traces);
}

/** @param traces  by name of the device */
export function createWorldTraces(texts: TraceTexts, traces: ReadonlyMap<string, DeviceTrace>): WorldTraces {
  const terms = listTraceTerms(texts);
  const training = new Map<string, DeviceTrace>();
  const traceOf = (unit: LabUnit, part: TracePart): DeviceTrace => {
    const { device } = unit.device;
    const whole = traces.get(device);
    assertInvariant(whole !== undefined, `nobody kept the packets of ${device}`);
    if (part === 'whole') return whole;
    const known = training.get(device) ?? cutTraining(whole, unit);
    training.set(device, known);
    return known;
  };
  const made = new Map<string, TermUnit>();
  const namesOf = (unit: LabUnit, part: TracePart, windowMs: number): TermUnit => {
    const { device, deviceModel, kind } = unit.device;
    const key = `${part} ${windowMs} ${device}`;
    const known = made.get(key) ??
      { name: device, deviceModel, kind, windows: cutNames(traceOf(unit, part), terms, windowMs) };
    made.set(key, known);
    return known;
  };
  return { texts, terms, traceOf, namesOf };
}

/** Packets of the training rows, and questions to the resolver at home from before the last of those began. */
function cutTraining(trace: DeviceTrace, { device: { train }, flows: { columns } }: LabUnit): DeviceTrace {
  let lastMs = -Infinity;
  for (let row = 0; row < train; row++) lastMs = Math.max(lastMs, columns.flowStartMilliseconds[row] as number);
  return pickPackets(trace, [...trace.flow.keys()].filter((i) => {
    const row = trace.flow[i] as number;
    return row === noFlow ? (trace.timeMs[i] as number) <= lastMs : row < train;
  }));
}

/** Some packets of a trace. @param kept  their places in it, ascending */
export function pickPackets(trace: DeviceTrace, kept: readonly number[]): DeviceTrace {
  return {
    timeMs: Float64Array.from(kept, (i) => trace.timeMs[i] as number),
    ipId: Uint16Array.from(kept, (i) => trace.ipId[i] as number),
    destination: Uint32Array.from(kept, (i) => trace.destination[i] as number),
    name: Uint32Array.from(kept, (i) => trace.name[i] as number),
    flow: Uint32Array.from(kept, (i) => trace.flow[i] as number),
  };
}
