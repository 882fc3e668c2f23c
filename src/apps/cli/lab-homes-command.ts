/** `natlens lab homes`: a data set in, how methods do on whole homes out. */
import type { Command } from 'commander';
import { OperatorError } from '#base';
import { formatHomesResults, homesDefaults } from '#lab';
import { falseAlarmDefaults } from '#verdict';
import type { LabBuildOptions } from './lab-build-command.ts';
import { addDatasetOptions, checkDatasetInput, parseWhole } from './lab-dataset-input.ts';
import { formatHomes, runLabHomes } from './lab-homes-run.ts';

/** With an inventory: the options of `lab build`, too. */
export type LabHomesOptions = Omit<LabBuildOptions, 'inventory'> & {
  readonly inventory?: string;
  readonly deviceModel: readonly string[];
  readonly minFlows: number;
  readonly seeds: number;
  readonly homes: number;
  readonly calibrationHomes: number;
  readonly libraryShare: number;
  readonly falseAlarms: number;
  readonly knownModels?: boolean;
};

const seedsMax = 1_000;
const homesMax = 1_000_000;

/** Gives the verb its options and its action. */
export function configureLabHomes(command: Command): void {
  command
    .description('Composes homes of the units of a data set and compares methods that say which device models a home ' +
      'has: how often each is found and how soon, and how often it is found where it is not. No unit is in two of ' +
      'library, calibration and test. Writes results.json, report.json and report.html.')
    .argument('[dataset]', 'folder that natlens lab build wrote; with --inventory it is built first, in DIR/dataset')
    .requiredOption('--out <dir>', 'folder to write; made when it is not there');
  addDatasetOptions(command)
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
    .option('--library-share <share>', 'share of the library that is kept; the other units are unknown to everybody',
      parseShare('--library-share', 1), homesDefaults.libraryShare)
    .option('--false-alarms <share>', 'false alarms that are promised per home, device model and month',
      parseShare('--false-alarms', 0.999), falseAlarmDefaults.perMonth)
    .option('--known-models', 'learn groups of all device models of the data set, those that test among them')
    .option('--json', 'print the results as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab homes dataset --out homes --seeds 20\n' +
      '  natlens lab homes --inventory lab/inventory.csv --out homes --json\n' +
      '  natlens lab homes dataset --out homes --library-share 0.5 --seeds 20\n')
    .action(async (dataset: string | undefined, { deviceModel = [], ...named }: Omit<LabHomesOptions, 'deviceModel'> &
    Partial<Pick<LabHomesOptions, 'deviceModel'>>) => {
      const options: LabHomesOptions = { ...named, deviceModel };
      checkDatasetInput(command, dataset, options.inventory);
      const report = await runLabHomes(dataset, options);
      process.stdout.write(options.json === true ? formatHomesResults(report.results)
        : `${formatHomes(report, options)}\n`);
    });
}

function parseShare(option: string, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d*\.?\d+(e-?\d+)?$/i.test(text) && value > 0 && value <= most) return value;
    throw new OperatorError('bad-option', `${option} is a share above 0 and at most ${most}, not '${text}'.`);
  };
}
