/** The second door of `4-score`, for trainers only: what fits detectors. */
export * from './trainers.ts';
export * from './percentile.ts';
