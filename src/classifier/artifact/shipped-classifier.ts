/** What one artifact carries: the classifier of flows, and what turns its flows into a verdict on a home. */
import type { Fingerprint } from '#evidence';
import { isSameLayout } from '#feature';
import type { BoostedTrees, Classifier } from '#score';
import type { Calibration } from '#verdict';

export type ShippedClassifier = {
  readonly classifier: Classifier;
  /** Undefined: evidence is distinct destinations of accepted flows, each worth 1. */
  readonly fingerprint: Fingerprint | undefined;
  /** Over the rows that the classifier's own encoder makes. Undefined: no second stage. */
  readonly secondStage: BoostedTrees | undefined;
  /** Undefined: nothing is promised about homes. */
  readonly calibration: Calibration | undefined;
};

/** What is wrong with parts that are sound each by itself. @returns one sentence, or undefined */
export function describeMisfit({ classifier, fingerprint, secondStage }: ShippedClassifier): string | undefined {
  if (secondStage === undefined) return undefined;
  if (fingerprint === undefined) return 'There is a second stage, and no fingerprint whose flows it could be asked of.';
  return isSameLayout(secondStage.layout, classifier.detector.layout) ? undefined
    : "The second stage is over other features than those of the classifier's encoder.";
}
