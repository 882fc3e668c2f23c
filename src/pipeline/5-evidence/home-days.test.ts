/** Flows a day by hand: which day a window asks for, when it is not known, and what is remembered of days gone by. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayMs, HomeDays, keptDaysOf } from './home-days.ts';

const bucketMs = 60_000;
const options = { bucketMs, latenessBuckets: 30 };
const dayBuckets = dayMs / bucketMs;
/** Bucket of a day, by its minute. */
const at = (day: number, minute = 0): number => day * dayBuckets + minute;

function open(): HomeDays {
  const days = new HomeDays(options);
  days.begin(0);
  return days;
}

function count(days: HomeDays, buckets: readonly number[], home = 0): void {
  for (const bucket of buckets) days.count(home, bucket);
}

test('a window asks for the last whole day that was over a lateness before it', () => {
  const days = open();
  count(days, [at(100), at(101), at(101, 1_439), at(102), at(102, 5), at(102, 6), at(103), at(103, 40)]);
  assert.equal(days.flowsADay(0, at(103, 29)), 2, 'flows of day 102 may still come');
  assert.equal(days.flowsADay(0, at(103, 30)), 3);
  assert.equal(days.flowsADay(0, at(103, 40)), 3);
});

test('nothing is known of the first day, of days without a flow, and of days to come', () => {
  const days = open();
  assert.equal(days.flowsADay(0, at(100)), undefined);
  count(days, [at(100), at(101), at(103, 40)]);
  assert.equal(days.flowsADay(0, at(101, 30)), undefined, 'seen in part');
  assert.equal(days.flowsADay(0, at(102, 30)), 1);
  assert.equal(days.flowsADay(0, at(103, 30)), undefined, 'nobody knows whether anybody looked');
  assert.equal(days.flowsADay(0, at(110)), undefined);
  days.count(0, at(101, 5));
  assert.equal(days.flowsADay(0, at(102, 30)), 2);
});

test('days that left the ring are known until changes were taken', () => {
  const days = open();
  count(days, [at(100), at(101), at(101), at(200), at(300)]);
  assert.equal(days.flowsADay(0, at(102, 30)), 2);
  assert.equal(days.flowsADay(0, at(201, 30)), 1);
  days.forgetPassed();
  assert.equal(days.flowsADay(0, at(102, 30)), undefined);
  assert.equal(days.flowsADay(0, at(201, 30)), undefined);
});

test('homes do not mix, and one that begins again knows nothing', () => {
  const days = open();
  for (let home = 0; home < 40; home++) {
    days.begin(home);
    count(days, [at(100), ...Array.from({ length: home + 1 }, () => at(101)), at(102, 40)], home);
  }
  assert.deepEqual([0, 15, 16, 39].map((home) => days.flowsADay(home, at(102, 40))), [1, 16, 17, 40]);
  count(days, [at(400)], 16);
  days.begin(16);
  assert.equal(days.flowsADay(16, at(102, 40)), undefined);
  assert.deepEqual(days.keep(16), { firstDay: Infinity, counts: [0, 0, 0] });
});

test('what is kept is restored', () => {
  const days = open();
  count(days, [at(100), at(101), at(101), at(102, 40)]);
  const kept = days.keep(0);
  assert.deepEqual(kept, { firstDay: 100, counts: [1, 2, 1] });
  const other = open();
  other.restore(0, kept, at(102, 40));
  assert.equal(other.flowsADay(0, at(102, 40)), 2);
  assert.deepEqual(other.keep(0), kept);
  other.restore(0, { firstDay: Infinity, counts: [0, 0, 0] }, -Infinity);
  assert.deepEqual(other.keep(0), { firstDay: Infinity, counts: [0, 0, 0] });
});

test('a longer lateness keeps more days, and times before 1970 are days as well', () => {
  assert.equal(keptDaysOf(options), 3);
  assert.equal(keptDaysOf({ bucketMs, latenessBuckets: 0 }), 2);
  assert.equal(keptDaysOf({ bucketMs: dayMs, latenessBuckets: 3 }), 8);
  const days = open();
  count(days, [at(-3), at(-2), at(-2), at(-1, 40)]);
  assert.equal(days.flowsADay(0, at(-1, 40)), 2);
});
