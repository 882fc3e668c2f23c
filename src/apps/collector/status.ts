/** What a collector tells of itself: plain data for `natlens collect status`, metrics and health. Only types. */
import type { TcpCounts } from '#capture/listen';
import type { ReceiverCounts } from '#capture/live';
import type { DomainCounts, ExportCounts, FlowPairerCounts } from '#flow';
import type { FlowAccount } from './flow-ledger.ts';
import type { ForwardCounts } from './forwarder.ts';
import type { SenderCounts } from './senders.ts';

/** Why a collector is not well. */
export type HealthCode =
  /** Nothing has come for ten minutes. */
  | 'input-silent'
  /** The kernel, or our own memory before the decoder, had no room lately. */
  | 'host-loss'
  /** Exporters' numbers say that messages were lost on the way lately. */
  | 'way-loss'
  | 'receive-buffer'
  /** Records were given up lately, because their template did not come. */
  | 'template-missing'
  /** Some exporter sent more than it may lately. */
  | 'limited'
  /** There are more exporters and domains than are kept apart. */
  | 'exporters-full'
  | 'clock-skewed'
  /** Rows cannot be written. */
  | 'output-failing'
  | 'state-unwritable'
  /** A receiver of the tee was away or slow lately. */
  | 'forward-failing';

export type HealthReason = { readonly code: HealthCode; readonly detail: string };

/** One line of the table: an exporter, version and domain, with its rate. */
export type DomainStatus = DomainCounts & {
  /** Units a second over the last ten seconds or more; null before it is known. */
  readonly unitsPerSecond: number | null;
  /** Lost in the kernel, on the way and while stopped, of all that was sent; 0 to 1. */
  readonly lossShare: number;
};

export type SocketStatus = {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  /** Of UDP sockets; null for others. */
  readonly receiveBufferBytes: number | null;
  readonly askedBytes: number | null;
};

export type OutputStatus = {
  readonly folder: string;
  /** Files of this run that are whole. */
  readonly files: number;
  /** Rows in those and in the file that is being written, and bytes of all. */
  readonly rows: number;
  readonly bytes: number;
  /** Rows in memory. */
  readonly waitingRows: number;
  /** Rows of this run that were not stored. */
  readonly failedRows: number;
  /** The last rows could not be written. */
  readonly isFailing: boolean;
  readonly lastError: string | null;
  /** Because of output.keep and output.keep_size. */
  readonly deletedFiles: number;
  /** Names of files that a kill left unfinished and that were kept as `.broken`. */
  readonly leftOver: readonly string[];
};

export type CollectorStatus = {
  readonly versions: { readonly natlens: string; readonly node: string };
  readonly startedMs: number;
  readonly uptimeMs: number;
  /** Time of this status, by the wall clock. */
  readonly nowMs: number;
  readonly health: readonly HealthReason[];
  /** What an operator should know, in sentences; the most pressing first. */
  readonly sentences: readonly string[];
  readonly input: {
    readonly receiver: ReceiverCounts | null;
    /** Why datagrams come one by one although more at once were asked for. */
    readonly fallBackReason: string | null;
    readonly tcp: TcpCounts;
    readonly sockets: readonly SocketStatus[];
    readonly senders: {
      /** Addresses that have a rate of their own. */
      readonly known: number;
      readonly taken: number;
      readonly limited: number;
      /** From addresses that are no allowed exporter; not decoded. */
      readonly foreign: number;
      /** From addresses that found no place of their own. */
      readonly unlistedDatagrams: number;
      /** Those that were limited most. */
      readonly limitedMost: readonly SenderCounts[];
    };
  };
  readonly exports: Omit<ExportCounts, 'exporters'>;
  readonly domains: readonly DomainStatus[];
  /** Rows by exporter and domain, of all versions together; empty without an output. */
  readonly flows: readonly FlowAccount[];
  readonly pairing: FlowPairerCounts | null;
  /** One-way records that a kill lost while they waited for their other direction. */
  readonly pairingLostByKill: number;
  readonly l7: Readonly<Record<string, number>>;
  readonly output: OutputStatus | null;
  readonly forward: readonly ForwardCounts[];
  /** State folder of the detector in this process. */
  readonly detector: { readonly stateFolder: string } | null;
  readonly state: {
    readonly path: string;
    readonly bytes: number;
    /** Null: not yet saved. */
    readonly ageMs: number | null;
    readonly fault: string | null;
    /** What became of the state of the run before. */
    readonly restored: 'none' | 'restored' | 'refused';
  };
  readonly memory: { readonly residentBytes: number };
  readonly cpuSeconds: number;
  readonly lostLogLines: number;
};
