/**
 * Traces of captures made frame by frame: fragments, tags, types of service, copies, IPv6, clocks that are put back,
 * what is of nobody's flow, and captures that overlap.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tcpAck, tcpSyn } from '#base';
import { addressBytes, buildTcp, buildUdp, fragmentFrame, writeCapture, type TimedFrame } from '#sim';
import { buildDnsQuery, typeA, typeAaaa } from '../../../sim/dns-message.ts';
import { buildByPrefix } from '../../../test/support/lab-builds.ts';
import { noFlow } from '../baseline/device-trace.ts';
import { readDataset } from './read-dataset.ts';
import { loadTraces, type Traces } from './read-traces.ts';

const [camera, router] = ['192.168.1.20', '192.168.1.1'];
const [cloud, other] = ['203.0.113.5', '198.51.100.9'];
const cameraMac = '02:00:00:00:00:01';
const heading = 'capture,mac,device_model,kind,device\n';
const cameraRow = `${cameraMac},camera.Test.One,iot,camera\n`;

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-trace-collection-'));
});
after(() => rmSync(folder, { recursive: true }));

type Sent = {
  readonly id?: number; readonly tos?: number; readonly port?: number; readonly from?: string; readonly mac?: number;
};

function pathOf(to: string, { id = 0, tos = 0, from = camera, mac = 1 }: Sent): Parameters<typeof buildUdp>[0] {
  return {
    sourceMac: Uint8Array.of(2, 0, 0, 0, 0, mac), destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 9),
    source: addressBytes(from), destination: addressBytes(to), hops: 64, classOfService: tos, identification: id,
    isUnfragmentable: false, isPadded: false,
  };
}

const udp = (to: string, bytes: number, sent: Sent = {}): Uint8Array =>
  buildUdp(pathOf(to, sent), { source: sent.port ?? 40_000, destination: 7_000 }, new Uint8Array(bytes).fill(bytes));
const ask = (to: string, name: string, type: number, sent: Sent = {}): Uint8Array =>
  buildUdp(pathOf(to, sent), { source: 50_000 + type, destination: 53 }, buildDnsQuery({ id: type, name, type }));
const tcp = (to: string, sequence: number, flags: number, sent: Sent = {}): Uint8Array =>
  buildTcp(pathOf(to, sent), {
    ports: { source: 41_000, destination: 443 }, sequence, acknowledgment: 0, flags, window: 100,
    options: new Uint8Array(),
  }, new Uint8Array(flags === tcpSyn ? 0 : 20));
const at = (seconds: number, frame: Uint8Array): TimedFrame => ({ timeMicroseconds: (1e9 + seconds) * 1e6, frame });

/** With an 802.1Q tag. */
function tag(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(...frame.subarray(0, 12), 0x81, 0x00, 0x00, 0x07, ...frame.subarray(12));
}

async function build(captures: Readonly<Record<string, readonly TimedFrame[]>>, rows: string): Promise<Traces> {
  for (const [name, frames] of Object.entries(captures)) {
    await writeCapture(join(folder, name), frames, { kind: 'pcap' });
  }
  writeFileSync(join(folder, 'inventory.csv'), `${heading}${rows}`);
  await buildByPrefix(join(folder, 'inventory.csv'), join(folder, 'out'), true);
  return loadTraces(join(folder, 'out'));
}

/** Packets of a device: second, identification, destination, name, and how many its flow has of it. */
async function listPackets(traces: Traces, device = 'camera'): Promise<string[]> {
  const { timeMs, ipId, destination, name, flow } = await traces.load(device);
  const sizes = new Map<number, number>();
  for (const row of flow) sizes.set(row, (sizes.get(row) ?? 0) + 1);
  return Array.from(timeMs, (time, i) => [time / 1_000 - 1e9, ipId[i],
    traces.texts.destinations[destination[i] as number], traces.texts.names[name[i] as number],
    flow[i] === noFlow ? 'none' : `of ${sizes.get(flow[i] as number)}`].join(' ').replace('  ', ' '));
}

test('fragments, tagged frames, retransmissions and types of service each find their flow; copies are no packets',
  async () => {
    const fragments = fragmentFrame(udp(cloud, 3_000, { id: 7 }));
    assert.equal(fragments.length, 3);
    const traces = await build({
      'a.pcap': [
        ...fragments.map((frame) => at(1, frame)), at(2, udp(cloud, 10, { id: 8 })), at(2, udp(cloud, 10, { id: 8 })),
        at(2.5, udp(cloud, 11, { id: 9, tos: 184 })), at(3, udp(cloud, 12, { id: 10 })),
        at(4, tag(udp(other, 20, { id: 11 }))), at(5, tag(udp(other, 21, { id: 12 }))),
        at(6, tcp(cloud, 1, tcpSyn, { id: 13 })), at(7, tcp(cloud, 2, tcpAck, { id: 14 })),
        at(8, tcp(cloud, 2, tcpAck, { id: 15 })),
      ],
    }, `a.pcap,${cameraRow}`);
    assert.deepEqual(await listPackets(traces), [
      ...Array.from({ length: 3 }, () => `1 7 ${cloud} of 5`), `2 8 ${cloud} of 5`, `2.5 9 ${cloud} of 1`,
      `3 10 ${cloud} of 5`, `4 11 ${other} of 2`, `5 12 ${other} of 2`,
      ...[13, 14, 15].map((id) => `${id - 7} ${id} ${cloud} of 3`),
    ]);
    assert.equal(traces.counts.incompleteFlows, 0);
  });

test('what no trace has is counted: answers, IPv6, devices that are silent, what is no query', async () => {
  const [six, sixCloud] = ['2001:db8::20', '2001:4860::8'];
  const silent = { mac: 2, from: '192.168.1.30' };
  const calls = { sequence: 1, acknowledgment: 0, window: 100, options: new Uint8Array() };
  const incoming = buildTcp(pathOf(camera, { from: cloud, mac: 9 }),
    { ...calls, ports: { source: 7_777, destination: 80 }, flags: tcpSyn }, new Uint8Array());
  const answer = buildTcp(pathOf(cloud, {}),
    { ...calls, ports: { source: 80, destination: 7_777 }, flags: tcpSyn | tcpAck }, new Uint8Array());
  const traces = await build({
    'a.pcap': [
      at(0, incoming), at(1, answer), at(2, udp(cloud, 10, { id: 1 })), at(3, udp(sixCloud, 10, { from: six })),
      at(4, ask(sixCloud, 'six.example', typeA, { from: six })), at(5, ask(router, 'quiet.example', typeA, silent)),
      at(6, ask(router, 'cam.example', typeA, { id: 2 })),
      at(7, buildUdp(pathOf(cloud, { id: 3 }), { source: 3_000, destination: 53 }, new Uint8Array(4))),
      at(8, udp(router, 10, { id: 4 })),
    ],
  }, `a.pcap,${cameraRow}a.pcap,02:00:00:00:00:02,plug.Test.Two,iot,plug\n`);
  assert.deepEqual(await listPackets(traces),
    [`2 1 ${cloud} of 1`, `6 2 ${router} cam.example none`, `7 3 ${cloud} of 1`]);
  assert.deepEqual(traces.counts, {
    packets: 3, queries: 1, unreadableQueries: 1, incompleteFlows: 0,
    leftOut: { 'no-flow': 1, 'silent-device': 1, duplicate: 0, 'ipv6-query': 1 },
  });
  assert.deepEqual(traces.texts.names, ['', 'cam.example'], 'of names only those of packets');
});

test('questions at one time with one identification are several; captures that overlap give each once', async () => {
  const frames = [
    at(1, ask(router, 'a.example', typeA)), at(1, ask(router, 'a.example', typeAaaa)),
    at(1, ask(router, 'b.example', typeA)), at(2, ask(router, 'a.example', typeA)), at(3, udp(cloud, 10)),
  ];
  const note = (second: number, name: string): string => `${second} 0 ${router} ${name}.example none`;
  const asked = [note(1, 'a'), note(1, 'a'), note(1, 'b'), note(2, 'a')];
  const alone = await build({ 'a.pcap': frames }, `a.pcap,${cameraRow}`);
  assert.deepEqual(await listPackets(alone), [...asked, `3 0 ${cloud} of 1`]);
  const later = [...frames.slice(1, 3), at(2.5, ask(router, 'a.example', typeA)), ...frames.slice(4)];
  const both = await build({ 'a.pcap': frames, 'b.pcap': later }, `?.pcap,${cameraRow}`);
  assert.deepEqual(await listPackets(both), [...asked, note(2.5, 'a'), `3 0 ${cloud} of 1`]);
  assert.equal(both.counts.leftOut.duplicate, 3);
});

test('a clock that is put back ends flows, and packets find those of their side', async () => {
  const traces = await build({
    'a.pcap': [
      ...[5_000, 5_010, 5_020].map((seconds, i) => at(seconds, udp(cloud, 10 + i, { id: i }))),
      ...[100, 110].map((seconds, i) => at(seconds, udp(cloud, 20 + i, { id: 10 + i }))),
    ],
  }, `a.pcap,${cameraRow}`);
  assert.deepEqual(await listPackets(traces), [`100 10 ${cloud} of 2`, `110 11 ${cloud} of 2`,
    ...[0, 1, 2].map((id) => `${5_000 + 10 * id} ${id} ${cloud} of 3`)]);
  assert.equal(traces.counts.incompleteFlows, 0);
});

test('a MAC that two captures give to two devices has a trace of each', async () => {
  const traces = await build({
    'a.pcap': [at(1, ask(router, 'a.example', typeA, { id: 1 })), at(2, udp(cloud, 10, { id: 2 }))],
    'b.pcap': [at(1, ask(router, 'b.example', typeA, { id: 3 })), at(2, udp(cloud, 11, { id: 4 }))],
  }, `a.pcap,${cameraRow}b.pcap,${cameraMac},camera.Test.Two,iot,second\n`);
  assert.deepEqual(await listPackets(traces), [`1 1 ${router} a.example none`, `2 2 ${cloud} of 1`]);
  assert.deepEqual(await listPackets(traces, 'second'), [`1 3 ${router} b.example none`, `2 4 ${cloud} of 1`]);
  const { manifest } = await readDataset(join(folder, 'out'));
  assert.equal(manifest.devices.length, 2);
});
