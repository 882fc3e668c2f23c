/** Null tables: what may be added to what, home-days and strata at their edges, and that p-values are what they say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { activityBounds, activityCount, nullBinCount, nullBinWidth, type NullTable } from './calibration.ts';
import {
  activityOf, conformalP, countHomeDays, emptyNullTable, homeDayOf, mergeNullTables, nullBinOf, NullCounter, scoreOfBin,
  tailCounts,
} from './null-table.ts';

const dayMs = 86_400_000;
const latenessMs = 1_800_000;

type HomeDay = readonly [score: number, flowsADay: number];

/** Scores are multiples of 1/64, the last of them beyond the bins. */
const arbitraryHomeDay: fc.Arbitrary<HomeDay> =
  fc.tuple(fc.integer({ min: 0, max: 64 * 120 }).map((score) => score / 64), fc.nat({ max: 20_000 }));

function tableOf(homeDays: readonly HomeDay[]): NullTable {
  const counter = new NullCounter();
  for (const [score, flowsADay] of homeDays) assert.ok(counter.add(score, flowsADay));
  return counter.table();
}

test('strata and bins at their edges', () => {
  assert.deepEqual([0, ...activityBounds.flatMap((bound) => [bound - 1, bound]), 1e9].map(activityOf),
    [0, 0, 1, 1, 2, 2, 3, 3]);
  assert.equal(activityOf(1e9), activityCount - 1);
  assert.deepEqual([0, 15 / 64, 16 / 64, 1, 99.75, 1e6].map(nullBinOf), [0, 0, 1, 4, 399, 399]);
  for (let bin = 0; bin < nullBinCount; bin++) assert.equal(nullBinOf(scoreOfBin(bin)), bin);
  assert.equal(nullBinOf(scoreOfBin(7) - 1 / 64), 6);
  assert.equal(nullBinWidth * 64 % 1, 0, 'sums of weights fall on the edges of bins exactly');
});

test('a home-day begins a lateness after midnight, with the first window that holds a bucket of then', () => {
  const midnightMs = 20_000 * dayMs;
  assert.equal(homeDayOf(midnightMs + latenessMs, latenessMs), 19_999);
  assert.equal(homeDayOf(midnightMs + latenessMs + 60_000, latenessMs), 20_000);
  assert.equal(homeDayOf(midnightMs + dayMs + latenessMs, latenessMs), 20_000);
});

test('home-days without evidence count, those of unknown activity do not', () => {
  const counter = new NullCounter();
  assert.ok(!counter.add(9, undefined));
  assert.deepEqual(counter.table(), emptyNullTable());
  assert.ok(counter.add(0, 10));
  const before = counter.table();
  assert.ok(counter.add(5, 10));
  assert.deepEqual([countHomeDays(before), countHomeDays(counter.table()), countHomeDays(counter.table(), 1)],
    [1, 2, 0]);
  assert.ok(Object.isFrozen(before.homeDays[0]));
  const tails = tailCounts(counter.table(), [0]);
  assert.deepEqual([tails[0], tails[1], tails[20], tails[21]], [2, 1, 1, 0]);
});

test('scores and flows below 0, and tables of another shape, are our own bug', () => {
  assert.throws(() => nullBinOf(-1), /weights/);
  assert.throws(() => activityOf(Number.NaN), /fewer/);
  assert.throws(() => mergeNullTables({ homeDays: [[], [], [], [], [1]] }), /other strata/);
});

test('merging commutes, associates, and is the same as collecting at once', () => {
  const arbitraryDays = fc.array(arbitraryHomeDay, { maxLength: 40 });
  fc.assert(fc.property(arbitraryDays, arbitraryDays, arbitraryDays, (a, b, c) => {
    const [one, two, three] = [tableOf(a), tableOf(b), tableOf(c)];
    const whole = tableOf([...c, ...a, ...b]);
    assert.deepEqual(mergeNullTables(one, two), mergeNullTables(two, one));
    assert.deepEqual(mergeNullTables(mergeNullTables(one, two), three), whole);
    assert.deepEqual(mergeNullTables(one, mergeNullTables(two, three)), whole);
    assert.deepEqual(mergeNullTables(one, emptyNullTable()), one);
  }));
});

/** p of the home-day at `index` among the others, by definition. */
function leaveOneOut(homeDays: readonly HomeDay[], index: number): number {
  const others = tailCounts(tableOf(homeDays.filter((_, i) => i !== index)));
  const [score] = homeDays[index] as HomeDay;
  return conformalP(others[nullBinOf(score)] as number, others[0] as number);
}

test('of any n + 1 home-days at most α(n + 1) have p ≤ α: whichever is the new one, p is valid', () => {
  fc.assert(fc.property(fc.array(arbitraryHomeDay, { minLength: 1, maxLength: 25 }), (homeDays) => {
    const ps = homeDays.map((_, i) => leaveOneOut(homeDays, i));
    for (const level of ps) {
      assert.ok(ps.filter((p) => p <= level).length <= level * homeDays.length + 1e-9);
    }
    assert.ok(ps.every((p) => p > 0 && p <= 1));
  }), { numRuns: 200 });
});

test('p of new home-days is super-uniform over many seeds, ties or not', () => {
  const draws: Readonly<Record<string, (random: Random) => number>> = {
    smooth: (random) => random.exponential(3),
    lumpy: (random) => random.chance(0.8) ? 0 : 4 * Math.floor(random.exponential(1)),
    heavy: (random) => Math.min(500, 1 / (1 - random.uniform()) - 1),
  };
  const runs = 4_000;
  for (const [name, draw] of Object.entries(draws)) {
    const ps: number[] = [];
    for (let seed = 0; seed < runs; seed++) {
      const random = new Random(seed);
      const others = Array.from({ length: 99 }, () => nullBinOf(draw(random)));
      const bin = nullBinOf(draw(random));
      ps.push(conformalP(others.filter((other) => other >= bin).length, others.length));
    }
    for (const level of [0.01, 0.05, 0.1, 0.25, 0.5]) {
      const share = ps.filter((p) => p <= level + 1e-12).length / runs;
      const deviation = Math.sqrt(level * (1 - level) / runs);
      assert.ok(share <= level + 3.5 * deviation, `${name}: ${share} of p at most ${level}`);
    }
  }
});
