/**
 * One trial: a device model, a seed and a share of the library. Roles are dealt, the classifier is trained, homes are
 * composed once, and every method learns, calibrates and is tested on the same ones.
 */
import { assertInvariant, OperatorError, Random } from '#base';
import { fitClassifier, TrainingFlows, type FitOptions } from '#classifier/train';
import { findCatalog } from '#feature';
import type { FlowBatch } from '#flow';
import { Scorer, type AlgorithmName, type Classifier } from '#score';
import type { FalseAlarmBudget } from '#verdict';
import type { Parts } from '../calibrate/calibrate-classifier.ts';
import type { UnitRecordings } from '../calibrate/calibration-units.ts';
import { knownNeeds, type LabUnit } from '../evaluate/lab-flows.ts';
import { composeHome, composeHomeWith, dayMs, type ComposedHome, type ComposeOptions } from './compose-homes.ts';
import { judgeMethod, type JudgeOptions, type MethodOutcome, type TrialHomes } from './judge-method.ts';
import { ownFlowsOf, type LabWorld, type WorldUnit } from './lab-world.ts';
import type {
  FittedMethod, HomeMethod, LearnContext, ScoredClassifier, Windows,
} from '../baseline/home-method.ts';
import type { Recording } from './recording.ts';
import { assignRoles, unitsOfRole, type UnitRole } from './roles.ts';

export type TrialTask = { readonly deviceModel: string; readonly seed: number; readonly libraryShare: number };

export type TrialOptions = {
  readonly methods: readonly HomeMethod[];
  readonly budget: FalseAlarmBudget;
  readonly windowMs: number;
  readonly bucketMs: number;
  /** Ascending; the last is a day. */
  readonly horizonsMs: readonly number[];
  /** Homes that calibrate, that test without the device model, and that test with it. */
  readonly calibrationHomes: number;
  readonly nullHomes: number;
  readonly positiveHomes: number;
  /** Device models of the whole data set may be in a group, as a lab knows those that it has. */
  readonly knowsAllModels: boolean;
  /** Methods that keep a budget of home-days are tried with more looks and fewer. */
  readonly countsLooks: boolean;
};

export type TrialOutcome = TrialTask & {
  readonly units: Readonly<Record<UnitRole, number>>;
  readonly methods: readonly MethodOutcome[];
};

/** A device model with the classifiers of one seed: they do not depend on the library. */
export type TrainedModel = Pick<LearnContext, 'deviceModel' | 'seed' | 'ownUnits' | 'own' | 'ours' | 'paper'>;

/**
 * @param trained  of the task's device model and seed
 * @throws OperatorError  there are too few units
 */
export function runTrial(
  world: LabWorld, trained: TrainedModel, task: TrialTask, options: TrialOptions,
): TrialOutcome {
  const roles = assignRoles(world.units, task);
  const ofRole = (role: UnitRole): WorldUnit[] => unitsOfRole(world.units, roles, role);
  const own = world.units.filter(({ deviceModel }) => deviceModel === task.deviceModel);
  const units = { library: ofRole('library'), calibration: ofRole('calibration'), test: ofRole('test') };
  const context: LearnContext = { ...trained, world, library: units.library.map(({ unit }) => unit) };
  const homes = composeHomes(world, task, { own, ...units, options });
  const judging: JudgeOptions = {
    ...options, seed: task.seed, unitOf: new Map(world.units.map((unit) => [unit.device, unit])),
    units: partsOf({ own, ...units, test: options.knowsAllModels ? units.test : [] }), traces: world.traces,
  };
  return {
    ...task,
    units: { library: units.library.length, calibration: units.calibration.length, test: units.test.length },
    methods: options.methods.map((method) => {
      const fitted = learnMethod(method, context, options);
      const countsLooks = options.countsLooks && method.isCalibrated;
      return { method: method.name, ...judgeMethod(fitted, method.isCalibrated, homes, { ...judging, countsLooks }) };
    }),
  };
}

/** A method that looks at packets needs a world with traces: `methodsFor` leaves it out of others. */
export function learnMethod(method: HomeMethod, context: LearnContext, windows: Windows): FittedMethod {
  if (method.sees === 'flow records') return method.learn(context, windows);
  const { traces } = context.world;
  assertInvariant(traces !== undefined, `${method.name} in a world without packets`);
  return method.learn(context, windows, traces);
}

function partsOf(units: Readonly<Record<UnitRole | 'own', readonly WorldUnit[]>>): Parts {
  const recordingsOf = (members: readonly WorldUnit[]): UnitRecordings[] => members.map(({ recordings }) => recordings);
  return {
    own: recordingsOf(units.own), library: recordingsOf(units.library), calibration: recordingsOf(units.calibration),
    test: recordingsOf(units.test),
    iot: new Set([...units.library, ...units.calibration, ...units.test].filter(({ kind }) => kind === 'iot')
      .map(({ deviceModel }) => deviceModel)),
  };
}

/** @throws OperatorError  there are too few flows of the device model, or they were recorded in different ways */
export function trainModel(
  world: LabWorld, deviceModel: string, { seed, natlensVersion }: Pick<FitOptions, 'seed' | 'natlensVersion'>,
): TrainedModel {
  const ownUnits = world.units.filter((unit) => unit.deviceModel === deviceModel).map(({ unit }) => unit);
  let paper: ScoredClassifier | undefined;
  const train = (kind: ClassifierKind): ScoredClassifier =>
    trainClassifier(ownUnits, kind, { deviceModel, seed, natlensVersion });
  return {
    deviceModel, seed, ownUnits, own: ownFlowsOf(ownUnits),
    ours: train({ algorithm: 'chow-liu-tree', catalog: 'portable' }),
    paper: () => paper ??= train({ algorithm: 'isolation-forest', catalog: 'paper' }),
  };
}

type ClassifierKind = { readonly algorithm: AlgorithmName; readonly catalog: string };

function trainClassifier(
  ownUnits: readonly LabUnit[], { algorithm, catalog: catalogName }: ClassifierKind,
  options: Pick<FitOptions, 'deviceModel' | 'seed' | 'natlensVersion'>,
): ScoredClassifier {
  const catalog = findCatalog(catalogName);
  const [needs, ...others] = ownUnits.map(({ device }) => knownNeeds(device));
  assertInvariant(catalog !== undefined && needs !== undefined, `no ${options.deviceModel}, or no ${catalogName}`);
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(needs))) {
    throw new OperatorError('bad-columns', `Units of ${options.deviceModel} were recorded with different timeouts: a ` +
      'classifier of both would know neither. Build a data set with one of them.');
  }
  const training = new TrainingFlows(catalog, { deviceModel: options.deviceModel });
  for (const { flows } of ownUnits) training.add(flows);
  const { classifier } = fitClassifier(training.split(), { ...options, needs, algorithm });
  return { classifier, anomalyScores: rememberScores(classifier) };
}

function rememberScores(classifier: Classifier): (batch: FlowBatch) => Float64Array {
  const scorer = new Scorer([classifier]);
  const known = new WeakMap<FlowBatch, Float64Array>();
  return (batch) => {
    const remembered = known.get(batch);
    if (remembered !== undefined) return remembered;
    const { anomalyScore: [scores] } = scorer.score(batch);
    assertInvariant(scores !== undefined, 'a classifier gave no scores');
    const copy = scores.slice(0, batch.rowCount);
    known.set(batch, copy);
    return copy;
  };
}

type HomeMembers = Readonly<Record<UnitRole | 'own', readonly WorldUnit[]>> & { readonly options: TrialOptions };

function composeHomes(world: LabWorld, { deviceModel, seed }: TrialTask, members: HomeMembers): TrialHomes {
  const { options } = members;
  const day: ComposeOptions = { lengthMs: dayMs, leadMs: options.windowMs };
  // A generator for each kind of homes: how many there are of one leaves the others alone.
  const randomOf = (kind: number): Random => new Random(Math.imul(seed, 0x9e37_79b1) ^ kind);
  const wholeOf = (units: readonly WorldUnit[], role: string): Recording[] => {
    const recordings = units.flatMap(({ recordings: { whole } }) => whole ?? []);
    if (recordings.length > 0) return recordings;
    throw new OperatorError('bad-option', `No unit is left for homes that ${role}: the data set has ` +
      `${world.units.length} units, and ${deviceModel} is looked for. It takes at least four other device models.`);
  };
  const repeat = (count: number, compose: () => ComposedHome): ComposedHome[] => Array.from({ length: count }, compose);
  const [calibration, test] = [wholeOf(members.calibration, 'calibrate'), wholeOf(members.test, 'test')];
  const own = members.own.flatMap(({ recordings: { test: part } }) => part ?? []);
  if (own.length === 0) throw new OperatorError('bad-option', `${deviceModel} has no test flows.`);
  const [calibrationRandom, nullRandom, ownRandom] = [1, 2, 3].map(randomOf) as
    [Random, Random, Random];
  return {
    calibration: repeat(options.calibrationHomes, () => composeHome(calibration, day, calibrationRandom)),
    without: repeat(options.nullHomes, () => composeHome(test, day, nullRandom)),
    with: repeat(options.positiveHomes, () => composeHomeWith(own, test, day, ownRandom)),
  };
}
