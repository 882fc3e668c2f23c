/** Answers: which word for which verdict, and sentences that say no more than was found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, describeAnswer, describeGroups, describeUncalibrated, labelState } from './answer.ts';
import { uncalibratedCodes } from './calibration.ts';
import { noVerdict } from './judge.ts';
import type { Verdict } from './verdict.ts';

const deviceModel = 'webcam.Test.One';
const none = noVerdict({ home: 'home', deviceModel, classifier: 'c1' });
const present: Verdict = { ...none, state: 'present', episode: 1, sinceMs: 1, firstFlowMs: 0, supportedMs: 1 };
const grouped: Verdict = { ...present, p: 1 / 12_346, group: ['plug.Test.Two', deviceModel, 'webcam.Test.Three'] };

test('which answer', () => {
  assert.equal(answerOf(undefined, undefined), 'not-yet');
  assert.equal(answerOf(none, undefined), 'not-yet');
  assert.equal(answerOf(present, undefined), 'present');
  assert.equal(answerOf(grouped, undefined), 'one-of');
  assert.equal(answerOf({ ...grouped, state: 'not yet' }, undefined), 'not-yet');
  for (const code of uncalibratedCodes) {
    assert.equal(answerOf(undefined, code), 'unfit');
    assert.equal(answerOf(none, code), 'unfit');
    assert.equal(answerOf(present, code), 'present', 'it was found, and stands until it expires');
  }
});

test('in tables: one of a group is never called present, and every group is said once', () => {
  const ended: Verdict = { ...grouped, state: 'not yet' };
  assert.deepEqual([none, present, grouped, ended].map(labelState), ['not yet', 'present', 'one of', 'not yet']);
  assert.deepEqual(describeGroups([none, present, ended]), []);
  assert.deepEqual(describeGroups([grouped, present, { ...grouped, home: 'other' }]),
    ['One of these, which cannot be told apart: plug.Test.Two, webcam.Test.One, webcam.Test.Three.']);
});

test('in sentences', () => {
  const describe = (verdict: Verdict | undefined): string =>
    describeAnswer({ deviceModel, verdict, uncalibrated: undefined });
  assert.equal(describe({ ...present, p: 1 / 12_346 }), 'There is a webcam.Test.One in this home. ' +
    'A home without a webcam.Test.One looks like this on at most one day in 12,346.');
  assert.equal(describe(present), 'There is a webcam.Test.One in this home.');
  assert.equal(describe({ ...present, p: 0.7 }), 'There is a webcam.Test.One in this home.');
  assert.equal(describe(grouped), 'There is one of these in this home: plug.Test.Two, webcam.Test.One or ' +
    'webcam.Test.Three. Their traffic is too alike to say which. ' +
    'A home without any of them looks like this on at most one day in 12,346.');
  assert.match(describe(none), /^Nothing seen so far .* does not mean that there is none\.$/);
  assert.match(describeAnswer({ deviceModel, verdict: present, uncalibrated: 'expired' }),
    /^There is a webcam.* That was found earlier; .* past its date/);
});

test('one day in N is never rarer than p says', () => {
  for (let homeDays = 1; homeDays < 3_000; homeDays++) {
    const verdict = { ...present, p: 2 / (homeDays + 1) };
    const text = describeAnswer({ deviceModel, verdict, uncalibrated: undefined });
    const days = Number(/one day in ([\d,]+)/.exec(text)?.[1]?.replaceAll(',', '') ?? 1);
    assert.ok(days <= (homeDays + 1) / 2 + 1e-9 && (days === 1 || days > (homeDays + 1) / 2 - 1), text);
  }
});

test('why not: every code has half a sentence; names are those of people where there are', () => {
  const reasons = new Set(uncalibratedCodes.map(describeUncalibrated));
  assert.equal(reasons.size, uncalibratedCodes.length);
  const text = describeAnswer({ deviceModel, verdict: undefined, uncalibrated: 'drifted' }, () => 'camera “One”');
  assert.equal(text, 'About a camera “One” in this home nothing can be said: the classifier must not decide, because ' +
    `${describeUncalibrated('drifted')}.`);
});
