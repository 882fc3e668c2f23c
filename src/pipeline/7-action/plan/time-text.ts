/** Times in reasons: ISO 8601, whatever number comes. */

/** `2026-03-01T12:00:00.000Z`, or the number where it is no time that has a date. */
export function timeText(timeMs: number): string {
  return Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs);
}
