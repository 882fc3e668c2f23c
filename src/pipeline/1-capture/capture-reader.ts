/**
 * Reads a capture: from a byte source to packet batches, with the counts that balance. What the formats and link types
 * are is told in `pcap.ts`, `pcapng.ts` and `link-layer.ts`. Bad bytes never throw; memory is bounded.
 */
import { Counts, OperatorError, type Problem, type ProblemCode } from '#base';
import type { ByteSource } from './byte-source.ts';
import { createPacketBatch, type PacketBatch } from './packet-batch.ts';
import { PcapParser } from './pcap.ts';
import { PcapngParser } from './pcapng.ts';
import { type CaptureKind, recogniseCapture } from './recognise.ts';
import {
  type CaptureLimits, captureLimits, FrameTally, parseBatchFull, parseSkip, parseStopped, type RecordParser,
} from './record-parser.ts';
import { type AllocateWindow, RecordWindow } from './record-window.ts';

/** A capture being read. All counts are valid whenever `batches` has given a batch or ended. */
export type CaptureReading = {
  readonly kind: CaptureKind;
  /** Frames met so far; always `rows + rejected.total()`. */
  readonly frames: number;
  /** Frames handed on. */
  readonly rows: number;
  /** Frames that were not handed on, by reason. */
  readonly rejected: Counts<ProblemCode>;
  /** pcapng blocks that hold no frame and were passed over. */
  readonly skippedBlocks: number;
  /** Where the capture is cut or damaged; the first `limits.captureProblemsMax` of them. */
  readonly problems: readonly Problem[];
  /**
   * All packets, in the order of the file. One batch is filled again and again: valid until the next is asked for.
   *
   * @throws EnvironmentError  the disk or pipe failed
   */
  batches(): AsyncGenerator<PacketBatch, void, void>;
};

export type CaptureOptions = {
  readonly batchRows?: number;
  /** Gives the memory in which the capture's bytes are held while they are read. */
  readonly allocate?: AllocateWindow;
  /** Tiny ones under test. */
  readonly limits?: Partial<CaptureLimits>;
};

/**
 * Begins to read a capture. The source is read from where it stands and not closed.
 *
 * @throws OperatorError  'input-unknown-kind': the source's head is no capture's
 */
export function readCapture(source: ByteSource, options: CaptureOptions = {}): CaptureReading {
  const kind = recogniseCapture(source.head);
  if (kind === undefined) {
    throw new OperatorError('input-unknown-kind', `${source.path} is no pcap or pcapng capture: check the file.`);
  }
  return new OpenCapture(kind, source, { ...captureLimits, ...options.limits }, options);
}

class OpenCapture implements CaptureReading {
  readonly kind: CaptureKind;
  rows = 0;
  readonly rejected = new Counts<ProblemCode>();
  readonly #source: ByteSource;
  readonly #tally: FrameTally;
  readonly #parser: RecordParser;
  readonly #window: RecordWindow;
  readonly #batch: PacketBatch;

  constructor(kind: CaptureKind, source: ByteSource, limits: CaptureLimits, options: CaptureOptions) {
    this.kind = kind;
    this.#source = source;
    this.#tally = new FrameTally(this.rejected, limits.captureProblemsMax);
    this.#parser = kind === 'pcap' ? new PcapParser(limits) : new PcapngParser(limits);
    this.#window = new RecordWindow(limits.readChunkBytes, options.allocate);
    this.#batch = createPacketBatch(options.batchRows);
  }

  get frames(): number {
    return this.#tally.frames;
  }

  get skippedBlocks(): number {
    return this.#tally.skippedBlocks;
  }

  get problems(): readonly Problem[] {
    return this.#tally.problems;
  }

  async *batches(): AsyncGenerator<PacketBatch, void, void> {
    const batch = this.#batch;
    for (;;) {
      const result = this.#parse();
      if (batch.rowCount > 0) yield batch;
      if (result === parseStopped) return;
      if (result !== parseBatchFull && !(await this.#goOn(result))) return;
    }
  }

  /** Fills the batch from what is in memory. */
  #parse(): number {
    const batch = this.#batch;
    batch.rowCount = 0;
    batch.data = this.#window.data;
    const result = this.#parser.parse(this.#window, batch, this.#tally);
    this.rows += batch.rowCount;
    this.#tally.flush();
    return result;
  }

  /** Reads on. @returns false at the end of the source */
  async #goOn(result: number): Promise<boolean> {
    const window = this.#window;
    const startBytes = window.offsetBytes;
    const isThere = result === parseSkip
      ? await window.skip(this.#source, this.#tally.skipBytes)
      : await window.fill(this.#source, result);
    if (isThere) return true;
    const problem = this.#source.problem;
    if (problem !== undefined) this.#tally.describe(problem.code, problem.offsetBytes, problem.detail);
    if (result === parseSkip) {
      const detail = `The capture ends in the middle of a record that begins at byte ${startBytes}.`;
      this.#tally.describe('cut-file', startBytes, detail);
    } else if (window.end > window.from) {
      this.#parser.finish(window, this.#tally);
    }
    return false;
  }
}
