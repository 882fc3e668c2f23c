/**
 * The dual problem of a one-class support vector machine: minimise ½ αᵀKα with 0 ≤ α ≤ 1 and Σα = nu · rows, by
 * sequential minimal optimisation (Fan, Chen, Lin 2005, "Working set selection using second order information for
 * training support vector machines", WSS 2; shrinking, gradient reconstruction and offset: Chang, Lin 2011, "LIBSVM: a
 * library for support vector machines", §4–5). Steps, ties and precision are such that the iterations are those of
 * scikit-learn: a solver that stopped elsewhere within the tolerance would give another decision function.
 */
import { assertInvariant, OperatorError } from '#base';
import type { KernelRows } from './kernel-rows.ts';

export type SvmProblem = {
  readonly kernel: KernelRows;
  readonly pointCount: number;
  /** [row]: its point. Rows keep multipliers of their own, for the iterations depend on it. */
  readonly pointOf: Uint32Array;
  /** Share of rows that may lie outside, above 0 and below 1. */
  readonly nu: number;
  /** Largest violation of the optimality conditions at which it stops. */
  readonly tolerance: number;
  readonly iterationsMax: number;
};

export type SvmSolution = {
  /** [point]: sum of the multipliers of its rows. */
  readonly weights: Float64Array;
  readonly offset: number;
  readonly iterations: number;
};

const free = 0;
const lower = 1;
const upper = 2;
/** In place of a curvature that is not above 0 (Fan, Chen, Lin 2005, §2.3). */
const curvatureMin = 1e-12;
/** Iterations between two attempts to shrink (Chang, Lin 2011, §5.1). */
const shrinkEveryMax = 1_000;
/** Shrinking begins anew, once, when the violation is below so many tolerances. */
const unshrinkTolerances = 10;

/** @throws OperatorError  there were too many iterations */
export function solveSvm(problem: SvmProblem): SvmSolution {
  return new Solver(problem).run();
}

/** Rows are kept in an order in which the active ones are the first; all arrays of rows are in that order. */
class Solver {
  readonly #kernel: KernelRows;
  readonly #tolerance: number;
  readonly #iterationsMax: number;
  readonly #pointCount: number;
  readonly #point: Uint32Array;
  readonly #alpha: Float64Array;
  readonly #status: Uint8Array;
  readonly #gradient: Float64Array;
  /** The part of the gradient that rows at their upper bound make: what reconstruction begins with. */
  readonly #upperGradient: Float64Array;
  #activeCount: number;
  #isUnshrunk = false;
  /** The working pair of the last selection. */
  #first = -1;
  #second = -1;

  constructor({ kernel, pointCount, pointOf, nu, tolerance, iterationsMax }: SvmProblem) {
    const rowCount = pointOf.length;
    this.#kernel = kernel;
    this.#tolerance = tolerance;
    this.#iterationsMax = iterationsMax;
    this.#pointCount = pointCount;
    this.#point = pointOf.slice();
    this.#alpha = new Float64Array(rowCount);
    this.#status = new Uint8Array(rowCount).fill(lower);
    this.#gradient = new Float64Array(rowCount);
    this.#upperGradient = new Float64Array(rowCount);
    this.#activeCount = rowCount;
    this.#begin(nu);
  }

  run(): SvmSolution {
    const rowCount = this.#point.length;
    const shrinkEvery = Math.min(rowCount, shrinkEveryMax);
    let untilShrink = shrinkEvery + 1;
    let iterations = 0;
    for (;;) {
      if (--untilShrink === 0) {
        untilShrink = shrinkEvery;
        this.#shrink();
      }
      if (!this.#select()) {
        this.#activateAll();
        if (!this.#select()) break;
        untilShrink = 1;
      }
      if (++iterations > this.#iterationsMax) {
        throw new OperatorError('bad-option',
          `The one-class SVM is not within its tolerance after ${this.#iterationsMax} steps; ` +
          'choose a larger tolerance.');
      }
      this.#improve(this.#first, this.#second);
    }
    const weights = new Float64Array(this.#pointCount);
    for (let row = 0; row < rowCount; row++) {
      const point = this.#point[row] as number;
      weights[point] = (weights[point] as number) + (this.#alpha[row] as number);
    }
    return { weights, offset: this.#findOffset(), iterations };
  }

  /** The first rows get as much as they may until nu · rows is spent (Chang, Lin 2011, §4.1.4). */
  #begin(nu: number): void {
    const rowCount = this.#point.length;
    // Added up row by row: that is how the oracle, whose rows may have weights, comes to its total.
    let left = 0;
    for (let row = 0; row < rowCount; row++) left += nu;
    const full = new Float64Array(this.#pointCount);
    let row = 0;
    for (; left >= 1 && row < rowCount; row++, left -= 1) {
      this.#setAlpha(row, 1);
      full[this.#point[row] as number] = (full[this.#point[row] as number] as number) + 1;
    }
    const sums = new Float64Array(this.#pointCount);
    for (let point = 0; point < full.length; point++) {
      const weight = full[point] as number;
      if (weight > 0) addScaled(sums, this.#kernel.row(point), weight);
    }
    for (let to = 0; to < rowCount; to++) this.#upperGradient[to] = sums[this.#point[to] as number] as number;
    this.#gradient.set(this.#upperGradient);
    if (left <= 0 || row === rowCount) return;
    this.#setAlpha(row, left);
    const kernelRow = this.#kernel.row(this.#point[row] as number);
    addGathered(this.#gradient, kernelRow, this.#point, { from: 0, to: rowCount, factor: left });
  }

  #setAlpha(row: number, alpha: number): void {
    this.#alpha[row] = alpha;
    this.#status[row] = alpha >= 1 ? upper : alpha <= 0 ? lower : free;
  }

  /**
   * The pair of rows that promises the largest decrease, of which the first violates optimality most.
   *
   * @returns false when the violation is below the tolerance
   */
  #select(): boolean {
    const gradient = this.#gradient;
    const status = this.#status;
    const point = this.#point;
    const count = this.#activeCount;
    let most = -Infinity;
    let first = -1;
    for (let row = 0; row < count; row++) {
      if (status[row] !== upper && -(gradient[row] as number) >= most) {
        most = -(gradient[row] as number);
        first = row;
      }
    }
    if (first < 0) return false;
    const kernelRow = this.#kernel.row(point[first] as number);
    let mostOther = -Infinity;
    let best = Infinity;
    let second = -1;
    for (let row = 0; row < count; row++) {
      if (status[row] === lower) continue;
      const slope = gradient[row] as number;
      if (slope >= mostOther) mostOther = slope;
      const difference = most + slope;
      if (difference <= 0) continue;
      const curvature = 2 - 2 * (kernelRow[point[row] as number] as number);
      const change = -(difference * difference) / (curvature > 0 ? curvature : curvatureMin);
      if (change <= best) {
        best = change;
        second = row;
      }
    }
    this.#first = first;
    this.#second = second;
    return most + mostOther >= this.#tolerance && second >= 0;
  }

  /** Moves weight between two rows to the optimum of the two, within their bounds, and follows with the gradient. */
  #improve(i: number, j: number): void {
    const rowI = this.#kernel.row(this.#point[i] as number);
    const rowJ = this.#kernel.row(this.#point[j] as number);
    const alphaI = this.#alpha[i] as number;
    const alphaJ = this.#alpha[j] as number;
    const curvature = 2 - 2 * (rowI[this.#point[j] as number] as number);
    const step = ((this.#gradient[i] as number) - (this.#gradient[j] as number)) /
      (curvature > 0 ? curvature : curvatureMin);
    const sum = alphaI + alphaJ;
    let nextI = alphaI - step;
    let nextJ = alphaJ + step;
    if (sum > 1) {
      if (nextI > 1) [nextI, nextJ] = [1, sum - 1];
      if (nextJ > 1) [nextI, nextJ] = [sum - 1, 1];
    } else {
      if (nextJ < 0) [nextI, nextJ] = [sum, 0];
      if (nextI < 0) [nextI, nextJ] = [0, sum];
    }
    addPair(this.#gradient, this.#point, this.#activeCount, {
      rowI, rowJ, factorI: nextI - alphaI, factorJ: nextJ - alphaJ,
    });
    this.#moveTo(i, nextI, rowI);
    this.#moveTo(j, nextJ, rowJ);
  }

  #moveTo(row: number, alpha: number, kernelRow: Float32Array): void {
    const wasUpper = this.#status[row] === upper;
    this.#setAlpha(row, alpha);
    const isUpper = this.#status[row] === upper;
    if (wasUpper === isUpper) return;
    const factor = isUpper ? 1 : -1;
    addGathered(this.#upperGradient, kernelRow, this.#point, { from: 0, to: this.#point.length, factor });
  }

  /** Puts rows aside that are at a bound and will stay there, as far as can be seen. */
  #shrink(): void {
    let most = -Infinity;
    let mostOther = -Infinity;
    for (let row = 0; row < this.#activeCount; row++) {
      const slope = this.#gradient[row] as number;
      if (this.#status[row] !== upper) most = Math.max(most, -slope);
      if (this.#status[row] !== lower) mostOther = Math.max(mostOther, slope);
    }
    if (!this.#isUnshrunk && most + mostOther <= this.#tolerance * unshrinkTolerances) {
      this.#isUnshrunk = true;
      this.#activateAll();
    }
    const isIdle = (row: number): boolean => {
      const slope = this.#gradient[row] as number;
      if (this.#status[row] === upper) return -slope > most;
      return this.#status[row] === lower && slope > mostOther;
    };
    for (let row = 0; row < this.#activeCount; row++) {
      if (!isIdle(row)) continue;
      this.#activeCount--;
      while (this.#activeCount > row && isIdle(this.#activeCount)) this.#activeCount--;
      if (this.#activeCount > row) this.#swap(row, this.#activeCount);
    }
  }

  /** Makes every row active, with its gradient (Chang, Lin 2011, §5.3). */
  #activateAll(): void {
    const rowCount = this.#point.length;
    const activeCount = this.#activeCount;
    if (activeCount === rowCount) return;
    this.#gradient.set(this.#upperGradient.subarray(activeCount), activeCount);
    for (let row = 0; row < activeCount; row++) {
      if (this.#status[row] !== free) continue;
      const kernelRow = this.#kernel.row(this.#point[row] as number);
      const factor = this.#alpha[row] as number;
      addGathered(this.#gradient, kernelRow, this.#point, { from: activeCount, to: rowCount, factor });
    }
    this.#activeCount = rowCount;
  }

  #swap(a: number, b: number): void {
    for (const column of [this.#point, this.#alpha, this.#status, this.#gradient, this.#upperGradient]) {
      const kept = column[a] as number;
      column[a] = column[b] as number;
      column[b] = kept;
    }
  }

  /** Mean gradient of the free rows, or the middle of what the bounds allow (Chang, Lin 2011, §4.1.5). */
  #findOffset(): number {
    let above = Infinity;
    let below = -Infinity;
    let sum = 0;
    let freeCount = 0;
    for (let row = 0; row < this.#point.length; row++) {
      const slope = this.#gradient[row] as number;
      if (this.#status[row] === upper) below = Math.max(below, slope);
      else if (this.#status[row] === lower) above = Math.min(above, slope);
      else {
        sum += slope;
        freeCount++;
      }
    }
    if (freeCount > 0) return sum / freeCount;
    assertInvariant(above < Infinity && below > -Infinity, 'nu below 1 leaves rows at both bounds');
    return (above + below) / 2;
  }
}

function addScaled(sums: Float64Array, kernelRow: Float32Array, factor: number): void {
  for (let point = 0; point < kernelRow.length; point++) {
    sums[point] = (sums[point] as number) + factor * (kernelRow[point] as number);
  }
}

function addGathered(
  sums: Float64Array, kernelRow: Float32Array, points: Uint32Array, part: { from: number; to: number; factor: number },
): void {
  const { from, to, factor } = part;
  for (let row = from; row < to; row++) {
    sums[row] = (sums[row] as number) + factor * (kernelRow[points[row] as number] as number);
  }
}

function addPair(
  sums: Float64Array, points: Uint32Array, count: number,
  pair: { rowI: Float32Array; rowJ: Float32Array; factorI: number; factorJ: number },
): void {
  const { rowI, rowJ, factorI, factorJ } = pair;
  for (let row = 0; row < count; row++) {
    const point = points[row] as number;
    // One sum of both, then added: as the oracle rounds.
    sums[row] = (sums[row] as number) + ((rowI[point] as number) * factorI + (rowJ[point] as number) * factorJ);
  }
}
