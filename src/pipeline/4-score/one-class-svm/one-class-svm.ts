/**
 * A one-class support vector machine with a Gaussian kernel, as a value (Schölkopf, Platt, Shawe-Taylor, Smola,
 * Williamson 2001, "Estimating the support of a high-dimensional distribution"). It works on the one-hot form, whose
 * distances it takes from category codes. Of the training rows only the support vectors are left, each once.
 */
import type { EncodedRows, RowLayout } from '#feature';
import type { Algorithm, FittedDetector } from '../detector.ts';
import { readPoints, writePoints } from '../point-bytes.ts';
import { fillDistances, fillGroupDistances, takeRow } from '../point-set.ts';
import type { PointSet } from '../point-set.ts';
import { assertSameLayout } from '../same-layout.ts';
import { sumKernel } from './rbf-kernel.ts';

export type FittedSvm = FittedDetector & {
  readonly algorithm: 'one-class-svm';
  readonly supportVectors: PointSet;
  /** [support vector]: sum of the multipliers of all training rows that are this point; above 0. */
  readonly weights: Float64Array;
  readonly gamma: number;
  /** Offset of the decision function (rho); above 0. */
  readonly offset: number;
};

/** The anomaly score of the boundary, where the decision function is 0. */
const boundaryScore = 0.5;

/**
 * The decision function Σ weight·K(support vector, row) − offset; below 0 is outside. scikit-learn's
 * `decision_function`.
 *
 * @param rows  read only; of the detector's layout
 * @param out   [rowCount]; overwritten
 */
export function decideSvm(fitted: FittedSvm, rows: EncodedRows, out: Float64Array): void {
  fillSimilarities(fitted, rows, out);
  for (let row = 0; row < rows.rowCount; row++) out[row] = (out[row] as number) - fitted.offset;
}

function fillSimilarities(fitted: FittedSvm, rows: EncodedRows, out: Float64Array): void {
  const { layout, supportVectors, weights, gamma } = fitted;
  assertSameLayout(rows, layout);
  const numbers = new Float64Array(layout.numericCount);
  const codes = new Uint16Array(layout.categoryCounts.length);
  const groupDistances = new Float64Array(supportVectors.groupStart.length - 1);
  const distances = new Float64Array(supportVectors.pointCount);
  for (let row = 0; row < rows.rowCount; row++) {
    const isOther = takeRow(rows, row, numbers, codes);
    if (isOther || row === 0) fillGroupDistances(supportVectors, codes, groupDistances);
    fillDistances(supportVectors, groupDistances, numbers, distances);
    out[row] = sumKernel(distances, weights, supportVectors.pointCount, gamma);
  }
}

/** The detector of these values. */
export function createSvm(
  values: Pick<FittedSvm, 'layout' | 'supportVectors' | 'weights' | 'gamma' | 'offset'>,
): FittedSvm {
  const fitted: FittedSvm = {
    algorithm: 'one-class-svm', defaultThreshold: boundaryScore, ...values,
    // offset / (offset + similarity): 1 far from every support vector, 1/2 on the boundary, falling with the decision
    // function throughout. A logistic curve of it would be 0 or 1 for most rows, because it is as large as thousands.
    score: (rows, out) => {
      fillSimilarities(fitted, rows, out);
      for (let row = 0; row < rows.rowCount; row++) out[row] = values.offset / (values.offset + (out[row] as number));
    },
  };
  return fitted;
}

export const oneClassSvm: Algorithm<FittedSvm> = {
  name: 'one-class-svm',
  version: 1,
  meaning: 'a one-class support vector machine with a Gaussian kernel: how much of the training flows is near',
  write: ({ supportVectors, weights, gamma, offset }) => writePoints({
    points: supportVectors, whole: 0, parameters: Float64Array.of(gamma, offset), weights: [weights],
  }),
  read: (bytes: Uint8Array, layout: RowLayout) => {
    const parts = readPoints(bytes, layout, { parameters: 2, weights: 1 });
    if (typeof parts === 'string') return parts;
    const [gamma, offset] = parts.parameters as unknown as [number, number];
    const weights = parts.weights[0] as Float64Array;
    if (parts.whole !== 0) return 'The detector is damaged: a field that must be 0 is not.';
    // A kernel value is at most 1, so bounded weights keep every sum finite.
    if (!(gamma > 0) || !(offset > 0) || !weights.every((weight) => weight > 0 && weight <= weightMax)) {
      return 'The detector is damaged: its kernel width, offset and weights must be above 0.';
    }
    return createSvm({ layout, supportVectors: parts.points, weights, gamma, offset });
  },
};

/** Far above what a point can weigh, which is at most the number of training rows. */
const weightMax = 2 ** 32;
