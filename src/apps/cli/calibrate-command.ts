/** `natlens calibrate`: classifiers and flows of known devices in, the same classifiers with what they promise out. */
import type { Command } from 'commander';
import { OperatorError, parseDuration, systemClock } from '#base';
import { describeUnsoundOptions, evidenceDefaults } from '#evidence';
import { calibrateDefaults } from '#lab';
import { percentileMax, type ThresholdChoice } from '#score';
import { falseAlarmDefaults } from '#verdict';
import { formatCalibration, listLibrary, runCalibrate } from './calibrate-run.ts';
import { addBuildOptions, type LabBuildOptions } from './lab-build-command.ts';
import type { ReportExit } from './main.ts';

/** Durations in ms. */
export type CalibrateCommandOptions = Omit<LabBuildOptions, 'inventory' | 'out'> & {
  readonly inventory?: string;
  readonly out?: string;
  readonly dataset?: string;
  readonly simulate?: boolean;
  readonly sketch: readonly string[];
  readonly seed: number;
  /** Share of homes without the device model in which it may be found within a month. */
  readonly falseAlarms: number;
  readonly confidence?: number;
  readonly expiresMs: number;
  readonly window: number;
  readonly bucket: number;
  readonly threshold: ThresholdChoice;
  readonly homeDays: number;
  readonly testHomeDays: number;
  readonly homes: number;
  readonly allUnits?: boolean;
  readonly listLibrary?: string;
};

/** As commander has them: `--expires` depends on the day. */
type NamedOptions = Omit<CalibrateCommandOptions, 'expiresMs' | 'sketch'> & {
  readonly expires?: string; readonly sketch?: readonly string[];
};

const dayMs = 86_400_000;
const defaultExpiryDays = 180;
/** The detector's, and the paper's best on its own data. */
const defaultPercentile = 10;
const homeDaysMax = 1_000_000;

/** Gives the verb its options and its action. */
export function configureCalibrate(command: Command, reportExit: ReportExit): void {
  command
    .description('Finds out how strong evidence of classifiers gets in homes without their device models, and writes ' +
      'the classifiers anew with what may therefore be promised: the rate of false alarms, how soon a device model ' +
      'is found, whom it cannot be told from, and until when. Homes are composed of devices of a data set (--dataset or ' +
      '--inventory), of the simulator, or counted in the field by detectors (--sketch).')
    .argument('[classifiers...]', 'artifacts (.nlc), all at once')
    .option('--out <dir>', 'folder for the calibrated classifiers; made when it is not there')
    .option('--dataset <dir>', 'data set that natlens lab build wrote; with --inventory one is built in DIR/dataset');
  addBuildOptions(command)
    .option('--simulate', 'homes of simulated devices too, which says nothing about real products')
    .option('--sketch <file...>', 'null sketches that detectors wrote, added up', collect)
    .option('--false-alarms <share>', 'homes without the device model in which it may be found, a month',
      parseShare('--false-alarms'), falseAlarmDefaults.perMonth)
    .option('--confidence <share>', 'keep the false alarms with this probability by this very calibration; needs ' +
      'three times the home-days for 0.95', parseShare('--confidence'))
    .option('--expires <when>', `a day such as 2027-03-31, or a duration from today (default: ${defaultExpiryDays}d)`)
    .option('--window <duration>', 'length of the sliding window, as the detector has it', readDuration,
      evidenceDefaults.windowMs)
    .option('--bucket <duration>', 'windows begin and end at multiples of this', readDuration,
      evidenceDefaults.bucketMs)
    .option('--threshold <choice>', `which flows are accepted: a percentile, 0 to ${percentileMax}, or default`,
      parseThreshold, defaultPercentile)
    .option('--home-days <n>', 'home-days of the null table', parseCount('--home-days'), calibrateDefaults.nullHomes)
    .option('--test-home-days <n>', 'home-days that test it, of other devices', parseCount('--test-home-days'),
      calibrateDefaults.testHomes)
    .option('--homes <n>', 'homes with the device model', parseCount('--homes'), calibrateDefaults.positiveHomes)
    .option('--all-units', 'no device was in the background library: all calibrate or test')
    .option('--list-library <model>', 'print the files to train this device model against, and do no more')
    .option('--seed <number>', 'deals devices to roles and composes homes', parseSeed, 1)
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens calibrate webcam.nlc plug.nlc --dataset lab --out calibrated\n' +
      '  natlens calibrate calibrated/*.nlc --sketch north.json --out renewed\n' +
      '  natlens calibrate --dataset lab --list-library webcam.D_Link.DCS_933L\n' +
      '    prints the files for --background of natlens train\n' +
      '\nExit code 1: a classifier cannot decide all the same, or has more false\nalarms than promised.\n')
    .action(async (classifiers: string[], named: NamedOptions) => {
      const options = settleOptions(named);
      if (options.listLibrary !== undefined) {
        process.stdout.write((await listLibrary(options, options.listLibrary)).map((path) => `${path}\n`).join(''));
        return;
      }
      checkOptions(classifiers, options);
      const summary = await runCalibrate(classifiers, options);
      process.stdout.write(options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n` : `${formatCalibration(summary)}\n`);
      const isDoubtful = summary.classifiers.some(({ uncalibrated, measured }) =>
        uncalibrated !== null || measured?.keepsPromise === false);
      if (isDoubtful) reportExit(1);
    });
  // `lab build` cannot do without one, and here there are other sources.
  command.options.find(({ long }) => long === '--inventory')?.makeOptionMandatory(false);
  for (const [flag, text] of [['--flows', 'none'], ['--window', '1h'], ['--bucket', '1m']] as const) {
    const option = command.options.find(({ long }) => long === flag);
    if (option !== undefined) option.defaultValueDescription = text;
  }
}

function settleOptions({ expires, sketch = [], ...named }: NamedOptions): CalibrateCommandOptions {
  return { ...named, sketch, expiresMs: readExpiry(expires ?? `${defaultExpiryDays}d`) };
}

/** @throws OperatorError  no classifiers, no source, or options that contradict each other */
function checkOptions(classifiers: readonly string[], options: CalibrateCommandOptions): void {
  const complain = (text: string): never => {
    throw new OperatorError('bad-option', text);
  };
  const { dataset, inventory, simulate, sketch, out, window, bucket, flows } = options;
  if (classifiers.length === 0) complain('Name the classifiers (.nlc) to calibrate, before the options.');
  if (out === undefined) complain('--out is the folder for the calibrated classifiers.');
  if (dataset !== undefined && inventory !== undefined) complain('Name a --dataset or an --inventory, not both.');
  if (dataset === undefined && inventory === undefined && simulate !== true && sketch.length === 0) {
    complain('Name where homes without the device model come from: --dataset, --inventory, --simulate or --sketch.');
  }
  if (inventory === undefined && flows.length > 0) complain('--flows is for building a data set with --inventory.');
  const fault = describeUnsoundOptions({ ...evidenceDefaults, windowMs: window, bucketMs: bucket, latenessMs: 0 });
  if (fault !== undefined) complain(`${fault} (--window, --bucket)`);
}

/** Midnight (UTC) of the day when it ends. */
function readExpiry(text: string): number {
  const nowMs = systemClock.nowMs();
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs >= dayMs) {
    return Math.floor((nowMs + durationMs) / dayMs) * dayMs;
  }
  const timeMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  if (timeMs > 0 && timeMs <= nowMs) {
    throw new OperatorError('bad-option', `--expires ${text} is over: the classifier would decide nothing.`);
  }
  if (timeMs > 0) return timeMs;
  throw new OperatorError('bad-option',
    `--expires is a day such as 2027-03-31, or a duration of at least a day such as 180d, not '${text}'.`);
}

function collect(path: string, before: readonly string[] = []): readonly string[] {
  return [...before, path];
}

function readDuration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new OperatorError('bad-option', `A duration is a number with its unit, such as 10m or 1h, not '${text}'.`);
}

function parseShare(option: string): (text: string) => number {
  return (text) => {
    const share = Number(text);
    if (/^\d*\.?\d+(?:e-\d+)?$/.test(text) && share > 0 && share < 1) return share;
    throw new OperatorError('bad-option', `${option} is a share between 0 and 1, such as 0.003, not '${text}'.`);
  };
}

function parseCount(option: string): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (/^\d+$/.test(text) && count >= 1 && count <= homeDaysMax) return count;
    throw new OperatorError('bad-option', `${option} is a whole number from 1 to ${homeDaysMax}, not '${text}'.`);
  };
}

function parseThreshold(text: string): ThresholdChoice {
  if (text === 'default') return text;
  if (/^\d{1,2}$/.test(text) && Number(text) <= percentileMax) return Number(text);
  throw new OperatorError('bad-option',
    `--threshold is a whole percentile from 0 to ${percentileMax}, or default, not '${text}'.`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 0xffff_ffff) return seed;
  throw new OperatorError('bad-option', `--seed is a whole number from 0 to 4294967295, not '${text}'.`);
}
