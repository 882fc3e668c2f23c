/**
 * Which rule decides on the windows of a classifier: by the policy, by what the classifier carries, and by when the
 * window ended, so that it does not matter when somebody looks.
 */
import type { Fingerprint } from '#evidence';
import {
  activityBounds, activityCount, type Calibration, type DecisionRule, type FalseAlarmBudget, type UncalibratedCode,
} from './calibration.ts';
import { createDecisionRule, shareBudget, unfitDecision } from './decision-rule.ts';
import { activityOf } from './null-table.ts';
import type { VerdictOptions } from './verdict.ts';

/** What a classifier carries for verdicts. */
export type VerdictParts = {
  readonly fingerprint: Fingerprint | undefined;
  readonly calibration: Calibration | undefined;
};

/** `nothing`: the classifier is unfit. */
export type DecidesBy = 'calibration' | 'distinct-tokens' | 'single-flow' | 'nothing';

/** The fingerprint whose tokens are evidence under a policy; undefined: what accepted flows did is. */
export function fingerprintFor({ policy }: Pick<VerdictOptions, 'policy'>, { fingerprint }: VerdictParts):
Fingerprint | undefined {
  return policy === 'calibrated' ? fingerprint : undefined;
}

/** What is wrong with a calibration for evidence of some windows, in one sentence; undefined: nothing. */
export function describeOtherWindows(
  calibration: Pick<Calibration, 'windowMs' | 'bucketMs'> | undefined,
  evidence: { readonly windowMs: number; readonly bucketMs: number },
): string | undefined {
  if (calibration === undefined) return undefined;
  const { windowMs, bucketMs } = calibration;
  if (windowMs === evidence.windowMs && bucketMs === evidence.bucketMs) return undefined;
  return `It was calibrated with windows of ${windowMs / 60_000} min and buckets of ${bucketMs / 1_000} s, not of ` +
    `${evidence.windowMs / 60_000} min and ${evidence.bucketMs / 1_000} s: calibrate it with these, or set these back.`;
}

/** Flows a day of a home of each stratum, and of one that is not known yet. */
const strata: readonly (number | undefined)[] = [0, ...activityBounds, undefined];

/**
 * The rule of a calibration with its scores alone. What p-values are made of takes as much memory as the null table
 * again, for every classifier, and p-values are asked for once an episode: they are worked out then.
 */
function summarizeRule(calibration: Calibration, budget: FalseAlarmBudget):
{ rule: DecisionRule; fault: UncalibratedCode | undefined } {
  const { presentScores, keepScores, fault } = listScores(calibration, budget);
  const indexOf = (flowsADay: number | undefined): number =>
    (flowsADay === undefined ? activityCount : activityOf(flowsADay));
  return {
    fault,
    rule: {
      presentScoreOf: (flowsADay) => presentScores[indexOf(flowsADay)] as number,
      keepScoreOf: (flowsADay) => keepScores[indexOf(flowsADay)] as number,
      pValueOf: (score, flowsADay) =>
        createDecisionRule(calibration, budget, -Infinity).rule.pValueOf(score, flowsADay),
      group: calibration.group,
    },
  };
}

/** Apart from the functions above, which would keep all that they could see of what these scores were made of. */
function listScores(calibration: Calibration, budget: FalseAlarmBudget):
{ presentScores: number[]; keepScores: number[]; fault: UncalibratedCode | undefined } {
  const { rule, uncalibrated } = createDecisionRule(calibration, budget, -Infinity);
  return {
    presentScores: strata.map((flowsADay) => rule.presentScoreOf(flowsADay)),
    keepScores: strata.map((flowsADay) => rule.keepScoreOf(flowsADay)), fault: uncalibrated,
  };
}

export class ClassifierRule {
  readonly calibration: Calibration | undefined;
  readonly #rule: DecisionRule;
  readonly #fault: UncalibratedCode | undefined;
  readonly #expired: DecisionRule | undefined;
  readonly #decidesBy: Exclude<DecidesBy, 'nothing'>;

  /** @param budget  of this classifier alone */
  constructor(parts: VerdictParts, options: VerdictOptions, budget: FalseAlarmBudget) {
    const { calibration } = parts;
    if (options.policy === 'calibrated' && calibration !== undefined) {
      const { rule, fault } = summarizeRule(calibration, budget);
      this.calibration = calibration;
      this.#rule = rule;
      this.#fault = fault;
      this.#expired = unfitDecision(calibration.group, 'expired', rule.pValueOf).rule;
      this.#decidesBy = 'calibration';
      return;
    }
    // As many distinct tokens, whatever they are, also where each has a weight of its own.
    const weight = (fingerprintFor(options, parts)?.tokens ?? [])
      .reduce((heaviest, token) => Math.max(heaviest, token.weight), 0) || 1;
    const presentScore = options.presentScore * weight;
    const keepScore = options.keepScore * weight;
    this.#rule = {
      presentScoreOf: () => presentScore, keepScoreOf: () => keepScore, pValueOf: () => undefined, group: [],
    };
    this.#fault = options.policy === 'calibrated' ? 'not-calibrated' : undefined;
    this.#decidesBy = options.policy === 'single-flow' ? 'single-flow' : 'distinct-tokens';
  }

  /** The rule for windows that end then. */
  at(windowEndMs: number): DecisionRule {
    return this.#expired !== undefined && this.#isExpired(windowEndMs) ? this.#expired : this.#rule;
  }

  /**
   * Why its verdicts are not calibrated, at a time; undefined: they are, or the policy does not ask for it.
   * `not-calibrated` alone lets it decide all the same, by distinct tokens.
   */
  faultAt(nowMs: number): UncalibratedCode | undefined {
    return this.#isExpired(nowMs) ? 'expired' : this.#fault;
  }

  decidesByAt(nowMs: number): DecidesBy {
    const fault = this.faultAt(nowMs);
    return fault === undefined || fault === 'not-calibrated' ? this.#decidesBy : 'nothing';
  }

  #isExpired(timeMs: number): boolean {
    return this.calibration !== undefined && timeMs > this.calibration.expiresMs;
  }
}

/** A classifier among others that decide beside it. */
export type RuledClassifier = VerdictParts & {
  readonly classifier: { readonly deviceModel: string };
  /** 2: a second opinion, which makes nothing present and so spends nothing. */
  readonly stage?: 1 | 2;
};

/**
 * Rules of all classifiers of one detector, in their order. Those that decide on one device model by calibrations, such
 * as of several versions of its firmware, share its budget: each false alarm of any of them is one of the home.
 *
 * @param budget  of a home and device model
 */
export function createClassifierRules(
  classifiers: readonly RuledClassifier[], options: VerdictOptions, budget: FalseAlarmBudget,
): ClassifierRule[] {
  const spenders = new Map<string, number>();
  for (const { classifier: { deviceModel }, stage, calibration } of classifiers) {
    if (stage === 2 || calibration === undefined) continue;
    spenders.set(deviceModel, (spenders.get(deviceModel) ?? 0) + 1);
  }
  return classifiers.map((each) => new ClassifierRule(each, options,
    shareBudget(budget, each.stage === 2 ? 1 : spenders.get(each.classifier.deviceModel) ?? 1)));
}
