/** `natlens train`: labelled flow records in, the classifier of one device model out. */
import type { Command } from 'commander';
import { OperatorError } from '#base';
import { catalogs, type Catalog } from '#feature';
import type { FlowSetInfo } from '#flow';
import { algorithms, type AlgorithmName } from '#score';
import { trainers } from '#score/fit';
import { madeAsOption, parseMadeAs } from './classifier-flows.ts';
import type { ReportExit } from './main.ts';
import { formatTraining, runTraining } from './train-run.ts';

export type TrainOptions = {
  readonly deviceModel: string;
  readonly algorithm: AlgorithmName;
  readonly catalog: Catalog;
  readonly seed: number;
  readonly output: string;
  readonly set: readonly (readonly [string, string])[];
  readonly allRows?: boolean;
  readonly madeAs?: FlowSetInfo;
  readonly background?: readonly string[];
  readonly matrix?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

const defaultAlgorithm = 'chow-liu-tree';
const defaultCatalog = 'portable';

/** Gives the verb its options and its action. */
export function configureTrain(command: Command, reportExit: ReportExit): void {
  command
    .description('Trains the classifier of one device model on its flows: of each device the earliest 70 % train, the ' +
      'next 10 % set the thresholds, the latest 20 % are left for a test. The flows carry the columns device and ' +
      'device_model. A classifier that must not be used is written all the same, marked unfit with the reasons.')
    .argument('<flows...>', 'flow files, as natlens flows reads them; - for standard input')
    .requiredOption('--device-model <model>', 'the device model, type.make.version', parseDeviceModel)
    .requiredOption('-o, --output <file>', 'artifact to write (.nlc)', parseOutput)
    .option('--algorithm <name>', `one of ${[...trainers.keys()].join(', ')}`, parseAlgorithm, defaultAlgorithm)
    .option('--catalog <name>', `features, one of ${catalogs.map(({ name }) => name).join(', ')}`, parseCatalog,
      findByName(defaultCatalog))
    .option('--seed <number>', 'the same flows, options and seed give the same bytes', parseSeed, 1)
    .option('--set <name=value...>', 'an option of the algorithm', parseSetting, [])
    .option('--all-rows', 'take all flows for the device model\'s, whatever their labels say')
    .option(madeAsOption[0], madeAsOption[1], parseMadeAs)
    .option('--background <file...>', 'flow files of other devices, labelled by device; what tells the device model ' +
      'from them in homes goes into the artifact. Name flows first')
    .option('--matrix <file>', 'also write the encoded training flows, one-hot, to FILE (.npy or .csv)')
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens train lab.parquet --device-model webcam.D_Link.DCS_933L -o webcam.nlc\n' +
      '  natlens train cam.parquet --device-model a.b.c -o c.nlc \\\n    --background lab.parquet others.parquet\n' +
      '  natlens train lab.csv --made-as 120/60/prefix --device-model a.b.c -o c.nlc\n')
    .action(async (inputs: string[], options: TrainOptions) => {
      const { summary, isComplete } = await runTraining(inputs, options);
      process.stdout.write(options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n` : `${formatTraining(summary)}\n`);
      if (!summary.isFit || !isComplete) reportExit(1);
    });
  // The value is an object; people know it by its name.
  const catalogOption = command.options.find(({ long }) => long === '--catalog');
  if (catalogOption !== undefined) catalogOption.defaultValueDescription = defaultCatalog;
  const settingOption = command.options.find(({ long }) => long === '--set');
  if (settingOption !== undefined) settingOption.defaultValueDescription = "the algorithm's own";
}

function parseDeviceModel(text: string): string {
  if (text !== '' && text.length <= 255 && !/[\p{Cc}\s]/u.test(text)) return text;
  throw new OperatorError('bad-option', `--device-model is a name such as webcam.D_Link.DCS_933L, not '${text}'.`);
}

function parseOutput(text: string): string {
  if (text.toLowerCase().endsWith('.nlc')) return text;
  throw new OperatorError('output-unknown-kind', `The output ${text} is an artifact: its name ends in .nlc.`);
}

function parseAlgorithm(text: string): AlgorithmName {
  const name = [...trainers.keys()].find((known) => known === text && algorithms.has(known));
  if (name !== undefined) return name;
  throw new OperatorError('bad-option', `--algorithm is one of ${[...trainers.keys()].join(', ')}, not '${text}'.`);
}

function findByName(text: string): Catalog | undefined {
  return catalogs.find(({ name }) => name === text);
}

function parseCatalog(text: string): Catalog {
  const catalog = findByName(text);
  if (catalog !== undefined) return catalog;
  throw new OperatorError('bad-option',
    `--catalog is one of ${catalogs.map(({ name }) => name).join(', ')}, not '${text}'.`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 0xffff_ffff) return seed;
  throw new OperatorError('bad-option', `--seed is a whole number from 0 to 4294967295, not '${text}'.`);
}

/** One `NAME=VALUE`, put behind those before it. */
function parseSetting(text: string, before: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  const at = text.indexOf('=');
  if (at < 1) throw new OperatorError('bad-option', `--set is NAME=VALUE, not '${text}'; name inputs first.`);
  return [...before, [text.slice(0, at), text.slice(at + 1)]];
}
