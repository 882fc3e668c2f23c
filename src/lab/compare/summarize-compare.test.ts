/** The table of methods, from made trials: what is covered, means with and without what is not, and who wins. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HomeMethod } from '../baseline/home-method.ts';
import { methodsFor } from '../baseline/registry.ts';
import type { TrialOutcome } from '../homes/home-trial.ts';
import { curveMinutes, type HomesCurve } from '../homes/homes-report.ts';
import type { MethodOutcome } from '../homes/judge-method.ts';
import type { CompareRow } from './compare-report.ts';
import { findWorstModel, sayWinner, summarizeCompare } from './summarize-compare.ts';

const budget = { perMonth: 0.003 };
const all = methodsFor({ traces: undefined });
const [ruleOf, ours] = ['domain-rule', 'evidence-cascade']
  .map((name) => all.find((method) => method.name === name)) as [HomeMethod, HomeMethod];
const costs = new Map([[ruleOf.name, 1.5], [ours.name, 0.25]]);

type Made = Partial<Pick<MethodOutcome, 'unfit'>> & {
  readonly falseAlarms?: number;
  /** Homes of ten that are found from this minute on. */
  readonly from: number;
  readonly atFixedFpr: number;
};

function outcomeOf({ name }: HomeMethod, { unfit, falseAlarms = 0, from, atFixedFpr }: Made): MethodOutcome {
  const found = curveMinutes.map((minutes) => minutes >= from ? 8 : 0);
  return {
    method: name, group: [], unfit, nullHomes: 100, falseAlarms: curveMinutes.map(() => falseAlarms), groupHomes: 0,
    groupFound: 0, positiveHomes: 10, found, foundAtFixedFpr: curveMinutes.map(() => atFixedFpr),
    foundAtZeroFpr: curveMinutes.map(() => atFixedFpr - 1), looks: [],
    calibrated: { falseAlarms: falseAlarms / 4, found: found.map((count) => count / 2) },
  };
}

function trialOf(deviceModel: string, rule: Made, own: Made): TrialOutcome {
  return {
    deviceModel, seed: 1, libraryShare: 1, units: { library: 3, calibration: 2, test: 2 },
    methods: [outcomeOf(ruleOf, rule), outcomeOf(ours, own)],
  };
}

const trials = [
  trialOf('cam.A.1', { from: 5, atFixedFpr: 10, falseAlarms: 40 }, { from: 20, atFixedFpr: 9 }),
  trialOf('cam.B.1', { from: Infinity, atFixedFpr: 7, unfit: 'few-names' }, { from: 120, atFixedFpr: 5 }),
];
const { results, rows, curves } = summarizeCompare(trials, [ruleOf, ours], budget, costs);
const [rule, own] = rows as [CompareRow, CompareRow];

test('what a method cannot decide on counts as never found at equal FPR, and not at all in its own rates', () => {
  assert.deepEqual([rule.covered, rule.coverage], [['cam.A.1'], 0.5]);
  assert.deepEqual([rule.measuredFpr, rule.nullHomes], [0.4, 100]);
  assert.deepEqual(rule.tpr, [0.8, 0.8, 0.8, 0.8]);
  // 10 of 10 and none of 10, although its scores would have found 7.
  assert.deepEqual(rule.foundAtFixedFpr, [0.5, 0.5, 0.5, 0.5]);
  assert.deepEqual(rule.foundAtZeroFpr, [0.45, 0.45, 0.45, 0.45]);
  assert.deepEqual([rule.calibrated.measuredFpr, rule.calibrated.found], [0.1, [0.2, 0.2, 0.2, 0.2]]);
  assert.deepEqual([rule.medianMinutes, rule.cpuMsPerHomeDay], [5, 1.5]);
  assert.deepEqual([own.coverage, own.measuredFpr, own.nullHomes, own.tpr], [1, 0, 200, [0, 0.4, 0.8, 0.8]]);
  assert.deepEqual(own.foundAtFixedFpr, [0.7, 0.7, 0.7, 0.7]);
  assert.equal(own.medianMinutes, 120, 'half of the homes of both');
  assert.equal(own.sees, 'flow records');
  assert.ok((own.fprUpper95 as number) > 0 && (own.fprUpper95 as number) < 0.05);
});

test('curves are of all device models looked for, too', () => {
  const day = (of: (curve: HomesCurve) => readonly number[]): (number | undefined)[] =>
    curves.map((curve) => of(curve).at(-1));
  assert.deepEqual(day(({ tpr }) => tpr), [0.4, 0.8]);
  assert.deepEqual(day(({ tprAtFixedFpr }) => tprAtFixedFpr), [0.5, 0.7]);
});

test('a method that covers nothing has no rates', () => {
  const nothing = summarizeCompare([trialOf('cam.A.1', { from: Infinity, atFixedFpr: 3, unfit: 'few-names' },
    { from: 20, atFixedFpr: 9 })], [ruleOf, ours], budget, costs).rows[0] as CompareRow;
  assert.deepEqual([nothing.covered, nothing.coverage, nothing.measuredFpr, nothing.fprUpper95, nothing.tpr,
    nothing.medianMinutes, nothing.nullHomes], [[], 0, null, null, null, null, 0]);
  assert.deepEqual(nothing.foundAtFixedFpr, [0, 0, 0, 0]);
});

test('who wins is said either way, with what the winner saw', () => {
  const won = sayWinner(rows, ours.name, { fixedFpr: 0.003, budget });
  assert.equal(won.length, 3);
  assert.match(won[0] as string, new RegExp('for an FPR of 0\\.0001 a home-day, evidence-cascade finds 0\\.200 within ' +
    '1 h and 0\\.400 within 24 h \\(FPR 0\\.0000\\); none of the others keeps it; 1 break it\\.$'));
  assert.match(won[1] as string, new RegExp('^At an FPR of 0\\.003.*within 1 h evidence-cascade 0\\.700, the best other, ' +
    'domain-rule \\(.*\\), 0\\.500: ours leads by 0\\.200; within 24 h'));
  assert.match(won[2] as string, /no home-day without .*within 24 h .*0\.600.*0\.450: ours leads by 0\.150\.$/);
  const better: CompareRow = { ...rule, sees: 'names asked for', foundAtFixedFpr: [0.9, 0.9, 0.9, 0.7] };
  const lost = sayWinner([better, { ...better, name: 'another' }, own], ours.name, { fixedFpr: 0.003, budget });
  assert.match(lost[1] as string,
    /0\.900, as another: ours does not win, and is behind by 0\.200: it sees names asked for, ours flow records; /);
  assert.match(lost[1] as string, /within 24 h .*nobody leads\.$/);
  assert.equal(sayWinner([own], ours.name, { fixedFpr: 0.003, budget }).length, 1, 'nobody to compare with');
});

test('the device model that is found least, of those alike the one that takes longest', () => {
  assert.equal(findWorstModel(results, ours.name), 'cam.B.1');
  assert.equal(findWorstModel(results, ruleOf.name), 'cam.B.1');
});
