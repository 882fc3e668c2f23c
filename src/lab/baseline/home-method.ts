/**
 * The contract of a method that says whether a home has a device model: it learns from the device model's own training
 * part and a library of other units, gives each flow at most one token, or each packet, and a window of tokens a score.
 * What it is calibrated with are homes of other units than those of the library; what it is tested with, of others
 * again.
 */
import type { OwnFlows } from '#classifier/train';
import type { FlowBatch } from '#flow';
import type { Classifier } from '#score';
import type { FalseAlarmBudget } from '#verdict';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import type { Parts } from '../calibrate/calibrate-classifier.ts';
import type { FlowTokens, WindowOptions, WindowScore } from '../homes/home-windows.ts';
import type { LabWorld } from '../homes/lab-world.ts';
import type { Recording } from '../homes/recording.ts';
import type { DeviceTrace } from './device-trace.ts';
import type { TermTokens } from './trace-terms.ts';
import type { WorldTraces } from './world-traces.ts';

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

/** What whoever runs a method must see of a home, from the least to the most. */
export type Sight = 'flow records' | 'names asked for' | 'packet headers';

/** What reports say of a method. */
export type MethodFacts = {
  readonly name: string;
  /** One sentence for reports. */
  readonly meaning: string;
  /** Publication, by authors and year; `natlens` for what is ours. */
  readonly source: string;
  readonly sees: Sight;
  /** What that tells of the people in a home beyond the verdict, in a sentence. */
  readonly privacy: string;
  /** It says "one of these" where it does not tell device models apart. */
  readonly namesGroups: boolean;
  /** Homes without the device model decide how strong is strong enough, so that there is a promise to keep. */
  readonly isCalibrated: boolean;
  /** Evidence as detectors collect it, or a variant of it: no rival of ours. */
  readonly isOurs?: true;
};

export type Windows = Pick<WindowOptions, 'windowMs' | 'bucketMs'>;

export type Fitted = {
  /** Length of its windows, a multiple of a bucket; undefined: that of evidence. */
  readonly windowMs?: number;
  readonly createScore: () => WindowScore;
  decide(input: CalibrationInput): HomeDecision;
};

/** Learned from flows, and judges flows. */
export type FittedFlows = Fitted & {
  /** [row of the unit's flows]: token, or `noToken`. */
  readonly tokensOf: (unit: LabUnit) => Uint32Array;
};

/** Learned from packets, and judges packets. */
export type FittedPackets = Fitted & {
  /** Packets of a unit that show a token, ascending in time. @param trace  of the unit; read only */
  readonly eventsOf: (trace: DeviceTrace, unit: LabUnit) => TermTokens;
};

export type FittedMethod = FittedFlows | FittedPackets;

export type FlowMethod = MethodFacts & {
  readonly sees: 'flow records';
  learn(context: LearnContext, windows: Windows): FittedFlows;
};

export type PacketMethod = MethodFacts & {
  readonly sees: Exclude<Sight, 'flow records'>;
  /** @param traces  of all units of the world; it looks at those of the library and at training parts of own units */
  learn(context: LearnContext, windows: Windows, traces: WorldTraces): FittedPackets;
};

/** Looks at packets, and judges flows by them: tokens count when flows end, as those of a `FlowMethod` do. */
export type VetoMethod = MethodFacts & {
  readonly sees: 'packet headers';
  /** @param traces  as `PacketMethod` has them */
  learn(context: LearnContext, windows: Windows, traces: WorldTraces): FittedFlows;
};

export type HomeMethod = FlowMethod | PacketMethod | VetoMethod;

/** What detectors see: conversations, without their content. */
export const flowPrivacy = 'Addresses and ports that a home talks to, when, and how much.';

/** What methods of names see. */
export const namePrivacy =
  'Names that everybody in a home asks for: sites that people visit, apps that they use, when.';

export function factsOf(
  { name, meaning, source, sees, privacy, namesGroups, isCalibrated, isOurs }: MethodFacts,
): MethodFacts {
  return {
    name, meaning, source, sees, privacy, namesGroups, isCalibrated, ...(isOurs === undefined ? {} : { isOurs }),
  };
}
