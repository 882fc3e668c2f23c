/**
 * The second stage: gradient-boosted trees (Friedman 2001) over the features of a flow, which tell the device model's
 * flows from those of its nearest confusers. Asked only of flows that show a token of the fingerprint: those that it
 * refuses are no evidence. The type of what `#score/fit` fits.
 */
import type { RowLayout } from '#feature';

/** Trees as arrays, node by node, each tree level by level: so children follow their parents. */
export type BoostedTrees = {
  /** Of the encoded rows: numeric features count first, then categorical ones. */
  readonly layout: RowLayout;
  /** Log-odds before any tree. */
  readonly base: number;
  /** [tree]: first node of it; ascending. */
  readonly roots: Uint32Array;
  /** [node]: feature that it asks; of leaves `leafFeature`. */
  readonly feature: Uint16Array;
  /** [node]: numeric: goes left if value <= threshold, or is NaN and `missingLeft`; leaf: adds it to the log-odds. */
  readonly threshold: Float32Array;
  readonly missingLeft: Uint8Array;
  /** [node]: categorical: first word of the bit set of codes that go left, in `codeSets`; else 0. */
  readonly codeSetAt: Uint32Array;
  readonly codeSets: Uint32Array;
  /** [node]: its left child; the right one follows it. Of leaves 0. */
  readonly left: Uint32Array;
  /** Log-odds from which on a flow is accepted. */
  readonly acceptFrom: number;
};

export const leafFeature = 0xffff;

/** Words of the bit set of a categorical feature's codes; the code `count`, never shown to the encoder, has a bit. */
export function countCodeSetWords(categoryCount: number): number {
  return (categoryCount >>> 5) + 1;
}
