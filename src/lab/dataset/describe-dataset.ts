/**
 * What is in a data set, read from its flows rather than believed of its manifest: one pass that also looks for leaks.
 * The same figures stand in the card and in `--json`.
 */
import { addressWords } from '#base';
import { catalogs } from '#feature';
import type { FlowBatch } from '#flow';
import { drawTimeline } from '../evaluate/timelines.ts';
import type { DeviceTimeline } from '../evaluate/results.ts';
import { checkCatalog, checkPartitions, DuplicateCheck } from './leak-checks.ts';
import type { DatasetDevice, DatasetManifest } from './manifest.ts';
import type { Dataset } from './read-dataset.ts';

export type NamedCount = { readonly name: string; readonly flows: number };

export type DeviceDescription = Pick<DatasetDevice,
  'device' | 'deviceModel' | 'kind' | 'flows' | 'train' | 'validation' | 'test' | 'firstMs' | 'lastMs'> & {
  readonly octets: number;
  /** Addresses that it talks to. */
  readonly destinations: number;
  /** Median seconds from one flow's start to the next one's; absent of a single flow. */
  readonly interArrivalSeconds?: number;
  /** Layer-7 names by number of flows, the first few. */
  readonly names: readonly NamedCount[];
};

export type DeviceModelDescription = {
  readonly deviceModel: string;
  readonly kind: DatasetDevice['kind'];
  readonly devices: number;
  readonly flows: number;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
};

export type DatasetDescription = Pick<DatasetManifest, 'name' | 'isSimulated' | 'note' | 'parameters' | 'counts' |
  'remarks' | 'madeBy'> & {
  readonly sources: number;
  readonly deviceModels: readonly DeviceModelDescription[];
  readonly devices: readonly DeviceDescription[];
  /** What was looked for and not found; a leak is an error instead. */
  readonly leakChecks: readonly string[];
};

const namesMax = 5;
/** The paper trains on device models with about as many. */
export const flowsForTraining = 1_000;

const leakChecks = [
  'no feature of a catalog is made of an identifier, an address of a device, a label or absolute time',
  'no flow is in two parts or under two devices',
  'the parts of each device follow each other in time',
  'every device is of one device model',
] as const;

/**
 * Reads a data set whole.
 *
 * @throws OperatorError  something leaks, or a file is not what the manifest says
 */
export async function describeDataset(
  dataset: Dataset,
): Promise<{ readonly description: DatasetDescription; readonly timelines: readonly DeviceTimeline[] }> {
  for (const catalog of catalogs) checkCatalog(catalog);
  const { manifest } = dataset;
  const duplicates = new DuplicateCheck();
  const devices: DeviceDescription[] = [];
  const timelines: DeviceTimeline[] = [];
  for (const device of manifest.devices) {
    const flows = await dataset.load(device);
    checkPartitions(device.device, flows);
    duplicates.add(device.device, flows);
    devices.push(describeDevice(device, flows));
    timelines.push(drawTimeline({ device, flows, test: [] }));
  }
  const { name, isSimulated, note, parameters, counts, remarks, madeBy } = manifest;
  return {
    timelines,
    description: {
      name, isSimulated, note, madeBy, parameters, counts, remarks, sources: manifest.sources.length,
      deviceModels: describeModels(devices), devices, leakChecks,
    },
  };
}

function describeDevice(device: DatasetDevice, { columns, dictionaries, rowCount }: FlowBatch): DeviceDescription {
  const { destinationAddress: to, flowStartMilliseconds: start, applicationName } = columns;
  const destinations = new Set<string>();
  const names = new Map<string, number>();
  let octets = 0;
  for (let row = 0; row < rowCount; row++) {
    destinations.add(to.subarray(row * addressWords, (row + 1) * addressWords).join(' '));
    const name = dictionaries.applicationName.decode(applicationName[row] as number);
    names.set(name, (names.get(name) ?? 0) + 1);
    octets += (columns.initiatorOctets[row] as number) + (columns.responderOctets[row] as number);
  }
  const gaps = Float64Array.from({ length: Math.max(rowCount - 1, 0) }, (_, i) =>
    (start[i + 1] as number) - (start[i] as number)).sort();
  const { deviceModel, kind, flows, train, validation, test, firstMs, lastMs } = device;
  return {
    device: device.device, deviceModel, kind, flows, train, validation, test, firstMs, lastMs, octets,
    destinations: destinations.size,
    ...(gaps.length > 0 && { interArrivalSeconds: (gaps[gaps.length >> 1] as number) / 1_000 }),
    names: [...names].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, namesMax)
      .map(([name, count]) => ({ name, flows: count })),
  };
}

function describeModels(devices: readonly DeviceDescription[]): DeviceModelDescription[] {
  return [...Map.groupBy(devices, ({ deviceModel }) => deviceModel)].map(([deviceModel, units]) => {
    const sum = (of: 'flows' | 'train' | 'validation' | 'test'): number =>
      units.reduce((total, unit) => total + unit[of], 0);
    return {
      deviceModel, kind: (units[0] as DeviceDescription).kind, devices: units.length, flows: sum('flows'),
      train: sum('train'), validation: sum('validation'), test: sum('test'),
    };
  });
}
