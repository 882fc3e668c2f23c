/**
 * Histograms of boosted trees: for each bin of each feature the sums of gradients and of their slopes, and the rows,
 * beside each other (Ke et al. 2017, algorithm 1). Kernels, for trainers only.
 */

/** Numbers of one bin: gradient, slope (second derivative), rows. */
export const binNumbers = 3;

/**
 * Adds rows to a histogram. Row by row: the sums of one feature after the other wait for memory together, while feature
 * by feature the same bin would wait for its own last sum again and again.
 *
 * @param out    [binCount × 3]; overwritten
 * @param bins   [row × width]
 * @param order  rows; those from `first` to `end` are added
 * @param sums   [row × 3]: gradient, slope, rows
 */
export function fillHistogram(
  out: Float64Array, bins: Uint16Array, width: number, order: Uint32Array, first: number, end: number,
  sums: Float64Array,
): void {
  out.fill(0);
  for (let i = first; i < end; i++) {
    const row = order[i] as number;
    const gradient = sums[row * 3] as number;
    const slope = sums[row * 3 + 1] as number;
    const count = sums[row * 3 + 2] as number;
    for (let at = row * width, stop = at + width; at < stop; at++) {
      const to = (bins[at] as number) * 3;
      out[to] = (out[to] as number) + gradient;
      out[to + 1] = (out[to + 1] as number) + slope;
      out[to + 2] = (out[to + 2] as number) + count;
    }
  }
}

/** Takes one child's histogram from the parent's, which becomes that of the other child. */
export function subtractHistogram(parent: Float64Array, child: Float64Array): void {
  for (let i = 0; i < parent.length; i++) parent[i] = (parent[i] as number) - (child[i] as number);
}
