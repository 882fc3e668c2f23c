/**
 * Boosted trees the slow way, to compare with: no bins, no histograms, every split of every leaf tried on its rows by
 * the values themselves. The same rules otherwise (docs/detectors.md).
 */
import type { EncodedRows } from '#feature';

export type PlainOptions = {
  readonly iterations: number;
  readonly maxLeaves: number;
  readonly minSamplesLeaf: number;
  readonly l2: number;
  readonly learningRate: number;
  readonly categorySmoothing: number;
  readonly categoryRowsMin: number;
  readonly weights: Float64Array;
};

type Row = { readonly at: number; gradient: number; slope: number };
type Split = { readonly gain: number; readonly left: readonly Row[]; readonly right: readonly Row[] };
type Leaf = { readonly rows: readonly Row[]; readonly split: Split | undefined };

const sum = (rows: readonly Row[], of: 'gradient' | 'slope'): number => rows.reduce((all, row) => all + row[of], 0);

/** @returns log-odds of the training rows */
export function growPlainly(rows: EncodedRows, labels: Uint8Array, options: PlainOptions): number[] {
  const { weights, iterations, maxLeaves, learningRate, l2 } = options;
  const own = labels.reduce((all, label, row) => all + label * (weights[row] as number), 0);
  const base = Math.log(own / (weights.reduce((all, weight) => all + weight, 0) - own));
  const odds = Array.from(labels, () => base);
  for (let tree = 0; tree < iterations; tree++) {
    const all = odds.map((at, row): Row => {
      const share = 1 / (1 + Math.exp(-at));
      const weight = weights[row] as number;
      return { at: row, gradient: weight * (share - (labels[row] as number)), slope: weight * share * (1 - share) };
    });
    let leaves: Leaf[] = [{ rows: all, split: findBest(rows, all, options) }];
    while (leaves.length < maxLeaves) {
      const best = leaves.reduce((most, leaf) => ((leaf.split?.gain ?? 0) > (most.split?.gain ?? 0) ? leaf : most));
      if (best.split === undefined) break;
      const { left, right } = best.split;
      leaves = leaves.flatMap((leaf) => leaf !== best ? [leaf]
        : [left, right].map((side) => ({ rows: side, split: findBest(rows, side, options) })));
    }
    if (leaves.length === 1) break;
    for (const leaf of leaves) {
      const value = Math.fround(-learningRate * sum(leaf.rows, 'gradient') / (sum(leaf.rows, 'slope') + l2));
      for (const { at } of leaf.rows) odds[at] = (odds[at] as number) + value;
    }
  }
  return odds;
}

function findBest(rows: EncodedRows, of: readonly Row[], options: PlainOptions): Split | undefined {
  let best: Split | undefined;
  const offer = (isLeft: (row: Row) => boolean): void => {
    const left = of.filter(isLeft);
    const right = of.filter((row) => !isLeft(row));
    if (Math.min(left.length, right.length) < options.minSamplesLeaf) return;
    if (Math.min(sum(left, 'slope'), sum(right, 'slope')) < 1e-3) return;
    const score = (side: readonly Row[]): number => sum(side, 'gradient') ** 2 / (sum(side, 'slope') + options.l2);
    const gain = score(left) + score(right) - score(of);
    if (gain > (best?.gain ?? 0)) best = { gain, left, right };
  };
  for (const column of rows.numeric) {
    const valueOf = ({ at }: Row): number => column[at] as number;
    for (const cut of new Set(of.map(valueOf).filter((value) => !Number.isNaN(value)))) {
      offer((row) => valueOf(row) <= cut);
      offer((row) => valueOf(row) <= cut || Number.isNaN(valueOf(row)));
    }
  }
  for (const column of rows.codes) {
    const codeOf = ({ at }: Row): number => column[at] as number;
    const groups = [...Map.groupBy(of, codeOf)].filter(([, members]) => members.length >= options.categoryRowsMin)
      .map(([code, members]) => ({
        code, key: sum(members, 'gradient') / (sum(members, 'slope') + options.categorySmoothing),
      })).sort((a, b) => a.key - b.key || a.code - b.code);
    for (let count = 1; count <= groups.length; count++) {
      for (const named of [groups.slice(0, count), groups.slice(-count)]) {
        const codes = new Set(named.map(({ code }) => code));
        offer((row) => codes.has(codeOf(row)));
      }
    }
  }
  return best;
}
