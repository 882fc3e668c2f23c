/**
 * `natlens lab compare`: all methods on packets and flows of the same homes, in one table, with what names and
 * identifications of the data set can tell at all.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '#base';
import { studyIdentification } from '../baseline/identification-study.ts';
import { coverNames, drawNameGraph } from '../baseline/name-coverage.ts';
import { defaultNameLists } from '../baseline/name-lists.ts';
import type { TermUnit } from '../baseline/name-windows.ts';
import type { WorldTraces } from '../baseline/world-traces.ts';
import { writeFileWhole } from '../evaluate/cell-store.ts';
import { learnMethod, runTrial, trainModel, type TrialOutcome } from '../homes/home-trial.ts';
import { curveMinutes, resultMinutes } from '../homes/homes-report.ts';
import { homesDefaults } from '../homes/run-homes.ts';
import { fixedFpr } from '../homes/judge-method.ts';
import { loadWorld, type LabWorld, type ModelTraffic } from '../homes/lab-world.ts';
import { chooseModels, describeSource, planTrials, type ChosenModels, type TrialPlan } from '../homes/plan-trials.ts';
import { assignRoles, unitsOfRole } from '../homes/roles.ts';
import type { CompareReport } from './compare-report.ts';
import { forgetTraces, measureCost } from './measure-cost.ts';
import { findWorstModel, sayWinner, summarizeCompare } from './summarize-compare.ts';

export type CompareOptions = ChosenModels & TrialPlan & {
  /** Folder of the data set, built with traces. */
  readonly dataset: string;
  /** Folder to write. */
  readonly out: string;
  /** 1 … this many. */
  readonly seeds: number;
  /** Homes that linkers of packets are tried on. */
  readonly linkedHomes: number;
  readonly natlensVersion: string;
  /** @param what  is being done, in a few words */
  readonly onProgress?: (what: string, finished: number, all: number) => void;
};

export const compareDefaults = {
  ...homesDefaults, linkedHomes: 40,
} as const;

/** The method of natlens that detectors run. */
const ourMethod = 'evidence-cascade';

/**
 * Runs all trials and writes results.json, report.json, report.html and graph.html.
 *
 * @throws OperatorError     the data set cannot be read or has no traces, an option does not fit it
 * @throws EnvironmentError  the disk failed
 */
export async function runCompare(options: CompareOptions): Promise<CompareReport> {
  const world = await loadWorld(options.dataset);
  const { traces } = world;
  if (traces === undefined) {
    throw new OperatorError('input-unreadable', `The data set ${options.dataset} has no traces, and half of the ` +
      'methods look at packets: build it with natlens lab build --traces.');
  }
  const models = chooseModels(world, options);
  const plan = { ...planTrials(world, options), countsLooks: false };
  const trials: TrialOutcome[] = [];
  const all = models.length * options.seeds;
  for (const { deviceModel } of models) {
    for (let seed = 1; seed <= options.seeds; seed++) {
      const trained = trainModel(world, deviceModel, { seed, natlensVersion: options.natlensVersion });
      options.onProgress?.(`${deviceModel}, seed ${seed}`, trials.length, all);
      trials.push(runTrial(world, trained, { deviceModel, seed, libraryShare: 1 }, plan));
    }
  }
  options.onProgress?.('what methods cost', all, all);
  const costs = measureCosts(world, models[0] as ModelTraffic, plan, options);
  const identification = studyIdentification(world, {
    seed: 1, homes: options.linkedHomes,
    onHome: (finished) => options.onProgress?.('hosts behind a NAT', finished, options.linkedHomes),
  });
  const report = describe(world, traces, { models, trials, plan, costs, identification, options });
  await mkdir(options.out, { recursive: true });
  // The library that draws is loaded when something is drawn.
  const { renderCompare, renderCompareGraph } = await import('../report/render-compare.ts');
  await writeFileWhole(join(options.out, 'results.json'), formatCompareRows(report));
  await writeFileWhole(join(options.out, 'report.json'), `${JSON.stringify(report)}\n`);
  await writeFileWhole(join(options.out, 'report.html'), renderCompare(report));
  await writeFileWhole(join(options.out, 'graph.html'), renderCompareGraph(report));
  return report;
}

/** The table as JSON, a method a line. */
export function formatCompareRows({ methods }: Pick<CompareReport, 'methods'>): string {
  return `[\n${methods.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`;
}

type Plan = ReturnType<typeof planTrials>;

/** Of each method, learned anew: milliseconds of one processor for a home and day. */
function measureCosts(
  world: LabWorld, { deviceModel }: ModelTraffic, plan: Plan, { natlensVersion }: CompareOptions,
): Map<string, number> {
  const task = { deviceModel, seed: 1 };
  const library = unitsOfRole(world.units, assignRoles(world.units, task), 'library').map(({ unit }) => unit);
  return new Map(plan.methods.map((method) => {
    const trained = trainModel(world, deviceModel, { seed: task.seed, natlensVersion });
    const unseen = forgetTraces(world);
    const fitted = learnMethod(method, { ...trained, world: unseen, library }, plan);
    return [method.name, measureCost(fitted, unseen, plan)];
  }));
}

type Found = {
  readonly models: readonly ModelTraffic[];
  readonly trials: readonly TrialOutcome[];
  readonly plan: Plan;
  readonly costs: ReadonlyMap<string, number>;
  readonly identification: CompareReport['identification'];
  readonly options: CompareOptions;
};

function describe(
  world: LabWorld, traces: WorldTraces, { models, trials, plan, costs, identification, options }: Found,
): CompareReport {
  const { results, rows, curves } = summarizeCompare(trials, plan.methods, options.budget, costs);
  const units = world.units.map(({ unit }): TermUnit => traces.namesOf(unit, 'whole', plan.windowMs));
  const { deviceModels, ...shares } = coverNames(units, defaultNameLists);
  const [packets, queries] = countPackets(world, traces);
  return {
    format: 1, natlensVersion: options.natlensVersion, dataset: { ...describeSource(world), packets, queries },
    settings: {
      seeds: options.seeds, falseAlarmsPerMonth: options.budget.perMonth, calibrationHomes: options.calibrationHomes,
      nullHomesPerSeed: options.homes, positiveHomesPerSeed: plan.positiveHomes,
      windowMinutes: plan.windowMs / 60_000, fixedFpr, knowsAllModels: options.knowsAllModels,
    },
    deviceModels: models, methods: rows, resultMinutes, curveMinutes,
    curves, results, names: { deviceModels, ...shares },
    graph: drawNameGraph(units, defaultNameLists), worstModel: findWorstModel(results, ourMethod), identification,
    ours: ourMethod, outcome: sayWinner(rows, ourMethod, { fixedFpr, budget: options.budget }), remarks: world.remarks,
  };
}

function countPackets({ units }: LabWorld, traces: WorldTraces): [number, number] {
  let [packets, queries] = [0, 0];
  for (const { unit } of units) {
    const { name } = traces.traceOf(unit, 'whole');
    packets += name.length;
    for (const code of name) if (code !== 0) queries++;
  }
  return [packets, queries];
}
