/** The only place that reads the machine's clocks; everything else is handed a `Clock`. */

export type Clock = {
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
  /** Monotonic clock, milliseconds from an arbitrary start. */
  readonly monotonicMs: () => number;
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** CPU time of this process so far (user and system), in seconds. */
export function cpuSeconds(): number {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
}

/** A clock that stands still until it is moved; for tests and simulations. */
export class VirtualClock implements Clock {
  #nowMs: number;
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }
  readonly nowMs = (): number => this.#nowMs;
  readonly monotonicMs = (): number => this.#nowMs;
  /** Moves the clock forward. @param durationMs not negative */
  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}
