/** Durations as people write them in options and configs: numbers with their units. */

/** Milliseconds of each unit, ascending. */
export const durationUnitsMs: Readonly<Record<string, number>> = {
  ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000,
};

/** Milliseconds of `10m`, `1h`, `14d`, `1h30m`; undefined: no duration. */
export function parseDuration(written: string): number | undefined {
  if (!/^(?:\d{1,12}(?:ms|[smhd]))+$/.test(written)) return undefined;
  let totalMs = 0;
  let lastFactor = Infinity;
  for (const [, count, unit] of written.matchAll(/(\d+)(ms|[smhd])/g)) {
    const factor = durationUnitsMs[unit as string] as number;
    // 1h30m, but not 30m1h or 1h1h: those are slips.
    if (factor >= lastFactor) return undefined;
    lastFactor = factor;
    totalMs += Number(count) * factor;
  }
  return totalMs;
}
