/**
 * Evidence: what speaks for a device model in a home within a sliding window. Distinct tokens count, repeated flows do
 * not, and flows of other devices are no evidence against it (they are simply not accepted). Types, defaults, limits.
 */
import { limits } from '#base';
import type { Fingerprint } from './fingerprint.ts';

export type EvidenceOptions = {
  /** Length of the sliding window; a multiple of `bucketMs`. */
  readonly windowMs: number;
  /** Windows begin and end at multiples of this since the Unix epoch. */
  readonly bucketMs: number;
  /** How much older than a home's latest flow another may be and still count; a multiple of `bucketMs`. */
  readonly latenessMs: number;
  readonly homesMax: number;
  /**
   * Tokens kept for one home and classifier without a fingerprint; at the limit, the one unseen for longest makes room.
   * Of a fingerprint all can be kept.
   */
  readonly tokensMax: number;
};

export const evidenceDefaults: EvidenceOptions = {
  windowMs: 3_600_000,
  bucketMs: 60_000,
  latenessMs: 1_800_000,
  homesMax: limits.homesMax,
  tokensMax: limits.evidenceTokensMax,
};

/** What is wrong with options, in one sentence; undefined when nothing is. */
export function describeUnsoundOptions(options: EvidenceOptions): string | undefined {
  const { windowMs, bucketMs, latenessMs, homesMax, tokensMax } = options;
  const isWhole = (value: number, min: number): boolean => Number.isSafeInteger(value) && value >= min;
  if (!isWhole(bucketMs, 1)) return 'Buckets of evidence last whole milliseconds.';
  if (!isWhole(windowMs, 1) || windowMs % bucketMs !== 0) return 'The window of evidence is a multiple of its buckets.';
  if (!isWhole(latenessMs, 0) || latenessMs % bucketMs !== 0) {
    return 'The lateness that evidence allows is a multiple of its buckets.';
  }
  if ((windowMs + latenessMs) / bucketMs > limits.evidenceBucketsMax) {
    return `Window and lateness of evidence take at most ${limits.evidenceBucketsMax} buckets together: make the ` +
      'buckets longer.';
  }
  return isWhole(homesMax, 1) && isWhole(tokensMax, 1) ? undefined : 'Evidence is of one home and one token at least.';
}

/** A classifier as evidence knows it: what it is of, and which one it is. */
export type EvidenceClassifier = {
  readonly deviceModel: string;
  /** Digest of the artifact, hexadecimal. Evidence of one classifier is none for another. */
  readonly classifier: string;
  /** 1: decides; 2: a second opinion over the same flows, asked by verification only. */
  readonly stage: 1 | 2;
  /** Its tokens are evidence then, in place of what accepted flows did. The digest is of it, too. */
  readonly fingerprint?: Fingerprint | undefined;
};

/** One thing that flows did, however often. */
export type EvidenceToken = {
  /** The same text for the same token, always: of a fingerprint, or of what an accepted flow did. */
  readonly text: string;
  /** What it adds to the score. */
  readonly weight: number;
  /** Buckets of the window in which it was seen. */
  readonly buckets: number;
};

/** The evidence of one window; plain data, the same bytes as JSON for the same flows in whatever order they came. */
export type Evidence = {
  readonly home: string;
  readonly deviceModel: string;
  readonly classifier: string;
  /** The window holds flows that ended at or after its start and before its end. */
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  /** Sum of the tokens' weights. */
  readonly score: number;
  /** Ascending by text (code units). */
  readonly tokens: readonly EvidenceToken[];
};

/**
 * A window whose evidence grew by a token, or by a bucket of one. Windows end with the buckets in which flows that say
 * something ended: one that ends elsewhere holds no more than the one of these before it.
 */
export type EvidenceChange = {
  readonly home: string;
  readonly deviceModel: string;
  readonly classifier: string;
  readonly windowEndMs: number;
  readonly score: number;
  /** Start of the first bucket of the window in which a flow that says something ended. */
  readonly firstFlowMs: number;
  /**
   * Flows of the home, whatever they say, on the last whole day (UTC) that had ended a lateness or more before the
   * window's last bucket began; undefined when that day is not known whole.
   */
  readonly flowsADay: number | undefined;
  /** End of the latest flow that made evidence of this home and classifier grow: what latencies are counted from. */
  readonly flowMs: number;
};

/** What became of flows and tokens, since the store was made; the last three as of now. */
export type EvidenceCounts = {
  /** Flows of homes, the late ones among them. */
  readonly flows: number;
  /** Flows that came more than `latenessMs` after their time: no evidence. */
  readonly lateFlows: number;
  /** Flows whose end is no time: no evidence either. */
  readonly undatedFlows: number;
  /** Flows times classifiers that they are evidence for: accepted ones, or those that show a token. */
  readonly accepted: number;
  /** The same of late and undated flows: what evidence lacks. */
  readonly lateAccepted: number;
  /** Tokens that made room for others of their home and classifier. */
  readonly tokensEvicted: number;
  /** Tokens for which there was no room in the whole store. */
  readonly tokensRefused: number;
  /** Times that a name found the store full of homes. */
  readonly homesRefused: number;
  readonly homes: number;
  /** Homes and classifiers with evidence. */
  readonly entries: number;
  readonly tokens: number;
};
