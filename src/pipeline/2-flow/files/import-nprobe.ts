/**
 * nProbe text dumps (`-P` with `-T`) as flow records: any column order, `|`, comma or tab, names with or without `%`.
 * Direction, from nProbe's list of fields: IN_* is src->dst and OUT_* is dst->src, whoever the source is. The source of
 * a record is taken as the initiator, so IN_BYTES are the initiator's octets and OUT_BYTES the responder's.
 */
import { protocolIcmp, protocolIcmpv6 } from '#base';
import { schema, type ColumnName } from '../schema.ts';
import type { FlowBatch } from '../flow-batch.ts';
import { AddressTexts, deriveIpVersion, parseUint, storeText, type Cell } from './cells.ts';
import { guessTimeUnit, parseTimeMs, type TimeUnit } from './import-times.ts';
import { badColumns, badValue } from './own-text.ts';
import type { FlowReadReport } from './read-report.ts';
import { splitFields } from './text-records.ts';
import { isNothing, isRow, type RecordReader } from './text-table.ts';

/** nProbe's names of what a column of ours holds; the first that the dump has is used. */
const namesOfColumn: { readonly [N in ColumnName]?: readonly string[] } = {
  ipVersion: ['IP_PROTOCOL_VERSION'],
  sourceTransportPort: ['L4_SRC_PORT'],
  destinationTransportPort: ['L4_DST_PORT'],
  protocolIdentifier: ['PROTOCOL'],
  ipClassOfService: ['SRC_TOS'],
  reverseIpClassOfService: ['DST_TOS'],
  initiatorPackets: ['IN_PKTS', 'SRC_TO_DST_PKTS'],
  responderPackets: ['OUT_PKTS', 'DST_TO_SRC_PKTS'],
  initiatorOctets: ['IN_BYTES', 'SRC_TO_DST_BYTES'],
  responderOctets: ['OUT_BYTES', 'DST_TO_SRC_BYTES'],
  // TCP_FLAGS is the union over both directions; without the client's own flags it is the nearest there is.
  tcpControlBits: ['CLIENT_TCP_FLAGS', 'TCP_FLAGS'],
  reverseTcpControlBits: ['SERVER_TCP_FLAGS'],
  flowEndReason: ['FLOW_END_REASON'],
  ingressInterface: ['INPUT_SNMP'],
  egressInterface: ['OUTPUT_SNMP'],
  vlanId: ['DOT1Q_SRC_VLAN', 'SRC_VLAN'],
  sourceMacAddress: ['IN_SRC_MAC'],
  destinationMacAddress: ['IN_DST_MAC', 'OUT_DST_MAC'],
  observationDomainId: ['OBSERVATION_DOMAIN', 'OBSERVATION_POINT_ID'],
  applicationName: ['L7_PROTO_NAME', 'APPLICATION_NAME'],
};

/** Columns whose absence makes a table worthless; of times and addresses see `planTimes` and the address names. */
const essentials: ReadonlySet<ColumnName> = new Set([
  'destinationTransportPort', 'protocolIdentifier', 'initiatorOctets',
] as const);
/** Columns whose absence is worth a note: the features that the method uses, and the packets. */
const noted: ReadonlySet<ColumnName> = new Set([
  'initiatorPackets', 'responderPackets', 'responderOctets', 'ipClassOfService', 'reverseIpClassOfService',
  'applicationName',
] as const);

/** Names for a time, with the unit that a name promises; the SWITCHED ones have none that dumps keep to. */
const startNames: readonly (readonly [string, TimeUnit | undefined])[] = [
  ['FLOW_START_MICROSECONDS', 'microseconds'], ['FLOW_START_MILLISECONDS', 'milliseconds'],
  ['FLOW_START_SEC', 'seconds'], ['FIRST_SWITCHED', undefined],
];
const endNames: readonly (readonly [string, TimeUnit | undefined])[] = [
  ['FLOW_END_MICROSECONDS', 'microseconds'], ['FLOW_END_MILLISECONDS', 'milliseconds'],
  ['FLOW_END_SEC', 'seconds'], ['LAST_SWITCHED', undefined],
];

/** A header line's names as nProbe writes them: without `%`, blanks and quotes, in capitals. */
export function normaliseNames(fields: readonly string[]): string[] {
  return fields.map((field) => field.trim().replace(/^[%#"]+|["]+$/g, '').trim().toUpperCase());
}

/** The delimiter of a header line: the one of `|`, tab and comma that cuts it into most fields. */
export function chooseDelimiter(header: string): string {
  const counted = ['|', '\t', ','].map((delimiter) => ({ delimiter, count: header.split(delimiter).length }));
  return counted.reduce((best, next) => (next.count > best.count ? next : best)).delimiter;
}

/** Which field of a record goes where. */
export type NprobePlan = {
  readonly fieldCount: number;
  readonly cells: readonly { readonly cell: Cell; readonly at: number }[];
  readonly start: TimeField;
  readonly end: TimeField;
  /** IPv4, then IPv6; -1 for what the dump does not have. So for the others. */
  readonly source: readonly number[];
  readonly destination: readonly number[];
  readonly exporter: readonly number[];
  readonly icmpType: number;
  readonly hasIpVersion: boolean;
};

type TimeField = { readonly at: number; unit: TimeUnit | undefined };

/**
 * Finds the columns of a dump.
 *
 * @param needsAddresses  true when a table without source addresses is worthless
 * @throws OperatorError  `bad-columns`
 */
export function planColumns(
  names: readonly string[], kind: string, needsAddresses: boolean, report: FlowReadReport,
): NprobePlan {
  const cells: { cell: Cell; at: number }[] = [];
  const missing: string[] = [];
  for (const column of schema) {
    const candidates = namesOfColumn[column.name];
    if (candidates === undefined) continue;
    const name = candidates.find((candidate) => names.includes(candidate));
    const isEssential = essentials.has(column.name);
    if (name !== undefined) cells.push({ cell: { column, isEssential }, at: names.indexOf(name) });
    else if (isEssential) missing.push(candidates[0]!);
    else if (noted.has(column.name)) {
      report.note(`There is no column ${candidates[0]}: ${column.name} is left at its default.`);
    }
  }
  const start = findTime(names, startNames);
  const end = findTime(names, endNames);
  if (start === undefined) missing.push('FIRST_SWITCHED');
  if (end === undefined) missing.push('LAST_SWITCHED');
  const at = (name: string): number => names.indexOf(name);
  if (needsAddresses && at('IPV4_SRC_ADDR') < 0 && at('IPV6_SRC_ADDR') < 0) missing.push('IPV4_SRC_ADDR');
  if (needsAddresses && at('IPV4_DST_ADDR') < 0 && at('IPV6_DST_ADDR') < 0) missing.push('IPV4_DST_ADDR');
  if (missing.length > 0 || start === undefined || end === undefined) throw badColumns(kind, missing);
  return {
    fieldCount: names.length, cells, start, end,
    source: [at('IPV4_SRC_ADDR'), at('IPV6_SRC_ADDR')],
    destination: [at('IPV4_DST_ADDR'), at('IPV6_DST_ADDR')],
    exporter: [at('EXPORTER_IPV4_ADDRESS'), at('EXPORTER_IPV6_ADDRESS')],
    icmpType: at('ICMP_TYPE'),
    hasIpVersion: names.includes('IP_PROTOCOL_VERSION'),
  };
}

function findTime(names: readonly string[], known: typeof startNames): TimeField | undefined {
  const found = known.find(([name]) => names.includes(name));
  return found === undefined ? undefined : { at: names.indexOf(found[0]), unit: found[1] };
}

/**
 * Fills a row from the fields of a record by a plan; does not compare start and end.
 *
 * @returns '' or why the row is bad
 */
export function storeFields(
  batch: FlowBatch, row: number, fields: readonly string[], plan: NprobePlan, addresses: AddressTexts,
  report: FlowReadReport,
): string {
  for (const { cell, at } of plan.cells) {
    if (!storeText(batch, cell, row, fields[at]!.trim(), addresses)) return badValue(cell, fields[at]);
  }
  const { columns, dictionaries } = batch;
  const startMs = readTime(fields, plan.start, report);
  const endMs = readTime(fields, plan.end, report);
  if (Number.isNaN(startMs) || Number.isNaN(endMs)) return 'the start or end is no time';
  columns.flowStartMilliseconds[row] = startMs;
  columns.flowEndMilliseconds[row] = endMs;
  const isFilled = storeFirstAddress(columns.sourceAddress, row, fields, plan.source, addresses) &&
    storeFirstAddress(columns.destinationAddress, row, fields, plan.destination, addresses) &&
    storeFirstAddress(columns.exporterAddress, row, fields, plan.exporter, addresses);
  if (!isFilled) return 'an address is none';
  if (!plan.hasIpVersion) deriveIpVersion(batch, row);
  const hasName = columns.applicationName[row] !== 0;
  columns.applicationNameSource[row] = dictionaries.applicationNameSource.encode(hasName ? 'exporter' : 'none');
  return storeIcmp(batch, row, fields, plan);
}

function readTime(fields: readonly string[], time: TimeField, report: FlowReadReport): number {
  const text = fields[time.at]!.trim();
  if (time.unit === undefined) {
    time.unit = guessTimeUnit(text);
    const unit = time.unit === 'date' ? 'dates in UTC' : time.unit;
    if (unit !== undefined) report.note(`Times are read as ${unit}, judged by the first row.`);
  }
  return time.unit === undefined ? Number.NaN : parseTimeMs(text, time.unit);
}

/**
 * Stores the address of the family that the record has: a dump with columns for both fills the other one with zeros.
 *
 * @returns false when a text is no address
 */
function storeFirstAddress(
  words: Uint32Array, row: number, fields: readonly string[], places: readonly number[], addresses: AddressTexts,
): boolean {
  for (const at of places) {
    const text = at < 0 ? '' : fields[at]!.trim();
    if (text === '' || text === '::' || text === '0.0.0.0') continue;
    return addresses.store(text, words, row * 4);
  }
  return true;
}

/** ICMP has no ports; a dump without ICMP_TYPE shows type · 256 + code as the destination port (NetFlow's custom). */
function storeIcmp(batch: FlowBatch, row: number, fields: readonly string[], plan: NprobePlan): string {
  const { columns } = batch;
  const protocol = columns.protocolIdentifier[row];
  if (protocol !== protocolIcmp && protocol !== protocolIcmpv6) return '';
  const text = plan.icmpType < 0 ? String(columns.destinationTransportPort[row]) : fields[plan.icmpType]!.trim() || '0';
  const typeCode = parseUint(text, 0xffff);
  if (typeCode < 0) return 'ICMP_TYPE is no number';
  columns[protocol === protocolIcmp ? 'icmpTypeCodeIPv4' : 'icmpTypeCodeIPv6'][row] = typeCode;
  columns.sourceTransportPort[row] = 0;
  columns.destinationTransportPort[row] = 0;
  return '';
}

/** Fields of a record that fit a header of so many, or why they do not. A delimiter at the line's end is allowed. */
export function fitFields(text: string, delimiter: string, fieldCount: number): readonly string[] | string {
  const fields = splitFields(text, delimiter, delimiter === ',');
  if (fields === undefined) return 'the quotes do not fit';
  if (fields.length === fieldCount + 1 && fields[fieldCount] === '') fields.pop();
  return fields.length === fieldCount ? fields : `${fields.length} fields where the header has ${fieldCount}`;
}

/** Reader of a dump. */
export function createNprobeReader(report: FlowReadReport): RecordReader {
  const addresses = new AddressTexts();
  let delimiter = '';
  let plan: NprobePlan | undefined;
  return {
    quoted: false,
    read(text: string, batch: FlowBatch, row: number): string {
      if (plan === undefined) {
        delimiter = chooseDelimiter(text);
        const names = normaliseNames(text.split(delimiter));
        if (names.at(-1) === '') names.pop();
        plan = planColumns(names, 'nProbe dump', true, report);
        return isNothing;
      }
      const fields = fitFields(text, delimiter, plan.fieldCount);
      if (typeof fields === 'string') return fields;
      const problem = storeFields(batch, row, fields, plan, addresses, report);
      if (problem !== '') return problem;
      const { flowStartMilliseconds, flowEndMilliseconds } = batch.columns;
      return flowEndMilliseconds[row]! < flowStartMilliseconds[row]! ? 'the flow ends before it starts' : isRow;
    },
  };
}
