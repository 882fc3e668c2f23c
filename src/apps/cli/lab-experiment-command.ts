/** `natlens lab experiment`: a data set in, figures of every device model, algorithm, catalog and seed out. */
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { OperatorError } from '#base';
import { catalogs } from '#feature';
import { formatResults } from '#lab';
import { algorithms, type AlgorithmName } from '#score';
import { trainers } from '#score/fit';
import type { LabBuildOptions } from './lab-build-command.ts';
import { addDatasetOptions, checkDatasetInput, parseWhole } from './lab-dataset-input.ts';
import { formatExperiment, runLabExperiment } from './lab-experiment-run.ts';

/** With an inventory: the options of `lab build`, too. */
export type LabExperimentOptions = Omit<LabBuildOptions, 'inventory'> & {
  readonly inventory?: string;
  readonly deviceModel: readonly string[];
  readonly algorithm: readonly AlgorithmName[];
  readonly catalog: readonly string[];
  readonly seeds: number;
  readonly jobs: number;
  readonly minFlows: number;
  readonly times: boolean;
};

type Defaulted = 'jobs' | 'deviceModel' | 'algorithm' | 'catalog';
/** As they were given: what was not named has its default below. */
type NamedOptions = Omit<LabExperimentOptions, Defaulted> & Partial<Pick<LabExperimentOptions, Defaulted>>;

const defaultAlgorithm: AlgorithmName = 'chow-liu-tree';
const defaultCatalog = 'portable';
const defaultFlowsMin = 1_000;
const seedsMax = 1_000;
const jobsMax = availableParallelism();

/** Gives the verb its options and its action. */
export function configureLabExperiment(command: Command): void {
  const algorithmNames = [...trainers.keys()].filter((name) => algorithms.has(name));
  const catalogNames = catalogs.map(({ name }) => name);
  command
    .description('Trains and tests classifiers on a data set, one for each device model, algorithm, catalog and ' +
      'seed, and writes what came of it: results.json, results.parquet, report.json and the classifiers. Finished ones are ' +
      'kept: a run that was stopped goes on where it was.')
    .argument('[dataset]', 'folder that natlens lab build wrote; with --inventory it is built first, in DIR/dataset')
    .requiredOption('--out <dir>', 'folder to write; made when it is not there');
  addDatasetOptions(command)
    .option('--device-model <model...>', 'device models to run (default: all IoT ones with enough flows)',
      (text: string, before?: string[]) => collect(text, before))
    .option('--algorithm <name...>', `one or more of ${algorithmNames.join(', ')} (default: ${defaultAlgorithm})`,
      (text: string, before?: AlgorithmName[]) => collect(chooseName('--algorithm', algorithmNames, text), before))
    .option('--catalog <name...>', `features, one or more of ${catalogNames.join(', ')} (default: ${defaultCatalog})`,
      (text: string, before?: string[]) => collect(chooseName('--catalog', catalogNames, text), before))
    .option('--seeds <n>', 'run everything with the seeds 1 to N', parseWhole('--seeds', 1, seedsMax), 1)
    .option('--jobs <n>', 'threads, at most the cores (default: as many)', parseWhole('--jobs', 1, jobsMax))
    .option('--min-flows <n>', 'flows that a device model needs to be run', parseWhole('--min-flows', 1, 1e9),
      defaultFlowsMin)
    .option('--no-times', 'leave trainSeconds out of results: all that remains is the same in every run')
    .option('--json', 'print the results as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab experiment dataset --out results --seeds 5\n' +
      '  natlens lab experiment --inventory lab/inventory.csv --out results --json\n' +
      '  natlens lab experiment dataset --out results --algorithm isolation-forest --catalog paper portable\n')
    .action(async (dataset: string | undefined, named: NamedOptions) => {
      const { jobs = jobsMax, deviceModel = [], algorithm = [defaultAlgorithm], catalog = [defaultCatalog] } = named;
      const options: LabExperimentOptions = { ...named, jobs, deviceModel, algorithm, catalog };
      checkDatasetInput(command, dataset, options.inventory);
      const experiment = await runLabExperiment(dataset, options);
      process.stdout.write(options.json === true ? formatResults(experiment.report.results, options.times)
        : `${formatExperiment(experiment, options)}\n`);
    });
}

/** One more of an option that may be named often. */
function collect<T>(value: T, before: readonly T[] = []): T[] {
  return [...before, value];
}

function chooseName<N extends string>(option: string, names: readonly N[], text: string): N {
  const name = names.find((known) => known === text);
  if (name !== undefined) return name;
  throw new OperatorError('bad-option', `${option} is one of ${names.join(', ')}, not '${text}'.`);
}
