/**
 * What a golden case of exports is made of: datagrams that a person wrote byte by byte, the rows that the documents ask
 * for, and the account of every byte. Numbers that follow from others (all bytes, all records) are added up here; none
 * comes from a decoder.
 */
import type { ColumnName, DomainCounts, ExportProblemCode } from '#flow';
import { canonical, formatCells, pcapFile, startMs, udp } from '../frames.ts';
import type { DescribedCase } from '../golden-folder.ts';

/** Export time of the messages, in the header's seconds: the zero of all cases. */
export const startSeconds = startMs / 1000;
export const router = '192.0.2.1';
export const otherRouter = '192.0.2.2';
const collector = '192.0.2.250';

/** A datagram on its way to the collector. */
export type Sent = {
  readonly bytes: Uint8Array;
  /** Arrival after `startMs`; by default a millisecond after the one before. */
  readonly ms?: number;
  /** The exporter; by default `router`. */
  readonly from?: string;
  /** The exporter's port. */
  readonly port?: number;
};

/** A row as a person writes it down: what is not named is empty. */
export type ExpectedRecord = {
  readonly from: string;
  readonly to: string;
  /** Of the first and the last packet, after `startMs`; by default both are the export time. */
  readonly ms?: readonly [number, number];
  readonly protocol?: number;
  readonly ports?: readonly [number, number];
  /** Of the initiator, or of initiator and responder. */
  readonly packets?: number | readonly [number, number];
  readonly octets?: number | readonly [number, number];
  readonly exporter?: string;
  readonly domain?: number;
  /** The layer-7 name. */
  readonly name?: string;
  /** Other columns. */
  readonly more?: Partial<Record<ColumnName, number | string>>;
};

/** The counts of a case, as `natlens flows --json` gives them under `exports`; what is zero is left out. */
export type ExportGoldenCounts = {
  readonly flows?: number;
  readonly optionsRecords?: number;
  readonly otherRecords?: number;
  readonly templates?: number;
  readonly withdrawals?: number;
  readonly flowsPlacedAtExport?: number;
  readonly unexplainedApplications?: number;
  readonly rejected?: Partial<Record<ExportProblemCode, number>>;
};

export type ExportCaseSpec = {
  readonly name: string;
  readonly sent: readonly Sent[];
  /** Default: a capture. Else a file of bare messages, as it is called behind its dot. */
  readonly kind?: 'pcap' | 'ipfix' | 'nf5' | 'nf9';
  /** Where the capture's datagrams go to; by default NetFlow's customary port. */
  readonly port?: number;
  /** The bytes of a file that is not just what was sent. */
  readonly file?: Uint8Array;
  readonly rows: readonly ExpectedRecord[];
  readonly counts?: Omit<ExportGoldenCounts, 'flows'>;
  readonly rejectedBytes?: number;
  /** Sets that wait, and their bytes, when all was read. */
  readonly waitingBeforeEnd?: { readonly sets: number; readonly bytes: number };
  /** Exporters and domains in the order in which they are met; without a number, one that sent everything. */
  readonly domains: readonly (Partial<DomainCounts> & Pick<DomainCounts, 'version'>)[];
  /** Codes of the problems of the file. */
  readonly problems?: readonly string[];
  readonly options?: object;
  readonly why: readonly [string, string];
};

/** A case as files. */
export function describeCase(spec: ExportCaseSpec): DescribedCase {
  const kind = spec.kind ?? 'pcap';
  return {
    name: spec.name, file: `exports.${kind}`,
    input: spec.file ?? (kind === 'pcap' ? captureOf(spec) : joined(spec.sent)),
    expected: formatCells(spec.rows.map((row) => cellsOf(row, kind === 'pcap'))), counts: countsOf(spec),
    options: spec.options, why: spec.why,
  };
}

function joined(sent: readonly Sent[]): Uint8Array {
  return new Uint8Array(Buffer.concat(sent.map(({ bytes }) => bytes)));
}

function captureOf({ sent, port = 2055 }: ExportCaseSpec): Uint8Array {
  const linkEthernet = 1;
  return pcapFile(linkEthernet, sent.map(({ bytes, ms, from = router, port: fromPort = 50_000 }, i) =>
    udp(ms ?? i, from, from.includes(':') ? '2001:db8::250' : collector, [fromPort, port], { payload: bytes })));
}

const pairOf = (value: number | readonly [number, number] = 0): readonly [number, number] =>
  (typeof value === 'number' ? [value, 0] : value);

/**
 * The cells of a row, by the names of their columns.
 *
 * @param isCaptured  a file of bare messages does not tell who sent them
 */
export function cellsOf(row: ExpectedRecord, isCaptured: boolean): Record<string, number | string> {
  const isV6 = row.from.includes(':');
  const [start, end] = row.ms ?? [0, 0];
  const [packets, packetsBack] = pairOf(row.packets);
  const [octets, octetsBack] = pairOf(row.octets);
  const [sourcePort, destinationPort] = row.ports ?? [0, 0];
  return {
    flowStartMilliseconds: startMs + start, flowEndMilliseconds: startMs + end, ipVersion: isV6 ? 6 : 4,
    sourceAddress: canonical(row.from), destinationAddress: canonical(row.to), sourceTransportPort: sourcePort,
    destinationTransportPort: destinationPort, protocolIdentifier: row.protocol ?? 0, initiatorPackets: packets,
    responderPackets: packetsBack, initiatorOctets: octets, responderOctets: octetsBack,
    // An address column without a value is empty for IPv4, and the unspecified address for IPv6.
    exporterAddress: isCaptured ? canonical(row.exporter ?? router) : isV6 ? '::' : '',
    observationDomainId: row.domain ?? 0, applicationName: row.name ?? '', applicationNameSource: 'exporter',
    ...row.more,
  };
}

const units = { 5: 'flows', 9: 'packets', 10: 'records' } as const;

function countsOf(spec: ExportCaseSpec): object {
  const { sent, counts = {}, rejectedBytes = 0 } = spec;
  const bytes = sent.reduce((sum, datagram) => sum + datagram.bytes.length, 0);
  const flows = spec.rows.length;
  const records = flows + (counts.optionsRecords ?? 0) + (counts.otherRecords ?? 0);
  const exporter = (spec.kind ?? 'pcap') === 'pcap' ? router : '::';
  const exporters = spec.domains.map((domain) =>
    ({ exporter, datagrams: sent.length, records, unit: units[domain.version], ...domain }));
  return withoutZeros({
    datagrams: sent.length, bytes, records, flows, ...counts,
    bytesByFate: { decoded: bytes - rejectedBytes, rejected: rejectedBytes }, exporters,
    waitingBeforeEnd: spec.waitingBeforeEnd, problems: spec.problems,
  });
}

/** Counts without what is zero or empty: a file of counts names what happened, and what it does not name did not. */
export function withoutZeros(counts: object): object {
  return Object.fromEntries(Object.entries(counts).flatMap(([name, value]: [string, unknown]) => {
    const kept = Array.isArray(value)
      ? value.map((item: unknown) => (typeof item === 'object' && item !== null ? withoutZeros(item) : item))
      : typeof value === 'object' && value !== null ? withoutZeros(value) : value;
    const isEmpty = kept === 0 || kept === undefined ||
      (typeof kept === 'object' && Object.keys(kept as object).length === 0);
    return isEmpty ? [] : [[name, kept]];
  }));
}
