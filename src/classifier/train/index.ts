/** The door of `#classifier/train`. */
export { TrainingFlows, type FlowPart, type SplitFlows } from './training-flows.ts';
export { fitClassifier, type FitOptions, type TrainedClassifier } from './fit-classifier.ts';
export { calibrate, checkFitness, findStableFeatures, type ScoredPart } from './calibrate.ts';
