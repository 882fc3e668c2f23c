/** `natlens lab compare`: a data set with traces in, one table of all methods out. */
import type { Command } from 'commander';
import { compareDefaults, formatCompareRows } from '#lab';
import { formatCompare, runLabCompare } from './lab-compare-run.ts';
import { addDatasetOptions, checkDatasetInput, parseWhole } from './lab-dataset-input.ts';
import { addTrialOptions, type LabTrialOptions } from './lab-trial-options.ts';

export type LabCompareOptions = LabTrialOptions & { readonly linkedHomes: number };

/** Packets of each are laid beside each other in memory, one home after the other. */
const linkedHomesMax = 10_000;

/** Gives the verb its options and its action. */
export function configureLabCompare(command: Command): void {
  command
    .description('Holds all methods that say which device models a home has against each other: ours, those of Meidan ' +
      'et al. 2019, and the strongest others. All see flows, names or packets of the same homes. Says how many device ' +
      'models each can decide on, how often it is right, wrong and how soon, what it must see and what it costs; and ' +
      'what names and identifications can tell at all. Writes results.json, report.json, report.html and graph.html.')
    .argument('[dataset]', 'folder that natlens lab build --traces wrote; with --inventory it is built first, in ' +
      'DIR/dataset')
    .requiredOption('--out <dir>', 'folder to write; made when it is not there');
  addTrialOptions(addDatasetOptions(command))
    .option('--linked-homes <n>', 'homes whose packets are linked to hosts',
      parseWhole('--linked-homes', 1, linkedHomesMax), compareDefaults.linkedHomes)
    .option('--json', 'print the table as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab build --inventory lab/inventory.csv --out dataset --traces\n' +
      '  natlens lab compare dataset --out compare\n' +
      '  natlens lab compare --inventory lab/inventory.csv --out compare --json\n')
    .action(async (dataset: string | undefined, options: LabCompareOptions) => {
      checkDatasetInput(command, dataset, options.inventory);
      const report = await runLabCompare(dataset, options);
      process.stdout.write(options.json === true ? formatCompareRows(report) : `${formatCompare(report, options)}\n`);
    });
}
