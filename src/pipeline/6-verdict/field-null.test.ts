/** The null of production: what it makes of owners among the homes, what it refuses, and what its rate comes to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { activityCount, type NullTable } from './calibration.ts';
import { createDecisionRule } from './decision-rule.ts';
import { describeFieldNull, estimateFieldNull, type FieldStratum } from './field-null.ts';
import { countHomeDays, emptyNullTable, NullCounter, tailCounts } from './null-table.ts';

const ownFloor = 12;
const floorBin = 48;
const flowsADay = 10;

type Draw = (random: Random) => number;
/** Scores of null home-days: some smooth, some sums of a few weights as fingerprints make them. */
const nulls: Readonly<Record<string, Draw>> = {
  smooth: (random) => random.chance(0.7) ? 0 : random.exponential(1.5),
  sums: (random) => {
    let score = 0;
    for (let device = random.integer(3, 25); device > 0; device--) {
      if (random.chance(0.02)) score += random.integer(1, 4);
    }
    return score;
  },
  'hardly any': (random) => random.chance(0.9997) ? 0 : random.pick([4, 2]),
};
const owner: Draw = (random) => ownFloor + random.exponential(10);

function sketchOf(draw: Draw, seed: number, { homeDays = 60_000, ownership = 0.02 } = {}): NullTable {
  const random = new Random(seed);
  const counter = new NullCounter();
  for (let day = 0; day < homeDays; day++) {
    counter.add(random.chance(ownership) ? owner(random) : draw(random), flowsADay);
  }
  return counter.table();
}

const presentScoreOf = (nullTable: NullTable): number =>
  createDecisionRule({ nullTable, ownFloor, group: [], expiresMs: 1 }, { perMonth: 0.003 }, 0).rule
    .presentScoreOf(flowsADay);
const firstOf = (strata: readonly FieldStratum[]): FieldStratum => strata[0] as FieldStratum;

for (const [name, draw] of Object.entries(nulls)) {
  test(`owners among the homes: the budget is kept and they are found (${name})`, () => {
    for (let seed = 0; seed < 20; seed++) {
      const sketch = sketchOf(draw, seed);
      const { table, strata } = estimateFieldNull(sketch, ownFloor);
      const { suspectedOwners, fault } = firstOf(strata);
      assert.equal(fault, undefined);
      assert.ok(Math.abs(suspectedOwners / 60_000 - 0.02) < 0.004, `${suspectedOwners}`);
      const present = presentScoreOf(table);
      const random = new Random(1_000 + seed);
      let falseAlarms = 0;
      for (let day = 0; day < 100_000; day++) if (draw(random) >= present) falseAlarms++;
      // At 1e-4 a home-day 10 are promised; of Poisson counts with this mean one in 700 is above 20.
      assert.ok(falseAlarms <= 20, `seed ${seed}: ${falseAlarms} from ${present} on`);
      const found = Array.from({ length: 1_000 }, () => owner(random)).filter((score) => score >= present).length;
      assert.ok(found > 300, `seed ${seed}: ${found} of 1,000 from ${present} on`);
      assert.ok(presentScoreOf(sketch) > present + 20, 'taken as they are, owners would hide each other');
    }
  });
}

test('below the floor all is as it was counted; from there on no more than that, and less and less', () => {
  const arbitraryCounts = fc.array(fc.tuple(fc.integer({ min: 0, max: 480 }).map((score) => score / 8),
    fc.integer({ min: 1, max: 3_000 })), { maxLength: 12 });
  fc.assert(fc.property(arbitraryCounts, fc.integer({ min: 1, max: 40 }), (counts, floor) => {
    const counter = new NullCounter();
    for (const [score, times] of counts) for (let i = 0; i < times; i++) counter.add(score, flowsADay);
    const sketch = counter.table();
    const { table, strata } = estimateFieldNull(sketch, floor);
    const { fault, homeDays, suspectedOwners } = firstOf(strata);
    assert.equal(homeDays, countHomeDays(sketch));
    assert.equal(countHomeDays(table), fault === undefined ? homeDays - suspectedOwners : 0);
    const [seen, estimated] = [tailCounts(sketch), tailCounts(table)];
    for (const [bin, count] of (table.homeDays[0] as readonly number[]).entries()) {
      assert.ok(Number.isSafeInteger(count) && count >= 0);
      if (fault === undefined && bin < floor * 4) assert.equal(count, sketch.homeDays[0]?.[bin]);
      if (bin >= floor * 4) assert.ok((estimated[bin] as number) <= (seen[bin] as number));
    }
  }), { numRuns: 100 });
});

test('more strong home-days than homes may have the device model: the stratum is left out, and that is said', () => {
  const often = estimateFieldNull(sketchOf(nulls.smooth as Draw, 1, { ownership: 0.06 }), ownFloor);
  assert.equal(firstOf(often.strata).fault, 'many-strong');
  assert.deepEqual(often.table, emptyNullTable());
  assert.equal(presentScoreOf(often.table), Infinity);
  assert.match(describeFieldNull(often)[0] ?? '', /stratum 0: 60000 home-days left out.*more .* strong/);
  const believed = estimateFieldNull(sketchOf(nulls.smooth as Draw, 1, { ownership: 0.06 }), ownFloor,
    { ownershipMax: 0.1 });
  assert.equal(firstOf(believed.strata).fault, undefined);
});

test('where nothing becomes rarer, nothing is drawn on: what was counted stays', () => {
  const counter = new NullCounter();
  for (let day = 0; day < 20_000; day++) counter.add(day % 40 === 0 ? 3 + day % 7 * 2.5 : 0, flowsADay);
  const sketch = counter.table();
  const estimate = estimateFieldNull(sketch, ownFloor);
  const { decayPerNat, suspectedOwners } = firstOf(estimate.strata);
  assert.deepEqual([decayPerNat, suspectedOwners], [1, 0]);
  assert.deepEqual(estimate.table, sketch);
  assert.match(describeFieldNull(estimate)[0] ?? '', /not known to become rarer/);
});

test('the bound of the decay lies above the true one in nineteen of twenty sketches', () => {
  // Scores are exponential: a nat more is as rare as 1/e.
  let above = 0;
  for (let seed = 0; seed < 200; seed++) {
    const sketch = sketchOf((random) => random.exponential(1), seed, { homeDays: 3_000, ownership: 0 });
    if (firstOf(estimateFieldNull(sketch, ownFloor).strata).decayPerNat >= Math.exp(-1)) above++;
  }
  assert.ok(above >= 190, `${above} of 200`);
});

test('strong homes without the device model are no suspects, as far as a straight tail foretells them', () => {
  for (let seed = 0; seed < 20; seed++) {
    const sketch = sketchOf((random) => random.exponential(4), seed, { ownership: 0 });
    const { suspectedOwners } = firstOf(estimateFieldNull(sketch, ownFloor).strata);
    const strong = tailCounts(sketch)[floorBin] as number;
    assert.ok(strong > 2_500 && suspectedOwners < 0.08 * strong, `${suspectedOwners} of ${strong}`);
  }
});

test('strata stand for themselves; of nothing comes nothing', () => {
  const counter = new NullCounter();
  const random = new Random(5);
  for (let day = 0; day < 3_000; day++) {
    counter.add(random.exponential(1), 10);
    counter.add(random.chance(0.2) ? owner(random) : 0, 400);
  }
  const { table, strata } = estimateFieldNull(counter.table(), ownFloor);
  assert.deepEqual(strata.map(({ fault }) => fault), [undefined, 'many-strong', 'none', 'none']);
  assert.deepEqual(strata.map(({ activity }) => countHomeDays(table, activity) > 0), [true, false, false, false]);
  const none = estimateFieldNull(emptyNullTable(), ownFloor);
  assert.deepEqual([none.table, none.strata.length], [emptyNullTable(), activityCount]);
  assert.equal(describeFieldNull(none)[3], 'stratum 3: no home-days');
  assert.throws(() => estimateFieldNull(emptyNullTable(), 0), /every home/);
  assert.equal(tailCounts(table)[floorBin], 0);
});
