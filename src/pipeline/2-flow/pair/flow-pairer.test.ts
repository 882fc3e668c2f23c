/** The pairer against biflows worked out by hand: docs/flow-records.md, "Pairing one-way records", rule by rule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix, type Prefix } from '#base';
import { createDictionaries, type FlowBatch } from '../flow-batch.ts';
import { schema } from '../schema.ts';
import { FlowPairer } from './flow-pairer.ts';
import { assertBalanced, batchRows, pairRows, readRows, totalsOf, type Row } from './record-rows.test.ts';

const camera = '192.168.0.10';
const cloud = '203.0.113.5';
const other = '198.51.100.9';
const udp = 17;
const tcp = 6;

/** A UDP record from the first address and port to the second, `packets` packets of 100 octets. */
function oneWay(startS: number, endS: number, from: [string, number], to: [string, number], packets = 1,
  more: Partial<Row> = {}): Partial<Row> {
  return {
    flowStartMilliseconds: startS * 1000, flowEndMilliseconds: endS * 1000, ipVersion: 4, protocolIdentifier: udp,
    sourceAddress: from[0], sourceTransportPort: from[1], destinationAddress: to[0], destinationTransportPort: to[1],
    initiatorPackets: packets, initiatorOctets: packets * 100, exporterAddress: '10.0.0.1', ...more,
  };
}

const there = (startS: number, endS: number, packets = 1, more: Partial<Row> = {}): Partial<Row> =>
  oneWay(startS, endS, [camera, 5000], [cloud, 53], packets, more);
const back = (startS: number, endS: number, packets = 1, more: Partial<Row> = {}): Partial<Row> =>
  oneWay(startS, endS, [cloud, 53], [camera, 5000], packets, more);

/** `start-end initiator>responder there/back originals` of each flow, times in seconds. */
function describe(flows: readonly Row[]): string[] {
  return flows.map((flow) => {
    const life = `${Number(flow.flowStartMilliseconds) / 1000}-${Number(flow.flowEndMilliseconds) / 1000}`;
    const packets = `${flow.initiatorPackets}/${flow.responderPackets}`;
    return `${life} ${flow.sourceAddress}>${flow.destinationAddress} ${packets} ${flow.originalFlowsPresent}`;
  });
}

test('two directions are one biflow, and every column has its side', () => {
  const rows = [
    back(1.2, 9, 3, {
      ipClassOfService: 8, tcpControlBits: 0x12, ingressInterface: 1, egressInterface: 2, flowEndReason: 1,
      sourceMacAddress: '02:00:00:00:00:0b', destinationMacAddress: '02:00:00:00:00:0a', applicationName: 'DNS',
      applicationNameSource: 'exporter', observationDomainId: 9, vlanId: 4,
    }),
    there(1, 8, 2, {
      ipClassOfService: 16, tcpControlBits: 0x13, ingressInterface: 2, flowEndReason: 2, observationDomainId: 9,
      sourceMacAddress: '02:00:00:00:00:0a', device: 'camera one',
    }),
  ];
  const { flows, counts } = pairRows(rows);
  assert.deepEqual(flows, [{
    flowStartMilliseconds: 1000, flowEndMilliseconds: 9000, ipVersion: 4, sourceAddress: camera,
    destinationAddress: cloud, sourceTransportPort: 5000, destinationTransportPort: 53, protocolIdentifier: udp,
    ipClassOfService: 16, reverseIpClassOfService: 8, initiatorPackets: 2, responderPackets: 3, initiatorOctets: 200,
    responderOctets: 300, tcpControlBits: 0x13, reverseTcpControlBits: 0x12, icmpTypeCodeIPv4: 0, icmpTypeCodeIPv6: 0,
    flowEndReason: 1, ingressInterface: 2, egressInterface: 1, vlanId: 4, sourceMacAddress: '02:00:00:00:00:0a',
    destinationMacAddress: '02:00:00:00:00:0b', exporterAddress: '10.0.0.1', observationDomainId: 9,
    originalFlowsPresent: 2, applicationName: 'DNS', applicationNameSource: 'exporter', device: 'camera one',
    device_model: '', partition: '',
  }]);
  assert.deepEqual(counts, { records: 2, paired: 1, joined: 0, single: 0, alreadyBiflow: 0, waiting: 0,
    endedForRoom: 0, endedForCrowd: 0, clockSteps: 0 });
  assert.deepEqual(pairRows(rows.toReversed()).flows, flows);
});

test('what finds no partner is marked, and stands with its initiator as source', () => {
  const { flows, counts } = pairRows([there(1, 2, 5), oneWay(1, 2, [other, 7], [camera, 8], 3, {
    ipClassOfService: 4, tcpControlBits: 2, ingressInterface: 1, egressInterface: 2 })]);
  assert.deepEqual(describe(flows), [`1-2 ${camera}>${cloud} 5/0 1`, `1-2 ${camera}>${other} 0/3 1`]);
  assert.equal(counts.single, 2);
  const [, turned] = flows;
  assert.deepEqual([turned?.sourceTransportPort, turned?.destinationTransportPort, turned?.ipClassOfService,
    turned?.reverseIpClassOfService, turned?.tcpControlBits, turned?.reverseTcpControlBits, turned?.ingressInterface,
    turned?.egressInterface, turned?.responderOctets], [8, 7, 0, 4, 0, 2, 2, 1, 300]);
});

test('a biflow passes as it is, even one that only its responder sent, with the home as its source', () => {
  const turned = pairRows([back(1, 2, 5, { responderPackets: 4, responderOctets: 99 })]);
  assert.deepEqual(describe(turned.flows), [`1-2 ${camera}>${cloud} 4/5 0`]);
  assert.equal(turned.flows[0]?.initiatorOctets, 99);
  const rows = [there(1, 2, 5, { responderPackets: 4, responderOctets: 99, reverseIpClassOfService: 3 }),
    there(1, 2, 0, { responderPackets: 1, responderOctets: 40 }), back(1, 2, 7)];
  const { flows, counts } = pairRows(rows);
  assert.deepEqual(describe(flows), [`1-2 ${camera}>${cloud} 5/4 0`, `1-2 ${camera}>${cloud} 0/1 0`,
    `1-2 ${camera}>${cloud} 0/7 1`]);
  assert.equal(counts.alreadyBiflow, 2);
  assert.equal(counts.single, 1);
});

test('records of other exporters, domains, protocols and ends are strangers', () => {
  const base = there(1, 2);
  const strangers: Partial<Row>[] = [
    back(1, 2, 1, { exporterAddress: '10.0.0.2' }), back(1, 2, 1, { observationDomainId: 1 }),
    back(1, 2, 1, { protocolIdentifier: tcp }), back(1, 2, 1, { sourceTransportPort: 54 }),
    back(1, 2, 1, { destinationTransportPort: 5001 }), back(1, 2, 1, { sourceAddress: other }),
    back(1, 2, 1, { destinationAddress: '192.168.0.11' }), there(1, 2),
    back(1, 2, 1, { sourceAddress: '2001:db8::5' }),
  ];
  for (const stranger of strangers) {
    const { counts } = pairRows([base, stranger]);
    assert.deepEqual([counts.paired, counts.single], [0, 2], JSON.stringify(stranger));
  }
  assert.equal(pairRows([base, ...strangers, back(1, 2)]).counts.paired, 1);
});

test('the initiator: inside the home, else a SYN alone, else the request, else the earlier, else the higher port',
  () => {
  const source = (a: Partial<Row>, b: Partial<Row>, home: Prefix[] = []): unknown[] =>
    [pairRows([a, b], { home }), pairRows([b, a], { home })].map(({ flows }) => {
      assert.equal(flows.length, 1);
      return `${flows[0]?.sourceAddress}:${flows[0]?.sourceTransportPort}`;
    });
  const twice = (text: string): string[] => [text, text];
  const left = (start: number, more: Partial<Row> = {}): Partial<Row> =>
    oneWay(start, 9, [cloud, 4000], [other, 4001], 2, more);
  const right = (start: number, more: Partial<Row> = {}): Partial<Row> =>
    oneWay(start, 9, [other, 4001], [cloud, 4000], 2, more);
  assert.deepEqual(source(back(1, 9), there(2, 9)), twice(`${camera}:5000`));
  const home = [parsePrefix('203.0.113.0/24') as Prefix];
  assert.deepEqual(source(left(2), right(1), home), twice(`${cloud}:4000`));
  assert.deepEqual(source(left(2, { protocolIdentifier: tcp, tcpControlBits: 2 }),
    right(1, { protocolIdentifier: tcp, tcpControlBits: 0x14 })), twice(`${cloud}:4000`));
  assert.deepEqual(source(left(1, { protocolIdentifier: tcp, tcpControlBits: 0x12, initiatorPackets: 1 }),
    right(2, { protocolIdentifier: tcp, tcpControlBits: 0x10 })), twice(`${other}:4001`));
  assert.deepEqual(source(left(2, { protocolIdentifier: tcp, tcpControlBits: 0x1b }),
    right(1, { protocolIdentifier: tcp, tcpControlBits: 0x1b })), twice(`${other}:4001`));
  assert.deepEqual(source(left(1), right(2)), twice(`${cloud}:4000`));
  assert.deepEqual(source(left(1), right(1)), twice(`${other}:4001`));
  const samePort = { sourceTransportPort: 123, destinationTransportPort: 123 };
  assert.deepEqual(source(left(1, samePort), right(1, samePort)), twice(`${other}:123`));
});

test('an ICMP answer belongs to its request; the type is the initiator\'s', () => {
  const icmp = (from: string, to: string, startS: number, typeCode: number): Partial<Row> =>
    oneWay(startS, 5, [from, 0], [to, 0], 2, { protocolIdentifier: 1, icmpTypeCodeIPv4: typeCode });
  for (const [request, answer] of [[8, 0], [13, 14], [15, 16], [17, 18]] as const) {
    const { flows } = pairRows([icmp(other, cloud, 1, answer * 256), icmp(cloud, other, 2, request * 256)]);
    assert.deepEqual(flows.map((flow) => [flow.sourceAddress, flow.icmpTypeCodeIPv4, flow.responderPackets]),
      [[cloud, request * 256, 2]]);
  }
  assert.equal(pairRows([icmp(other, cloud, 1, 8 * 256), icmp(cloud, other, 1, 3 * 256 + 1)]).counts.single, 2);
  assert.equal(pairRows([icmp(other, cloud, 1, 3 * 256 + 1), icmp(cloud, other, 1, 3 * 256 + 1)]).counts.paired, 1);
  const six = (from: string, to: string, type: number): Partial<Row> => oneWay(1, 5, [from, 0], [to, 0], 2,
    { ipVersion: 6, protocolIdentifier: 58, icmpTypeCodeIPv6: type * 256 });
  const { flows } = pairRows([six('2001:db8::5', '2001:db8:1::1', 129), six('2001:db8:1::1', '2001:db8::5', 128)]);
  assert.deepEqual(flows.map((flow) => [flow.sourceAddress, flow.icmpTypeCodeIPv6]), [['2001:db8:1::1', 128 * 256]]);
});

test('a gap up to the window is bridged, a longer one is not', () => {
  assert.equal(pairRows([there(1, 2), back(7, 8)]).counts.paired, 1);
  assert.equal(pairRows([there(1, 2), back(7.001, 8)]).counts.paired, 0);
  assert.equal(pairRows([there(1, 2), back(2, 8)], { pairWindowMs: 0 }).counts.paired, 1);
  assert.equal(pairRows([there(1, 2), back(2.001, 8)], { pairWindowMs: 0 }).counts.paired, 0);
});

test('slices of the active timeout pair with those that overlap most, in any order', () => {
  const rows = [there(0, 120, 1), there(120.1, 240, 2), there(240.1, 300, 3), back(0.5, 120.4, 10),
    back(120.6, 240.5, 20), back(240.6, 300, 30)];
  const expected = ['0-120.4 1/10', '120.1-240.5 2/20', '240.1-300 3/30'];
  for (const order of [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 1, 5, 0, 4, 2], [4, 0, 3, 2, 1, 5]]) {
    const { flows } = pairRows(order.map((i) => rows[i] as Partial<Row>), { pairWaitMs: 400_000 });
    assert.deepEqual(describe(flows).map((text) => text.replace(/ \S+>\S+/, '').replace(/ 2$/, '')).sort(),
      expected.toSorted(), `${order}`);
  }
});

test('a record whose best partner fits another one better stays single', () => {
  const { flows } = pairRows([there(0, 120, 1), there(120.1, 240, 2), back(119, 240, 20)]);
  assert.deepEqual(describe(flows).sort(),
    [`0-120 ${camera}>${cloud} 1/0 1`, `119-240 ${camera}>${cloud} 2/20 2`]);
});

test('of equal overlaps the nearer start wins, then the nearer end', () => {
  const { flows } = pairRows([there(0, 0, 1), there(50, 50, 2), back(0.02, 0.02, 10), back(50.02, 50.02, 20)],
    { pairWindowMs: 60_000 });
  assert.deepEqual(describe(flows).map((text) => text.split(' ')[2]).sort(), ['1/10', '2/20']);
  const near = pairRows([there(0, 10, 1), back(0, 60, 10), back(0, 20, 20)]).flows;
  assert.deepEqual(describe(near).map((text) => text.split(' ')[2]).sort(), ['0/10', '1/20']);
});

test('further slices within the other direction become part of the biflow, with nothing lost', () => {
  const rows = [there(0, 120, 100), back(1, 1, 1, { tcpControlBits: 2, ipClassOfService: 4 }),
    back(40, 41, 2, { tcpControlBits: 16, ipClassOfService: 4 }), back(119, 120, 3, { ipClassOfService: 4 })];
  for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]) {
    const { flows, counts } = pairRows(order.map((i) => rows[i] as Partial<Row>));
    assert.deepEqual(describe(flows), [`0-120 ${camera}>${cloud} 100/6 4`]);
    assert.deepEqual([flows[0]?.reverseTcpControlBits, flows[0]?.responderOctets], [18, 600]);
    assert.deepEqual([counts.paired, counts.joined, counts.single], [1, 2, 0]);
  }
});

test('slices that stick out, overlap their own, or have another type of service are no part of a biflow', () => {
  for (const extra of [back(100, 121), back(1, 2), back(50, 51, 1, { ipClassOfService: 9 })]) {
    const { counts } = pairRows([there(0, 120, 100), back(1, 30, 2), extra]);
    assert.deepEqual([counts.paired, counts.joined, counts.single], [1, 0, 1], JSON.stringify(extra));
  }
});

test('a copy of a record is a record: it is neither dropped nor joined', () => {
  const { flows, counts } = pairRows([there(0, 10, 3), there(0, 10, 3), back(0, 9, 4)]);
  assert.deepEqual(describe(flows).map((text) => text.split(' ')[2]).sort(), ['3/0', '3/4']);
  assert.deepEqual([counts.paired, counts.single], [1, 1]);
  assert.equal(pairRows([there(0, 10), there(0, 10), back(0, 9), back(0, 9)]).counts.paired, 2);
});

test('a conversation of an end with itself has no directions', () => {
  const own = oneWay(1, 2, [camera, 5000], [camera, 5000]);
  assert.deepEqual(pairRows([own, own]).counts.single, 2);
});

test('records wait by their own exporter\'s time, and no longer than they may', () => {
  const tick = (endS: number, exporter: string): Partial<Row> =>
    oneWay(endS, endS, [other, endS], [cloud, 9], 1, { exporterAddress: exporter });
  const slow = { exporterAddress: '10.0.0.2' };
  const options = { pairWaitMs: 30_000 };
  // An hour ahead is another exporter's clock.
  const ahead = pairRows([there(0, 10, 1, slow), tick(3600, '10.0.0.1'), back(0.5, 10, 2, slow)], options);
  assert.equal(ahead.counts.paired, 1);
  const domain = { observationDomainId: 3 };
  const otherDomain = pairRows([there(0, 10, 1, domain), tick(3600, '10.0.0.1'), back(0.5, 10, 2, domain)], options);
  assert.equal(otherDomain.counts.paired, 1);
  const inTime = pairRows([there(0, 10), tick(40, '10.0.0.1'), back(0.5, 10)], options);
  assert.equal(inTime.counts.paired, 1);
  const late = pairRows([there(0, 10), tick(40.001, '10.0.0.1'), back(0.5, 10)], options);
  assert.deepEqual([late.counts.paired, late.counts.single], [0, 3]);
  // What comes late itself waits as long.
  const bothLate = pairRows([tick(1000, '10.0.0.1'), there(0, 10), tick(1029, '10.0.0.1'), back(0.5, 10)], options);
  assert.equal(bothLate.counts.paired, 1);
});

test('a clock that steps back ends the wait of what came before, and times that are none do no harm', () => {
  const { counts } = pairRows([there(90_000, 90_010), there(1, 10), back(1.5, 10), back(90_000, 90_009)]);
  assert.deepEqual([counts.clockSteps, counts.paired, counts.single], [1, 1, 2]);
  const odd = [NaN, Infinity, -Infinity, -1e300, 4e12, 0];
  const rows = odd.flatMap((time, i) => [there(time, odd[odd.length - 1 - i] as number), back(time, time)]);
  const mixed = pairRows([...rows, there(1, 10), back(1, 9), ...rows]);
  assert.equal(mixed.counts.records, 26);
  assert.ok(mixed.counts.paired >= 1);
});

test('an exporter that fell silent is told the time', () => {
  const flows: Row[] = [];
  const dictionaries = createDictionaries();
  const pairer = new FlowPairer({}, (batch) => void flows.push(...readRows(batch)));
  pairer.add(batchRows([there(0, 10), back(0.5, 11)], dictionaries));
  pairer.advance(130_000);
  assert.deepEqual([flows.length, pairer.counts().waiting], [0, 2]);
  pairer.advance(130_001);
  assert.deepEqual(describe(flows), [`0-11 ${camera}>${cloud} 1/1 2`]);
  assertBalanced(pairer.counts());
  pairer.end();
  assert.equal(flows.length, 1);
});

test('records that wait by told time take no notice of their own', () => {
  const dictionaries = createDictionaries();
  const pairer = new FlowPairer({ clock: 'told', pairWaitMs: 10_000 }, () => {}, { dictionaries });
  const add = (...rows: Partial<Row>[]): void => pairer.add(batchRows(rows, dictionaries));
  const second = { exporterAddress: '10.0.0.2' };
  pairer.advance(1e12);
  add(there(0, 10), there(90_000, 90_001), there(1, 10, 1, second), back(0.5, 10));
  pairer.advance(1e12 + 10_000);
  add(back(90_000, 90_002));
  assert.deepEqual([pairer.counts().waiting, pairer.counts().clockSteps], [5, 0]);
  pairer.advance(1e12 + 10_001);
  assert.deepEqual([pairer.counts().waiting, pairer.counts().paired, pairer.counts().single], [0, 2, 1]);
  // An exporter that is new waits by the time told before it came.
  add(there(0, 10, 1, { exporterAddress: '10.0.0.3' }));
  pairer.advance(1e12 + 20_001);
  assert.equal(pairer.counts().waiting, 1);
  pairer.advance(1e12 - 7_200_000);
  assert.deepEqual([pairer.counts().waiting, pairer.counts().clockSteps], [0, 1]);
  pairer.end();
  assertBalanced(pairer.counts());
});

test('at the limit the fullest exporter\'s oldest record is decided, and counted', () => {
  const many = (exporter: string, count: number): Partial<Row>[] => Array.from({ length: count }, (_, i) =>
    oneWay(1, 2, [camera, 1000 + i], [cloud, 53], 1, { exporterAddress: exporter }));
  const options = { unpairedRecordsMax: 10 };
  const answers = many('10.0.0.2', 3).map((row) => ({ ...row, flowEndMilliseconds: 1900,
    sourceAddress: cloud, sourceTransportPort: 53, destinationAddress: camera,
    destinationTransportPort: row.sourceTransportPort as number }));
  const { counts, flows } = pairRows([...many('10.0.0.2', 3), ...many('10.0.0.1', 100), ...answers], options);
  assert.deepEqual([counts.records, counts.paired, counts.endedForRoom], [106, 3, 96]);
  assert.equal(flows.length, 103);
  // Also without any room at all.
  assert.equal(pairRows(many('10.0.0.1', 5), { unpairedRecordsMax: 0, unpairedOfConversationMax: 1,
    pairClocksMax: 0 }).counts.endedForRoom, 5);
});

test('a crowded conversation is decided early, and counted', () => {
  const rows = Array.from({ length: 50 }, (_, i) => there(i, i + 0.5, 1));
  const { counts } = pairRows([...rows, back(48, 48.4)], { unpairedOfConversationMax: 4, pairWindowMs: 0 });
  assert.deepEqual([counts.endedForCrowd, counts.paired, counts.single], [47, 1, 49]);
});

test('exporters beyond the limit share a clock, and pair all the same', () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({ exporterAddress: `10.0.1.${i}`, observationDomainId: i % 3 }))
    .flatMap((exporter) => [there(0, 10, 1, exporter), back(0, 9, 1, exporter)]);
  assert.equal(pairRows(rows, { pairClocksMax: 4 }).counts.paired, 40);
});

test('what was paired before is left as it is', () => {
  const once = pairRows([there(0, 10, 1), back(1, 9, 2), there(500, 501, 3)]).flows;
  const again = pairRows(once);
  assert.deepEqual(again.flows, once);
  assert.deepEqual([again.counts.alreadyBiflow, again.counts.single], [1, 1]);
});

test('batches of other dictionaries are refused, and the input is left untouched', () => {
  const pairer = new FlowPairer({}, () => {});
  const flows: FlowBatch = batchRows([there(0, 10, 1), back(1, 9, 2)]);
  const before = readRows(flows);
  pairer.add(flows);
  assert.deepEqual(readRows(flows), before);
  assert.throws(() => pairer.add(batchRows([there(0, 1)])), { code: 'invariant' });
});

test('a record carries every column through the table', () => {
  const row = Object.fromEntries(schema.map(({ name, storage }, i) => {
    if (storage === 'address') return [name, `2001:db8::${i + 1}`];
    if (storage === 'mac') return [name, `02:00:00:00:00:${(i + 16).toString(16)}`];
    return [name, storage === 'dictionary' ? `text ${i}` : i + 1];
  })) as Row;
  assert.deepEqual(pairRows([row]).flows, [row]);
  assert.deepEqual(totalsOf([row]).packets, Number(row.initiatorPackets) + Number(row.responderPackets));
});
