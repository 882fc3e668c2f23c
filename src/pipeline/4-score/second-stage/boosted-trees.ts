/**
 * The second stage: gradient-boosted trees (Friedman 2001) over the features of a flow, which tell the device model's
 * flows from those of its nearest confusers. Asked only of flows that show a token of the fingerprint: those that it
 * refuses are no evidence. The type of what `#score/fit` fits.
 */

/** Trees as arrays, node by node; children follow their parents. */
export type BoostedTrees = {
  /** Of the encoded rows: numeric features first, then categorical ones by code. */
  readonly numericCount: number;
  readonly categoricalCount: number;
  /** Log-odds before any tree. */
  readonly base: number;
  /** [tree]: first node of it; ascending. */
  readonly roots: Uint32Array;
  /** [node]: feature that it asks; of leaves `leafFeature`. */
  readonly feature: Uint16Array;
  /** [node]: numeric: goes left if value <= threshold, or is NaN and `missingLeft`; leaf: what it adds to the log-odds. */
  readonly threshold: Float64Array;
  readonly missingLeft: Uint8Array;
  /** [node]: categorical: first word of the bit set of codes that go left, in `codeSets`; else 0. */
  readonly codeSetAt: Uint32Array;
  readonly codeSets: Uint32Array;
  /** [node]: its left child; the right one follows it. */
  readonly left: Uint32Array;
  /** Log-odds from which on a flow is accepted. */
  readonly acceptFrom: number;
};

export const leafFeature = 0xffff;
