/**
 * Local outlier factors of new rows, as a value (Breunig, Kriegel, Ng, Sander 2000, "LOF: identifying density-based
 * local outliers"): how much sparser a row's surroundings are than those of the training rows nearest to it. It works
 * on the one-hot form. Of the training rows it keeps every distinct one, with its density.
 */
import { limits } from '#base';
import type { EncodedRows, RowLayout } from '#feature';
import type { Algorithm, FittedDetector } from '../detector.ts';
import { readPoints, writePoints } from '../point-bytes.ts';
import { takeRow } from '../point-set.ts';
import type { PointSet } from '../point-set.ts';
import { assertSameLayout } from '../same-layout.ts';
import { NeighbourSearch } from './neighbour-search.ts';

export type FittedLof = FittedDetector & {
  readonly algorithm: 'local-outlier-factor';
  readonly points: PointSet;
  /** Neighbours of a row, at most as many as there were other training rows. */
  readonly neighbours: number;
  /** [point]: training rows that are this point. */
  readonly rowsOf: Uint32Array;
  /** [point]: distance of the farthest of its neighbours. */
  readonly reach: Float64Array;
  /** [point]: local reachability density, above 0 and at most `densityMax`. */
  readonly density: Float64Array;
};

/** Added to a mean distance before it is inverted, as scikit-learn does: many equal rows have no distance. */
const distanceMin = 1e-10;
const densityMax = 1 / distanceMin;
/** Beyond it scikit-learn calls a row an outlier when no share of outliers is given (its `offset_` is −1.5). */
const factorMax = 1.5;

/** 0 at factor 0, 1/2 where a row lies as its neighbours do, 0.6 at the default boundary, rising throughout. */
const toScore = (factor: number): number => 1 - 1 / (1 + factor);

/** The density around a row of which `search` has found the neighbours (Breunig et al. 2000, definition 6). */
export function densityAround(search: NeighbourSearch, reach: Float64Array): number {
  const { points, distances, weights, count } = search;
  let sum = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[i] as number;
    const distance = Math.sqrt(distances[i] as number);
    sum += weight * Math.max(distance, reach[points[i] as number] as number);
    total += weight;
  }
  return 1 / (sum / Math.max(total, 1) + distanceMin);
}

/**
 * Local outlier factor of every row (definition 7): about 1 inside, larger outside. scikit-learn's `score_samples` is
 * its negative. A row counts as many times as training showed it. Exactly so many neighbours count: where several
 * points are equally far away and not all of them fit in, those that stand first in the set. The definition would take
 * all, and scikit-learn takes whichever its search meets first, so there the factors differ; elsewhere they are those
 * of its `kd_tree` in float64. (Its `brute` puts equal rows some 1e-8 apart, which is far from none in a density.)
 *
 * @param rows  read only; of the detector's layout
 * @param out   [rowCount]; overwritten, finite
 */
export function findOutlierFactors(fitted: FittedLof, rows: EncodedRows, out: Float64Array): void {
  const { layout, points, rowsOf, neighbours, reach, density } = fitted;
  assertSameLayout(rows, layout);
  const search = new NeighbourSearch(points, rowsOf, neighbours);
  const numbers = new Float64Array(layout.numericCount);
  const codes = new Uint16Array(layout.categoryCounts.length);
  for (let row = 0; row < rows.rowCount; row++) {
    const isOther = takeRow(rows, row, numbers, codes);
    if (isOther || row === 0) search.setCodes(codes);
    search.find(numbers, -1);
    const own = densityAround(search, reach);
    let sum = 0;
    let total = 0;
    for (let i = 0; i < search.count; i++) {
      const weight = search.weights[i] as number;
      sum += weight * ((density[search.points[i] as number] as number) / own);
      total += weight;
    }
    out[row] = sum / total;
  }
}

/** The detector of these values. */
export function createLof(
  values: Pick<FittedLof, 'layout' | 'points' | 'neighbours' | 'rowsOf' | 'reach' | 'density'>,
): FittedLof {
  const fitted: FittedLof = {
    algorithm: 'local-outlier-factor', defaultThreshold: toScore(factorMax), ...values,
    score: (rows, out) => {
      findOutlierFactors(fitted, rows, out);
      for (let row = 0; row < rows.rowCount; row++) out[row] = toScore(out[row] as number);
    },
  };
  return fitted;
}

export const localOutlierFactor: Algorithm<FittedLof> = {
  name: 'local-outlier-factor',
  version: 1,
  meaning: 'local outlier factors: how much sparser a flow lies than the training flows nearest to it',
  write: ({ points, neighbours, rowsOf, reach, density }) => writePoints({
    points, whole: neighbours, parameters: new Float64Array(), weights: [Float64Array.from(rowsOf), reach, density],
  }),
  read: (bytes: Uint8Array, layout: RowLayout) => {
    const parts = readPoints(bytes, layout, { parameters: 0, weights: 3 });
    if (typeof parts === 'string') return parts;
    const { points, whole: neighbours } = parts;
    const [counts, reach, density] = parts.weights as unknown as [Float64Array, Float64Array, Float64Array];
    if (!counts.every((count) => Number.isInteger(count) && count >= 1 && count <= limits.trainingPointsMax)) {
      return 'The detector is damaged: its points do not stand for whole numbers of training rows.';
    }
    if (neighbours < 1 || neighbours > limits.lofNeighboursMax || neighbours > counts.reduce((a, b) => a + b, 0)) {
      return `The detector is damaged: it asks for ${neighbours} neighbours.`;
    }
    if (!reach.every((distance) => distance >= 0 && distance <= reachMax) ||
      !density.every((value) => value > 0 && value <= densityMax)) {
      return 'The detector is damaged: its distances or densities are out of range.';
    }
    return createLof({ layout, points, neighbours, rowsOf: Uint32Array.from(counts), reach, density });
  },
};

/** Above the distance of any two clamped rows, and far below where a ratio of densities would not be finite. */
const reachMax = 1e42;
