/**
 * The contract of a method that says whether a home has a device model: it learns from the device model's own training
 * flows and a library of other units, gives each flow at most one token, and a window of tokens a score. What it is
 * calibrated with are homes of other units than those of the library; what it is tested with, of others again.
 */
import type { OwnFlows } from '#classifier/train';
import type { FlowBatch } from '#flow';
import type { Classifier } from '#score';
import type { FalseAlarmBudget } from '#verdict';
import type { LabUnit } from '../../evaluate/lab-flows.ts';
import type { Parts } from '../../calibrate/calibrate-classifier.ts';
import type { FlowTokens, WindowOptions, WindowScore } from '../home-windows.ts';
import type { LabWorld } from '../lab-world.ts';
import type { Recording } from '../recording.ts';

export type LearnContext = {
  readonly deviceModel: string;
  readonly seed: number;
  /** The device model's units; rows of their training part come first, then those of validation. */
  readonly ownUnits: readonly LabUnit[];
  /** Training and validation parts of `ownUnits`, once more in batches. */
  readonly own: OwnFlows;
  readonly library: readonly LabUnit[];
  readonly world: LabWorld;
  /** What `natlens train` makes by default. */
  readonly ours: ScoredClassifier;
  /** Isolation forest on the catalog `paper`, as Meidan et al. 2019 have it; trained when it is first asked for. */
  readonly paper: () => ScoredClassifier;
};

export type ScoredClassifier = {
  readonly classifier: Classifier;
  /** [row of a batch]. Read only; remembered by batch. */
  readonly anomalyScores: (batch: FlowBatch) => Float64Array;
};

/** Strongest windows of days of homes without the device model, ascending; of units that nothing was learned from. */
export type NullScores = Float64Array;

/** What a method may be calibrated with. */
export type CalibrationInput = {
  /** Share of homes without the device model in which it may be found. */
  readonly budget: FalseAlarmBudget;
  readonly seed: number;
  /** Homes of the units that calibrate; composed and measured when they are asked for. */
  readonly nullScores: () => NullScores;
  /** How many those are. */
  readonly homeCount: number;
  /** Units by role; among those that test only the ones whose device model is known to the lab. */
  readonly units: Parts;
  /** Flows of a recording that show a token of the method. */
  readonly tokensOf: (recording: Recording) => FlowTokens;
};

export type HomeDecision = {
  isPresent(score: number, flowsADay: number): boolean;
  /** Device models that are not told apart, the one looked for among them; empty: it is told from all. */
  readonly group: readonly string[];
  /** Why it never says that the device model is there. */
  readonly unfit: string | undefined;
};

export type FittedMethod = {
  /** [row of the unit's flows]: token, or `noToken`. */
  readonly tokensOf: (unit: LabUnit) => Uint32Array;
  readonly createScore: () => WindowScore;
  decide(input: CalibrationInput): HomeDecision;
};

export type HomeMethod = {
  readonly name: string;
  /** One sentence for reports. */
  readonly meaning: string;
  /** It says "one of these" where it does not tell device models apart. */
  readonly namesGroups: boolean;
  /** Homes without the device model decide how strong is strong enough, so that there is a promise to keep. */
  readonly isCalibrated: boolean;
  learn(context: LearnContext, windows: Pick<WindowOptions, 'windowMs' | 'bucketMs'>): FittedMethod;
};
