/**
 * Calibrates one classifier on composed homes: which device models it cannot tell from its own, how strong home-days
 * without any of them get, from what score on it therefore decides, and, in homes of units that took no part, how often
 * that is wrong and how soon it is right. What is written into the artifact is the outcome, and only that.
 */
import { OperatorError, Random } from '#base';
import {
  budgetDays, countHomeDays, createDecisionRule, estimateFieldNull, mergeNullTables, type Calibration,
  type CalibrationCard, type DecisionRule, type DetectionRate, type FalseAlarmBudget, type FieldNull, type NullSource,
  type NullTable, type StratumRule, type UncalibratedCode,
} from '#verdict';
import { composeHomeWith, dayMs } from '../homes/compose-homes.ts';
import { createWeightSum } from '../baseline/window-scores.ts';
import { ownFloorOf, ownWindowScores } from '../homes/own-windows.ts';
import type { Recording } from '../homes/recording.ts';
import { assignRoles, type RoleOptions, type UnitRole } from '../homes/roles.ts';
import type { CalibrationUnit, ClassifierTokens, UnitRecordings } from './calibration-units.ts';
import { byDeviceModel, findSuspects, groupShare, measureConfusers, type ConfuserRate } from './find-confusers.ts';
import { countNullHomes, HomeMeter, measureFalseAlarms, type MeasuredRate } from './null-homes.ts';

export type CalibrateOptions = {
  readonly seed: number;
  readonly windowMs: number;
  readonly bucketMs: number;
  readonly budget: FalseAlarmBudget;
  readonly expiresMs: number;
  /** Home-days of the null table, those that test it, and homes with the device model. */
  readonly nullHomes: number;
  readonly testHomes: number;
  readonly positiveHomes: number;
  /** Days of each other device model that are looked at to find out whom it is taken for. */
  readonly confuserDays: number;
  /** Units that roles give to the background library take part: the library was of other units than these. */
  readonly usesLibrary: boolean;
  /** Home-days of a field sketch: of homes of which nobody knows who owns what. */
  readonly field?: NullTable | undefined;
};

export const calibrateDefaults = {
  nullHomes: 40_000, testHomes: 20_000, positiveHomes: 1_000, confuserDays: 200,
} as const;

export type CalibrationOutcome = {
  readonly calibration: Calibration;
  /** Units that calibrated and that tested. */
  readonly calibrationUnits: number;
  readonly testUnits: number;
  /** Windows of the device model alone that the floor comes from. */
  readonly ownWindows: number;
  /** The rate that was measured, and whether it may be the one promised: no, when the lower bound is above it. */
  readonly measured: MeasuredRate;
  readonly keepsPromise: boolean;
  /** Why it never decides, and how it decides on homes of each activity. */
  readonly uncalibrated: UncalibratedCode | undefined;
  readonly strata: readonly StratumRule[];
  /**
   * The rate of false alarms if of the group only those were known that did not test: what a device model that nobody
   * knows may do. `newcomers` are of the group and of the units that test.
   */
  readonly unknown: MeasuredRate & { readonly newcomers: readonly string[] };
  /** What became of the field's home-days; undefined: there were none. */
  readonly field: FieldNull | undefined;
};

/** After so many minutes a card says how many homes are found. */
const horizonsMinutes: readonly number[] = [10, 60, 360, 1_440];
/** Units that homes without the device model are made of at least, for each role. */
const unitsMin = 3;
/** Home-days that a share of one in so many needs, and three times as many for a bound. */
const boundFactor = 3;
/** Confusers on a card: a home now and then is no confusion. */
const shownShare = 0.01;

/**
 * @param deviceModel  of the classifier
 * @param units        of all device models; those of its own show what it looks like
 * @throws OperatorError  there are no units of the device model, or too few others
 */
export function calibrateClassifier(
  deviceModel: string, tokens: ClassifierTokens, units: readonly UnitRecordings[], options: CalibrateOptions,
): CalibrationOutcome {
  const { seed } = options;
  const randomOf = (purpose: number): Random => new Random(Math.imul(seed, 0x9e37_79b1) ^ purpose);
  const parts = dealUnits(deviceModel, units, options);
  const meter = new HomeMeter(tokens, options);
  const { ownFloor, ownWindows } = measureOwn(deviceModel, tokens, parts.own, options);
  const group = learnGroup(meter, parts, { ownFloor, options, randomOf });
  const field = options.field === undefined ? undefined : estimateFieldNull(options.field, ownFloor);
  const nullTable = field === undefined ? group.nullTable : mergeNullTables(group.nullTable, field.table);
  const { rule, uncalibrated, strata } = decide(nullTable, ownFloor, options);
  const others = group.confusers.filter(({ rate }) => rate >= groupShare)
    .filter(({ deviceModel: name }) => parts.iot.has(name)).map(({ deviceModel: name }) => name);
  const testOf = (left: ReadonlySet<string>): Recording[] => parts.test
    .filter(({ unit }) => !left.has(unit.deviceModel)).flatMap(({ whole }) => whole ?? []);
  const test = testOf(new Set(others));
  if (test.length === 0) throw tooFew(deviceModel, 'test', 0);
  const measured = measureFalseAlarms(meter, test, rule, options.testHomes, randomOf(4));
  const newcomers = others.filter((name) => !group.learned.includes(name));
  const unknown = newcomers.length === 0 ? measured
    : measureFalseAlarms(meter, testOf(new Set(group.learned)), rule, options.testHomes, randomOf(4));
  const detection = measureDetection(tokens, parts.own, test, { rule, options, random: randomOf(5) });
  const card: CalibrationCard = {
    sources: sourcesOf(group.nullUnits, field), promisedFpr: options.budget.perMonth / budgetDays,
    measuredFpr: measured.rate, fprUpper95: measured.upper95, testHomeDays: measured.homeDays,
    nullUnits: group.nullUnits.length, detection,
    confusers: group.confusers.filter(({ rate }) => rate >= shownShare),
  };
  return {
    calibration: {
      windowMs: options.windowMs, bucketMs: options.bucketMs, nullTable, ownFloor, expiresMs: options.expiresMs, card,
      group: others.length === 0 ? [] : [deviceModel, ...others].sort(),
    },
    calibrationUnits: group.nullUnits.length, testUnits: test.length, ownWindows,
    measured, keepsPromise: measured.lower95 <= card.promisedFpr,
    uncalibrated: uncalibrated ?? findUnreachable(strata, tokens.weights),
    strata: strata.map(({ activity, homeDays, activityMax, presentScore }) =>
      ({ activity, homeDays, activityMax, presentScore })),
    unknown: { ...unknown, newcomers }, field,
  };
}

export type Parts = {
  readonly own: readonly UnitRecordings[];
  readonly library: readonly UnitRecordings[];
  readonly calibration: readonly UnitRecordings[];
  readonly test: readonly UnitRecordings[];
  /** Names of device models that are no people's machines. */
  readonly iot: ReadonlySet<string>;
};

/** Who takes part in what, the same for the same units and seed. */
function dealUnits(deviceModel: string, units: readonly UnitRecordings[], { seed, usesLibrary }: CalibrateOptions):
Parts {
  const roles = assignAll(units.map(({ unit }) => unit), { deviceModel, seed });
  const ofRole = (role: UnitRole): UnitRecordings[] => units.filter(({ unit }) => roles.get(unit.device) === role);
  const library = ofRole('library');
  const calibration = usesLibrary ? [...ofRole('calibration'), ...library] : ofRole('calibration');
  const test = ofRole('test');
  for (const [name, members] of [['calibrate', calibration], ['test', test]] as const) {
    if (members.length < unitsMin) throw tooFew(deviceModel, name, members.length);
  }
  return {
    own: units.filter(({ unit }) => unit.deviceModel === deviceModel), library: usesLibrary ? [] : library,
    calibration, test,
    iot: new Set(units.filter(({ unit }) => unit.kind === 'iot').map(({ unit }) => unit.deviceModel)),
  };
}

/** Units beside the data set have the role of their device model there, or are dealt among themselves. */
function assignAll(units: readonly CalibrationUnit[], options: RoleOptions): ReadonlyMap<string, UnitRole> {
  const dataset = units.filter(({ isExtra }) => isExtra !== true);
  const roles = new Map(assignRoles(dataset, options));
  const roleOf = new Map(dataset.map(({ device, deviceModel }) => [deviceModel, roles.get(device)]));
  const extra = units.filter(({ isExtra }) => isExtra === true);
  const dealt = assignRoles(extra.filter(({ deviceModel }) => !roleOf.has(deviceModel)), options);
  for (const { device, deviceModel } of extra) {
    const role = dealt.get(device) ?? roleOf.get(deviceModel);
    if (role !== undefined) roles.set(device, role);
  }
  return roles;
}

function tooFew(deviceModel: string, purpose: string, count: number): OperatorError {
  return new OperatorError('bad-option', `For ${deviceModel} there are ${count} units of other device models left ` +
    `that ${purpose}, and it takes ${unitsMin}: give flows of more devices, or --simulate.`);
}

/** How strong the device model's own windows are; validation, as training made the tokens. */
function measureOwn(
  deviceModel: string, tokens: ClassifierTokens, own: readonly UnitRecordings[], options: CalibrateOptions,
): { ownFloor: number; ownWindows: number } {
  const recordings = own.flatMap(({ validation }) => validation ?? []);
  if (recordings.length === 0) {
    throw new OperatorError('input-empty', `There are no validation flows of ${deviceModel}: how strong its own ` +
      'windows are must be known, so give flows of it that no test needs.');
  }
  const scores = ownWindowScores(recordings.map((recording) => ({ recording, tokens: tokens.tokensOf(recording) })),
    createWeightSum(tokens.weights), options);
  const ownFloor = ownFloorOf(scores, tokens.weights);
  if (Number.isFinite(ownFloor)) return { ownFloor, ownWindows: scores.length };
  throw new OperatorError('input-empty', `No flow of ${deviceModel} shows a token of its classifier: it is not the ` +
    'classifier of these flows.');
}

type LearnOptions = {
  readonly ownFloor: number;
  readonly options: CalibrateOptions;
  readonly randomOf: (purpose: number) => Random;
};

type Learned = {
  readonly nullTable: NullTable;
  readonly nullUnits: readonly UnitRecordings[];
  /** Of all device models, with the rate in their homes; the highest first. */
  readonly confusers: readonly ConfuserRate[];
  /** Those of the group that are not of units that test. */
  readonly learned: readonly string[];
};

/**
 * Who is taken for the device model, and the null table without them. Suspects are left out at first; those whose homes
 * the rule then tells from its own come back into the table.
 */
export function learnGroup(meter: HomeMeter, parts: Parts, { ownFloor, options, randomOf }: LearnOptions): Learned {
  const { confuserDays: days, nullHomes: count, budget } = options;
  const models = byDeviceModel([...parts.library, ...parts.calibration, ...parts.test]);
  const known = byDeviceModel([...parts.library, ...parts.calibration]);
  const suspects = findSuspects(meter, models, ownFloor, days, randomOf(1)).filter((name) => parts.iot.has(name));
  const homeDaysMin = Math.ceil(budgetDays / budget.perMonth * (budget.confidence === undefined ? 1 : boundFactor));
  // More than the budget asks for: where several classifiers decide on one device model, each has a part of it.
  const stratumMin = Math.max(homeDaysMin, Math.ceil(count / 2));
  const build = (left: readonly string[]): { table: NullTable; units: UnitRecordings[]; rates: ConfuserRate[] } => {
    const units = parts.calibration.filter(({ unit, whole }) =>
      whole !== undefined && !left.includes(unit.deviceModel));
    const recordings = units.flatMap(({ whole }) => whole ?? []);
    if (recordings.length === 0) throw tooFew(parts.own[0]?.unit.deviceModel ?? '', 'calibrate', 0);
    const table = countNullHomes(meter, recordings, { count, stratumMin }, randomOf(2));
    const { rule } = decide(table, ownFloor, options);
    return { table, units, rates: measureConfusers(meter, models, recordings, { rule, days }, randomOf(3)) };
  };
  const isOfGroup = (rates: readonly ConfuserRate[], name: string): boolean =>
    rates.some(({ deviceModel, rate }) => deviceModel === name && rate >= groupShare);
  const first = build(suspects);
  const confirmed = suspects.filter((name) => isOfGroup(first.rates, name));
  const { table, units, rates } = confirmed.length === suspects.length ? first : build(confirmed);
  return {
    nullTable: table, nullUnits: units, confusers: rates,
    learned: [...known.keys()].filter((name) => parts.iot.has(name) && isOfGroup(rates, name)),
  };
}

function decide(nullTable: NullTable, ownFloor: number, { budget }: Pick<CalibrateOptions, 'budget'>):
ReturnType<typeof createDecisionRule> {
  // Before any expiry: what is measured is the rule, not its date.
  return createDecisionRule({ nullTable, ownFloor, group: [], expiresMs: Infinity }, budget, 0);
}

/** A score that all tokens together do not reach is none that decides. */
function findUnreachable(strata: readonly StratumRule[], weights: readonly number[]): UncalibratedCode | undefined {
  const most = weights.reduce((sum, weight) => sum + weight, 0);
  return strata.every(({ presentScore }) => presentScore > most) ? 'not-separable' : undefined;
}

type DetectionOptions = {
  readonly rule: DecisionRule; readonly options: CalibrateOptions; readonly random: Random;
};

/** How soon homes with the device model are found: its test part among units that took no part. */
function measureDetection(
  tokens: ClassifierTokens, own: readonly UnitRecordings[], others: readonly Recording[],
  { rule, options, random }: DetectionOptions,
): DetectionRate[] {
  const recordings = own.flatMap(({ test }) => test ?? []);
  if (recordings.length === 0) return [];
  const meter = new HomeMeter(tokens, options, horizonsMinutes.map((minutes) => minutes * 60_000));
  const found = horizonsMinutes.map(() => 0);
  for (let i = 0; i < options.positiveHomes; i++) {
    const home = composeHomeWith(recordings, others, { lengthMs: dayMs, leadMs: options.windowMs }, random);
    const presentScore = rule.presentScoreOf(home.flowsADay);
    for (const [horizon, score] of meter.measure(home).entries()) {
      if (score >= presentScore) found[horizon] = (found[horizon] as number) + 1;
    }
  }
  return horizonsMinutes.map((minutes, horizon) => ({
    minutes, rate: (found[horizon] as number) / Math.max(1, options.positiveHomes), homes: options.positiveHomes,
  }));
}

function sourcesOf(units: readonly UnitRecordings[], field: FieldNull | undefined): NullSource[] {
  const found = new Set<NullSource>(units.map(({ unit }) => unit.source));
  if (field !== undefined && countHomeDays(field.table) > 0) found.add('field');
  return nullSources.filter((source) => found.has(source));
}

const nullSources: readonly NullSource[] = ['lab', 'simulator', 'field'];

/** A calibration with home-days of the field beside its own. The card keeps what was measured before. */
export function addFieldNull(calibration: Calibration, sketched: NullTable):
{ readonly calibration: Calibration; readonly field: FieldNull } {
  const { card, ownFloor, nullTable } = calibration;
  const field = estimateFieldNull(sketched, ownFloor);
  if (countHomeDays(field.table) === 0) return { calibration, field };
  return {
    field,
    calibration: {
      ...calibration, nullTable: mergeNullTables(nullTable, field.table),
      card: { ...card, sources: nullSources.filter((source) => source === 'field' || card.sources.includes(source)) },
    },
  };
}
