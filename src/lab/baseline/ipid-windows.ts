/**
 * Packets of a device in windows, each with what its identifications say of every class and how fast they rise: worked
 * out once for a trace, and held against the signatures of all device models.
 */
import { windowOfTrace, type DeviceTrace } from './device-trace.ts';
import { gatherIncrements, type IncrementOptions } from './ipid-increments.ts';
import { classOf, fitSlope, weighClasses, type ClassWeights } from './ipid-slope.ts';

export type IdWindow = {
  readonly firstMs: number;
  /** When its last packet was sent. */
  readonly lastMs: number;
  readonly weights: ClassWeights;
  /** Identifications a second; NaN when they do not rise, or there are no two packets. */
  readonly slope: number;
};

/** Hours have less to tell than days, and there are many: 5,000 pairs put the median within a hundredth. */
const windowPairsMax = 5_000;

const windowsOfTraces = new WeakMap<DeviceTrace, Map<string, readonly IdWindow[]>>();

/** Windows one after the other from the first packet on; those without packets are left out. */
export function listIdWindows(
  trace: DeviceTrace, options: Partial<IncrementOptions>, windowMs: number,
): readonly IdWindow[] {
  const ofTrace = windowsOfTraces.get(trace) ?? new Map<string, readonly IdWindow[]>();
  windowsOfTraces.set(trace, ofTrace);
  const key = `${JSON.stringify(options)} ${windowMs}`;
  const known = ofTrace.get(key) ?? describeWindows(trace, options, windowMs);
  ofTrace.set(key, known);
  return known;
}

function describeWindows(trace: DeviceTrace, options: Partial<IncrementOptions>, windowMs: number): IdWindow[] {
  const { timeMs } = trace;
  const windows: IdWindow[] = [];
  const startMs = timeMs[0] ?? 0;
  for (let first = 0, end = 0; first < timeMs.length; first = end) {
    const number = Math.floor(((timeMs[first] as number) - startMs) / windowMs);
    while (end < timeMs.length && (timeMs[end] as number) < startMs + (number + 1) * windowMs) end++;
    const increments = gatherIncrements(windowOfTrace(trace, first, end), options);
    const weights = weighClasses(increments);
    const { slope } = fitSlope(increments, { idClass: classOf(weights), pairsMax: windowPairsMax });
    windows.push({ firstMs: timeMs[first] as number, lastMs: timeMs[end - 1] as number, weights, slope });
  }
  return windows;
}
