/** The door of `4-score`. */
export * from './detector.ts';
export * from './classifier.ts';
export * from './registry.ts';
export * from './scorer.ts';
export * from './isolation-forest/forest.ts';
export * from './isolation-forest/score-forest.ts';
export * from './second-stage/boosted-trees.ts';
export { writeBoostedTrees, readBoostedTrees } from './second-stage/boosted-bytes.ts';
export { logOddsOf, predictBoostedTrees } from './second-stage/predict-boosted-trees.ts';
