/**
 * Reads a data set back: the manifest, and the flows of each device in order of time. A file that is not the one that
 * the manifest tells of is refused: results would be attributed to data that nobody has.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, OperatorError } from '#base';
import { copyRows, createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '#flow';
import { readFlows } from '#flow/files';
import { manifestFormat, manifestName, type DatasetDevice, type DatasetManifest } from './manifest.ts';

export type Dataset = {
  readonly folder: string;
  readonly manifest: DatasetManifest;
  /** Of all batches, so that codes mean the same everywhere. */
  readonly dictionaries: Dictionaries;
  /**
   * Flows of a device in order of time: first those of train, then validation, then test.
   *
   * @returns batches of one object that is filled again and again: each is valid until the next
   * @throws OperatorError  the file is not what the manifest says
   */
  batches(device: DatasetDevice): AsyncGenerator<FlowBatch, void, void>;
  /** All flows of a device in one batch, which is the caller's. @throws OperatorError as `batches` */
  load(device: DatasetDevice): Promise<FlowBatch>;
};

/** Opens a data set. @throws OperatorError  the folder holds none, or one of another format */
export async function readDataset(folder: string): Promise<Dataset> {
  const manifest = await readManifest(folder);
  const dictionaries = createDictionaries();
  async function* batches(device: DatasetDevice): AsyncGenerator<FlowBatch, void, void> {
    await checkDigest(folder, device);
    const path = join(folder, device.file);
    const reading = readFlows({ path, chunks: noChunks }, 'parquet', { dictionaries });
    yield* reading.batches();
    if (reading.rejected.total() > 0 || reading.rows !== device.flows) {
      throw changed(path, `${reading.rows} of its ${device.flows} flows can be read`);
    }
  }
  return {
    folder, manifest, dictionaries, batches,
    async load(device) {
      const all = createFlowBatch(device.flows, dictionaries);
      for await (const batch of batches(device)) copyRows(batch, 0, batch.rowCount, all);
      return all;
    },
  };
}

/** Parquet is read from its path. */
async function* noChunks(): AsyncGenerator<Uint8Array, void, void> {
  // Nothing comes.
}

async function readManifest(folder: string): Promise<DatasetManifest> {
  const path = join(folder, manifestName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw new OperatorError('input-unreadable', `${folder} is no data set: ${describeError(thrown)}. ` +
      'natlens lab build makes one.', thrown);
  }
  let manifest: Partial<DatasetManifest>;
  try {
    manifest = JSON.parse(text) as Partial<DatasetManifest>;
  } catch (thrown) {
    throw new OperatorError('input-unreadable', `${path} is no JSON: ${describeError(thrown)}.`, thrown);
  }
  if (manifest.format !== manifestFormat || !Array.isArray(manifest.devices)) {
    throw new OperatorError('input-unknown-kind',
      `${path} is no manifest of a data set of format ${manifestFormat}: build the data set again.`);
  }
  return manifest as DatasetManifest;
}

async function checkDigest(folder: string, { file, digest }: DatasetDevice): Promise<void> {
  const path = join(folder, file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (thrown) {
    throw changed(path, describeError(thrown), thrown);
  }
  if (createHash('sha256').update(bytes).digest('hex') !== digest) {
    throw changed(path, 'its digest is another');
  }
}

function changed(path: string, what: string, cause?: unknown): OperatorError {
  return new OperatorError('input-unreadable',
    `${path} is not the file that its data set's manifest tells of (${what}): build the data set again.`, cause);
}
