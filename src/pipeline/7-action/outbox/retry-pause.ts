/** How long a failed action waits: twice as long each time, without chance, so that one run is like another. */

export type RetryOptions = {
  /** Pause after the first failure. */
  readonly pauseFirstMs: number;
  readonly pauseMaxMs: number;
  /** The longest pause that a receiver may ask for. */
  readonly askedMaxMs: number;
};

export const retryDefaults: RetryOptions = { pauseFirstMs: 30_000, pauseMaxMs: 3_600_000, askedMaxMs: 86_400_000 };

/**
 * Pause after a failed attempt.
 *
 * @param attempts  made so far, at least 1
 * @param askedMs   what the receiver asked for, if it did
 */
export function retryPause(attempts: number, askedMs: number | undefined, options: RetryOptions): number {
  const growing = Math.min(options.pauseMaxMs, options.pauseFirstMs * 2 ** Math.min(Math.max(attempts, 1) - 1, 40));
  // Whatever does not compare counts as not asked.
  const asked = askedMs !== undefined && askedMs > 0 ? Math.min(askedMs, options.askedMaxMs) : 0;
  return Math.max(growing, asked);
}
