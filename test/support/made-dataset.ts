/** Writes flows as a data set, as `natlens lab build` would: for tests of what works on data sets. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createFlowBatch, copyRows, type FlowBatch, type FlowSetInfo } from '#flow';
import { openFlowSink } from '#flow/files';
import { leftOutReasons, partitionOf, splitCounts, type DatasetDevice, type DatasetManifest } from '#lab';
import { madeByNatlens } from './labelled-flows.ts';

export type MadeUnit = {
  readonly device: string;
  readonly deviceModel: string;
  readonly kind: 'iot' | 'non-iot';
  /** Ascending in time; labels are written over. */
  readonly flows: FlowBatch;
};

const nothingLeftOut = Object.fromEntries(leftOutReasons.map((reason) => [reason, 0])) as
  DatasetManifest['counts']['leftOut'];

/** Writes a data set into a folder, which is made. */
export async function writeDataset(
  folder: string, units: readonly MadeUnit[], made: FlowSetInfo = madeByNatlens,
): Promise<DatasetManifest> {
  const devices: DatasetDevice[] = [];
  for (const unit of units) devices.push(await writeUnit(folder, unit, made));
  const labelled = devices.reduce((sum, { flows }) => sum + flows, 0);
  const manifest: DatasetManifest = {
    format: 1, madeBy: 'a test', name: 'made', isSimulated: true, note: 'Made up by a test.',
    parameters: { ...made, trainTenths: 7, validationTenths: 1 },
    counts: { read: labelled, labelled, leftOut: nothingLeftOut, rejected: {} },
    sources: [], devices, remarks: [],
  };
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function writeUnit(
  folder: string, { device, deviceModel, kind, flows }: MadeUnit, made: FlowSetInfo,
): Promise<DatasetDevice> {
  const safe = (name: string): string => name.replaceAll(/[^\w.-]/g, '_');
  const file = `flows/${safe(deviceModel)}/${safe(device)}.parquet`;
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  const counts = splitCounts(flows.rowCount);
  const labelled = createFlowBatch(flows.rowCount, flows.dictionaries);
  copyRows(flows, 0, flows.rowCount, labelled);
  const { columns, dictionaries } = labelled;
  for (let row = 0; row < labelled.rowCount; row++) {
    columns.device[row] = dictionaries.device.encode(device);
    columns.device_model[row] = dictionaries.device_model.encode(deviceModel);
    columns.partition[row] = dictionaries.partition.encode(partitionOf(row, counts));
  }
  const sink = await openFlowSink(path);
  await sink.write(labelled);
  await sink.end(made);
  const bytes = readFileSync(path);
  return {
    device, deviceModel, kind, file, digest: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length,
    flows: flows.rowCount, firstMs: columns.flowStartMilliseconds[0] as number,
    lastMs: columns.flowStartMilliseconds[flows.rowCount - 1] as number, ...counts, made,
  };
}
