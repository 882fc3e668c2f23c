/**
 * Scores batches of flows with many classifiers: features are read once for each catalog, rows are encoded for one
 * classifier after the other, forests are scored by the kernel. The scores are those of `scoreRows`, to the last bit.
 */
import { assertInvariant, type KernelKind, limits } from '#base';
import {
  createEncoder, createFeatureMatrix, type EncodedRows, type Encoder, type FeatureMatrix, readFeatures, type RowLayout,
} from '#feature';
import type { FlowBatch } from '#flow';
import { type Classifier, scoreRows, unseenScore } from './classifier.ts';
import type { FittedDetector } from './detector.ts';
import type { FittedForest } from './isolation-forest/forest.ts';
import { ForestKernel, type KernelRows } from './isolation-forest/forest-kernel.ts';
import { assertSameLayout } from './same-layout.ts';

export type ScorerOptions = {
  /** Who scores forests; the scores are the same. */
  readonly kernel: KernelKind;
  /** Rows of the largest batch. */
  readonly batchRows: number;
};

export const scorerDefaults: ScorerOptions = { kernel: 'wasm', batchRows: limits.flowBatchRows };

export type Scores = {
  rowCount: number;
  /** [classifier][row]: 0..1, higher is less like the device model. */
  readonly anomalyScore: readonly Float64Array[];
};

/** Rows that a classifier must look at, when others need not be: packed without gaps. */
type Packed = { readonly rows: EncodedRows; readonly from: Uint32Array; readonly scores: Float64Array };

type RowMaker = (layout: RowLayout) => EncodedRows;

type Member = {
  readonly classifier: Pick<Classifier, 'stableFeatures'> & { readonly detector: FittedDetector };
  readonly encoder: Encoder;
  readonly matrix: FeatureMatrix;
  readonly rows: EncodedRows;
  readonly packed: Packed;
};

export class Scorer {
  readonly #members: readonly Member[];
  readonly #matrixes: readonly FeatureMatrix[];
  readonly #scores: Scores;
  readonly #kernel: ForestKernel | undefined;

  /**
   * @param classifiers  read only, kept
   * @throws InvariantError  one names a catalog that is not there: whoever reads classifiers from bytes refuses it
   */
  constructor(classifiers: readonly Classifier[], options: Partial<ScorerOptions> = {}) {
    const { kernel, batchRows } = { ...scorerDefaults, ...options };
    // Its memory is for forests: where there is none it is not taken.
    this.#kernel = kernel === 'wasm' && classifiers.some(({ detector }) => isForest(detector))
      ? new ForestKernel() : undefined;
    const encoders = classifiers.map(({ encoder }) => createEncoder(encoder));
    const matrixes = new Map([...new Set(encoders.map(({ catalog }) => catalog))].map(
      (catalog) => [catalog, createFeatureMatrix(catalog, batchRows)]));
    this.#matrixes = [...matrixes.values()];
    // Rows come after all forests: they lie in the memory that grows with them.
    const detectors = classifiers.map(({ detector }) => this.#speedUp(detector));
    const layouts = encoders.map(({ layout }) => layout);
    const [shared, packed] = this.#createSharedRows(layouts, batchRows);
    const from = new Uint32Array(batchRows);
    const scores = new Float64Array(batchRows);
    this.#members = classifiers.map(({ stableFeatures }, i) => {
      const encoder = encoders[i] as Encoder;
      const matrix = matrixes.get(encoder.catalog);
      assertInvariant(matrix !== undefined, 'an encoder without features');
      return {
        classifier: { detector: detectors[i] as FittedDetector, stableFeatures }, encoder, matrix,
        rows: shared(encoder.layout), packed: { rows: packed(encoder.layout), from, scores },
      };
    });
    this.#scores = { rowCount: 0, anomalyScore: classifiers.map(() => new Float64Array(batchRows)) };
  }

  /** Bytes of the kernel's tables; columns in use take `batchRows` times a few dozen more. */
  get tableBytes(): number {
    return this.#kernel?.bytes ?? 0;
  }

  /** Scores of all rows by all classifiers. @param batch  read only @returns valid until the next call */
  score(batch: FlowBatch): Scores {
    for (const matrix of this.#matrixes) readFeatures(batch, matrix);
    const { anomalyScore } = this.#scores;
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[i] as Member;
      member.encoder.encode(member.matrix, member.rows);
      scoreSeen(member, anomalyScore[i] as Float64Array);
    }
    this.#scores.rowCount = batch.rowCount;
    return this.#scores;
  }

  /** The same detector, scored by the kernel where that is possible. */
  #speedUp(detector: FittedDetector): FittedDetector {
    const kernel = this.#kernel;
    if (kernel === undefined || !isForest(detector)) return detector;
    const compiled = kernel.compile(detector);
    if (compiled === undefined) return detector;
    return {
      ...detector,
      score: (rows, out) => {
        assertSameLayout(rows, detector.layout);
        kernel.score(compiled, rows, out);
      },
    };
  }

  /** Rows of any of the layouts, over the same columns: of one classifier at a time, all of them and packed ones. */
  #createSharedRows(layouts: readonly RowLayout[], capacity: number): [RowMaker, RowMaker] {
    const most = (counts: readonly number[]): number => counts.reduce((highest, count) => Math.max(highest, count), 0);
    const numericCount = most(layouts.map((layout) => layout.numericCount));
    const categoricalCount = most(layouts.map(({ categoryCounts }) => categoryCounts.length));
    const createColumns = (): KernelRows => ({
      numeric: Array.from({ length: numericCount }, () => new Float32Array(capacity)),
      codes: Array.from({ length: categoricalCount }, () => new Uint16Array(capacity)),
    });
    const [all = createColumns(), packed = createColumns()] =
      this.#kernel?.createRows(2, { numericCount, categoricalCount, capacity }) ?? [];
    const makerOf = ({ numeric, codes }: KernelRows): RowMaker => (layout) => ({
      layout, rowCount: 0,
      numeric: numeric.slice(0, layout.numericCount), codes: codes.slice(0, layout.categoryCounts.length),
    });
    return [makerOf(all), makerOf(packed)];
  }
}

/**
 * As `scoreRows`, but the detector is spared the rows whose score a stable feature decides: most flows, when there are
 * many classifiers. A detector scores each row by itself, so it does not matter which others are there.
 */
function scoreSeen({ classifier, rows, packed }: Member, out: Float64Array): void {
  const { detector, stableFeatures } = classifier;
  const seenCount = stableFeatures.length === 0 ? rows.rowCount : findSeen(rows, stableFeatures, packed.from);
  if (seenCount === rows.rowCount) return scoreRows({ detector, stableFeatures: [] }, rows, out);
  out.fill(unseenScore, 0, rows.rowCount);
  if (seenCount === 0) return;
  packRows(rows, packed, seenCount);
  detector.score(packed.rows, packed.scores);
  for (let i = 0; i < seenCount; i++) out[packed.from[i] as number] = packed.scores[i] as number;
}

/** Rows without a new category in a stable feature. @param out  their numbers, ascending @returns how many */
function findSeen({ codes, layout, rowCount }: EncodedRows, stableFeatures: readonly number[],
  out: Uint32Array): number {
  let count = 0;
  for (let row = 0; row < rowCount; row++) {
    let isSeen = true;
    for (let i = 0; i < stableFeatures.length; i++) {
      const feature = stableFeatures[i] as number;
      isSeen &&= (codes[feature] as Uint16Array)[row] !== layout.categoryCounts[feature];
    }
    out[count] = row;
    if (isSeen) count++;
  }
  return count;
}

function packRows(rows: EncodedRows, { rows: to, from }: Packed, count: number): void {
  for (let i = 0; i < rows.numeric.length; i++) {
    const column = rows.numeric[i] as Float32Array;
    const target = to.numeric[i] as Float32Array;
    for (let at = 0; at < count; at++) target[at] = column[from[at] as number] as number;
  }
  for (let i = 0; i < rows.codes.length; i++) {
    const column = rows.codes[i] as Uint16Array;
    const target = to.codes[i] as Uint16Array;
    for (let at = 0; at < count; at++) target[at] = column[from[at] as number] as number;
  }
  to.rowCount = count;
}

function isForest(detector: FittedDetector): detector is FittedForest {
  return detector.algorithm === 'isolation-forest';
}
