/** From trials to figures: counts are joined, bounds hold for unlucky seeds, groups are common ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curveMinutes } from './homes-report.ts';
import type { TrialOutcome } from './home-trial.ts';
import type { MethodOutcome } from './judge-method.ts';
import { homeMethods } from '../baseline/registry.ts';
import {
  listOutcomes, summarizeBaseRates, summarizeCurves, summarizeLibrary, summarizeLooks, summarizeOverall,
  summarizeResults,
} from './summarize-homes.ts';

const model = 'hub.Test.One';
const methods = homeMethods.filter(({ name }) => name === 'evidence' || name === 'single-flow');
const budget = { perMonth: 0.3 };
/** Nobody before 60 minutes, then so many. */
const from60 = (count: number): number[] => curveMinutes.map((minutes) => minutes < 60 ? 0 : count);

function trial(seed: number, more: Partial<MethodOutcome> = {}, libraryShare = 1): TrialOutcome {
  const outcome: MethodOutcome = {
    method: 'evidence', group: [], unfit: undefined, nullHomes: 1_000, falseAlarms: curveMinutes.map(() => 0),
    groupHomes: 0, groupFound: 0, positiveHomes: 100, found: from60(90), foundAtFixedFpr: from60(100),
    foundAtZeroFpr: from60(90),
    calibrated: { falseAlarms: 0, found: from60(90) },
    looks: [], ...more,
  };
  return {
    deviceModel: model, seed, libraryShare, units: { library: 20 * libraryShare, calibration: 10, test: 10 },
    methods: [outcome, { ...outcome, method: 'single-flow' }],
  };
}
const alarms = (count: number): Partial<MethodOutcome> => ({ falseAlarms: curveMinutes.map(() => count) });

test('a result for each time; who promises nothing has no promise', () => {
  const results = summarizeResults(listOutcomes([trial(1), trial(2, { found: from60(70) })]), methods, budget);
  assert.deepEqual(results.map(({ method, windowMinutes, tpr, promisedFpr }) =>
    [method, windowMinutes, tpr, promisedFpr]),
    [['single-flow', null], ['evidence', 0.01]].flatMap(([method, promise]) => [[method, 10, 0, promise],
      [method, 60, 0.8, promise], [method, 360, 0.8, promise], [method, 1_440, 0.8, promise]]));
  const [first] = results;
  assert.ok(first !== undefined);
  assert.deepEqual([first.nullHomes, first.positiveHomes, first.measuredFpr, first.verdict],
    [2_000, 200, 0, 'present']);
  // Three in two thousand: the exact bound where nothing was seen.
  assert.ok(Math.abs(first.fprUpper95 - 3 / 2_000) < 1e-5);
});

test('one unlucky seed of ten moves the bound, however many homes the others have', () => {
  const seeds = Array.from({ length: 10 }, (_, i) => trial(i + 1, alarms(i === 0 ? 1_000 : 0)));
  const result = summarizeResults(listOutcomes(seeds), methods, budget).at(-1);
  assert.ok(result !== undefined);
  assert.equal(result.measuredFpr, 0.1);
  assert.ok(result.fprUpper95 >= 0.3, String(result.fprUpper95));
  assert.equal(result.seedsWithinPromise, 9);
});

test('false alarms that chance explains are within the promise, more are not', () => {
  const within = (count: number): number | undefined =>
    summarizeResults(listOutcomes([trial(1, alarms(count))]), methods, budget).at(-1)?.seedsWithinPromise;
  // Ten of a thousand are promised: sixteen may be chance, twenty are not.
  assert.deepEqual([0, 10, 15, 20].map(within), [1, 1, 1, 0]);
});

test('a group is what half of the seeds have; most seeds without an answer are unfit', () => {
  const group = [model, 'webcam.Test.Two'];
  const verdicts = (trials: readonly TrialOutcome[]): [string | undefined, readonly string[] | undefined] => {
    const result = summarizeResults(listOutcomes(trials), methods, budget).at(-1);
    return [result?.verdict, result?.group];
  };
  assert.deepEqual(verdicts([trial(1, { group }), trial(2)]), ['one of', group]);
  assert.deepEqual(verdicts([trial(1, { group }), trial(2), trial(3)]), ['present', []]);
  const unfit = { unfit: 'few-home-days' };
  assert.deepEqual(verdicts([trial(1, unfit), trial(2, unfit), trial(3)]), ['unfit', []]);
  assert.deepEqual(summarizeResults(listOutcomes([trial(1, unfit)]), methods, budget).at(-1)?.unfit,
    { 'few-home-days': 1 });
});

test('homes with a group only are no null homes: without any the share is unknown, and its bound is 1', () => {
  const result = summarizeResults(listOutcomes([trial(1, { nullHomes: 0 })]), methods, budget).at(-1);
  assert.deepEqual([result?.measuredFpr, result?.fprUpper95, result?.nullHomes], [Number.NaN, 1, 0]);
});

test('looks: those of one method, calibration and interval are joined over seeds', () => {
  const looks = (falseAlarms: number): Partial<MethodOutcome> => ({
    looks: [1, 60].map((lookMinutes) => ({
      calibratedOn: 'home-days', promisedFpr: 0.05, lookMinutes, nullHomes: 1_000,
      falseAlarms: falseAlarms / lookMinutes,
    })),
  });
  const points = summarizeLooks(listOutcomes([trial(1, looks(60)), trial(2, looks(0))]));
  assert.deepEqual(points.map(({ method, lookMinutes, measuredFpr, nullHomes }) =>
    [method, lookMinutes, measuredFpr, nullHomes]),
  ['evidence', 'single-flow'].flatMap((method) => [[method, 1, 0.03, 2_000], [method, 60, 0.0005, 2_000]]));
  assert.ok(points.every(({ measuredFpr, fprUpper95 }) => fprUpper95 > measuredFpr));
});

test('curves, library and base rates', () => {
  const outcomes = listOutcomes([trial(1), trial(1, alarms(100), 0.5)]);
  const [curve] = summarizeCurves(listOutcomes([trial(1)]), methods);
  assert.deepEqual([curve?.tpr.at(-1), curve?.tprAtFixedFpr.at(-1), curve?.tpr[0]], [0.9, 1, 0]);
  assert.deepEqual(summarizeOverall(outcomes, methods).map(({ method, measuredFpr, nullHomes }) =>
    [method, measuredFpr, nullHomes]), [['single-flow', 0.05, 2_000], ['evidence', 0.05, 2_000]]);
  const library = summarizeLibrary(outcomes, methods.slice(1));
  assert.deepEqual(library.map(({ libraryUnits, measuredFpr, tprHour, abstains }) =>
    [libraryUnits, measuredFpr, tprHour, abstains]), [[10, 0.1, 0.9, 0], [20, 0, 0.9, 0]]);
  const results = summarizeResults(listOutcomes([trial(1, alarms(10))]), methods, budget);
  const [rate] = summarizeBaseRates(results, methods.slice(1));
  assert.deepEqual([rate?.ownership, Math.round(rate?.rightAlarms ?? 0), Math.round(rate?.falseAlarms ?? 0)],
    [0.1, 90_000, 9_000]);
  assert.ok((rate?.falseAlarmsUpper ?? 0) > 9_000);
});
