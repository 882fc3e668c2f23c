/**
 * Traces on disk: a Parquet file for each device beside its flows, `traces/DEVICE_MODEL/DEVICE.parquet`, and
 * `traces.json` with what their codes stand for. The manifest of the data set says nothing of them: with or without
 * traces, the data set is the same.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DeviceTrace, TraceTexts } from '../baseline/device-trace.ts';
import { writeFileWhole } from '../evaluate/cell-store.ts';
import type { CollectedDevice } from './flow-collection.ts';
import type { DatasetDevice } from './manifest.ts';
import { digestFile } from './read-sources.ts';
import { formatTrace } from './trace-bytes.ts';
import type { TraceCollection, TraceCounts } from './trace-collection.ts';

export const tracesName = 'traces.json';
export const tracesFormat = 1;

/** Trace of one unit. */
export type TraceUnit = {
  readonly device: string;
  /** SHA-256 of the file of its flows, whose rows the trace tells of. */
  readonly flowsDigest: string;
  readonly packets: number;
  /** Relative to the folder of the data set; absent when there are no packets. */
  readonly file?: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest?: string;
  readonly bytes?: number;
};

/** What `traces.json` holds. */
export type TracesFile = TraceTexts & {
  readonly format: typeof tracesFormat;
  readonly counts: TraceCounts;
  readonly units: readonly TraceUnit[];
};

/**
 * Writes the traces of all devices of a data set.
 *
 * @param collected  the devices with their flows
 * @param written    the same, as the manifest has them
 * @param onFile     told of each file before it is made
 * @throws EnvironmentError  the disk failed
 */
export async function writeTraces(
  folder: string, traces: TraceCollection,
  { collected, written, onFile }: {
    readonly collected: readonly CollectedDevice[];
    readonly written: readonly DatasetDevice[];
    readonly onFile: (file: string, index: number) => void;
  },
): Promise<void> {
  const units: TraceUnit[] = [];
  for (const [i, { device, file, digest: flowsDigest }] of written.entries()) {
    onFile(traceFileOf(file), i);
    const trace = traces.finishTrace(collected[i] as CollectedDevice);
    const packets = trace.timeMs.length;
    const unit = { device, flowsDigest, packets };
    units.push(packets === 0 ? unit : { ...unit, ...await writeTrace(folder, traceFileOf(file), trace) });
  }
  const content: TracesFile = { format: tracesFormat, counts: traces.counts(), units, ...traces.texts() };
  await writeFileWhole(join(folder, tracesName), `${JSON.stringify(content, null, 1)}\n`);
}

/** Where the trace of a device lies, by where its flows do. */
function traceFileOf(flowFile: string): string {
  return `traces${flowFile.slice(flowFile.indexOf('/'))}`;
}

async function writeTrace(
  folder: string, file: string, trace: DeviceTrace,
): Promise<{ file: string; digest: string; bytes: number }> {
  const path = join(folder, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFileWhole(path, formatTrace(trace));
  return { file, ...await digestFile(path) };
}
