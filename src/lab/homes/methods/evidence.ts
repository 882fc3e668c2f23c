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
import { learnGroup, type CalibrateOptions } from '../../calibrate/calibrate-classifier.ts';
import { groupShare } from '../../calibrate/find-confusers.ts';
import { HomeMeter } from '../../calibrate/null-homes.ts';
import type { LabUnit } from '../../evaluate/lab-flows.ts';
import { gatherTokens, type WindowOptions } from '../home-windows.ts';
import { ownFloorOf, ownWindowScores } from '../own-windows.ts';
import { createRecording } from '../recording.ts';
import type { CalibrationInput, FittedMethod, HomeDecision, HomeMethod, LearnContext } from './home-method.ts';
import { decidingPercentile } from './single-flow.ts';
import { createWeightSum } from './window-scores.ts';

/** Days of each other device model that are looked at to find out whether it is taken for the one looked for. */
const confuserDays = 60;

type Windows = Pick<WindowOptions, 'windowMs' | 'bucketMs'>;

export const evidence: HomeMethod = {
  name: 'evidence',
  meaning: 'Distinct tokens of the fingerprint within an hour, weighed by how rare they are among other devices.',
  namesGroups: true,
  isCalibrated: true,
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
  { world, ownUnits, deviceModel }: LearnContext, { tokens }: Fingerprint, windows: Windows,
  match: (batch: FlowBatch) => Uint32Array,
): FittedMethod {
  const weights = tokens.map(({ weight }) => weight);
  const tokensOf = (unit: LabUnit): Uint32Array => {
    const ofUnit = new Uint32Array(unit.flows.rowCount);
    let at = 0;
    for (const batch of world.libraryUnitOf(unit).flows) {
      ofUnit.set(match(batch), at);
      at += batch.rowCount;
    }
    return ofUnit;
  };
  const ownScores = ownWindowScores(ownUnits.flatMap((unit) => {
    const { device, kind, train, validation } = unit.device;
    const recording = createRecording({ device, deviceModel, kind }, unit.flows, train, train + validation);
    return recording === undefined ? [] : { recording, tokens: gatherTokens(recording, tokensOf(unit)) };
  }), createWeightSum(weights), windows);
  const ownFloor = ownFloorOf(ownScores, weights);
  return {
    tokensOf, createScore: () => createWeightSum(weights),
    decide: (input) => decide(input, { weights, ownFloor, deviceModel, windows }),
  };
}

type Calibrated = {
  readonly weights: readonly number[];
  readonly ownFloor: number;
  readonly deviceModel: string;
  readonly windows: Windows;
};

/** As `natlens calibrate` learns the group and the null table, and as a detector decides with them. */
function decide(
  { budget, seed, homeCount, units, tokensOf }: CalibrationInput,
  { weights, ownFloor, deviceModel, windows }: Calibrated,
): HomeDecision {
  const meter = new HomeMeter({ weights, tokensOf }, windows);
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
