/** Decisions: few homes give no promise, ties count against, and the share that is found is within the budget. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decideByRule, decideConformally, decideNever } from './decide.ts';
import type { HomeDecision } from './home-method.ts';

const decide = (scores: readonly number[], perMonth: number): HomeDecision =>
  decideConformally({ nullScores: () => Float64Array.from(scores).sort(), budget: { perMonth } });

test('a rule of one\'s own', () => {
  const { isPresent, unfit } = decideByRule(3);
  assert.deepEqual([isPresent(3, 0), isPresent(2.9, 0), unfit], [true, false, undefined]);
  assert.deepEqual(decideByRule(3, ['a', 'b']).group, ['a', 'b']);
});

test('never', () => {
  const { isPresent, group, unfit } = decideNever('few-names');
  assert.deepEqual([isPresent(Infinity, 0), group, unfit], [false, [], 'few-names']);
});

test('with too few homes no score is enough', () => {
  // 30 % of a month are a hundredth of a day: it takes 99 homes.
  assert.equal(decide(new Array<number>(98).fill(0), 0.3).unfit, 'few-home-days');
  const { isPresent, unfit } = decide(new Array<number>(99).fill(1), 0.3);
  assert.deepEqual([unfit, isPresent(1, 0), isPresent(1.1, 0)], [undefined, false, true]);
});

test('any scores: p = (1 + as strong) / (homes + 1) decides', () => {
  const scores = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 300 });
  const budgets = fc.constantFrom(0.3, 0.9, 3);
  fc.assert(fc.property(scores, fc.integer({ min: 1, max: 25 }), budgets, (nulls, score, perMonth) => {
    const p = (1 + nulls.filter((other) => other >= score).length) / (nulls.length + 1);
    const { isPresent } = decide(nulls, perMonth);
    assert.equal(isPresent(score, 0), p <= perMonth / 30 + 1e-12);
  }));
});
