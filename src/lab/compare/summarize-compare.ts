/** From trials to the table of methods: what each covers, how often it is right and wrong, and how soon. */
import { budgetDays, type FalseAlarmBudget } from '#verdict';
import { factsOf, type HomeMethod } from '../baseline/home-method.ts';
import { mean } from '../evaluate/means.ts';
import type { TrialOutcome } from '../homes/home-trial.ts';
import { curveMinutes, resultMinutes, type HomesCurve, type HomesResult } from '../homes/homes-report.ts';
import {
  listOutcomes, measureFpr, summarizeCurves, summarizeOverall, summarizeResults,
} from '../homes/summarize-homes.ts';
import type { CompareRow } from './compare-report.ts';

type Judged = ReturnType<typeof listOutcomes>[number];

export type CompareSummary = {
  readonly results: readonly HomesResult[];
  readonly rows: readonly CompareRow[];
  /** Device models that a method does not cover count as never found. */
  readonly curves: readonly HomesCurve[];
};

/** @param costs  [method]: milliseconds of one processor for a home and day */
export function summarizeCompare(
  trials: readonly TrialOutcome[], methods: readonly HomeMethod[], budget: FalseAlarmBudget,
  costs: ReadonlyMap<string, number>,
): CompareSummary {
  const outcomes = listOutcomes(trials);
  const results = summarizeResults(outcomes, methods, budget);
  const rows = methods.map((method): CompareRow => {
    const { name } = method;
    const ofMethod = results.filter((result) => result.method === name);
    const models = [...new Set(ofMethod.map(({ deviceModel }) => deviceModel))];
    const covered = new Set(ofMethod.filter(({ verdict }) => verdict !== 'unfit')
      .map(({ deviceModel }) => deviceModel));
    const judged = outcomes.filter((outcome) => outcome.method === name && covered.has(outcome.deviceModel));
    const [overall] = summarizeOverall(judged, [method]);
    const at = (minutes: number): HomesResult[] => ofMethod.filter(({ windowMinutes }) => windowMinutes === minutes);
    const foundAt = resultMinutes.map((minutes) =>
      mean(at(minutes).filter(({ deviceModel }) => covered.has(deviceModel)).map(({ tpr }) => tpr)));
    return {
      ...factsOf(method), covered: [...covered].sort(), coverage: covered.size / models.length,
      measuredFpr: judged.length === 0 ? null : overall?.measuredFpr ?? null,
      fprUpper95: judged.length === 0 ? null : overall?.fprUpper95 ?? null,
      nullHomes: overall?.nullHomes ?? 0,
      tpr: covered.size === 0 ? null : foundAt.map((tpr) => tpr ?? 0),
      foundAtFixedFpr: resultMinutes.map((minutes) => mean(at(minutes).map((result) =>
        covered.has(result.deviceModel) ? result.tprAtFixedFpr : 0)) ?? 0),
      foundAtZeroFpr: findShares(judged, models, ({ foundAtZeroFpr }) => foundAtZeroFpr),
      calibrated: {
        ...measureAlarms(judged), found: findShares(judged, models, ({ calibrated: { found } }) => found),
      },
      medianMinutes: findMedian(judged), cpuMsPerHomeDay: costs.get(name) ?? Number.NaN,
    };
  });
  const coveredBy = new Map(rows.map(({ name, covered }) => [name, new Set(covered)]));
  const found = outcomes.map((outcome) => coveredBy.get(outcome.method)?.has(outcome.deviceModel) === true ? outcome
    : { ...outcome, found: [], foundAtFixedFpr: [] });
  return { results, rows, curves: summarizeCurves(found, methods) };
}

/** [resultMinutes] means over device models of the share of homes that are found; 0 of those that are not judged. */
function findShares(
  judged: readonly Judged[], models: readonly string[], read: (outcome: Judged) => readonly number[],
): number[] {
  const byModel = Map.groupBy(judged, ({ deviceModel }) => deviceModel);
  return resultMinutes.map((minutes) => {
    const horizon = curveMinutes.indexOf(minutes);
    return mean(models.map((deviceModel) => {
      const seeds = byModel.get(deviceModel) ?? [];
      const found = seeds.reduce((sum, outcome) => sum + (read(outcome)[horizon] ?? 0), 0);
      return found / Math.max(1, seeds.reduce((sum, { positiveHomes }) => sum + positiveHomes, 0));
    })) ?? 0;
  });
}

function measureAlarms(judged: readonly Judged[]): Pick<CompareRow['calibrated'], 'measuredFpr' | 'fprUpper95'> {
  if (judged.length === 0) return { measuredFpr: null, fprUpper95: null };
  const { measuredFpr, fprUpper95 } = measureFpr(judged.map(({ nullHomes, calibrated: { falseAlarms } }) =>
    ({ nullHomes, falseAlarms: [falseAlarms] })));
  return { measuredFpr, fprUpper95 };
}

/** The first minute of the curves by which half of the homes are found. */
function findMedian(outcomes: readonly Judged[]): number | null {
  const homes = outcomes.reduce((sum, { positiveHomes }) => sum + positiveHomes, 0);
  return curveMinutes.find((_, horizon) => homes > 0 &&
    2 * outcomes.reduce((sum, { found }) => sum + (found[horizon] ?? 0), 0) >= homes) ?? null;
}

/** Found least: the least within a day; of those alike the one that takes longest. */
export function findWorstModel(results: readonly HomesResult[], method: string): string {
  const ofMethod = results.filter((result) => result.method === method);
  const tprOf = (deviceModel: string): number[] => resultMinutes.toReversed().map((minutes) => ofMethod.find((result) =>
    result.deviceModel === deviceModel && result.windowMinutes === minutes)?.tpr ?? 0);
  const models = [...new Set(ofMethod.map(({ deviceModel }) => deviceModel))];
  return models.sort((a, b) => compareRows(tprOf(a), tprOf(b)) || (a < b ? -1 : 1))[0] ?? '';
}

function compareRows(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : (a[at] as number) - (b[at] as number);
}

/** How many false alarms methods are compared at. */
type Level = { readonly says: string; readonly foundBy: (row: CompareRow) => readonly number[] };

/**
 * Who finds most at the same share of false alarms, in sentences: ours or another, and what that one saw of homes.
 *
 * @param ours  name of our method among the rows
 */
export function sayWinner(
  rows: readonly CompareRow[], ours: string, { fixedFpr, budget }: { readonly fixedFpr: number;
    readonly budget: FalseAlarmBudget },
): string[] {
  const own = rows.find(({ name }) => name === ours);
  if (own === undefined) return [];
  const others = rows.filter(({ isOurs }) => isOurs !== true);
  const levels: readonly Level[] = [
    { says: `At an FPR of ${fixedFpr} a home-day`, foundBy: (row) => row.foundAtFixedFpr },
    { says: 'Where no home-day without is found', foundBy: (row) => row.foundAtZeroFpr },
  ];
  const equal = others.length === 0 ? [] : levels.map(({ says, foundBy }) => {
    const parts = [60, 1_440].map((minutes) => {
      const at = resultMinutes.findIndex((minute) => minute === minutes);
      return `within ${minutes / 60} h ${sayLead(own, others, (row) => foundBy(row)[at] ?? 0)}`;
    });
    return `${says} (coverage times TPR): ${parts.join('; ')}.`;
  });
  return [sayKept(own, others, budget), ...equal];
}

function sayLead(own: CompareRow, others: readonly CompareRow[], shareOf: (row: CompareRow) => number): string {
  const [best, ...rest] = others.toSorted((a, b) => shareOf(b) - shareOf(a)) as [CompareRow, ...CompareRow[]];
  const level = rest.filter((row) => shareOf(row) === shareOf(best)).map(({ name }) => name);
  const lead = shareOf(own) - shareOf(best);
  const saw = best.sees === own.sees ? `both see ${own.sees}` : `it sees ${best.sees}, ours ${own.sees}`;
  const outcome = lead > 0 ? `ours leads by ${lead.toFixed(3)}` : lead === 0 ? 'nobody leads'
    : `ours does not win, and is behind by ${(-lead).toFixed(3)}: ${saw}`;
  return `${own.name} ${shareOf(own).toFixed(3)}, the best other, ${best.name} (${best.source}), ` +
    `${shareOf(best).toFixed(3)}${level.length === 0 ? '' : `, as ${level.join(', ')}`}: ${outcome}`;
}

/** Who keeps what is promised, when homes of other units than those that test set the score. */
function sayKept(own: CompareRow, others: readonly CompareRow[], { perMonth }: FalseAlarmBudget): string {
  const promise = perMonth / budgetDays;
  const hour = resultMinutes.indexOf(60);
  const keeps = ({ calibrated: { measuredFpr } }: CompareRow): boolean =>
    measuredFpr !== null && measuredFpr <= promise;
  const say = (row: CompareRow): string =>
    `${row.name} finds ${(row.calibrated.found[hour] ?? 0).toFixed(3)} within 1 h and ` +
    `${(row.calibrated.found.at(-1) ?? 0).toFixed(3)} within 24 h ` +
    `(FPR ${row.calibrated.measuredFpr?.toFixed(4) ?? '-'})`;
  const kept = others.filter(keeps).sort((a, b) =>
    (b.calibrated.found[hour] ?? 0) - (a.calibrated.found[hour] ?? 0));
  const [best] = kept;
  const broken = others.filter(({ calibrated: { measuredFpr } }) => measuredFpr !== null).length - kept.length;
  return `Where homes that calibrate set the score for an FPR of ${promise} a home-day, ` +
    `${say(own)}${keeps(own) ? '' : ', which is more than that'}; ` +
    `${best === undefined ? 'none of the others keeps it' : `of the others that keep it, ${say(best)}`}; ` +
    `${broken} break it.`;
}
