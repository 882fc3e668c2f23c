/** Decision rules: what score decides on which homes, when nothing may, and what a budget with a confidence keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { budgetDays, type Calibration, type NullTable } from './calibration.ts';
import { createDecisionRule, shareBudget, unfitDecision } from './decision-rule.ts';
import { emptyNullTable, NullCounter } from './null-table.ts';

/** One of a hundred home-days. */
const budget = { perMonth: budgetDays / 100 * 0.999 };
const flowsOf = [10, 400, 2_000, 10_000];

/** [activity] scores of home-days, each so many times. */
function tableOf(...strata: readonly (readonly (readonly [score: number, times: number])[])[]): NullTable {
  const counter = new NullCounter();
  for (const [activity, scores] of strata.entries()) {
    for (const [score, times] of scores) for (let i = 0; i < times; i++) counter.add(score, flowsOf[activity]);
  }
  return counter.table();
}

function calibrationOf(nullTable: NullTable, more: Partial<Calibration> = {}): Calibration {
  return {
    windowMs: 3_600_000, bucketMs: 60_000, nullTable, ownFloor: 2, group: [], expiresMs: 1_000,
    card: {
      sources: ['lab'], promisedFpr: 0.01, measuredFpr: 0, fprUpper95: 1, testHomeDays: 0, nullUnits: 9, detection: [],
      confusers: [],
    },
    ...more,
  };
}

const decide = (table: NullTable, more: Partial<Calibration> = {}): ReturnType<typeof createDecisionRule> =>
  createDecisionRule(calibrationOf(table, more), budget, 0);
const everywhere = (scores: readonly (readonly [number, number])[]): NullTable =>
  tableOf(scores, scores, scores, scores);

test('present from the least score on that is within the budget, supported from half of it on', () => {
  const { rule, uncalibrated } = decide(everywhere([[0, 198], [5, 1], [7, 2]]));
  assert.equal(uncalibrated, undefined);
  for (const flowsADay of [...flowsOf, undefined]) {
    assert.deepEqual([rule.presentScoreOf(flowsADay), rule.keepScoreOf(flowsADay)], [7.25, 3.625]);
    assert.equal(rule.pValueOf(7, flowsADay), 3 / 202);
    assert.equal(rule.pValueOf(7.25, flowsADay), 1 / 202);
    assert.equal(rule.pValueOf(0, flowsADay), 1);
  }
});

test('no less than what the device model itself shows', () => {
  const { rule } = decide(everywhere([[0, 200]]), { ownFloor: 9 });
  assert.deepEqual([rule.presentScoreOf(10), rule.keepScoreOf(10)], [9, 4.5]);
  assert.equal(rule.pValueOf(3, 10), 1 / 201, 'what p says is no matter of it');
});

test('each stratum has its own score; without knowing, the highest counts', () => {
  const { rule, strata } = decide(tableOf([[1, 200]], [[2, 200]], [[30, 200]], [[4, 200]]));
  assert.deepEqual(flowsOf.map((flows) => rule.presentScoreOf(flows)), [2, 2.25, 30.25, 4.25]);
  assert.equal(rule.presentScoreOf(undefined), 30.25);
  assert.equal(rule.pValueOf(10, undefined), 201 / 201);
  assert.deepEqual(strata.map(({ activity, homeDays, activityMax }) => [activity, homeDays, activityMax]),
    [[0, 200, 0], [1, 200, 1], [2, 200, 2], [3, 200, 3], [undefined, 800, 3]]);
});

test('a stratum with too few home-days goes by busier ones as well, unless its own say more', () => {
  const { rule, strata } = decide(tableOf([], [[6, 20]], [[3, 60]], [[4, 200]]));
  assert.deepEqual(flowsOf.map((flows) => rule.presentScoreOf(flows)), [6.25, 6.25, 4.25, 4.25]);
  assert.deepEqual(strata.map(({ activityMax }) => activityMax), [3, 3, 3, 3, 3]);
  assert.deepEqual(strata.map(({ homeDays }) => homeDays), [280, 280, 260, 200, 280]);
  assert.equal(rule.pValueOf(6, 400), 1, 'all of its own were as strong');
  assert.equal(rule.pValueOf(6, 10), 21 / 281);
  const { rule: outlier } = decide(tableOf([[1, 49], [9, 1]], [[1, 400]], [[1, 400]], [[1, 400]]));
  assert.deepEqual([outlier.pValueOf(9, 10), outlier.pValueOf(9, 400)], [1 / 50, 1 / 401]);
  assert.deepEqual([outlier.presentScoreOf(10), outlier.presentScoreOf(400)], [9.25, 2]);
});

test('homes busier than all of the table, and too few to decide, are never present; others are', () => {
  const { rule, uncalibrated, strata } = decide(tableOf([[1, 200]], [[1, 200]], [[1, 200]], [[1, 98]]));
  assert.equal(uncalibrated, undefined);
  assert.deepEqual(flowsOf.map((flows) => rule.presentScoreOf(flows)), [2, 2, 2, Infinity]);
  assert.equal(rule.presentScoreOf(undefined), 2);
  assert.equal(strata[3]?.presentScore, Infinity);
});

test('nothing is ever present where no score is rare enough', () => {
  const cases = [
    [decide(emptyNullTable()), 'few-home-days'],
    [decide(tableOf([[0, 99]])), 'few-home-days'],
    [decide(everywhere([[0, 200], [1_000, 20]])), 'not-separable'],
    [createDecisionRule(undefined, budget, 0), 'not-calibrated'],
    [createDecisionRule(calibrationOf(everywhere([[0, 200]])), budget, 1_000), 'expired'],
    [unfitDecision(['a', 'b'], 'drifted'), 'drifted'],
  ] as const;
  for (const [{ rule, uncalibrated }, code] of cases) {
    assert.equal(uncalibrated, code);
    for (const flowsADay of [...flowsOf, undefined]) {
      assert.deepEqual([rule.presentScoreOf(flowsADay), rule.keepScoreOf(flowsADay)], [Infinity, Infinity], code);
    }
  }
  assert.equal(decide(tableOf([[0, 101]])).uncalibrated, undefined);
  assert.equal(createDecisionRule(calibrationOf(everywhere([[0, 200]])), budget, 999).uncalibrated, undefined);
  assert.equal(createDecisionRule(undefined, budget, 0).rule.pValueOf(9, 10), undefined);
});

test('ten thousand home-days are enough for .003 a month; for nineteen of twenty calibrations it takes 29,956', () => {
  const codeOf = (homeDays: number, confidence?: number): unknown => createDecisionRule(
    calibrationOf(tableOf([[0, homeDays]])), confidence === undefined ? { perMonth: 0.003 }
      : { perMonth: 0.003, confidence }, 0).uncalibrated;
  assert.deepEqual([codeOf(9_998), codeOf(9_999)], ['few-home-days', undefined]);
  assert.deepEqual([codeOf(29_955, 0.95), codeOf(29_956, 0.95)], ['few-home-days', undefined]);
});

test('a score decides exactly when its p is within the budget and the device model itself shows as much', () => {
  const arbitraryStratum = fc.array(fc.tuple(fc.integer({ min: 0, max: 1_000 }).map((score) => score / 8),
    fc.integer({ min: 1, max: 120 })), { maxLength: 5 });
  fc.assert(fc.property(fc.tuple(arbitraryStratum, arbitraryStratum, arbitraryStratum, arbitraryStratum),
    fc.integer({ min: 0, max: 100 }), fc.option(fc.constantFrom(...flowsOf), { nil: undefined }),
    (scores, ownFloor, flowsADay) => {
      const { rule, uncalibrated, strata } = decide(tableOf(...scores), { ownFloor });
      const stratum = strata.find(({ activity }) => activity ===
        (flowsADay === undefined ? undefined : flowsOf.indexOf(flowsADay)));
      const present = rule.presentScoreOf(flowsADay);
      assert.equal(present, uncalibrated === undefined ? stratum?.presentScore : Infinity);
      let lastP = 1;
      for (let score = 0; score < 110; score += 0.125) {
        const p = rule.pValueOf(score, flowsADay) as number;
        assert.ok(p <= lastP);
        lastP = p;
        const isRare = p <= budget.perMonth / budgetDays && score >= ownFloor;
        if (present < Infinity) assert.equal(score >= present, isRare, `${score}`);
        else if (uncalibrated === undefined) assert.ok(!isRare);
      }
    }), { numRuns: 60 });
});

test('more home-days of the same kind never make it harder, stronger ones never easier', () => {
  const presentOf = (table: NullTable): number => decide(table).rule.presentScoreOf(10);
  fc.assert(fc.property(fc.array(fc.nat({ max: 40 }), { minLength: 120, maxLength: 200 }), fc.nat({ max: 60 }),
    (scores, extra) => {
      const plain = scores.map((score): [number, number] => [score, 1]);
      const before = presentOf(tableOf(plain));
      assert.ok(presentOf(tableOf(plain.map(([score]) => [score, 2]))) <= before);
      assert.ok(presentOf(tableOf(plain.map(([score]) => [score + extra, 1]))) >= before);
    }), { numRuns: 60 });
});

test('classifiers of one device model share its budget', () => {
  assert.deepEqual(shareBudget({ perMonth: 0.003, confidence: 0.9 }, 2), { perMonth: 0.0015, confidence: 0.9 });
  assert.deepEqual(shareBudget({ perMonth: 0.003 }, 0), { perMonth: 0.003 });
  assert.throws(() => createDecisionRule(undefined, { perMonth: 0 }, 0), /share/);
});

test('with a confidence, nineteen of twenty calibrations keep the budget; without, they do on average', () => {
  // The rate of false alarms of a rule is known here: scores are exponential with mean 2.
  const monthly = { perMonth: budgetDays / 200 };
  const rateOf = (score: number): number => Math.exp(-score / 2);
  const [averaged, confident]: [number[], number[]] = [[], []];
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed);
    const counter = new NullCounter();
    for (let day = 0; day < 1_000; day++) counter.add(random.exponential(2), 10);
    const calibration = calibrationOf(counter.table(), { ownFloor: 0 });
    const [plain, careful] = [monthly, { ...monthly, confidence: 0.95 }].map((budgetOf) =>
      createDecisionRule(calibration, budgetOf, 0).rule.presentScoreOf(10)) as [number, number];
    averaged.push(rateOf(plain));
    confident.push(rateOf(careful));
  }
  const level = 1 / 200;
  assert.ok(averaged.reduce((sum, rate) => sum + rate, 0) / averaged.length <= level);
  assert.ok(averaged.filter((rate) => rate > level).length > 0.1 * averaged.length, 'single calibrations do not');
  assert.ok(confident.filter((rate) => rate > level).length <= 0.05 * confident.length);
});
