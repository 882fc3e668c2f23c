/**
 * The flows of a data set in memory, unit by unit, with the test part of each apart. Every thread of an experiment
 * reads them anew.
 */
import { createHash } from 'node:crypto';
import { limits, OperatorError } from '#base';
import { checkNeeds, needsOf, type FlowNeeds } from '#feature';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import type { DatasetDevice, DatasetManifest } from '../dataset/manifest.ts';
import { readDataset } from '../dataset/read-dataset.ts';

/** Flows of one unit, ascending in time. */
export type LabUnit = {
  readonly device: DatasetDevice;
  readonly flows: FlowBatch;
  /** The rows of the test part, in batches that may be scored. */
  readonly test: readonly FlowBatch[];
};

export type LabFlows = {
  readonly manifest: DatasetManifest;
  readonly units: readonly LabUnit[];
  /** What whoever reads the figures should know, in sentences. */
  readonly remarks: readonly string[];
};

/** SHA-256 (hexadecimal) of what results depend on: the flows, their parts, and what kind each device is of. */
export function digestDataset({ devices }: DatasetManifest): string {
  const entries = devices.map(({ device, deviceModel, kind, digest, train, validation, test }) =>
    JSON.stringify([deviceModel, device, kind, digest, train, validation, test]));
  return createHash('sha256').update(entries.sort().join('\n')).digest('hex');
}

/**
 * Reads all flows of a data set. All must have both directions in a record, or all one. Timeouts and the source of
 * layer-7 names may differ, as of computers that someone else recorded; it is remarked, as figures against such devices
 * look better than they are.
 *
 * @throws OperatorError  it is none, it was changed, or its flows must not be compared
 */
export async function loadLabFlows(folder: string): Promise<LabFlows> {
  const dataset = await readDataset(folder);
  const { manifest } = dataset;
  const usual = pickReference(manifest);
  if (usual === undefined) throw new OperatorError('input-empty', `The data set ${folder} has no devices.`);
  const usualNeeds = knownNeeds(usual);
  const others: DatasetDevice[] = [];
  const units: LabUnit[] = [];
  for (const device of manifest.devices) {
    const needs = knownNeeds(device);
    if (needs.isBiflow !== usualNeeds.isBiflow) {
      throw new OperatorError('bad-columns', `Flows of ${device.deviceModel} (${device.file}) must not be compared ` +
        `with those of ${usual.deviceModel} (${usual.file}). ${checkNeeds(usualNeeds, device.made)}`);
    }
    if (JSON.stringify(needs) !== JSON.stringify(usualNeeds)) others.push(device);
    const flows = await dataset.load(device);
    units.push({ device, flows, test: cutTest(flows, device) });
  }
  return { manifest, units, remarks: remarkOthers(others, usual) };
}

/** One sentence for each way in which devices' flows were made otherwise. */
function remarkOthers(others: readonly DatasetDevice[], usual: DatasetDevice): string[] {
  const { made } = usual;
  const name = (devices: readonly DatasetDevice[]): string =>
    [...new Set(devices.map(({ deviceModel }) => deviceModel))].sort().join(', ');
  const named = others.filter((device) => device.made.l7Source !== made.l7Source);
  const timed = others.filter((device) =>
    device.made.activeTimeoutMs !== made.activeTimeoutMs || device.made.idleTimeoutMs !== made.idleTimeoutMs);
  return [
    ...named.length === 0 ? [] : [`Flows of ${name(named)} have layer-7 names from another source than those of ` +
      `${usual.deviceModel}: how well they are told apart says little.`],
    ...timed.length === 0 ? [] : [`Flows of ${name(timed)} were made with other timeouts than those of ` +
      `${usual.deviceModel}: that may make them easier to tell apart.`],
  ];
}

/** Whom the others are held against: the IoT device with the most flows, as it is IoT devices that are looked for. */
function pickReference({ devices }: DatasetManifest): DatasetDevice | undefined {
  const iot = devices.filter(({ kind }) => kind === 'iot');
  return (iot.length > 0 ? iot : devices).reduce<DatasetDevice | undefined>((most, device) =>
    (most === undefined || device.flows > most.flows ? device : most), undefined);
}

/** What a classifier of a device's flows will need. @throws OperatorError  it is not known how they were made */
export function knownNeeds({ made, file }: Pick<DatasetDevice, 'made' | 'file'>): FlowNeeds {
  const needs = needsOf(made);
  if (typeof needs !== 'string') return needs;
  throw new OperatorError('bad-columns', `${file} cannot be used in an experiment. ${needs}`);
}

function cutTest(flows: FlowBatch, { train, validation, test }: DatasetDevice): FlowBatch[] {
  const batches: FlowBatch[] = [];
  const end = train + validation + test;
  for (let first = train + validation; first < end; first += limits.flowBatchRows) {
    const last = Math.min(first + limits.flowBatchRows, end);
    const batch = createFlowBatch(last - first, flows.dictionaries);
    copyRows(flows, first, last, batch);
    batches.push(batch);
  }
  return batches;
}
