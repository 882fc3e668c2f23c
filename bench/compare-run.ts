/** One round of `compare-detectors.ts`: fits a detector to one device model's flows and judges it on those of all. */
import { systemClock } from '#base';
import {
  createEncodedRows, createEncoderOf, createFeatureMatrix, readFeatures, type Catalog, type EncodedRows, type Encoder,
  type FeatureMatrix,
} from '#feature';
import { fitEncoder } from '#feature/fit';
import type { FlowBatch } from '#flow';
import { algorithms, scoreRows, type Algorithm } from '#score';
import { calibrate, findStableFeatures } from '#classifier/train';
import type { Contender } from './compare-contenders.ts';
import type { LabFlows, UnitFlows } from './compare-flows.ts';
import { judgeScores, meanFigures, type Figures } from './compare-metrics.ts';

/** Rows of a part, and the place of each in its unit's time before the judged part, 0 … 1. */
export type Part = { readonly rows: Uint32Array; readonly age: Float64Array };
export type ModelParts = { readonly model: string; readonly training: Part; readonly validation: Part };
export type Parts = {
  readonly models: readonly ModelParts[];
  /** Rows of all units. */
  readonly judged: Uint32Array;
  /** [judged row]: its unit. */
  readonly unitOf: readonly UnitFlows[];
};



/**
 * Cuts each unit's flows in time.
 *
 * @param share     of each unit's flows, the earliest, that are looked at at all
 * @param flowsMin  flows of a device model to be judged
 */
export function splitUnits({ units }: LabFlows, share: number, flowsMin: number): Parts {
  const cut = units.map((unit) => {
    const rows = unit.rows.subarray(0, Math.floor(unit.rows.length * share));
    const trainEnd = Math.floor(rows.length * 7 / 10);
    const end = Math.floor(rows.length * 8 / 10);
    const age = Float64Array.from({ length: end }, (_, at) => (at + 0.5) / end);
    return {
      unit, judged: rows.subarray(end),
      training: { rows: rows.subarray(0, trainEnd), age: age.subarray(0, trainEnd) },
      validation: { rows: rows.subarray(trainEnd, end), age: age.subarray(trainEnd) },
    };
  });
  const models = [...Map.groupBy(cut.filter(({ unit }) => unit.isIot), ({ unit }) => unit.model)]
    .filter(([, ofModel]) => ofModel.reduce((sum, { unit }) => sum + unit.rows.length, 0) >= flowsMin)
    .map(([model, ofModel]) => ({
      model, training: joinParts(ofModel.map(({ training }) => training)),
      validation: joinParts(ofModel.map(({ validation }) => validation)),
    }));
  return {
    models, judged: Uint32Array.from(cut.flatMap(({ judged }) => [...judged])),
    unitOf: cut.flatMap(({ unit, judged }) => Array.from(judged, () => unit)),
  };
}

function joinParts(parts: readonly Part[]): Part {
  return {
    rows: Uint32Array.from(parts.flatMap(({ rows }) => [...rows])),
    age: Float64Array.from(parts.flatMap(({ age }) => [...age])),
  };
}

/** Raw features of all flows, read once for each catalog. */
export class LabFeatures {
  readonly #batch: FlowBatch;
  readonly #matrices = new Map<Catalog, FeatureMatrix>();

  constructor(batch: FlowBatch) {
    this.#batch = batch;
  }

  pick(catalog: Catalog, rows: Uint32Array): FeatureMatrix {
    let all = this.#matrices.get(catalog);
    if (all === undefined) {
      all = createFeatureMatrix(catalog, this.#batch.rowCount);
      readFeatures(this.#batch, all);
      this.#matrices.set(catalog, all);
    }
    return {
      catalog, capacity: rows.length, rowCount: rows.length, dictionaries: all.dictionaries,
      numeric: all.numeric.map((column) => Float64Array.from(rows, (row) => column[row] as number)),
      categorical: all.categorical.map((column) => Uint32Array.from(rows, (row) => column[row] as number)),
    };
  }
}

/** Whose flows a device model must be told from: those of every other one, or of every second. */
export type Others = 'all' | 'known' | 'unknown';

/**
 * Units of the others. Choosing among detectors with the known ones and testing with the unknown shows whether the
 * choice holds for devices that nobody had thought of.
 */
export function pickOthers(parts: Parts, others: Others): ReadonlySet<UnitFlows> {
  const groupOf = ({ isIot, model, unit }: UnitFlows): string => isIot ? model : unit;
  const groups = [...new Set(parts.unitOf.map(groupOf))].sort();
  return new Set(parts.unitOf.filter((unit) =>
    others === 'all' || (groups.indexOf(groupOf(unit)) % 2 === 0) === (others === 'known')));
}

/** Means over the seeds. */
export type Outcome = {
  readonly figures: Figures;
  readonly fitMs: number;
  /** Of the detector alone, without encoder and thresholds; NaN where it has no bytes yet. */
  readonly bytes: number;
  readonly microsecondsPerRow: number;
};

export type Lab = { readonly features: LabFeatures; readonly parts: Parts; readonly others: ReadonlySet<UnitFlows> };

/** Fits, calibrates and judges a detector for one device model, once for each seed. */
export function runContender(
  { trainer, catalog, options, rejectsUnseen }: Contender, { features, parts, others }: Lab,
  { model, training, validation }: ModelParts, seeds: readonly number[],
): Outcome {
  const trainMatrix = features.pick(catalog, training.rows);
  const encoder = createEncoderOf(catalog, fitEncoder(catalog, [trainMatrix]));
  const trainRows = encode(encoder, trainMatrix);
  const validationRows = encode(encoder, features.pick(catalog, validation.rows));
  const judgedRows = encode(encoder, features.pick(catalog, parts.judged));
  const stableFeatures = rejectsUnseen ? findStableFeatures(
    [{ rows: trainRows, age: training.age }, { rows: validationRows, age: validation.age }]) : [];
  const rounds = seeds.map((seed) => {
    const startMs = systemClock.monotonicMs();
    const detector = trainer.fit(trainRows, options, seed);
    const fittedMs = systemClock.monotonicMs();
    const own = new Float64Array(validationRows.rowCount);
    detector.score(validationRows, own);
    const validated = new Float64Array(own.length);
    scoreRows({ detector, stableFeatures }, validationRows, validated);
    const judged = new Float64Array(judgedRows.rowCount);
    const scoreMs = systemClock.monotonicMs();
    scoreRows({ detector, stableFeatures }, judgedRows, judged);
    const scoredMs = systemClock.monotonicMs();
    const thresholds = calibrate(own, validated, detector.defaultThreshold);
    const select = (keep: (unit: UnitFlows) => boolean): Float64Array =>
      judged.filter((_, row) => keep(parts.unitOf[row] as UnitFlows));
    const figures = judgeScores({
      own: select((unit) => unit.model === model),
      iot: select((unit) => unit.model !== model && unit.isIot && others.has(unit)),
      computers: select((unit) => !unit.isIot && others.has(unit)),
    }, { byDefault: thresholds.default, p10: thresholds.byPercentile[10] as number });
    const bytes = (algorithms.get(trainer.name) as Algorithm | undefined)?.write(detector).length ?? Number.NaN;
    return {
      figures, bytes, fitMs: fittedMs - startMs,
      microsecondsPerRow: (scoredMs - scoreMs) * 1000 / judgedRows.rowCount,
    };
  });
  const mean = (read: (round: Outcome) => number): number =>
    rounds.reduce((sum, round) => sum + read(round), 0) / rounds.length;
  return {
    figures: meanFigures(rounds.map(({ figures }) => figures)), fitMs: mean(({ fitMs }) => fitMs),
    bytes: mean(({ bytes }) => bytes), microsecondsPerRow: mean(({ microsecondsPerRow }) => microsecondsPerRow),
  };
}

function encode(encoder: Encoder, matrix: FeatureMatrix): EncodedRows {
  const rows = createEncodedRows(encoder.layout, matrix.rowCount);
  encoder.encode(matrix, rows);
  return rows;
}
