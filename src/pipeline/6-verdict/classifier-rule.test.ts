/** Which rule decides: by policy, by what the classifier carries, and by when a window ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWorldCalibration, makeWorldFingerprint } from '../../../test/support/detector-world.ts';
import { falseAlarmDefaults } from './calibration.ts';
import { ClassifierRule, describeOtherWindows, fingerprintFor, type VerdictParts } from './classifier-rule.ts';
import { createDecisionRule } from './decision-rule.ts';
import { verdictDefaults, type VerdictPolicyName } from './verdict.ts';

const expiresMs = 1_000_000;
const calibration = makeWorldCalibration({ expiresMs, group: ['a', 'b'] });
const fingerprint = makeWorldFingerprint();
const whole: VerdictParts = { fingerprint, calibration };
const ruleOf = (parts: VerdictParts, policy: VerdictPolicyName = 'calibrated'): ClassifierRule =>
  new ClassifierRule(parts, { ...verdictDefaults, policy, presentScore: policy === 'single-flow' ? 1 : 3 },
    falseAlarmDefaults);
const scoresAt = (rule: ClassifierRule, timeMs: number): number[] =>
  [rule.at(timeMs).presentScoreOf(100), rule.at(timeMs).keepScoreOf(100)];

test('a calibration decides as long as it lasts, and says afterwards that it is over', () => {
  const rule = ruleOf(whole);
  const decision = createDecisionRule(calibration, falseAlarmDefaults, 0);
  assert.deepEqual(scoresAt(rule, expiresMs), [decision.rule.presentScoreOf(100), decision.rule.keepScoreOf(100)]);
  assert.deepEqual(rule.at(0).group, ['a', 'b']);
  assert.deepEqual([rule.decidesByAt(expiresMs), rule.faultAt(expiresMs)], ['calibration', undefined]);
  assert.deepEqual(scoresAt(rule, expiresMs + 1), [Infinity, Infinity]);
  assert.equal(rule.at(expiresMs + 1).pValueOf(9, 100), decision.rule.pValueOf(9, 100), 'what was measured stays true');
  assert.deepEqual([rule.decidesByAt(expiresMs + 1), rule.faultAt(expiresMs + 1)], ['nothing', 'expired']);
});

test('in every stratum it decides as the rule of the calibration does', () => {
  const homeDays = calibration.nullTable.homeDays.map((bins, activity) =>
    bins.map((count, bin) => (bin === 40 + 8 * activity ? 3 : count)));
  const uneven = { ...calibration, nullTable: { homeDays } };
  const rule = ruleOf({ fingerprint, calibration: uneven }).at(0);
  const expected = createDecisionRule(uneven, falseAlarmDefaults, 0).rule;
  const presentScores = new Set<number>();
  for (const flowsADay of [0, 299, 300, 1_499, 1_500, 7_499, 7_500, 1e6, undefined]) {
    presentScores.add(rule.presentScoreOf(flowsADay));
    assert.equal(rule.presentScoreOf(flowsADay), expected.presentScoreOf(flowsADay));
    assert.equal(rule.keepScoreOf(flowsADay), expected.keepScoreOf(flowsADay));
    for (const score of [0, 9, 10.5, 14, 30]) {
      assert.equal(rule.pValueOf(score, flowsADay), expected.pValueOf(score, flowsADay));
    }
  }
  assert.equal(presentScores.size, 4);
});

test('a calibration of too little decides nothing at any time', () => {
  const rule = ruleOf({ fingerprint, calibration: makeWorldCalibration({ homeDays: 5, expiresMs }) });
  assert.deepEqual(scoresAt(rule, 0), [Infinity, Infinity]);
  assert.deepEqual([rule.decidesByAt(0), rule.faultAt(0)], ['nothing', 'few-home-days']);
  assert.equal(rule.faultAt(expiresMs + 1), 'expired');
});

test('without a calibration distinct tokens decide, whatever each weighs', () => {
  assert.deepEqual(scoresAt(ruleOf({ fingerprint: undefined, calibration: undefined }), 0), [3, 1]);
  // Three tokens of the heaviest sort, which is 4 nats; of lighter ones it takes more.
  const rule = ruleOf({ fingerprint, calibration: undefined });
  assert.deepEqual(scoresAt(rule, 1e15), [12, 4]);
  assert.deepEqual([rule.decidesByAt(0), rule.faultAt(0)], ['distinct-tokens', 'not-calibrated']);
  assert.equal(rule.at(0).pValueOf(12, 100), undefined);
  const empty = { tokens: [], libraryUnits: 3 };
  assert.deepEqual(scoresAt(ruleOf({ fingerprint: empty, calibration: undefined }), 0), [3, 1]);
});

test('policies that ask for no calibration look at none, nor at fingerprints', () => {
  for (const policy of ['distinct-tokens', 'single-flow'] as const) {
    const rule = ruleOf(whole, policy);
    assert.deepEqual(scoresAt(rule, 1e15), policy === 'single-flow' ? [1, 1] : [3, 1]);
    assert.deepEqual([rule.decidesByAt(1e15), rule.faultAt(1e15)], [policy, undefined]);
    assert.equal(fingerprintFor({ policy }, whole), undefined);
  }
  assert.equal(fingerprintFor({ policy: 'calibrated' }, whole), fingerprint);
});

test('a calibration promises about its own windows alone', () => {
  const windows = { windowMs: 3_600_000, bucketMs: 60_000 };
  assert.equal(describeOtherWindows(undefined, windows), undefined);
  assert.equal(describeOtherWindows(windows, windows), undefined);
  assert.match(describeOtherWindows(windows, { ...windows, windowMs: 7_200_000 }) ?? '', /of 60 min .*not of 120 min/);
  assert.match(describeOtherWindows(windows, { ...windows, bucketMs: 30_000 }) ?? '', /of 60 s, not of .* 30 s/);
});
