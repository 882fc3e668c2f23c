/**
 * From a calibration to what decides: the score from which on a window makes the device model present, found once for
 * each stratum of homes, so that judging is a comparison. docs/verdicts.md has the rule in words and what it promises.
 */
import { assertInvariant } from '#base';
import {
  activityCount, budgetDays, nullBinCount, type Calibration, type DecisionRule, type FalseAlarmBudget,
  type NullTable, type UncalibratedCode,
} from './calibration.ts';
import { clopperPearsonUpper } from './clopper-pearson.ts';
import { activityOf, conformalP, nullBinOf, scoreOfBin, tailCounts } from './null-table.ts';

/** How it is decided on homes of one stratum. */
export type StratumRule = {
  /** Undefined: homes whose activity is not known yet. */
  readonly activity: number | undefined;
  /** Home-days that p-values of it rest on. */
  readonly homeDays: number;
  /** The busiest stratum among them. */
  readonly activityMax: number;
  /** Infinity: never present. */
  readonly presentScore: number;
};

export type Decision = {
  readonly rule: DecisionRule;
  /** Undefined: it decides, on homes of some strata at least. */
  readonly uncalibrated: UncalibratedCode | undefined;
  /** Every stratum, the unknown one last; none without a null table. */
  readonly strata: readonly StratumRule[];
};

/** A standing verdict needs half of what makes one (hysteresis). */
const keepShare = 0.5;

/**
 * @param calibration  undefined: the classifier has none
 * @param budget       that of this classifier alone (`shareBudget`)
 */
export function createDecisionRule(
  calibration: Pick<Calibration, 'nullTable' | 'ownFloor' | 'group' | 'expiresMs'> | undefined,
  budget: FalseAlarmBudget, nowMs: number,
): Decision {
  const { perMonth, confidence } = budget;
  assertInvariant(perMonth > 0 && perMonth < 1, 'a budget is a share');
  if (calibration === undefined) return { ...unfitDecision([], 'not-calibrated'), strata: [] };
  const { nullTable, group, ownFloor, expiresMs } = calibration;
  // What the division loses must not cost a home-day.
  const perDay = perMonth / budgetDays * (1 + 1e-12);
  const strata = buildStrata(nullTable, { perDay, confidence, ownFloor });
  const pValueOf = (score: number, flowsADay: number | undefined): number =>
    stratumOf(strata, flowsADay).pValueOf(score);
  const uncalibrated = findFault(strata, nowMs >= expiresMs);
  if (uncalibrated !== undefined) return { ...unfitDecision(group, uncalibrated, pValueOf), strata };
  return {
    uncalibrated, strata,
    rule: {
      presentScoreOf: (flowsADay) => stratumOf(strata, flowsADay).presentScore,
      keepScoreOf: (flowsADay) => stratumOf(strata, flowsADay).presentScore * keepShare,
      pValueOf, group,
    },
  };
}

/** A rule by which nothing becomes present and nothing is supported. */
export function unfitDecision(group: readonly string[], uncalibrated: UncalibratedCode,
  pValueOf: DecisionRule['pValueOf'] = () => undefined): Omit<Decision, 'strata'> {
  return { uncalibrated, rule: { presentScoreOf: () => Infinity, keepScoreOf: () => Infinity, pValueOf, group } };
}

/** The budget of each of several classifiers that decide on one device model: together they spend it once. */
export function shareBudget(budget: FalseAlarmBudget, classifierCount: number): FalseAlarmBudget {
  return { ...budget, perMonth: budget.perMonth / Math.max(1, classifierCount) };
}

type Terms = { readonly perDay: number; readonly confidence: number | undefined; readonly ownFloor: number };

/** A stratum with all that is worked out about it. */
type Stratum = StratumRule & {
  /** It rests on enough home-days for a decision. */
  readonly isEnough: boolean;
  pValueOf(score: number): number;
};

function buildStrata(table: NullTable, terms: Terms): readonly Stratum[] {
  const known = Array.from({ length: activityCount }, (_, activity) => buildStratum(table, activity, terms));
  return [...known, buildUnknown(table, known, terms)];
}

function stratumOf(strata: readonly Stratum[], flowsADay: number | undefined): Stratum {
  return strata[flowsADay === undefined ? activityCount : activityOf(flowsADay)] as Stratum;
}

/**
 * A stratum's own home-days, where they are too few with those of busier ones: a home with fewer flows shows no more
 * tokens than with more, so that busier homes are no milder a null. Where its own share is larger, that is believed.
 */
function buildStratum(table: NullTable, activity: number, terms: Terms): Stratum {
  const own = tailCounts(table, [activity]);
  let activityMax = activity;
  let tails = own;
  while (!isEnough(tails, terms) && activityMax < activityCount - 1) {
    activityMax++;
    tails = tailCounts(table, Array.from({ length: activityMax - activity + 1 }, (_, i) => activity + i));
  }
  const ownShareOf = (bin: number): number => own[0] === 0 ? 0 : (own[bin] as number) / (own[0] as number);
  const pValueOf = (bin: number): number =>
    Math.max(conformalP(tails[bin] as number, tails[0] as number), ownShareOf(bin));
  return {
    activity, homeDays: tails[0] as number, activityMax, isEnough: isEnough(tails, terms),
    presentScore: isEnough(tails, terms)
      ? findPresentScore(terms, (bin) => ownShareOf(bin) <= terms.perDay && isWithin(tails, bin, terms)) : Infinity,
    pValueOf: (score) => pValueOf(nullBinOf(score)),
  };
}

/** Homes of any stratum: the most careful of all that can decide, and of all home-days together. */
function buildUnknown(table: NullTable, known: readonly Stratum[], terms: Terms): Stratum {
  const tails = tailCounts(table);
  const deciding = known.filter((stratum) => stratum.isEnough);
  const ofAll = isEnough(tails, terms) ? findPresentScore(terms, (bin) => isWithin(tails, bin, terms)) : Infinity;
  return {
    activity: undefined, homeDays: tails[0] as number, activityMax: activityCount - 1, isEnough: isEnough(tails, terms),
    presentScore: deciding.reduce((highest, { presentScore }) => Math.max(highest, presentScore), ofAll),
    pValueOf: (score) => deciding.reduce((largest, stratum) => Math.max(largest, stratum.pValueOf(score)),
      conformalP(tails[nullBinOf(score)] as number, tails[0] as number)),
  };
}

/** Could a score beyond that of all of these home-days be within the budget? */
function isEnough(tails: readonly number[], { perDay, confidence }: Terms): boolean {
  return isRare(0, tails[0] as number, perDay, confidence);
}

function isWithin(tails: readonly number[], bin: number, { perDay, confidence }: Terms): boolean {
  return isRare(tails[bin] as number, tails[0] as number, perDay, confidence);
}

function isRare(asStrong: number, homeDays: number, perDay: number, confidence: number | undefined): boolean {
  if (conformalP(asStrong, homeDays) > perDay) return false;
  return confidence === undefined || clopperPearsonUpper(asStrong, homeDays, confidence) <= perDay;
}

/** The lowest bin's least score that is within the budget, and no less than the device model's own. */
function findPresentScore({ ownFloor }: Terms, isWithinBudget: (bin: number) => boolean): number {
  for (let bin = 0; bin < nullBinCount; bin++) {
    if (isWithinBudget(bin)) return Math.max(scoreOfBin(bin), ownFloor);
  }
  return Infinity;
}

function findFault(strata: readonly Stratum[], isExpired: boolean): UncalibratedCode | undefined {
  if (isExpired) return 'expired';
  if (strata.every((stratum) => !stratum.isEnough)) return 'few-home-days';
  return strata.every(({ presentScore }) => presentScore === Infinity) ? 'not-separable' : undefined;
}
