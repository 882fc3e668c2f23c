/**
 * A unit's flows as homes are composed of them: only when they ended, as evidence is by the end of a flow. A recording
 * is cut into sessions, since a pause may be the device's or the recorder's, and nothing is known of what happened in
 * it. Some data sets are set-ups of seconds, months apart; others run for days.
 */
import { assertInvariant } from '#base';
import type { FlowBatch } from '#flow';
import type { RoleUnit } from './roles.ts';

/** A pause longer than this ends a session. */
export const sessionPauseMs = 3_600_000;
/** A recording with a session of this length or longer is continuous: its own rhythm is known. */
export const continuousMs = 2 * 3_600_000;

/** Flows `first` up to but not `end`, in order of their ends. */
export type Session = { readonly first: number; readonly end: number };

export type Recording = {
  readonly unit: RoleUnit;
  /** [flow]: when it started. */
  readonly startMs: Float64Array;
  /** [flow]: ascending, not empty. */
  readonly endMs: Float64Array;
  /** [flow]: row of the unit's flows, to look up what a classifier said of it. */
  readonly row: Uint32Array;
  readonly sessions: readonly Session[];
  readonly isContinuous: boolean;
};

/**
 * @param first, end  rows of the batch: a part of the unit's flows, or all
 * @returns undefined  there are no flows with a time in it
 */
export function createRecording(
  unit: RoleUnit, { columns }: Pick<FlowBatch, 'columns'>, first: number, end: number,
): Recording | undefined {
  const { flowStartMilliseconds, flowEndMilliseconds } = columns;
  const rows: number[] = [];
  for (let row = first; row < end; row++) {
    if (Number.isSafeInteger(Math.floor(flowEndMilliseconds[row] as number))) rows.push(row);
  }
  if (rows.length === 0) return undefined;
  rows.sort((a, b) => (flowEndMilliseconds[a] as number) - (flowEndMilliseconds[b] as number) || a - b);
  const endMs = Float64Array.from(rows, (row) => flowEndMilliseconds[row] as number);
  const sessions = cutSessions(endMs);
  const isContinuous = sessions.some((session) => lengthOf(endMs, session) >= continuousMs);
  const startMs = Float64Array.from(rows, (row) => flowStartMilliseconds[row] as number);
  return { unit, startMs, endMs, row: Uint32Array.from(rows), sessions, isContinuous };
}

/** From the first flow's end to the last one's. */
export function lengthOf(endMs: Float64Array, { first, end }: Session): number {
  return (endMs[end - 1] as number) - (endMs[first] as number);
}

/** Time that sessions last together, at least a minute each: a single flow takes some time, too. */
export function recordedMs({ endMs, sessions }: Recording): number {
  return sessions.reduce((sum, session) => sum + Math.max(lengthOf(endMs, session), 60_000), 0);
}

function cutSessions(endMs: Float64Array): Session[] {
  const sessions: Session[] = [];
  let first = 0;
  for (let i = 1; i <= endMs.length; i++) {
    if (i < endMs.length && (endMs[i] as number) - (endMs[i - 1] as number) <= sessionPauseMs) continue;
    sessions.push({ first, end: i });
    first = i;
  }
  return sessions;
}

/** First flow that ends at `timeMs` or later. */
export function lowerBound(endMs: Float64Array, timeMs: number): number {
  let [low, high] = [0, endMs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((endMs[middle] as number) < timeMs) low = middle + 1;
    else high = middle;
  }
  assertInvariant(low === endMs.length || (endMs[low] as number) >= timeMs, 'flows are not in order');
  return low;
}
