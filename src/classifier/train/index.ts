/** The door of `#classifier/train`. */
export { TrainingFlows, type FlowPart, type SplitFlows } from './training-flows.ts';
export { fitClassifier, type FitOptions, type TrainedClassifier } from './fit-classifier.ts';
export { calibrate, checkFitness, findStableFeatures, type ScoredPart } from './calibrate.ts';
export {
  createLibraryUnit, LibraryFlows, type LibraryCounts, type LibraryFlowsOptions, type LibraryUnit,
} from './background-library.ts';
export { FlowsByUnit, splitOwnFlows, type OwnFlows, type UnitFlows } from './unit-flows.ts';
export {
  fingerprintDefaults, learnedFamilies, learnFingerprint, type FingerprintOptions,
} from './learn-fingerprint.ts';
export {
  secondStageDefaults, trainSecondStage, type SecondStage, type SecondStageInput, type SecondStageOptions,
} from './train-second-stage.ts';
export { scoreHours, type AcceptFlows } from './score-hours.ts';
export { acceptedPercentile, createAcceptFlows, learnHomeEvidence, type HomeEvidence } from './learn-home-evidence.ts';
