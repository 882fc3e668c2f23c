/**
 * Time to detect as the paper has it (Meidan et al. 2019 §6.4, §7.1): the time between flows of the device model plus
 * the time that one takes; what classifying takes is nothing beside them. Here of the flows that are accepted, as the
 * others detect nothing.
 */
import { mean } from './means.ts';

/** Test flows of one unit of the device model, ascending in time. */
export type OwnUnit = {
  readonly startMs: Float64Array;
  readonly endMs: Float64Array;
  readonly isAccepted: Uint8Array;
};

/** `null` where there is nothing to take a mean of. */
export type DetectionTimes = {
  readonly interArrivalSeconds: number | null;
  readonly durationSeconds: number | null;
  readonly timeToDetectSeconds: number | null;
};

/** Means over all gaps, and over all flows, of all units. Pauses of a recording count as gaps. */
export function measureDetection(units: readonly OwnUnit[]): DetectionTimes {
  const gaps: number[] = [];
  const durations: number[] = [];
  for (const { startMs, endMs, isAccepted } of units) {
    let before: number | undefined;
    for (let i = 0; i < startMs.length; i++) {
      if (isAccepted[i] !== 1) continue;
      const start = startMs[i] as number;
      if (before !== undefined) gaps.push((start - before) / 1_000);
      durations.push(((endMs[i] as number) - start) / 1_000);
      before = start;
    }
  }
  const [interArrivalSeconds, durationSeconds] = [mean(gaps), mean(durations)];
  return {
    interArrivalSeconds, durationSeconds,
    timeToDetectSeconds: interArrivalSeconds === null || durationSeconds === null
      ? null : interArrivalSeconds + durationSeconds,
  };
}
