/**
 * An experiment over device models, algorithms, catalogs and seeds: every combination is a cell, finished cells are
 * stored and found again, the others are run on several threads. Results come in the order of the options, whatever
 * order the cells were finished in.
 */
import { OperatorError } from '#base';
import { findCatalog } from '#feature';
import type { AlgorithmName } from '#score';
import type { DatasetManifest } from '../dataset/manifest.ts';
import { CellStore } from './cell-store.ts';
import { runOnThreads } from './cell-threads.ts';
import { hashKey, keyOf, type CellKey, type CellOutcome, type CellTask } from './cell.ts';
import { digestDataset, loadLabFlows } from './lab-flows.ts';
import type { ExperimentReport } from './results.ts';
import { drawTimeline } from './timelines.ts';
import { writeResults } from './write-results.ts';

export type ExperimentOptions = {
  /** Folder of the data set. */
  readonly dataset: string;
  /** Folder of what the experiment leaves. */
  readonly out: string;
  /** Empty: every IoT device model with `flowsMin` flows. */
  readonly deviceModels: readonly string[];
  readonly algorithms: readonly AlgorithmName[];
  readonly catalogs: readonly string[];
  /** 1 … this many. */
  readonly seeds: number;
  /** Threads. */
  readonly jobs: number;
  readonly flowsMin: number;
  /** False: results.json and results.parquet are without `trainSeconds`. */
  readonly withTimes: boolean;
  readonly natlensVersion: string;
  /** Called when a cell was finished or found. */
  readonly onCell?: (progress: ExperimentProgress) => void;
};

export type ExperimentProgress = { readonly finished: number; readonly all: number; readonly last: CellTask };

export type Experiment = {
  readonly report: ExperimentReport;
  /** Cells that an earlier run had finished. */
  readonly foundCells: number;
  /** IoT device models with too few flows, and how many they have. */
  readonly leftOut: readonly { readonly deviceModel: string; readonly flows: number }[];
  /** What whoever reads the figures should know of the flows, in sentences. */
  readonly remarks: readonly string[];
};

/**
 * Runs an experiment and writes what it finds out.
 *
 * @throws OperatorError     the data set cannot be read, an option does not fit it
 * @throws EnvironmentError  the disk or a thread failed
 */
export async function runExperiment(options: ExperimentOptions): Promise<Experiment> {
  const flows = await loadLabFlows(options.dataset);
  const { manifest } = flows;
  const { chosen, leftOut } = chooseModels(manifest, options);
  const tasks = listTasks(chosen, options);
  const datasetDigest = digestDataset(manifest);
  const keyFor = (task: CellTask): CellKey => keyOf(task, {
    natlensVersion: options.natlensVersion, datasetDigest, catalogVersion: findCatalog(task.catalog)?.version ?? 0,
  });
  const store = await CellStore.open(options.out);
  const outcomes = new Map<string, CellOutcome>();
  const finish = (task: CellTask, key: CellKey, outcome: CellOutcome): void => {
    outcomes.set(hashKey(key), outcome);
    options.onCell?.({ finished: outcomes.size, all: tasks.length, last: task });
  };
  const missing: CellTask[] = [];
  for (const task of tasks) {
    const key = keyFor(task);
    const found = await store.find(key);
    if (found === undefined) missing.push(task);
    else finish(task, key, found);
  }
  const foundCells = outcomes.size;
  await runOnThreads(missing, {
    threads: options.jobs, setup: { dataset: options.dataset, natlensVersion: options.natlensVersion },
    take: async (task, outcome, artifact) => {
      const key = keyFor(task);
      finish(task, key, await store.keep(key, outcome, artifact));
    },
  });
  const ordered = tasks.map((task) => outcomes.get(hashKey(keyFor(task))) as CellOutcome);
  const report: ExperimentReport = {
    dataset: describeDataset(manifest, flows.remarks), results: ordered.map(({ result }) => result),
    details: ordered.map(({ details }) => details), timelines: flows.units.map(drawTimeline),
  };
  await writeResults(options.out, report, options.withTimes);
  return { report, foundCells, leftOut, remarks: flows.remarks };
}

/** Device models to run, in order of name. @throws OperatorError  one is not there, or none has enough flows */
function chooseModels(
  { devices }: DatasetManifest, { deviceModels, flowsMin }: ExperimentOptions,
): { chosen: string[]; leftOut: Experiment['leftOut'] } {
  const ofModel = Map.groupBy(devices.filter(({ kind }) => kind === 'iot'), ({ deviceModel }) => deviceModel);
  const counted = [...ofModel].map(([deviceModel, units]) =>
    ({ deviceModel, flows: units.reduce((sum, { flows }) => sum + flows, 0) }))
    .sort((a, b) => (a.deviceModel < b.deviceModel ? -1 : 1));
  if (deviceModels.length > 0) {
    const unknown = deviceModels.find((name) => !ofModel.has(name));
    if (unknown !== undefined) {
      throw new OperatorError('bad-option', `The data set has no IoT device of model ${unknown}; it has ` +
        `${counted.map(({ deviceModel }) => deviceModel).join(', ')}.`);
    }
    return { chosen: [...new Set(deviceModels)].sort(), leftOut: [] };
  }
  const chosen = counted.filter(({ flows }) => flows >= flowsMin).map(({ deviceModel }) => deviceModel);
  if (chosen.length === 0) {
    const most = counted.reduce((highest, { flows }) => Math.max(highest, flows), 0);
    throw new OperatorError('bad-option', `No IoT device model of the data set has ${flowsMin} flows (the most is ` +
      `${most}): choose a lower --min-flows.`);
  }
  return { chosen, leftOut: counted.filter(({ flows }) => flows < flowsMin) };
}

/** Cells in the order of results; those of a device model and catalog stand together, as they share their flows. */
function listTasks(models: readonly string[], { algorithms, catalogs, seeds }: ExperimentOptions): CellTask[] {
  return models.flatMap((deviceModel) => [...new Set(catalogs)].flatMap((catalog) =>
    [...new Set(algorithms)].flatMap((algorithm) =>
      Array.from({ length: seeds }, (_, i) => ({ deviceModel, algorithm, catalog, seed: i + 1 })))));
}

function describeDataset(
  { name, isSimulated, note, devices }: DatasetManifest, remarks: readonly string[],
): ExperimentReport['dataset'] {
  const models = [...Map.groupBy(devices, ({ deviceModel, kind }) => `${kind}\n${deviceModel}`)].sort(
    ([a], [b]) => (a < b ? -1 : 1)).map(([, units]) => ({
    deviceModel: units[0]?.deviceModel ?? '', kind: units[0]?.kind ?? 'iot', devices: units.length,
    flows: units.reduce((sum, { flows }) => sum + flows, 0),
  }));
  return {
    name, isSimulated, note: [note, ...remarks].filter((text) => text !== '').join('\n'),
    devices: devices.length, flows: devices.reduce((sum, { flows }) => sum + flows, 0), deviceModels: models,
  };
}
