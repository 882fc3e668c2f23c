/** Cases of the oracles of detectors that measure distances (test/oracle/point_cases.py), and their rows. */
import { readFileSync } from 'node:fs';
import type { EncodedRows, RowLayout } from '#feature';

export type PlainRows = {
  /** [feature][row] */
  readonly numeric: readonly (readonly number[])[];
  /** [feature][row] */
  readonly codes: readonly (readonly number[])[];
};
export type PointCase = {
  readonly name: string;
  readonly layout: RowLayout;
  readonly train: PlainRows;
  readonly queries: PlainRows;
};

export type SvmRun = {
  readonly nu: number;
  readonly tolerance: number;
  readonly gamma: number | 'scale' | 'auto';
  readonly width: number;
  readonly offset: number;
  readonly iterations: number;
  readonly decisions: readonly number[];
};

export type LofRun = {
  readonly neighbours: number;
  readonly scores: readonly number[];
  readonly offset: number;
  readonly isDetermined: readonly boolean[];
};

/** The cases of test/oracle/<name>.json, with what scikit-learn makes of them. */
export function readPointCases<Run>(name: string): readonly (PointCase & { readonly runs: readonly Run[] })[] {
  return JSON.parse(readFileSync(new URL(`../oracle/${name}.json`, import.meta.url), 'utf8')) as
    (PointCase & { runs: Run[] })[];
}

export function toRows(layout: RowLayout, { numeric, codes }: PlainRows): EncodedRows {
  return {
    layout, rowCount: (numeric[0] ?? codes[0] ?? []).length,
    numeric: numeric.map((column) => Float32Array.from(column)), codes: codes.map((column) => Uint16Array.from(column)),
  };
}

/** Largest difference of two lists among the places that count, relative where numbers are above 1. */
export function largestDifference(
  got: Float64Array, expected: readonly number[], counts: (index: number) => boolean = () => true,
): number {
  return expected.reduce((most, value, index) => counts(index)
    ? Math.max(most, Math.abs((got[index] as number) - value) / Math.max(1, Math.abs(value))) : most, 0);
}
