/**
 * Pairing undoes splitting: biflows that the meter made of a simulated home are taken apart into one-way records and
 * put together again. And whatever comes in, in whatever pieces and under whatever limits, no packet is lost or made.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { batchFrames, simulateHome, type CapturedFrame } from '#sim';
import { Meter } from '../meter/meter.ts';
import type { FlowPairerOptions } from './flow-pairer.ts';
import { assertBalanced, pairRows, readRows, totalsOf, type Cell, type Row } from './record-rows.test.ts';

function meterFrames(frames: readonly CapturedFrame[]): Row[] {
  const flows: Row[] = [];
  const meter = new Meter({ duplicateWindowMs: 0 }, (batch) => void flows.push(...readRows(batch)));
  meter.add(batchFrames(frames));
  meter.end();
  return flows;
}

function meterHome(seed: number, durationS: number): Row[] {
  return meterFrames([...simulateHome({ seed, durationS })]);
}

const answers = new Map([[8, 0], [13, 14], [15, 16], [17, 18], [128, 129]]);

/** Type and code of the other side's ICMP. */
function reverseTypeCode(typeCode: number): number {
  const type = typeCode >>> 8;
  const request = [...answers].find(([, answer]) => answer === type)?.[0];
  return ((answers.get(type) ?? request ?? type) << 8) | (typeCode & 255);
}

/** The record of what the initiator sent. */
function forwardRecord(flow: Row): Row {
  return { ...flow, responderPackets: 0, responderOctets: 0, reverseIpClassOfService: 0, reverseTcpControlBits: 0 };
}

/** The record of what the responder sent. */
function reverseRecord(flow: Row): Row {
  return {
    ...flow,
    sourceAddress: flow.destinationAddress, destinationAddress: flow.sourceAddress,
    sourceTransportPort: flow.destinationTransportPort, destinationTransportPort: flow.sourceTransportPort,
    sourceMacAddress: flow.destinationMacAddress, destinationMacAddress: flow.sourceMacAddress,
    ingressInterface: flow.egressInterface, egressInterface: flow.ingressInterface,
    initiatorPackets: flow.responderPackets, initiatorOctets: flow.responderOctets,
    responderPackets: 0, responderOctets: 0,
    ipClassOfService: flow.reverseIpClassOfService, reverseIpClassOfService: 0,
    tcpControlBits: flow.reverseTcpControlBits, reverseTcpControlBits: 0,
    icmpTypeCodeIPv4: flow.protocolIdentifier === 1 ? reverseTypeCode(Number(flow.icmpTypeCodeIPv4)) : 0,
    icmpTypeCodeIPv6: flow.protocolIdentifier === 58 ? reverseTypeCode(Number(flow.icmpTypeCodeIPv6)) : 0,
  };
}

/** A biflow as one-way records; `apart` lets the answer begin a little later and end a little earlier. */
function splitFlow(flow: Row, random: Random, apart: boolean): Row[] {
  if (flow.responderPackets === 0) return [forwardRecord(flow)];
  if (flow.initiatorPackets === 0) return [reverseRecord(flow)];
  const there = forwardRecord(flow);
  const back = reverseRecord(flow);
  const room = Number(flow.flowEndMilliseconds) - Number(flow.flowStartMilliseconds);
  if (apart && room > 0) {
    back.flowStartMilliseconds = Number(flow.flowStartMilliseconds) + random.integer(0, Math.min(room, 60));
    const early = random.integer(0, Math.min(Number(flow.flowEndMilliseconds) - back.flowStartMilliseconds, 900));
    if (random.chance(0.5)) there.flowEndMilliseconds = Number(flow.flowEndMilliseconds) - early;
    else back.flowEndMilliseconds = Number(flow.flowEndMilliseconds) - early;
  }
  return [there, back];
}

/** The flow as far as one-way records tell it. */
function survivingFields(flow: Row): Row {
  const originals = flow.initiatorPackets === 0 || flow.responderPackets === 0 ? 1 : 2;
  const noForward = flow.initiatorPackets === 0 ? { ipClassOfService: 0, tcpControlBits: 0 } : {};
  const noReverse = flow.responderPackets === 0 ? { reverseIpClassOfService: 0, reverseTcpControlBits: 0 } : {};
  const icmp = flow.initiatorPackets === 0 ? {
    icmpTypeCodeIPv4: flow.protocolIdentifier === 1 ? reverseTypeCode(Number(flow.icmpTypeCodeIPv4)) : 0,
    icmpTypeCodeIPv6: flow.protocolIdentifier === 58 ? reverseTypeCode(Number(flow.icmpTypeCodeIPv6)) : 0,
  } : {};
  return { ...flow, ...noForward, ...noReverse, ...icmp, originalFlowsPresent: originals };
}

/** Moves records out of order, but none by more than a time. */
function shuffleWithin(rows: readonly Row[], withinMs: number, random: Random): Row[] {
  return rows.map((row) => ({ row, at: Number(row.flowEndMilliseconds) + random.uniform() * withinMs }))
    .sort((a, b) => a.at - b.at).map(({ row }) => row);
}

const sorted = (flows: readonly Row[]): string[] => flows.map((flow) => JSON.stringify(flow)).sort();

for (const apart of [false, true]) {
  test(`a home taken apart and paired is the home again${apart ? ', also when answers live shorter' : ''}`, () => {
    for (const seed of [1, 2, 3]) {
      const flows = meterHome(seed, 1200);
      const random = new Random(seed);
      const records = shuffleWithin(flows.flatMap((flow) => splitFlow(flow, random, apart)), 60_000, random);
      assert.ok(flows.length > 200 && records.length > flows.length * 1.5, `${flows.length} ${records.length}`);
      const paired = pairRows(records);
      assert.deepEqual(sorted(paired.flows), sorted(flows.map(survivingFields)));
      assert.equal(paired.counts.joined, 0);
      assert.equal(paired.counts.paired, records.length - flows.length);
    }
  });
}

/** True when an Ethernet frame goes from the lower to the higher address of a conversation. */
function goesUp({ frame }: CapturedFrame): boolean {
  const isV4 = frame[12] === 0x08;
  const [from, to, end] = isV4 ? [26, 30, 34] : [22, 38, 54];
  return Buffer.compare(frame.subarray(from, to), frame.subarray(to, end)) < 0;
}

test('each direction metered by itself, then paired: the biflows of both together, but for cuts in other places', () => {
  for (const seed of [1, 2, 3]) {
    const frames = [...simulateHome({ seed, durationS: 1800 })];
    const together = meterFrames(frames);
    const isUp = new Map(frames.map((frame) => [frame, goesUp(frame)]));
    // A flow whose initiator sent nothing is the responder's record.
    const records = [true, false].flatMap((up) => meterFrames(frames.filter((frame) => isUp.get(frame) === up)))
      .map((flow) => (flow.initiatorPackets === 0 ? reverseRecord(flow) : flow));
    assert.ok(records.every((row) => row.responderPackets === 0));
    const { flows, counts } = pairRows(shuffleWithin(records, 60_000, new Random(seed)));
    assert.deepEqual(totalsOf(flows), totalsOf(together));
    const lines = (rows: readonly Row[]): string[] =>
      rows.map((row) => JSON.stringify({ ...row, originalFlowsPresent: 0, flowEndReason: 0 }));
    const expected = new Set(lines(together));
    const equal = lines(flows).filter((line) => expected.has(line)).length;
    assert.ok(equal > together.length * 0.99, `${equal} of ${together.length}, ${JSON.stringify(counts)}`);
    assert.ok(counts.paired > 400);
  }
});

test('a home\'s records in batches of any size give the same flows in the same order', () => {
  const random = new Random(4);
  const records = shuffleWithin(meterHome(4, 600).flatMap((flow) => splitFlow(flow, random, true)), 30_000, random);
  const options = { unpairedRecordsMax: 40, pairWaitMs: 20_000 };
  const whole = pairRows(records, options);
  for (const perBatch of [1, 7, 100]) assert.deepEqual(pairRows(records, options, perBatch), whole);
  assert.ok(whole.counts.endedForRoom > 0);
});

/** Records of few ends and few moments: everything meets everything. */
const anyRecord: fc.Arbitrary<Partial<Row>> = fc.record({
  flowStartMilliseconds: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.constantFrom(NaN, Infinity, -1, 1e15)),
  flowEndMilliseconds: fc.oneof(fc.integer({ min: 0, max: 90_000 }), fc.constantFrom(NaN, -Infinity, 0, 1e15)),
  protocolIdentifier: fc.constantFrom<Cell>(1, 6, 17, 58),
  sourceAddress: fc.constantFrom<Cell>('192.168.0.1', '203.0.113.1', '2001:db8::1'),
  destinationAddress: fc.constantFrom<Cell>('192.168.0.1', '203.0.113.1', '2001:db8::1'),
  sourceTransportPort: fc.constantFrom<Cell>(1, 2),
  destinationTransportPort: fc.constantFrom<Cell>(1, 2),
  initiatorPackets: fc.nat(1000),
  initiatorOctets: fc.nat(1_000_000),
  responderPackets: fc.constantFrom<Cell>(0, 0, 0, 5),
  responderOctets: fc.constantFrom<Cell>(0, 0, 0, 500),
  tcpControlBits: fc.nat(31),
  icmpTypeCodeIPv4: fc.constantFrom<Cell>(0, 2048, 769),
  exporterAddress: fc.constantFrom<Cell>('10.0.0.1', '10.0.0.2'),
  observationDomainId: fc.constantFrom<Cell>(0, 1),
  originalFlowsPresent: fc.constantFrom<Cell>(0, 0, 1, 3),
});

const anyOptions: fc.Arbitrary<Partial<FlowPairerOptions>> = fc.record({
  pairWindowMs: fc.constantFrom(0, 5_000, 1e9), pairWaitMs: fc.constantFrom(0, 1_000, 120_000),
  clockStepMs: fc.constantFrom(1_000, 7_200_000), unpairedRecordsMax: fc.constantFrom(0, 1, 3, 20),
  unpairedOfConversationMax: fc.constantFrom(1, 2, 64), pairClocksMax: fc.constantFrom(0, 1, 16),
});

test('property: no packet, octet or record is lost or made, and batches do not matter', () => {
  fc.assert(fc.property(fc.array(anyRecord, { maxLength: 120 }), anyOptions, fc.integer({ min: 1, max: 50 }),
    (records, options, perBatch) => {
      const { flows, counts } = pairRows(records, options, perBatch);
      assert.deepEqual(totalsOf(flows), totalsOf(records));
      assertBalanced(counts);
      assert.equal(counts.records, records.length);
      assert.equal(flows.length, counts.paired + counts.single + counts.alreadyBiflow);
      const oneWay = records.filter((row) => row.responderPackets === 0 && row.responderOctets === 0);
      const originals = (rows: readonly Partial<Row>[], atLeast: number): number =>
        rows.reduce((sum, row) => sum + Math.max(Number(row.originalFlowsPresent), atLeast), 0);
      const passed = records.filter((row) => !oneWay.includes(row));
      assert.equal(originals(flows, 0), originals(oneWay, 1) + originals(passed, 0));
      assert.deepEqual(pairRows(records, options, 1), { flows, counts });
    }), { numRuns: 300 });
});

test('thousands of records of one conversation are worked off as they come', () => {
  const records = Array.from({ length: 20_000 }, (_, i) => ({
    flowStartMilliseconds: (i * 7919) % 60_000, flowEndMilliseconds: 60_000 + ((i * 31) % 1000), protocolIdentifier: 17,
    sourceAddress: i % 2 === 0 ? '192.168.0.1' : '203.0.113.1', destinationAddress: i % 2 === 1 ? '192.168.0.1' :
      '203.0.113.1', initiatorPackets: 1,
  }));
  const { counts } = pairRows(records);
  assert.equal(counts.records, 20_000);
  assert.ok(counts.endedForCrowd > 0);
});
