/**
 * Grows isolation trees as scikit-learn 1.2.1 grows ExtraTreeRegressors with one random column and a random threshold
 * at every node: the same random numbers in the same order, so the same trees. Works on the codes of categories; the
 * one-hot columns that scikit-learn sees are never made.
 */
import { type EncodedRows, oneHotColumnCount } from '#feature';
import type { ForestNodes } from './forest-nodes.ts';
import {
  countCategories, divideCodes, divideNumbers, gatherCodes, gatherNumbers, isConstantCode,
} from './node-rows.ts';
import { TargetSums } from './target-sums.ts';

/** A column whose values differ by no more is constant (scikit-learn's FEATURE_THRESHOLD, in float32 as there). */
const constantWithin = Math.fround(1e-7);
const randMax = 0x7fff_ffff;

/** Of a waiting node: start, end, depth, how many columns are known to be constant, whose right child it is. */
const waitingFields = 5;
const noParent = 0xffff_ffff;

export type GrowerOptions = {
  /** Training rows; read only. */
  readonly rows: EncodedRows;
  /** Where trees are added. */
  readonly nodes: ForestNodes;
  /** Rows of a tree. */
  readonly sampleCount: number;
  readonly depthMax: number;
  /** [row]: the random targets that scikit-learn gives its trees; read only. */
  readonly targets: Float64Array;
};

/** Holds the scratch space of one forest. */
export class TreeGrower {
  readonly #options: GrowerOptions;
  readonly #targets: TargetSums;
  /** [numeric feature × sample]: values of the tree's rows. */
  readonly #numbers: Float32Array;
  /** [categorical feature × sample]. */
  readonly #codes: Uint16Array;
  /** [column]: rows of the tree with this category. Columns of numbers have none. */
  readonly #categoryRows: Uint32Array;
  /** [column]: its categorical feature, and which of that one's codes is its own. */
  readonly #featureOf: Uint16Array;
  readonly #codeOf: Uint16Array;
  /** [sample]: the tree's rows, those of a node side by side. */
  readonly #places: Uint16Array;
  /** [sample]: values of the number at hand, in the order of `#places`. */
  readonly #values: Float32Array;
  #least = 0;
  #greatest = 0;
  /** [column]: all columns, in front those that are constant in the node at hand. */
  readonly #columns: Uint16Array;
  /** [column]: those that were found to be constant on the path to the node at hand, in the order of finding. */
  readonly #constants: Uint16Array;
  #constantCount = 0;
  readonly #waiting: Uint32Array;
  readonly #impurities: Float64Array;
  #random = 1;

  constructor(options: GrowerOptions) {
    const { rows: { layout }, sampleCount, depthMax, targets } = options;
    const columnCount = oneHotColumnCount(layout);
    this.#options = options;
    this.#targets = new TargetSums(targets, sampleCount);
    this.#numbers = new Float32Array(layout.numericCount * sampleCount);
    this.#codes = new Uint16Array(layout.categoryCounts.length * sampleCount);
    this.#categoryRows = new Uint32Array(columnCount);
    this.#featureOf = new Uint16Array(columnCount);
    this.#codeOf = new Uint16Array(columnCount);
    let column = layout.numericCount;
    layout.categoryCounts.forEach((count, feature) => {
      this.#featureOf.fill(feature, column, column + count);
      for (let code = 0; code < count; code++) this.#codeOf[column++] = code;
    });
    this.#places = new Uint16Array(sampleCount);
    this.#values = new Float32Array(sampleCount);
    this.#columns = new Uint16Array(columnCount);
    this.#constants = new Uint16Array(columnCount);
    this.#waiting = new Uint32Array((depthMax + 2) * waitingFields);
    this.#impurities = new Float64Array(depthMax + 2);
  }

  /**
   * Adds a tree to the nodes, in preorder.
   *
   * @param sample  [sampleCount]: rows, ascending; read only
   * @param seed    where scikit-learn's xorshift begins
   */
  grow(sample: Uint32Array, seed: number): void {
    const { nodes, sampleCount, depthMax } = this.#options;
    const waiting = this.#waiting;
    const impurities = this.#impurities;
    const targets = this.#targets;
    this.#gather(sample);
    this.#random = seed;
    nodes.reserve(2 * sampleCount);
    impurities[0] = targets.rootImpurity(this.#places);
    let count = 0;
    this.#constantCount = 0;
    this.#push(count++, 0, sampleCount, 0, noParent);
    while (count > 0) {
      const at = --count * waitingFields;
      const start = waiting[at] as number;
      const end = waiting[at + 1] as number;
      const depth = waiting[at + 2] as number;
      const parent = waiting[at + 4] as number;
      const impurity = impurities[count] as number;
      const node = nodes.add(end - start);
      if (parent !== noParent) nodes.right[parent] = node;
      if (depth >= depthMax || end - start < 2 || impurity <= Number.EPSILON) continue;
      const middle = this.#split(node, start, end, waiting[at + 3] as number, impurity);
      if (middle === end) continue;
      impurities[count] = targets.rightImpurity;
      this.#push(count++, middle, end, depth + 1, node);
      impurities[count] = targets.leftImpurity;
      this.#push(count++, start, middle, depth + 1, noParent);
    }
  }

  /** A child of the node that was split last; it inherits what is constant there. */
  #push(at: number, start: number, end: number, depth: number, parent: number): void {
    const waiting = this.#waiting;
    const to = at * waitingFields;
    waiting[to] = start;
    waiting[to + 1] = end;
    waiting[to + 2] = depth;
    waiting[to + 3] = this.#constantCount;
    waiting[to + 4] = parent;
  }

  /** Puts what a tree looks at side by side. */
  #gather(sample: Uint32Array): void {
    const { rows: { numeric, codes, layout: { numericCount, categoryCounts } }, sampleCount } = this.#options;
    for (let feature = 0; feature < numericCount; feature++) {
      gatherNumbers(numeric[feature] as Float32Array, sample, this.#numbers, feature * sampleCount);
    }
    this.#categoryRows.fill(0);
    let firstColumn = numericCount;
    for (let feature = 0; feature < categoryCounts.length; feature++) {
      const base = feature * sampleCount;
      const count = categoryCounts[feature] as number;
      gatherCodes(codes[feature] as Uint16Array, sample, this.#codes, base);
      countCategories(this.#codes, base, sampleCount, this.#categoryRows, firstColumn, count);
      firstColumn += count;
    }
    this.#targets.gather(sample);
    for (let i = 0; i < sampleCount; i++) this.#places[i] = i;
    for (let column = 0; column < this.#columns.length; column++) this.#columns[column] = column;
  }

  /**
   * Splits a node by the first column drawn that is not constant in it.
   *
   * @param known  columns in front that are constant on the path to the node
   * @returns where the right child begins, or `end` when the node stays a leaf
   */
  #split(node: number, start: number, end: number, known: number, impurity: number): number {
    const columns = this.#columns;
    const constants = this.#constants;
    let found = 0;
    let drawn = 0;
    let middle = end;
    while (columns.length > known + found) {
      let at = drawn + this.#draw() % (columns.length - found - drawn);
      if (at < known) {
        // Drawn in vain, and not again: a Fisher-Yates shuffle of the constant columns.
        const constant = columns[at] as number;
        columns[at] = columns[drawn] as number;
        columns[drawn++] = constant;
        continue;
      }
      at += found;
      const column = columns[at] as number;
      if (this.#isConstant(column, start, end)) {
        columns[at] = columns[known + found] as number;
        columns[known + found++] = column;
        continue;
      }
      columns[at] = columns[columns.length - 1] as number;
      columns[columns.length - 1] = column;
      middle = this.#divide(node, column, start, end, impurity);
      break;
    }
    // Siblings and children find the constant columns in the order of finding.
    for (let i = 0; i < known; i++) columns[i] = constants[i] as number;
    for (let i = known; i < known + found; i++) constants[i] = columns[i] as number;
    this.#constantCount = known + found;
    return middle;
  }

  /** scikit-learn's xorshift32 (13, 17, 5), 31 bits of it. */
  #draw(): number {
    let word = this.#random === 0 ? 1 : this.#random;
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    this.#random = word;
    return word & randMax;
  }

  #isConstant(column: number, start: number, end: number): boolean {
    const { rows: { layout: { numericCount } }, sampleCount } = this.#options;
    if (column < numericCount) return !this.#findRange(column * sampleCount, start, end);
    const inTree = this.#categoryRows[column] as number;
    if (inTree === 0 || inTree === sampleCount) return true;
    return isConstantCode(this.#codes, (this.#featureOf[column] as number) * sampleCount, this.#places, start, end,
      this.#codeOf[column] as number);
  }

  /** Takes a number's values over the rows of a node. @returns false when they are constant */
  #findRange(base: number, start: number, end: number): boolean {
    const values = this.#values;
    const numbers = this.#numbers;
    const places = this.#places;
    let least = numbers[base + (places[start] as number)] as number;
    let greatest = least;
    for (let i = start; i < end; i++) {
      const value = numbers[base + (places[i] as number)] as number;
      values[i] = value;
      if (value < least) least = value;
      else if (value > greatest) greatest = value;
    }
    this.#least = least;
    this.#greatest = greatest;
    return greatest > Math.fround(least + constantWithin);
  }

  /** Draws a threshold and puts the rows of the left child in front of those of the right one. */
  #divide(node: number, column: number, start: number, end: number, impurity: number): number {
    const { rows: { layout: { numericCount } }, nodes, sampleCount } = this.#options;
    const places = this.#places;
    const isNumber = column < numericCount;
    const least = isNumber ? this.#least : 0;
    const greatest = isNumber ? this.#greatest : 1;
    const drawn = (greatest - least) * this.#draw() / randMax + least;
    const threshold = drawn === greatest ? least : drawn;
    this.#targets.open(places, start, end);
    const middle = isNumber ? divideNumbers(this.#values, places, start, end, threshold)
      : divideCodes(this.#codes, (this.#featureOf[column] as number) * sampleCount, places, start, end,
        this.#codeOf[column] as number);
    if (middle === end || !this.#targets.close(places, start, middle, end, impurity)) return end;
    nodes.column[node] = column;
    nodes.threshold[node] = threshold;
    return middle;
  }
}
