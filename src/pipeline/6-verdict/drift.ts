/**
 * Has a device model changed under its classifier? New firmware and moved clouds show as flows that no token explains
 * and as tokens that no longer come. Both are held, hour by hour, against one fixed reference, the device model's own
 * validation days: a reference that moved along would never see slow drift. Pure functions of hours.
 *
 * The test is one-sided and of Student's kind: the mean of the hours at hand against that of the reference. Hours that
 * follow each other are alike, so the deviation of a mean is widened by what hours' correlation (first order) makes of
 * it. A stated level is spent on both statistics and all looks of a day, and a fall must also be large enough to
 * matter.
 */
import { assertInvariant } from '#base';
import { incompleteBeta, logGamma } from './clopper-pearson.ts';

/** What one recorded hour of one unit showed. */
export type DriftHour = {
  readonly startMs: number;
  /** Flows of the device model; 1 or more: an hour without any says nothing. */
  readonly flows: number;
  /** Those of them that show a token of its fingerprint, or that its classifier accepts where there is none. */
  readonly explained: number;
  /** Weight of the distinct tokens that were shown; undefined without a fingerprint. */
  readonly tokenWeight: number | undefined;
};

export type DriftOptions = {
  /** Probability that a day without any change is called drift. */
  readonly levelADay: number;
  /** Hours that one look takes together; two looks a day see a change within 24 hours, at whatever hour it comes. */
  readonly spanHours: number;
  /** Recorded hours below which a span is not judged. */
  readonly hoursMin: number;
  /** Falls below this are none that matter: of the share itself, and of the recall. */
  readonly fallMin: number;
};

export const driftDefaults: DriftOptions = { levelADay: 0.001, spanHours: 12, hoursMin: 6, fallMin: 0.1 };

/** Hours of reference below which nothing is judged by it. */
export const referenceHoursMin = 6;

/** Mean of hours, and how far hours lie from it. */
export type DriftMean = {
  readonly mean: number;
  /** Of one hour. */
  readonly variance: number;
  /** By how much more the variance of a mean is than that of as many hours that know nothing of each other. */
  readonly inflation: number;
};

export type DriftReference = {
  readonly hours: number;
  /** Share of flows that are explained. */
  readonly explained: DriftMean;
  /** Weight of distinct tokens an hour; undefined without a fingerprint. */
  readonly tokenWeight: DriftMean | undefined;
};

export type DriftLook = {
  readonly hours: number;
  readonly explainedShare: number;
  /** Weight of the tokens an hour as a share of the reference's; undefined without a fingerprint. */
  readonly tokenRecall: number | undefined;
  /** Smaller of the p-values of both statistics times how many there are; 1 at most. */
  readonly p: number;
  readonly isDrifted: boolean;
};

/** The reference, of hours in order of time. @returns undefined  there are fewer than `referenceHoursMin` */
export function measureReference(hours: readonly DriftHour[]): DriftReference | undefined {
  if (hours.length < referenceHoursMin) return undefined;
  const withTokens = hours.every(({ tokenWeight }) => tokenWeight !== undefined);
  const flows = hours.reduce((sum, hour) => sum + hour.flows, 0);
  const explained = hours.reduce((sum, hour) => sum + hour.explained, 0);
  // One flow more of either kind: a reference without a single unexplained flow must not expect none for ever.
  const smoothed = (explained + 1) / (flows + 2);
  const leastVariance = smoothed * (1 - smoothed) * hours.length / flows;
  return {
    hours: hours.length,
    explained: measureMean(hours.map(shareOf), leastVariance),
    tokenWeight: withTokens ? measureMean(hours.map(({ tokenWeight }) => tokenWeight ?? 0), 0) : undefined,
  };
}

/**
 * Holds a span of hours against the reference.
 *
 * @param hours  recorded ones, in whatever order
 * @returns undefined  there are fewer than `hoursMin`: nothing can be said
 */
export function testDrift(
  reference: DriftReference, hours: readonly DriftHour[], options: DriftOptions = driftDefaults,
): DriftLook | undefined {
  const { levelADay, spanHours, hoursMin, fallMin } = options;
  assertInvariant(levelADay > 0 && levelADay < 1 && spanHours > 0 && fallMin >= 0, 'a drift test of no level');
  if (hours.length < Math.max(1, hoursMin)) return undefined;
  const explainedShare = meanOf(hours.map(shareOf));
  const weight = reference.tokenWeight === undefined || reference.tokenWeight.mean <= 0 ? undefined
    : { mean: meanOf(hours.map(({ tokenWeight }) => tokenWeight ?? 0)), of: reference.tokenWeight };
  const tokenRecall = weight === undefined ? undefined : weight.mean / weight.of.mean;
  const pExplained = probabilityOfFall(reference.explained, reference.hours, explainedShare, hours.length);
  const pWeight = weight === undefined ? undefined
    : probabilityOfFall(weight.of, reference.hours, weight.mean, hours.length);
  // Bonferroni: over the statistics here, over the looks of a day in the level.
  const count = pWeight === undefined ? 1 : 2;
  const isFallen = (p: number, fall: number): boolean =>
    p * count <= levelADay * Math.min(1, spanHours / 24) && fall >= fallMin;
  return {
    hours: hours.length, explainedShare, tokenRecall,
    p: Math.min(1, count * Math.min(pExplained, pWeight ?? 1)),
    isDrifted: isFallen(pExplained, reference.explained.mean - explainedShare) ||
      (pWeight !== undefined && tokenRecall !== undefined && isFallen(pWeight, 1 - tokenRecall)),
  };
}

/**
 * The smallest fall of the explained share that a whole span of hours shows as drift; `undefined`: not even a fall to
 * nothing. A short or restless reference sees large falls only, and who relies on silence must know.
 */
export function leastSeenFall(reference: DriftReference, options: DriftOptions = driftDefaults): number | undefined {
  const { explained, hours, tokenWeight } = reference;
  const { levelADay, spanHours, fallMin } = options;
  const level = levelADay * Math.min(1, spanHours / 24) / (tokenWeight === undefined ? 1 : 2);
  const isSeen = (fall: number): boolean =>
    fall >= fallMin && probabilityOfFall(explained, hours, explained.mean - fall, spanHours) <= level;
  if (!isSeen(explained.mean)) return undefined;
  let [low, high] = [0, explained.mean];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (isSeen(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function shareOf({ flows, explained }: DriftHour): number {
  return flows === 0 ? 0 : explained / flows;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Correlation is held below this: a higher one is an estimate that a few hours cannot make. */
const correlationMax = 0.8;

function measureMean(values: readonly number[], leastVariance: number): DriftMean {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  let products = 0;
  for (let i = 1; i < values.length; i++) {
    products += ((values[i] as number) - mean) * ((values[i - 1] as number) - mean);
  }
  const found = squares === 0 ? 0 : products / squares;
  // Of few hours it comes out too low by the first term (Kendall 1954), and it errs by the second (Bartlett 1946): with
  // both the level is kept, without them days of correlated hours are called drift twice as often as stated.
  const careful = found + (1 + 4 * found) / values.length + 1 / Math.sqrt(values.length);
  const correlation = Math.max(0, Math.min(correlationMax, careful));
  return {
    mean, variance: Math.max(squares / (values.length - 1), leastVariance),
    inflation: (1 + correlation) / (1 - correlation),
  };
}

/** Probability of a mean so low, when hours are still those of the reference. */
function probabilityOfFall(of: DriftMean, referenceHours: number, mean: number, hours: number): number {
  const fall = of.mean - mean;
  if (!(fall > 0)) return 1;
  const deviation = Math.sqrt(of.variance * of.inflation * (1 / referenceHours + 1 / hours));
  // Each effective hour of the reference tells something, less than each hour.
  const freedom = Math.max(2, (referenceHours - 1) / of.inflation);
  return deviation === 0 ? 0 : studentTail(fall / deviation, freedom);
}

/** Probability that Student's t with so many degrees of freedom exceeds `t >= 0`. @source DLMF 8.17; A&S 26.7.1 */
export function studentTail(t: number, freedom: number): number {
  if (t === 0) return 0.5;
  const x = freedom / (freedom + t * t);
  const logBeta = logGamma(freedom / 2) + logGamma(0.5) - logGamma(freedom / 2 + 0.5);
  return x === 0 ? 0 : 0.5 * incompleteBeta(x, freedom / 2, 0.5, logBeta);
}
