/**
 * A joint likelihood of all features as a tree (Chow and Liu 1968, "Approximating discrete probability distributions
 * with dependence trees"): each feature depends on one other. A row costs the sum of -ln p of its values, each given
 * its parent's; what is improbable together costs much even where each value alone is usual.
 *
 * Costs are whole numbers, and their sum is exact: the same on every machine, whatever the order.
 */
import type { EncodedRows } from '#feature';
import type { FittedDetector } from '../detector.ts';
import { assertSameLayout } from '../same-layout.ts';
import { readSymbols, type BinEnds } from './symbols.ts';

/** Cost of one nat. */
export const costOfNat = 1024;
/** In place of a parent: the variable depends on none. */
export const noParent = 0xffff;

export type TreeVariable = {
  /** Variable that it depends on, or `noParent`. */
  readonly parent: number;
  /** [value]: cost by itself. */
  readonly alone: Uint16Array;
  /** [value of the parent]: cost of a value that was never seen with this one is that by itself and this. */
  readonly apart: Uint16Array;
  /** [value of the parent + 1]: where the values that were seen with it begin. */
  readonly pairStart: Uint32Array;
  /** [pair]: value; ascending within one value of the parent. */
  readonly pairValue: Uint16Array;
  /** [pair]: cost given the parent's value. */
  readonly pairCost: Uint16Array;
};

export type FittedTree = FittedDetector & {
  readonly algorithm: 'chow-liu-tree';
  readonly binEnds: BinEnds;
  /** [variable], numbers first. */
  readonly variables: readonly TreeVariable[];
  /** Cost that is scored 1/2: that of a rare training row. At least 1. */
  readonly rareCost: number;
};

export type TreeParts = Pick<FittedTree, 'layout' | 'binEnds' | 'variables' | 'rareCost'>;

/** The detector of these values. */
export function createTree(parts: TreeParts): FittedTree {
  return {
    ...parts,
    algorithm: 'chow-liu-tree', defaultThreshold: 0.5,
    // Grows with the cost throughout, however high it is, and is 1/2 where training rows become rare.
    score: (rows, out) => {
      sumCosts(parts, rows, out);
      for (let row = 0; row < rows.rowCount; row++) {
        const cost = out[row] as number;
        out[row] = cost / (cost + parts.rareCost);
      }
    },
  };
}

/** Rows whose symbols are held at once. */
const blockRows = 256;
/** [variable][row of a block]: of the rows being scored, whatever the tree; nothing is allocated for a batch. */
const blockSymbols: Uint16Array[] = [];

/**
 * Cost of every row, -ln of its likelihood in units of 1/`costOfNat`.
 *
 * @param out  [rowCount]; overwritten
 */
export function sumCosts(
  { layout, binEnds, variables }: Omit<TreeParts, 'rareCost'>, rows: EncodedRows, out: Float64Array,
): void {
  assertSameLayout(rows, layout);
  const { rowCount } = rows;
  while (blockSymbols.length < variables.length) blockSymbols.push(new Uint16Array(blockRows));
  out.fill(0, 0, rowCount);
  for (let first = 0; first < rowCount; first += blockRows) {
    const count = Math.min(blockRows, rowCount - first);
    for (let at = 0; at < variables.length; at++) {
      readSymbols(rows, binEnds, at, first, count, blockSymbols[at] as Uint16Array);
    }
    for (let at = 0; at < variables.length; at++) {
      const variable = variables[at] as TreeVariable;
      const own = blockSymbols[at] as Uint16Array;
      if (variable.parent === noParent) addAlone(variable.alone, own, first, count, out);
      else addGiven(variable, own, blockSymbols[variable.parent] as Uint16Array, first, count, out);
    }
  }
}

/** A kernel. @param out  costs from row `first` on grow */
function addAlone(alone: Uint16Array, own: Uint16Array, first: number, count: number, out: Float64Array): void {
  for (let i = 0; i < count; i++) out[first + i] = (out[first + i] as number) + (alone[own[i] as number] as number);
}

/** A kernel. @param out  costs from row `first` on grow */
function addGiven(
  { alone, apart, pairStart, pairValue, pairCost }: TreeVariable, own: Uint16Array, parents: Uint16Array,
  first: number, count: number, out: Float64Array,
): void {
  for (let i = 0; i < count; i++) {
    const value = own[i] as number;
    const parent = parents[i] as number;
    let low = pairStart[parent] as number;
    const end = pairStart[parent + 1] as number;
    for (let high = end; low < high;) {
      const middle = (low + high) >>> 1;
      if ((pairValue[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    const cost = low < end && pairValue[low] === value
      ? pairCost[low] as number : (alone[value] as number) + (apart[parent] as number);
    out[first + i] = (out[first + i] as number) + cost;
  }
}
