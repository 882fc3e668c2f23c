/** The door of `5-evidence`. */
export * from './evidence.ts';
export * from './indicator.ts';
export { isOutward } from './outward-flows.ts';
export {
  IndicatorMatcher, type IndicatorCounts, type IndicatorLimits, type IndicatorRows,
} from './indicator-matcher.ts';
export { EvidenceStore, type EvidenceKey, type EvidenceRows } from './evidence-store.ts';
export * from './fingerprint.ts';
