/** What turns a classifier's flows into evidence about homes, learned in one go: its fingerprint and second stage. */
import { limits } from '#base';
import type { Fingerprint } from '#evidence';
import { BatchSplitter } from '#flow';
import { acceptScores, chooseThreshold, Scorer, type Classifier, type ThresholdChoice } from '#score';
import type { LibraryUnit } from './background-library.ts';
import { learnFingerprint, type FingerprintOptions } from './learn-fingerprint.ts';
import type { AcceptFlows } from './score-hours.ts';
import { trainSecondStage, type SecondStage } from './train-second-stage.ts';
import type { OwnFlows } from './unit-flows.ts';

/** Which flows a detector takes for accepted unless its config says otherwise: learning looks at the same ones. */
export const acceptedPercentile: ThresholdChoice = 10;

/** The decision of a classifier on batches of any size. */
export function createAcceptFlows(
  classifier: Classifier, threshold: ThresholdChoice = acceptedPercentile,
): AcceptFlows {
  const scorer = new Scorer([classifier]);
  const splitter = new BatchSplitter();
  const scoreMax = chooseThreshold(classifier.thresholds, threshold);
  const accepted = new Uint8Array(limits.flowBatchRows);
  return (batch) => {
    const all = new Uint8Array(batch.rowCount);
    let at = 0;
    for (const piece of splitter.split(batch)) {
      acceptScores(scorer.score(piece).anomalyScore[0] as Float64Array, piece.rowCount, scoreMax, accepted);
      all.set(accepted.subarray(0, piece.rowCount), at);
      at += piece.rowCount;
    }
    return all;
  };
}

export type HomeEvidence = {
  readonly fingerprint: Fingerprint;
  /** Undefined: the library shows too little that it could be trained on, and there is little to refuse. */
  readonly secondStage: SecondStage | undefined;
};

/**
 * @param own      flows of the device model that the classifier was trained and validated on; read only
 * @param library  units of which none is of the device model; read only
 */
export function learnHomeEvidence(
  classifier: Classifier, own: OwnFlows, library: readonly LibraryUnit[], options: Partial<FingerprintOptions> = {},
): HomeEvidence {
  const accept = createAcceptFlows(classifier);
  const fingerprint = learnFingerprint(own, library, accept, options);
  const secondStage = trainSecondStage({ classifier, fingerprint, own, library, accept });
  return { fingerprint, secondStage };
}
