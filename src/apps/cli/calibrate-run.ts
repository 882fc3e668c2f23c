/** One run of `natlens calibrate`: reads classifiers and their sources, lets the lab calibrate, writes artifacts. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describeError, formatCount, formatTable, limits, OperatorError } from '#base';
import { readArtifact, writeArtifact } from '#classifier/artifact';
import { dropTemporaryFiles } from '#flow/files';
import {
  addFieldNull, calibrateClassifier, calibrateDefaults, listLibraryFiles, loadCalibrationUnits, readTokens, recordUnit,
  type CalibrationOutcome, type CalibrationUnit, type ClassifierTokens, type UnitRecordings,
} from '#lab';
import {
  countHomeDays, createDecisionRule, describeFieldNull, mergeNullSketches, parseNullSketch, type Calibration,
  type FalseAlarmBudget, type FieldNull, type NullSketch, type NullTable, type StratumRule,
} from '#verdict';
import type { CalibrateCommandOptions } from './calibrate-command.ts';
import { loadArtifact, writeWholeFile, type LoadedArtifact } from './classifier-files.ts';
import { cleanUpOnSignal } from './interruption.ts';
import { runLabBuild } from './lab-build-command.ts';
import { makeFolder } from './make-folder.ts';
import { Progress } from './progress.ts';

/** As `--json` prints it; documented in docs/commands/calibrate.md. */
export type CalibrateSummary = {
  readonly seed: number;
  readonly falseAlarmsPerMonth: number;
  readonly units: { readonly lab: number; readonly simulator: number };
  readonly classifiers: readonly CalibratedClassifier[];
  readonly remarks: readonly string[];
};

export type CalibratedClassifier = Pick<Calibration, 'ownFloor' | 'group'> & Calibration['card'] & {
  readonly file: string;
  readonly output: string;
  readonly deviceModel: string;
  /** Digest of what was read, and of what was written. */
  readonly from: string;
  readonly classifier: string;
  readonly hasFingerprint: boolean;
  readonly hasSecondStage: boolean;
  readonly expires: string;
  readonly nullHomeDays: number;
  /** Why it never decides; `null`: it does. */
  readonly uncalibrated: string | null;
  /** How it decides on homes of each activity, the unknown one last; `null` as score: never. */
  readonly strata: readonly (Omit<StratumRule, 'activity' | 'presentScore'> & {
    readonly activity: number | null; readonly presentScore: number | null;
  })[];
  /** What was measured anew; `null`: only home-days of the field came in addition. */
  readonly measured: Pick<CalibrationOutcome,
    'calibrationUnits' | 'testUnits' | 'ownWindows' | 'keepsPromise' | 'unknown'> | null;
  /** What became of the field's home-days, in sentences. */
  readonly field: readonly string[];
};

type Loaded = LoadedArtifact & { readonly file: string; readonly output: string };

const simulatedDays = 2;
const simulatedUnits = 2;

/** Files of a data set's units that are the library of a device model. @throws OperatorError */
export async function listLibrary({ dataset, seed }: CalibrateCommandOptions, deviceModel: string): Promise<string[]> {
  if (dataset === undefined) throw new OperatorError('bad-option', '--list-library lists files of a --dataset.');
  return listLibraryFiles(dataset, deviceModel, seed);
}

/**
 * Runs the verb.
 *
 * @throws OperatorError     a classifier or a source is refused, or there are too few devices
 * @throws EnvironmentError  the disk failed
 */
export async function runCalibrate(files: readonly string[], options: CalibrateCommandOptions):
Promise<CalibrateSummary> {
  const { out = '.', dataset, inventory, simulate, sketch: sketches, quiet } = options;
  const loaded = await loadAll(files, out);
  const field = await readSketches(sketches, options);
  makeFolder(out);
  const folder = inventory === undefined ? dataset : join(out, 'dataset');
  if (inventory !== undefined) await runLabBuild({ ...options, inventory, out: join(out, 'dataset') });
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  const progress = new Progress(quiet === true);
  try {
    const fromDataset = folder === undefined ? undefined
      : await loadCalibrationUnits(folder, loaded.map(({ classifier }) => classifier));
    const simulated = simulate === true ? await simulateFor(loaded, options, progress) : [];
    const units = [...fromDataset?.units ?? [], ...simulated];
    const calibrated = units.length === 0 ? addFields(loaded, field, options)
      : calibrateAll(loaded, units, { field, options, progress });
    const classifiers: CalibratedClassifier[] = [];
    for (const [i, each] of calibrated.entries()) {
      classifiers.push(await writeCalibrated(loaded[i] as Loaded, each, options));
    }
    return {
      seed: options.seed, falseAlarmsPerMonth: options.falseAlarms, classifiers, remarks: fromDataset?.remarks ?? [],
      units: {
        lab: units.filter(({ source }) => source === 'lab').length,
        simulator: units.filter(({ source }) => source === 'simulator').length,
      },
    };
  } finally {
    forgetCleanUp();
    progress.end();
  }
}

async function loadAll(files: readonly string[], out: string): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  for (const file of files) {
    const artifact = await loadArtifact(file);
    const output = join(out, basename(file));
    const twin = loaded.find((other) => other.output === output || other.digest === artifact.digest);
    if (twin !== undefined) {
      throw new OperatorError('bad-option', `${file} and ${twin.file} are the same classifier, or have the same name.`);
    }
    loaded.push({ ...artifact, file, output });
  }
  return loaded;
}

/** The sum of all sketches. @throws OperatorError  one is none, or they do not add up */
async function readSketches(paths: readonly string[], { window, bucket }: CalibrateCommandOptions):
Promise<NullSketch | undefined> {
  let sum: NullSketch | undefined;
  for (const path of paths) {
    const refuse = (sentence: string, cause?: unknown): never => {
      throw new OperatorError('input-unreadable', `${path}: ${sentence}`, cause);
    };
    const bytes = await readFile(path).catch((thrown: unknown) => refuse(`${describeError(thrown)}.`, thrown));
    if (bytes.length > limits.sketchBytesMax) refuse('It is longer than a null sketch may be.');
    const sketch = parseNullSketch(bytes.toString('utf8'));
    if (typeof sketch === 'string') return refuse(sketch);
    if (sketch.windowMs !== window || sketch.bucketMs !== bucket) {
      refuse('Its windows or buckets are of another length than --window and --bucket say.');
    }
    const merged = sum === undefined ? sketch : mergeNullSketches(sum, sketch);
    if (typeof merged === 'string') return refuse(merged);
    sum = merged;
  }
  return sum;
}

function fieldOf(field: NullSketch | undefined, { digest }: Loaded): NullTable | undefined {
  return field?.classifiers.find(({ classifier }) => classifier === digest)?.nullTable;
}

async function simulateFor(loaded: readonly Loaded[], { seed }: CalibrateCommandOptions, progress: Progress):
Promise<CalibrationUnit[]> {
  const [first, ...others] = loaded.map(({ classifier: { needs } }) => needs);
  if (first === undefined || others.some((needs) => JSON.stringify(needs) !== JSON.stringify(first))) {
    throw new OperatorError('bad-option', '--simulate makes flows of one kind, and these classifiers need several: ' +
      'calibrate those apart that need other timeouts or names.');
  }
  const { simulateUnits } = await import('./simulate-null-units.ts');
  return simulateUnits(first, {
    seed, days: simulatedDays, unitsPerModel: simulatedUnits,
    onProgress: (share) => progress.tick(() => `natlens: simulating: ${Math.floor(100 * share)} %, ` +
      `${formatCount(progress.seconds)} s`),
  });
}

type Calibrated = {
  readonly calibration: Calibration;
  readonly outcome: CalibrationOutcome | undefined;
  readonly field: FieldNull | undefined;
};

type Work = {
  readonly field: NullSketch | undefined; readonly options: CalibrateCommandOptions; readonly progress: Progress;
};

function calibrateAll(loaded: readonly Loaded[], units: readonly CalibrationUnit[], { field, options, progress }: Work):
Calibrated[] {
  const tokens = readTokens(loaded, units, options.threshold, (finished) => progress.tick(() =>
    `natlens: flows of ${finished} of ${units.length} devices, ${formatCount(progress.seconds)} s`));
  const recordings = units.map(recordUnit);
  return loaded.map((each, i) => {
    progress.tick(() => `natlens: ${i} of ${loaded.length} classifiers, ${formatCount(progress.seconds)} s`);
    return calibrateOne(each, tokens[i] as ClassifierTokens, recordings, { field, options });
  });
}

function calibrateOne(loaded: Loaded, tokens: ClassifierTokens, recordings: readonly UnitRecordings[],
  { field, options }: Pick<Work, 'field' | 'options'>): Calibrated {
  const outcome = calibrateClassifier(loaded.classifier.deviceModel, tokens, recordings, {
    seed: options.seed, windowMs: options.window, bucketMs: options.bucket, budget: budgetOf(options),
    expiresMs: options.expiresMs, nullHomes: options.homeDays, testHomes: options.testHomeDays,
    positiveHomes: options.homes, confuserDays: calibrateDefaults.confuserDays,
    usesLibrary: options.allUnits === true, field: fieldOf(field, loaded),
  });
  return { outcome, calibration: outcome.calibration, field: outcome.field };
}

function budgetOf({ falseAlarms, confidence }: CalibrateCommandOptions): FalseAlarmBudget {
  return { perMonth: falseAlarms, ...confidence !== undefined && { confidence } };
}

/** Home-days of the field for classifiers that are calibrated already. @throws OperatorError  one is not */
function addFields(loaded: readonly Loaded[], sketch: NullSketch | undefined, { expiresMs }: CalibrateCommandOptions):
Calibrated[] {
  return loaded.map((each) => {
    const { calibration: before, file } = each;
    const sketched = fieldOf(sketch, each);
    if (before === undefined) {
      throw new OperatorError('bad-option', `${file} is not calibrated yet: how strong its own device model's ` +
        'windows are must be known first, from --dataset, --inventory or --simulate.');
    }
    if (sketched === undefined) {
      throw new OperatorError('bad-option', `No sketch tells of ${file}: they are of other classifiers, or of other ` +
        'versions of it.');
    }
    const { calibration, field } = addFieldNull({ ...before, expiresMs }, sketched);
    return { calibration, field, outcome: undefined };
  });
}

async function writeCalibrated(loaded: Loaded, { calibration, outcome, field }: Calibrated,
  options: CalibrateCommandOptions): Promise<CalibratedClassifier> {
  const { classifier, fingerprint, secondStage, file, output, digest } = loaded;
  const bytes = writeArtifact({ classifier, fingerprint, secondStage, calibration });
  await writeWholeFile(output, bytes);
  const { uncalibrated, strata } = createDecisionRule({ ...calibration, expiresMs: Infinity }, budgetOf(options), 0);
  const { card, ownFloor, group, nullTable, expiresMs } = calibration;
  return {
    file, output, deviceModel: classifier.deviceModel, from: digest, classifier: readArtifact(bytes).digest,
    hasFingerprint: fingerprint !== undefined, hasSecondStage: secondStage !== undefined, ownFloor, group, ...card,
    expires: new Date(expiresMs).toISOString(), nullHomeDays: countHomeDays(nullTable),
    uncalibrated: uncalibrated ?? outcome?.uncalibrated ?? null,
    strata: strata.map(({ activity, homeDays, activityMax, presentScore }) => ({
      activity: activity ?? null, homeDays, activityMax,
      presentScore: Number.isFinite(presentScore) ? presentScore : null,
    })),
    measured: outcome === undefined ? null : {
      calibrationUnits: outcome.calibrationUnits, testUnits: outcome.testUnits, ownWindows: outcome.ownWindows,
      keepsPromise: outcome.keepsPromise, unknown: outcome.unknown,
    },
    field: field !== undefined ? describeFieldNull(field)
      : options.sketch.length > 0 ? ['no sketch tells of this classifier'] : [],
  };
}

/** The summary for people. */
export function formatCalibration({ classifiers, units, remarks }: CalibrateSummary): string {
  const share = (value: number): string => value.toFixed(3);
  const rateAfter = ({ detection }: CalibratedClassifier, minutes: number): string => {
    const found = detection.find((each) => each.minutes === minutes);
    return found === undefined ? '' : share(found.rate);
  };
  const rows = classifiers.map((each) => [
    each.deviceModel, each.uncalibrated ?? 'yes', formatCount(each.nullHomeDays),
    each.measuredFpr === 0 ? '0' : each.measuredFpr.toExponential(1), each.fprUpper95.toExponential(1),
    ...[10, 60, 360, 1_440].map((minutes) => rateAfter(each, minutes)), each.expires.slice(0, 10),
  ]);
  const simulated = units.simulator === 0 ? ''
    : `, ${units.lab === 0 ? 'all' : units.simulator} of them simulated, which say nothing about real products`;
  return [
    formatTable(['device model', 'decides', 'null home-days', 'FPR a day', 'at most', '10 min', '1 h', '6 h', '24 h',
      'expires'], rows),
    '',
    ...units.lab + units.simulator === 0 ? [] : [`${units.lab + units.simulator} devices${simulated}`],
    ...classifiers.flatMap(describeClassifier),
    ...remarks,
    ...classifiers.map(({ file, output }) => `${file}: written to ${output}`),
  ].join('\n');
}

/** What a person should know of a classifier, in sentences. */
function describeClassifier(
  { deviceModel, group, confusers, measured, measuredFpr, promisedFpr, field }: CalibratedClassifier,
): string[] {
  const others = confusers.filter(({ deviceModel: name }) => !group.includes(name))
    .map(({ deviceModel: name, rate }) => `${name} (${(100 * rate).toFixed(0)} %)`);
  const { newcomers = [], rate = 0 } = measured?.unknown ?? {};
  return [
    ...group.length === 0 ? []
      : [`${deviceModel}: cannot be told apart: ${group.join(', ')}. A verdict names them all.`],
    ...newcomers.length === 0 ? [] : [`${deviceModel}: without knowing of ${newcomers.join(', ')}, which tested, ` +
      `${(100 * rate).toFixed(1)} % of home-days would be false alarms: a device model like these that nobody knows ` +
      'costs as much.'],
    ...measured?.keepsPromise === false ? [`${deviceModel}: MORE FALSE ALARMS THAN PROMISED: ` +
      `${measuredFpr.toExponential(1)} a home-day, and ${promisedFpr.toExponential(1)} are promised: devices that ` +
      'do what none of those did that calibrate. Calibrate with more devices, or with --sketch.'] : [],
    ...others.length === 0 ? [] : [`${deviceModel}: found in homes with ${others.join(', ')}.`],
    ...field.map((line) => `${deviceModel}: field, ${line}`),
  ];
}
