/**
 * The paper's rule (Meidan et al. 2019): one flow that the classifier accepts says that the device model is there. A
 * window is as strong as its most normal flow, so that the rule can be compared at other thresholds, too.
 */
import { noToken } from '#evidence';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import { decideByRule } from './decide.ts';
import { flowPrivacy, type FittedFlows, type FlowMethod, type ScoredClassifier } from './home-method.ts';
import { createHighest } from './window-scores.ts';

/** The percentile that decides where one must: the paper's best. */
export const decidingPercentile = 10;
/** Steps of scores: more than a day of homes can tell apart. */
const levels = 4_096;

export function acceptingThreshold({ classifier }: ScoredClassifier): number {
  return classifier.thresholds.byPercentile[decidingPercentile] as number;
}

/** [row of the unit's flows] */
export function tokensOfScores(
  world: LabWorld, { anomalyScores }: ScoredClassifier, tokenOf: (score: number) => number,
): (unit: LabUnit) => Uint32Array {
  return (unit) => {
    const tokens = new Uint32Array(unit.flows.rowCount);
    let at = 0;
    for (const batch of world.libraryUnitOf(unit).flows) {
      tokens.set(Uint32Array.from(anomalyScores(batch), tokenOf), at);
      at += batch.rowCount;
    }
    return tokens;
  };
}

/** Accepted flows have the upper half of the levels, however their scores lie. */
function fitOn(world: LabWorld, scored: ScoredClassifier): FittedFlows {
  const threshold = acceptingThreshold(scored);
  const levelOf = (score: number): number => score <= threshold
    ? levels + Math.floor((1 - score / Math.max(threshold, Number.MIN_VALUE)) * (levels - 1))
    : Math.floor((1 - score) / (1 - threshold) * (levels - 1));
  return {
    // A score of 1 says that the flow is another device model's, and there is nothing to rank.
    tokensOf: tokensOfScores(world, scored, (score) =>
      score >= 1 && threshold < 1 ? noToken : Math.min(Math.max(levelOf(score), 0), 2 * levels - 1)),
    createScore: () => createHighest(2 * levels),
    decide: () => decideByRule(levels + 1),
  };
}

export const singleFlow: FlowMethod = {
  name: 'single-flow',
  meaning: 'One accepted flow decides: isolation forest, catalog paper, 10th percentile (Meidan et al. 2019).',
  source: 'Meidan et al. 2019',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: false,
  learn: ({ world, paper }) => fitOn(world, paper()),
};

export const singleFlowOurs: FlowMethod = {
  name: 'single-flow-natlens',
  meaning: 'One flow decides that the classifier of natlens train accepts, at the 10th percentile.',
  source: 'Meidan et al. 2019, with the classifier of natlens',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: false,
  learn: ({ world, ours }) => fitOn(world, ours),
};
