/**
 * The time of a simulated machine: a true time that tests move, a wall clock that steps away from it, and timers that
 * run when it is their time. Puts itself in the place of `setTimeout` while a test wants it there.
 */
import type { TestContext } from 'node:test';
import { assertInvariant, type Clock } from '#base';

type Timer = { readonly dueMs: number; readonly run: () => void };

export class DayClock implements Clock {
  /** What the wall clock is ahead. */
  aheadMs = 0;
  #trueMs: number;
  readonly #timers = new Map<number, Timer>();
  #nextTimer = 1;

  constructor(startMs: number) {
    this.#trueMs = startMs;
  }

  get trueMs(): number {
    return this.#trueMs;
  }

  readonly nowMs = (): number => this.#trueMs + this.aheadMs;
  readonly monotonicMs = (): number => this.#trueMs;

  /** Takes the place of the timers of Node until the test ends. */
  install(t: TestContext): void {
    const set = (run: () => void, delayMs = 0): number => {
      this.#timers.set(this.#nextTimer, { dueMs: this.#trueMs + delayMs, run });
      return this.#nextTimer++;
    };
    t.mock.method(globalThis, 'setTimeout', set as unknown as typeof setTimeout);
    t.mock.method(globalThis, 'clearTimeout', ((timer: number) => void this.#timers.delete(timer)) as never);
  }

  /** Time goes by; timers run on the way, each at its time. */
  advanceTo(trueMs: number): void {
    assertInvariant(trueMs >= this.#trueMs, 'time goes forward');
    for (;;) {
      const next = [...this.#timers].filter(([, { dueMs }]) => dueMs <= trueMs)
        .sort(([, a], [, b]) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      const [number, { dueMs, run }] = next;
      this.#timers.delete(number);
      this.#trueMs = Math.max(this.#trueMs, dueMs);
      run();
    }
    this.#trueMs = trueMs;
  }

  /** Whoever set timers is no more. */
  dropTimers(): void {
    this.#timers.clear();
  }
}
