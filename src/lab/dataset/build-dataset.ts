/**
 * Builds a data set: reads the files of an inventory and further flow files, keeps the flows of its devices, cuts each
 * device's flows in time, looks for leaks, and writes the folder. The same inputs and options give the same bytes.
 */
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { assertInvariant, OperatorError } from '#base';
import { catalogs } from '#feature';
import type { FlowSetInfo } from '#flow';
import { openFlowSink } from '#flow/files';
import { readInventory, type Inventory } from '../inventory/inventory.ts';
import { FlowCollection, type CollectedDevice, type CollectedSource } from './flow-collection.ts';
import { FileNames, openDatasetFolder } from './dataset-folder.ts';
import { checkCatalog, checkPartitions, DuplicateCheck } from './leak-checks.ts';
import {
  manifestFormat, manifestName, splitCounts, splitTenths, type DatasetDevice, type DatasetManifest, type DatasetSource,
} from './manifest.ts';
import { digestFile, SourceReader, type SourceOptions } from './read-sources.ts';
import { TraceCollection } from './trace-collection.ts';
import { writeTraces } from './write-traces.ts';

export type BuildOptions = SourceOptions & {
  readonly inventory: string;
  /** Flow files that carry labels, or flows of devices that the inventory names without a capture. */
  readonly flows: readonly string[];
  /** Folder to write. */
  readonly out: string;
  /** Name of the data set. */
  readonly name: string;
  /** In place of the comments of the inventory. */
  readonly note?: string | undefined;
  readonly natlensVersion: string;
  /** Also write packets and DNS names of the devices, for methods that are compared with. */
  readonly traces?: boolean;
  /** Told before each file that is read, and each trace that is written. */
  readonly onProgress?: (progress: BuildProgress) => void;
};

export type BuildProgress = {
  readonly file: string; readonly fileIndex: number; readonly fileCount: number; readonly flows: number;
};

/**
 * Builds a data set.
 *
 * @returns its manifest, as it stands in the folder
 * @throws OperatorError     the inventory or a file is wrong, there are no flows, something leaks
 * @throws EnvironmentError  the disk failed, libndpi is absent
 */
export async function buildDataset(options: BuildOptions): Promise<DatasetManifest> {
  for (const catalog of catalogs) checkCatalog(catalog);
  const inventory = await readInventory(options.inventory);
  const folder = await openDatasetFolder(options.out);
  try {
    const traces = options.traces === true ? new TraceCollection() : undefined;
    const collected = await collectFlows(inventory, options, traces);
    const devices = await writeDevices(folder.temporary, collected.devices);
    if (traces !== undefined) {
      await writeTraces(folder.temporary, traces, {
        collected: collected.devices, written: devices, onFile: (file, fileIndex) => options.onProgress?.({
          file, fileIndex, fileCount: devices.length, flows: collected.counts.labelled,
        }),
      });
    }
    const manifest: DatasetManifest = {
      format: manifestFormat,
      madeBy: `natlens ${options.natlensVersion}`,
      name: options.name,
      isSimulated: inventory.isSimulated,
      note: options.note ?? inventory.note,
      parameters: {
        l7Source: options.l7Source, l7Version: collected.l7Version,
        activeTimeoutMs: options.activeTimeoutMs, idleTimeoutMs: options.idleTimeoutMs, ...splitTenths,
      },
      counts: collected.counts,
      sources: collected.sources,
      devices,
      remarks: [...inventory.remarks, ...collected.remarks],
    };
    await writeFile(join(folder.temporary, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    await folder.keep();
    return manifest;
  } catch (thrown) {
    await folder.drop();
    throw thrown;
  }
}

type Collected = Pick<DatasetManifest, 'counts' | 'sources' | 'remarks'> & {
  readonly devices: readonly CollectedDevice[];
  readonly l7Version: string;
};

async function collectFlows(
  inventory: Inventory, options: BuildOptions, traces: TraceCollection | undefined,
): Promise<Collected> {
  const collection = new FlowCollection(inventory.devices);
  const reader = new SourceReader(options, collection.dictionaries);
  const files = await listFiles(inventory, options.flows);
  const sources: DatasetSource[] = [];
  const silentFiles: string[] = [];
  try {
    for (const [index, { path, name, devices }] of files.entries()) {
      options.onProgress?.({ file: name, fileIndex: index, fileCount: files.length, flows: collection.labelledCount });
      const before = collection.labelledCount;
      const take = (flows: Parameters<FlowCollection['add']>[0], made: FlowSetInfo): void => {
        const source: CollectedSource = { index, path: name, devices, made };
        collection.add(flows, source, traces === undefined ? undefined
          : (device, kept, row) => traces.keepFlow(device, kept, flows, row));
      };
      traces?.beginSource(devices);
      const is = await reader.read(path, name, take, traces?.observe);
      traces?.endSource(is);
      sources.push({ path: name, is, ...await digestFile(path) });
      if (collection.labelledCount === before) silentFiles.push(name);
    }
  } finally {
    await reader.end();
  }
  const silent = collection.silentDevices().map((device) => `${device}: no flow of it leads out of its home.`);
  const devices = collection.finish();
  const { readCount: read, labelledCount: labelled } = collection;
  const leftOut = collection.leftOut();
  assertInvariant(read === labelled + Object.values(leftOut).reduce((sum, count) => sum + count, 0),
    'flows that were read are neither labelled nor left out');
  if (labelled === 0) {
    const reasons = Object.entries(leftOut).map(([reason, count]) => `${reason}: ${count}`).join(', ');
    throw new OperatorError('input-empty', `No flow of ${read} that were read is one of a known device out of its ` +
      `home (${reasons}): check the MACs and addresses of the inventory.`);
  }
  checkLeaks(devices);
  return {
    devices, l7Version: reader.l7Version,
    counts: { read, labelled, leftOut, rejected: reader.rejected.toJSON() },
    sources: [
      { path: nameFile(inventory.folder, inventory.path), is: 'inventory', digest: inventory.digest,
        bytes: inventory.bytes },
      ...sources,
    ],
    remarks: [...reader.remarks, ...collection.remarks, ...describeSilent(silentFiles), ...silent],
  };
}

/** Files that gave nothing: short captures of devices that only talk at home are many. */
function describeSilent(files: readonly string[]): string[] {
  if (files.length === 0) return [];
  const named = files.slice(0, silentNamedMax).join(', ');
  return [`${files.length} files have no flow in the data set: ${named}` +
    `${files.length > silentNamedMax ? ' and others' : ''}.`];
}

const silentNamedMax = 8;

type ListedFile = Pick<CollectedSource, 'devices'> & { readonly path: string; readonly name: string };

/** Files of the inventory by path, then flow files as they were named; a file that both name is read once. */
async function listFiles(inventory: Inventory, flows: readonly string[]): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  const seen = new Set<string>();
  const enter = async (path: string, devices: ListedFile['devices']): Promise<void> => {
    // A path that does not exist is told of when it is opened.
    const real = await realpath(path).catch(() => path);
    if (seen.has(real)) return;
    seen.add(real);
    files.push({ path, name: nameFile(inventory.folder, path), devices });
  };
  for (const { path, devices } of inventory.files) await enter(path, devices);
  for (const path of flows) await enter(path, inventory.elsewhere);
  return files;
}

/** The path of a source as the manifest has it: from the inventory's folder, with forward slashes. */
function nameFile(folder: string, path: string): string {
  return relative(folder, path).split(sep).join('/');
}

function checkLeaks(devices: readonly CollectedDevice[]): void {
  const duplicates = new DuplicateCheck();
  for (const { device: { device }, flows } of devices) {
    checkPartitions(device, flows);
    duplicates.add(device, flows);
  }
}

async function writeDevices(folder: string, devices: readonly CollectedDevice[]): Promise<DatasetDevice[]> {
  const folders = new FileNames();
  const byModel = new Map<string, { readonly folder: string; readonly names: FileNames }>();
  const written: DatasetDevice[] = [];
  for (const { device, flows, made } of devices) {
    let place = byModel.get(device.deviceModel);
    if (place === undefined) {
      place = { folder: folders.choose(device.deviceModel), names: new FileNames() };
      byModel.set(device.deviceModel, place);
    }
    const file = `flows/${place.folder}/${place.names.choose(device.device)}.parquet`;
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    const sink = await openFlowSink(path);
    await sink.write(flows);
    await sink.end(made);
    const { flowStartMilliseconds: start } = flows.columns;
    written.push({
      ...device, file, ...await digestFile(path), flows: flows.rowCount,
      firstMs: start[0] as number, lastMs: start[flows.rowCount - 1] as number, ...splitCounts(flows.rowCount), made,
    });
  }
  return written;
}
