/**
 * How well anomaly scores tell a device model's own flows from those of others: area under the curve, rates at a
 * threshold, points of the curve. All exact, ties included. A flow is accepted when its score does not exceed the
 * threshold.
 */
import { assertInvariant } from '#base';
import type { Rates } from './results.ts';

/** How many of ascending scores do not exceed a threshold. */
export function countUpTo(ascending: Float64Array, threshold: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) <= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Share of ascending scores that a threshold accepts. @param ascending  not empty */
export function acceptedShare(ascending: Float64Array, threshold: number): number {
  assertInvariant(ascending.length > 0, 'a share of no flows');
  return countUpTo(ascending, threshold) / ascending.length;
}

/** @param own, others  ascending, not empty */
export function ratesAt(own: Float64Array, others: Float64Array, threshold: number): Rates {
  return { tpr: acceptedShare(own, threshold), fpr: acceptedShare(others, threshold) };
}

/**
 * Area under the ROC curve: how often another flow scores higher than an own one, ties counting half.
 *
 * @param own, others  ascending, not empty; read only
 */
export function areaUnderCurve(own: Float64Array, others: Float64Array): number {
  assertInvariant(own.length > 0 && others.length > 0, 'a curve needs own and other flows');
  let sum = 0;
  let [below, level] = [0, 0];
  for (const score of own) {
    while (below < others.length && (others[below] as number) < score) below++;
    if (level < below) level = below;
    while (level < others.length && (others[level] as number) === score) level++;
    sum += others.length - level + (level - below) / 2;
  }
  return sum / (own.length * others.length);
}

/** Share of others accepted at the lowest threshold that accepts `tpr` of the own. @param own, others  ascending */
export function fprAtTpr(own: Float64Array, others: Float64Array, tpr: number): number {
  // What is less than a millionth of a flow is an error of rounding: nine tenths of 30 are 27.
  const at = Math.max(Math.ceil(own.length * tpr - 1e-6), 1) - 1;
  return acceptedShare(others, own[at] as number);
}

/**
 * The ROC curve, from (0, 0) to (1, 1): a point for each distinct score, thinned where they are dense.
 *
 * @param own, others  ascending, not empty
 * @param pointsMax    at least 4
 */
export function curvePoints(own: Float64Array, others: Float64Array, pointsMax: number): [number, number][] {
  // The curve is 2 long, measured along both axes: points this far apart are never too many.
  const step = 2 / (pointsMax - 2);
  const points: [number, number][] = [[0, 0]];
  let [i, j, keptAt] = [0, 0, 0];
  while (i < own.length || j < others.length) {
    const score = Math.min(own[i] ?? Infinity, others[j] ?? Infinity);
    while (i < own.length && (own[i] as number) <= score) i++;
    while (j < others.length && (others[j] as number) <= score) j++;
    const [fpr, tpr] = [j / others.length, i / own.length];
    if (fpr + tpr - keptAt < step || (fpr === 1 && tpr === 1)) continue;
    keptAt = fpr + tpr;
    points.push([fpr, tpr]);
  }
  points.push([1, 1]);
  return points;
}

/** Counts of scores in equal bins of 0..1; 1 itself is in the last. */
export function countByBin(scores: Float64Array, binCount: number): number[] {
  const counts = new Array<number>(binCount).fill(0);
  for (const score of scores) {
    const bin = Math.min(Math.floor(score * binCount), binCount - 1);
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts;
}
