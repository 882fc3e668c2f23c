/**
 * Training rows to points (`PointSet`): which rows to fit on, and what is distinct among them. For trainers only.
 */
import type { EncodedRows } from '#feature';
import { clampNumber } from '../point-set.ts';
import type { PointSet } from '../point-set.ts';

/** Some rows of a larger set, and the points that they are. */
export type PointedRows = {
  readonly points: PointSet;
  /** [row of those chosen]: its point. */
  readonly pointOf: Uint32Array;
};

/**
 * Rows to fit on: all, or as many as there may be, chosen by the seed (Knuth's selection sampling), in ascending order.
 *
 * @param uniform  the next number of a seeded generator, in [0, 1)
 */
export function chooseRows(rowCount: number, rowsMax: number, uniform: () => number): Uint32Array {
  const chosen = new Uint32Array(Math.min(rowCount, rowsMax));
  let taken = 0;
  for (let row = 0; row < rowCount && taken < chosen.length; row++) {
    const isSure = rowCount - row === chosen.length - taken;
    if (isSure || uniform() * (rowCount - row) < chosen.length - taken) chosen[taken++] = row;
  }
  return chosen;
}

/**
 * The distinct rows among those chosen, sorted: so the set does not depend on the order of rows.
 *
 * @param rows    read only
 * @param chosen  row indexes
 */
export function makePoints(rows: EncodedRows, chosen: Uint32Array): PointedRows {
  const { layout, codes } = rows;
  const numeric = rows.numeric.map((column) => Float32Array.from(chosen, (row) => clampNumber(column[row] as number)));
  const axis = widestFeature(numeric);
  const keys = [...numeric.slice(axis, axis + 1), ...numeric.filter((_, feature) => feature !== axis)];
  const chosenCodes = codes.map((column) => Uint16Array.from(chosen, (row) => column[row] as number));
  const compareIn = (columns: readonly (Float32Array | Uint16Array)[], a: number, b: number): number => {
    for (const column of columns) {
      const difference = (column[a] as number) - (column[b] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const order = Uint32Array.from(chosen, (_, index) => index)
    .sort((a, b) => compareIn(chosenCodes, a, b) || compareIn(keys, a, b));
  const pointOf = new Uint32Array(chosen.length);
  const first: number[] = [];
  const groupStart: number[] = [];
  for (let at = 0; at < order.length; at++) {
    const row = order[at] as number;
    const before = order[at - 1];
    const isNewGroup = before === undefined || compareIn(chosenCodes, before, row) !== 0;
    if (isNewGroup) groupStart.push(first.length);
    if (isNewGroup || compareIn(keys, before, row) !== 0) first.push(row);
    pointOf[row] = first.length - 1;
  }
  const groupCodes = new Uint16Array(groupStart.length * codes.length);
  groupStart.forEach((point, group) => {
    chosenCodes.forEach((column, feature) => {
      groupCodes[group * codes.length + feature] = column[first[point] as number] as number;
    });
  });
  const values = new Float32Array(layout.numericCount * first.length);
  numeric.forEach((column, feature) => {
    first.forEach((row, point) => { values[feature * first.length + point] = column[row] as number; });
  });
  const points = {
    layout, axis, pointCount: first.length, groupStart: Uint32Array.from([...groupStart, first.length]), groupCodes,
    numeric: values,
  };
  return { points, pointOf };
}

/** The feature that tells most rows apart, so that a search along it ends soonest. */
function widestFeature(numeric: readonly Float32Array[]): number {
  let axis = 0;
  let most = 0;
  numeric.forEach((column, feature) => {
    const distinct = new Set(column).size;
    if (distinct > most) [axis, most] = [feature, distinct];
  });
  return axis;
}

/** Those of the points that are kept, with their place before. */
export function keepPoints(
  points: PointSet, isKept: (point: number) => boolean,
): { points: PointSet; kept: Uint32Array } {
  const { layout, groupStart, groupCodes, pointCount } = points;
  const codeCount = layout.categoryCounts.length;
  const kept: number[] = [];
  const starts: number[] = [];
  const codes: number[] = [];
  for (let group = 0; group + 1 < groupStart.length; group++) {
    const start = kept.length;
    for (let point = groupStart[group] as number; point < (groupStart[group + 1] as number); point++) {
      if (isKept(point)) kept.push(point);
    }
    if (kept.length === start) continue;
    starts.push(start);
    codes.push(...groupCodes.subarray(group * codeCount, (group + 1) * codeCount));
  }
  const numeric = new Float32Array(layout.numericCount * kept.length);
  for (let feature = 0; feature < layout.numericCount; feature++) {
    kept.forEach((point, at) => {
      numeric[feature * kept.length + at] = points.numeric[feature * pointCount + point] as number;
    });
  }
  return {
    kept: Uint32Array.from(kept),
    points: {
      ...points, pointCount: kept.length, groupStart: Uint32Array.from([...starts, kept.length]),
      groupCodes: Uint16Array.from(codes), numeric,
    },
  };
}
