/**
 * `natlens lab homes`: every device model, seed and share of the library is a trial; trials are run one after the
 * other, and what they found out is written as JSON and as a page.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { evidenceDefaults } from '#evidence';
import type { FalseAlarmBudget } from '#verdict';
import { writeFileWhole } from '../evaluate/cell-store.ts';
import { curveMinutes, type HomesReport, type HomesResult } from './homes-report.ts';
import { runTrial, trainModel, type TrialOutcome, type TrialTask } from './home-trial.ts';
import { fixedFpr } from './judge-method.ts';
import { loadWorld, type LabWorld, type ModelTraffic } from './lab-world.ts';
import { chooseModels, describeSource, planTrials } from './plan-trials.ts';
import { factsOf } from '../baseline/home-method.ts';
import { methodsFor } from '../baseline/registry.ts';
import {
  listOutcomes, summarizeBaseRates, summarizeCurves, summarizeLibrary, summarizeLooks, summarizeOverall,
  summarizeResults,
} from './summarize-homes.ts';

export type HomesOptions = {
  /** Folder of the data set. */
  readonly dataset: string;
  /** Folder to write. */
  readonly out: string;
  /** Empty: every IoT device model that was recorded for hours and has `flowsMin` flows. */
  readonly deviceModels: readonly string[];
  readonly flowsMin: number;
  /** 1 … this many. */
  readonly seeds: number;
  /** Share of the library's units that is kept. */
  readonly libraryShare: number;
  readonly budget: FalseAlarmBudget;
  /** Of each trial: homes without the device model; a tenth as many have it. */
  readonly homes: number;
  readonly calibrationHomes: number;
  readonly knowsAllModels: boolean;
  readonly natlensVersion: string;
  readonly onTrial?: (progress: HomesProgress) => void;
};

export type HomesProgress = { readonly finished: number; readonly all: number; readonly current: TrialTask };

export const homesDefaults = {
  flowsMin: 200, seeds: 5, libraryShare: 1, homes: 2_000, calibrationHomes: 20_000,
} as const;

const noTraces = 'The data set has no traces: methods that look at names or packets are left out.';
/** Parts of the library that are tried beside the whole, with the methods that need one. */
const smallerShares: readonly number[] = [0.5, 0.25];

/**
 * Runs all trials and writes results.json, report.json and report.html.
 *
 * @throws OperatorError     the data set cannot be read, an option does not fit it
 * @throws EnvironmentError  the disk failed
 */
export async function runHomes(options: HomesOptions): Promise<HomesReport> {
  const world = await loadWorld(options.dataset);
  const models = chooseModels(world, options);
  const trials = runTrials(world, models, options);
  const report = describe(world, { models, trials, options });
  await mkdir(options.out, { recursive: true });
  // The library that draws is loaded when something is drawn.
  const { renderHomes } = await import('../report/render-homes.ts');
  await writeFileWhole(join(options.out, 'results.json'), formatHomesResults(report.results));
  await writeFileWhole(join(options.out, 'report.json'), `${JSON.stringify(report)}\n`);
  await writeFileWhole(join(options.out, 'report.html'), renderHomes(report));
  return report;
}

/** Results as JSON, one a line; the same results give the same bytes. */
export function formatHomesResults(results: readonly HomesResult[]): string {
  return `[\n${results.map((result) => JSON.stringify(result)).join(',\n')}\n]\n`;
}

function runTrials(world: LabWorld, models: readonly ModelTraffic[], options: HomesOptions): TrialOutcome[] {
  const trialOptions = planTrials(world, options);
  const shares = [1, ...smallerShares].map((share) => share * options.libraryShare);
  const all = models.length * options.seeds * shares.length;
  const outcomes: TrialOutcome[] = [];
  const ofLibrary = trialOptions.methods.filter(({ namesGroups }) => namesGroups);
  for (const { deviceModel } of models) {
    for (let seed = 1; seed <= options.seeds; seed++) {
      const trained = trainModel(world, deviceModel, { seed, natlensVersion: options.natlensVersion });
      for (const libraryShare of shares) {
        const task: TrialTask = { deviceModel, seed, libraryShare };
        const isWhole = libraryShare === options.libraryShare;
        const methods = isWhole ? trialOptions.methods : ofLibrary;
        options.onTrial?.({ finished: outcomes.length, all, current: task });
        outcomes.push(runTrial(world, trained, task, { ...trialOptions, methods, countsLooks: isWhole }));
      }
    }
  }
  return outcomes;
}

type Found = {
  readonly models: readonly ModelTraffic[];
  readonly trials: readonly TrialOutcome[];
  readonly options: HomesOptions;
};

function describe(world: LabWorld, { models, trials, options }: Found): HomesReport {
  const outcomes = listOutcomes(trials);
  const ofWhole = outcomes.filter(({ libraryShare }) => libraryShare === options.libraryShare);
  const methods = methodsFor(world);
  const results = summarizeResults(ofWhole, methods, options.budget);
  return {
    format: 1, natlensVersion: options.natlensVersion,
    dataset: describeSource(world),
    settings: {
      seeds: options.seeds, libraryShare: options.libraryShare, falseAlarmsPerMonth: options.budget.perMonth,
      calibrationHomes: options.calibrationHomes, nullHomesPerSeed: options.homes,
      positiveHomesPerSeed: Math.ceil(options.homes / 10), windowMinutes: evidenceDefaults.windowMs / 60_000, fixedFpr,
      knowsAllModels: options.knowsAllModels,
    },
    methods: methods.map(factsOf),
    deviceModels: models, results, overall: summarizeOverall(ofWhole, methods), curveMinutes,
    curves: summarizeCurves(ofWhole, methods),
    looks: summarizeLooks(ofWhole),
    library: summarizeLibrary(outcomes, methods.filter(({ namesGroups }) => namesGroups)),
    baseRates: summarizeBaseRates(results, methods), trials,
    remarks: world.traces === undefined ? [noTraces, ...world.remarks] : world.remarks,
  };
}
