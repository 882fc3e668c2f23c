/**
 * Bytes of detectors that are made of points: counts and parameters, then arrays, each at a multiple of eight bytes,
 * little-endian. Read as views of the bytes where they are aligned, as a copy where not.
 *
 *   0  u32 pointCount   4  u32 groupCount   8  u32 axis   12  u32 neighbours (0 where there are none)
 *   16 f64 × parameters, then f64 × pointCount for each weight, u32 groupStart, f32 numeric, u16 groupCodes
 */
import { limits } from '#base';
import type { RowLayout } from '#feature';
import type { PointSet } from './point-set.ts';

export type PointParts = {
  readonly points: PointSet;
  /** A whole number that belongs to the algorithm. */
  readonly whole: number;
  readonly parameters: Float64Array;
  /** [weight][pointCount] */
  readonly weights: readonly Float64Array[];
};

const headerBytes = 16;
const roundUp = (bytes: number): number => Math.ceil(bytes / 8) * 8;

function placesOf(counts: { layout: RowLayout; points: number; groups: number; parameters: number; weights: number }) {
  const { layout, points, groups, parameters, weights } = counts;
  const start = headerBytes + parameters * 8 + weights * points * 8;
  const numeric = start + roundUp((groups + 1) * 4);
  const codes = numeric + roundUp(layout.numericCount * points * 4);
  return { start, numeric, codes, end: codes + roundUp(groups * layout.categoryCounts.length * 2) };
}

/** The bytes of a detector; padding is zero. */
export function writePoints({ points, whole, parameters, weights }: PointParts): Uint8Array {
  const groups = points.groupStart.length - 1;
  const places = placesOf({
    layout: points.layout, points: points.pointCount, groups, parameters: parameters.length, weights: weights.length,
  });
  const buffer = new ArrayBuffer(places.end);
  new Uint32Array(buffer, 0, 4).set([points.pointCount, groups, points.axis, whole]);
  new Float64Array(buffer, headerBytes, parameters.length).set(parameters);
  weights.forEach((weight, index) => {
    new Float64Array(buffer, headerBytes + (parameters.length + index * points.pointCount) * 8).set(weight);
  });
  new Uint32Array(buffer, places.start, groups + 1).set(points.groupStart);
  new Float32Array(buffer, places.numeric, points.numeric.length).set(points.numeric);
  new Uint16Array(buffer, places.codes, points.groupCodes.length).set(points.groupCodes);
  return new Uint8Array(buffer);
}

/**
 * The parts of a detector, their points checked; parameters and weights are finite, what else they must be the
 * algorithm knows.
 *
 * @returns the parts, or one sentence that says what is wrong with the bytes
 */
export function readPoints(
  bytes: Uint8Array, layout: RowLayout, expected: { parameters: number; weights: number },
): PointParts | string {
  if (bytes.length < headerBytes) return `The detector has ${bytes.length} bytes, too few for its header.`;
  const { buffer, byteOffset } = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const [pointCount, groups, axis, whole] = new Uint32Array(buffer, byteOffset, 4) as unknown as
    [number, number, number, number];
  const places = placesOf({ layout, points: pointCount, groups, ...expected });
  if (places.end !== bytes.length) {
    return `The detector has ${bytes.length} bytes where its header asks for ${places.end}.`;
  }
  if (groups === 0 || groups > pointCount) return `The detector has ${groups} groups of ${pointCount} points.`;
  const points = {
    layout, axis, pointCount,
    groupStart: new Uint32Array(buffer, byteOffset + places.start, groups + 1),
    numeric: new Float32Array(buffer, byteOffset + places.numeric, layout.numericCount * pointCount),
    groupCodes: new Uint16Array(buffer, byteOffset + places.codes, groups * layout.categoryCounts.length),
  };
  const fault = findPointFault(points);
  if (fault !== undefined) return `The detector is damaged: ${fault}.`;
  const parameters = new Float64Array(buffer, byteOffset + headerBytes, expected.parameters);
  const weights = Array.from({ length: expected.weights }, (_, index) =>
    new Float64Array(buffer, byteOffset + headerBytes + (expected.parameters + index * pointCount) * 8, pointCount));
  if (![parameters, ...weights].every((values) => values.every(Number.isFinite))) {
    return 'The detector is damaged: a parameter or a weight is not finite.';
  }
  return { points, whole, parameters, weights };
}

/** What is wrong with points that were read from bytes, or undefined. Costs one pass over them. */
function findPointFault(points: PointSet): string | undefined {
  const { layout: { numericCount, categoryCounts }, axis, pointCount, groupStart, groupCodes, numeric } = points;
  if (pointCount === 0 || pointCount > limits.trainingPointsMax) return `it has ${pointCount} points`;
  if (axis >= Math.max(numericCount, 1)) return `its points are sorted by feature ${axis}, which there is not`;
  if (groupStart[0] !== 0 || groupStart[groupStart.length - 1] !== pointCount) return 'its groups are not its points';
  for (let group = 0; group + 1 < groupStart.length; group++) {
    const end = groupStart[group + 1] as number;
    if (end <= (groupStart[group] as number) || end > pointCount) return `group ${group} ends before it begins`;
    for (let point = (groupStart[group] as number) + 1; point < end && numericCount > 0; point++) {
      const at = axis * pointCount + point;
      if (!((numeric[at] as number) >= (numeric[at - 1] as number))) return `group ${group} is not sorted`;
    }
  }
  for (let at = 0; at < groupCodes.length; at++) {
    const feature = at % categoryCounts.length;
    if ((groupCodes[at] as number) > (categoryCounts[feature] as number)) {
      return `a category of feature ${feature} is unknown`;
    }
  }
  return numeric.every(Number.isFinite) ? undefined : 'a number of its points is not finite';
}
