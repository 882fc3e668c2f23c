/** The steady timeline under wall clocks that step, drift and restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#base';
import { clockStepMs, SteadyClock } from './steady-clock.ts';

class TwoClocks implements Clock {
  wall = 1_000_000;
  monotonic = 50;
  readonly nowMs = (): number => this.wall;
  readonly monotonicMs = (): number => this.monotonic;
  pass(durationMs: number, stepMs = 0): void {
    this.wall += durationMs + stepMs;
    this.monotonic += durationMs;
  }
}

test('without steps it is the wall clock, and follows its drift', () => {
  const clocks = new TwoClocks();
  const steady = new SteadyClock(clocks);
  assert.equal(steady.nowMs(), 1_000_000);
  clocks.pass(60_000, 400);
  assert.equal(steady.nowMs(), 1_060_400);
  assert.equal(steady.stepCount, 0);
});

test('steps in both directions are taken out', () => {
  for (const stepMs of [1_700_000_000_000, -3_600_000, clockStepMs + 1]) {
    const clocks = new TwoClocks();
    const steady = new SteadyClock(clocks);
    clocks.pass(5_000, stepMs);
    assert.equal(steady.nowMs(), 1_005_000);
    assert.equal(steady.stepCount, 1);
    assert.equal(steady.steppedMs, stepMs);
    assert.equal(steady.wallMs(), clocks.wall, 'people are shown the wall clock');
    assert.equal(steady.toSteady(clocks.wall), 1_005_000);
    clocks.pass(1_000);
    assert.equal(steady.nowMs(), 1_006_000);
  }
});

test('a small step back does not turn time back', () => {
  const clocks = new TwoClocks();
  const steady = new SteadyClock(clocks);
  clocks.pass(1_000);
  assert.equal(steady.nowMs(), 1_001_000);
  clocks.pass(100, -2_000);
  assert.equal(steady.nowMs(), 1_001_000, 'stands still');
  clocks.pass(3_000);
  assert.equal(steady.nowMs(), 1_002_100);
});

test('a restart goes on: time that passed passes, a clock set back meanwhile does not count', () => {
  const clocks = new TwoClocks();
  const before = new SteadyClock(clocks);
  clocks.pass(5_000, 90_000_000);
  const saved = before.save();
  clocks.wall += 60_000;
  clocks.monotonic = 0;
  assert.equal(new SteadyClock(clocks, saved).nowMs(), saved.steadyMs + 60_000);
  clocks.wall -= 90_000_000;
  const after = new SteadyClock(clocks, saved);
  assert.equal(after.nowMs(), saved.steadyMs);
  assert.equal(after.stepCount, 1);
  clocks.pass(7_000);
  assert.equal(after.nowMs(), saved.steadyMs + 7_000);
});
