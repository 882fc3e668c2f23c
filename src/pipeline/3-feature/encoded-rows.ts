/**
 * Rows as one classifier sees them: numbers scaled by what its training flows showed, categories as codes of those that
 * its training flows showed. What detectors fit on and what the readable scoring code reads. Sizes are small: one
 * classifier, one batch.
 */

/** Shape of the rows of a fitted encoder. */
export type RowLayout = {
  readonly numericCount: number;
  /**
   * [categorical feature]: how many categories training showed. The code `count` is a category that it never showed.
   */
  readonly categoryCounts: readonly number[];
};

export type EncodedRows = {
  readonly layout: RowLayout;
  rowCount: number;
  /** [numeric feature][row], scaled to 0..1 over the training flows; others may lie outside. */
  readonly numeric: readonly Float32Array[];
  /** [categorical feature][row]: 0..count-1 in the encoder's order of categories, `count` for one never shown. */
  readonly codes: readonly Uint16Array[];
};

/** Columns of the one-hot form: numeric features, then the categories of each categorical feature. */
export function oneHotColumnCount({ numericCount, categoryCounts }: RowLayout): number {
  return categoryCounts.reduce((sum, count) => sum + count, numericCount);
}

/** True when rows of one layout can be taken for rows of the other. */
export function isSameLayout(a: RowLayout, b: RowLayout): boolean {
  if (a.numericCount !== b.numericCount || a.categoryCounts.length !== b.categoryCounts.length) return false;
  // A plain loop: this is asked for each flow and each classifier.
  for (let i = 0; i < a.categoryCounts.length; i++) if (a.categoryCounts[i] !== b.categoryCounts[i]) return false;
  return true;
}

/** An empty set of rows. @param capacity  rows */
export function createEncodedRows(layout: RowLayout, capacity: number): EncodedRows {
  return {
    layout, rowCount: 0,
    numeric: Array.from({ length: layout.numericCount }, () => new Float32Array(capacity)),
    codes: layout.categoryCounts.map(() => new Uint16Array(capacity)),
  };
}

/**
 * The one-hot form that scikit-learn's estimators are fitted on: a category never shown is all zeros.
 *
 * @param rows  read only
 * @param out   [rowCount × oneHotColumnCount], row-major; overwritten
 */
export function expandOneHot(rows: EncodedRows, out: Float32Array): void {
  const { layout: { numericCount, categoryCounts }, rowCount, numeric, codes } = rows;
  const width = oneHotColumnCount(rows.layout);
  out.fill(0, 0, rowCount * width);
  for (let feature = 0; feature < numericCount; feature++) {
    const column = numeric[feature] as Float32Array;
    for (let row = 0, to = feature; row < rowCount; row++, to += width) out[to] = column[row] as number;
  }
  let first = numericCount;
  for (let feature = 0; feature < categoryCounts.length; feature++) {
    const count = categoryCounts[feature] as number;
    const column = codes[feature] as Uint16Array;
    for (let row = 0; row < rowCount; row++) {
      const code = column[row] as number;
      if (code < count) out[row * width + first + code] = 1;
    }
    first += count;
  }
}
