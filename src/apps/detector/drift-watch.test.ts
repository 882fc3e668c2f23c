/** Drift by homes in which a device model was found: many that fall silent at once, not those that do one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { DriftWatch } from './drift-watch.ts';

const digest = 'ab'.repeat(32);

function look(known: number, silent: number): boolean | undefined {
  const watch = new DriftWatch();
  for (let home = 0; home < known; home++) watch.note(digest, home < silent);
  return watch.look()[0]?.isDrifted;
}

test('when all fall silent it has drifted, from seven homes on', () => {
  assert.deepEqual([4, 5, 6, 7, 8, 100].map((known) => look(known, known)),
    [undefined, undefined, undefined, true, true, true]);
});

test('of many homes a half is enough, a quarter is not, and a tenth is well', () => {
  assert.deepEqual([50, 40, 25, 10, 0].map((silent) => look(100, silent)),
    [true, undefined, undefined, false, false]);
  assert.equal(look(4, 0), undefined, 'too few to say that all is well');
});

test('each classifier by itself, and each look by its own days', () => {
  const watch = new DriftWatch();
  const other = 'cd'.repeat(32);
  for (let home = 0; home < 20; home++) {
    watch.note(digest, true);
    watch.note(other, false);
  }
  assert.deepEqual(watch.look(), [{ digest, isDrifted: true }, { digest: other, isDrifted: false }]);
  assert.deepEqual(watch.look(), []);
});

test('homes of which as many are off as may be are called drifted on hardly any day', () => {
  const random = new Random(7);
  let drifted = 0;
  for (let day = 0; day < 20_000; day++) {
    const homes = random.integer(5, 60);
    let silent = 0;
    for (let home = 0; home < homes; home++) if (random.chance(0.25)) silent++;
    if (look(homes, silent) === true) drifted++;
  }
  // Two of 20,000 are expected at most; nine would come once in 4,000 such tests.
  assert.ok(drifted <= 8, `${drifted} of 20,000 days`);
});
