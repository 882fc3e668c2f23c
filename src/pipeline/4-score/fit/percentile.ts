/** Percentiles as numpy computes them ("linear", its default), rounding included. */

/**
 * @param ascending  sorted values, at least one
 * @param percent    0 … 100
 * @source numpy 1.24, lib/function_base: method "linear"
 */
export function percentileOf(ascending: Float64Array, percent: number): number {
  const place = (ascending.length - 1) * (percent / 100);
  const below = Math.floor(place);
  const share = place - below;
  const low = ascending[below] as number;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] as number;
  // From the nearer end, as numpy does: so neither end is missed by a rounding.
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}
