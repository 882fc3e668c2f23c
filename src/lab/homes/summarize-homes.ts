/** From trials to figures: seeds are joined, device models averaged, shares get their bounds. */
import { Random } from '#base';
import { budgetDays, clopperPearsonUpper, type FalseAlarmBudget } from '#verdict';
import { mean } from '../evaluate/means.ts';
import type { BaseRate, HomesCurve, HomesOverall, HomesResult, LibraryPoint, LookPoint } from './homes-report.ts';
import { curveMinutes, resultMinutes } from './homes-report.ts';
import type { TrialOutcome } from './home-trial.ts';
import type { MethodOutcome } from './judge-method.ts';
import type { HomeMethod } from '../baseline/home-method.ts';

/** One method in one trial. */
type Outcome = MethodOutcome & Pick<TrialOutcome, 'deviceModel' | 'seed' | 'libraryShare' | 'units'>;

/** Null homes of one trial, and those that are found. */
type Alarms = Pick<MethodOutcome, 'nullHomes' | 'falseAlarms'>;

const resampleCount = 1_000;
const confidence = 0.95;
const homesOfBaseRate = 1_000_000;
const ownerships: readonly number[] = [0.1, 0.01, 0.001];

export function listOutcomes(trials: readonly TrialOutcome[]): Outcome[] {
  return trials.flatMap(({ methods, ...trial }) => methods.map((method) => ({ ...method, ...trial })));
}

/** A result for each method, device model and time, in the order of methods, then device models. */
export function summarizeResults(
  outcomes: readonly Outcome[], methods: readonly HomeMethod[], budget: FalseAlarmBudget,
): HomesResult[] {
  return methods.flatMap((method) => {
    const models = Map.groupBy(outcomes.filter((outcome) => outcome.method === method.name),
      ({ deviceModel }) => deviceModel);
    return [...models].flatMap(([deviceModel, seeds]) => resultMinutes.map((windowMinutes) =>
      summarizeSeeds(seeds, { method, deviceModel, windowMinutes, budget })));
  });
}

type Row = {
  readonly method: HomeMethod;
  readonly deviceModel: string;
  readonly windowMinutes: number;
  readonly budget: FalseAlarmBudget;
};

function summarizeSeeds(seeds: readonly Outcome[], { method, deviceModel, windowMinutes, budget }: Row): HomesResult {
  const horizon = curveMinutes.indexOf(windowMinutes);
  const promisedFpr = method.isCalibrated ? budget.perMonth / budgetDays : null;
  const positiveHomes = sum(seeds, (seed) => seed.positiveHomes);
  const group = commonGroup(seeds);
  const unfit = countUnfit(seeds);
  const isUnfit = 2 * seeds.filter((seed) => seed.unfit !== undefined).length > seeds.length;
  return {
    method: method.name, deviceModel, windowMinutes, promisedFpr, ...measureFpr(seeds),
    tpr: sum(seeds, ({ found }) => found[horizon] ?? 0) / positiveHomes, positiveHomes, group,
    verdict: isUnfit ? 'unfit' : group.length > 0 ? 'one of' : 'present',
    tprAtFixedFpr: sum(seeds, ({ foundAtFixedFpr }) => foundAtFixedFpr[horizon] ?? 0) / positiveHomes,
    seeds: seeds.length,
    seedsWithinPromise: promisedFpr === null ? 0 : seeds.filter((seed) => isWithin(seed, promisedFpr)).length, unfit,
  };
}

/** Of a day. */
function falseAlarmsOf({ falseAlarms }: Alarms): number {
  return falseAlarms.at(-1) ?? 0;
}

/** As few false alarms or fewer would be seen in more than one of twenty cases if the promise were kept just so. */
function isWithin(outcome: Outcome, promisedFpr: number): boolean {
  const { nullHomes } = outcome;
  if (nullHomes === 0) return true;
  const others = nullHomes - falseAlarmsOf(outcome);
  const lower = 1 - clopperPearsonUpper(others, nullHomes, confidence);
  return falseAlarmsOf(outcome) === 0 || lower <= promisedFpr;
}

/**
 * The share of null home-days that are found. Its bound is the larger of the exact one over homes, and of what seeds
 * drawn anew show: homes of one seed are made of the same few units, and are no independent trials.
 */
export function measureFpr(seeds: readonly Alarms[]): Pick<HomesResult, 'measuredFpr' | 'fprUpper95' | 'nullHomes'> {
  const nullHomes = sum(seeds, (seed) => seed.nullHomes);
  const falseAlarms = sum(seeds, falseAlarmsOf);
  if (nullHomes === 0) return { measuredFpr: Number.NaN, fprUpper95: 1, nullHomes };
  const random = new Random(seeds.length);
  const resampled = Float64Array.from({ length: resampleCount }, () => {
    const drawn = seeds.map(() => random.pick(seeds));
    return sum(drawn, falseAlarmsOf) / Math.max(1, sum(drawn, (seed) => seed.nullHomes));
  }).sort();
  return {
    measuredFpr: falseAlarms / nullHomes,
    fprUpper95: Math.max(clopperPearsonUpper(falseAlarms, nullHomes, confidence),
      resampled[Math.ceil(resampleCount * confidence) - 1] as number),
    nullHomes,
  };
}

/** Device models that are in the group of at least half of the seeds. */
function commonGroup(seeds: readonly Outcome[]): string[] {
  const names = [...new Set(seeds.flatMap(({ group }) => group))].sort();
  const common = names.filter((name) => 2 * seeds.filter(({ group }) => group.includes(name)).length >= seeds.length);
  return common.length > 1 ? common : [];
}

function countUnfit(seeds: readonly Outcome[]): Record<string, number> {
  const reasons = Map.groupBy(seeds.flatMap(({ unfit }) => unfit ?? []), (reason) => reason);
  return Object.fromEntries([...reasons].sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, of]) => [reason, of.length]));
}

/** Home-days without the device model, of all device models together. */
export function summarizeOverall(outcomes: readonly Outcome[], methods: readonly HomeMethod[]): HomesOverall[] {
  return methods.map(({ name }) => ({ method: name, ...measureFpr(outcomes.filter(({ method }) => method === name)) }));
}

/** Means over device models, each the mean of its seeds. */
export function summarizeCurves(outcomes: readonly Outcome[], methods: readonly HomeMethod[]): HomesCurve[] {
  return methods.map(({ name }) => {
    const models = [...Map.groupBy(outcomes.filter(({ method }) => method === name),
      ({ deviceModel }) => deviceModel).values()];
    const curve = (read: (outcome: Outcome) => readonly number[]): number[] => curveMinutes.map((_, horizon) =>
      mean(models.map((seeds) => sum(seeds, (seed) => read(seed)[horizon] ?? 0) /
        sum(seeds, ({ positiveHomes }) => positiveHomes))) ?? Number.NaN);
    return { method: name, tpr: curve(({ found }) => found), tprAtFixedFpr: curve((one) => one.foundAtFixedFpr) };
  });
}

/** Of each method and share of the library, all device models and seeds together; the smallest library first. */
export function summarizeLibrary(outcomes: readonly Outcome[], methods: readonly HomeMethod[]): LibraryPoint[] {
  const hour = curveMinutes.indexOf(60);
  return methods.flatMap(({ name }) => {
    const shares = Map.groupBy(outcomes.filter(({ method }) => method === name), ({ libraryShare }) => libraryShare);
    return [...shares].sort(([a], [b]) => a - b).map(([libraryShare, trials]) => ({
      method: name, libraryShare, libraryUnits: sum(trials, ({ units }) => units.library) / trials.length,
      ...measureFpr(trials), abstains: trials.filter(({ unfit }) => unfit !== undefined).length / trials.length,
      tprHour: sum(trials, ({ found }) => found[hour] ?? 0) / sum(trials, ({ positiveHomes }) => positiveHomes),
    }));
  });
}

/** Of each method, calibration and interval between looks, all device models and seeds together. */
export function summarizeLooks(outcomes: readonly Outcome[]): LookPoint[] {
  const looks = outcomes.flatMap(({ method, looks: counts }) => counts.map((count) => ({ method, ...count })));
  const ways = Map.groupBy(looks, ({ method, calibratedOn, promisedFpr, lookMinutes }) =>
    JSON.stringify([method, calibratedOn, promisedFpr, lookMinutes]));
  return [...ways.values()].flatMap((counts) => {
    const [first] = counts;
    if (first === undefined) return [];
    const { method, calibratedOn, promisedFpr, lookMinutes } = first;
    const alarms = counts.map(({ nullHomes, falseAlarms }) => ({ nullHomes, falseAlarms: [falseAlarms] }));
    return [{ method, calibratedOn, promisedFpr, lookMinutes, ...measureFpr(alarms) }];
  });
}

/** What a day among a million homes would be like, by the means over device models. */
export function summarizeBaseRates(results: readonly HomesResult[], methods: readonly HomeMethod[]): BaseRate[] {
  return methods.flatMap(({ name }) => {
    const days = results.filter(({ method, windowMinutes }) =>
      method === name && windowMinutes === resultMinutes.at(-1));
    const meanOf = (read: (result: HomesResult) => number): number => mean(days.map(read)) ?? Number.NaN;
    return ownerships.map((ownership) => ({
      method: name, ownership,
      rightAlarms: homesOfBaseRate * ownership * meanOf(({ tpr }) => tpr),
      falseAlarms: homesOfBaseRate * (1 - ownership) * meanOf(({ measuredFpr }) => measuredFpr),
      falseAlarmsUpper: homesOfBaseRate * (1 - ownership) * meanOf(({ fprUpper95 }) => fprUpper95),
    }));
  });
}

function sum<T>(items: readonly T[], read: (item: T) => number): number {
  return items.reduce((total, item) => total + read(item), 0);
}
