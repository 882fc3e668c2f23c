/** What a probe meters: packets of an interface or of a capture, behind one interface. */
import type { Counts, ProblemCode } from '#base';
import type { CaptureReading, PacketBatch } from '#capture';
import type { InterfaceState, LiveCaptureCounts } from '#capture/live';

export type SourceCounts = {
  /** Frames met; always `rows + rejected.total()`. */
  readonly frames: number;
  readonly rows: number;
  readonly rejected: Counts<ProblemCode>;
  /** What only an interface has. */
  readonly live: undefined |
    Omit<LiveCaptureCounts, 'frames' | 'rows' | 'rejected'> & { readonly state: InterfaceState };
};

export type PacketSource = {
  /** The interface's name, or the file's. */
  readonly name: string;
  /** Time passes while no packet comes: flows must end by it. False where a file is read as fast as it goes. */
  readonly isTimed: boolean;
  /** What is wrong with a capture; empty for an interface. */
  readonly problems: CaptureReading['problems'];
  /**
   * Packets as they come; each batch is valid until the next is asked for. Ends with the file, or after `stop`.
   *
   * @param tickMs  when it is timed, an empty batch comes at least so often: all packets so far have been handed on
   */
  batches(tickMs: number): AsyncGenerator<PacketBatch, void, void>;
  /** The time that it is for the packets; asked after an empty batch. */
  nowMs(): number;
  stop(): void;
  close(): Promise<void>;
  counts(): SourceCounts;
};
