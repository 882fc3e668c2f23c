/**
 * Results of many seeds made into rows: one per device model, algorithm and catalog, and means over device models.
 * Every estimate keeps what it rests on: flows, seeds, an interval. Pure functions of the report's data.
 */
import type { ExperimentDetails, ExperimentReport, ExperimentResult, Rates } from '../evaluate/results.ts';
import type { MeanAndDeviation } from './published.ts';

/** A mean over seeds, with an interval where one can be given. */
export type Estimate = {
  readonly mean: number;
  readonly interval: readonly [number, number] | undefined;
};

export type PercentilePoint = { readonly p: number; readonly tpr: Estimate; readonly fpr: Estimate };

/** One device model under one algorithm and catalog, over all seeds. */
export type ModelRow = {
  readonly deviceModel: string;
  readonly seeds: number;
  readonly flows: ExperimentResult['flows'];
  /** Test flows of all other devices; undefined when the report does not say. */
  readonly otherFlows: number | undefined;
  readonly auc: Estimate;
  readonly defaultTpr: Estimate;
  readonly defaultFpr: Estimate;
  readonly p10Tpr: Estimate;
  readonly p10Fpr: Estimate;
  readonly percentiles: readonly PercentilePoint[];
  readonly fprAtTpr90: Estimate;
  readonly deviceMacroFpr: Estimate;
  readonly trainSeconds: Estimate;
  readonly artifactBytes: Estimate;
  /** Over the seeds with which it was detected at all. */
  readonly timeToDetectSeconds: Estimate;
  readonly homesAlarmedByOneFlow: Estimate;
  readonly confusers: ExperimentResult['confusers'];
  readonly unfit: readonly string[];
  /** Of the smallest seed that has any. */
  readonly details: ExperimentDetails | undefined;
};

/** An algorithm on a catalog. */
export type Contender = {
  readonly algorithm: string;
  readonly catalog: string;
  readonly label: string;
  readonly seeds: number;
  readonly rows: readonly ModelRow[];
};

/** The detector that natlens uses unless told otherwise. */
const defaultContender = { algorithm: 'chow-liu-tree', catalog: 'portable' };

/** The percentile whose threshold the paper recommends. */
export const recommendedPercentile = 10;

/** Contenders of a report: the default detector first, the paper's method next, then by name. */
export function summarizeContenders(report: ExperimentReport): Contender[] {
  const order = new Map(report.dataset.deviceModels.map(({ deviceModel, flows }) => [deviceModel, flows]));
  const groups = groupBy(report.results, ({ algorithm, catalog }) => `${algorithm} · ${catalog}`);
  const contenders = [...groups].map(([label, results]): Contender => {
    const [{ algorithm, catalog }] = results;
    const details = report.details.filter((one) => one.algorithm === algorithm && one.catalog === catalog);
    const rows = [...groupBy(results, ({ deviceModel }) => deviceModel)]
      .map(([deviceModel, ofModel]) =>
        summarizeModel(deviceModel, ofModel, details.filter((one) => one.deviceModel === deviceModel)))
      .sort((a, b) => (order.get(b.deviceModel) ?? 0) - (order.get(a.deviceModel) ?? 0) ||
        compareTexts(a.deviceModel, b.deviceModel));
    return { algorithm, catalog, label, seeds: new Set(results.map(({ seed }) => seed)).size, rows };
  });
  return contenders.sort((a, b) => rank(a) - rank(b) || compareTexts(a.label, b.label));
}

/** Is it the method of the paper? */
export function isPaperMethod({ algorithm, catalog }: Pick<Contender, 'algorithm' | 'catalog'>): boolean {
  return algorithm === 'isolation-forest' && catalog === 'paper';
}

function rank(contender: Contender): number {
  if (contender.algorithm === defaultContender.algorithm && contender.catalog === defaultContender.catalog) return 0;
  return isPaperMethod(contender) ? 1 : 2;
}

function summarizeModel(
  deviceModel: string, results: readonly ExperimentResult[], details: readonly ExperimentDetails[],
): ModelRow {
  const sorted = results.toSorted((a, b) => a.seed - b.seed);
  const first = sorted[0] as ExperimentResult;
  const detail = details.toSorted((a, b) => a.seed - b.seed)[0];
  const otherFlows = detail === undefined ? undefined : detail.otherScores.reduce((sum, count) => sum + count, 0);
  const over = (of: (result: ExperimentResult) => number): Estimate => spread(sorted.map(of));
  const share = (of: (result: ExperimentResult) => number | undefined, flows: number | undefined): Estimate => {
    const center = mean(sorted.map((result) => of(result) ?? Number.NaN));
    return { mean: center, interval: flows === undefined ? undefined : wilsonInterval(center, flows) };
  };
  const own = first.flows.test;
  const at = (result: ExperimentResult, p: number): Rates | undefined =>
    result.percentiles.find((point) => point.p === p);
  return {
    deviceModel, seeds: sorted.length, flows: first.flows, otherFlows, details: detail,
    auc: {
      mean: mean(sorted.map(({ auc }) => auc)),
      interval: [Math.min(...sorted.map(({ aucInterval }) => aucInterval[0])),
        Math.max(...sorted.map(({ aucInterval }) => aucInterval[1]))],
    },
    defaultTpr: share((result) => result.default.tpr, own),
    defaultFpr: share((result) => result.default.fpr, otherFlows),
    p10Tpr: share((result) => at(result, recommendedPercentile)?.tpr, own),
    p10Fpr: share((result) => at(result, recommendedPercentile)?.fpr, otherFlows),
    percentiles: first.percentiles.map(({ p }) => ({
      p, tpr: share((result) => at(result, p)?.tpr, own), fpr: share((result) => at(result, p)?.fpr, otherFlows),
    })),
    fprAtTpr90: share((result) => result.fprAtTpr90, otherFlows),
    deviceMacroFpr: over((result) => result.deviceMacroFpr),
    trainSeconds: over((result) => result.trainSeconds),
    artifactBytes: over((result) => result.artifactBytes),
    timeToDetectSeconds: spread(sorted.map(({ timeToDetectSeconds }) => timeToDetectSeconds)
      .filter((seconds) => seconds !== null)),
    homesAlarmedByOneFlow: over((result) => result.homesAlarmedByOneFlow),
    confusers: first.confusers,
    unfit: [...new Set(sorted.flatMap(({ unfit }) => unfit))],
  };
}

/** Mean over seeds, and the smallest and largest when there is more than one. */
function spread(values: readonly number[]): Estimate {
  const interval = values.length < 2 ? undefined : [Math.min(...values), Math.max(...values)] as const;
  return { mean: mean(values), interval };
}

/** Mean and standard deviation (n - 1) over device models; values that are not known do not count. */
export function meanAndDeviation(values: readonly number[]): MeanAndDeviation & { readonly count: number } {
  const known = values.filter((value) => Number.isFinite(value));
  const center = mean(known);
  const squares = known.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return { mean: center, deviation: known.length < 2 ? Number.NaN : Math.sqrt(squares / (known.length - 1)),
    count: known.length };
}

/** Interval of 95 % of a share of n independent trials. @source Wilson 1927 */
export function wilsonInterval(share: number, trials: number): readonly [number, number] | undefined {
  if (trials === 0 || !Number.isFinite(share)) return undefined;
  const z = 1.959964;
  const center = (share + z * z / (2 * trials)) / (1 + z * z / trials);
  const half = z / (1 + z * z / trials) * Math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials));
  return [Math.max(0, center - half), Math.min(1, center + half)];
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, [T, ...T[]]> {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** By code units: the same everywhere, whatever the language of the machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
