/**
 * Fits local outlier factors as scikit-learn's `LocalOutlierFactor(novelty=True)` does, with its defaults: the distance
 * of the farthest neighbour and the density of every training row. For trainers only.
 */
import { assertInvariant, limits, Random } from '#base';
import type { Trainer } from '../detector.ts';
import { chooseRows, makePoints } from '../fit/make-points.ts';
import type { PointSet } from '../point-set.ts';
import { createLof, densityAround } from './local-outlier-factor.ts';
import type { FittedLof } from './local-outlier-factor.ts';
import { NeighbourSearch } from './neighbour-search.ts';

export type LofOptions = {
  /** Neighbours that a row is compared with. */
  readonly neighbours: number;
  /** More rows are sampled down to so many by the seed: in the worst case the time rises with their square. */
  readonly rowsMax: number;
};

const defaults: LofOptions = { neighbours: 20, rowsMax: limits.trainingPointsMax };

export const lofTrainer: Trainer<FittedLof, LofOptions> = {
  name: 'local-outlier-factor', defaults,
  fit: (rows, options, seed) => {
    const { neighbours: asked, rowsMax } = { ...defaults, ...options };
    assertInvariant(rows.rowCount > 0, 'a detector is fitted on at least one row');
    assertInvariant(Number.isInteger(asked) && asked >= 1 && asked <= limits.lofNeighboursMax,
      'a number of neighbours is whole, at least 1, and within the limit');
    assertInvariant(rowsMax >= 1 && rowsMax <= limits.trainingPointsMax, 'more rows than a detector may have points');
    const random = new Random(seed);
    const chosen = chooseRows(rows.rowCount, rowsMax, () => random.uniform());
    const { points, pointOf } = makePoints(rows, chosen);
    const rowsOf = new Uint32Array(points.pointCount);
    for (const point of pointOf) rowsOf[point] = (rowsOf[point] as number) + 1;
    const neighbours = Math.max(1, Math.min(asked, chosen.length - 1));
    const search = new NeighbourSearch(points, rowsOf, neighbours);
    const reach = new Float64Array(points.pointCount);
    // A single training row has no neighbour; it is as dense as can be.
    eachPoint(points, search, (point) => {
      reach[point] = search.count === 0 ? 0 : Math.sqrt(search.distances[search.count - 1] as number);
    });
    // Searched a second time, for densities need all distances and neighbours of all points would fill the memory.
    const density = new Float64Array(points.pointCount);
    eachPoint(points, search, (point) => { density[point] = densityAround(search, reach); });
    return createLof({ layout: rows.layout, points, neighbours, rowsOf, reach, density });
  },
};

/** Searches the neighbours of every point, one of its own rows left out. */
function eachPoint(points: PointSet, search: NeighbourSearch, visit: (point: number) => void): void {
  const { layout: { numericCount, categoryCounts: { length: codeCount } }, groupStart, groupCodes, numeric } = points;
  const numbers = new Float64Array(numericCount);
  for (let group = 0; group + 1 < groupStart.length; group++) {
    search.setCodes(groupCodes.subarray(group * codeCount, (group + 1) * codeCount));
    for (let point = groupStart[group] as number; point < (groupStart[group + 1] as number); point++) {
      for (let feature = 0; feature < numericCount; feature++) {
        numbers[feature] = numeric[feature * points.pointCount + point] as number;
      }
      search.find(numbers, point);
      visit(point);
    }
  }
}
