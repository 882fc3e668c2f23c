/**
 * Ours: distinct tokens of the fingerprint (docs/evidence.md), each worth what it weighs, and the decision rule that a
 * detector uses, calibrated with homes without the device model.
 */
import { Random } from '#base';
import { learnFingerprint, type AcceptFlows } from '#classifier/train';
import { FingerprintMatcher, type Fingerprint } from '#evidence';
import type { FlowBatch } from '#flow';
import { acceptScores } from '#score';
import { createDecisionRule } from '#verdict';
import { learnGroup, type CalibrateOptions } from '../calibrate/calibrate-classifier.ts';
import { groupShare } from '../calibrate/find-confusers.ts';
import { HomeMeter } from '../calibrate/null-homes.ts';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import { gatherTokens, type WindowScore } from '../homes/home-windows.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { ownFloorOf, ownWindowScores } from '../homes/own-windows.ts';
import { createRecording } from '../homes/recording.ts';
import {
  flowPrivacy, type CalibrationInput, type FittedFlows, type FlowMethod, type HomeDecision, type LearnContext,
  type Windows,
} from './home-method.ts';
import { decidingPercentile } from './single-flow.ts';
import { createWeightSum } from './window-scores.ts';

/** Days of each other device model that are looked at to find out whether it is taken for the one looked for. */
const confuserDays = 60;

/** What reports say of all methods of evidence on flows. */
export const evidenceFacts = {
  source: 'natlens', sees: 'flow records', privacy: flowPrivacy, namesGroups: true, isCalibrated: true, isOurs: true,
} as const;

export const evidence: FlowMethod = {
  name: 'evidence',
  meaning: 'Distinct tokens of the fingerprint within an hour, weighed by how rare they are among other devices.',
  ...evidenceFacts,
  learn: (context, windows) => {
    const { fingerprint, accept } = learnOnce(context);
    return fitOn(context, fingerprint, windows, (batch) => matchFlows(fingerprint, batch, accept));
  },
};

export type Learned = { readonly fingerprint: Fingerprint; readonly accept: AcceptFlows };

const learned = new WeakMap<LearnContext, Learned>();

/** The same fingerprint with and without the cascade: it is learned once for each context. */
export function learnOnce(context: LearnContext): Learned {
  const known = learned.get(context);
  if (known !== undefined) return known;
  const { own, library, world, ours: { classifier, anomalyScores } } = context;
  const threshold = classifier.thresholds.byPercentile[decidingPercentile] as number;
  const accept: AcceptFlows = (batch) => {
    const isAccepted = new Uint8Array(batch.rowCount);
    acceptScores(anomalyScores(batch), batch.rowCount, threshold, isAccepted);
    return isAccepted;
  };
  const fingerprint = learnFingerprint(own, library.map((unit) => world.libraryUnitOf(unit)), accept);
  const made = { fingerprint, accept };
  learned.set(context, made);
  return made;
}

/** [row]: token, or `noToken`. */
export function matchFlows(fingerprint: Fingerprint, batch: FlowBatch, accept: AcceptFlows): Uint32Array {
  const tokens = new Uint32Array(batch.rowCount);
  new FingerprintMatcher([fingerprint]).match(batch, [accept(batch)], [tokens]);
  return tokens;
}

/** @param match  [row of a batch]: token, or `noToken` */
export function fitOn(
  context: LearnContext, fingerprint: Fingerprint, windows: Windows, match: (batch: FlowBatch) => Uint32Array,
): FittedFlows {
  return fitTokens(context, sumOfWeights(fingerprint), windows, listTokens(context.world, match));
}

/** [row of a unit's flows]: what `match` says of its batches, one after the other. */
export function listTokens(world: LabWorld, match: (batch: FlowBatch) => Uint32Array): (unit: LabUnit) => Uint32Array {
  return (unit) => {
    const ofUnit = new Uint32Array(unit.flows.rowCount);
    let at = 0;
    for (const batch of world.libraryUnitOf(unit).flows) {
      ofUnit.set(match(batch), at);
      at += batch.rowCount;
    }
    return ofUnit;
  };
}

/** What a window is worth, and the weights of what it is made of. */
export type Worth = { readonly weights: readonly number[]; readonly createScore: () => WindowScore };

export function sumOfWeights({ tokens }: Fingerprint): Worth {
  const weights = tokens.map(({ weight }) => weight);
  return { weights, createScore: () => createWeightSum(weights) };
}

/** @param tokensOf  [row of a unit's flows]: token, or `noToken` */
export function fitTokens(
  { ownUnits, deviceModel }: LearnContext, worth: Worth, windows: Windows, tokensOf: (unit: LabUnit) => Uint32Array,
): FittedFlows {
  const ownScores = ownWindowScores(ownUnits.flatMap((unit) => {
    const { device, kind, train, validation } = unit.device;
    const recording = createRecording({ device, deviceModel, kind }, unit.flows, train, train + validation);
    return recording === undefined ? [] : { recording, tokens: gatherTokens(recording, tokensOf(unit)) };
  }), worth.createScore(), windows);
  const ownFloor = ownFloorOf(ownScores, worth.weights);
  return {
    tokensOf, createScore: worth.createScore,
    decide: (input) => decide(input, { worth, ownFloor, deviceModel, windows }),
  };
}

type Calibrated = {
  readonly worth: Worth;
  readonly ownFloor: number;
  readonly deviceModel: string;
  readonly windows: Windows;
};

/** As `natlens calibrate` learns the group and the null table, and as a detector decides with them. */
function decide(
  { budget, seed, homeCount, units, tokensOf }: CalibrationInput,
  { worth, ownFloor, deviceModel, windows }: Calibrated,
): HomeDecision {
  const meter = new HomeMeter({ weights: worth.weights, score: worth.createScore(), tokensOf }, windows);
  const options: CalibrateOptions = {
    ...windows, seed, budget, expiresMs: Infinity, nullHomes: homeCount, testHomes: 0, positiveHomes: 0, confuserDays,
    usesLibrary: false,
  };
  const { nullTable, confusers } = learnGroup(meter, units, {
    ownFloor, options, randomOf: (purpose) => new Random(Math.imul(seed, 0x85eb_ca6b) ^ purpose),
  });
  const others = confusers.filter(({ deviceModel: name, rate }) => rate >= groupShare && units.iot.has(name))
    .map((confuser) => confuser.deviceModel);
  const group = others.length === 0 ? [] : [deviceModel, ...others].sort();
  const { rule, uncalibrated } = createDecisionRule({ nullTable, ownFloor, group, expiresMs: Infinity }, budget, 0);
  return {
    isPresent: (score, flowsADay) => score >= rule.presentScoreOf(flowsADay), group, unfit: uncalibrated,
  };
}
