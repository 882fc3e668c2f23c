/**
 * From a batch of flows to its raw features: once per batch, for every classifier of the catalog. The matrix is made
 * once and filled again and again; nothing is allocated while rows are read.
 */
import { assertInvariant, limits } from '#base';
import type { Dictionary, FlowBatch } from '#flow';
import type { Catalog, FeatureMatrix } from './feature-matrix.ts';

/** What `readFeatures` alone may write. */
type FilledMatrix = FeatureMatrix & { readonly dictionaries: (Dictionary | undefined)[] };

/** An empty matrix. @param capacity  rows; at least those of the batches to come */
export function createFeatureMatrix(catalog: Catalog, capacity: number = limits.flowBatchRows): FeatureMatrix {
  return {
    catalog, capacity, rowCount: 0,
    numeric: catalog.numeric.map(() => new Float64Array(capacity)),
    categorical: catalog.categorical.map(() => new Uint32Array(capacity)),
    dictionaries: catalog.categorical.map(() => undefined),
  };
}

/**
 * Reads the features of all rows of a batch.
 *
 * @param batch   read only
 * @param matrix  overwritten; its categories stay codes of the batch's dictionaries
 * @throws InvariantError  the batch has more rows than the matrix can hold
 */
export function readFeatures(batch: FlowBatch, matrix: FeatureMatrix): void {
  assertInvariant(batch.rowCount <= matrix.capacity, 'feature matrix is too small for the batch');
  const { catalog, numeric, categorical } = matrix;
  const { dictionaries } = matrix as FilledMatrix;
  matrix.rowCount = batch.rowCount;
  for (let i = 0; i < numeric.length; i++) catalog.numeric[i]?.read(batch, numeric[i] as Float64Array);
  for (let i = 0; i < categorical.length; i++) {
    const feature = catalog.categorical[i];
    if (feature === undefined) continue;
    feature.read(batch, categorical[i] as Uint32Array);
    dictionaries[i] = feature.dictionary === undefined ? undefined : batch.dictionaries[feature.dictionary];
  }
}
