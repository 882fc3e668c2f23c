/**
 * The detector's one timeline: the wall clock without its steps. A machine without a battery starts in 1970 and learns
 * the time later, a time server may set a clock back: neither may age evidence, repeat a mail or end a block early.
 * What is stored and compared is steady time; texts for people are of the wall clock.
 */
import type { Clock } from '#base';

/** What is kept over a restart. */
export type SavedTime = {
  readonly steadyMs: number;
  /** Wall clock minus steady time. */
  readonly offsetMs: number;
};

/** A larger difference between what wall clock and monotonic clock say of a span is a step, not a drift. */
export const clockStepMs = 10_000;

export class SteadyClock {
  /** Steps of the wall clock that were taken out. */
  stepCount = 0;
  /** Their sum, signed. */
  steppedMs = 0;
  readonly #clock: Clock;
  #offsetMs: number;
  #steadyMs: number;
  #wallMs: number;
  #monotonicMs: number;

  /** @param saved  of the run before; a wall clock that is behind it was set back meanwhile */
  constructor(clock: Clock, saved?: SavedTime) {
    this.#clock = clock;
    this.#wallMs = clock.nowMs();
    this.#monotonicMs = clock.monotonicMs();
    this.#offsetMs = saved?.offsetMs ?? 0;
    this.#steadyMs = this.#wallMs - this.#offsetMs;
    if (saved !== undefined && this.#steadyMs < saved.steadyMs) {
      this.#noteStep(this.#steadyMs - saved.steadyMs);
      this.#steadyMs = saved.steadyMs;
    }
  }

  /** Steady time; never less than it was. */
  nowMs(): number {
    const wallMs = this.#clock.nowMs();
    const monotonicMs = this.#clock.monotonicMs();
    const excessMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs);
    if (Math.abs(excessMs) > clockStepMs) this.#noteStep(excessMs);
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    this.#steadyMs = Math.max(this.#steadyMs, wallMs - this.#offsetMs);
    return this.#steadyMs;
  }

  /** Wall clock of a steady time, as the clock stands now. */
  toWall(steadyMs: number): number {
    return steadyMs + this.#offsetMs;
  }

  /** Steady time of a wall clock's time, as the clock stands now. */
  toSteady(wallMs: number): number {
    return wallMs - this.#offsetMs;
  }

  wallMs(): number {
    return this.toWall(this.nowMs());
  }

  save(): SavedTime {
    return { steadyMs: this.nowMs(), offsetMs: this.#offsetMs };
  }

  #noteStep(stepMs: number): void {
    this.#offsetMs += stepMs;
    this.steppedMs += stepMs;
    this.stepCount++;
  }
}
