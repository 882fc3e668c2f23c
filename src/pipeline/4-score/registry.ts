/**
 * The algorithms of detectors, one entry for each: what reads and writes them. Fitting them is behind `#score/fit`.
 */
import type { Algorithm, AlgorithmName } from './detector.ts';
import { chowLiuTree } from './chow-liu-tree/algorithm.ts';
import { isolationForest } from './isolation-forest/isolation-forest.ts';
import { localOutlierFactor } from './local-outlier-factor/local-outlier-factor.ts';
import { oneClassSvm } from './one-class-svm/one-class-svm.ts';

export const algorithms: ReadonlyMap<AlgorithmName, Algorithm> = new Map<AlgorithmName, Algorithm>([
  ['isolation-forest', isolationForest as Algorithm],
  ['one-class-svm', oneClassSvm as Algorithm],
  ['local-outlier-factor', localOutlierFactor as Algorithm],
  ['chow-liu-tree', chowLiuTree as Algorithm],
]);
