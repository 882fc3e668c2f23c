/**
 * The main job on the simulated lab: simulate, label by twins, train all, evaluate, report, and tell a home that has a
 * device model from the same home without it. The steps are those of `natlens simulate --lab`, `lab label`, `lab
 * experiment`, `lab report` and `score`, with the same code.
 */
import { rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  assertInvariant, describeError, formatBytes, formatCount, formatDuration, formatTable, OperatorError, parsePrefix,
  systemClock, type Prefix,
} from '#base';
import { drawReport, type ExperimentResult, type LabelSummary, readReport } from '#lab';
import { homeUnits, outsideAddress, writeLabFolder, type LabFolder } from '#sim';
import { runFlows } from './flows-run.ts';
import { writeWholeFile } from './classifier-files.ts';
import { readingOptions } from './classifier-flows.ts';
import { runLabExperiment } from './lab-experiment-run.ts';
import { runLabLabel } from './lab-label-run.ts';
import { runScoring } from './score-run.ts';

const seed = 2019;
/** Ten days of 1.2 hours each. */
const labTime = { days: 10, scale: 0.05 };
/** A day of a home, as long as one of those. */
const homeTime = { days: 2, scale: 0.05 };
const homeSeed = 7;
/** The tap outside has a clock of its own. */
const clockOffsetMs = 1_500;
/** A camera whose exploit is known, so the story goes. */
export const vulnerableModel = 'webcam.Edimax.IC_3116W';
/** What a home without the device must exceed by chance alone: once in a million homes. */
const chanceMax = 1e-6;

export type DemoHome = {
  readonly name: string;
  readonly devices: number;
  readonly hasDevice: boolean;
  readonly flows: number;
  /** Flows that the classifier takes for the device model's. */
  readonly accepted: number;
  /** Flows that it would take for them in a home without the device, by what it did in the lab. */
  readonly expectedByChance: number;
  /** Probability that chance makes so many or more. */
  readonly chance: number;
  readonly verdict: 'present' | 'not yet';
};

export type DemoSummary = {
  readonly isSimulated: true;
  readonly seed: number;
  readonly lab: { readonly devices: number; readonly packets: number; readonly hours: number };
  readonly labelling: LabelSummary;
  readonly results: readonly ExperimentResult[];
  readonly vulnerableModel: string;
  readonly homes: readonly DemoHome[];
  readonly out: string;
  readonly report: string;
  readonly seconds: number;
};

type Tell = (line: string) => void;

/** Runs the main job. @param out  folder for what it leaves; what is there is replaced @throws OperatorError */
export async function runDemo(out: string, isQuiet: boolean): Promise<DemoSummary> {
  const startMs = systemClock.monotonicMs();
  const seconds = (): string => `${((systemClock.monotonicMs() - startMs) / 1000).toFixed(0)} s`;
  const tell: Tell = (line) => {
    if (!isQuiet) process.stderr.write(`[${seconds()}] ${line}\n`);
  };
  const labFolder = join(out, 'lab');
  tell('1/6 simulating the lab: 13 IoT device models, two units each, and 7 computers and phones');
  const lab = await simulate(labFolder, { seed, ...labTime });
  tell(`    ${formatCount(lab.insidePackets)} packets inside, ${formatCount(lab.outsidePackets)} behind the router`);
  tell('2/6 labelling the flows outside by their twins inside');
  const labelled = join(labFolder, 'labelled.parquet');
  const { summary: { flows: labelling } } = await runLabLabel({
    outside: [join(labFolder, 'outside.pcap')], inside: [join(labFolder, 'inside.pcap')],
    inventory: join(labFolder, 'inventory.csv'), output: labelled, offsetMax: 60, tolerance: 1, window: 600,
    quiet: true,
  });
  dropCaptures(labFolder);
  tell('3/6 training and judging classifiers: the paper\'s, and ours');
  const results = await experiment(labFolder, labelled, out, isQuiet);
  tell(`    ${results.length} classifiers`);
  tell('4/6 drawing the report');
  const report = join(out, 'report.html');
  const found = await readReport(join(out, 'results'));
  await writeWholeFile(report, Buffer.from(await drawReport(found.report)));
  tell(`5/6 a home with ${vulnerableModel}, and the same home without it`);
  const homes = [await judgeHome('home-a', true, out, results), await judgeHome('home-b', false, out, results)];
  tell('6/6 done');
  return {
    isSimulated: true, seed,
    lab: {
      devices: lab.devices.length, packets: lab.insidePackets + lab.outsidePackets, hours: lab.durationS / 3600,
    },
    labelling, results, vulnerableModel, homes, out, report,
    seconds: (systemClock.monotonicMs() - startMs) / 1000,
  };
}

async function simulate(
  folder: string, options: { seed: number; days: number; scale: number; units?: readonly string[] },
): Promise<LabFolder> {
  return writeLabFolder(folder, { portPolicy: 'random', clockOffsetMs, ...options });
}

/** Captures are large, and what is needed of them was read. */
function dropCaptures(folder: string): void {
  for (const name of ['inside.pcap', 'outside.pcap']) rmSync(join(folder, name), { force: true });
}

async function experiment(
  labFolder: string, labelled: string, out: string, isQuiet: boolean,
): Promise<readonly ExperimentResult[]> {
  // The flows were labelled outside; the inventory says what kind of thing each device is.
  const inventory = await readFile(join(labFolder, 'inventory.csv'), 'utf8');
  const devices = join(labFolder, 'devices.csv');
  await writeFile(devices, inventory.replace(/^inside\.pcap,/gm, ','));
  const { report } = await runLabExperiment(undefined, {
    inventory: devices, flows: [labelled], out: join(out, 'results'), l7: 'prefix', active: 120, idle: 60,
    name: 'simulated lab', deviceModel: [], algorithm: ['isolation-forest', 'chow-liu-tree'],
    catalog: ['paper', 'portable'], seeds: 1, jobs: 2, minFlows: 300, times: true, quiet: isQuiet,
  });
  return report.results;
}

async function judgeHome(
  name: string, hasDevice: boolean, out: string, results: readonly ExperimentResult[],
): Promise<DemoHome> {
  const folder = join(out, name);
  const units = homeUnits(homeSeed, vulnerableModel, hasDevice);
  await simulate(folder, { seed: homeSeed, ...homeTime, units });
  const flows = join(folder, 'flows.parquet');
  const home = parsePrefix(`${outsideAddress}/32`) as Prefix;
  await runFlows([join(folder, 'outside.pcap')], { ...readingOptions(true), home: [home], output: flows });
  dropCaptures(folder);
  const classifier = join(out, 'results', 'classifiers', `${vulnerableModel}.chow-liu-tree.portable.1.nlc`);
  const { summary } = await runScoring([flows, classifier], { threshold: 10, workers: 1, quiet: true });
  const [counts] = summary.classifiers;
  const result = results.find(({ deviceModel, algorithm, catalog }) =>
    deviceModel === vulnerableModel && algorithm === 'chow-liu-tree' && catalog === 'portable');
  assertInvariant(counts !== undefined && result !== undefined, 'the lab has trained no classifier for the homes');
  const expectedByChance = summary.flows * worstRate(result);
  const chance = poissonTail(counts.accepted, expectedByChance);
  return {
    name, devices: units.length, hasDevice, flows: summary.flows, accepted: counts.accepted, expectedByChance, chance,
    verdict: chance < chanceMax ? 'present' : 'not yet',
  };
}

/**
 * Share of other devices' flows that the classifier took for the device model's in the lab: by flows or by devices,
 * whichever is more, and never less than one in a thousand, as a lab is small.
 */
function worstRate({ percentiles, deviceMacroFpr }: ExperimentResult): number {
  return Math.max(0.001, percentiles[10]?.fpr ?? 1, deviceMacroFpr);
}

/** Probability of `count` or more where `mean` is expected: summed upwards from `count`, so small ones stay exact. */
export function poissonTail(count: number, mean: number): number {
  if (count === 0) return 1;
  let logTerm = -mean;
  for (let i = 1; i <= count; i++) logTerm += Math.log(mean) - Math.log(i);
  let sum = 0;
  for (let i = count, term = Math.exp(logTerm); i <= count + 10_000 && term > sum * 1e-17; i++) {
    sum += term;
    term *= mean / (i + 1);
  }
  return Math.min(1, sum);
}

/** What the main job found, for people. */
export function formatDemo(summary: DemoSummary): string {
  const { lab, labelling, results, homes, out, report } = summary;
  const share = (value: number | undefined): string => (value ?? Number.NaN).toFixed(3);
  const pick = (deviceModel: string, algorithm: string, catalog: string): ExperimentResult | undefined =>
    results.find((result) => result.deviceModel === deviceModel && result.algorithm === algorithm &&
      result.catalog === catalog);
  const rows = [...new Set(results.map(({ deviceModel }) => deviceModel))].map((deviceModel) => {
    const paper = pick(deviceModel, 'isolation-forest', 'paper');
    const ours = pick(deviceModel, 'chow-liu-tree', 'portable');
    return [deviceModel, formatCount(paper?.flows.test ?? 0), share(paper?.auc), share(paper?.fprAtTpr90),
      share(ours?.auc), share(ours?.fprAtTpr90), formatBytes(ours?.artifactBytes ?? 0)];
  });
  return [
    `SIMULATED lab (seed ${summary.seed}): ${lab.devices} devices, ${formatCount(lab.packets)} packets in ` +
      `${lab.hours.toFixed(0)} hours; ${formatCount(labelling.outside.labelled)} flows outside the NAT labelled by ` +
      'their twins inside.',
    '',
    formatTable(['device model', 'test flows', 'paper: AUC', 'FPR at TPR .9', 'ours: AUC', 'FPR at TPR .9', 'size'],
      rows),
    '',
    'paper: isolation forest on the eight features of 2019; ours: Chow-Liu tree on the catalog portable.',
    '',
    `Who has ${summary.vulnerableModel}?`,
    '',
    formatTable(['home', 'devices', 'flows', 'taken for it', 'by chance', 'probability', 'verdict', 'truth'],
      homes.map((home) => [home.name, String(home.devices), formatCount(home.flows), formatCount(home.accepted),
        home.expectedByChance.toFixed(1), home.chance.toExponential(1), home.verdict,
        home.hasDevice ? 'has it' : 'has it not'])),
    '',
    `${formatDuration(summary.seconds * 1000)}. Report: ${report}`,
    `Results, data set and classifiers: ${join(out, 'results')}`,
    '',
    'Next:',
    `  natlens classifier inspect ${join(out, 'results', 'classifiers',
      `${summary.vulnerableModel}.chow-liu-tree.portable.1.nlc`)}`,
    '  natlens lab experiment --inventory YOUR/inventory.csv --out results    (docs/tutorial.md)',
  ].join('\n');
}

/** Removes what an earlier run left. @throws OperatorError  it cannot be removed, or is nothing of ours */
export function clearOutput(out: string): void {
  try {
    for (const name of ['lab', 'results', 'home-a', 'home-b', 'report.html']) {
      rmSync(join(out, name), { recursive: true, force: true });
    }
  } catch (cause) {
    throw new OperatorError('output-unwritable', `cannot replace what is in ${out}: ${describeError(cause)}`, cause);
  }
}
