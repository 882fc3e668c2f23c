/**
 * Runs one cell: trains a classifier on the train part of its device model, has its thresholds set by the validation
 * part (`fitClassifier`, the code of `natlens train`), and judges it by the test parts of all devices.
 */
import { assertInvariant, OperatorError, Random, systemClock } from '#base';
import { writeClassifier } from '#classifier/artifact';
import { fitClassifier, TrainingFlows, type SplitFlows, type TrainedClassifier } from '#classifier/train';
import { createEncoder, findCatalog, type FlowNeeds } from '#feature';
import { percentileMax, Scorer, type Classifier } from '#score';
import { bootstrapArea } from './bootstrap.ts';
import type { CellOutcome, CellTask } from './cell.ts';
import { findConfusers } from './confusers.ts';
import { shareOfHomesAlarmed } from './homes.ts';
import { knownNeeds, type LabFlows, type LabUnit } from './lab-flows.ts';
import { mean } from './means.ts';
import { areaUnderCurve, countByBin, curvePoints, fprAtTpr, ratesAt } from './metrics.ts';
import { measureDetection } from './time-to-detect.ts';

/** The percentile that decides where one must: the paper's best. */
const decidingPercentile = 10;
const curvePointsMax = 200;
const scoreBins = 50;

/** A unit's test flows with their scores. */
type ScoredUnit = {
  readonly unit: LabUnit;
  readonly scores: Float64Array;
  readonly startMs: Float64Array;
  readonly endMs: Float64Array;
  /** At the deciding percentile. */
  readonly isAccepted: Uint8Array;
};

/** Runs cells on the same flows; keeps the last device model's split, which algorithms and seeds share. */
export class CellRunner {
  readonly #flows: LabFlows;
  readonly #natlensVersion: string;
  #lastSplit: { readonly name: string; readonly split: SplitFlows } | undefined;

  constructor(flows: LabFlows, natlensVersion: string) {
    this.#flows = flows;
    this.#natlensVersion = natlensVersion;
  }

  /**
   * @returns what came of it, and the classifier's bytes
   * @throws OperatorError  there are too few flows of the device model, or none of others
   */
  run(task: CellTask): CellOutcome & { readonly artifact: Uint8Array } {
    const { deviceModel, algorithm, seed } = task;
    const needs = this.#needs(deviceModel);
    const split = this.#split(task);
    const startMs = systemClock.monotonicMs();
    const trained = fitClassifier(split, {
      deviceModel, needs, algorithm, seed, natlensVersion: this.#natlensVersion,
    });
    const trainSeconds = (systemClock.monotonicMs() - startMs) / 1_000;
    const artifact = writeClassifier(trained.classifier);
    const scored = scoreTestParts(trained.classifier, this.#flows.units);
    return { ...judge(task, { trained, split, scored, trainSeconds, artifactBytes: artifact.length }), artifact };
  }

  /** How all flows of a device model were made. @throws OperatorError  in different ways */
  #needs(deviceModel: string): FlowNeeds {
    const [first, ...others] = this.#flows.units.filter(({ device }) => device.deviceModel === deviceModel)
      .map(({ device }) => knownNeeds(device));
    assertInvariant(first !== undefined, `the data set has no ${deviceModel}`);
    if (others.every((other) => JSON.stringify(other) === JSON.stringify(first))) return first;
    throw new OperatorError('bad-columns', `Units of ${deviceModel} were recorded with different timeouts: a ` +
      'classifier of both would know neither. Build a data set with one of them.');
  }

  #split({ deviceModel, catalog: catalogName }: CellTask): SplitFlows {
    const name = `${catalogName}\n${deviceModel}`;
    if (this.#lastSplit?.name === name) return this.#lastSplit.split;
    const catalog = findCatalog(catalogName);
    assertInvariant(catalog !== undefined, `there is no catalog ${catalogName}`);
    const training = new TrainingFlows(catalog, { deviceModel });
    const own = this.#flows.units.filter(({ device }) => device.deviceModel === deviceModel);
    for (const { flows } of own) training.add(flows);
    const split = training.split();
    // Training cuts the flows itself. The data set was cut before, and its test part must be what training left.
    const count = (part: 'train' | 'validation' | 'test'): number =>
      own.reduce((sum, { device }) => sum + device[part], 0);
    if (split.training.matrix.rowCount !== count('train') ||
      split.validation.matrix.rowCount !== count('validation') || split.testFlows !== count('test')) {
      throw new OperatorError('bad-columns', `The data set has other parts of ${deviceModel} than training makes: ` +
        'build it again with this version.');
    }
    this.#lastSplit = { name, split };
    return split;
  }
}

function scoreTestParts(classifier: Classifier, units: readonly LabUnit[]): ScoredUnit[] {
  const scorer = new Scorer([classifier]);
  const threshold = classifier.thresholds.byPercentile[decidingPercentile] as number;
  return units.filter(({ device }) => device.test > 0).map((unit) => {
    const { test: count } = unit.device;
    const scored: ScoredUnit = {
      unit, scores: new Float64Array(count), startMs: new Float64Array(count), endMs: new Float64Array(count),
      isAccepted: new Uint8Array(count),
    };
    let at = 0;
    for (const batch of unit.test) {
      const { anomalyScore: [scores] } = scorer.score(batch);
      assertInvariant(scores !== undefined, 'a classifier gave no scores');
      scored.scores.set(scores.subarray(0, batch.rowCount), at);
      scored.startMs.set(batch.columns.flowStartMilliseconds.subarray(0, batch.rowCount), at);
      scored.endMs.set(batch.columns.flowEndMilliseconds.subarray(0, batch.rowCount), at);
      at += batch.rowCount;
    }
    scored.scores.forEach((score, i) => {
      scored.isAccepted[i] = score <= threshold ? 1 : 0;
    });
    return scored;
  });
}

type Judged = {
  readonly trained: TrainedClassifier;
  readonly split: SplitFlows;
  readonly scored: readonly ScoredUnit[];
  readonly trainSeconds: number;
  readonly artifactBytes: number;
};

function judge(task: CellTask, { trained, split, scored, trainSeconds, artifactBytes }: Judged): CellOutcome {
  const { deviceModel, algorithm, catalog, seed } = task;
  const { classifier, training } = trained;
  const { thresholds, fitness } = classifier;
  const isOwn = ({ unit }: ScoredUnit): boolean => unit.device.deviceModel === deviceModel;
  const ownUnits = scored.filter(isOwn);
  const otherUnits = scored.filter((unit) => !isOwn(unit));
  if (ownUnits.length === 0 || otherUnits.length === 0) {
    throw new OperatorError('input-empty', `The data set has no test flows ${ownUnits.length === 0
      ? `of ${deviceModel}` : `of other devices than ${deviceModel}: there is nothing to tell it from`}.`);
  }
  const own = joinScores(ownUnits).sort();
  const others = joinScores(otherUnits).sort();
  // One generator for each question: a change to one answer leaves the others alone. Homes are drawn from the device
  // model and the seed, so all algorithms and catalogs meet the same ones.
  const areaRandom = new Random(seed);
  const homesRandom = new Random(seed ^ hashText(deviceModel));
  const confusers = findConfusers({
    encoder: createEncoder(classifier.encoder), training: training.rows,
    units: otherUnits.map(({ unit, isAccepted }) =>
      ({ deviceModel: unit.device.deviceModel, batches: unit.test, isAccepted })),
  });
  const cell = { deviceModel, algorithm, catalog, seed };
  return {
    result: {
      ...cell,
      flows: {
        train: split.training.matrix.rowCount, validation: split.validation.matrix.rowCount, test: split.testFlows,
      },
      auc: areaUnderCurve(own, others), aucInterval: bootstrapArea(own, others, areaRandom),
      default: ratesAt(own, others, thresholds.default),
      percentiles: Array.from({ length: percentileMax + 1 }, (_, p) =>
        ({ p, ...ratesAt(own, others, thresholds.byPercentile[p] as number) })),
      fprAtTpr90: fprAtTpr(own, others, 0.9),
      deviceMacroFpr: mean(otherUnits.map(({ isAccepted }) => shareOf(isAccepted))) ?? Number.NaN,
      trainSeconds, artifactBytes, ...measureDetection(ownUnits),
      homesAlarmedByOneFlow: shareOfHomesAlarmed(otherUnits, homesRandom),
      confusers, unfit: fitness.reasons.map(({ code, detail }) => `${code}: ${detail}`),
    },
    details: {
      ...cell, roc: curvePoints(own, others, curvePointsMax),
      ownScores: countByBin(own, scoreBins), otherScores: countByBin(others, scoreBins),
      acceptedShare: shareByModel(scored),
    },
  };
}

function joinScores(units: readonly ScoredUnit[]): Float64Array {
  const joined = new Float64Array(units.reduce((sum, { scores }) => sum + scores.length, 0));
  let at = 0;
  for (const { scores } of units) {
    joined.set(scores, at);
    at += scores.length;
  }
  return joined;
}

function shareOf(isAccepted: Uint8Array): number {
  return isAccepted.reduce((sum, accepted) => sum + accepted, 0) / isAccepted.length;
}

function shareByModel(scored: readonly ScoredUnit[]): Record<string, number> {
  const byModel = Map.groupBy(scored, ({ unit }) => unit.device.deviceModel);
  return Object.fromEntries([...byModel].sort(([a], [b]) => (a < b ? -1 : 1)).map(([deviceModel, units]) => {
    const flows = units.reduce((sum, { scores }) => sum + scores.length, 0);
    const accepted = units.reduce((sum, { isAccepted }) => sum + isAccepted.reduce((some, one) => some + one, 0), 0);
    return [deviceModel, accepted / flows];
  }));
}

/** Of a text 32 bits (FNV-1a): enough to keep the homes of one device model apart from another's. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
