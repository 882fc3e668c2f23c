/**
 * Calibration of a classifier's evidence at the level of homes: how strong a window gets in homes without the device
 * model (a null table), how strong in homes with it, and what may therefore be promised. Types and defaults.
 *
 * The statistic of a home and day (UTC) is the strongest of all windows that end in it, at every bucket. A verdict that
 * is reached when this statistic passes a score is reached by the first look or the last alike, so looking often
 * cannot raise the rate of false alarms; the budget of a month is spent evenly over its days.
 */

/** Shares of homes without the device model in which it is found all the same. */
export type FalseAlarmBudget = {
  /** Of one home, device model and month of 30 days: above 0, below 1. */
  readonly perMonth: number;
  /**
   * Undefined: the budget is kept over all calibrations that there might have been, as conformal p-values promise. Else
   * by the one that there is, with this probability; it takes three times the home-days for .95.
   */
  readonly confidence?: number;
};

export const falseAlarmDefaults: FalseAlarmBudget = { perMonth: 0.003 };
export const budgetDays = 30;

/** Homes by how many flows they have a day: upper bounds of all strata but the last. */
export const activityBounds: readonly number[] = [300, 1_500, 7_500];
export const activityCount: number = activityBounds.length + 1;

/** Width of a bin of scores, in nats; scores of `nullBinCount * nullBinWidth` and more are in the last one. */
export const nullBinWidth = 0.25;
export const nullBinCount = 400;

/** Home-days without the device model. Plain counts, which may be added: no home is in it. */
export type NullTable = {
  /**
   * [activity][bin]: home-days whose strongest window lay in that bin. Bins that are missing at the end hold none: a
   * table is kept for every classifier, and few homes get far without the device model.
   */
  readonly homeDays: readonly (readonly number[])[];
};

export type NullSource = 'lab' | 'simulator' | 'field';

export type DetectionRate = {
  /** Since the device model's first flow in the home. */
  readonly minutes: number;
  /** Share of the homes with the device model in which it is present by then, at the calibration's own budget. */
  readonly rate: number;
  readonly homes: number;
};

/** What a person should know before relying on a classifier. */
export type CalibrationCard = {
  readonly sources: readonly NullSource[];
  /** Promised share of false alarms, per home-day. */
  readonly promisedFpr: number;
  /** Share that was measured in homes of units that took no part in it, and its one-sided 95 % upper bound. */
  readonly measuredFpr: number;
  readonly fprUpper95: number;
  readonly testHomeDays: number;
  /** Units that null homes were made of; of field tables homes are not known, so 0. */
  readonly nullUnits: number;
  readonly detection: readonly DetectionRate[];
  /** Device models in whose homes it is found, with the share of those homes; the most frequent first. */
  readonly confusers: readonly { readonly deviceModel: string; readonly rate: number }[];
};

export type Calibration = {
  /** Windows and buckets that its home-days were measured with: evidence of others is not what it promises about. */
  readonly windowMs: number;
  readonly bucketMs: number;
  readonly nullTable: NullTable;
  /** Score that windows of the device model itself reach in nineteen of twenty hours, times a share: no less counts. */
  readonly ownFloor: number;
  /** Device models that these data do not tell from it, itself among them, ascending; empty: it is told from all. */
  readonly group: readonly string[];
  /** From then on the classifier is unfit. */
  readonly expiresMs: number;
  readonly card: CalibrationCard;
};

/**
 * Why a classifier's evidence must not decide. `not-separable`: homes without the device model show so much that no
 * score is within the budget.
 */
export const uncalibratedCodes =
  ['not-calibrated', 'few-home-days', 'not-separable', 'expired', 'drifted'] as const;
export type UncalibratedCode = (typeof uncalibratedCodes)[number];

/** What decides on windows of one classifier. */
export type DecisionRule = {
  /** Score from which on the device model is present, by the home's flows a day (undefined: not known yet). */
  presentScoreOf(flowsADay: number | undefined): number;
  /** Score from which on a window supports a verdict that stands; at most `presentScoreOf`. */
  keepScoreOf(flowsADay: number | undefined): number;
  /** Conformal p-value of a home-day; undefined where there is no null table. */
  pValueOf(score: number, flowsADay: number | undefined): number | undefined;
  readonly group: readonly string[];
};
