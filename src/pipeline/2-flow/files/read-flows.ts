/** Flow records from files: one door for our own formats and those of others. */
import { OperatorError } from '#base';
import type { Dictionaries, FlowBatch, FlowSetInfo } from '../flow-batch.ts';
import { createIotDenatReader } from './import-iot-denat.ts';
import { createNprobeReader } from './import-nprobe.ts';
import { createZeekJsonReader, createZeekReader } from './import-zeek.ts';
import { createCsvReader, createJsonReader } from './own-text.ts';
import { readParquet } from './parquet-reader.ts';
import { FlowReadReport } from './read-report.ts';
import { flowFileKindTexts, type FlowFileKind } from './recognise-flows.ts';
import { readTextTable, type RecordReader } from './text-table.ts';

/** Where the bytes come from; a `ByteSource` of the capture room is one. */
export type FlowSource = {
  /** Parquet is read from this path; messages name it. */
  readonly path: string;
  /** Decompressed bytes from the beginning; each chunk is valid until the next. */
  chunks(): AsyncIterable<Uint8Array>;
};

/** All but the dictionaries are given by tests only. */
export type FlowReadOptions = {
  /** Shared with other batches, so that codes mean the same. */
  readonly dictionaries?: Dictionaries;
  readonly batchRows?: number;
  readonly lineCharactersMax?: number;
  readonly recordLinesMax?: number;
  readonly clockSampleRows?: number;
  readonly groupRowsMax?: number;
  readonly problemsMax?: number;
};

/**
 * Reads flow records. Bad rows are counted in what is returned, never thrown.
 *
 * @param source  stays the caller's, who closes it
 * @param kind    as `recogniseFlows` found it
 */
export function readFlows(source: FlowSource, kind: FlowFileKind, options: FlowReadOptions = {}): FlowReading {
  return new FlowReading(source, kind, options);
}

/** One file being read: its rows, and the account of them. */
export class FlowReading extends FlowReadReport {
  readonly kind: FlowFileKind;
  readonly #source: FlowSource;
  readonly #options: FlowReadOptions;

  constructor(source: FlowSource, kind: FlowFileKind, options: FlowReadOptions) {
    super(options.problemsMax);
    this.kind = kind;
    this.info = importedInfo(kind);
    this.#source = source;
    this.#options = options;
  }

  /**
   * The rows. Call it once.
   *
   * @returns  batches of one object that is filled again and again: each is valid until the next; none is empty
   * @throws OperatorError  `bad-columns`: an essential column is missing; `input-unreadable`: no Parquet file
   */
  batches(): AsyncGenerator<FlowBatch, void, void> {
    if (this.kind === 'parquet') return readParquet(this.#source.path, this, this.#options);
    const reader = createReader(this.kind, this, this.#options.clockSampleRows);
    return readTextTable(this.#source.chunks(), reader, this, this.#options);
  }
}

function createReader(
  kind: Exclude<FlowFileKind, 'parquet'>, report: FlowReadReport, clockSampleRows?: number,
): RecordReader {
  switch (kind) {
    case 'csv': return createCsvReader();
    case 'jsonl': return createJsonReader();
    case 'nprobe': return createNprobeReader(report);
    case 'zeek': return createZeekReader(report);
    case 'zeek-json': return createZeekJsonReader(report);
    case 'iot-denat': return createIotDenatReader(report, clockSampleRows);
  }
}

/** What the format of a foreign file says of its flow set; our own text formats say nothing. */
function importedInfo(kind: FlowFileKind): FlowSetInfo | undefined {
  if (kind === 'parquet' || kind === 'csv' || kind === 'jsonl') return undefined;
  const info: FlowSetInfo =
    { origin: flowFileKindTexts[kind], l7Source: 'exporter', l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0 };
  // nProbe's dumps may have either; the other two have always both directions in a record.
  return kind === 'nprobe' ? info : { ...info, isBiflow: true };
}

/** The error for an input that is no file of flow records. */
export function unknownFlowFile(path: string): OperatorError {
  const known = Object.values(flowFileKindTexts).join(', ');
  return new OperatorError('input-unknown-kind', `${path} is no file of flow records; known are: ${known}.`);
}
