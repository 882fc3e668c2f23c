/** The meter against flows worked out by hand, and against itself under every way of batching. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parsePrefix, tcpAck, tcpFin, tcpRst, tcpSyn, type Prefix } from '#base';
import type { FlowBatch } from '#flow';
import {
  addressBytes, batchFrames, buildIcmp, buildTcp, buildUdp, fragmentFrame, simulateHome, type CapturedFrame,
} from '#sim';
import { Meter, type MeterOptions } from './meter.ts';

type Flow = {
  source: string; destination: string; ports: string; protocol: number; tos: string; packets: string; octets: string;
  startMs: number; endMs: number; reason: number; flags: string; icmp: number; ingress: number;
};

function readRows(batch: FlowBatch): Flow[] {
  const { columns } = batch;
  return Array.from({ length: batch.rowCount }, (_, i) => ({
    source: formatAddress(columns.sourceAddress, i * 4),
    destination: formatAddress(columns.destinationAddress, i * 4),
    ports: `${columns.sourceTransportPort[i]}>${columns.destinationTransportPort[i]}`,
    protocol: columns.protocolIdentifier[i] as number,
    tos: `${columns.ipClassOfService[i]}/${columns.reverseIpClassOfService[i]}`,
    packets: `${columns.initiatorPackets[i]}/${columns.responderPackets[i]}`,
    octets: `${columns.initiatorOctets[i]}/${columns.responderOctets[i]}`,
    startMs: columns.flowStartMilliseconds[i] as number,
    endMs: columns.flowEndMilliseconds[i] as number,
    reason: columns.flowEndReason[i] as number,
    flags: `${columns.tcpControlBits[i]}/${columns.reverseTcpControlBits[i]}`,
    icmp: (columns.icmpTypeCodeIPv4[i] as number) || (columns.icmpTypeCodeIPv6[i] as number),
    ingress: columns.ingressInterface[i] as number,
  }));
}

function meterFrames(frames: readonly CapturedFrame[], options: Partial<MeterOptions> = {},
  batchRows = Infinity): { flows: Flow[]; meter: Meter } {
  const flows: Flow[] = [];
  const meter = new Meter(options, (batch) => void flows.push(...readRows(batch)));
  for (let first = 0; first < frames.length;
    first += batchRows) meter.add(batchFrames(frames.slice(first, first + batchRows)));
  meter.end();
  return { flows, meter };
}

const camera = '192.168.0.10';
const cloud = '203.0.113.5';
let nextIdentification = 1;

function pathOf(source: string, destination: string, classOfService = 0): Parameters<typeof buildUdp>[0] {
  return {
    sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
    source: addressBytes(source), destination: addressBytes(destination), hops: 64, classOfService,
    identification: nextIdentification++ & 0xffff, isUnfragmentable: false, isPadded: false,
  };
}

function udp(timeS: number, source: string, destination: string, ports: [number, number], bytes = 10,
  tos = 0): CapturedFrame {
  const payload = new Uint8Array(bytes).fill(timeS);
  return { timeMicroseconds: timeS * 1e6,
    frame: buildUdp(pathOf(source, destination, tos), { source: ports[0], destination: ports[1] }, payload) };
}

function tcp(timeS: number, source: string, destination: string, ports: [number, number],
  flags: number): CapturedFrame {
  const segment = { ports: { source: ports[0], destination: ports[1] }, sequence: 1, acknowledgment: 1, flags,
    window: 1, options: new Uint8Array(0) };
  return { timeMicroseconds: timeS * 1e6, frame: buildTcp(pathOf(source, destination), segment, new Uint8Array(0)) };
}

test('two directions of a conversation are one biflow with IP total lengths', () => {
  const { flows } = meterFrames([
    udp(1, camera, cloud, [5000, 53], 10),
    udp(1.5, cloud, camera, [53, 5000], 100, 8),
    udp(2, camera, cloud, [5000, 53], 20),
  ]);
  assert.equal(flows.length, 1);
  const [flow] = flows;
  assert.deepEqual(
    [flow?.source, flow?.destination, flow?.ports, flow?.packets, flow?.octets, flow?.tos, flow?.startMs, flow?.endMs,
      flow?.reason],
    [camera, cloud, '5000>53', '2/1', `${28 + 10 + 28 + 20}/${28 + 100}`, '0/8', 1000, 2000, 4]);
});

test('the initiator is the side inside the home, else the sender of the SYN, else of the first packet', () => {
  const fromCloud = meterFrames([udp(1, cloud, camera, [53, 5000]), udp(2, camera, cloud, [5000, 53])]);
  assert.equal(fromCloud.flows[0]?.source, camera);
  assert.equal(fromCloud.flows[0]?.packets, '1/1');

  const other = '198.51.100.9';
  const synAck = meterFrames([tcp(1, cloud, other, [443, 40000], tcpSyn | tcpAck)]);
  assert.equal(synAck.flows[0]?.source, other);
  const syn = meterFrames([tcp(1, cloud, other, [40000, 443], tcpSyn)]);
  assert.equal(syn.flows[0]?.source, cloud);
  assert.equal(meterFrames([udp(1, cloud, other, [1, 2])]).flows[0]?.source, cloud);

  const home = [parsePrefix('198.51.100.0/24') as Prefix];
  assert.equal(meterFrames([udp(1, cloud, other, [1, 2])], { home }).flows[0]?.source, other);
});

test('type of service and interface are key fields of the initiator alone', () => {
  const twoClasses = meterFrames([
    udp(1, camera, cloud, [5000, 53], 10, 0), udp(2, camera, cloud, [5000, 53], 10, 16),
      udp(3, cloud, camera, [53, 5000], 10, 4),
    udp(4, cloud, camera, [53, 5000], 10, 8),
  ]);
  assert.deepEqual(twoClasses.flows.map((flow) => `${flow.tos} ${flow.packets}`).sort(), ['0/0 1/0', '16/4 1/2']);
  const twoInterfaces = meterFrames([
    { ...udp(1, camera, cloud, [5000, 53]), interfaceIndex: 1 },
      { ...udp(2, camera, cloud, [5000, 53]), interfaceIndex: 2 },
    { ...udp(3, cloud, camera, [53, 5000]), interfaceIndex: 7 },
  ]);
  assert.deepEqual(twoInterfaces.flows.map((flow) => `${flow.ingress} ${flow.packets}`).sort(), ['1 1/0', '2 1/1']);
});

test('idle and active timeouts end flows, and say so', () => {
  const idle = meterFrames([udp(0, camera, cloud, [1, 2]), udp(60, camera, cloud, [1, 2]),
    udp(121, camera, cloud, [1, 2])]);
  assert.deepEqual(idle.flows.map((flow) => `${flow.packets} ${flow.reason}`), ['2/0 1', '1/0 4']);
  const times = Array.from({ length: 25 }, (_, i) => i * 10);
  const active = meterFrames(times.map((time) => udp(time, camera, cloud, [1, 2])));
  assert.deepEqual(active.flows.map((flow) => `${flow.packets} ${flow.endMs - flow.startMs} ${flow.reason}`),
    ['13/0 120000 2', '12/0 110000 4']);
});

test('a flow cut by the active timeout keeps its direction', () => {
  const other = '198.51.100.9';
  const frames = [udp(0, cloud, other, [1, 2]),
    ...Array.from({ length: 20 }, (_, i) => udp(i * 10 + 5, other, cloud, [2, 1]))];
  const { flows } = meterFrames(frames);
  assert.deepEqual(flows.map((flow) => flow.source), [cloud, cloud]);
});

test('FIN both ways and RST end a flow; stray packets still belong to it, a new SYN does not', () => {
  const ports: [number, number] = [40000, 443];
  const back: [number, number] = [443, 40000];
  const { flows } = meterFrames([
    tcp(0, camera, cloud, ports, tcpSyn), tcp(0.1, cloud, camera, back, tcpSyn | tcpAck),
      tcp(0.2, camera, cloud, ports, tcpFin | tcpAck),
    tcp(0.3, cloud, camera, back, tcpFin | tcpAck), tcp(0.4, camera, cloud, ports, tcpAck),
      tcp(0.5, camera, cloud, ports, tcpSyn),
    tcp(0.6, cloud, camera, back, tcpRst), tcp(9, camera, cloud, ports, tcpAck),
  ]);
  assert.deepEqual(flows.map((flow) => `${flow.packets} ${flow.reason} ${flow.flags}`),
    ['3/2 3 19/19', '1/1 3 2/4', '1/0 4 16/0']);
});

test('fragments belong to the flow of their first; those without one are counted', () => {
  const whole = udp(1, camera, cloud, [5000, 6000], 4000);
  const pieces = fragmentFrame(whole.frame).map((frame, i) => ({ timeMicroseconds: 1e6 + i, frame }));
  assert.equal(pieces.length, 3);
  const { flows, meter } = meterFrames(pieces);
  assert.deepEqual(flows.map((flow) => `${flow.ports} ${flow.packets} ${flow.octets}`),
    [`5000>6000 3/0 ${4000 + 8 + 3 * 20}/0`]);
  assert.equal(meter.counts().unresolvedFragments, 0);
  const headless = meterFrames(pieces.slice(1));
  assert.deepEqual(headless.flows.map((flow) => `${flow.ports} ${flow.packets}`), ['0>0 2/0']);
  assert.equal(headless.meter.counts().unresolvedFragments, 2);
});

test('an echo reply belongs to its request, with type and code kept', () => {
  const request = { timeMicroseconds: 0, frame: buildIcmp(pathOf(camera, cloud), 8, 0, 1, new Uint8Array(8)) };
  const reply = { timeMicroseconds: 1000, frame: buildIcmp(pathOf(cloud, camera), 0, 0, 1, new Uint8Array(8)) };
  const unreachable = { timeMicroseconds: 2000, frame: buildIcmp(pathOf(camera, cloud), 3, 1, 0, new Uint8Array(28)) };
  const { flows } = meterFrames([request, reply, unreachable]);
  assert.deepEqual(flows.map((flow) => `${flow.icmp} ${flow.packets} ${flow.ports}`).sort(),
    ['2048 1/1 0>0', '769 1/0 0>0']);
  const v6 = ['fd00::10', '2001:db8::5'] as const;
  const sixRequest = { timeMicroseconds: 0, frame: buildIcmp(pathOf(v6[0], v6[1]), 128, 0, 1, new Uint8Array(8)) };
  const sixReply = { timeMicroseconds: 1000, frame: buildIcmp(pathOf(v6[1], v6[0]), 129, 0, 1, new Uint8Array(8)) };
  assert.deepEqual(meterFrames([sixRequest, sixReply]).flows.map(
    (flow) => `${flow.icmp} ${flow.packets} ${flow.source}`),
    [`${128 * 256} 1/1 fd00::10`]);
});

test('copies from a mirrored port are rejected and counted, unless they are to be kept', () => {
  const once = udp(1, camera, cloud, [5000, 53]);
  const copy = { ...once, timeMicroseconds: once.timeMicroseconds + 300 };
  const later = { ...once, timeMicroseconds: once.timeMicroseconds + 50_000 };
  const found = meterFrames([once, copy, later]);
  assert.equal(found.flows[0]?.packets, '2/0');
  assert.equal(found.meter.counts().rejected.get('duplicate'), 1);
  assert.equal(meterFrames([once, copy, later], { duplicateWindowMs: 0 }).flows[0]?.packets, '3/0');
});

test('no packet of an unmirrored home is taken for a copy; every one of a mirrored home is, but for bare segments',
  () => {
  const frames = [...simulateHome({ seed: 2019, durationS: 1800, servers: 'clouds' })];
  assert.equal(meterFrames(frames, {}, 5000).meter.counts().rejected.get('duplicate'), 0);
  const some = frames.slice(0, 20_000);
  const mirrored = some.flatMap((frame) => [frame, { ...frame, timeMicroseconds: frame.timeMicroseconds + 40 }]);
  const { meter } = meterFrames(mirrored, {}, 4000);
  const once = meterFrames(some, {}, 4000).meter.counts().packets;
  const kept = meter.counts().packets - once;
  assert.ok(kept < once * 0.15, `${kept} of ${once} copies were kept`);
});

test('copies of fragments are found, and fragments of one datagram are no copies', () => {
  const pieces = fragmentFrame(udp(1, camera, cloud, [5000, 6000], 6000).frame);
  const frames = [...pieces, ...pieces].map((frame, i) => ({ timeMicroseconds: 1e6 + i, frame }));
  const { meter, flows } = meterFrames(frames);
  assert.equal(meter.counts().rejected.get('duplicate'), pieces.length);
  assert.equal(flows[0]?.packets, `${pieces.length}/0`);
});

test('late packets within the window count in order; a step of the clock ends all flows', () => {
  const ordered = [tcp(1, camera, cloud, [9, 10], tcpSyn), udp(1.2, camera, cloud, [1, 2]),
    udp(1.4, camera, cloud, [1, 2], 10, 16), udp(3, camera, cloud, [1, 2])];
  const shuffled = [1, 0, 2, 3].map((i) => ordered[i] as CapturedFrame);
  assert.deepEqual(meterFrames(shuffled).flows, meterFrames(ordered).flows);
  assert.equal(meterFrames(shuffled).meter.counts().latePackets, 0);

  const step = meterFrames([udp(1000, camera, cloud, [1, 2]), udp(5, camera, cloud, [1, 2]),
    udp(6, camera, cloud, [1, 2])]);
  assert.equal(step.meter.counts().clockSteps, 1);
  assert.deepEqual(step.flows.map((flow) => `${flow.startMs} ${flow.packets} ${flow.reason}`),
    ['1000000 1/0 4', '5000 2/0 4']);
});

test('a packet later than the window is counted in its flow and reported', () => {
  const frames = [udp(10, camera, cloud, [1, 2]), udp(20, camera, cloud, [1, 2]), udp(9, camera, cloud, [1, 2])];
  const { flows, meter } = meterFrames(frames, { reorderWindowMs: 100 });
  assert.equal(meter.counts().latePackets, 1);
  assert.deepEqual(flows.map((flow) => `${flow.startMs} ${flow.endMs} ${flow.packets}`), ['9000 20000 3/0']);
});

test('a full table ends the flow that was idle for longest, and counts it', () => {
  const frames = [
    udp(1, camera, cloud, [1, 2]), udp(2, camera, cloud, [3, 2]), udp(3, camera, cloud, [4, 2]),
      udp(4, camera, cloud, [1, 2]),
    udp(5, camera, cloud, [5, 2]),
  ];
  const { flows, meter } = meterFrames(frames, { openFlowsMax: 3 });
  assert.equal(meter.counts().flowsEndedForRoom, 1);
  assert.deepEqual([flows[0]?.ports, flows[0]?.reason], ['3>2', 5]);
  assert.equal(flows.length, 4);
});

test('the table grows without losing a flow', () => {
  const frames = Array.from({ length: 9000 }, (_, i) => udp(1 + i * 0.001, camera, cloud, [i + 1, 2]));
  const back = Array.from({ length: 9000 }, (_, i) => udp(20 + i * 0.001, cloud, camera, [2, i + 1]));
  const { flows } = meterFrames([...frames, ...back]);
  assert.equal(flows.length, 9000);
  assert.ok(flows.every((flow) => flow.packets === '1/1'));
});

test('property: any split of a capture gives the flows of the whole', () => {
  const frames = [...simulateHome({ seed: 7, durationS: 300 })];
  const whole = meterFrames(frames);
  assert.ok(whole.flows.length > 20);
  fc.assert(fc.property(fc.integer({ min: 0, max: frames.length }), fc.integer({ min: 1, max: 5000 }),
    (cut, batchRows) => {
    const flows: Flow[] = [];
    const meter = new Meter({}, (batch) => void flows.push(...readRows(batch)));
    for (const piece of [frames.slice(0, cut), frames.slice(cut)]) {
      for (let first = 0; first < piece.length;
        first += batchRows) meter.add(batchFrames(piece.slice(first, first + batchRows)));
    }
    meter.end();
    assert.deepEqual(flows, whole.flows);
  }), { numRuns: 20 });
});

test('property: the kernel and the readable code give the same flows, whatever the headers', () => {
  const frames = [...simulateHome({ seed: 5, durationS: 60 })];
  const changes = fc.array(fc.tuple(fc.nat({ max: frames.length - 1 }), fc.integer({ min: 12, max: 70 }),
    fc.nat({ max: 255 })), { maxLength: 400 });
  fc.assert(fc.property(changes, fc.integer({ min: 1, max: 50 }), (mutations, openFlowsMax) => {
    const mutated = frames.map((frame) => ({ ...frame, frame: frame.frame.slice() }));
    for (const [at, offset, value] of mutations) {
      const { frame } = mutated[at] as CapturedFrame;
      if (offset < frame.length) frame[offset] = value;
    }
    const [kernel, readable] = (['wasm', 'none'] as const).map((kind) => {
      const { flows, meter } = meterFrames(mutated, { kernel: kind, openFlowsMax }, 700);
      return { flows, counts: JSON.stringify(meter.counts()) };
    });
    assert.ok((kernel?.flows.length ?? 0) > 20);
    assert.deepEqual(kernel, readable);
  }), { numRuns: 30 });
});

test('frames larger than the staging area, and link layers without addresses, reach the kernel whole', () => {
  const frames = Array.from({ length: 1500 }, (_, i) => udp(1 + i * 0.001, camera, cloud, [i + 1, 2], 1400));
  const { flows } = meterFrames(frames);
  assert.equal(flows.length, 1500);
  const batch = batchFrames(frames.slice(0, 3));
  batch.linkOffset.fill(0xffffffff);
  const macs: number[] = [];
  const meter = new Meter({},
    ({ columns, rowCount }) => void macs.push(...columns.sourceMacAddress.subarray(0, rowCount * 2)));
  meter.add(batch);
  meter.end();
  assert.deepEqual(macs, [0, 0, 0, 0, 0, 0]);
});

test('property: packets and octets are conserved under any disorder, any limits', () => {
  const frames = [...simulateHome({ seed: 11, durationS: 120 })];
  const options = fc.record({
    openFlowsMax: fc.integer({ min: 1, max: 20 }), reorderPacketsMax: fc.integer({ min: 1, max: 50 }),
    reorderWindowMs: fc.constantFrom(0, 1, 1000, 100_000), activeTimeoutMs: fc.constantFrom(1, 1000, 120_000),
    idleTimeoutMs: fc.constantFrom(1, 1000, 60_000),
  });
  const disorder = fc.array(fc.tuple(fc.nat({ max: frames.length - 1 }),
    fc.integer({ min: -2_000_000_000, max: 2_000_000_000 })), { maxLength: 30 });
  fc.assert(fc.property(options, disorder, (chosen, moves) => {
    const moved: CapturedFrame[] = frames.map((frame) => ({ ...frame }));
    for (const [at, byMicroseconds] of moves) {
      moved[at] = { ...(moved[at] as CapturedFrame),
        timeMicroseconds: (moved[at] as CapturedFrame).timeMicroseconds + byMicroseconds };
    }
    let packets = 0;
    let octets = 0;
    const meter = new Meter({ ...chosen, duplicateWindowMs: 0 }, ({ columns, rowCount }) => {
      for (let i = 0; i < rowCount; i++) {
        packets += (columns.initiatorPackets[i] as number) + (columns.responderPackets[i] as number);
        octets += (columns.initiatorOctets[i] as number) + (columns.responderOctets[i] as number);
        assert.ok((columns.flowEndMilliseconds[i] as number) >= (columns.flowStartMilliseconds[i] as number));
      }
      assert.ok(meter.openFlowCount <= chosen.openFlowsMax);
    });
    const batch = batchFrames(moved);
    meter.add(batch);
    meter.end();
    assert.equal(packets, batch.rowCount);
    assert.equal(meter.counts().packets, batch.rowCount);
    assert.equal(octets, meter.counts().octets);
  }), { numRuns: 60 });
});

test('fuzz: mutated headers never throw, and every packet is metered or rejected', () => {
  const frames = [...simulateHome({ seed: 3, durationS: 30 })];
  const mutation = fc.array(fc.tuple(fc.nat({ max: frames.length - 1 }), fc.nat({ max: 60 }), fc.nat({ max: 255 }),
    fc.nat({ max: 80 })), { maxLength: 200 });
  fc.assert(fc.property(mutation, (changes) => {
    const batch = batchFrames(frames);
    for (const [at, offset, value, cut] of changes) {
      const rowIndex = at % batch.rowCount;
      const start = batch.networkOffset[rowIndex] as number;
      if (offset < (batch.networkBytes[rowIndex] as number)) batch.data[start + offset] = value;
      if (cut < 10) batch.networkBytes[rowIndex] = Math.min(batch.networkBytes[rowIndex] as number, cut * 5);
    }
    let packets = 0;
    const meter = new Meter({}, ({ columns, rowCount }) => {
      for (let i = 0; i < rowCount; i++) packets += (columns.initiatorPackets[i] as number) +
        (columns.responderPackets[i] as number);
    });
    meter.add(batch);
    meter.end();
    assert.equal(packets + meter.counts().rejected.total(), batch.rowCount);
  }), { numRuns: 100 });
});
