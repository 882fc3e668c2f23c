/** What a detector counts of its homes: whole days, each once, by activity; bounded, and without any home in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EvidenceChange } from '#evidence';
import { activityBounds, activityOf, nullBinCount, nullBinOf } from '#verdict';
import { FieldSketch, nullTableOf, sketchLength } from './field-sketch.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const latenessMs = 1_800_000;
const [first, second] = ['aa'.repeat(32), 'bb'.repeat(32)];

const open = (bytesMax?: number): FieldSketch => {
  const sketch = new FieldSketch({ latenessMs, ...(bytesMax === undefined ? {} : { bytesMax }) });
  sketch.setClassifiers([first, undefined, second]);
  return sketch;
};
const changeOf = (home: string, windowEndMs: number, score: number, classifier = first): EvidenceChange => ({
  home, deviceModel: 'webcam.Test.One', classifier, windowEndMs, score, firstFlowMs: windowEndMs - 60_000,
  flowsADay: undefined, flowMs: windowEndMs - 1,
});
/** So many flows of a home, at the noon of a day. */
function seeDay(sketch: FieldSketch, home: string, day: number, flows = 10): void {
  for (let i = 0; i < flows; i++) sketch.see(home, day * dayMs + 12 * hourMs);
}
/** Home-days by activity and bin, those that are not 0. */
function countsOf(sketch: FieldSketch, digest = first): Record<string, number> {
  const table = nullTableOf(sketch.countsOf(digest) ?? new Uint32Array(sketchLength));
  return Object.fromEntries(table.homeDays.flatMap((bins, activity) => bins.flatMap((count, bin) =>
    (count === 0 ? [] : [[`${activity} ${bin}`, count]] as const))));
}
/** When days up to this one are over. */
const afterDay = (day: number): number => (day + 1) * dayMs + 2 * latenessMs + hourMs;

test('a day is counted once it is over, the strongest window of it, by the flows of the day before', () => {
  const sketch = open();
  for (const day of [100, 101, 102]) seeDay(sketch, 'a', day);
  for (const score of [3.2, 7.9, 5]) sketch.note(changeOf('a', 102 * dayMs + 12 * hourMs, score));
  sketch.note(changeOf('a', 102 * dayMs + 13 * hourMs, 2, second));
  sketch.settle(afterDay(102) - 1);
  assert.deepEqual(countsOf(sketch), {});
  sketch.settle(afterDay(102));
  sketch.settle(afterDay(102));
  assert.deepEqual(countsOf(sketch), { [`0 ${nullBinOf(7.9)}`]: 1 });
  assert.deepEqual(countsOf(sketch, second), { [`0 ${nullBinOf(2)}`]: 1 });
  assert.equal(sketch.counts().homeDays, 2);
});

test('a day without evidence counts, one without flows does not; the first two of a home say nothing', () => {
  const sketch = open();
  for (const day of [100, 101, 102, 103, 105, 106, 107]) {
    seeDay(sketch, 'a', day, activityBounds[0]);
    sketch.settle(afterDay(day - 1));
  }
  sketch.settle(afterDay(108));
  // 100 is the first, 101 comes after a part of a day; 104 is silent, and nobody knows what 105 is after it.
  assert.deepEqual(countsOf(sketch), { '1 0': 4 });
});

test('windows of the half hour after midnight are of the day before, whose activity is known', () => {
  const sketch = open();
  for (const day of [100, 101, 102]) seeDay(sketch, 'a', day);
  sketch.note(changeOf('a', 102 * dayMs + latenessMs, 9));
  sketch.note(changeOf('a', 102 * dayMs + latenessMs + 60_000, 4));
  sketch.settle(afterDay(102));
  assert.deepEqual(countsOf(sketch), { [`0 ${nullBinOf(4)}`]: 1 });
});

test('what comes when a day is counted changes nothing, and neither does a clock that is ahead', () => {
  const sketch = open();
  for (const day of [100, 101, 102]) seeDay(sketch, 'a', day);
  sketch.see('a', 130 * dayMs);
  sketch.note(changeOf('a', 102 * dayMs + 12 * hourMs, 4));
  sketch.settle(afterDay(102));
  sketch.note(changeOf('a', 102 * dayMs + 12 * hourMs, 40));
  seeDay(sketch, 'a', 102);
  sketch.settle(afterDay(103));
  assert.deepEqual(countsOf(sketch), { [`0 ${nullBinOf(4)}`]: 1 });
});

test('a classifier counts from the first day that it saw whole; one that stays goes on', () => {
  const sketch = open();
  for (const day of [100, 101, 102]) seeDay(sketch, 'a', day);
  sketch.note(changeOf('a', 102 * dayMs + 12 * hourMs, 6, second));
  const third = 'cc'.repeat(32);
  sketch.setClassifiers([second, third]);
  seeDay(sketch, 'a', 103);
  sketch.settle(afterDay(103));
  assert.deepEqual(countsOf(sketch, second), { [`0 ${nullBinOf(6)}`]: 1, '0 0': 1 });
  assert.deepEqual(countsOf(sketch, third), { '0 0': 1 });
  assert.deepEqual(countsOf(sketch, first), {});
});

test('a home that is forgotten is not counted; what was counted stays, and could not tell whose it was', () => {
  const sketch = open();
  for (const day of [100, 101, 102, 103]) {
    for (const home of ['a', 'b']) seeDay(sketch, home, day);
    if (day === 103) sketch.settle(afterDay(102));
  }
  assert.deepEqual(countsOf(sketch), { '0 0': 2 });
  sketch.forget('a');
  sketch.settle(afterDay(103));
  assert.deepEqual(countsOf(sketch), { '0 0': 3 });
});

test('homes beyond the room are left out and counted, whatever they show', () => {
  // Three days of three classifiers, two bytes each: two homes have room.
  const sketch = open(2 * 18);
  for (const day of [100, 101, 102]) for (const home of ['a', 'b', 'c']) seeDay(sketch, home, day, 1);
  sketch.note(changeOf('c', 102 * dayMs + 12 * hourMs, 30));
  sketch.settle(afterDay(102));
  assert.deepEqual(countsOf(sketch), { '0 0': 2 });
  assert.equal(sketch.counts().refused, 4);
});

test('what is unsaved is told until it is saved, and what was restored goes on', () => {
  const sketch = open();
  const kept = new Uint32Array(sketchLength);
  kept[nullBinCount] = 41;
  sketch.restore(first, kept);
  assert.deepEqual(sketch.unsaved(), []);
  for (const day of [100, 101, 102]) seeDay(sketch, 'a', day, activityBounds[0]);
  sketch.settle(afterDay(102));
  assert.deepEqual(sketch.unsaved().map(([digest]) => digest), [first, second]);
  assert.deepEqual(sketch.unsaved().map(([digest]) => digest), [first, second]);
  sketch.markSaved();
  assert.deepEqual(sketch.unsaved(), []);
  assert.deepEqual(countsOf(sketch), { '1 0': 42 });
  sketch.drop(first);
  assert.equal(sketch.countsOf(first), undefined);
});

test('without a fingerprint nothing is kept of any home', () => {
  const sketch = new FieldSketch({ latenessMs });
  sketch.setClassifiers([undefined]);
  for (const day of [100, 101, 102]) seeDay(sketch, 'a', day);
  sketch.settle(afterDay(102));
  assert.deepEqual(sketch.counts(), { homeDays: 0, refused: 0 });
});

test('any order of flows and windows within a day, and any looks, give the same counts', () => {
  const event = fc.record({
    home: fc.constantFrom('a', 'b'), day: fc.integer({ min: 100, max: 104 }),
    hour: fc.integer({ min: 1, max: 23 }), score: fc.integer({ min: 0, max: 500 }),
  });
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), fc.integer(), (events, turn) => {
    const run = (order: typeof events): [unknown, unknown] => {
      const sketch = open();
      for (let day = 100; day <= 104; day++) {
        for (const { home, hour, score } of order.filter((each) => each.day === day)) {
          sketch.see(home, day * dayMs + hour * hourMs);
          sketch.note(changeOf(home, day * dayMs + hour * hourMs + 1, score));
        }
        sketch.settle(afterDay(day) - dayMs);
      }
      sketch.settle(afterDay(104));
      return [countsOf(sketch), countsOf(sketch, second)];
    };
    const at = events.length === 0 ? 0 : Math.abs(turn) % events.length;
    assert.deepEqual(run([...events.slice(at), ...events.slice(0, at)].reverse()), run(events));
  }), { numRuns: 100 });
  assert.equal(activityOf(0), 0);
});
