/**
 * Does looking more often raise the false alarms? The same homes without the device model, once with a look at the
 * window that ends with every bucket, once with one at the end of every window's length (windows that follow each
 * other). Thresholds are those of home-days, as our methods have them, and for contrast those of single windows, which
 * promise for one look and are then looked at all day.
 */
import { budgetDays, type FalseAlarmBudget } from '#verdict';
import { dayMs, type ComposedHome } from './compose-homes.ts';
import { HomeWindows, type FlowTokens, type WindowOptions, type WindowScore } from './home-windows.ts';
import { decideConformally } from '../baseline/decide.ts';
import type { HomeDecision } from '../baseline/home-method.ts';
import type { Recording } from './recording.ts';

/** What a threshold was worked out from. */
export type LookCalibration = 'home-days' | 'single windows';

export type LookCount = {
  readonly calibratedOn: LookCalibration;
  /** False alarms that are promised: per home-day, or per single window. */
  readonly promisedFpr: number;
  /** Time between two looks. */
  readonly lookMinutes: number;
  readonly nullHomes: number;
  readonly falseAlarms: number;
};

export type CountLooksOptions = Pick<WindowOptions, 'windowMs' | 'bucketMs'> & {
  readonly budget: FalseAlarmBudget;
  readonly tokensOf: (recording: Recording) => FlowTokens;
  readonly score: WindowScore;
  /** As calibrated with the budget. */
  readonly decision: HomeDecision;
};

/** Real promises allow too few false alarms to count; of so many, per home-day or single window, some can. */
export const looseFpr = 0.05;

/**
 * The loose thresholds for half of the homes are worked out from the other half: units are the same in both, so that
 * nothing but the looks makes a difference between what is promised and what is found.
 *
 * @param homes  without the device model and its group, of units that test
 */
export function countLooks(homes: readonly ComposedHome[], options: CountLooksOptions): LookCount[] {
  const { budget, decision, windowMs, bucketMs } = options;
  const days = new Map([bucketMs, windowMs].map((lookMs) => [lookMs, measureDays(homes, lookMs, options)]));
  const ofDays = decideLoosely(homes.map((_, home) => [(days.get(bucketMs) as number[])[home] as number]));
  const ofWindows = decideLoosely(measureWindows(homes, options));
  const ways: readonly (readonly [LookCalibration, number, (home: number) => HomeDecision])[] = [
    ['home-days', budget.perMonth / budgetDays, () => decision],
    ['home-days', looseFpr, ofDays],
    ['single windows', looseFpr, ofWindows],
  ];
  return ways.flatMap(([calibratedOn, promisedFpr, decisionOn]) => [...days].map(([lookMs, strongest]) => ({
    calibratedOn, promisedFpr, lookMinutes: lookMs / 60_000, nullHomes: homes.length,
    falseAlarms: homes.filter(({ flowsADay }, home) =>
      decisionOn(home).isPresent(strongest[home] as number, flowsADay)).length,
  })));
}

/** @param scores  [home]: what its half gives the other half to be held against */
function decideLoosely(scores: readonly (readonly number[])[]): (home: number) => HomeDecision {
  const [even, odd] = [0, 1].map((half) => {
    const ascending = Float64Array.from(scores.filter((_, home) => home % 2 === half).flat()).sort();
    return decideConformally({ nullScores: () => ascending, budget: { perMonth: looseFpr * budgetDays } });
  }) as [HomeDecision, HomeDecision];
  return (home) => home % 2 === 0 ? odd : even;
}

/** [home]: the strongest of a day's windows that are looked at. */
function measureDays(
  homes: readonly ComposedHome[], lookMs: number, { windowMs, tokensOf, score }: CountLooksOptions,
): number[] {
  // A window of one bucket, as long as itself, is the one that ends with the bucket: windows follow each other.
  const windows = new HomeWindows({ windowMs, bucketMs: lookMs, horizonsMs: [dayMs] });
  const strongest = new Float64Array(1);
  return homes.map((home) => {
    windows.measure(home, tokensOf, score, strongest);
    return strongest[0] as number;
  });
}

/** [home]: every window of its day, one after the other. */
function measureWindows(homes: readonly ComposedHome[], { windowMs, tokensOf, score }: CountLooksOptions): number[][] {
  const horizonsMs = Array.from({ length: dayMs / windowMs }, (_, i) => (i + 1) * windowMs);
  const windows = new HomeWindows({ windowMs, bucketMs: windowMs, horizonsMs });
  const each = new Float64Array(horizonsMs.length);
  return homes.map((home) => {
    windows.measureBetween(home, tokensOf, score, each);
    return [...each];
  });
}
