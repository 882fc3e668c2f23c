/**
 * `natlens simulate --lab`: the simulated lab, or homes with and without a device model, each written to a folder with
 * both sides of its router, the inventory and the truth.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatBytes, formatCount, formatTable, OperatorError } from '#base';
import { dropTemporaryFiles } from '#flow/files';
import {
  homeUnits, labNote, labUnits, portPolicies, writeLabFolder, type FirmwareChange, type LabFolder, type PortPolicy,
} from '#sim';
import { cleanUpOnSignal } from './interruption.ts';
import { Progress } from './progress.ts';

export type LabCommandOptions = {
  readonly seed: number;
  readonly lab?: string;
  readonly days: number;
  readonly scale: number;
  readonly units: number;
  readonly homes: number;
  readonly intruder?: string;
  readonly firmware: readonly FirmwareChange[];
  readonly natPorts: PortPolicy;
  readonly clockOffset: number;
};

/** A folder to write, and who is in it. */
type LabJob = { readonly folder: string; readonly seed: number; readonly units: readonly string[] };
export type LabPlan = { readonly jobs: readonly LabJob[]; readonly options: LabCommandOptions };

const unitsMax = 4;
const homesMax = 100;
const ofLabOnly = ['days', 'scale', 'units', 'homes', 'intruder', 'firmware', 'natPorts', 'clockOffset'];
const ofCaptureOnly = ['minutes', 'devices', 'clouds'];

/** Gives the verb the options of the lab. */
export function addLabOptions(command: Command): Command {
  return command
    .option('--lab <dir>', 'write the simulated lab to this folder instead of a home to a capture')
    .option('--days <number>', 'lab: days', parsePositive('--days'), 10)
    .option('--scale <number>', 'lab: length of a day, in days (0.1: days of 2.4 hours)', parsePositive('--scale'), 0.1)
    .option('--units <number>', 'lab: units of each IoT device model', parseWhole('--units', unitsMax), 2)
    .option('--homes <number>', 'lab: so many homes, each with and without the intruder, instead of the lab',
      parseWhole('--homes', homesMax), 1)
    .option('--intruder <model>', 'lab: the device model that homes have or have not')
    .option('--firmware <model@day...>', 'lab: firmware changes of a device model, after so many days',
      collectFirmware, [])
    .option('--nat-ports <policy>', `lab: outer ports of the router: ${portPolicies.join(', ')}`, parsePolicy,
      'preserve')
    .option('--clock-offset <milliseconds>', 'lab: what the clock of the tap outside is ahead', parseOffset, 0);
}

/**
 * What is to be written with these options, or undefined without `--lab`.
 *
 * @param isGiven  was the option given, by its name in the options?
 * @throws OperatorError  options that do not go together
 */
export function readLabPlan(
  file: string | undefined, options: LabCommandOptions, isGiven: (name: string) => boolean,
): LabPlan | undefined {
  const { lab, seed, intruder } = options;
  const dashed = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const strange = (lab === undefined ? ofLabOnly : ofCaptureOnly).find(isGiven);
  if (strange !== undefined) {
    throw new OperatorError('bad-option', lab === undefined ? `${dashed(strange)} needs --lab DIR.`
      : `${dashed(strange)} is of a capture, and does not go with --lab.`);
  }
  if (lab === undefined) return undefined;
  if (file !== undefined) {
    throw new OperatorError('bad-option', `--lab ${lab} writes a folder: leave out the capture ${file}.`);
  }
  if (intruder === undefined) {
    if (isGiven('homes')) throw new OperatorError('bad-option', '--homes needs --intruder MODEL.');
    return { options, jobs: [{ folder: lab, seed, units: labUnits(options.units) }] };
  }
  if (isGiven('units')) throw new OperatorError('bad-option', '--units does not go with --intruder.');
  const jobs = Array.from({ length: options.homes }, (_, i) => ['with', 'without'].map((which): LabJob => {
    // Every home is another household: its seed is far from the next one's.
    const homeSeed = (seed + Math.imul(i, 0x85ebca6b)) >>> 0;
    const folder = join(lab, `home-${String(i + 1).padStart(2, '0')}-${which}`);
    return { folder, seed: homeSeed, units: homeUnits(homeSeed, intruder, which === 'with') };
  }));
  return { options, jobs: jobs.flat() };
}

/** Writes it all and says what there is. */
export async function runSimulateLab({ jobs, options }: LabPlan, isJson: boolean): Promise<void> {
  const progress = new Progress(isJson);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  const written: { job: LabJob; folder: LabFolder }[] = [];
  try {
    for (const job of jobs) {
      const folder = await writeLabFolder(job.folder, {
        seed: job.seed, units: job.units, days: options.days, scale: options.scale,
        firmwareChanges: options.firmware,
        portPolicy: options.natPorts, clockOffsetMs: options.clockOffset,
        tellProgress: (share) => progress.tick(() =>
          `natlens: ${job.folder}: ${Math.floor(100 * share)} %, ${formatCount(progress.seconds)} s`),
      });
      written.push({ job, folder });
    }
  } finally {
    forgetCleanUp();
    progress.end();
  }
  const facts = written.map(({ job, folder }) => ({ folder: job.folder, seed: job.seed, ...folder }));
  process.stdout.write(isJson
    ? `${JSON.stringify(facts, null, 2)}\n`
    : `${labNote}\n\n${written.map(({ job, folder }) => describeFolder(job, folder)).join('\n\n')}\n\n` +
      `Next: natlens lab build --inventory ${join(jobs[0]?.folder ?? '', 'inventory.csv')} --out dataset\n`);
}

function describeFolder({ folder: path }: LabJob, folder: LabFolder): string {
  const rows = [...Map.groupBy(folder.devices, ({ deviceModel }) => deviceModel)].map(([model, units]) => [
    model, units[0]?.kind ?? '', String(units.length),
    formatCount(units.reduce((sum, { outboundPackets, inboundPackets }) => sum + outboundPackets + inboundPackets, 0)),
    formatBytes(units.reduce((sum, { outboundOctets, inboundOctets }) => sum + outboundOctets + inboundOctets, 0)),
  ]);
  return `${path}: ${(folder.durationS / 3600).toFixed(1)} h, ${formatCount(folder.insidePackets)} packets inside, ` +
    `${formatCount(folder.outsidePackets)} outside, ${formatCount(folder.translations)} translations, ` +
    `${formatBytes(folder.fileBytes)}\n\n` +
    formatTable(['device model', 'kind', 'units', 'packets', 'bytes'], rows);
}

function parsePositive(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value > 0)) throw new OperatorError('bad-option', `${name} is a number above 0, not '${text}'.`);
    return value;
  };
}

function parseWhole(name: string, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw new OperatorError('bad-option', `${name} is a whole number from 1 to ${max}, not '${text}'.`);
  };
}

function parseOffset(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Math.abs(value) <= 60_000) return value;
  throw new OperatorError('bad-option', `--clock-offset is a number from -60000 to 60000, not '${text}'.`);
}

function parsePolicy(text: string): PortPolicy {
  const policy = portPolicies.find((known) => known === text);
  if (policy !== undefined) return policy;
  throw new OperatorError('bad-option', `--nat-ports knows ${portPolicies.join(', ')}, not '${text}'.`);
}

function collectFirmware(text: string, before: readonly FirmwareChange[]): readonly FirmwareChange[] {
  const [, deviceModel = '', day = ''] = /^(.+)@([\d.]+)$/.exec(text) ?? [];
  if (deviceModel !== '' && Number(day) >= 0) return [...before, { deviceModel, day: Number(day) }];
  throw new OperatorError('bad-option', `--firmware is a device model and a day, such as webcam.Sricam.SP017@5, not ` +
    `'${text}'.`);
}
