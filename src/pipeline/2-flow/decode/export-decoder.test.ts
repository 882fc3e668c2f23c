/** The decoder's rows and accounting on messages made by hand from RFC 3954 and RFC 7011. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, formatMac } from '#base';
import type { FlowBatch } from '../flow-batch.ts';
import { ExportDecoder } from './export-decoder.ts';
import type { ExportCounts, ExportDatagram, ExportDecoderOptions } from './export-types.ts';
import { listRecords } from './list-records.ts';
import {
  datagram, type FieldSpec, ip, join, message10, message5, message9, optionsTemplate10, optionsTemplate9,
  rfc7011Fields, rfc7011Records, sampleSeconds, set, template, text, u16, u32, u64, u8, uint,
} from './message-samples.ts';

type Row = Record<string, number | string>;

function readRows({ columns, dictionaries, rowCount }: FlowBatch): Row[] {
  return Array.from({ length: rowCount }, (_, row) => ({
    source: formatAddress(columns.sourceAddress, row * 4), destination: formatAddress(columns.destinationAddress,
      row * 4),
    start: columns.flowStartMilliseconds[row] as number, end: columns.flowEndMilliseconds[row] as number,
    octets: columns.initiatorOctets[row] as number, packets: columns.initiatorPackets[row] as number,
    octetsBack: columns.responderOctets[row] as number, packetsBack: columns.responderPackets[row] as number,
    ports: `${columns.sourceTransportPort[row]}-${columns.destinationTransportPort[row]}`,
    icmp4: columns.icmpTypeCodeIPv4[row] as number, icmp6: columns.icmpTypeCodeIPv6[row] as number,
    version: columns.ipVersion[row] as number, tosBack: columns.reverseIpClassOfService[row] as number,
    flags: `${columns.tcpControlBits[row]}/${columns.reverseTcpControlBits[row]}`,
    name: dictionaries.applicationName.decode(columns.applicationName[row] as number),
    nameSource: dictionaries.applicationNameSource.decode(columns.applicationNameSource[row] as number),
    mac: formatMac(columns.sourceMacAddress, row * 2), domain: columns.observationDomainId[row] as number,
    exporter: formatAddress(columns.exporterAddress, row * 4),
  }));
}

/** Rows and counts; the accounting is checked after each datagram. */
function decodeAll(datagrams: readonly ExportDatagram[], options: Partial<ExportDecoderOptions> = {}):
{ rows: Row[]; counts: ExportCounts } {
  const rows: Row[] = [];
  const decoder = new ExportDecoder({ batchRows: 2, ...options }, (batch) => rows.push(...readRows(batch)));
  for (const each of datagrams) {
    decoder.decode(each);
    assertBalanced(decoder.counts());
  }
  decoder.end();
  const counts = decoder.counts();
  assertBalanced(counts);
  assert.equal(counts.waiting.sets, 0);
  assert.equal(rows.length, counts.flows);
  return { rows, counts };
}

function assertBalanced({ bytes, bytesByFate, flows, optionsRecords, otherRecords, records }: ExportCounts): void {
  assert.equal(bytesByFate.decoded + bytesByFate.waiting + bytesByFate.rejected, bytes);
  assert.equal(flows + optionsRecords + otherRecords, records);
}

/** What was rejected, without the zeros. */
const rejectedOf = ({ rejected }: ExportCounts): Record<string, number> =>
  Object.fromEntries(Object.entries(rejected).filter(([, count]) => count > 0));

const pick = (row: Row | undefined, ...names: string[]): Row =>
  Object.fromEntries(names.map((name) => [name, row?.[name] ?? 'no row']));

test('RFC 7011 appendix A: template and records of one message', () => {
  const bytes = message10({ domain: 7 }, set(2, template(256, rfc7011Fields)), set(256, rfc7011Records));
  const { rows, counts } = decodeAll([datagram(bytes)]);
  assert.deepEqual(rows.map((row) => pick(row, 'source', 'destination', 'packets', 'octets')), [
    { source: '192.0.2.12', destination: '192.0.2.254', packets: 5009, octets: 5_344_385 },
    { source: '192.0.2.27', destination: '192.0.2.23', packets: 748, octets: 388_934 },
    { source: '192.0.2.56', destination: '192.0.2.65', packets: 5, octets: 6534 },
  ]);
  assert.deepEqual(pick(rows[0], 'domain', 'exporter', 'version', 'end'),
    { domain: 7, exporter: '192.0.2.1', version: 4, end: sampleSeconds * 1000 });
  assert.equal(counts.bytesByFate.decoded, bytes.length);
  assert.equal(counts.templates, 1);
});

test('NetFlow v5: counters, times around the wrap of the uptime, sampling of the header', () => {
  const flow = { source: '192.0.2.1', destination: '198.51.100.2', packets: 3, octets: 180, protocol: 6 };
  const bytes = message5({ uptimeMs: 1000, sampling: (1 << 14) | 100 }, [
    { ...flow, firstMs: 0xffff_ff00, lastMs: 900, ports: [1024, 443], flags: 2 },
    { ...flow, protocol: 1, firstMs: 1000, lastMs: 1500, ports: [0, 0x0803] },
  ]);
  const { rows, counts } = decodeAll([datagram(bytes)]);
  const now = sampleSeconds * 1000 + 500;
  assert.deepEqual(rows.map((row) => pick(row, 'start', 'end', 'ports', 'icmp4', 'flags', 'octets')), [
    { start: now - 1256, end: now - 100, ports: '1024-443', icmp4: 0, flags: '2/0', octets: 180 },
    // The last packet was seen while the datagram was written: it lies in the future of the header.
    { start: now, end: now + 500, ports: '0-0', icmp4: 0x0803, flags: '0/0', octets: 180 },
  ]);
  assert.equal(counts.exporters[0]?.samplingInterval, 100);
  const sampled = decodeAll([datagram(bytes)], { renormalise: true });
  assert.deepEqual(pick(sampled.rows[0], 'octets', 'packets'), { octets: 18_000, packets: 300 });
});

test('NetFlow v5: cut, overlong and impossible counts', () => {
  const flow = { source: '192.0.2.1', destination: '192.0.2.2', packets: 1, octets: 1, firstMs: 0, lastMs: 0,
    ports: [1, 2] as const, protocol: 17 };
  const whole = message5({}, [flow, flow]);
  const cut = decodeAll([datagram(whole.subarray(0, 24 + 48 + 20))]);
  assert.equal(cut.rows.length, 1);
  assert.deepEqual([rejectedOf(cut.counts), cut.counts.bytesByFate.rejected], [{ 'cut-message': 1 }, 20]);
  const long = decodeAll([datagram(join(whole, u32(1)))]);
  assert.deepEqual([long.rows.length, rejectedOf(long.counts)], [2, { 'trailing-bytes': 1 }]);
  const impossible = whole.slice();
  impossible[2] = 200;
  assert.deepEqual(rejectedOf(decodeAll([datagram(impossible)]).counts), { 'cut-message': 1 });
});

test('one-way, two-way and reverse counters', () => {
  const ends: FieldSpec[] = [[8, 4], [12, 4]];
  const addresses = join(ip('192.0.2.1'), ip('192.0.2.2'));
  const decodeOne = (bytes: Uint8Array): Row =>
    pick(decodeAll([datagram(bytes)]).rows[0], 'octets', 'octetsBack', 'packetsBack', 'tosBack', 'flags');
  const both: FieldSpec[] = [...ends, [1, 4], [23, 4], [2, 4], [24, 4], [55, 1]];
  const values = join(addresses, u32(10), u32(20), u32(1), u32(2), u8(8));
  // ntop's 23, 24 and 55 in v9; the same numbers in IPFIX are the state after a middlebox (RFC 5102 §5.10).
  assert.deepEqual(decodeOne(message9({}, set(0, template(300, both)), set(300, values))),
    { octets: 10, octetsBack: 20, packetsBack: 2, tosBack: 8, flags: '0/0' });
  assert.deepEqual(decodeOne(message10({}, set(2, template(300, both)), set(300, values))),
    { octets: 10, octetsBack: 0, packetsBack: 0, tosBack: 0, flags: '0/0' });
  assert.deepEqual(decodeOne(message10({}, set(2, template(300, [...both, [118, 2, 35_632]])),
    set(300, values, u16(91)))), { octets: 10, octetsBack: 20, packetsBack: 2, tosBack: 8, flags: '0/0' });
  const reverse: FieldSpec[] = [...ends, [1, 8], [1, 8, 29_305], [86, 4, 29_305], [6, 1], [6, 2, 29_305]];
  assert.deepEqual(decodeOne(message10({}, set(2, template(300, reverse)),
    set(300, addresses, u64(70), u64(80), u32(4), u8(0x1b), u16(0x12)))),
  { octets: 70, octetsBack: 80, packetsBack: 4, tosBack: 0, flags: '27/18' });
  const firewall: FieldSpec[] = [...ends, [231, 4], [232, 4], [1, 4]];
  assert.deepEqual(decodeOne(message9({}, set(0, template(300, firewall)),
    set(300, addresses, u32(5), u32(6), u32(99)))), { octets: 5, octetsBack: 6, packetsBack: 0, tosBack: 0,
      flags: '0/0' });
});

test('a biflow whose source is the responder is turned (RFC 5103 §6.3)', () => {
  const fields: FieldSpec[] = [[8, 4], [12, 4], [7, 2], [11, 2], [1, 4], [1, 4, 29_305], [239, 1]];
  const record = join(ip('192.0.2.1'), ip('192.0.2.2'), u16(443), u16(5000), u32(1), u32(2));
  const { rows } = decodeAll([datagram(message10({}, set(2, template(300, fields)),
    set(300, record, u8(2), record, u8(1))))]);
  assert.deepEqual(rows.map((row) => pick(row, 'source', 'ports', 'octets', 'octetsBack')), [
    { source: '192.0.2.2', ports: '5000-443', octets: 2, octetsBack: 1 },
    { source: '192.0.2.1', ports: '443-5000', octets: 1, octetsBack: 2 },
  ]);
});

test('layer-7 names: ntop in v9 (57591, filled with zeros) and IPFIX (variable), Cisco by options', () => {
  const ends: FieldSpec[] = [[8, 4], [12, 4]];
  const addresses = join(ip('192.0.2.1'), ip('192.0.2.2'));
  const nine = message9({}, set(0, template(300, [...ends, [57_591, 16]])),
    set(300, addresses, text('TLS.Amazon', 16), addresses, text('', 16)));
  assert.deepEqual(decodeAll([datagram(nine)]).rows.map((row) => pick(row, 'name', 'nameSource')),
    [{ name: 'TLS.Amazon', nameSource: 'exporter' }, { name: '', nameSource: '' }]);
  const long = text('x'.repeat(300));
  const ten = message10({}, set(2, template(300, [[119, 65_535, 35_632], ...ends])),
    set(300, u8(3), text('DNS'), addresses, u8(255), u16(300), long, addresses, u8(0), addresses));
  const { rows, counts } = decodeAll([datagram(ten)]);
  assert.deepEqual(rows.map(({ name }) => name), ['DNS', 'x'.repeat(255), '']);
  assert.deepEqual(rows.map(({ source }) => source), ['192.0.2.1', '192.0.2.1', '192.0.2.1']);
  assert.deepEqual(rejectedOf(counts), {});
  const nbar = [
    message9({ sequence: 1 }, set(0, template(300, [...ends, [95, 4]])),
      set(1, optionsTemplate9(301, [[1, 4]], [[95, 4], [96, 8]]))),
    message9({ sequence: 2 }, set(301, u32(0), u32(0x0d000052), text('youtube', 8))),
    message9({ sequence: 3 }, set(300, addresses, u32(0x0d000052), addresses, u32(0x0d000053))),
  ];
  const named = decodeAll(nbar.map((bytes) => datagram(bytes)));
  assert.deepEqual(named.rows.map(({ name }) => name), ['youtube', '']);
  assert.equal(named.counts.unexplainedApplications, 1);
});

test('IPFIX uptimes: with the clock from options, with the record\'s own, with none', () => {
  const fields: FieldSpec[] = [[8, 4], [12, 4], [22, 4], [21, 4]];
  const flow = join(ip('192.0.2.1'), ip('192.0.2.2'), u32(5000), u32(6500));
  const now = sampleSeconds * 1000;
  const data = message10({ sequence: 1 }, set(2, template(300, fields)), set(300, flow));
  const options = message10({}, set(3, optionsTemplate10(301, 1, [[149, 4], [160, 8]])), set(301, u32(0),
    u64(now - 9000)));
  const told = decodeAll([datagram(options), datagram(data)]);
  assert.deepEqual(pick(told.rows[0], 'start', 'end'), { start: now - 4000, end: now - 2500 });
  assert.equal(told.counts.flowsPlacedAtExport, 0);
  const own = message10({}, set(2, template(300, [...fields, [160, 8]])), set(300, flow, u64(now - 8000)));
  assert.deepEqual(pick(decodeAll([datagram(own)]).rows[0], 'start', 'end'), { start: now - 3000, end: now - 1500 });
  const unknown = decodeAll([datagram(data)]);
  assert.deepEqual(pick(unknown.rows[0], 'start', 'end'), { start: now - 1500, end: now });
  assert.equal(unknown.counts.flowsPlacedAtExport, 1);
});

test('data before its template waits and is replayed with the header it came with', () => {
  const fields: FieldSpec[] = [[8, 4], [12, 4], [22, 4], [21, 4], [1, 4]];
  const flow = (octets: number): Uint8Array => join(ip('192.0.2.1'), ip('192.0.2.2'), u32(500), u32(900), u32(octets));
  const rows: Row[] = [];
  const decoder = new ExportDecoder({}, (batch) => rows.push(...readRows(batch)));
  decoder.decode(datagram(message9({ sequence: 0, uptimeMs: 1000 }, set(300, flow(1), flow(2)))));
  assert.deepEqual(decoder.counts().waiting, { sets: 1, bytes: 44 });
  assert.equal(decoder.counts().exporters[0]?.waitingSets, 1);
  decoder.decode(datagram(message9({ sequence: 1, uptimeMs: 9000, seconds: sampleSeconds + 8 },
    set(0, template(300, fields)), set(300, flow(3)))));
  decoder.flush();
  assert.deepEqual(rows.map((row) => pick(row, 'octets', 'end')), [1, 2, 3].map((octets) =>
    ({ octets, end: sampleSeconds * 1000 - 100 })));
  assert.equal(decoder.counts().waiting.sets, 0);
  assert.equal(decoder.counts().records, 3);
  assertBalanced(decoder.counts());
});

test('waiting is bounded in bytes and time', () => {
  const data = message9({}, set(300, u32(1), u32(2)));
  const full = decodeAll([datagram(data), datagram(data), datagram(data)], { waitingBytesMax: 600,
    duplicateMemoryBytes: 0 });
  assert.deepEqual(rejectedOf(full.counts), { 'waiting-limit': 1, 'no-template': 2 });
  const at = sampleSeconds * 1000;
  const late = new ExportDecoder({ waitingMs: 1000 }, () => assert.fail('no row'));
  late.decode(datagram(data, { receivedMs: at }));
  late.decode(datagram(message9({ sequence: 1 }), { receivedMs: at + 1000 }));
  assert.equal(late.counts().waiting.sets, 1);
  late.decode(datagram(message9({ sequence: 2 }, set(0, template(300, [[8, 4], [12, 4]]))), { receivedMs: at + 1001 }));
  assert.deepEqual([rejectedOf(late.counts()), late.counts().waiting.sets], [{ 'no-template': 1 }, 0]);
  assertBalanced(late.counts());
});

test('template life: redefinition, withdrawal of one and all, other domains and exporters untouched', () => {
  const narrow: FieldSpec[] = [[8, 4], [12, 4], [1, 4]];
  const wide: FieldSpec[] = [[8, 4], [12, 4], [1, 8]];
  const ends = join(ip('192.0.2.1'), ip('192.0.2.2'));
  const define = (fields: readonly FieldSpec[]): Uint8Array => set(2, template(300, fields));
  const redefined = decodeAll([
    datagram(message10({}, define(narrow), set(300, ends, u32(7)))),
    datagram(message10({ sequence: 1 }, define(wide), set(300, ends, u64(8)))),
    // The same id in another domain, and from another exporter, is another template.
    datagram(message10({ domain: 1 }, define(narrow))),
    datagram(message10({ sequence: 2 }, set(300, ends, u64(9)))),
    datagram(message10({}, set(300, ends, u32(1))), { exporter: [0, 0, 0xffff, 5] }),
  ]);
  assert.deepEqual(redefined.rows.map(({ octets }) => octets), [7, 8, 9]);
  assert.deepEqual(rejectedOf(redefined.counts), { 'no-template': 1 });
  assert.equal(redefined.counts.exporters.length, 3);
  const withdrawals = [join(u16(300), u16(0)), join(u16(2), u16(0))];
  for (const withdrawal of withdrawals) {
    const { counts } = decodeAll([datagram(message10({}, define(narrow),
      set(3, optionsTemplate10(301, 1, [[149, 4]])), set(2, withdrawal), set(300, ends, u32(7)), set(301, u32(0))))]);
    assert.deepEqual([counts.withdrawals, counts.flows, counts.optionsRecords], [1, 0, 1]);
    assert.deepEqual(rejectedOf(counts), { 'no-template': 1 });
  }
});

test('an exporter that restarts from another port keeps its templates', () => {
  const ends = join(ip('192.0.2.1'), ip('192.0.2.2'));
  const { rows, counts } = decodeAll([
    datagram(message9({ sequence: 70, uptimeMs: 90_000_000 }, set(0, template(300, [[8, 4], [12, 4]])))),
    datagram(message9({ sequence: 0, uptimeMs: 1000, seconds: sampleSeconds + 60 }, set(300, ends))),
    datagram(message9({ sequence: 1, uptimeMs: 2000, seconds: sampleSeconds + 61 }, set(300, ends))),
  ]);
  const { restarts, sequenceGaps, lostUnits } = counts.exporters[0] as ExportCounts['exporters'][number];
  assert.deepEqual([rows.length, restarts, sequenceGaps, lostUnits], [2, 1, 0, 0]);
});

test('a copy of a datagram is not counted twice; an exporter that does not count is not taken for one', () => {
  const ends = join(ip('192.0.2.1'), ip('192.0.2.2'));
  const define = set(2, template(300, [[8, 4], [12, 4], [1, 4]]));
  const first = message10({}, define, set(300, ends, u32(1)));
  const second = message10({ sequence: 1 }, set(300, ends, u32(2)));
  const copied = decodeAll([first, second, second, first].map((bytes) => datagram(bytes)));
  assert.deepEqual(copied.rows.map(({ octets }) => octets), [1, 2]);
  assert.deepEqual(rejectedOf(copied.counts), { duplicate: 2 });
  assert.equal(copied.counts.exporters[0]?.duplicates, 2);
  assert.equal(copied.counts.exporters[0]?.sequenceGaps, 0);
  const constant = [1, 2, 3].map((octets) => datagram(message10({}, define, set(300, ends, u32(octets)))));
  assert.deepEqual(decodeAll(constant).rows.map(({ octets }) => octets), [1, 2, 3]);
});

test('sets: padding, reserved ids, bad lengths, cut records, records of no bytes', () => {
  const ends = join(ip('192.0.2.1'), ip('192.0.2.2'));
  const define = set(2, template(300, [[8, 4], [12, 4]]));
  const cases: [string, Uint8Array, number, Record<string, number>][] = [
    ['padding', message10({}, define, set(300, ends, u16(0), u8(0))), 1, {}],
    ['zero-filled v9', join(message9({}, set(0, template(300, [[8, 4], [12, 4]])), set(300, ends)),
      new Uint8Array(500)), 1, {}],
    ['reserved', message10({}, define, set(77, ends), set(300, ends)), 1, { 'reserved-set': 1 }],
    ['v9 ids in IPFIX', message10({}, set(0, template(300, [[8, 4]])), set(1, ends)), 0, { 'reserved-set': 2 }],
    ['length 0', message10({}, define, u16(300), u16(0), ends), 0, { 'bad-set-length': 1 }],
    ['cut set', message10({}, define, u16(300), u16(100), ends), 0, { 'cut-set': 1 }],
    ['empty record', message10({}, set(2, template(300, [[8, 0], [12, 0]])), set(300, ends)), 0, { 'empty-record': 1 }],
    ['cut record', message10({}, set(2, template(300, [[8, 4], [82, 65_535]])), set(300, ends, ends)), 0,
      { 'cut-record': 1 }],
    ['short header', u16(10) as unknown as Uint8Array, 0, { 'cut-header': 1 }],
    ['version 7', join(u16(7), new Uint8Array(40)), 0, { 'unknown-version': 1 }],
    ['no bytes', new Uint8Array(0), 0, { 'cut-header': 1 }],
    ['trailing', join(message10({}, define, set(300, ends)), u32(9)), 1, { 'trailing-bytes': 1 }],
    ['cut message', message10({}, define, set(300, ends)).subarray(0, -2), 0, { 'cut-message': 1, 'cut-set': 1 }],
  ];
  for (const [name, bytes, flows, rejected] of cases) {
    const { rows, counts } = decodeAll([datagram(Uint8Array.from(bytes))]);
    assert.deepEqual([rows.length, rejectedOf(counts)], [flows, rejected], name);
  }
});

test('fields that no column wants are passed over exactly: lists, zero lengths, unknown enterprises', () => {
  const fields: FieldSpec[] = [[291, 65_535], [8, 4], [5, 0], [12, 4], [292, 65_535], [999, 3, 12_345], [1, 3]];
  // RFC 6313 §4.5.1: semantic, element, length, then the elements; here nested bytes that look like a set.
  const list = join(u8(3), u16(6), u16(1), u8(2), u8(0x12));
  const record = join(u8(list.length), list, ip('192.0.2.1'), ip('192.0.2.2'), u8(255), u16(4), u32(0x01000004),
    uint(7, 3),
    uint(70_000, 3));
  const bytes = message10({}, set(2, template(300, fields)), set(300, record, record));
  const { rows, counts } = decodeAll([datagram(bytes)]);
  assert.deepEqual(rows.map((row) => pick(row, 'source', 'octets')),
    [{ source: '192.0.2.1', octets: 70_000 }, { source: '192.0.2.1', octets: 70_000 }]);
  assert.deepEqual(rejectedOf(counts), {});
  const [listed] = listRecords([datagram(bytes)]).records;
  assert.deepEqual(listed?.fields.map(({ name, value }) =>
    (value instanceof Uint8Array ? `${name}:${value.length}` : `${name}=${value}`)), [
    'basicList:7', 'sourceIPv4Address=192.0.2.1', 'ipClassOfService:0', 'destinationIPv4Address=192.0.2.2',
    'subTemplateList:4', '12345.999:3', 'octetDeltaCount=70000',
  ]);
});

test('both families in one template: IPv4 where it is filled, else IPv6', () => {
  const fields: FieldSpec[] = [[8, 4], [12, 4], [27, 16], [28, 16], [4, 1], [139, 2], [178, 1]];
  const six = join(u64(0x2001_0db8_0000_0000n), u64(1));
  const none = new Uint8Array(16);
  const { rows } = decodeAll([datagram(message10({}, set(2, template(300, fields)), set(300,
    ip('192.0.2.1'), ip('192.0.2.2'), none, none, u8(6), u16(0), u8(0),
    u32(0), u32(0), six, six, u8(58), u16(0x8000), u8(128))))]);
  assert.deepEqual(rows.map((row) => pick(row, 'version', 'source', 'icmp6')), [
    { version: 4, source: '192.0.2.1', icmp6: 0 }, { version: 6, source: '2001:db8::1', icmp6: 0x8000 },
  ]);
});

test('limits: domains, templates of a domain, fields of a template and of all', () => {
  const define = (id: number, fields: number): Uint8Array =>
    set(2, template(id, Array.from({ length: fields }, () => [8, 4] as const)));
  const domains = decodeAll([0, 1, 2].map((domain) => datagram(message10({ domain }, define(300, 1)))),
    { exportDomainsMax: 2 });
  assert.deepEqual([rejectedOf(domains.counts), domains.counts.exporters.length], [{ 'exporter-limit': 1 }, 2]);
  // Two of one address, and then one of another's.
  const ofAddress = decodeAll([[1, 0], [1, 1], [1, 2], [2, 0], [1, 1]].map(([last = 0, domain = 0]) =>
    datagram(message10({ domain }, define(300, 1)), { exporter: [0, 0, 0xffff, last] })),
  { exportDomainsOfAddressMax: 2 });
  assert.deepEqual([rejectedOf(ofAddress.counts), ofAddress.counts.exporters.length], [{ 'exporter-limit': 1 }, 3]);
  const templates = decodeAll([datagram(message10({}, define(300, 1), define(301, 1), define(302, 1), define(300, 2)))],
    { templatesPerDomainMax: 2 });
  assert.deepEqual([rejectedOf(templates.counts), templates.counts.templates], [{ 'template-limit': 1 }, 3]);
  const fields = decodeAll([datagram(message10({}, define(300, 3), define(301, 2)))], { templateFieldsMax: 2 });
  assert.deepEqual([rejectedOf(fields.counts), fields.counts.templates], [{ 'template-limit': 1 }, 1]);
  const all = decodeAll([datagram(message10({}, define(300, 3), define(301, 2), define(300, 1), define(301, 2)))],
    { templateFieldsTotalMax: 4 });
  assert.deepEqual([rejectedOf(all.counts), all.counts.templates], [{ 'template-limit': 1 }, 3]);
  const total = decodeAll([0, 1, 0].map((domain) => datagram(message10({ domain }, define(300 + domain, 1),
    set(2, join(u16(300), u16(0))), define(302, 1)))), { templatesTotalMax: 2 });
  // 300 is withdrawn, 302 taken; then 301 is taken, its 300 was not there, 302 has no room; then 300 has none.
  assert.deepEqual([rejectedOf(total.counts), total.counts.templates], [{ 'template-limit': 2 }, 4]);
  const entries = [1, 2, 3, 4].map((sampler) => join(u8(sampler), u32(10 * sampler)));
  const samplers = message10({}, set(3, optionsTemplate10(301, 1, [[48, 1], [34, 4]])), set(301, ...entries),
    set(2, template(300, [[8, 4], [48, 1], [1, 4]])),
    set(300, ...[1, 2, 3].map((sampler) => join(ip('192.0.2.1'), u8(sampler), u32(1)))));
  const sampled = decodeAll([datagram(samplers)], { optionEntriesMax: 2, renormalise: true });
  assert.deepEqual(sampled.rows.map(({ octets }) => octets), [10, 20, 40]);
  const again = message10({ domain: 1 }, samplers.subarray(16));
  const shared = decodeAll([datagram(samplers), datagram(again)], { optionEntriesTotalMax: 5, renormalise: true });
  // The second domain may keep one sampler more; the last interval that was told holds for the others.
  assert.deepEqual(shared.rows.map(({ octets }) => octets), [10, 20, 30, 10, 40, 40]);
});

test('a template of a thousand fields without bytes is refused, a few of them are not', () => {
  const define = (empty: number): Uint8Array => set(2, template(300, [[8, 4], [210, 65_535],
    ...Array.from({ length: empty }, () => [5, 0] as const)]));
  const hollow = decodeAll([datagram(message10({}, define(1_000), set(300, ip('192.0.2.1'), u8(0))))]);
  assert.deepEqual(rejectedOf(hollow.counts), { 'bad-template': 1, 'no-template': 1 });
  const few = decodeAll([datagram(message10({}, define(16), set(300, ip('192.0.2.1'), u8(0))))]);
  assert.deepEqual([rejectedOf(few.counts), few.counts.flows], [{}, 1]);
});
