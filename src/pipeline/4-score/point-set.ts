/**
 * Training rows as points, for detectors that measure distances on the one-hot form (`expandOneHot`) without ever
 * making it: distinct rows once, grouped by their categories. Every category that one row has and the other has not
 * adds 1 to their squared distance, so rows of two groups are at least as far apart as the groups are.
 */
import type { EncodedRows, RowLayout } from '#feature';

export type PointSet = {
  readonly layout: RowLayout;
  /** Numeric feature by which the points of a group ascend; 0 where there are none. */
  readonly axis: number;
  readonly pointCount: number;
  /** [groupCount + 1]: first point of each group, and the number of all points. */
  readonly groupStart: Uint32Array;
  /** [groupCount × categorical feature]: the categories of a group. */
  readonly groupCodes: Uint16Array;
  /** [numeric feature × pointCount], feature by feature; finite. */
  readonly numeric: Float32Array;
};

const float32Max = 3.4028234663852886e38;

/** A number that distances can be made of. NaN is as far away as can be: what cannot be compared is not alike. */
export function clampNumber(value: number): number {
  if (value >= -float32Max && value <= float32Max) return value === 0 ? 0 : value;
  return value < 0 ? -float32Max : float32Max;
}

/**
 * Squared distance of one row's categories to those of every group.
 *
 * @param codes  [categorical feature] of the row
 * @param out    [groupCount]; overwritten
 */
export function fillGroupDistances(points: PointSet, codes: Uint16Array, out: Float64Array): void {
  const { layout: { categoryCounts }, groupCodes } = points;
  const groupCount = points.groupStart.length - 1;
  for (let group = 0, at = 0; group < groupCount; group++) {
    let distance = 0;
    for (let feature = 0; feature < categoryCounts.length; feature++, at++) {
      const ours = groupCodes[at] as number;
      const theirs = codes[feature] as number;
      if (ours === theirs) continue;
      const count = categoryCounts[feature] as number;
      // A category that training never showed is all zeros, so it adds nothing itself.
      distance += (ours < count ? 1 : 0) + (theirs < count ? 1 : 0);
    }
    out[group] = distance;
  }
}

/**
 * Squared distance of one row to every point.
 *
 * @param groupDistances  of the row, by `fillGroupDistances`
 * @param numbers         [numeric feature] of the row, clamped
 * @param out             [pointCount]; overwritten
 */
export function fillDistances(
  points: PointSet, groupDistances: Float64Array, numbers: Float64Array, out: Float64Array,
): void {
  const { layout: { numericCount }, groupStart, numeric, pointCount } = points;
  for (let group = 0; group + 1 < groupStart.length; group++) {
    out.fill(groupDistances[group] as number, groupStart[group], groupStart[group + 1]);
  }
  for (let feature = 0, at = 0; feature < numericCount; feature++) {
    const number = numbers[feature] as number;
    for (let point = 0; point < pointCount; point++, at++) {
      const difference = number - (numeric[at] as number);
      out[point] = (out[point] as number) + difference * difference;
    }
  }
}

/** Copies one row: its numbers clamped. @returns true when its categories are others than those in `codes` were */
export function takeRow(rows: EncodedRows, row: number, numbers: Float64Array, codes: Uint16Array): boolean {
  for (let feature = 0; feature < numbers.length; feature++) {
    numbers[feature] = clampNumber((rows.numeric[feature] as Float32Array)[row] as number);
  }
  let isOther = false;
  for (let feature = 0; feature < codes.length; feature++) {
    const code = (rows.codes[feature] as Uint16Array)[row] as number;
    if (code !== codes[feature]) isOther = true;
    codes[feature] = code;
  }
  return isOther;
}
