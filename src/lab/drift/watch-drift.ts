/**
 * Drift day by day: hours of a device model held against its reference, twice a day (UTC), so that a change is said
 * within 24 hours of it at whatever hour it came, as long as the device is recorded.
 */
import {
  driftDefaults, testDrift, type DriftHour, type DriftLook, type DriftOptions, type DriftReference,
} from '#verdict';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** One day, UTC. */
export type DriftDay = {
  readonly dayMs: number;
  readonly hours: number;
  readonly flows: number;
  readonly explainedShare: number;
  /** Of the reference's weight of tokens; undefined without a fingerprint. */
  readonly tokenRecall: number | undefined;
  /** The smallest of its looks; undefined: too few hours were recorded for any. */
  readonly p: number | undefined;
  readonly isDrifted: boolean;
};

export type DriftHistory = {
  readonly options: DriftOptions;
  readonly reference: DriftReference;
  readonly days: readonly DriftDay[];
  /** End of the first look that said so. */
  readonly driftedMs: number | undefined;
};

/** @param hours  of all units, in whatever order */
export function watchDrift(
  reference: DriftReference, hours: readonly DriftHour[], options: DriftOptions = driftDefaults,
): DriftHistory {
  const spanMs = options.spanHours * hourMs;
  const looks = [...Map.groupBy(hours, ({ startMs }) => Math.floor(startMs / spanMs))].sort(([a], [b]) => a - b)
    // An hour that ends after its span saw a part of the next one.
    .map(([span, members]) => ({
      endMs: (span + 1) * spanMs,
      look: testDrift(reference, members.filter(({ startMs }) => startMs + hourMs <= (span + 1) * spanMs), options),
    }));
  const drifted = looks.find(({ look }) => look?.isDrifted === true);
  const days = [...Map.groupBy(hours, ({ startMs }) => Math.floor(startMs / dayMs))].sort(([a], [b]) => a - b);
  return {
    options, reference, driftedMs: drifted?.endMs,
    days: days.map(([day, members]) => describeDay(day, members, reference,
      looks.filter(({ endMs }) => Math.floor((endMs - 1) / dayMs) === day).flatMap(({ look }) => look ?? []))),
  };
}

function describeDay(day: number, hours: readonly DriftHour[], { tokenWeight }: DriftReference,
  looks: readonly DriftLook[]): DriftDay {
  const mean = (valueOf: (hour: DriftHour) => number): number =>
    hours.reduce((sum, hour) => sum + valueOf(hour), 0) / hours.length;
  const weight = mean((hour) => hour.tokenWeight ?? 0);
  return {
    dayMs: day * dayMs, hours: hours.length, flows: hours.reduce((sum, { flows }) => sum + flows, 0),
    explainedShare: mean(({ flows, explained }) => explained / flows),
    tokenRecall: tokenWeight === undefined || tokenWeight.mean <= 0 ? undefined : weight / tokenWeight.mean,
    p: looks.length === 0 ? undefined : Math.min(...looks.map(({ p }) => p)),
    isDrifted: looks.some(({ isDrifted }) => isDrifted),
  };
}
