/** The door of `6-verdict`. */
export * from './verdict.ts';
