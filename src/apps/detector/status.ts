/**
 * What a detector tells of itself: plain data, made by the running engine, asked for over the control socket, shown by
 * `natlens detect status`, and turned into metrics by `health-metrics.ts`. No home is named in it.
 */
import type { Pseudonym } from '#base';
import type { ListeningSocket, TcpCounts, UdpCounts } from '#capture/listen';
import type { DecidesBy, UncalibratedCode, VerdictState } from '#verdict';
import type { FieldSketchCounts } from './field-sketch.ts';
import type { IntakeCounts } from './input/export-intake.ts';

/** Why a detector is not well. Each is documented in docs/commands/detect.md with what to do. */
export type HealthCode =
  /** No flow has come for long. */
  | 'input-silent'
  /** The kernel dropped datagrams, or sequence numbers have holes. */
  | 'input-loss'
  /** The kernel grants a smaller receive buffer than asked for. */
  | 'receive-buffer'
  /** No classifier is active: nothing can be found. */
  | 'no-classifier'
  | 'classifier-refused'
  /** A classifier is in use and must not decide: its calibration ended, rests on too little, or it drifted. */
  | 'classifier-unfit'
  /** State cannot be written: what happens now would be lost by a restart. */
  | 'state-unwritable'
  /** Actions fail again and again, by kind. */
  | 'mail-failing' | 'webhook-failing' | 'syslog-failing' | 'verify-failing' | 'block-failing'
  /** More homes than one detector holds. */
  | 'homes-full'
  | 'clock-stepped';

export type HealthReason = {
  readonly code: HealthCode;
  /** One sentence without homes or addresses: what is wrong and what to do. */
  readonly detail: string;
};

/** Counts by name; a name that never counted may be absent. */
export type NamedCounts = Readonly<Partial<Record<string, number>>>;

/** One exporter, version and observation domain. */
export type ExporterStatus = Omit<IntakeCounts['exports']['exporters'][number], 'exporter'> & {
  readonly exporter: Pseudonym;
  /** For the operator over the control socket alone: neither logged nor in metrics. */
  readonly address: string;
};

export type DetectorStatus = {
  readonly name: string;
  /** Of natlens, and of Node. */
  readonly versions: { readonly natlens: string; readonly node: string };
  /** Wall clock. */
  readonly startedMs: number;
  readonly uptimeMs: number;
  readonly isDryRun: boolean;
  /** Empty: all is well. */
  readonly health: readonly HealthReason[];
  readonly input: {
    readonly udp: UdpCounts & { readonly sockets: readonly ListeningSocket[] };
    readonly tcp: TcpCounts & { readonly sockets: readonly { readonly address: string; readonly port: number }[] };
    /** Without its exporters, which follow by pseudonym. */
    readonly intake: Omit<IntakeCounts, 'exports'> & { readonly exports: Omit<IntakeCounts['exports'], 'exporters'> };
    readonly exporters: readonly ExporterStatus[];
  };
  readonly flows: {
    /** Of all flows handed on: of a home, of none (by reason). They sum to `input.intake.flows`. */
    readonly ofHomes: number;
    readonly ofNoHome: NamedCounts;
    /** Flows whose end lay too far from their arrival, which was believed instead. */
    readonly placedAtArrival: number;
    /** Time since the last flow came; null before the first. */
    readonly lastMs: number | null;
  };
  readonly homes: {
    /** With evidence. */
    readonly known: number;
    /** Named by the config. */
    readonly listed: number;
  };
  readonly classifiers: {
    readonly active: readonly {
      readonly file: string; readonly deviceModel: string; readonly classifier: string; readonly stage: 1 | 2;
      /** What decides on its windows; `nothing`: it is unfit. */
      readonly decidesBy: DecidesBy;
      /** Why its verdicts do not keep to the stated rate, and what to do; null: they do, or nobody asks for it. */
      readonly fault: UncalibratedCode | null;
      readonly detail: string | null;
      /** End of its calibration, on the wall clock; null: it carries none. */
      readonly expiresMs: number | null;
    }[];
    readonly refused: readonly { readonly file: string; readonly code: string; readonly detail: string }[];
  };
  readonly evidence: NamedCounts;
  /** Home-days counted for field sketches since the start, and what found no room. */
  readonly sketch: FieldSketchCounts;
  readonly verdicts: Readonly<Record<VerdictState, number>>;
  readonly actions: {
    /** By state of the outbox. */
    readonly outbox: NamedCounts;
    /** What the latest plans do not do, by `WithheldCode`. */
    readonly withheld: NamedCounts;
  };
  readonly clock: { readonly steps: number; readonly steppedMs: number };
  /** Time since state was last written; null before the first time. */
  readonly checkpointAgeMs: number | null;
  readonly stateBytes: number;
  readonly memory: { readonly residentBytes: number };
  readonly cpuSeconds: number;
  readonly lostLogLines: number;
};

/** Splits what the intake counted into what may be shown as it is, and exporters by pseudonym. */
export function describeIntake(
  counts: IntakeCounts, pseudonymOf: (exporter: string) => Pseudonym,
): Pick<DetectorStatus['input'], 'intake' | 'exporters'> {
  const { exporters, ...exports } = counts.exports;
  return {
    intake: { ...counts, exports },
    exporters: exporters.map(({ exporter, ...rest }) =>
      ({ ...rest, exporter: pseudonymOf(exporter), address: exporter })),
  };
}
