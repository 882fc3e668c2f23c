/** What the verbs share that try methods on composed homes: their options, and the one run around the work. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { OperatorError } from '#base';
import { dropTemporaryFiles } from '#flow/files';
import { homesDefaults } from '#lab';
import { falseAlarmDefaults } from '#verdict';
import { cleanUpOnSignal } from './interruption.ts';
import { runLabBuild, type LabBuildOptions } from './lab-build-command.ts';
import { parseWhole } from './lab-dataset-input.ts';
import { makeFolder } from './make-folder.ts';
import { Progress } from './progress.ts';

/** With an inventory: the options of `lab build`, too. */
export type LabTrialOptions = Omit<LabBuildOptions, 'inventory'> & {
  readonly inventory?: string;
  readonly deviceModel?: readonly string[];
  readonly minFlows: number;
  readonly seeds: number;
  readonly homes: number;
  readonly calibrationHomes: number;
  readonly falseAlarms: number;
  readonly knownModels?: boolean;
};

const seedsMax = 1_000;
const homesMax = 1_000_000;

/** Which device models are looked for, in how many homes, and what is promised. */
export function addTrialOptions(command: Command): Command {
  return command
    .option('--device-model <model...>', 'device models to look for (default: all IoT ones that were recorded for ' +
      'hours, with enough flows)', (text: string, before: string[] = []) => [...before, text])
    .option('--min-flows <n>', 'flows that a device model needs to be looked for', parseWhole('--min-flows', 10, 1e9),
      homesDefaults.flowsMin)
    .option('--seeds <n>', 'deal roles and compose homes with the seeds 1 to N', parseWhole('--seeds', 1, seedsMax),
      homesDefaults.seeds)
    .option('--homes <n>', 'homes without the device model that test, of each seed; a tenth as many have it',
      parseWhole('--homes', 10, homesMax), homesDefaults.homes)
    .option('--calibration-homes <n>', 'homes that calibrate, of each seed',
      parseWhole('--calibration-homes', 10, homesMax), homesDefaults.calibrationHomes)
    .option('--false-alarms <share>', 'false alarms that are promised per home, device model and month',
      parseShare('--false-alarms', 0.999), falseAlarmDefaults.perMonth)
    .option('--known-models', 'learn groups of all device models of the data set, those that test among them');
}

/** A share above 0. */
export function parseShare(option: string, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d*\.?\d+(e-?\d+)?$/i.test(text) && value > 0 && value <= most) return value;
    throw new OperatorError('bad-option', `${option} is a share above 0 and at most ${most}, not '${text}'.`);
  };
}

/** What every run of trials is told. */
export type TrialInput = {
  readonly dataset: string;
  readonly out: string;
  readonly deviceModels: readonly string[];
  readonly flowsMin: number;
  readonly seeds: number;
  readonly budget: { readonly perMonth: number };
  readonly homes: number;
  readonly calibrationHomes: number;
  readonly knowsAllModels: boolean;
};

/**
 * Builds the data set if asked to, with packets, so that every method can be tried; then does the work.
 *
 * @param dataset  folder of a data set; undefined: it is built from `options.inventory`
 * @throws OperatorError     an input cannot be read, an option does not fit it
 * @throws EnvironmentError  the disk failed, libndpi is absent
 */
export async function runTrials<T>(
  dataset: string | undefined, options: LabTrialOptions, work: (input: TrialInput, progress: Progress) => Promise<T>,
): Promise<T> {
  const folder = dataset ?? join(options.out, 'dataset');
  if (options.inventory !== undefined) {
    await runLabBuild({ ...options, inventory: options.inventory, out: folder, traces: true });
  }
  // Before minutes of work, not after them.
  makeFolder(options.out);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  const progress = new Progress(options.quiet === true);
  try {
    return await work({
      dataset: folder, out: options.out, deviceModels: options.deviceModel ?? [], flowsMin: options.minFlows,
      seeds: options.seeds, budget: { perMonth: options.falseAlarms }, homes: options.homes,
      calibrationHomes: options.calibrationHomes, knowsAllModels: options.knownModels === true,
    }, progress);
  } finally {
    progress.end();
    forgetCleanUp();
  }
}
