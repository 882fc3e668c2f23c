/**
 * A cell of an experiment: one device model, algorithm, catalog and seed. Its key says all that its result depends on,
 * so a result that was stored under the same key is the same result.
 */
import { createHash } from 'node:crypto';
import { percentileMax, type AlgorithmName } from '#score';
import { resampleCount } from './bootstrap.ts';
import { homeCount, unitsPerHome } from './homes.ts';
import type { ExperimentDetails, ExperimentResult } from './results.ts';

export type CellTask = {
  readonly deviceModel: string;
  readonly algorithm: AlgorithmName;
  readonly catalog: string;
  /** 0 … 2^32-1 */
  readonly seed: number;
};

/** What came of a cell, as it is stored. */
export type CellOutcome = {
  readonly result: ExperimentResult;
  readonly details: ExperimentDetails;
};

/** Rises whenever results change though data, options and version do not. */
const cellFormat = 1;

/** All that a cell's result depends on. */
export type CellKey = CellTask & {
  readonly format: number;
  readonly natlensVersion: string;
  readonly datasetDigest: string;
  readonly catalogVersion: number;
  readonly parameters: readonly number[];
};

export function keyOf(
  task: CellTask,
  { natlensVersion, datasetDigest, catalogVersion }: Pick<CellKey, 'natlensVersion' | 'datasetDigest' |
    'catalogVersion'>,
): CellKey {
  const { deviceModel, algorithm, catalog, seed } = task;
  return {
    format: cellFormat, natlensVersion, datasetDigest, deviceModel, algorithm, catalog, catalogVersion, seed,
    parameters: [resampleCount, homeCount, unitsPerHome, percentileMax],
  };
}

/** SHA-256 (hexadecimal) of a key. */
export function hashKey(key: CellKey): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('hex');
}

/** Name of the classifier's file: device models may have any characters but blanks. */
export function artifactName({ deviceModel, algorithm, catalog, seed }: CellTask): string {
  const name = deviceModel.replaceAll(/[^\w.-]/g, '_').slice(0, 100);
  // Two device models may have the same name once it is safe for a file.
  const mark = name === deviceModel ? '' : `-${createHash('sha256').update(deviceModel).digest('hex').slice(0, 8)}`;
  return `${name}${mark}.${algorithm}.${catalog}.${seed}.nlc`;
}
