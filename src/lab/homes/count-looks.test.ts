/** Looks: more of them raise nothing where home-days are counted, and a lot where single windows are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { dayMs, type ComposedHome } from './compose-homes.ts';
import { countLooks, looseFpr, type LookCount } from './count-looks.ts';
import type { FlowTokens } from './home-windows.ts';
import { createWeightSum } from '../baseline/window-scores.ts';
import type { Recording } from './recording.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const budgeted = 0.003;
const weights = [1, 1.5, 2, 0.5, 3, 1.25];

type Shown = { readonly minute: number; readonly token: number };

/** A day of one unit that shows tokens now and then. */
function homeOf(shown: readonly Shown[]): ComposedHome {
  const sorted = shown.toSorted((a, b) => a.minute - b.minute);
  const times = Float64Array.from(sorted, ({ minute }) => minute * minuteMs);
  const recording: Recording = {
    unit: { device: 'unit', deviceModel: 'a.b.c', kind: 'iot' }, startMs: times, endMs: times, isContinuous: true,
    row: Uint32Array.from(sorted, ({ token }) => token), sessions: [{ first: 0, end: times.length }],
  };
  return { placements: [{ recording, first: 0, end: times.length, shiftMs: 0 }], devices: 1, flowsADay: 10 };
}

/** A row is its token. */
const tokensOf = ({ endMs, row }: Recording): FlowTokens => ({ endMs, token: row });

function count(homes: readonly ComposedHome[], presentFrom: number): LookCount[] {
  return countLooks(homes, {
    windowMs: hourMs, bucketMs: minuteMs, budget: { perMonth: 30 * budgeted }, tokensOf,
    score: createWeightSum(weights),
    decision: { isPresent: (score) => score >= presentFrom, group: [], unfit: undefined },
  });
}

function alarms(
  counts: readonly LookCount[], on: LookCount['calibratedOn'], promised: number, minutes: number,
): number {
  const found = counts.filter(({ calibratedOn, promisedFpr, lookMinutes }) =>
    calibratedOn === on && Math.abs(promisedFpr - promised) < 1e-12 && lookMinutes === minutes);
  assert.equal(found.length, 1);
  return (found[0] as LookCount).falseAlarms;
}

const arbitraryHome = fc.array(fc.record({
  minute: fc.integer({ min: -60, max: dayMs / minuteMs - 1 }), token: fc.nat({ max: weights.length - 1 }),
}), { maxLength: 30 }).map(homeOf);

test('whoever is found by looks at hours is found by looks at minutes, whatever the homes and the threshold', () => {
  fc.assert(fc.property(fc.array(arbitraryHome, { maxLength: 5 }), fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 1, max: 9 }), (drawn, silent, presentFrom) => {
      // Thresholds that one home in a hundred may pass need a hundred homes.
      const counts = count([...drawn, ...Array.from({ length: silent }, () => homeOf([]))], presentFrom);
      const ways = [['home-days', budgeted], ['home-days', looseFpr], ['single windows', looseFpr]] as const;
      for (const [on, promised] of ways) {
        assert.ok(alarms(counts, on, promised, 60) <= alarms(counts, on, promised, 1));
      }
    }));
});

test('the promise of home-days holds with a look every minute; that of single windows is broken by far', () => {
  const random = new Random(7);
  const draw = (): ComposedHome => {
    const shown: Shown[] = [];
    while (random.chance(0.9)) {
      shown.push({ minute: random.integer(0, 1_439), token: random.integer(0, weights.length - 1) });
    }
    return homeOf(shown);
  };
  const homes = Array.from({ length: 8_000 }, draw);
  const counts = count(homes, 4.5);
  const promised = looseFpr * homes.length;
  // Two samples of 4,000 homes differ by so much or less in 999 of 1,000 cases.
  const chance = 3.1 * Math.sqrt(2 * promised);
  const [minutely = 0, hourly = 0] = [1, 60].map((minutes) => alarms(counts, 'home-days', looseFpr, minutes));
  assert.ok(minutely <= promised + chance && minutely > promised / 3, String(minutely));
  assert.ok(hourly < minutely, 'fewer looks find less');
  assert.ok(alarms(counts, 'single windows', looseFpr, 1) > 5 * promised);
  const byHand = homes.filter((home) => strongestByHand(home) >= 4.5);
  assert.equal(alarms(counts, 'home-days', budgeted, 1), byHand.length);
});

/** Of all windows of an hour that end with a minute in which something was shown. */
function strongestByHand({ placements }: ComposedHome): number {
  const flows = placements.flatMap(({ recording: { endMs, row } }) =>
    [...row].map((token, i) => ({ atMs: endMs[i] as number, token })));
  return flows.reduce((strongest, { atMs: lastMs }) => {
    const within = flows.filter(({ atMs }) => atMs <= lastMs && atMs > lastMs - hourMs);
    const shown = new Set(within.map(({ token }) => token));
    return Math.max(strongest, [...shown].reduce((sum, token) => sum + (weights[token] as number), 0));
  }, 0);
}
