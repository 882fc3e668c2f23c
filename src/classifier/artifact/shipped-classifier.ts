/** What one artifact carries: the classifier of flows, and what turns its flows into a verdict on a home. */
import type { Fingerprint } from '#evidence';
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
