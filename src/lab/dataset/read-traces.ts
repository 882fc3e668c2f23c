/**
 * Reads the traces of a data set back, a device at a time. A trace whose flows or whose file are others than those that
 * it was made with is refused, since its packets point at rows of flows.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assertInvariant, describeError, OperatorError } from '#base';
import type { DeviceTrace, TraceTexts } from '../baseline/device-trace.ts';
import { readDataset } from './read-dataset.ts';
import { createTrace, parseTrace } from './trace-bytes.ts';
import type { TraceCounts } from './trace-collection.ts';
import { tracesFormat, tracesName, type TracesFile, type TraceUnit } from './write-traces.ts';

export type Traces = {
  readonly texts: TraceTexts;
  readonly counts: TraceCounts;
  /** Trace of a unit, by the name of the device; it is the caller's. @throws OperatorError  the file is another */
  load(device: string): Promise<DeviceTrace>;
};

/** Whether a data set was built with traces. */
export function hasTraces(folder: string): boolean {
  return existsSync(join(folder, tracesName));
}

/** Opens the traces of a data set. @throws OperatorError  there are none, or they are of other flows */
export async function loadTraces(folder: string): Promise<Traces> {
  const { manifest } = await readDataset(folder);
  const { counts, destinations, names, units } = await readTracesFile(folder);
  const byDevice = new Map(units.map((unit) => [unit.device, unit]));
  for (const { device, digest } of manifest.devices) {
    if (byDevice.get(device)?.flowsDigest === digest) continue;
    throw new OperatorError('input-unreadable',
      `The trace of ${device} in ${folder} is none of its flows there: build the data set again.`);
  }
  return {
    texts: { destinations, names }, counts,
    async load(device) {
      const unit = byDevice.get(device);
      assertInvariant(unit !== undefined, `there is no trace of ${device}`);
      return unit.file === undefined ? createTrace(0) : readTrace(join(folder, unit.file), unit);
    },
  };
}

async function readTracesFile(folder: string): Promise<TracesFile> {
  const path = join(folder, tracesName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw new OperatorError('input-unreadable', `The data set ${folder} has no traces (${describeError(thrown)}): ` +
      'build it with natlens lab build --traces.', thrown);
  }
  let found: Partial<TracesFile> | null;
  try {
    found = JSON.parse(text) as Partial<TracesFile> | null;
  } catch (thrown) {
    throw new OperatorError('input-unreadable', `${path} is no JSON: ${describeError(thrown)}.`, thrown);
  }
  if (found?.format !== tracesFormat || found.counts === undefined ||
    ![found.units, found.destinations, found.names].every(Array.isArray)) {
    throw new OperatorError('input-unknown-kind',
      `${path} holds no traces of format ${tracesFormat}: build the data set again.`);
  }
  return found as TracesFile;
}

async function readTrace(path: string, { digest, packets }: TraceUnit): Promise<DeviceTrace> {
  const bytes = await readFile(path).catch((thrown: unknown) => {
    throw changed(path, describeError(thrown), thrown);
  });
  if (createHash('sha256').update(bytes).digest('hex') !== digest) throw changed(path, 'its digest is another');
  const trace = await parseTrace(bytes).catch((thrown: unknown) => {
    throw changed(path, describeError(thrown), thrown);
  });
  if (trace.timeMs.length !== packets) throw changed(path, `it has ${trace.timeMs.length} of ${packets} packets`);
  return trace;
}

function changed(path: string, what: string, cause?: unknown): OperatorError {
  return new OperatorError('input-unreadable',
    `${path} is not the file that the traces tell of (${what}): build the data set again.`, cause);
}
