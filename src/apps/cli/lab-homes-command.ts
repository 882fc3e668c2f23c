/** `natlens lab homes`: a data set in, how methods do on whole homes out. */
import type { Command } from 'commander';
import { formatHomesResults, homesDefaults } from '#lab';
import { addDatasetOptions, checkDatasetInput } from './lab-dataset-input.ts';
import { formatHomes, runLabHomes } from './lab-homes-run.ts';
import { addTrialOptions, parseShare, type LabTrialOptions } from './lab-trial-options.ts';

export type LabHomesOptions = LabTrialOptions & { readonly libraryShare: number };

/** Gives the verb its options and its action. */
export function configureLabHomes(command: Command): void {
  command
    .description('Composes homes of the units of a data set and compares methods that say which device models a home ' +
      'has: how often each is found and how soon, and how often it is found where it is not. No unit is in two of ' +
      'library, calibration and test. Writes results.json, report.json and report.html.')
    .argument('[dataset]', 'folder that natlens lab build wrote; with --inventory it is built first, in DIR/dataset')
    .requiredOption('--out <dir>', 'folder to write; made when it is not there');
  addTrialOptions(addDatasetOptions(command))
    .option('--library-share <share>', 'share of the library that is kept; the other units are unknown to everybody',
      parseShare('--library-share', 1), homesDefaults.libraryShare)
    .option('--json', 'print the results as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab homes dataset --out homes --seeds 20\n' +
      '  natlens lab homes --inventory lab/inventory.csv --out homes --json\n' +
      '  natlens lab homes dataset --out homes --library-share 0.5 --seeds 20\n')
    .action(async (dataset: string | undefined, options: LabHomesOptions) => {
      checkDatasetInput(command, dataset, options.inventory);
      const report = await runLabHomes(dataset, options);
      process.stdout.write(options.json === true ? formatHomesResults(report.results)
        : `${formatHomes(report, options)}\n`);
    });
}
