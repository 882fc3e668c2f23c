/**
 * Interval of an area under the curve by the percentile bootstrap (Efron 1979): own and other flows are drawn anew with
 * replacement, each kind by itself. Flows of one device resemble each other, so the interval is of these devices; it
 * says nothing of other units of them.
 */
import { assertInvariant, type Random } from '#base';

export const resampleCount = 500;
const coverage = 0.95;

/**
 * @param own, others  scores ascending, not empty; read only
 * @returns low and high end, in which 95 % of the resampled areas lie
 */
export function bootstrapArea(own: Float64Array, others: Float64Array, random: Random): [number, number] {
  assertInvariant(own.length > 0 && others.length > 0, 'a curve needs own and other flows');
  const { ownLevels, otherLevels, levelCount } = rankLevels(own, others);
  const areas = new Float64Array(resampleCount);
  const ownCounts = new Uint32Array(levelCount);
  const otherCounts = new Uint32Array(levelCount);
  for (let i = 0; i < resampleCount; i++) {
    drawCounts(ownLevels, random, ownCounts);
    drawCounts(otherLevels, random, otherCounts);
    areas[i] = areaOfCounts(ownCounts, otherCounts) / (own.length * others.length);
  }
  areas.sort();
  const cut = Math.floor(resampleCount * (1 - coverage) / 2);
  return [areas[cut] as number, areas[resampleCount - 1 - cut] as number];
}

type Levels = { readonly ownLevels: Uint32Array; readonly otherLevels: Uint32Array; readonly levelCount: number };

/** Distinct scores by number, ascending: ties share one, so that a resample is a count for each. */
function rankLevels(own: Float64Array, others: Float64Array): Levels {
  const ownLevels = new Uint32Array(own.length);
  const otherLevels = new Uint32Array(others.length);
  let [i, j, levelCount] = [0, 0, 0];
  while (i < own.length || j < others.length) {
    const score = Math.min(own[i] ?? Infinity, others[j] ?? Infinity);
    while (i < own.length && (own[i] as number) <= score) ownLevels[i++] = levelCount;
    while (j < others.length && (others[j] as number) <= score) otherLevels[j++] = levelCount;
    levelCount++;
  }
  return { ownLevels, otherLevels, levelCount };
}

/** Draws as many flows as there are, with replacement, and counts their levels. A kernel. */
function drawCounts(levels: Uint32Array, random: Random, out: Uint32Array): void {
  out.fill(0);
  const count = levels.length;
  for (let i = 0; i < count; i++) {
    const level = levels[Math.floor(random.uniform() * count)] as number;
    out[level] = (out[level] as number) + 1;
  }
}

/** Pairs in which the other flow scores higher, ties half. A kernel. */
function areaOfCounts(own: Uint32Array, others: Uint32Array): number {
  let sum = 0;
  let ownBelow = 0;
  for (let level = 0; level < own.length; level++) {
    const here = own[level] as number;
    sum += (others[level] as number) * (ownBelow + here / 2);
    ownBelow += here;
  }
  return sum;
}
