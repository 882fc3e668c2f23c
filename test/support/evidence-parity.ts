/**
 * The two ways from flows to verdicts, as commands: a detector that takes them one by one (`natlens detect --replay`),
 * and the lab that has them all at once (`natlens lab evidence`). Both are told the same, each in its own words.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { ReplayResult } from '#detector';
import type { Evidence } from '#evidence';
import type { Verdict } from '#verdict';
import { environment, launcher } from './natlens-process.ts';

/** What both are told; what is left out is at its default, which is the same in both. */
export type ParitySettings = {
  readonly policy?: 'calibrated' | 'distinct-tokens' | 'single-flow';
  readonly 'false-alarms'?: number;
  readonly present?: number;
  readonly keep?: number;
  readonly expiry?: string;
  readonly window?: string;
  readonly bucket?: string;
  readonly lateness?: string;
  readonly threshold?: number | 'default';
  readonly inside?: string;
};

/** Where flows and classifiers lie. */
export type ParityWorld = {
  readonly folder: string;
  /** Folder of the classifiers, and their files within it in the order of their names. */
  readonly classifierFolder: string;
  readonly classifiers: readonly string[];
  /** Further lines of the config's sections. */
  readonly config?: Readonly<Partial<Record<'input' | 'homes', string>>>;
  /** As `--made-as` has it, for flows that do not say it. */
  readonly madeAs?: string;
};

/** What one way found of one home, and the other must find. */
export type Found = {
  readonly flows: number;
  readonly flowsOfHome: number;
  /** By digest. */
  readonly accepted: Readonly<Record<string, number>>;
  /** On device models that were ever present, by device model. */
  readonly verdicts: readonly Verdict[];
};

type LabSummary = {
  readonly flows: number; readonly outwardFlows: number; readonly lateFlows: number;
  readonly classifiers: readonly { readonly classifier: string; readonly accepted: number;
    readonly latest: Evidence | null }[];
  readonly verdicts: readonly { readonly deviceModel: string; readonly verdict: Verdict;
    readonly episodes: readonly Verdict[] }[];
};

/** Trains a classifier on the flows of a device model of a data set, into the folder of the classifiers. */
export function trainOn(dataset: string, deviceModel: string, { folder, classifierFolder }: ParityWorld,
  codes?: readonly number[]): void {
  const flows = globSync(join(folder, dataset, 'flows', deviceModel, '*')).map((path) => relative(folder, path)).sort();
  runLong(folder, ['train', ...flows, '--device-model', deviceModel, '-o',
    join(classifierFolder, `${deviceModel}.nlc`), '-q'], codes);
}

/** Runs a command of natlens to its end, at most ten minutes. @param codes  exit codes that are well */
export function runLong(folder: string, args: readonly string[], codes: readonly number[] = [0]): string {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [launcher, ...args],
    { cwd: folder, encoding: 'utf8', env: environment(folder), timeout: 600_000, maxBuffer: 1 << 28 });
  if (error !== undefined) throw error;
  assert.ok(codes.includes(status ?? -1), `natlens ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Writes a detector's config. @returns its name within the folder */
export function writeParityConfig({ folder, classifierFolder, config }: ParityWorld, settings: ParitySettings,
  name = 'detector.toml'): string {
  const { policy, present, keep, expiry, window, bucket, lateness, threshold, inside } = settings;
  const falseAlarms = settings['false-alarms'];
  const text = (key: string, value: string | undefined): string => (value === undefined ? '' : `${key} = "${value}"\n`);
  const number = (key: string, value: number | undefined): string => (value === undefined ? '' : `${key} = ${value}\n`);
  writeFileSync(join(folder, name), `state_folder = "state"
[input]
${config?.input ?? ''}
[homes]
${inside === undefined ? '' : `inside = ["${inside}"]`}
${config?.homes ?? ''}
[classifiers]
folder = "${classifierFolder}"
allow_unfit = true
${threshold === 'default' ? 'threshold = "default"\n' : number('threshold', threshold)}
[evidence]
${text('window', window)}${text('bucket', bucket)}${text('lateness', lateness)}
[verdict]
${text('policy', policy)}${number('false_alarms', falseAlarms)}${number('present_score', present)}${
  number('keep_score', keep)}${text('expiry', expiry)}`);
  return name;
}

/** What the detector's replay says of all homes. */
export function replayFlows(world: ParityWorld, settings: ParitySettings, inputs: readonly string[]): ReplayResult {
  const config = writeParityConfig(world, settings);
  return JSON.parse(runLong(world.folder, ['detect', config, '--replay', ...inputs, '--json', '-q',
    ...(world.madeAs === undefined ? [] : ['--made-as', world.madeAs])])) as ReplayResult;
}

/** What the definitions say of one home. */
export function defineEvidence(world: ParityWorld, settings: ParitySettings, inputs: readonly string[],
  home = 'home'): LabSummary {
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return JSON.parse(runLong(world.folder, ['lab', 'evidence', ...inputs,
    ...world.classifiers.map((file) => join(world.classifierFolder, file)), '--allow-unfit', '--json', '-q', '--home',
    home, ...options, ...(world.madeAs === undefined ? [] : ['--made-as', world.madeAs])])) as LabSummary;
}

/** What the replay found of its one home. */
export function foundByDetector(result: ReplayResult): Found {
  return {
    flows: result.flows, flowsOfHome: result.flowsOfHomes,
    accepted: Object.fromEntries(result.classifiers.map(({ classifier, flowsAccepted }) =>
      [classifier, flowsAccepted])),
    verdicts: result.verdicts,
  };
}

/** What the lab found, of the device models that were ever present: a detector keeps nothing of the others. */
export function foundByLab({ flows, outwardFlows, classifiers, verdicts }: LabSummary): Found {
  return {
    flows, flowsOfHome: outwardFlows,
    accepted: Object.fromEntries(classifiers.map(({ classifier, accepted }) => [classifier, accepted])),
    verdicts: verdicts.filter(({ episodes }) => episodes.length > 0).map(({ verdict }) => verdict)
      .sort((a, b) => (a.deviceModel < b.deviceModel ? -1 : 1)),
  };
}

/** Both ways over the same flows come to the same bytes. @returns what they found, and on how many there was nothing */
export function assertParity(world: ParityWorld, settings: ParitySettings, inputs: readonly string[]):
Found & { readonly absent: number; readonly lateFlows: number } {
  const replayed = replayFlows(world, settings, inputs);
  assert.deepEqual(replayed.refused, [], 'every classifier is used');
  const lab = defineEvidence(world, settings, inputs);
  const [detector, defined] = [foundByDetector(replayed), foundByLab(lab)];
  const what = `${inputs.join(' ')} ${JSON.stringify(settings)}`;
  assert.equal(JSON.stringify(detector.verdicts), JSON.stringify(defined.verdicts), `verdicts of ${what}`);
  assert.deepEqual(detector, defined, what);
  return { ...defined, absent: lab.verdicts.length - defined.verdicts.length, lateFlows: lab.lateFlows };
}
