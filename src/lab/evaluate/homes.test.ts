/** Homes and times to detect, on units of which the answer is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { shareOfHomesAlarmed, type JudgedUnit } from './homes.ts';
import { measureDetection } from './time-to-detect.ts';

const minuteMs = 60_000;

/** A unit with a flow each minute. */
const unitOf = (flows: number, isAccepted: (i: number) => boolean): JudgedUnit => ({
  startMs: Float64Array.from({ length: flows }, (_, i) => i * minuteMs),
  isAccepted: Uint8Array.from({ length: flows }, (_, i) => (isAccepted(i) ? 1 : 0)),
});
const never = (): boolean => false;

test('no home is alarmed without an accepted flow, every one where each hour has one', () => {
  const quiet = Array.from({ length: 12 }, () => unitOf(200, never));
  assert.equal(shareOfHomesAlarmed(quiet, new Random(1)), 0);
  const loud = Array.from({ length: 12 }, () => unitOf(200, (i) => i % 30 === 29 || i === 199));
  assert.equal(shareOfHomesAlarmed(loud, new Random(1)), 1);
});

test('one loud unit of sixteen alarms half of the homes of eight', () => {
  const units = Array.from({ length: 16 }, (_, i) => unitOf(100, () => i === 5));
  const share = shareOfHomesAlarmed(units, new Random(2));
  // A standard deviation is .016.
  assert.ok(Math.abs(share - 0.5) < 0.07, `${share}`);
  assert.equal(shareOfHomesAlarmed(units, new Random(2)), share);
});

test('an hour is an hour: of 600 minutes one accepted flow is in the hours of the 60 that precede it', () => {
  const share = shareOfHomesAlarmed([unitOf(600, (i) => i === 300)], new Random(3));
  assert.ok(Math.abs(share - 0.1) < 0.04, `${share}`);
});

test('a classifier that accepts more alarms no fewer homes of the same seed', () => {
  const flags = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });
  fc.assert(fc.property(fc.array(flags, { minLength: 1, maxLength: 10 }), fc.nat(), (units, seed) => {
    const share = (isAccepted: (unit: boolean[], i: number) => boolean): number => shareOfHomesAlarmed(
      units.map((unit) => unitOf(40, (i) => isAccepted(unit, i))), new Random(seed));
    assert.ok(share((unit, i) => unit[i] as boolean) <= share((unit, i) => (unit[i] as boolean) || i % 2 === 0));
  }), { numRuns: 20 });
});

test('time to detect is the mean gap of accepted flows and their mean duration', () => {
  const unit = {
    startMs: Float64Array.of(0, 10_000, 30_000, 90_000), endMs: Float64Array.of(1_000, 19_000, 33_000, 92_000),
    isAccepted: Uint8Array.of(1, 0, 1, 1),
  };
  assert.deepEqual(measureDetection([unit]),
    { interArrivalSeconds: 45, durationSeconds: 2, timeToDetectSeconds: 47 });
  const other = { startMs: Float64Array.of(5_000), endMs: Float64Array.of(11_000), isAccepted: Uint8Array.of(1) };
  // Of two units each has its own gaps; a single flow has none.
  assert.deepEqual(measureDetection([unit, other]),
    { interArrivalSeconds: 45, durationSeconds: 3, timeToDetectSeconds: 48 });
  assert.deepEqual(measureDetection([other]),
    { interArrivalSeconds: null, durationSeconds: 6, timeToDetectSeconds: null });
  assert.deepEqual(measureDetection([{ ...other, isAccepted: Uint8Array.of(0) }]),
    { interArrivalSeconds: null, durationSeconds: null, timeToDetectSeconds: null });
});
