/**
 * What a method says about the homes of a trial: it is calibrated with one kind of them, and then counted in the
 * others. Scores of homes are worked out once and held against any threshold.
 */
import { assertInvariant } from '#base';
import type { FalseAlarmBudget } from '#verdict';
import type { Parts } from '../calibrate/calibrate-classifier.ts';
import type { ComposedHome } from './compose-homes.ts';
import { countLooks, type LookCount } from './count-looks.ts';
import { gatherTokens, HomeWindows, type FlowTokens, type WindowOptions, type WindowScore } from './home-windows.ts';
import type { WorldUnit } from './lab-world.ts';
import { decideConformally } from '../baseline/decide.ts';
import type { FittedMethod, HomeDecision, NullScores } from '../baseline/home-method.ts';
import { questionLeadMs } from '../baseline/home-trace.ts';
import type { WorldTraces } from '../baseline/world-traces.ts';
import type { Recording } from './recording.ts';

/** The homes of a trial, the same for every method. */
export type TrialHomes = {
  readonly calibration: readonly ComposedHome[];
  readonly without: readonly ComposedHome[];
  readonly with: readonly ComposedHome[];
};

export type MethodOutcome = {
  readonly method: string;
  /** Device models that are not told apart, the one looked for among them; empty: it is told from all. */
  readonly group: readonly string[];
  /** Why it never says that the device model is there. */
  readonly unfit: string | undefined;
  /** Homes without any device model of the group, and [horizon] those of them where it is found by then. */
  readonly nullHomes: number;
  readonly falseAlarms: readonly number[];
  /** Homes with another of the group, and those in which it is found: as one of the group, which is right. */
  readonly groupHomes: number;
  readonly groupFound: number;
  /** Homes with the device model, and [horizon] those in which it is found by then. */
  readonly positiveHomes: number;
  readonly found: readonly number[];
  /** [horizon] the same at the score that no more than `fixedFpr` of the null home-days reach. */
  readonly foundAtFixedFpr: readonly number[];
  /** [horizon] the same at the score that none of them reaches. */
  readonly foundAtZeroFpr: readonly number[];
  /** Null homes of a day that are found, and [horizon] homes with it, where homes that calibrate set the score. */
  readonly calibrated: { readonly falseAlarms: number; readonly found: readonly number[] };
  /** The null homes once more, by how often one looks; empty: it was not asked for. */
  readonly looks: readonly LookCount[];
};

/** Share of null home-days at which methods are compared, whatever their calibration. */
export const fixedFpr = 0.003;

export type JudgeOptions = WindowOptions & {
  readonly seed: number;
  readonly budget: FalseAlarmBudget;
  /** As `CalibrationInput` has them. */
  readonly units: Parts;
  readonly unitOf: ReadonlyMap<string, WorldUnit>;
  readonly countsLooks: boolean;
  /** Of all units, for methods that look at packets. */
  readonly traces: WorldTraces | undefined;
};

/** [horizon]: strongest window by then. */
type Strongest = Float64Array;

/** @param isCalibrated  as the method says; another one is calibrated besides, to be compared */
export function judgeMethod(
  fitted: FittedMethod, isCalibrated: boolean, homes: TrialHomes, usual: JudgeOptions,
): Omit<MethodOutcome, 'method'> {
  const options = { ...usual, windowMs: fitted.windowMs ?? usual.windowMs };
  const { measure, tokensOf, score } = createMeasure(fitted, options);
  let ofCalibration: NullScores | undefined;
  const nullScores = (): NullScores => ofCalibration ??= Float64Array.from(measure(homes.calibration), ofDay).sort();
  const decision = fitted.decide({
    budget: options.budget, seed: options.seed, units: options.units, tokensOf, homeCount: homes.calibration.length,
    nullScores,
  });
  const calibrated = isCalibrated ? decision : decideConformally({ nullScores, budget: options.budget });
  const { group } = decision;
  const hasMember = ({ placements }: ComposedHome): boolean =>
    placements.some(({ recording: { unit } }) => group.includes(unit.deviceModel));
  const [withMember, nullHomes] = [homes.without.filter(hasMember), homes.without.filter((home) => !hasMember(home))];
  const [nullStrongest, ownStrongest] = [measure(nullHomes), measure(homes.with)];
  const countAbove = (share: number): number[] => {
    const bound = boundOf(nullStrongest, share);
    return options.horizonsMs.map((_, h) =>
      ownStrongest.filter((strongest) => (strongest[h] as number) > bound).length);
  };
  return {
    group, unfit: decision.unfit, nullHomes: nullHomes.length, positiveHomes: homes.with.length,
    falseAlarms: countFound(nullHomes, nullStrongest, decision),
    groupHomes: withMember.length, groupFound: countFound(withMember, measure(withMember), decision).at(-1) ?? 0,
    found: countFound(homes.with, ownStrongest, decision),
    foundAtFixedFpr: countAbove(fixedFpr), foundAtZeroFpr: countAbove(0),
    calibrated: {
      falseAlarms: countFound(nullHomes, nullStrongest, calibrated).at(-1) ?? 0,
      found: countFound(homes.with, ownStrongest, calibrated),
    },
    looks: options.countsLooks ? countLooks(nullHomes, { ...options, tokensOf, score, decision }) : [],
  };
}

type Measure = (homes: readonly ComposedHome[]) => Strongest[];

/** Tokens of a recording are gathered once, of a unit's flows or packets worked out once. */
function createMeasure(fitted: FittedMethod, options: JudgeOptions):
{ readonly measure: Measure; readonly tokensOf: (recording: Recording) => FlowTokens; readonly score: WindowScore } {
  const known = new Map<Recording, FlowTokens>();
  const gather = createGatherer(fitted, options.traces);
  const tokensOf = (recording: Recording): FlowTokens => {
    const remembered = known.get(recording);
    if (remembered !== undefined) return remembered;
    const { device } = recording.unit;
    const unit = options.unitOf.get(device);
    assertInvariant(unit !== undefined, `a home with an unknown unit ${device}`);
    const gathered = gather(recording, unit);
    known.set(recording, gathered);
    return gathered;
  };
  const score = fitted.createScore();
  const windows = new HomeWindows(options);
  const measure: Measure = (homes) => homes.map((home) => {
    const strongest = new Float64Array(options.horizonsMs.length);
    windows.measure(home, tokensOf, score, strongest);
    return strongest;
  });
  return { measure, tokensOf, score };
}

function createGatherer(fitted: FittedMethod, traces: WorldTraces | undefined):
(recording: Recording, unit: WorldUnit) => FlowTokens {
  if ('tokensOf' in fitted) {
    const ofUnit = new Map<WorldUnit, Uint32Array>();
    return (recording, unit) => {
      const tokens = ofUnit.get(unit) ?? fitted.tokensOf(unit.unit);
      ofUnit.set(unit, tokens);
      return gatherTokens(recording, tokens);
    };
  }
  assertInvariant(traces !== undefined, 'packets are judged, and there are none');
  const ofUnit = new Map<WorldUnit, FlowTokens>();
  return (_, unit) => {
    const known = ofUnit.get(unit);
    if (known !== undefined) return known;
    const { timeMs, token } = fitted.eventsOf(traces.traceOf(unit.unit, 'whole'), unit.unit);
    // Every recording of a unit looks into all of its packets, by time.
    const events: FlowTokens = { endMs: timeMs, token, leadMs: questionLeadMs };
    ofUnit.set(unit, events);
    return events;
  };
}

/** [horizon] homes in which it is found by then. */
function countFound(homes: readonly ComposedHome[], strongest: readonly Strongest[], decision: HomeDecision): number[] {
  const counts = new Array<number>(strongest[0]?.length ?? 0).fill(0);
  for (const [i, { flowsADay }] of homes.entries()) {
    for (const [h, score] of (strongest[i] as Strongest).entries()) {
      if (decision.isPresent(score, flowsADay)) counts[h] = (counts[h] as number) + 1;
    }
  }
  return counts;
}

/** The score that more than a share of the homes reach; what lies above it is found. */
function boundOf(strongest: readonly Strongest[], share: number): number {
  const descending = Float64Array.from(strongest, ofDay).sort().reverse();
  return Math.max(descending[Math.floor(share * descending.length)] ?? 0, 0);
}

function ofDay(strongest: Strongest): number {
  return strongest[strongest.length - 1] as number;
}
