/**
 * The export decoder beside tshark's dissector, datagram by datagram: the values of each field in the order of the
 * records. tshark knows its own names for the fields; what it leaves out of some records is not compared.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { listRecords } from '../../src/pipeline/2-flow/decode/list-records.ts';
import { differences } from './decode-differences.ts';
import { missing, sharedData } from './shared-data.ts';

const skip = missing({ data: ['netflow'], programs: ['tshark'] });

/** tshark's field and ours, and how tshark's text is made comparable. */
const fields: readonly (readonly [theirs: string, ours: string | readonly string[], scale: number])[] = [
  ['cflow.srcaddr', 'sourceIPv4Address', 0], ['cflow.dstaddr', 'destinationIPv4Address', 0],
  ['cflow.srcaddrv6', 'sourceIPv6Address', 0], ['cflow.dstaddrv6', 'destinationIPv6Address', 0],
  ['cflow.srcport', ['sourceTransportPort', 'udpSourcePort', 'tcpSourcePort'], 1],
  ['cflow.dstport', ['destinationTransportPort', 'udpDestinationPort', 'tcpDestinationPort'], 1],
  ['cflow.octets', 'octetDeltaCount', 1], ['cflow.packets', 'packetDeltaCount', 1],
  ['cflow.protocol', 'protocolIdentifier', 1], ['cflow.inputint', ['ingressInterface', 'scopeInterface'], 1],
  ['cflow.outputint', 'egressInterface', 1], ['cflow.nexthop', 'ipNextHopIPv4Address', 0],
  ['cflow.srcas', 'bgpSourceAsNumber', 1], ['cflow.dstas', 'bgpDestinationAsNumber', 1],
  ['cflow.timestart', 'flowStartSysUpTime', 1000], ['cflow.timeend', 'flowEndSysUpTime', 1000],
];

/** A capture of raw IPv4 packets (link type 101), one for each payload. */
function writeCapture(path: string, payloads: readonly Uint8Array[]): void {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(262_144, 16);
  head.writeUInt32LE(101, 20);
  const frames = payloads.map((payload) => {
    const frame = Buffer.alloc(16 + 28);
    frame.writeUInt32LE(28 + payload.length, 8);
    frame.writeUInt32LE(28 + payload.length, 12);
    frame[16] = 0x45;
    frame.writeUInt16BE(28 + payload.length, 18);
    frame[24] = 64;
    frame[25] = 17;
    frame.writeUInt32BE(0xc0000201, 28);
    frame.writeUInt32BE(0xc0000202, 32);
    frame.writeUInt16BE(2055, 36);
    frame.writeUInt16BE(2055, 38);
    frame.writeUInt16BE(8 + payload.length, 40);
    return Buffer.concat([frame, payload]);
  });
  writeFileSync(path, Buffer.concat([head, ...frames]));
}

function runTshark(path: string): string[][][] {
  const text = execFileSync('tshark', ['-r', path, '-d', 'udp.port==2055,cflow', '-T', 'fields', '-E', 'separator=|',
    '-E', 'aggregator=,', '-E', 'occurrence=a', ...fields.flatMap(([theirs]) => ['-e', theirs])],
  { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] });
  return text.split('\n').slice(0, -1).map((line) =>
    line.split('|').map((cell) => (cell === '' ? [] : cell.split(','))));
}

const folders = new Map<string, string[]>();
for (const path of skip === false ? globSync(`${sharedData}netflow/{logstash,telegraf}/*/*.{dat,bin}`).sort() : []) {
  folders.set(dirname(path), [...folders.get(dirname(path)) ?? [], path]);
}

for (const [folder, paths] of folders) {
  const name = relative(`${sharedData}netflow`, folder);
  test(`tshark ${name}`, { skip }, (context) => {
    const payloads = paths.map((path) => new Uint8Array(readFileSync(path)));
    const scratch = mkdtempSync(join(tmpdir(), 'natlens-tshark-'));
    context.after(() => rmSync(scratch, { recursive: true }));
    writeCapture(join(scratch, 'exports.pcap'), payloads);
    const theirs = runTshark(join(scratch, 'exports.pcap'));
    assert.equal(theirs.length, payloads.length);
    let compared = 0;
    const known: Uint8Array[] = [];
    for (const [i, payload] of payloads.entries()) {
      // A copy of a message is counted and left out where tshark shows it again: it is compared without the first one.
      const first = known.findIndex((earlier) => Buffer.compare(earlier, payload) === 0);
      if (first >= 0) known.splice(first, 1);
      known.push(payload);
      const exporter = [0, 0, 0xffff, 0xc0000201] as const;
      const list = (messages: readonly Uint8Array[]): ReturnType<typeof listRecords>['records'] =>
        listRecords(messages.map((bytes) => ({ bytes, exporter, receivedMs: 0 }))).records;
      // Records of this datagram: what comes on top of the datagrams before it.
      const records = list(known).slice(list(known.slice(0, -1)).length);
      for (const [f, [theirName, ours, scale]] of fields.entries()) {
        const expected = theirs[i]?.[f] ?? [];
        const values = records.flatMap((record) => record.fields)
          .filter(({ name: own, value }) => [ours].flat().includes(own) && !(value instanceof Uint8Array))
          .map(({ value }) => value);
        const shown = expected.map((text) => (scale === 0 ? text : Math.round(Number(text) * scale)));
        if (shown.length === 0 || differences.some((entry) => entry.reader === 'tshark' && entry.case === name &&
          (entry.fields.includes(theirName) || entry.fields.includes('*')))) continue;
        compared += shown.length;
        const read = values.map((value) => (scale === 0 ? String(value) : Number(value)));
        assert.deepEqual(read, shown, `${i} ${theirName}`);
      }
    }
    context.diagnostic(`${compared} values`);
  });
}
