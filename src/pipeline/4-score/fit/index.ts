/** The second door of `4-score`, for trainers only: what fits detectors. */
export * from './trainers.ts';
export * from './percentile.ts';
export {
  boostDefaults, fitBoostedTrees, type BoostOptions, type EarlyStop,
} from '../second-stage/fit-boosted-trees.ts';
