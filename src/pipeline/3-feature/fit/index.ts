/** The second door of `3-feature`, for trainers only: a detector never fits. */
export * from './encoder-builder.ts';
