/**
 * The rows of a capture of exports as tshark's dissector reads them: the expected.csv of recorded cases, made without
 * our decoder. `node test/golden/tshark-export-rows.ts CAPTURE` prints them. Only what tshark leaves open is worked out
 * here: uptimes are placed by the header's clocks (RFC 3954 §5.1) or by systemInitTimeMilliseconds (RFC 5102 §5.9.11).
 */
import { execFileSync } from 'node:child_process';
import type { ColumnName } from '#flow';
import { canonical, formatCells } from './frames.ts';

type Field = { readonly name: string; readonly show: string; readonly value: string };
/** The fields of one record by tshark's name, in their order. */
type DissectedRecord = Map<string, readonly Field[]>;
type DissectedMessage = {
  readonly version: number; uptimeMs: number; exportMs: number; domain: number; readonly records: DissectedRecord[];
};
type Dissection = { readonly exporter: string; readonly messages: readonly DissectedMessage[] };

/** Columns that tshark has one field for. A second one in a record is the reverse element's (RFC 5103). */
const columns: readonly (readonly [theirs: string, ours: ColumnName, reverse?: ColumnName])[] = [
  ['cflow.srcport', 'sourceTransportPort'], ['cflow.dstport', 'destinationTransportPort'],
  ['cflow.protocol', 'protocolIdentifier'], ['cflow.tos', 'ipClassOfService', 'reverseIpClassOfService'],
  ['cflow.packets', 'initiatorPackets', 'responderPackets'], ['cflow.octets', 'initiatorOctets', 'responderOctets'],
  ['cflow.tcpflags', 'tcpControlBits', 'reverseTcpControlBits'], ['cflow.flow_end_reason', 'flowEndReason'],
  ['cflow.inputint', 'ingressInterface'], ['cflow.outputint', 'egressInterface'],
];

const numberOf = (field: Field | undefined): number => (field === undefined ? 0 : Number(BigInt(`0x${field.value}`)));

/** Rows of a capture of exports, as our CSV. */
export function readWithTshark(path: string): string {
  const text = execFileSync('tshark', ['-r', path, '-d', 'udp.port==2055,cflow', '-d', 'udp.port==4739,cflow', '-T',
    'pdml'],
    { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] });
  let systemInitMs = 0;
  const rows = text.split('</packet>').slice(0, -1).map(dissect).flatMap(({ exporter, messages }) =>
    messages.flatMap((message) => message.records.flatMap((record) => {
      systemInitMs = numberOf(record.get('cflow.sys_init_time')?.[0]) || systemInitMs;
      return record.has('cflow.srcaddr') || record.has('cflow.srcaddrv6')
        ? [cellsOf(record, message, exporter, systemInitMs)] : [];
    })));
  return formatCells(rows);
}

/** One packet of tshark's PDML: a tree of fields, one a line. */
function dissect(packet: string): Dissection {
  const messages: DissectedMessage[] = [];
  let exporter = '';
  let depth = 0;
  let recordDepth = -1;
  for (const line of packet.split('\n')) {
    const isEnd = line.includes('</field>');
    if (isEnd && --depth === recordDepth) recordDepth = -1;
    const tag = /<field (.*?)(\/?)>$/.exec(line.trim());
    if (tag === null) continue;
    const attribute = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`).exec(tag[1] as string)?.[1] ?? '';
    const field = { name: attribute('name'), show: attribute('show'), value: attribute('value') };
    const message = messages.at(-1);
    if (field.name === 'ip.src') exporter = field.show;
    else if (field.name === 'cflow.version') {
      messages.push({ version: numberOf(field), uptimeMs: 0, exportMs: 0, domain: 0, records: [] });
    } else if (message !== undefined) {
      if (field.name === 'cflow.sysuptime') message.uptimeMs = numberOf(field);
      else if (field.name === 'cflow.unix_secs' || field.name === 'cflow.exporttime') {
        message.exportMs = numberOf(field) * 1000;
      } else if (field.name === 'cflow.unix_nsecs') message.exportMs += numberOf(field) / 1e6;
      else if (field.name === 'cflow.source_id' || field.name === 'cflow.od_id') message.domain = numberOf(field);
      else if (/^(?:Flow|pdu) \d+/.test(field.show) && field.name === '') {
        message.records.push(new Map());
        recordDepth = depth;
      } else if (recordDepth >= 0 && field.value !== '') {
        const record = message.records.at(-1) as DissectedRecord;
        record.set(field.name, [...record.get(field.name) ?? [], field]);
      }
    }
    if (tag[2] === '') depth++;
  }
  return { exporter, messages };
}

function cellsOf(record: DissectedRecord, message: DissectedMessage, exporter: string, systemInitMs: number):
Partial<Record<ColumnName, string | number>> {
  const first = (name: string): Field | undefined => record.get(name)?.[0];
  const isV6 = record.has('cflow.srcaddrv6');
  const cells: Partial<Record<ColumnName, string | number>> = {
    ipVersion: isV6 ? 6 : 4, exporterAddress: exporter, observationDomainId: message.domain,
    sourceAddress: canonical(first(isV6 ? 'cflow.srcaddrv6' : 'cflow.srcaddr')?.show ?? ''),
    destinationAddress: canonical(first(isV6 ? 'cflow.dstaddrv6' : 'cflow.dstaddr')?.show ?? ''),
    applicationNameSource: 'exporter',
    ...timesOf(record, message, systemInitMs),
  };
  for (const [theirs, ours, reverse] of columns) {
    const [forward, backward] = record.get(theirs) ?? [];
    cells[ours] = numberOf(forward);
    if (reverse !== undefined) cells[reverse] = numberOf(backward);
  }
  placeIcmp(cells, record);
  return cells;
}

function timesOf(record: DissectedRecord, message: DissectedMessage, systemInitMs: number):
Partial<Record<ColumnName, number>> {
  const placeOf = (uptime: Field | undefined, absolute: Field | undefined): number => {
    // Eight bytes of milliseconds, or seconds of four. An uptime of 0 is shown as if it were such seconds.
    if (absolute !== undefined && numberOf(absolute) !== 0) {
      return numberOf(absolute) * (absolute.value.length === 8 ? 1000 : 1);
    }
    if (uptime === undefined && absolute === undefined) return message.exportMs;
    if (message.version === 10) return systemInitMs + numberOf(uptime);
    return message.exportMs - ((message.uptimeMs - numberOf(uptime)) | 0);
  };
  const first = (name: string): Field | undefined => record.get(name)?.[0];
  const micro = (ms: number): number => Math.round(ms * 1000) / 1000;
  return {
    flowStartMilliseconds: micro(placeOf(first('cflow.timestart'), first('cflow.abstimestart'))),
    flowEndMilliseconds: micro(placeOf(first('cflow.timeend'), first('cflow.abstimeend'))),
  };
}

/** ICMP has no ports: type and code stand in elements of their own, or in the destination port. */
function placeIcmp(cells: Partial<Record<ColumnName, string | number>>, record: DissectedRecord): void {
  const isV6 = cells.protocolIdentifier === 58;
  if (cells.protocolIdentifier !== 1 && !isV6) return;
  const family = isV6 ? 'ipv6' : 'ipv4';
  const type = record.get(`cflow.icmp_${family}_type`)?.[0];
  const code = record.get(`cflow.icmp_${family}_code`)?.[0];
  const both = type === undefined ? cells.destinationTransportPort : numberOf(type) * 256 + numberOf(code);
  cells[isV6 ? 'icmpTypeCodeIPv6' : 'icmpTypeCodeIPv4'] = both ?? 0;
  cells.sourceTransportPort = 0;
  cells.destinationTransportPort = 0;
}

if (import.meta.main) process.stdout.write(readWithTshark(process.argv[2] ?? ''));
