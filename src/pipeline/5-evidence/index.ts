/** The door of `5-evidence`. */
export * from './evidence.ts';
export * from './indicator.ts';
