/**
 * Calibration and self-check of a classifier: thresholds by percentile of its validation flows (Meidan et al. 2019 §4),
 * features whose categories are steady enough to reject by, and reasons why the classifier must not be used.
 */
import { limits } from '#base';
import type { EncodedRows } from '#feature';
import { percentileMax, unseenScore, type Fitness, type Thresholds } from '#score';
import { percentileOf } from '#score/fit';

/** What is scored, with the place of each row in its device's time, 0 … 1 over training and validation. */
export type ScoredPart = {
  readonly rows: EncodedRows;
  readonly age: Float64Array;
  /** [rowCount] */
  readonly scores: Float64Array;
};

/** Pieces that a device's time is cut into: seven of training and one of validation. */
const blockCount = 8;
/** Pieces from here on are asked whether they brought categories that none before had. */
const firstLaterBlock = 4;
/** Share of flows with a new category up to which a feature is stable. */
const newShareMax = 0.02;
/** Share of a piece's flows that must be accepted at the 10th percentile, where nine tenths of validation's are. */
const acceptedShareMin = 0.75;
const checkedPercentile = 10;
/** A piece counts as drifted only if chance would hardly do it: three standard deviations of a share. */
const deviations = 3;
/** Scores that differ by less tell no flow from another. */
const spreadMin = 1e-9;

/**
 * Threshold for every percentile p from 0 to 30: the (100 − p)-th percentile of the scores, as numpy computes it.
 *
 * Rejected flows count, so p per cent of validation lie above. But no threshold is higher than the highest score that
 * was not a rejection: else a few new categories in validation would have the low percentiles accept everything.
 *
 * @param own     [n] scores by the detector alone; read only
 * @param scores  [n] scores with rejections; read only
 */
export function calibrate(own: Float64Array, scores: Float64Array, defaultThreshold: number): Thresholds {
  const ascending = scores.toSorted();
  const kept = own.filter((score, row) => score === scores[row]);
  const highest = kept.reduce((max, score) => Math.max(max, score), 0);
  const byPercentile = new Float64Array(percentileMax + 1);
  let above = 1;
  for (let p = 0; p <= percentileMax; p++) {
    above = Math.min(percentileOf(ascending, 100 - p), highest, above);
    byPercentile[p] = above;
  }
  return { default: defaultThreshold, byPercentile };
}

/**
 * Categorical features that may reject: in the later half of the time before the test, hardly a flow had a category
 * that no earlier flow had. Cloud services move about, and a feature that shows it would reject the device model
 * itself.
 *
 * @returns indexes, ascending
 */
export function findStableFeatures(parts: readonly Omit<ScoredPart, 'scores'>[]): number[] {
  const counts = parts[0]?.rows.layout.categoryCounts ?? [];
  return [...counts.keys()].filter((feature) => {
    const firstBlock = new Uint8Array((counts[feature] as number) + 1).fill(blockCount);
    eachRow(parts, feature, (code, block) => {
      firstBlock[code] = Math.min(firstBlock[code] as number, block);
    });
    // Which category it was that training never showed is not known any more: each such flow counts as new.
    const unseen = counts[feature] as number;
    const fresh = new Float64Array(blockCount);
    const all = new Float64Array(blockCount);
    eachRow(parts, feature, (code, block) => {
      all[block] = (all[block] as number) + 1;
      if (code === unseen || firstBlock[code] === block) fresh[block] = (fresh[block] as number) + 1;
    });
    const later = (counted: Float64Array): number =>
      counted.subarray(firstLaterBlock).reduce((sum, count) => sum + count, 0);
    const isSteadyInValidation = (fresh.at(-1) as number) <= newShareMax * (all.at(-1) as number);
    return later(all) > 0 && later(fresh) <= newShareMax * later(all) && isSteadyInValidation;
  });
}

function eachRow(
  parts: readonly Omit<ScoredPart, 'scores'>[], feature: number, visit: (code: number, block: number) => void,
): void {
  for (const { rows, age } of parts) {
    const codes = rows.codes[feature] as Uint16Array;
    for (let row = 0; row < rows.rowCount; row++) visit(codes[row] as number, blockOf(age[row] as number));
  }
}

function blockOf(age: number): number {
  return Math.min(Math.floor(age * blockCount), blockCount - 1);
}

/**
 * Why a classifier must not be used.
 *
 * Drift: the time of each device up to the test is cut into eight pieces, the last about its validation part. In each
 * the threshold of the 10th percentile should accept about nine tenths. Where it accepts less than three quarters,
 * beyond what chance does, the device model behaved in another way for an eighth of its time, and will again: a
 * threshold set on one piece says nothing of the next.
 */
export function checkFitness(training: ScoredPart, validation: ScoredPart, thresholds: Thresholds): Fitness {
  const reasons: Fitness['reasons'][number][] = [];
  const { rowCount: trainingFlows } = training.rows;
  const { rowCount: validationFlows } = validation.rows;
  if (trainingFlows < limits.trainingFlowsMin) reasons.push({
    code: 'few-training-flows', detail: `${trainingFlows} training flows; ${limits.trainingFlowsMin} are the least.`,
  });
  if (validationFlows < limits.validationFlowsMin) reasons.push({
    code: 'few-validation-flows',
    detail: `${validationFlows} validation flows; ${limits.validationFlowsMin} are the least.`,
  });
  const threshold = thresholds.byPercentile[checkedPercentile] as number;
  const spread = spreadOf([training.scores, validation.scores]);
  if (spread < spreadMin) reasons.push({
    code: 'degenerate-scores', detail: 'The detector gives all training and validation flows the same score.',
  });
  if (threshold >= unseenScore) reasons.push({
    code: 'accepts-all', detail: `The threshold of percentile ${checkedPercentile} accepts every flow.`,
  });
  const drift = describeDrift([training, validation], threshold);
  if (drift !== undefined) reasons.push({ code: 'validation-drift', detail: drift });
  return { isFit: reasons.length === 0, reasons };
}

/** Between the lowest and the highest score that the detector gave; rejections are not its doing. */
function spreadOf(parts: readonly Float64Array[]): number {
  let min = Infinity;
  let max = -Infinity;
  for (const scores of parts) {
    for (const score of scores) {
      if (score >= unseenScore) continue;
      min = Math.min(min, score);
      max = Math.max(max, score);
    }
  }
  return max - min;
}

function describeDrift(parts: readonly ScoredPart[], threshold: number): string | undefined {
  const accepted = new Float64Array(blockCount);
  const all = new Float64Array(blockCount);
  for (const { scores, age } of parts) {
    for (let row = 0; row < scores.length; row++) {
      const block = blockOf(age[row] as number);
      all[block] = (all[block] as number) + 1;
      if ((scores[row] as number) <= threshold) accepted[block] = (accepted[block] as number) + 1;
    }
  }
  for (let block = 0; block < blockCount; block++) {
    const flows = all[block] as number;
    const share = (accepted[block] as number) / flows;
    const chance = deviations * Math.sqrt(acceptedShareMin * (1 - acceptedShareMin) / flows);
    if (flows > 0 && share + chance < acceptedShareMin) {
      return `In part ${block + 1} of ${blockCount} of the time before the test, ${Math.round(100 * share)} % of ` +
        `${flows} flows are accepted at percentile ${checkedPercentile}, where about 90 % should be.`;
    }
  }
  return undefined;
}
