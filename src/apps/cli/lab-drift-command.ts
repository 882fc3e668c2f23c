/** `natlens lab drift`: a classifier and flows of its device model in, and since when it does not fit them any more. */
import type { Command } from 'commander';
import { OperatorError, parseDuration } from '#base';
import type { FlowSetInfo } from '#flow';
import { percentileMax, type ThresholdChoice } from '#score';
import { driftDefaults } from '#verdict';
import { madeAsOption, parseMadeAs } from './classifier-flows.ts';
import { formatDrift, runLabDrift } from './lab-drift-run.ts';
import type { ReportExit } from './main.ts';

export type LabDriftOptions = {
  readonly dataset?: string;
  readonly flows: readonly string[];
  /** In ms: the first so much of each device's flows is the reference, where there is no data set. */
  readonly reference: number;
  readonly level: number;
  readonly fall: number;
  readonly threshold: ThresholdChoice;
  readonly output?: string;
  readonly madeAs?: FlowSetInfo;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

const dayMs = 86_400_000;
const defaultReferenceDays = 2;
const defaultPercentile = 10;

/** Gives the verb its options and its action. */
export function configureLabDrift(command: Command, reportExit: ReportExit): void {
  command
    .description('Holds flows of a device model, day by day, against those that its classifier was validated on: ' +
      'which share of them the classifier explains, and how many of its tokens still come. Says when either fell, as ' +
      'after a change of firmware or of a cloud. The reference stays the same, so that slow changes are seen, too.')
    .argument('<classifier>', 'artifact (.nlc)')
    .option('--dataset <dir>', 'data set: the validation part is the reference, the test part is looked at')
    .option('--flows <file...>', 'flow files with the columns device and device_model: later flows, or all of them',
      collect)
    .option('--reference <duration>', 'without a data set: the first so much of the flows is the reference',
      readReference, defaultReferenceDays * dayMs)
    .option('--level <share>', 'probability that a day without any change is called drift', parseShare('--level'),
      driftDefaults.levelADay)
    .option('--fall <share>', 'a smaller fall is none that matters', parseShare('--fall'), driftDefaults.fallMin)
    .option('--threshold <choice>', `which flows are accepted: a percentile, 0 to ${percentileMax}, or default`,
      parseThreshold, defaultPercentile)
    .option('-o, --output <file>', 'also draw it, as SVG')
    .option(madeAsOption[0], madeAsOption[1], parseMadeAs)
    .option('--json', 'print everything as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab drift webcam.nlc --dataset lab -o drift.svg\n' +
      '  natlens lab drift webcam.nlc --dataset lab --flows march.parquet april.parquet\n' +
      '  natlens lab drift webcam.nlc --flows known-homes.parquet --reference 7d --json\n' +
      '\nExit code 1 when it drifted.\n')
    .action(async (classifier: string, named: Omit<LabDriftOptions, 'flows'> & { flows?: readonly string[] }) => {
      const options: LabDriftOptions = { ...named, flows: named.flows ?? [] };
      const { summary, isComplete } = await runLabDrift(classifier, options);
      process.stdout.write(options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n` : `${formatDrift(summary)}\n`);
      if (summary.drifted !== null || !isComplete) reportExit(1);
    });
  const option = command.options.find(({ long }) => long === '--reference');
  if (option !== undefined) option.defaultValueDescription = `${defaultReferenceDays}d`;
}

function collect(path: string, before: readonly string[] = []): readonly string[] {
  return [...before, path];
}

function readReference(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new OperatorError('bad-option', `--reference is a duration such as 2d, not '${text}'.`);
}

function parseShare(option: string): (text: string) => number {
  return (text) => {
    const share = Number(text);
    if (/^\d*\.?\d+(?:e-\d+)?$/.test(text) && share > 0 && share < 1) return share;
    throw new OperatorError('bad-option', `${option} is a share between 0 and 1, such as 0.001, not '${text}'.`);
  };
}

function parseThreshold(text: string): ThresholdChoice {
  if (text === 'default') return text;
  if (/^\d{1,2}$/.test(text) && Number(text) <= percentileMax) return Number(text);
  throw new OperatorError('bad-option',
    `--threshold is a whole percentile from 0 to ${percentileMax}, or default, not '${text}'.`);
}
