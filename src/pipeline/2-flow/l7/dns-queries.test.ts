/** DNS queries read from packets: names, identifiers, both transports, and everything that is not a query. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tcpAck, tcpPsh } from '#base';
import { Meter } from '#flow';
import { addressBytes, batchFrames, buildTcp, buildUdp, simulateHome, type CapturedFrame } from '#sim';
import { DnsQueryTap, type DnsQuery } from './dns-queries.ts';

const path = {
  sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
    source: addressBytes('192.168.1.20'),
  destination: addressBytes('192.168.1.1'), hops: 64, classOfService: 0, identification: 4711, isUnfragmentable: false,
    isPadded: false,
};
const ports = { source: 40000, destination: 53 };

function question(name: string, flags = 0x0100): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return Uint8Array.of(0x12, 0x34, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 28, 0, 1);
}

function readQueries(frames: readonly CapturedFrame[]): { queries: DnsQuery[]; tap: DnsQueryTap } {
  const queries: DnsQuery[] = [];
  const tap = new DnsQueryTap((query) => void queries.push(query));
  const meter = new Meter({}, () => undefined, { observe: (...seen) => tap.observe(...seen) });
  meter.add(batchFrames(frames));
  meter.end();
  return { queries, tap };
}

test('a query over UDP gives time, addresses, name, type and the IP-ID', () => {
  const { queries } = readQueries(
    [{ timeMicroseconds: 1_500_000, frame: buildUdp(path, ports, question('Cam.Example.ORG')) }]);
  assert.deepEqual(queries, [{
    timeMilliseconds: 1500, sourceAddress: '192.168.1.20', destinationAddress: '192.168.1.1', sourcePort: 40000,
      name: 'cam.example.org',
    queryType: 28, dnsId: 0x1234, ipId: 4711,
  }]);
});

test('a query over TCP has its length in front; IPv6 has no IP-ID', () => {
  const v6 = { ...path, source: addressBytes('fd00::20'), destination: addressBytes('fd00::1') };
  const message = question('a.test');
  const segment = { ports, sequence: 1, acknowledgment: 1, flags: tcpAck | tcpPsh, window: 1,
    options: new Uint8Array(0) };
  const { queries } = readQueries(
    [{ timeMicroseconds: 0, frame: buildTcp(v6, segment, Uint8Array.of(0, message.length, ...message)) }]);
  assert.deepEqual(queries.map((query) => [query.name, query.ipId]), [['a.test', undefined]]);
});

test('answers are passed over; cut and foreign messages are counted', () => {
  const build = (payload: Uint8Array): CapturedFrame => (
    { timeMicroseconds: 0, frame: buildUdp(path, ports, payload) });
  const answer = readQueries([build(question('a.test', 0x8180))]);
  assert.equal(answer.queries.length + answer.tap.unreadableCount, 0);
  for (const bad of [question('a.test').slice(0, 15), new Uint8Array(5), question('a.test', 0x2800),
    Uint8Array.of(...question('a').slice(0, 12), 0xc0, 12)]) {
    const { queries, tap } = readQueries([build(bad)]);
    assert.deepEqual([queries.length, tap.unreadableCount], [0, 1]);
  }
});

test('odd bytes in a name are escaped', () => {
  const message = Uint8Array.of(...question('x').slice(0, 12), 3, 0x61, 0x2e, 0x00, 0, 0, 1, 0, 1);
  const { queries } = readQueries([{ timeMicroseconds: 0, frame: buildUdp(path, ports, message) }]);
  assert.equal(queries[0]?.name, 'a\\046\\000');
});

test('a simulated home asks as many queries as its truth says', () => {
  const home = simulateHome({ seed: 21, durationS: 600 });
  const frames = [...home];
  const { queries, tap } = readQueries(frames);
  assert.equal(queries.length, home.devices.reduce((sum, device) => sum + device.dnsQueries, 0));
  assert.ok(queries.length > 20);
  assert.equal(tap.unreadableCount, 0);
});

test('fuzz: any bytes to port 53 are a query, an answer or counted', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (payload) => {
    const { queries, tap } = readQueries([{ timeMicroseconds: 0, frame: buildUdp(path, ports, payload) }]);
    const isAnswer = payload.length >= 12 && ((payload[2] as number) & 0x80) !== 0;
    assert.equal(queries.length + tap.unreadableCount, isAnswer ? 0 : 1);
  }));
});
