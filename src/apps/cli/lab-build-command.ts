/** `natlens lab build`: captures and an inventory of their devices in, a data set out. */
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { formatCount, formatTable, OperatorError, readVersion } from '#base';
import { meterDefaults, type FlowSetInfo, type L7Source } from '#flow';
import { buildDataset, dropTemporaryFolders, loadTraces, type BuildProgress, type DatasetManifest } from '#lab';
import { dropTemporaryFiles } from '#flow/files';
import { madeAsOption, parseMadeAs } from './classifier-flows.ts';
import { parseL7, parseSeconds } from './flows-command.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { ReportExit } from './main.ts';
import { openNamer } from './open-namer.ts';
import { Progress } from './progress.ts';

/** How data sets are made: by `lab build`, and by verbs that begin with one. */
export type LabBuildOptions = {
  readonly inventory: string;
  readonly flows: readonly string[];
  readonly out: string;
  readonly l7: L7Source;
  readonly active: number;
  readonly idle: number;
  readonly madeAs?: FlowSetInfo;
  readonly name?: string;
  readonly note?: string;
  readonly traces?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Gives the verb its options and its action. */
export function configureLabBuild(command: Command, reportExit: ReportExit): void {
  command
    .description('Makes a data set: flows of the captures that an inventory names, and of flow files, labelled by the ' +
      'devices of the inventory, each device\'s flows cut in time into train (70 %), validation (10 %) and test (20 %). ' +
      'Refuses data with leaks. The same inputs give the same bytes.')
    .requiredOption('--out <dir>', 'folder to write; a data set that is there is replaced');
  addBuildOptions(command)
    .option('--traces', 'also write the packets of devices out of their home (time, IPv4 identification, destination, ' +
      'DNS name asked for), for the methods that natlens is compared with; reads payload')
    .option('--json', 'print the manifest as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens lab build --inventory captures/inventory.csv --out lab\n' +
      '  natlens lab build --inventory devices.csv --flows office.conn.log labelled.parquet --out lab --l7 prefix\n')
    .action(async (options: LabBuildOptions) => {
      const manifest = await runLabBuild(options);
      process.stdout.write(options.json === true
        ? `${JSON.stringify(manifest, null, 2)}\n` : `${formatManifest(manifest, options.out)}\n`);
      if (options.json !== true && options.traces === true) {
        process.stdout.write(`${await describeTraces(options.out)}\n`);
      }
      if (isCut(manifest)) reportExit(1);
    });
}

/** The options that say of what a data set is made and how, for every verb that makes one. */
export function addBuildOptions(command: Command): Command {
  return command
    .requiredOption('--inventory <file>',
      'CSV of captures and devices: capture (glob from the file\'s folder), mac or address, device_model, kind')
    .option('--flows <file...>', 'flow files with the columns device and device_model, or flows of devices that the ' +
      'inventory names without a capture', collect, [])
    .option('--l7 <source>', 'who names layer 7: prefix, ndpi, exporter, none', parseL7, 'prefix')
    .option('--active <seconds>', 'active timeout', parseSeconds, meterDefaults.activeTimeoutMs / 1_000)
    .option('--idle <seconds>', 'idle timeout', parseSeconds, meterDefaults.idleTimeoutMs / 1_000)
    .option(madeAsOption[0], madeAsOption[1], parseMadeAs)
    .option('--name <text>', 'name of the data set (default: of the inventory\'s folder)')
    .option('--note <text>', 'where the data are from, their licence (default: the comments above the inventory)');
}

function collect(path: string, before: string[]): string[] {
  return [...before, path];
}

/** Builds the data set and shows progress. @throws OperatorError, EnvironmentError */
export async function runLabBuild(options: LabBuildOptions): Promise<DatasetManifest> {
  const { inventory, out } = options;
  const forgetCleanUp = cleanUpOnSignal(() => {
    dropTemporaryFiles();
    dropTemporaryFolders();
  });
  const progress = new Progress(options.quiet === true);
  try {
    return await buildDataset({
      inventory, out, flows: options.flows, l7Source: options.l7, openNamer,
      activeTimeoutMs: options.active * 1_000, idleTimeoutMs: options.idle * 1_000,
      madeAs: options.madeAs, note: options.note, name: options.name ?? nameOf(inventory),
      traces: options.traces === true,
      natlensVersion: readVersion(), onProgress: (done) => progress.tick(() => describeBuild(done, progress.seconds)),
    });
  } finally {
    forgetCleanUp();
    progress.end();
  }
}

function nameOf(inventory: string): string {
  if (inventory.trim() === '') throw new OperatorError('bad-option', '--inventory is the path of a CSV.');
  return basename(resolve(inventory, '..'));
}

function describeBuild({ file, fileIndex, fileCount, flows }: BuildProgress, seconds: number): string {
  return `natlens: file ${fileIndex + 1} of ${fileCount}: ${file}: ${formatCount(flows)} flows, ` +
    `${formatCount(seconds)} s`;
}

/** Packets that are no IP or that came twice are the rule in captures; what is cut or unreadable is not. */
function isCut({ counts: { rejected } }: DatasetManifest): boolean {
  return ['cut-file', 'damaged-file', 'bad-row'].some((reason) => (rejected[reason] ?? 0) > 0);
}

/** A sentence about the traces that were written, and one about what they lack. */
async function describeTraces(folder: string): Promise<string> {
  const { counts: { packets, queries, leftOut, incompleteFlows }, texts } = await loadTraces(folder);
  const missing = Object.entries(leftOut).filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${formatCount(count)}`);
  const lacking = incompleteFlows === 0 ? '' : `; ${formatCount(incompleteFlows)} flows lack packets`;
  return `traces: ${formatCount(packets)} packets, ${formatCount(queries)} of them queries for ` +
    `${formatCount(texts.names.length - 1)} names; left out: ${missing.join(', ') || 'none'}${lacking}`;
}

/** The summary for people. */
export function formatManifest(manifest: DatasetManifest, folder: string): string {
  const { counts, devices, sources, remarks } = manifest;
  const rows = devices.map((device) => [device.deviceModel, device.device, device.kind,
    ...[device.flows, device.train, device.validation, device.test].map(formatCount)]);
  const leftOut = Object.entries(counts.leftOut).filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return [
    formatTable(['device model', 'device', 'kind', 'flows', 'train', 'validation', 'test'], rows),
    '',
    `${formatCount(counts.labelled)} flows of ${devices.length} devices from ` +
    `${formatCount(sources.length - 1)} files; read ${formatCount(counts.read)}; left out: ` +
    (leftOut.join(', ') || 'none'),
    ...remarks,
    `written to ${folder}`,
  ].join('\n');
}
