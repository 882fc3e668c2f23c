/** The door of `7-action`. */
export * from './action.ts';
export * from './action-options.ts';
