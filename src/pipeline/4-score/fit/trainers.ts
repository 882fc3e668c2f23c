/**
 * What fits detectors, one entry for each algorithm that can be trained. Behind `#score/fit`, for trainers only: a
 * detector at the edge carries no fitting code.
 */
import type { AlgorithmName, Trainer } from '../detector.ts';
import { treeTrainer } from '../chow-liu-tree/fit-chow-liu-tree.ts';
import { isolationForestTrainer } from '../isolation-forest/fit-forest.ts';
import { lofTrainer } from '../local-outlier-factor/fit-local-outlier-factor.ts';
import { svmTrainer } from '../one-class-svm/fit-one-class-svm.ts';

export const trainers: ReadonlyMap<AlgorithmName, Trainer> = new Map<AlgorithmName, Trainer>([
  ['isolation-forest', isolationForestTrainer as Trainer],
  ['one-class-svm', svmTrainer as Trainer],
  ['local-outlier-factor', lofTrainer as Trainer],
  ['chow-liu-tree', treeTrainer as Trainer],
]);
