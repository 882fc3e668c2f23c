/** What was probably meant: distances by edits, and the sentences that follow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  describeUnknownKey as describeKey, describeUnknownSection as describeSection, editDistance, pathOf, type ConfigKey,
} from '#service';
import { configKeys, configTable } from './config-keys.ts';

const describeUnknownKey = (section: string, name: string): string => describeKey(configTable, section, name);
const describeUnknownSection = (path: string): string => describeSection(configTable, path);

test('distances by insertions, deletions, replacements and swaps of neighbours', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['', '', 0], ['a', '', 1], ['window', 'window', 0], ['windw', 'window', 1], ['widnow', 'window', 1],
    ['kitten', 'sitting', 3], ['ca', 'abc', 3],
  ];
  for (const [a, b, expected] of cases) assert.equal(editDistance(a, b), expected, `${a} ${b}`);
});

test('a distance is the same both ways, zero for the same only, and at most the longer text', () => {
  const word = fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(fc.property(word, word, (a, b) => {
    const distance = editDistance(a, b);
    assert.equal(distance, editDistance(b, a));
    assert.equal(distance === 0, a === b);
    assert.ok(distance <= Math.max(a.length, b.length) && distance >= Math.abs(a.length - b.length));
  }));
});

test('a letter too few or too many in any longer key leads to a key again, mostly to that very one', () => {
  const keys: readonly ConfigKey[] = configKeys;
  const longer = keys.filter(({ name }) => name.length > 5);
  let rightCount = 0;
  let triedCount = 0;
  for (const key of longer) {
    for (let at = 0; at < key.name.length; at++) {
      const sentence = describeUnknownKey(key.section, key.name.slice(0, at) + key.name.slice(at + 1));
      assert.match(sentence, /did you mean|belongs into/, pathOf(key));
      triedCount++;
      if (sentence.endsWith(`did you mean ${pathOf(key)}?`)) rightCount++;
    }
  }
  assert.ok(triedCount > 300 && rightCount > 0.97 * triedCount, `${rightCount} of ${triedCount}`);
});

test('names that mean nothing are answered with what there is', () => {
  assert.match(describeUnknownKey('log', 'zzzzzzzz'), /keys here are level$/);
  assert.match(describeUnknownSection('zzzzzzzz'), /sections are \[input\], \[homes\], \[\[home\]\]/);
  assert.match(describeUnknownKey('log', 'z'.repeat(100_000)), /keys here are level$/);
});
