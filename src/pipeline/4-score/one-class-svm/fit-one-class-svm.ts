/**
 * Fits a one-class support vector machine as scikit-learn's `OneClassSVM` does, with its defaults. For trainers only.
 */
import { assertInvariant, limits, Random } from '#base';
import type { EncodedRows } from '#feature';
import { oneHotColumnCount } from '#feature';
import type { Trainer } from '../detector.ts';
import { chooseRows, keepPoints, makePoints } from '../fit/make-points.ts';
import type { PointedRows } from '../fit/make-points.ts';
import { KernelRows } from './kernel-rows.ts';
import { createSvm } from './one-class-svm.ts';
import type { FittedSvm } from './one-class-svm.ts';
import { solveSvm } from './solve-svm.ts';

export type SvmOptions = {
  /** Share of training rows that may lie outside, above 0 and below 1. */
  readonly nu: number;
  /** Kernel width; `scale` is 1 / (columns · variance of all values), `auto` is 1 / columns, of the one-hot form. */
  readonly gamma: number | 'scale' | 'auto';
  readonly tolerance: number;
  /** More rows are sampled down to so many by the seed: the time rises with their square. */
  readonly rowsMax: number;
};

/** What the solver may take; no part of what is fitted, which does not depend on it. */
export type SvmLimits = { readonly iterationsMax: number; readonly kernelBytesMax: number };

const defaults: SvmOptions = { nu: 0.5, gamma: 'scale', tolerance: 1e-3, rowsMax: limits.svmRowsMax };
const defaultLimits: SvmLimits = {
  iterationsMax: limits.svmIterationsMax, kernelBytesMax: limits.svmKernelBytesMax,
};

export const svmTrainer: Trainer<FittedSvm, SvmOptions> = {
  name: 'one-class-svm', defaults,
  fit: (rows, options, seed) => fitSvm(rows, options, seed).fitted,
};

/**
 * A fitted machine, and how many iterations it took.
 *
 * @throws OperatorError  the solver did not come within the tolerance
 */
export function fitSvm(
  rows: EncodedRows, options: Partial<SvmOptions>, seed: number, solverLimits: SvmLimits = defaultLimits,
): { fitted: FittedSvm; iterations: number } {
  const { nu, gamma: width, tolerance, rowsMax } = { ...defaults, ...options };
  const { iterationsMax, kernelBytesMax } = solverLimits;
  assertInvariant(rows.rowCount > 0, 'a detector is fitted on at least one row');
  assertInvariant(nu > 0 && nu < 1 && tolerance > 0, 'nu lies between 0 and 1, a tolerance above 0');
  assertInvariant(rowsMax >= 1 && rowsMax <= limits.trainingPointsMax, 'more rows than a detector may have points');
  const random = new Random(seed);
  const pointed = makePoints(rows, chooseRows(rows.rowCount, rowsMax, () => random.uniform()));
  const gamma = typeof width === 'number' ? width : findWidth(pointed, width);
  assertInvariant(gamma > 0 && Number.isFinite(gamma), 'a kernel width is a number above 0');
  const { points, pointOf } = pointed;
  const { weights, offset, iterations } = solveSvm({
    kernel: new KernelRows(points, gamma, kernelBytesMax), pointCount: points.pointCount, pointOf, nu, tolerance,
    iterationsMax,
  });
  const { points: supportVectors, kept } = keepPoints(points, (point) => (weights[point] as number) > 0);
  const fitted = createSvm({
    layout: rows.layout, supportVectors, weights: Float64Array.from(kept, (point) => weights[point] as number), gamma,
    offset,
  });
  return { fitted, iterations };
}

/** scikit-learn's kernel widths. The variance is that of all values of the one-hot form, zeros and ones included. */
function findWidth({ points, pointOf }: PointedRows, kind: 'scale' | 'auto'): number {
  const { layout: { categoryCounts }, numeric, pointCount, groupStart, groupCodes } = points;
  const columns = oneHotColumnCount(points.layout);
  if (kind === 'auto' || columns === 0) return 1 / Math.max(columns, 1);
  const rowsOf = new Float64Array(pointCount);
  for (const point of pointOf) rowsOf[point] = (rowsOf[point] as number) + 1;
  let ones = 0;
  for (let group = 0; group + 1 < groupStart.length; group++) {
    const known = categoryCounts.filter((count, feature) =>
      (groupCodes[group * categoryCounts.length + feature] as number) < count).length;
    ones += known * rowsOf.subarray(groupStart[group], groupStart[group + 1]).reduce((sum, count) => sum + count, 0);
  }
  let sum = ones;
  for (let at = 0; at < numeric.length; at++) sum += (numeric[at] as number) * (rowsOf[at % pointCount] as number);
  const count = columns * pointOf.length;
  const mean = sum / count;
  const zeros = count - ones - points.layout.numericCount * pointOf.length;
  let squares = ones * (1 - mean) ** 2 + zeros * mean ** 2;
  for (let at = 0; at < numeric.length; at++) {
    squares += ((numeric[at] as number) - mean) ** 2 * (rowsOf[at % pointCount] as number);
  }
  const variance = squares / count;
  return variance === 0 ? 1 : 1 / (columns * variance);
}
