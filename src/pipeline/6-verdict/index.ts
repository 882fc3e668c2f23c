/** The door of `6-verdict`. */
export * from './verdict.ts';
export { expire, judge, noVerdict } from './judge.ts';
export { parseVerdict } from './parse-verdict.ts';
export * from './calibration.ts';
export * from './answer.ts';
export * from './classifier-rule.ts';
export * from './clopper-pearson.ts';
export * from './decision-rule.ts';
export * from './field-null.ts';
export * from './null-table.ts';
export * from './null-sketch.ts';
export * from './drift.ts';
