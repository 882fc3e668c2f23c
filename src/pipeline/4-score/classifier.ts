/**
 * A classifier (C^M of Meidan et al. 2019, arXiv 1905.13430) as a value: what was fitted and calibrated for one device
 * model M, whatever the algorithm. `#classifier/train` makes it, `#classifier/artifact` writes and reads it; here it
 * only scores.
 */
import { assertInvariant } from '#base';
import type { EncodedRows, FittedEncoder, FlowNeeds } from '#feature';
import type { FittedDetector } from './detector.ts';

/** Percentiles p that a classifier keeps a threshold for: 0 … 30. */
export const percentileMax = 30;

/** Score of a flow with a category of a stable feature that training never showed. */
export const unseenScore = 1;

export type Thresholds = {
  /** The algorithm's own, before calibration. */
  readonly default: number;
  /**
   * [31]: at index p the score that a flow must not exceed to be at least as normal as the p-th percentile of the
   * validation flows; p per cent of these lie above it. Never rises with p.
   */
  readonly byPercentile: Float64Array;
};

/** Why a classifier must not be used. */
export type UnfitCode =
  'few-training-flows' | 'few-validation-flows' | 'validation-drift' | 'degenerate-scores' | 'accepts-all';
export const unfitCodes: readonly UnfitCode[] =
  ['few-training-flows', 'few-validation-flows', 'validation-drift', 'degenerate-scores', 'accepts-all'];

export type Fitness = {
  /** True when there are no reasons against it. */
  readonly isFit: boolean;
  readonly reasons: readonly { readonly code: UnfitCode; readonly detail: string }[];
};

/** Where a classifier comes from. No time of making: the same flows give the same bytes. */
export type Provenance = {
  readonly natlensVersion: string;
  /** SHA-256 (hexadecimal) of the training and validation flows as the catalog sees them. */
  readonly trainingDigest: string;
  readonly trainingFlows: number;
  readonly validationFlows: number;
  /** Units of the device model whose flows it saw. */
  readonly devices: number;
  readonly seed: number;
  /** All options of the algorithm, those left at their defaults too. */
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
};

export type Classifier = {
  /** `type.make.version` */
  readonly deviceModel: string;
  /** How flows must have been made for the scores to mean something. */
  readonly needs: FlowNeeds;
  /** Names its catalog. */
  readonly encoder: FittedEncoder;
  readonly detector: FittedDetector;
  /**
   * Categorical features, by index, that hardly ever showed a new category between training and validation. Elsewhere a
   * new category says that time went by; in one of these it says that the flow is another device model's.
   */
  readonly stableFeatures: readonly number[];
  readonly thresholds: Thresholds;
  readonly fitness: Fitness;
  readonly provenance: Provenance;
};

/** What decides what a flow's score is. */
export type Scoring = Pick<Classifier, 'detector' | 'stableFeatures'>;

/**
 * Anomaly score of every row; higher is less like the device model. The readable form: what is faster must equal it.
 *
 * @param rows  read only; encoded by the classifier's own encoder
 * @param out   [rowCount], 0..1; overwritten. `unseenScore` for a row with a new category of a stable feature
 * @throws InvariantError  rows of another layout
 */
export function scoreRows({ detector, stableFeatures }: Scoring, rows: EncodedRows, out: Float64Array): void {
  detector.score(rows, out);
  for (const feature of stableFeatures) {
    const codes = rows.codes[feature];
    const unseen = rows.layout.categoryCounts[feature];
    assertInvariant(codes !== undefined && unseen !== undefined, `no categorical feature ${feature} to be stable`);
    for (let row = 0; row < rows.rowCount; row++) {
      if (codes[row] === unseen) out[row] = unseenScore;
    }
  }
}

/** Which threshold decides: the algorithm's own, or that of a percentile of the validation flows. */
export type ThresholdChoice = 'default' | number;

/**
 * The score that a flow of the device model must not exceed.
 *
 * @throws InvariantError  no whole percentile from 0 to 30
 */
export function chooseThreshold(thresholds: Thresholds, choice: ThresholdChoice): number {
  if (choice === 'default') return thresholds.default;
  const threshold = thresholds.byPercentile[choice];
  assertInvariant(threshold !== undefined, `no threshold for percentile ${choice}`);
  return threshold;
}

/** Writes 1 for each score that is accepted as the device model's, else 0. @param out  [rowCount]; overwritten */
export function acceptScores(scores: Float64Array, rowCount: number, threshold: number, out: Uint8Array): void {
  for (let row = 0; row < rowCount; row++) out[row] = (scores[row] as number) <= threshold ? 1 : 0;
}
