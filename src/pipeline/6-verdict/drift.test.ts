/** The drift test: its tail against scipy's, its level on hours that do not change, and its power on those that do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { driftDefaults, leastSeenFall, measureReference, studentTail, testDrift, type DriftHour } from './drift.ts';

test("Student's tail is scipy's", () => {
  // scipy.stats.t.sf(t, freedom)
  for (const [t, freedom, expected] of [
    [0, 5, 0.5], [1, 2, 0.21132486540518713], [2.5, 7, 0.020496109292876437], [3, 2.5, 0.036288047774515914],
    [4, 12, 0.0008808481221975126], [6, 23, 2.028433106906217e-06], [12, 40, 3.912085652127985e-15],
  ] as const) {
    const tail = studentTail(t, freedom);
    assert.ok(Math.abs(tail / expected - 1) < 1e-9, `t ${t}, ${freedom} degrees: ${tail}`);
  }
});

type World = { readonly share: number; readonly tokens: number; readonly correlation: number };

/** Hours of flows of which so many are explained, in a mood that lasts over hours. */
function makeHours(count: number, { share, tokens, correlation }: World, random: Random): DriftHour[] {
  let mood = random.normal(0, 1);
  return Array.from({ length: count }, (_, i) => {
    mood = correlation * mood + Math.sqrt(1 - correlation ** 2) * random.normal(0, 1);
    const flows = Math.max(1, Math.round(30 + 8 * mood));
    const often = Math.min(1, Math.max(0, share + 0.05 * mood));
    let explained = 0;
    for (let flow = 0; flow < flows; flow++) if (random.chance(often)) explained++;
    return { startMs: i * 3_600_000, flows, explained, tokenWeight: Math.max(0, tokens * (1 + 0.15 * mood)) };
  });
}

const steady: World = { share: 0.85, tokens: 20, correlation: 0.3 };

test('days without a change are called drift no more often than stated', () => {
  const random = new Random(5);
  const looksADay = 24 / driftDefaults.spanHours;
  let [days, drifted] = [0, 0];
  // A level that can be measured in so many days, and no least fall: the test alone must hold it.
  const options = { ...driftDefaults, levelADay: 0.05, fallMin: 0 };
  for (let home = 0; home < 150; home++) {
    const reference = measureReference(makeHours(48, steady, random));
    assert.ok(reference !== undefined);
    for (let day = 0; day < 20; day++, days++) {
      const looks = Array.from({ length: looksADay }, () =>
        testDrift(reference, makeHours(driftDefaults.spanHours, steady, random), options));
      if (looks.some((look) => look?.isDrifted)) drifted++;
    }
  }
  assert.ok(drifted / days <= 0.05, `${drifted} of ${days} days`);
});

test('a fall is seen within one span, in either statistic, and by nothing in the other direction', () => {
  const random = new Random(6);
  const changes: readonly (readonly [Partial<World>, boolean])[] = [
    [{ share: 0.4 }, true], [{ tokens: 4 }, true], [{ share: 0.95, tokens: 30 }, false], [{}, false],
  ];
  for (const [change, isDrift] of changes) {
    for (let seed = 0; seed < 50; seed++) {
      const reference = measureReference(makeHours(72, steady, random));
      assert.ok(reference !== undefined);
      const look = testDrift(reference, makeHours(driftDefaults.spanHours, { ...steady, ...change }, random));
      assert.equal(look?.isDrifted, isDrift, `${JSON.stringify(change)}: ${JSON.stringify(look)}`);
    }
  }
});

test('a reference without any spread does not make one odd flow a drift', () => {
  const hour = { flows: 20, explained: 20, tokenWeight: 12 };
  const reference = measureReference(Array.from({ length: 24 }, (_, i) => ({ ...hour, startMs: i * 3_600_000 })));
  assert.ok(reference !== undefined);
  const odd = Array.from({ length: 12 }, (_, i) =>
    ({ ...hour, explained: i === 0 ? 19 : 20, startMs: i * 3_600_000 }));
  assert.equal(testDrift(reference, odd)?.isDrifted, false);
  const gone = odd.map((each) => ({ ...each, tokenWeight: 6 }));
  assert.equal(testDrift(reference, gone)?.isDrifted, true);
  assert.equal(testDrift(reference, gone)?.tokenRecall, 0.5);
});

test('few hours say nothing, and without a fingerprint the share alone decides', () => {
  const random = new Random(7);
  const hours = makeHours(24, steady, random).map((hour) => ({ ...hour, tokenWeight: undefined }));
  assert.equal(measureReference(hours.slice(0, 5)), undefined);
  const reference = measureReference(hours);
  assert.ok(reference !== undefined && reference.tokenWeight === undefined);
  assert.equal(testDrift(reference, hours.slice(0, driftDefaults.hoursMin - 1)), undefined);
  const look = testDrift(reference, hours.slice(0, 12).map((hour) => ({ ...hour, explained: 0 })));
  assert.deepEqual([look?.isDrifted, look?.tokenRecall, look?.explainedShare], [true, undefined, 0]);
});

test('what a reference can see is said, and is what the test then sees', () => {
  const random = new Random(8);
  const seenBy = (count: number): number | undefined => {
    const reference = measureReference(makeHours(count, steady, random));
    assert.ok(reference !== undefined);
    const fall = leastSeenFall(reference);
    if (fall === undefined) return undefined;
    const hours = Array.from({ length: driftDefaults.spanHours }, (_, i) => {
      const share = (by: number): DriftHour => ({
        startMs: i, flows: 1e6, explained: 1e6 * (reference.explained.mean - by),
        tokenWeight: reference.tokenWeight?.mean,
      });
      return { below: share(fall * 0.99), above: share(fall * 1.01) };
    });
    assert.equal(testDrift(reference, hours.map(({ below }) => below))?.isDrifted, false);
    assert.equal(testDrift(reference, hours.map(({ above }) => above))?.isDrifted, true);
    return fall;
  };
  assert.ok((seenBy(6) ?? 1) > (seenBy(96) ?? 1));
});
