/** Null sketches: what is written is read, sketches add up as their homes would, and nothing else is believed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base';
import { activityCount, nullBinCount, type NullTable } from './calibration.ts';
import {
  formatNullSketch, makeNullSketch, mergeNullSketches, parseNullSketch, type NullSketch,
} from './null-sketch.ts';
import { countHomeDays, upToLast } from './null-table.ts';

function tableOf(entries: readonly (readonly [activity: number, bin: number, count: number])[]): NullTable {
  const homeDays = Array.from({ length: activityCount }, () => new Array<number>(nullBinCount).fill(0));
  for (const [activity, bin, count] of entries) (homeDays[activity] as number[])[bin] = count;
  return { homeDays: homeDays.map(upToLast) };
}

const entry = fc.tuple(fc.nat(activityCount - 1), fc.nat(nullBinCount - 1), fc.integer({ min: 1, max: 1e6 }));
const tables = fc.array(entry, { maxLength: 8 }).map(tableOf);
const digests = fc.constantFrom('a', 'b', 'c').map((letter) => letter.repeat(64));
const sketches: fc.Arbitrary<NullSketch> = fc.dictionary(digests, tables, { maxKeys: 3 }).map((byDigest) => ({
  windowMs: 3_600_000, bucketMs: 60_000,
  classifiers: Object.keys(byDigest).sort().map((classifier) =>
    ({ deviceModel: `webcam.Test.${classifier[0]}`, classifier, nullTable: byDigest[classifier] as NullTable })),
}));

test('what is written is read, and the same counts give the same text', () => {
  fc.assert(fc.property(sketches, (sketch) => {
    const text = formatNullSketch(sketch);
    assert.deepEqual(parseNullSketch(text), sketch);
    assert.equal(formatNullSketch({ ...sketch, classifiers: [...sketch.classifiers].reverse() }), text);
  }), { numRuns: 100 });
});

test('sketches add up, in whatever order', () => {
  fc.assert(fc.property(sketches, sketches, sketches, (a, b, c) => {
    const add = (one: NullSketch, other: NullSketch): NullSketch => {
      const merged = mergeNullSketches(one, other);
      assert.ok(typeof merged !== 'string', String(merged));
      return merged;
    };
    assert.deepEqual(add(add(a, b), c), add(a, add(c, b)));
    const days = (sketch: NullSketch): number =>
      sketch.classifiers.reduce((sum, { nullTable }) => sum + countHomeDays(nullTable), 0);
    assert.equal(days(add(a, b)), days(a) + days(b));
  }), { numRuns: 100 });
});

test('a table of few home-days does not leave', () => {
  const [few, many] = ['a', 'b'].map((letter) => letter.repeat(64)) as [string, string];
  const { sketch, heldBack } = makeNullSketch({
    windowMs: 3_600_000, bucketMs: 60_000,
    classifiers: [
      { deviceModel: 'b.b.b', classifier: many, nullTable: tableOf([[1, 0, limits.sketchHomeDaysMin]]) },
      { deviceModel: 'a.a.a', classifier: few, nullTable: tableOf([[1, 0, limits.sketchHomeDaysMin - 1]]) },
    ],
  });
  assert.deepEqual([sketch.classifiers.map(({ classifier }) => classifier), heldBack], [[many], [few]]);
});

const sound = formatNullSketch({
  windowMs: 3_600_000, bucketMs: 60_000,
  classifiers: [{ deviceModel: 'a.a.a', classifier: 'a'.repeat(64), nullTable: tableOf([[0, 0, 5], [0, 3, 7]]) }],
});

for (const [from, to, sentence] of [
  ['natlens-null-sketch', 'other', /no natlens-null-sketch/],
  ['"version":1', '"version":2', /of version 2/],
  ['3600000', '3600001', /of what windows/],
  ['"binWidth":0.25', '"binWidth":0.5', /other strata or bins/],
  ['a.a.a', 'a\\u001b[2Ja', /no device model/],
  ['aaaa', 'zzzz', /which classifier/],
  ['[3,7]', '[0,7]', /bin by bin/],
  ['[3,7]', '[400,7]', /bin by bin/],
  ['[3,7]', '[3,0]', /bin by bin/],
  ['[3,7]', '[3,-7]', /bin by bin/],
  ['[3,7]', '[3,9007199254740991]', /more home-days than can be counted/],
  ['[[0,5],[3,7]],[]', '[[0,5],[3,7]]', /lacks strata/],
  ['[[0,5],[3,7]],[]', '7,[]', /bin by bin/],
  ['{"format"', '{"home":"198.51.100.7","format"', /not written as natlens writes it/],
  ['{"format"', '{"format', /no JSON/],
] as const) {
  test(`refused: ${to}`, () => {
    assert.ok(sound.includes(from), from);
    const answer = parseNullSketch(sound.replace(from, to));
    assert.ok(typeof answer === 'string');
    assert.match(answer, sentence);
  });
}

test('sketches of other windows, or of other device models under one digest, do not add up', () => {
  const sketch = parseNullSketch(sound) as NullSketch;
  assert.match(mergeNullSketches(sketch, { ...sketch, bucketMs: 30_000 }) as string, /do not add up/);
  const renamed = { ...sketch, classifiers: sketch.classifiers.map((each) => ({ ...each, deviceModel: 'b.b.b' })) };
  assert.match(mergeNullSketches(sketch, renamed) as string, /of a\.a\.a and of b\.b\.b/);
});
