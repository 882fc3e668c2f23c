/** Flow records out of the house: one interface, five formats, chosen by the suffix of the output's name. */
import { OperatorError } from '#base';
import type { FlowBatch, FlowSetInfo } from '../flow-batch.ts';
import { createIpfixSink } from './ipfix-sink.ts';
import { createNf9PcapSink } from './nf9-pcap-sink.ts';
import {
  openFileTarget, openStreamTarget, standardOutput, type OutputTarget, type WritableStream,
} from './output-target.ts';
import type { ParquetCompression } from './parquet-file.ts';
import { openParquetSink } from './parquet-sink.ts';
import { TextSink } from './text-sink.ts';

/** Takes flow records and writes them in the order in which they come. */
export type FlowSink = {
  /**
   * Writes the rows of a batch.
   *
   * @param batch  read only; may be reused once the returned promise has resolved, or at once when there is none
   * @returns      a promise only when the caller must wait
   * @throws EnvironmentError  `disk`: an earlier write failed
   */
  write(batch: FlowBatch): void | Promise<void>;
  /** Writes what is left and gives the output its name. Call it once, last. @throws EnvironmentError  `disk` */
  end(info: FlowSetInfo): Promise<void>;
  /** Instead of `end`: stops and leaves no file behind. */
  abandon(): Promise<void>;
  /** Bytes that have left the sink; after `end`, the size of the output. */
  readonly bytesWritten: number;
  /** True when the reader of standard output went away (`| head`): further rows are dropped, the caller may stop. */
  readonly readerGone: boolean;
  /** What the format could not hold of the rows so far, in sentences; absent where it holds everything. */
  readonly notes?: readonly string[];
};

export type FlowFormat = 'csv' | 'jsonl' | 'parquet' | 'ipfix' | 'nf9-pcap';

const formatOfSuffix: Readonly<Record<string, FlowFormat>> = {
  '.csv': 'csv', '.jsonl': 'jsonl', '.parquet': 'parquet', '.ipfix': 'ipfix', '.nf9.pcap': 'nf9-pcap',
};

export type FlowSinkOptions = {
  /** Instead of the suffix; standard output is CSV without it. */
  readonly format?: FlowFormat | undefined;
  /** Standard output; for tests. */
  readonly stream?: WritableStream;
  /** Bytes of one write of the text formats; for tests. */
  readonly bufferBytes?: number;
  /** Rows of one row group of Parquet; for tests. */
  readonly groupRows?: number;
  /** Of Parquet; zstd without it. */
  readonly compression?: ParquetCompression | undefined;
};

/**
 * Opens an output for flow records.
 *
 * @param target  path ending in `.csv`, `.jsonl`, `.parquet`, `.ipfix` or `.nf9.pcap`, or `-` for standard output
 * @throws OperatorError  `output-unknown-kind`, `output-unwritable`, `bad-option` (Parquet on standard output)
 */
export async function openFlowSink(target: string, options: FlowSinkOptions = {}): Promise<FlowSink> {
  const format = options.format ?? chooseFormat(target);
  if (format === 'parquet') {
    if (target === standardOutput) {
      throw new OperatorError('bad-option', 'Parquet cannot go to standard output; name a file ending in .parquet.');
    }
    return openParquetSink(target, options);
  }
  const opened = await openTarget(target, options.stream);
  if (format === 'ipfix') return createIpfixSink(opened);
  if (format === 'nf9-pcap') return createNf9PcapSink(opened);
  return new TextSink(opened, format, options.bufferBytes);
}

/** Format that the suffix of a path asks for; standard output is CSV. @throws OperatorError  `output-unknown-kind` */
export function chooseFormat(target: string): FlowFormat {
  if (target === standardOutput) return 'csv';
  // The only suffix of two parts: a plain .pcap would be taken for packets.
  const suffix = /\.nf9\.pcap$|\.[^./\\]*$/.exec(target.toLowerCase())?.[0] ?? '';
  const format = formatOfSuffix[suffix];
  if (format !== undefined) return format;
  const known = Object.keys(formatOfSuffix).join(', ');
  throw new OperatorError(
    'output-unknown-kind',
    `The output ${target} has no suffix that says what to write; use one of ${known}, or - for standard output.`,
  );
}

/** A file by its path, or standard output for `-`. */
export async function openTarget(target: string, stream?: WritableStream): Promise<OutputTarget> {
  return target === standardOutput ? openStreamTarget(stream) : openFileTarget(target);
}
