/**
 * What the parsers of capture formats have in common: they take whole records out of a window into a packet batch, say
 * how many bytes they need to go on, and count. They never wait, never throw on bad bytes and never hold packets.
 */
import { type Counts, limits, type Problem, type ProblemCode } from '#base';
import { frameCutLinkHeader, frameNotIp, frameUnknownLinkType } from './link-layer.ts';
import type { PacketBatch } from './packet-batch.ts';
import type { RecordWindow } from './record-window.ts';

/** Limits of a capture file; injectable so that tests can use tiny ones. */
export type CaptureLimits = {
  readonly readChunkBytes: number;
  readonly frameBytesMax: number;
  readonly captureBlockBytesMax: number;
  readonly captureInterfacesMax: number;
  readonly captureProblemsMax: number;
};

export const captureLimits: CaptureLimits = limits;

/** `parse` returns the bytes needed at `window.from` (positive), or one of these. */
export const parseBatchFull = 0;
/** `skipBytes` of the tally are to be passed over first. */
export const parseSkip = -1;
/** Nothing more can be read from this capture; the problem says why. */
export const parseStopped = -2;

export type RecordParser = {
  /**
   * Takes whole records from `window.from` on, until the batch is full or the window has no whole record left.
   *
   * @param batch  `data` is the window's; rows are appended
   * @returns bytes needed from `window.from` on, `parseBatchFull`, `parseSkip` or `parseStopped`
   */
  parse(window: RecordWindow, batch: PacketBatch, tally: FrameTally): number;
  /** The stream ended within a record that begins at `window.from`. */
  finish(window: RecordWindow, tally: FrameTally): void;
};

/** Counts of the frames of one capture. `frames` = rows appended + `rejected.total()` after every `flush`. */
export class FrameTally {
  frames = 0;
  skippedBlocks = 0;
  /** Bytes to pass over, when `parse` returned `parseSkip`. */
  skipBytes = 0;
  readonly problems: Problem[] = [];
  /** Frames by outcome of `appendFrame`: the hot loop counts here, `flush` carries over. */
  readonly outcomes = new Float64Array(4);
  readonly rejected: Counts<ProblemCode>;
  readonly #problemsMax: number;

  constructor(rejected: Counts<ProblemCode>, problemsMax: number) {
    this.rejected = rejected;
    this.#problemsMax = problemsMax;
  }

  /** Counts a frame as rejected and describes why, while there is room for descriptions. */
  reject(code: ProblemCode, offsetBytes: number, detail: string): void {
    this.frames++;
    this.rejected.add(code);
    this.describe(code, offsetBytes, detail);
  }

  /** Describes what is wrong where no frame is concerned. */
  describe(code: ProblemCode, offsetBytes: number, detail: string): void {
    if (this.problems.length < this.#problemsMax) this.problems.push({ code, detail, offsetBytes });
  }

  /** Moves the hot loop's counts into `rejected`. */
  flush(): void {
    const { outcomes, rejected } = this;
    rejected.add('not-ip', outcomes[frameNotIp]);
    rejected.add('cut-link-header', outcomes[frameCutLinkHeader]);
    rejected.add('unknown-link-type', outcomes[frameUnknownLinkType]);
    outcomes.fill(0);
  }
}
