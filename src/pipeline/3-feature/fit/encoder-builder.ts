/**
 * Fits an encoder on training flows, batch by batch: ranges of numbers, counts of categories. What comes out does not
 * depend on how the flows were cut into batches, nor, below the limits, on their order. Trainers only.
 */
import { assertInvariant, limits } from '#base';
import type { Dictionary } from '#flow';
import { compareCodePoints, isCategoryText } from '../category-order.ts';
import type { Catalog, FeatureMatrix } from '../feature-matrix.ts';
import type { FittedEncoder } from '../fitted-encoder.ts';

export type EncoderLimits = {
  /** Categories that a feature keeps: the most frequent. Rows of others are encoded as unseen, in training too. */
  readonly categoriesMax: number;
  /** Categories of a feature that are counted at all; those that come later are left out. */
  readonly categoriesCountedMax: number;
};

/** What a feature's limits left out; a trainer tells it, as it makes every unseen category less telling. */
export type FoldedCategories = {
  readonly feature: string;
  /** Categories kept. */
  readonly kept: number;
  /** Training rows that are encoded as unseen. */
  readonly foldedRows: number;
};

/** Collects what training flows show. */
export class EncoderBuilder {
  readonly catalog: Catalog;
  readonly #limits: EncoderLimits;
  readonly #min: number[];
  readonly #max: number[];
  readonly #counts: Map<number, number>[];
  readonly #texts: Map<string, number>[];
  #rowCount = 0;

  constructor(catalog: Catalog, more: Partial<EncoderLimits> = {}) {
    this.catalog = catalog;
    this.#limits = {
      categoriesMax: limits.categoriesMax, categoriesCountedMax: limits.categoriesCountedMax, ...more,
    };
    this.#min = catalog.numeric.map(() => Infinity);
    this.#max = catalog.numeric.map(() => -Infinity);
    this.#counts = catalog.categorical.map(() => new Map());
    this.#texts = catalog.categorical.map(() => new Map());
  }

  /** Rows added. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /**
   * Adds training flows.
   *
   * @param matrix  read only; may be filled again afterwards
   * @throws InvariantError  another catalog
   */
  add(matrix: FeatureMatrix): void {
    assertInvariant(matrix.catalog === this.catalog, 'features and encoder are of different catalogs');
    const { rowCount } = matrix;
    this.#rowCount += rowCount;
    for (const [i, column] of matrix.numeric.entries()) this.#widen(i, column, rowCount);
    for (const [i, column] of matrix.categorical.entries()) {
      const dictionary = matrix.dictionaries[i];
      if (dictionary === undefined) {
        countValues(column, rowCount, this.#counts[i] as Map<number, number>, this.#limits.categoriesCountedMax);
      } else this.#countTexts(i, column, rowCount, dictionary);
    }
  }

  #widen(feature: number, column: Float64Array, rowCount: number): void {
    let min = this.#min[feature] as number;
    let max = this.#max[feature] as number;
    for (let row = 0; row < rowCount; row++) {
      const value = column[row] as number;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#min[feature] = min;
    this.#max[feature] = max;
  }

  /** Counts codes first, so that a text is decoded once for each batch, in the order of its first row. */
  #countTexts(feature: number, codes: Uint32Array, rowCount: number, dictionary: Dictionary): void {
    const ofBatch = new Map<number, number>();
    countValues(codes, rowCount, ofBatch, rowCount);
    const counts = this.#texts[feature] as Map<string, number>;
    for (const [code, count] of ofBatch) {
      const text = dictionary.decode(code);
      const known = counts.get(text);
      if (known === undefined && (!isCategoryText(text) || counts.size >= this.#limits.categoriesCountedMax)) continue;
      counts.set(text, (known ?? 0) + count);
    }
  }

  /**
   * The encoder of the rows added so far.
   *
   * @throws InvariantError  there are none: a trainer refuses them before
   */
  fit(): FittedEncoder {
    assertInvariant(this.#rowCount > 0, 'an encoder cannot be fitted on no flows');
    const { catalog } = this;
    return {
      catalog: catalog.name,
      catalogVersion: catalog.version,
      numeric: catalog.numeric.map((_, i) => ({ min: this.#min[i] as number, max: this.#max[i] as number })),
      categories: catalog.categorical.map(({ dictionary }, i) => dictionary === undefined
        ? this.#keep(this.#counts[i] as Map<number, number>, (a, b) => a - b).map(String)
        : this.#keep(this.#texts[i] as Map<string, number>, compareCodePoints)),
    };
  }

  /** Features of which some training rows are encoded as unseen. */
  folded(): FoldedCategories[] {
    return this.catalog.categorical.flatMap(({ name, dictionary }, i) => {
      const counts = dictionary === undefined ? this.#counts[i] as Map<number, number> : this.#texts[i];
      const kept = mostFrequent(counts as Map<unknown, number>, this.#limits.categoriesMax);
      const foldedRows = this.#rowCount - kept.reduce((sum, [, count]) => sum + count, 0);
      return foldedRows === 0 ? [] : [{ feature: name, kept: kept.length, foldedRows }];
    });
  }

  #keep<T>(counts: ReadonlyMap<T, number>, compare: (a: T, b: T) => number): T[] {
    const ordered = new Map([...counts].sort(([a], [b]) => compare(a, b)));
    return mostFrequent(ordered, this.#limits.categoriesMax).map(([category]) => category).sort(compare);
  }
}

/** The first of the entries by count; among equal counts in their order. */
function mostFrequent<T>(counts: ReadonlyMap<T, number>, countMax: number): [T, number][] {
  const entries = [...counts];
  if (entries.length <= countMax) return entries;
  return entries.sort(([, a], [, b]) => b - a).slice(0, countMax);
}

/** Counts values; beyond the limit only those that are known. */
function countValues(values: Uint32Array, rowCount: number, counts: Map<number, number>, countMax: number): void {
  for (let row = 0; row < rowCount; row++) {
    const value = values[row] as number;
    const known = counts.get(value);
    if (known !== undefined) counts.set(value, known + 1);
    else if (counts.size < countMax) counts.set(value, 1);
  }
}

/**
 * Fits an encoder on matrices of one catalog; a matrix may be filled again once the next is asked for.
 *
 * @param matrices  at least one, with at least one row in all
 */
export function fitEncoder(catalog: Catalog, matrices: Iterable<FeatureMatrix>): FittedEncoder {
  const builder = new EncoderBuilder(catalog);
  for (const matrix of matrices) builder.add(matrix);
  return builder.fit();
}
