/** The door of `5-evidence`. */
export * from './evidence.ts';
export * from './indicator.ts';
export { isOutward } from './outward-flows.ts';
export {
  IndicatorMatcher, type IndicatorCounts, type IndicatorLimits, type IndicatorRows,
} from './indicator-matcher.ts';
export type { EvidenceKey } from './evidence-key.ts';
export { EvidenceStore, type EvidenceRows } from './evidence-store.ts';
export * from './fingerprint.ts';
export { describeTokens, formatFingerprintToken, quarterBinOf, type TokenDescription } from './fingerprint-keys.ts';
export {
  describeUnsoundFingerprint, familyParts, isSoundToken, tokenWeightMax, weightsPerNat, type SizeKind,
} from './sound-fingerprint.ts';
export { FingerprintMatcher } from './fingerprint-matcher.ts';
export { TokenFinder, type FoundTokens, type TokenSource } from './token-finder.ts';
