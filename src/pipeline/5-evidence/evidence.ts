/**
 * Evidence: what speaks for a device model in a home within a sliding window. Distinct tokens count, repeated flows do
 * not, and flows of other devices are no evidence against it (they are simply not accepted). Types, defaults, limits.
 */
import { limits } from '#base';

export type EvidenceOptions = {
  /** Length of the sliding window; a multiple of `bucketMs`. */
  readonly windowMs: number;
  /** Windows begin and end at multiples of this since the Unix epoch. */
  readonly bucketMs: number;
  /** How much older than a home's latest flow another may be and still count; a multiple of `bucketMs`. */
  readonly latenessMs: number;
  readonly homesMax: number;
  /** Tokens kept for one home and classifier; at the limit, the one unseen for longest makes room. */
  readonly tokensMax: number;
};

export const evidenceDefaults: EvidenceOptions = {
  windowMs: 3_600_000,
  bucketMs: 60_000,
  latenessMs: 1_800_000,
  homesMax: limits.homesMax,
  tokensMax: limits.evidenceTokensMax,
};

/** A classifier as evidence knows it: what it is of, and which one it is. */
export type EvidenceClassifier = {
  readonly deviceModel: string;
  /** Digest of the artifact, hexadecimal. Evidence of one classifier is none for another. */
  readonly classifier: string;
  /** 1: decides; 2: a second opinion over the same flows, asked by verification only. */
  readonly stage: 1 | 2;
};

/** One thing that accepted flows did, however often. */
export type EvidenceToken = {
  /** Protocol, port or ICMP type, prefix of the destination, size bin: the same text for the same token, always. */
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

/** A window whose evidence grew, the strongest one where one flow strengthened several (of equals the earliest). */
export type EvidenceChange = {
  readonly home: string;
  readonly deviceModel: string;
  readonly classifier: string;
  readonly windowEndMs: number;
  readonly score: number;
  /** Time of the flow that made it grow. */
  readonly flowMs: number;
};
