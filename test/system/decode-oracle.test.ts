/**
 * The export decoder beside other collectors' readings of the same datagrams: Logstash's, telegraf's, pmacct's. Every
 * number, address and time that they print must be a field of ours. What differs on purpose stands in `differences`.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type AddressWords, formatAddress, parseAddress } from '#base';
import { openByteSource, readCapture } from '#capture';
import { ExportDecoder } from '../../src/pipeline/2-flow/decode/export-decoder.ts';
import type { ExportDatagram } from '../../src/pipeline/2-flow/decode/export-types.ts';
import { type ListedField, type ListedRecord, listRecords } from '../../src/pipeline/2-flow/decode/list-records.ts';
import { differences, logstashUptimeSlipMs } from './decode-differences.ts';
import { logstashNames, telegrafNames } from './decode-names.ts';
import { missing, sharedData } from './shared-data.ts';

const skip = missing({ data: ['netflow'] });
const exporter: AddressWords = [0, 0, 0xffff, 0x7f000001];

function readDatagrams(folder: string, pattern: RegExp): ExportDatagram[] {
  return readdirSync(folder).filter((name) => pattern.test(name)).sort().map((name, i) =>
    ({ bytes: new Uint8Array(readFileSync(`${folder}/${name}`)), exporter, receivedMs: i }));
}

function listCases(set: string): string[] {
  return skip === false ? readdirSync(`${sharedData}netflow/${set}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory()).map(({ name }) => name).sort() : [];
}

/** Rows and counts agree, and no byte is forgotten. */
function assertBalanced(datagrams: readonly ExportDatagram[]): void {
  let rows = 0;
  const decoder = new ExportDecoder({ batchRows: 7 }, (batch) => {
    rows += batch.rowCount;
  });
  for (const datagram of datagrams) decoder.decode(datagram);
  decoder.end();
  const { bytes, bytesByFate, flows, optionsRecords, otherRecords, records } = decoder.counts();
  assert.equal(rows, flows);
  assert.equal(flows + optionsRecords + otherRecords, records);
  assert.equal(bytesByFate.decoded + bytesByFate.rejected, bytes);
  assert.equal(bytes, datagrams.reduce((sum, datagram) => sum + datagram.bytes.length, 0));
}

/** Fields of the header of v5, which others print with each record. */
const headerNames = { sampling_interval: true, sampling_algorithm: true, flows: true };

const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

function canonicalAddress(text: string): string {
  const words = parseAddress(text);
  return words === undefined ? text : formatAddress(Uint32Array.from(words), 0);
}

/** True when a field says what another collector prints. */
function saysSame({ value, type }: ListedField, expected: unknown): boolean {
  if (value instanceof Uint8Array) return bytesSaySame(value, expected);
  if (type === 'string') return String(value) === String(expected).replace(/\0+$/, '');
  if (typeof value === 'boolean') return String(value) === String(expected) || Number(value) === Number(expected);
  if (type.startsWith('dateTime')) {
    const other = typeof expected === 'number' ? expected : Date.parse(String(expected));
    return Math.floor(Number(value)) === other || Math.floor(Number(value) / 1000) === other;
  }
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) === Number(expected);
  return value.toLowerCase() === canonicalAddress(String(expected)).toLowerCase();
}

/** Bytes of an element without a type of ours: as a number, text, address, or in the print of Cisco's ids. */
function bytesSaySame(value: Uint8Array, expected: unknown): boolean {
  const hex = hexOf(value);
  if (typeof expected === 'number') {
    if (hex === '' ? expected === 0 : Number(BigInt(`0x${hex}`)) === expected) return true;
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    return value.length === 8 && view.getFloat64(0) === expected ||
      value.length === 4 && Math.abs(view.getFloat32(0) - expected) < 1e-4 * Math.abs(expected);
  }
  const text = String(expected);
  const shown = [
    Buffer.from(value).toString().replace(/\0+$/, ''), `0x${hex}`, hex, hex.match(/.{8}/g)?.join('-'),
    hex.match(/../g)?.join(':'), applicationIds(hex),
    value.length === 4 ? [...value].join('.') : undefined,
  ].flat();
  return shown.includes(text) || Math.floor(Number(BigInt(`0x${hex || '0'}`))) === Date.parse(text);
}

/** `engine..selector` and `engine..enterprise..selector` (RFC 6759 §4). */
function applicationIds(hex: string): string[] {
  const part = (from: number, end?: number): number => Number(BigInt(`0x${hex.slice(from, end) || '0'}`));
  return [`${part(0, 2)}..${part(2)}`, `${part(0, 2)}..${part(2, 10)}..${part(10)}`];
}

type Names = typeof logstashNames;
type Mismatch = { key: string; expected: unknown; ours: string };

/** What of an expected event a record does not say. */
function compareRecord(record: ListedRecord, event: Record<string, unknown>, names: Names):
Mismatch[] {
  const mismatches: Mismatch[] = [];
  for (const [key, expected] of Object.entries(event)) {
    const wanted = key in names ? names[key] ?? null : key;
    if (wanted === null || typeof expected === 'object') continue;
    if (record.version === 5 && key in headerNames) continue;
    if (key === 'first_switched' || key === 'last_switched') {
      if (typeof expected === 'string') {
        const ours = record.uptimes[key === 'first_switched' ? 'startMs' : 'endMs'];
        const behindMs = ours === undefined ? Number.NaN : Date.parse(expected) - Math.floor(ours + 1e-3);
        if (behindMs !== 0 && behindMs !== logstashUptimeSlipMs) {
          mismatches.push({ key, expected, ours: ours === undefined ? 'none' : new Date(ours).toISOString() });
        }
        continue;
      }
    }
    let candidates = record.fields.filter((field) => [wanted].flat().includes(field.name) ||
      `type_${field.enterprise}_${field.elementId}` === key);
    const icmp = record.fields.find(({ name }) => name === 'icmpTypeCodeIPv4')?.value;
    if (typeof icmp === 'number' && candidates.length === 0 && /^icmp_(type|code)$/.test(key)) {
      assert.equal(key === 'icmp_type' ? icmp >>> 8 : icmp & 255, expected);
      continue;
    }
    if (candidates.length === 0) candidates = record.fields.filter((field) => /^-?\d/.test(field.name));
    if (!candidates.some((field) => saysSame(field, expected))) {
      mismatches.push({ key, expected, ours: candidates.map(({ name: own, value }) =>
        `${own}=${value instanceof Uint8Array ? hexOf(value) : value}`).join(' ') });
    }
  }
  return mismatches;
}

/** The mismatches of the record that says an event best. */
function findEvent(records: readonly ListedRecord[], event: Record<string, unknown>,
  names: Names): Mismatch[] {
  let best: Mismatch[] | undefined;
  for (const record of records) {
    const mismatches = compareRecord(record, event, names);
    if (best === undefined || mismatches.length < best.length) best = mismatches;
    if (best.length === 0) break;
  }
  return best ?? [{ key: '(record)', expected: JSON.stringify(event), ours: 'no record' }];
}

function judge(set: string, name: string, mismatches: readonly Mismatch[]): void {
  const left = mismatches.filter(({ key }) =>
    !differences.some((entry) => entry.case === `${set}/${name}` && entry.reader === undefined &&
      entry.fields.includes(key)));
  assert.deepEqual(left, [], JSON.stringify(left, undefined, 1));
}

for (const name of listCases('logstash')) {
  test(`logstash ${name}`, { skip }, (context) => {
    const folder = `${sharedData}netflow/logstash/${name}`;
    const datagrams = readDatagrams(folder, /\.dat$/);
    assert.ok(datagrams.length > 0);
    assertBalanced(datagrams);
    const { records } = listRecords(datagrams);
    if (!existsSync(`${folder}/expected.json`)) return context.diagnostic(`${records.length} records, none expected`);
    const parsed: unknown = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8'));
    const events = (Array.isArray(parsed) ? parsed : [parsed]) as { netflow?: Record<string, unknown> }[];
    let compared = 0;
    const mismatches = events.flatMap((event) => {
      if (event.netflow === undefined) return [];
      compared += Object.keys(event.netflow).length;
      return findEvent(records, event.netflow, logstashNames);
    });
    context.diagnostic(`${records.length} records, ${events.length} expected events, ${compared} values`);
    judge('logstash', name, mismatches);
  });
}

/** Fields of a line of the InfluxDB line protocol. */
function readLine(line: string): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const body = line.slice(line.indexOf(' ') + 1);
  for (const [, key, quoted, plain] of body.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^, ]+))/g)) {
    if (key === undefined) continue;
    fields[key] = quoted === undefined ? Number.parseFloat(plain ?? '') : quoted.replace(/\\(.)/g, '$1');
  }
  return fields;
}

for (const name of listCases('telegraf')) {
  test(`telegraf ${name}`, { skip }, (context) => {
    const folder = `${sharedData}netflow/telegraf/${name}`;
    const datagrams = readDatagrams(folder, /\.bin$/);
    assertBalanced(datagrams);
    const { records } = listRecords(datagrams);
    const lines = readFileSync(`${folder}/expected.out`, 'utf8').split('\n').filter((line) => line !== '');
    assert.ok(lines.length > 0);
    const mismatches = lines.flatMap((line) => findEvent(records, readLine(line), telegrafNames));
    context.diagnostic(`${records.length} records, ${lines.length} expected`);
    judge('telegraf', name, mismatches);
  });
}

test('what differs on purpose is said', { skip }, (context) => {
  for (const entry of differences) {
    assert.ok(existsSync(`${sharedData}netflow/${entry.case}`), entry.case);
    assert.match(entry.decidedBy, /RFC \d+ §|Cisco/);
    const fields = entry.fields.join(', ');
    context.diagnostic(`${entry.case} ${entry.reader ?? ''} ${fields}: ${entry.difference} (${entry.decidedBy})`);
  }
});

type Totals = { packets: number; octets: number };

function addTo(totals: Map<string, Totals>, key: string, packets: number, octets: number): void {
  const sum = totals.get(key) ?? { packets: 0, octets: 0 };
  totals.set(key, { packets: sum.packets + packets, octets: sum.octets + octets });
}

/** UDP payloads of a capture to the ports of these cases' collector. */
async function readExports(path: string): Promise<ExportDatagram[]> {
  const source = await openByteSource(path);
  const datagrams: ExportDatagram[] = [];
  for await (const { data, networkOffset, networkBytes, rowCount, timeMicroseconds } of readCapture(source).batches()) {
    for (let row = 0; row < rowCount; row++) {
      const at = networkOffset[row] as number;
      const view = new DataView(data.buffer, data.byteOffset + at, networkBytes[row]);
      const isIPv4 = view.getUint8(0) >>> 4 === 4;
      if (view.getUint8(isIPv4 ? 9 : 6) !== 17) continue;
      const udp = isIPv4 ? (view.getUint8(0) & 15) * 4 : 40;
      if (!collectorPorts.has(view.getUint16(udp + 2))) continue;
      const sender: AddressWords = isIPv4 ? [0, 0, 0xffff, view.getUint32(12)]
        : [view.getUint32(8), view.getUint32(12), view.getUint32(16), view.getUint32(20)];
      datagrams.push({
        bytes: data.slice(at + udp + 8, at + udp + view.getUint16(udp + 4)), exporter: sender,
        receivedMs: (timeMicroseconds[row] as number) / 1000,
      });
    }
  }
  await source.close();
  return datagrams;
}

const collectorPorts = new Set([9991, 9992]);
/** pmacct multiplies by the sampling interval in this case. */
const renormalised = new Set(['104-IPFIXv10-IPv6-CISCO-sampling_option']);

for (const name of listCases('pmacct')) {
  test(`pmacct ${name}`, { skip }, async (context) => {
    const folder = `${sharedData}netflow/pmacct/${name}`;
    const ours = new Map<string, Totals>();
    let flows = 0;
    for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.pcap')).sort()) {
      const datagrams = await readExports(`${folder}/${file}`);
      assertBalanced(datagrams);
      const decoder = new ExportDecoder({ renormalise: renormalised.has(name) }, ({ columns, rowCount }) => {
        flows += rowCount;
        for (let row = 0; row < rowCount; row++) {
          const source = formatAddress(columns.sourceAddress, row * 4);
          const destination = formatAddress(columns.destinationAddress, row * 4);
          addTo(ours, `${source} ${destination}`, columns.initiatorPackets[row] as number,
            columns.initiatorOctets[row] as number);
        }
      });
      for (const datagram of datagrams) decoder.decode(datagram);
      decoder.end();
    }
    const theirs = new Map<string, Totals>();
    for (const line of readFileSync(`${folder}/output-flow-00.json`, 'utf8').split('\n')) {
      if (line.trim() === '') continue;
      const { ip_src: source, ip_dst: destination, packets, bytes } = JSON.parse(line) as Record<string, string>;
      const key = `${canonicalAddress(String(source))} ${canonicalAddress(String(destination))}`;
      addTo(theirs, key, Number(packets), Number(bytes));
    }
    context.diagnostic(`${flows} flows, ${theirs.size} pairs of addresses`);
    const sorted = (totals: Map<string, Totals>): [string, Totals][] =>
      [...totals].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.ok(theirs.size > 0);
    assert.deepEqual(sorted(ours), sorted(theirs));
  });
}
