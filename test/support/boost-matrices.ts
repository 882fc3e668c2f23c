/**
 * Matrices to fit boosted trees to, for us and scikit-learn alike: made from a seed, and written to a folder for the
 * peer (test/oracle/boosted-trees.py).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '#base';
import { createEncodedRows, type EncodedRows, type RowLayout } from '#feature';

export type LabelledRows = { readonly rows: EncodedRows; readonly labels: Uint8Array };
export type Matrices = { readonly train: LabelledRows; readonly test: LabelledRows };

const madeLayout: RowLayout = { numericCount: 8, categoryCounts: [3, 12, 60, 200] };

/** What a category adds to the odds: some number that only depends on it. */
const effectOf = (feature: number, code: number): number => Math.sin(code * 12.9898 + feature * 78.233) * 1.2;

/**
 * Two kinds of rows that overlap, parted by sums and products of features. Numbers are hardly ever the same twice, and
 * some are missing: the worst case for whoever hopes that rows repeat each other.
 */
export function makeHardRows(rowCount: number, seed: number): LabelledRows {
  const random = new Random(seed);
  const rows = createEncodedRows(madeLayout, rowCount);
  rows.rowCount = rowCount;
  const labels = new Uint8Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const [a = 0, b = 0, c = 0] = rows.numeric.map((column) => column[row] = random.uniform() * 2 - 1);
    let odds = 3 * a * b + Math.sin(4 * c) - 0.5;
    rows.codes.forEach((column, i) => {
      const code = column[row] = random.integer(0, madeLayout.categoryCounts[i] as number);
      odds += effectOf(i, code);
    });
    for (const column of rows.numeric) if (random.chance(0.02)) column[row] = Number.NaN;
    labels[row] = Number(random.chance(1 / (1 + Math.exp(-odds))));
  }
  return { rows, labels };
}

/** Flows of two devices: a few dozen kinds of conversation, most of them common to both, told again and again. */
export function makeFlowLikeRows(rowCount: number, seed: number): LabelledRows {
  const random = new Random(seed);
  const rows = createEncodedRows({ numericCount: 3, categoryCounts: [2, 4, 20, 25] }, rowCount);
  rows.rowCount = rowCount;
  const labels = new Uint8Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const kind = Math.floor(random.uniform() ** 2 * 60);
    const own = 0.5 + 0.45 * Math.sin(kind * kind);
    const isOwn = labels[row] = Number(random.chance(own));
    // The own device's answers are longer, now and then.
    const packets = random.integer(1, 6) + isOwn * random.integer(0, 2);
    [(kind * 37 % 1_500) + packets * 40, (kind * 91 % 9_000) + packets * 52, (kind * kind * 7) % 400 + packets]
      .forEach((value, i) => (rows.numeric[i] as Float32Array)[row] = Math.log2(1 + value));
    [kind % 3, kind % 5, kind % 21, kind % 26].forEach((code, i) => (rows.codes[i] as Uint16Array)[row] = code);
  }
  return { rows, labels };
}

/** Kinds of rows by name. */
export const boostKinds = { 'hard': makeHardRows, 'flow-like': makeFlowLikeRows } as const;
export type BoostKind = keyof typeof boostKinds;

/** Writes matrices as test/oracle/boosted-trees.py reads them. */
export function writeMatrices(folder: string, matrices: Matrices): void {
  const parts = ['train', 'test'] as const;
  for (const part of parts) {
    const { rows: { numeric, codes, rowCount }, labels } = matrices[part];
    const joinColumns = (columns: readonly (Float32Array | Uint16Array)[]): Buffer =>
      Buffer.concat(columns.map((column) => {
        const used = column.subarray(0, rowCount);
        return Buffer.from(used.buffer, used.byteOffset, used.byteLength);
      }));
    writeFileSync(join(folder, `${part}.f32`), joinColumns(numeric));
    writeFileSync(join(folder, `${part}.u16`), joinColumns(codes));
    writeFileSync(join(folder, `${part}.u8`), labels.subarray(0, rowCount));
  }
  writeFileSync(join(folder, 'matrices.json'), JSON.stringify({
    layout: matrices.train.rows.layout,
    rows: Object.fromEntries(parts.map((part) => [part, matrices[part].rows.rowCount])),
  }));
}
