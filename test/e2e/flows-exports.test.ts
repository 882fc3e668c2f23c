/**
 * `natlens flows` on exports, as a user types it: datagrams in a capture, an IPFIX file, a bare datagram. Bytes by
 * hand.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addressBytes, buildUdp, writeCapture } from '#sim';
import { readRows, runNatlens, type Ran } from '../support/natlens-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-exports-'));
after(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]): Ran => runNatlens(args, { cwd: folder });
const at = (name: string): string => join(folder, name);
const startSeconds = 1_700_000_000;

/** NetFlow v5: header of 24 bytes, records of 48; uptime 100 s at the time of export. */
function v5Datagram(octets: readonly number[], sequence: number): Uint8Array {
  const bytes = new Uint8Array(24 + octets.length * 48);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 5);
  view.setUint16(2, octets.length);
  view.setUint32(4, 100_000);
  view.setUint32(8, startSeconds + 100);
  view.setUint32(16, sequence);
  octets.forEach((count, i) => {
    const record = 24 + i * 48;
    bytes.set([192, 168, 1, 20, 203, 0, 113, 5], record);
    view.setUint32(record + 16, 3);
    view.setUint32(record + 20, count);
    view.setUint32(record + 24, 40_000);
    view.setUint32(record + 28, 42_500);
    view.setUint16(record + 32, 5000 + i);
    view.setUint16(record + 34, 443);
    view.setUint8(record + 37, 0x1b);
    view.setUint8(record + 38, 6);
    view.setUint8(record + 39, 16);
  });
  return bytes;
}

/** IPFIX: a template of addresses, ports, protocol, octets, packets and times, and records of it (RFC 7011 §3). */
function ipfixMessage(octets: readonly number[], withTemplate: boolean, sequence: number): Uint8Array {
  const fields = [[8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [1, 8], [2, 4], [152, 8], [153, 8]] as const;
  const recordBytes = fields.reduce((sum, [, length]) => sum + length, 0);
  const templateBytes = withTemplate ? 4 + 4 + fields.length * 4 : 0;
  const bytes = new Uint8Array(16 + templateBytes + 4 + octets.length * recordBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 10);
  view.setUint16(2, bytes.length);
  view.setUint32(4, startSeconds + 100);
  view.setUint32(8, sequence);
  view.setUint32(12, 7);
  let place = 16;
  if (withTemplate) {
    [2, templateBytes, 256, fields.length, ...fields.flat()].forEach((word, i) => view.setUint16(place + i * 2, word));
    place += templateBytes;
  }
  view.setUint16(place, 256);
  view.setUint16(place + 2, 4 + octets.length * recordBytes);
  place += 4;
  for (const count of octets) {
    bytes.set([192, 168, 1, 20, 203, 0, 113, 5, 0x13, 0x88, 1, 187, 6], place);
    view.setBigUint64(place + 13, BigInt(count));
    view.setUint32(place + 21, 3);
    view.setBigUint64(place + 25, BigInt(startSeconds) * 1000n + 40_000n);
    view.setBigUint64(place + 33, BigInt(startSeconds) * 1000n + 42_500n);
    place += recordBytes;
  }
  return bytes;
}

const path = {
  sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
  source: addressBytes('198.51.100.1'), destination: addressBytes('198.51.100.2'), hops: 64, classOfService: 0,
  identification: 1, isUnfragmentable: false, isPadded: false,
};
const capture = (payloads: readonly Uint8Array[], port: number): { timeMicroseconds: number; frame: Uint8Array }[] =>
  payloads.map((payload, i) => ({
    timeMicroseconds: (startSeconds + 100) * 1e6 + i,
      frame: buildUdp(path, { source: 50_000, destination: port }, payload),
  }));

test('v5 datagrams in a capture become flow records, with the gap between them', async () => {
  await writeCapture(at('v5.pcap'), capture([v5Datagram([100, 200], 0), v5Datagram([300], 12)], 2055),
    { kind: 'pcap' });
  const ran = run('flows', 'v5.pcap', '--exports', '-o', 'v5.csv', '--json');
  assert.equal(ran.status, 0, ran.stderr);
  const summary = JSON.parse(ran.stdout);
  assert.deepEqual([summary.packets, summary.exportPackets, summary.decodedFlows, summary.flows], [2, 2, 3, 3]);
  const [exporter] = summary.exports.exporters;
  assert.deepEqual([exporter.exporter, exporter.version, exporter.records, exporter.sequenceGaps, exporter.lostUnits,
    exporter.unit],
    ['198.51.100.1', 5, 3, 1, 10, 'flows']);
  const { decoded, waiting, rejected } = summary.exports.bytesByFate;
  assert.equal(decoded + waiting + rejected, summary.exports.bytes);
  const [first] = readRows(readFileSync(at('v5.csv'), 'utf8'));
  assert.deepEqual(
    [first?.['sourceAddress'], first?.['destinationTransportPort'], first?.['initiatorOctets'],
      first?.['ipClassOfService'],
      first?.['tcpControlBits'], first?.['flowStartMilliseconds'], first?.['flowEndMilliseconds'],
        first?.['exporterAddress']],
    ['192.168.1.20', '443', '100', '16', '27', String(startSeconds * 1000 + 40_000),
      String(startSeconds * 1000 + 42_500),
      '198.51.100.1']);
});

test('an export to another port is found when the port is named; without --exports the packets are metered',
  async () => {
  await writeCapture(at('odd.pcap'), capture([v5Datagram([1], 0)], 12_345), { kind: 'pcap' });
  assert.match(run('flows', 'odd.pcap', '--exports').stdout, /^no exports: .*name another one with --export-port$/m);
  const missed = JSON.parse(run('flows', 'odd.pcap', '--exports', '--json').stdout);
  assert.deepEqual([missed.flows, missed.rejected['not-an-export']], [0, 1]);
  assert.equal(JSON.parse(run('flows', 'odd.pcap', '--exports', '--export-port', '12345', '--json').stdout).flows, 1);
  assert.equal(JSON.parse(run('flows', 'odd.pcap', '--json').stdout).meteredPackets, 1);
});

test('an IPFIX file is read, data before its template too; a cut one gives what is whole', () => {
  const messages = [ipfixMessage([10], false, 0), ipfixMessage([20, 30], true, 1), ipfixMessage([40], false, 3)];
  writeFileSync(at('flows.ipfix'), Buffer.concat(messages));
  const ran = run('flows', 'flows.ipfix', '-o', 'ipfix.csv', '--json');
  assert.equal(ran.status, 0, ran.stderr);
  const summary = JSON.parse(ran.stdout);
  assert.deepEqual([summary.decodedFlows, summary.exports.exporters[0].sequenceGaps, summary.exports.waiting.sets],
    [4, 0, 0]);
  const rows = readRows(readFileSync(at('ipfix.csv'), 'utf8'));
  assert.deepEqual(rows.map((row) => row['initiatorOctets']).sort(), ['10', '20', '30', '40']);
  assert.deepEqual(new Set(rows.map((row) => row['observationDomainId'])), new Set(['7']));
  writeFileSync(at('cut.ipfix'), Buffer.concat(messages).subarray(0, -5));
  const cut = run('flows', 'cut.ipfix', '--json');
  assert.equal(cut.status, 1);
  assert.equal(JSON.parse(cut.stdout).decodedFlows, 3);
});

test('a bare datagram is a file too; one that never gets its template says so', () => {
  writeFileSync(at('one.dat'), v5Datagram([7, 8], 0));
  assert.match(run('flows', 'one.dat').stdout, /1 datagrams, 120 B: 2 data records, of them 2 flows/);
  writeFileSync(at('orphan.ipfix'), ipfixMessage([1], false, 0));
  const orphan = JSON.parse(run('flows', 'orphan.ipfix', '--json').stdout);
  assert.deepEqual([orphan.flows, orphan.exports.rejected['no-template']], [0, 1]);
});

test('NetFlow datagrams one after the other are a file too; what is longer than any datagram is said', () => {
  const datagrams = [v5Datagram([1, 2], 0), v5Datagram([3], 2), v5Datagram([4, 5, 6], 3)];
  writeFileSync(at('several.dat'), Buffer.concat(datagrams));
  const { exports } = JSON.parse(run('flows', 'several.dat', '--json').stdout);
  assert.deepEqual([exports.flows, exports.datagrams, exports.exporters[0].sequenceGaps], [6, 3, 0]);
  writeFileSync(at('long.dat'), Buffer.concat([...datagrams, new Uint8Array(70_000)]));
  const long = run('flows', 'long.dat');
  assert.equal(long.status, 1);
  assert.match(long.stdout, /long\.dat: \d+ bytes of the file of exports belong to no datagram\./);
});

test('--pair joins the two directions of a conversation to one biflow', () => {
  const there = v5Datagram([100], 0);
  const back = v5Datagram([900], 1);
  const record = back.subarray(24);
  record.set([203, 0, 113, 5, 192, 168, 1, 20]);
  record.set([1, 187, 0x13, 0x88], 32);
  const unanswered = v5Datagram([55], 2);
  unanswered.set([0x17, 0x70], 24 + 32);
  [there, back, unanswered].forEach((datagram, i) => writeFileSync(at(`pair-${i}.dat`), datagram));
  const ran = run('flows', 'pair-0.dat', 'pair-1.dat', 'pair-2.dat', '--pair', '-o', 'pair.csv', '--json');
  assert.equal(ran.status, 0, ran.stderr);
  const summary = JSON.parse(ran.stdout);
  assert.deepEqual([summary.decodedFlows, summary.flows, summary.pairing.paired, summary.pairing.single], [3, 2, 1, 1]);
  const rows = readRows(readFileSync(at('pair.csv'), 'utf8'));
  assert.deepEqual(rows.map((row) => [row['sourceAddress'], row['initiatorOctets'], row['responderOctets']]).sort(),
    [['192.168.1.20', '100', '900'], ['192.168.1.20', '55', '0']]);
});

test('sampled counters are multiplied only when it is asked for', () => {
  const sampled = v5Datagram([100], 0);
  // Sampling mode 1 in the upper two bits, interval 64 (v5 header, byte 22).
  new DataView(sampled.buffer).setUint16(22, (1 << 14) | 64);
  writeFileSync(at('sampled.dat'), sampled);
  const octets = (...more: string[]): (string | undefined)[] => {
    const ran = run('flows', 'sampled.dat', '-o', 'sampled.csv', '--json', ...more);
    assert.equal(JSON.parse(ran.stdout).exports.exporters[0].samplingInterval, 64);
    return readRows(readFileSync(at('sampled.csv'), 'utf8')).map((row) => row['initiatorOctets']);
  };
  assert.deepEqual(octets(), ['100']);
  assert.deepEqual(octets('--renormalise'), ['6400']);
});

test('--l7 ndpi cannot look into exports', () => {
  writeFileSync(at('two.dat'), v5Datagram([7], 0));
  const ran = run('flows', 'two.dat', '--l7', 'ndpi');
  assert.equal(ran.status, 2);
  assert.match(ran.stderr, /holds exported records/);
});
