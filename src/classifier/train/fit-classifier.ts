/**
 * Trains a classifier: encoder and detector are fitted on the training flows of one device model, thresholds set by its
 * validation flows, and then it is asked whether it is fit at all. The same flows, options and seed give the same
 * classifier, bit for bit.
 */
import { assertInvariant, OperatorError } from '#base';
import {
  createEncodedRows, createEncoderOf, layoutOf, type EncodedRows, type Encoder, type FlowNeeds,
} from '#feature';
import { EncoderBuilder, type FoldedCategories } from '#feature/fit';
import { scoreRows, type AlgorithmName, type Classifier, type Provenance } from '#score';
import { trainers } from '#score/fit';
import { calibrate, checkFitness, findStableFeatures, type ScoredPart } from './calibrate.ts';
import type { FlowPart, SplitFlows } from './training-flows.ts';

export type FitOptions = {
  readonly deviceModel: string;
  /** What flows to be scored must be like: as those that it is trained on. */
  readonly needs: FlowNeeds;
  readonly algorithm: AlgorithmName;
  /** What differs from the algorithm's defaults. */
  readonly parameters?: Provenance['parameters'];
  /** 0 … 2^32-1 */
  readonly seed: number;
  readonly natlensVersion: string;
};

export type TrainedClassifier = {
  readonly classifier: Classifier;
  /** Training and validation flows as the detector saw them, with their scores. */
  readonly training: ScoredPart;
  readonly validation: ScoredPart;
  /** Features of which the rarest categories were left out. */
  readonly folded: readonly FoldedCategories[];
};

/**
 * Trains a classifier.
 *
 * @throws OperatorError  too few flows for a training and a validation part
 */
export function fitClassifier(flows: SplitFlows, options: FitOptions): TrainedClassifier {
  const { training, validation, digest, devices } = flows;
  const { deviceModel, needs, algorithm, seed, natlensVersion } = options;
  if (training.matrix.rowCount === 0 || validation.matrix.rowCount === 0) {
    throw new OperatorError('input-empty',
      `There are too few flows of ${deviceModel}: no device has ten, so that seven can train and one validate.`);
  }
  const trainer = trainers.get(algorithm);
  assertInvariant(trainer !== undefined, `nothing trains ${algorithm}`);
  const builder = new EncoderBuilder(training.matrix.catalog);
  builder.add(training.matrix);
  const fitted = builder.fit();
  const encoder = createEncoderOf(training.matrix.catalog, fitted);
  const trainingRows = encodePart(encoder, training);
  const validationRows = encodePart(encoder, validation);
  const parameters = { ...trainer.defaults, ...options.parameters } as Provenance['parameters'];
  const detector = trainer.fit(trainingRows, parameters, seed);
  const stableFeatures = rejectsUnseen(fitted.catalog) ? findStableFeatures(
    [{ rows: trainingRows, age: training.age }, { rows: validationRows, age: validation.age }]) : [];
  const scorePart = (rows: EncodedRows, { age }: FlowPart): ScoredPart => {
    const scores = new Float64Array(rows.rowCount);
    scoreRows({ detector, stableFeatures }, rows, scores);
    return { rows, age, scores };
  };
  const scoredTraining = scorePart(trainingRows, training);
  const scoredValidation = scorePart(validationRows, validation);
  const own = new Float64Array(validationRows.rowCount);
  detector.score(validationRows, own);
  const thresholds = calibrate(own, scoredValidation.scores, detector.defaultThreshold);
  const fitness = checkFitness(scoredTraining, scoredValidation, thresholds);
  const provenance: Provenance = {
    natlensVersion, trainingDigest: digest, trainingFlows: trainingRows.rowCount,
    validationFlows: validationRows.rowCount, devices: devices.length, seed, parameters,
  };
  return {
    classifier: { deviceModel, needs, encoder: fitted, detector, stableFeatures, thresholds, fitness, provenance },
    training: scoredTraining, validation: scoredValidation, folded: builder.folded(),
  };
}

/** The paper's catalog encodes a category that training never showed as nothing at all; ours take it as evidence. */
function rejectsUnseen(catalog: string): boolean {
  return catalog !== 'paper';
}

function encodePart(encoder: Encoder, { matrix }: FlowPart): EncodedRows {
  const rows = createEncodedRows(layoutOf(encoder.fitted), matrix.rowCount);
  encoder.encode(matrix, rows);
  return rows;
}
