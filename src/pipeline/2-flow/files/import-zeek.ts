/**
 * Zeek's conn.log (docs.zeek.org, Conn::Info) as flow records: tab-separated with `#` header lines, or JSON lines.
 * The originator is the initiator. Octets are IP bytes where the log has them, else payload bytes, which is counted.
 * Labels of attacks, as some published logs carry, are not labels of devices and are left out.
 */
import {
  protocolIcmp, protocolIcmpv6, protocolTcp, protocolUdp, tcpAck, tcpFin, tcpRst, tcpSyn,
} from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import { AddressTexts, deriveIpVersion, parseUint, storeMac } from './cells.ts';
import { guessTimeUnit, parseSecondsMs, parseTimeMs } from './import-times.ts';
import { badColumns, missingColumns, parseObject } from './own-text.ts';
import type { FlowReadReport } from './read-report.ts';
import { isNothing, isRow, type RecordReader } from './text-table.ts';

const essentialFields = [
  'ts', 'id.orig_h', 'id.orig_p', 'id.resp_h', 'id.resp_p', 'proto', 'orig_pkts', 'resp_pkts',
] as const;

/** The text of a field, '' when it is unset. */
type FieldText = (name: string) => string;

const protocols: Readonly<Record<string, number>> = { tcp: protocolTcp, udp: protocolUdp, icmp: protocolIcmp };

/**
 * Flags that a letter of `history` vouches for; upper case is the originator. Letters about the path (checksum, gap,
 * retransmission, window) and `i`, `q` (odd combinations that are not told apart) say nothing of one flag.
 */
const flagsOfLetter: Readonly<Record<string, number>> = {
  s: tcpSyn, h: tcpSyn | tcpAck, a: tcpAck, d: tcpAck, f: tcpFin, r: tcpRst,
};

/** States after which the end of the flow was seen (FIN or RST). */
const endedStates = new Set(['SF', 'REJ', 'RSTO', 'RSTR', 'RSTOS0', 'RSTRH']);
const endOfFlowDetected = 3;

/** Reader of the tab-separated form. */
export function createZeekReader(report: FlowReadReport): RecordReader {
  const rows = new ZeekRows(report);
  let separator = '\t';
  let unset = '-';
  let empty = '(empty)';
  let indexes: ReadonlyMap<string, number> | undefined;
  let fieldsMin = 0;
  const readHeader = (text: string): void => {
    if (text.startsWith('#separator ')) separator = unescape(text.slice('#separator '.length)) || '\t';
    const [name = '', ...values] = text.split(separator);
    if (name === '#unset_field') unset = values[0] ?? unset;
    if (name === '#empty_field') empty = values[0] ?? empty;
    if (name !== '#fields') return;
    const missing = missingColumns(essentialFields, values);
    if (missing.length > 0) throw badColumns('Zeek log', missing);
    indexes = new Map(values.map((field, index) => [field, index]));
    fieldsMin = 1 + Math.max(...essentialFields.map((field) => values.indexOf(field)));
  };
  return {
    quoted: false,
    read(text: string, batch: FlowBatch, row: number): string {
      if (text.startsWith('#')) {
        readHeader(text);
        return isNothing;
      }
      const known = indexes;
      if (known === undefined) throw badColumns('Zeek log', ['names: it has no #fields line']);
      const fields = text.split(separator);
      if (fields.length < fieldsMin) return `${fields.length} fields where at least ${fieldsMin} are needed`;
      return rows.store(batch, row, (name) => {
        const value = fields[known.get(name) ?? -1] ?? unset;
        return value === unset || value === empty ? '' : value;
      });
    },
  };
}

/** Reader of the form with one JSON object a line. */
export function createZeekJsonReader(report: FlowReadReport): RecordReader {
  const rows = new ZeekRows(report);
  return {
    quoted: false,
    read(text: string, batch: FlowBatch, row: number): string {
      const record = parseObject(text);
      if (record === undefined) return 'no JSON object';
      return rows.store(batch, row, (name) => {
        const value = record[name];
        if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(6);
        return typeof value === 'string' ? value : '';
      });
    },
  };
}

/** `\x09` and the like, as the header writes its separator. */
function unescape(text: string): string {
  return text.replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** Time of the log: epoch seconds, or as JSON logs may be set to, epoch milliseconds or a date. */
function parseLogTimeMs(text: string): number {
  const timeMs = parseSecondsMs(text);
  const unit = Number.isNaN(timeMs) ? guessTimeUnit(text) : undefined;
  return unit === undefined ? timeMs : parseTimeMs(text, unit);
}

class ZeekRows {
  readonly #report: FlowReadReport;
  readonly #addresses = new AddressTexts();

  constructor(report: FlowReadReport) {
    this.#report = report;
  }

  /** @returns `isRow`, or a sentence that says why the row is bad */
  store(batch: FlowBatch, row: number, field: FieldText): string {
    const { columns } = batch;
    const startMs = parseLogTimeMs(field('ts'));
    const durationText = field('duration');
    const durationMs = durationText === '' ? 0 : parseSecondsMs(durationText);
    if (Number.isNaN(startMs)) return 'ts is no time';
    if (Number.isNaN(durationMs)) return 'duration is no time';
    columns.flowStartMilliseconds[row] = startMs;
    columns.flowEndMilliseconds[row] = (Math.round(startMs * 1_000) + Math.round(durationMs * 1_000)) / 1_000;
    if (!this.#addresses.store(field('id.orig_h'), columns.sourceAddress, row * 4)) return 'id.orig_h is no address';
    const isResponder = this.#addresses.store(field('id.resp_h'), columns.destinationAddress, row * 4);
    if (!isResponder) return 'id.resp_h is no address';
    deriveIpVersion(batch, row);
    return storeProtocol(batch, row, field) || this.#storeCounters(batch, row, field) ||
      storeExtras(batch, row, field) || isRow;
  }

  #storeCounters(batch: FlowBatch, row: number, field: FieldText): string {
    const { columns } = batch;
    const counters = [
      [columns.initiatorPackets, 'orig_pkts', ''], [columns.responderPackets, 'resp_pkts', ''],
      [columns.initiatorOctets, 'orig_ip_bytes', 'orig_bytes'],
      [columns.responderOctets, 'resp_ip_bytes', 'resp_bytes'],
    ] as const;
    let isPayload = false;
    for (const [array, name, fallback] of counters) {
      let text = field(name);
      if (text === '' && fallback !== '') {
        text = field(fallback) || '0';
        isPayload = true;
      }
      const value = parseUint(text, Number.MAX_SAFE_INTEGER);
      if (value < 0) return `${name} is no number`;
      array[row] = value;
    }
    if (isPayload) {
      this.#report.repaired.add('payload-bytes');
      this.#report.note('Some rows have no IP byte counts; their octets are payload bytes.');
    }
    return '';
  }
}

/** Protocol, ports, ICMP type and code. @returns '' or why the row is bad */
function storeProtocol(batch: FlowBatch, row: number, field: FieldText): string {
  const { columns } = batch;
  const name = field('proto');
  const given = parseUint(field('ip_proto'), 255);
  const isIcmpv6 = name === 'icmp' && columns.ipVersion[row] === 6;
  const protocol = isIcmpv6 ? protocolIcmpv6 : (protocols[name] ?? given);
  if (protocol < 0) return `proto ${name.slice(0, 40)} is not known`;
  columns.protocolIdentifier[row] = protocol;
  const source = parseUint(field('id.orig_p'), 65_535);
  const destination = parseUint(field('id.resp_p'), 65_535);
  if (source < 0 || destination < 0) return 'a port is no number';
  if (name === 'icmp') {
    // Zeek shows the ICMP type as the originator's port and the code as the responder's.
    if (source > 255 || destination > 255) return 'an ICMP type or code is larger than 255';
    columns[isIcmpv6 ? 'icmpTypeCodeIPv6' : 'icmpTypeCodeIPv4'][row] = source * 256 + destination;
  } else {
    columns.sourceTransportPort[row] = source;
    columns.destinationTransportPort[row] = destination;
  }
  return '';
}

/** What a log may or may not have: flags, end, name, link addresses. @returns '' or why the row is bad */
function storeExtras(batch: FlowBatch, row: number, field: FieldText): string {
  const { columns, dictionaries } = batch;
  if (columns.protocolIdentifier[row] === protocolTcp) {
    for (const letter of field('history')) {
      const flags = flagsOfLetter[letter.toLowerCase()] ?? 0;
      const isOriginator = letter !== letter.toLowerCase();
      (isOriginator ? columns.tcpControlBits : columns.reverseTcpControlBits)[row]! |= flags;
    }
    if (endedStates.has(field('conn_state'))) columns.flowEndReason[row] = endOfFlowDetected;
  }
  const service = field('service');
  columns.applicationName[row] = dictionaries.applicationName.encode(service);
  columns.applicationNameSource[row] = dictionaries.applicationNameSource.encode(service === '' ? 'none' : 'exporter');
  const vlan = field('vlan');
  if (vlan !== '' && parseUint(vlan, 65_535) < 0) return 'vlan is no number';
  columns.vlanId[row] = vlan === '' ? 0 : parseUint(vlan, 65_535);
  const sourceMac = field('orig_l2_addr');
  const destinationMac = field('resp_l2_addr');
  const isSource = sourceMac === '' || storeMac(columns.sourceMacAddress, row, sourceMac);
  const isDestination = destinationMac === '' || storeMac(columns.destinationMacAddress, row, destinationMac);
  return isSource && isDestination ? '' : 'a link address is no MAC address';
}
