/**
 * How each classifier of a detector decides, and what is wrong where one does not: rules for windows by their time, and
 * the state of calibrations for `status`, `explain` and the health.
 */
import type { EvidenceClassifier } from '#evidence';
import {
  createClassifierRules, fingerprintFor, type ClassifierRule, type DecidesBy, type DecisionRule,
  type FalseAlarmBudget, type UncalibratedCode, type VerdictOptions,
} from '#verdict';
import type { LoadedClassifier } from './classifier-folder.ts';
import { describeFault } from './describe-fault.ts';

/** How a classifier decides, as of now. */
export type ClassifierDecision = {
  readonly decidesBy: DecidesBy;
  /** Undefined: its verdicts keep to the stated rate, or the policy does not ask for it. */
  readonly fault: UncalibratedCode | undefined;
  /** What that means and what to do, in one or two sentences; undefined without a fault. */
  readonly detail: string | undefined;
  /** Wall clock; undefined: it carries no calibration. */
  readonly expiresMs: number | undefined;
  /** Share of homes without the device model that are found wrongly, a day, as its card says it was measured. */
  readonly fprUpper95: number | undefined;
};

export class ClassifierDesk {
  readonly #options: VerdictOptions;
  readonly #budget: FalseAlarmBudget;
  #classifiers: readonly LoadedClassifier[] = [];
  readonly #rules = new Map<string, ClassifierRule>();
  /** Digests of those that were found to have drifted. */
  readonly #drifted = new Set<string>();

  constructor(options: VerdictOptions, budget: FalseAlarmBudget) {
    this.#options = options;
    this.#budget = budget;
  }

  setClassifiers(classifiers: readonly LoadedClassifier[]): void {
    this.#classifiers = classifiers;
    this.#rules.clear();
    // Anew for all: how many share a device model's budget may have changed.
    for (const [i, rule] of createClassifierRules(classifiers, this.#options, this.#budget).entries()) {
      this.#rules.set((classifiers[i] as LoadedClassifier).digest, rule);
    }
    for (const digest of this.#drifted) if (!this.#rules.has(digest)) this.#drifted.delete(digest);
  }

  /** The classifiers as evidence knows them. */
  evidenceClassifiers(): EvidenceClassifier[] {
    return this.#classifiers.map((loaded) => ({
      deviceModel: loaded.classifier.deviceModel, classifier: loaded.digest, stage: loaded.stage,
      fingerprint: fingerprintFor(this.#options, loaded),
    }));
  }

  /** What decides on windows of a classifier that end then. @param wallMs  of the wall clock */
  ruleAt(digest: string, wallMs: number): DecisionRule {
    const rule = this.#rules.get(digest);
    return rule === undefined || this.#drifted.has(digest) ? nothingDecides : rule.at(wallMs);
  }

  /** Says of a classifier whether it has drifted: if so, nothing is decided by it from now on. */
  setDrifted(digest: string, isDrifted: boolean): void {
    if (isDrifted) this.#drifted.add(digest);
    else this.#drifted.delete(digest);
  }

  /** Digests of those that have. */
  drifted(): readonly string[] {
    return [...this.#drifted].sort();
  }

  /** Score that the device model's own windows nearly always reach; undefined: no calibration says it. */
  ownFloorOf(digest: string): number | undefined {
    return this.#rules.get(digest)?.calibration?.ownFloor;
  }

  decisionOf(digest: string, wallMs: number): ClassifierDecision | undefined {
    const rule = this.#rules.get(digest);
    if (rule === undefined) return undefined;
    const fault = this.#drifted.has(digest) ? 'drifted' : rule.faultAt(wallMs);
    return {
      decidesBy: this.#drifted.has(digest) ? 'nothing' : rule.decidesByAt(wallMs), fault,
      detail: fault === undefined ? undefined : describeFault(fault, rule.calibration?.expiresMs, this.#budget),
      expiresMs: rule.calibration?.expiresMs, fprUpper95: rule.calibration?.card.fprUpper95,
    };
  }

  /** Classifiers that decide nothing, though they should. */
  countUnfit(wallMs: number): number {
    return this.#classifiers.filter(({ stage, digest }) =>
      stage === 1 && this.decisionOf(digest, wallMs)?.decidesBy === 'nothing').length;
  }
}

const nothingDecides: DecisionRule = {
  presentScoreOf: () => Infinity, keepScoreOf: () => Infinity, pValueOf: () => undefined, group: [],
};
