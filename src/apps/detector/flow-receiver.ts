/**
 * Between a replay and the detector. The command reads files (it has the readers of every format), the detector takes
 * flows; the bundle has no readers, and so no replay.
 */
import type { Command } from 'commander';
import type { FlowBatch } from '#flow';
import type { Verdict } from '#verdict';
import type { DetectorConfig } from './config/detector-config.ts';
import type { NamedCounts } from './status.ts';

/** Takes the flows of a replay, in the order in which they come. */
export type FlowReceiver = {
  /**
   * @param batch       named; valid until the returned promise resolves, or during the call when there is none
   * @param receivedMs  when they came; undefined: their own times are the timeline
   */
  readonly accept: (batch: FlowBatch, receivedMs: number | undefined) => void | Promise<void>;
  /** Decides what is left to decide. Call it once, last. */
  readonly end: () => Promise<ReplayResult>;
  /** Instead of `end`: drops everything. */
  readonly abandon: () => Promise<void>;
};

/** Plain data, printed by `--json`. */
export type ReplayResult = {
  readonly flows: number;
  /** Of a home. */
  readonly flowsOfHomes: number;
  readonly homes: number;
  readonly classifiers: readonly { readonly file: string; readonly deviceModel: string; readonly classifier: string;
    readonly stage: 1 | 2; readonly flowsAccepted: number; }[];
  readonly refused: readonly { readonly file: string; readonly code: string; readonly detail: string }[];
  /** All there are at the end, by home and device model. */
  readonly verdicts: readonly Verdict[];
  /** What would have been done, by kind. Nothing is: a replay is always dry. */
  readonly planned: NamedCounts;
};

/** What the command adds to `natlens detect`. */
export type ReplayPart = {
  /** Declares the options of replays. */
  readonly addOptions: (command: Command) => void;
  /**
   * Runs a replay and prints what it found.
   *
   * @param options  all options of the command
   * @param open     opens the receiver, under the config that the options may have changed
   * @returns        exit code: 1 when an input was cut or damaged
   */
  readonly run: (
    config: DetectorConfig, options: Readonly<Record<string, unknown>>,
    open: (config: DetectorConfig) => Promise<FlowReceiver>,
  ) => Promise<0 | 1>;
};

/** What differs between the command and the bundle. */
export type DetectParts = {
  /** Undefined: there is no `--replay`. */
  readonly replay?: ReplayPart;
};
