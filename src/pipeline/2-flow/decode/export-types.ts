/**
 * What goes into the export decoder and what it tells: datagrams, options, counts. Only types, defaults and the list of
 * reasons; a peer's bad bytes are never thrown, they are counted under one of these reasons.
 */
import { type KernelKind, limits } from '#base';

export type { ExportDatagram } from '#capture';

export type ExportVersion = 5 | 9 | 10;

/** Why bytes were not decoded. One is counted per header, set, template or record that it happens to. */
export type ExportProblemCode =
  /** Shorter than its message header. */
  | 'cut-header'
  | 'unknown-version'
  /** The header announces more than the datagram holds; what is whole is decoded. */
  | 'cut-message'
  /** Bytes after the end that the header announces. */
  | 'trailing-bytes'
  /** A set shorter than its own header; the rest of the message is lost with it. */
  | 'bad-set-length'
  /** A set that ends behind its message. */
  | 'cut-set'
  /** A set id that no version of the protocol gives a meaning. */
  | 'reserved-set'
  | 'bad-template'
  | 'template-limit'
  | 'exporter-limit'
  /** A data set whose template did not come in time. */
  | 'no-template'
  /** A data set for which the waiting buffer had no room. */
  | 'waiting-limit'
  /** A data set whose template describes records of no bytes. */
  | 'empty-record'
  /** A record of variable length that ends behind its set. */
  | 'cut-record'
  /** The very datagram came before. */
  | 'duplicate';

export const exportProblemCodes: readonly ExportProblemCode[] = [
  'cut-header', 'unknown-version', 'cut-message', 'trailing-bytes', 'bad-set-length', 'cut-set', 'reserved-set',
  'bad-template', 'template-limit', 'exporter-limit', 'no-template', 'waiting-limit', 'empty-record', 'cut-record',
  'duplicate',
];

/** What waits for one template, and since when. */
export type WaitingTemplate = {
  readonly templateId: number;
  /** Arrival of the oldest set. */
  readonly sinceMs: number;
  readonly sets: number;
  /** Bytes of the sets with their headers. */
  readonly bytes: number;
};

/**
 * Where everything is that one domain of an exporter says that it sent, in units of its own sequence numbers. Always
 * `sent = decoded + waiting + lostInKernel + lostOnTheWay + lostWhileStopped + limited + all of undecodable`. Copies of
 * a datagram are no part of it. How exact each part is: docs/decoding.md.
 */
export type DomainAccount = {
  readonly unit: DomainUnit;
  /** By the exporter's numbers, over all its runs, each from the first datagram of it that came. */
  readonly sent: number;
  /** Units of which everything was understood. */
  readonly decoded: number;
  /** Units of messages with a set that waits for its template, as far as the next number has told how many. */
  readonly waiting: number;
  /** Of holes in the numbers in which the socket's count of drops rose. */
  readonly lostInKernel: number;
  readonly lostOnTheWay: number;
  /** Between the last number of a restored state and the first one after. */
  readonly lostWhileStopped: number;
  /** Arrived and not let in: `ExportDecoder.skip`. */
  readonly limited: number;
  /** Arrived and not understood, by the first reason that their message met. */
  readonly undecodable: Readonly<Partial<Record<ExportProblemCode, number>>>;
  /** Oldest first, at most `limits.waitingListedMax`. */
  readonly waitingFor: readonly WaitingTemplate[];
  /** Arrival of the last datagram, copies among them. */
  readonly lastReceivedMs: number;
  /**
   * Time in the last message less its arrival: above zero when the exporter's clock is ahead. NetFlow v9 and IPFIX cut
   * it to seconds, so a right clock has -1,000 to 0. Undefined when the arrival is not known.
   */
  readonly exportClockSkewMs: number | undefined;
  readonly clockWarnings: {
    /** The skew is beyond `limits.exportClockSkewMsMax` in either direction. */
    readonly skewed: boolean;
    /** How often sysUptime began anew at 2^32 ms (49.7 days) without a restart. */
    readonly wrapped: number;
  };
  /** Rows emitted, or filled and not yet emitted. */
  readonly flows: number;
};

export type DomainUnit = 'flows' | 'packets' | 'records';

/** One exporter, version and observation domain (RFC 7011 §3.1), source id (RFC 3954 §5.1) or engine (v5). */
export type DomainCounts = {
  readonly exporter: string;
  readonly version: ExportVersion;
  readonly domain: number;
  readonly datagrams: number;
  readonly records: number;
  /** Holes in the sequence numbers that nothing has filled. */
  readonly sequenceGaps: number;
  /** Units of those holes: all that the account calls lost. */
  readonly lostUnits: number;
  readonly unit: DomainUnit;
  /** Datagrams that came after a later one. */
  readonly reordered: number;
  readonly duplicates: number;
  readonly restarts: number;
  /** Last sampling interval that was told: one of so many packets; 0 when none was. */
  readonly samplingInterval: number;
  readonly templates: number;
  readonly waitingSets: number;
  readonly account: DomainAccount;
};

/** Counts of everything that came in; `bytesByFate` sums to `bytes` at any time. */
export type ExportCounts = {
  readonly datagrams: number;
  readonly bytes: number;
  /** Datagrams that were given to `skip`; no other count but those of accounts knows of them. */
  readonly skippedDatagrams: number;
  /** Data records seen: always `flows + optionsRecords + otherRecords`. */
  readonly records: number;
  /** Rows emitted, or filled and not yet emitted. */
  readonly flows: number;
  readonly optionsRecords: number;
  /** Data records that describe no flow: no address in them. */
  readonly otherRecords: number;
  /** Template records taken in, repeated ones too. */
  readonly templates: number;
  readonly withdrawals: number;
  /** Flows whose uptime could not be placed: they end at the export time, with their exact duration. */
  readonly flowsPlacedAtExport: number;
  /** Flows with an application id that no options record has explained. */
  readonly unexplainedApplications: number;
  readonly waiting: { readonly sets: number; readonly bytes: number };
  /** Headers, padding and templates count as decoded. */
  readonly bytesByFate: { readonly decoded: number; readonly waiting: number; readonly rejected: number };
  readonly rejected: Readonly<Record<ExportProblemCode, number>>;
  readonly exporters: readonly DomainCounts[];
};

export type ExportDecoderOptions = {
  /** Multiplies sampled counters by the sampling interval. */
  readonly renormalise: boolean;
  readonly batchRows: number;
  /** Exporter, version and domain together. */
  readonly exportDomainsMax: number;
  /** Those of them with one address. */
  readonly exportDomainsOfAddressMax: number;
  readonly templatesPerDomainMax: number;
  readonly templatesTotalMax: number;
  readonly templateFieldsMax: number;
  /** Fields of all templates together. */
  readonly templateFieldsTotalMax: number;
  readonly waitingBytesMax: number;
  readonly waitingMs: number;
  /** Samplers, and named applications, of one domain. */
  readonly optionEntriesMax: number;
  readonly optionEntriesTotalMax: number;
  /** Bytes of recent datagrams, kept to know a copy from a restart. */
  readonly duplicateMemoryBytes: number;
  /** Who runs the inner loops; the rows are the same. */
  readonly kernel: KernelKind;
};

export const exportDecoderDefaults: ExportDecoderOptions = {
  renormalise: false,
  batchRows: limits.flowBatchRows,
  exportDomainsMax: limits.exportDomainsMax,
  exportDomainsOfAddressMax: limits.exportDomainsOfAddressMax,
  templatesPerDomainMax: limits.templatesPerDomainMax,
  templatesTotalMax: limits.templatesTotalMax,
  templateFieldsMax: limits.templateFieldsMax,
  templateFieldsTotalMax: limits.templateFieldsTotalMax,
  waitingBytesMax: limits.waitingSetsBytesMax,
  waitingMs: limits.waitingSetMs,
  optionEntriesMax: limits.optionEntriesMax,
  optionEntriesTotalMax: limits.optionEntriesTotalMax,
  duplicateMemoryBytes: limits.duplicateDatagramsBytes,
  kernel: 'wasm',
};
