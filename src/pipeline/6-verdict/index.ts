/** The door of `6-verdict`. */
export * from './verdict.ts';
export { expire, judge, noVerdict } from './judge.ts';
export { parseVerdict } from './parse-verdict.ts';
export * from './calibration.ts';
