/**
 * Applies a fitted encoder: raw features to the rows of one classifier. Lab and detector run this very code. Numbers
 * are scaled as scikit-learn's MinMaxScaler does it, categories found as by its OneHotEncoder, unknown ones ignored.
 */
import { assertInvariant } from '#base';
import type { Dictionary } from '#flow';
import { addCategory, createCategoryTable, lookUpCategories, type CategoryTable } from './category-table.ts';
import { findCatalog } from './catalogs.ts';
import { type EncodedRows, isSameLayout, type RowLayout } from './encoded-rows.ts';
import type { Catalog, FeatureMatrix } from './feature-matrix.ts';
import type { FittedEncoder } from './fitted-encoder.ts';

/** What a number is multiplied by, and what is added then. */
export type Scaling = { readonly scale: number; readonly shift: number };

/**
 * Scaling of a range to 0..1; a range of one value keeps its width and begins at 0.
 *
 * @source scikit-learn 1.2.1, MinMaxScaler and _handle_zeros_in_scale: less than 10 ε is one value
 */
export function scalingOf({ min, max }: { readonly min: number; readonly max: number }): Scaling {
  const range = max - min;
  const scale = 1 / (range < 10 * Number.EPSILON ? 1 : range);
  return { scale, shift: 0 - min * scale };
}

/** Shape of the rows that an encoder makes. */
export function layoutOf(fitted: FittedEncoder): RowLayout {
  return {
    numericCount: fitted.numeric.length, categoryCounts: fitted.categories.map((categories) => categories.length),
  };
}

/** A fitted encoder ready to work; it remembers dictionaries that it met, and nothing else. */
export type Encoder = {
  readonly fitted: FittedEncoder;
  readonly catalog: Catalog;
  readonly layout: RowLayout;
  /**
   * Encodes all rows.
   *
   * @param matrix  read only; of the encoder's catalog
   * @param rows    made with the encoder's layout, at least as large; overwritten
   * @throws InvariantError  another catalog, another layout, or no room
   */
  readonly encode: (matrix: FeatureMatrix, rows: EncodedRows) => void;
};

/**
 * Prepares a fitted encoder.
 *
 * @throws InvariantError  there is no such catalog, or the encoder is not one of it: whoever reads encoders from bytes
 *                         asks `findCatalog` first
 */
export function createEncoder(fitted: FittedEncoder): Encoder {
  const catalog = findCatalog(fitted.catalog, fitted.catalogVersion);
  assertInvariant(catalog !== undefined, `there is no catalog ${fitted.catalog} ${fitted.catalogVersion}`);
  return createEncoderOf(catalog, fitted);
}

/** The same with a catalog in hand. @throws InvariantError  the encoder was fitted with another one */
export function createEncoderOf(catalog: Catalog, fitted: FittedEncoder): Encoder {
  assertInvariant(fitted.catalog === catalog.name && fitted.catalogVersion === catalog.version &&
    fitted.numeric.length === catalog.numeric.length && fitted.categories.length === catalog.categorical.length,
  `an encoder of ${fitted.catalog} ${fitted.catalogVersion} is none of ${catalog.name} ${catalog.version}`);
  const layout = layoutOf(fitted);
  const scalings = fitted.numeric.map(scalingOf);
  const finders = catalog.categorical.map(({ dictionary }, i) => {
    const categories = fitted.categories[i] as readonly string[];
    return dictionary === undefined ? numberFinder(categories) : textFinder(categories);
  });
  return {
    fitted, catalog, layout,
    encode: (matrix, rows) => {
      const { rowCount } = matrix;
      assertInvariant(matrix.catalog === catalog, 'features and encoder are of different catalogs');
      assertSameLayout(rows, layout, rowCount);
      rows.rowCount = rowCount;
      for (let i = 0; i < scalings.length; i++) {
        scaleNumbers(matrix.numeric[i] as Float64Array, rowCount, scalings[i] as Scaling,
          rows.numeric[i] as Float32Array);
      }
      for (let i = 0; i < finders.length; i++) {
        const table = (finders[i] as TableFinder)(matrix.dictionaries[i]);
        lookUpCategories(table, matrix.categorical[i] as Uint32Array, rowCount, layout.categoryCounts[i] as number,
          rows.codes[i] as Uint16Array);
      }
    },
  };
}

function assertSameLayout(rows: EncodedRows, layout: RowLayout, rowCount: number): void {
  assertInvariant(rows.layout === layout || isSameLayout(rows.layout, layout),
    'encoded rows have another layout than the encoder');
  // Plain loops: this is asked for each flow and each classifier.
  let hasRoom = true;
  for (let i = 0; i < rows.numeric.length; i++) hasRoom &&= (rows.numeric[i] as Float32Array).length >= rowCount;
  for (let i = 0; i < rows.codes.length; i++) hasRoom &&= (rows.codes[i] as Uint16Array).length >= rowCount;
  assertInvariant(hasRoom, 'encoded rows have no room for the features');
}

/** float32(x · scale + shift), each operation rounded to float64 before. A kernel. */
function scaleNumbers(raw: Float64Array, rowCount: number, { scale, shift }: Scaling, out: Float32Array): void {
  for (let row = 0; row < rowCount; row++) out[row] = (raw[row] as number) * scale + shift;
}

/** Gives the table by which a feature's raw values are looked up. */
type TableFinder = (dictionary: Dictionary | undefined) => CategoryTable;

function numberFinder(categories: readonly string[]): TableFinder {
  const table = createCategoryTable(categories.length);
  for (const [code, text] of categories.entries()) addCategory(table, Number(text), code);
  return () => table;
}

/** A table for each dictionary; texts that came since the last batch are looked at once. */
function textFinder(categories: readonly string[]): TableFinder {
  const codes = new Map(categories.map((text, code) => [text, code]));
  const known = new WeakMap<Dictionary, { readonly table: CategoryTable; size: number }>();
  // One dictionary after another is rare: the last one is looked at first.
  let last: Dictionary | undefined;
  let entry = { table: createCategoryTable(categories.length), size: 0 };
  return (dictionary) => {
    assertInvariant(dictionary !== undefined, 'a feature of texts has no dictionary');
    if (dictionary !== last) {
      entry = known.get(dictionary) ?? { table: createCategoryTable(categories.length), size: 0 };
      known.set(dictionary, entry);
      last = dictionary;
    }
    for (; entry.size < dictionary.size; entry.size++) {
      const code = codes.get(dictionary.decode(entry.size));
      if (code !== undefined) addCategory(entry.table, entry.size, code);
    }
    return entry.table;
  };
}
