/**
 * Other exporters beside our own metering: runs one on a capture, takes its datagrams on a port of this machine,
 * decodes and pairs them, and sums up by conversation and direction, as our own metering is summed up.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { formatAddress, systemClock } from '#base';
import { openByteSource, readCapture, type PacketBatch } from '#capture';
import { createDictionaries, Meter, type FlowBatch } from '#flow';
import { ExportDecoder } from '../../src/pipeline/2-flow/decode/export-decoder.ts';
import { FlowPairer, type FlowPairerCounts } from '../../src/pipeline/2-flow/pair/flow-pairer.ts';

type Sums = { packetsThere: number; packetsBack: number; octetsThere: number; octetsBack: number };

/** Sums of a conversation, there being from the lesser end, and the ends that were initiator. */
export type Conversation = Sums & { initiators: Set<string> };
export type Conversations = Map<string, Conversation>;

/** @param isTyped  ICMP types tell conversations apart; softflowd's biflows have that of one side only */
function addFlows(conversations: Conversations, flows: FlowBatch, isTyped: boolean): void {
  const { columns } = flows;
  for (let i = 0; i < flows.rowCount; i++) {
    const initiator = `${formatAddress(columns.sourceAddress, i * 4)} ${columns.sourceTransportPort[i]}`;
    const responder = `${formatAddress(columns.destinationAddress, i * 4)} ${columns.destinationTransportPort[i]}`;
    const icmp = isTyped ? (columns.icmpTypeCodeIPv4[i] as number) + (columns.icmpTypeCodeIPv6[i] as number) : '';
    const isForward = initiator <= responder;
    const ends = isForward ? `${initiator}, ${responder}` : `${responder}, ${initiator}`;
    const key = `${columns.protocolIdentifier[i]} ${icmp} ${ends}`;
    const all = conversations.get(key) ??
      { packetsThere: 0, packetsBack: 0, octetsThere: 0, octetsBack: 0, initiators: new Set() };
    const [there, back] = isForward ? ['initiator', 'responder'] as const : ['responder', 'initiator'] as const;
    all.packetsThere += columns[`${there}Packets`][i] as number;
    all.packetsBack += columns[`${back}Packets`][i] as number;
    all.octetsThere += columns[`${there}Octets`][i] as number;
    all.octetsBack += columns[`${back}Octets`][i] as number;
    all.initiators.add(initiator);
    conversations.set(key, all);
  }
}

/**
 * Runs an exporter that ends by itself, and takes what it sends.
 *
 * @param command    program and arguments, for the port to send to
 * @param countSent  datagrams that the program says it sent, from what it printed; NaN: it does not say
 */
export async function runExporter(command: (port: number) => readonly string[], countSent: (told: string) => number):
Promise<Uint8Array[]> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  const datagrams: Uint8Array[] = [];
  socket.on('message', (message) => void datagrams.push(new Uint8Array(message)));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const [program = '', ...args] = command(socket.address().port);
  const running = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let told = '';
  for (const stream of [running.stdout, running.stderr]) {
    stream.on('data', (text: Buffer) => { told += text.toString(); });
  }
  try {
    const [status] = await once(running, 'close') as [number | null];
    assert.equal(status, 0, told);
    // What was sent lies in the socket's buffer by now and is handed over a few at a time.
    const sent = countSent(told);
    await untilQuiet(() => datagrams.length, sent);
    if (!Number.isNaN(sent)) assert.equal(datagrams.length, sent, told);
    return datagrams;
  } finally {
    // An open socket would keep the whole run of tests from ending.
    socket.close();
  }
}

/** Waits until so many datagrams are there, or for half a second none came. @param sent  NaN when nobody told */
async function untilQuiet(countReceived: () => number, sent: number): Promise<void> {
  let received = countReceived();
  for (let quiet = 0; quiet < 25 && !(received >= sent); quiet++) {
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    if (countReceived() !== received) quiet = 0;
    received = countReceived();
  }
}

/**
 * A copy of packets with the padding of short Ethernet frames in their IP length: softflowd counts it, natlens does not
 * (docs/flow-records.md, "What is counted"). What the capture cut off may have been padding, too.
 */
function countPadding(packets: PacketBatch): { packets: PacketBatch; isCut: boolean } {
  const data = packets.data.slice();
  let isCut = false;
  for (let row = 0; row < packets.rowCount; row++) {
    const at = packets.networkOffset[row] as number;
    const captured = packets.networkBytes[row] as number;
    const [lengthAt, headerBytes] = packets.ipVersion[row] === 4 ? [at + 2, 0] : [at + 4, 40];
    const ipBytes = (((data[lengthAt] as number) << 8) | (data[lengthAt + 1] as number)) + headerBytes;
    if (captured < ipBytes) isCut = true;
    if (captured <= ipBytes) continue;
    data[lengthAt] = (captured - headerBytes) >>> 8;
    data[lengthAt + 1] = (captured - headerBytes) & 255;
  }
  return { packets: { ...packets, data }, isCut };
}

export async function meterCapture(path: string,
  { ipVersions, isTyped, isPadded }: { ipVersions: readonly number[]; isTyped: boolean; isPadded: boolean }):
Promise<{ conversations: Conversations; isCut: boolean }> {
  const conversations: Conversations = new Map();
  const meter = new Meter({ duplicateWindowMs: 0 }, (flows) => addFlows(conversations, flows, isTyped));
  const source = await openByteSource(path);
  let isCut = false;
  for await (const batch of readCapture(source).batches()) {
    const padded = countPadding(batch);
    isCut ||= padded.isCut;
    meter.add(isPadded ? padded.packets : batch);
  }
  meter.end();
  await source.close();
  for (const key of conversations.keys()) {
    if (!ipVersions.includes(key.includes(':') ? 6 : 4)) conversations.delete(key);
  }
  return { conversations, isCut };
}

export function pairDatagrams(datagrams: readonly Uint8Array[], isTyped: boolean):
{ conversations: Conversations; counts: FlowPairerCounts } {
  const conversations: Conversations = new Map();
  const dictionaries = createDictionaries();
  // All is exported at once, in no order of time: the flows' own ends say nothing about how long a record waited.
  const pairer = new FlowPairer({ clock: 'told' }, (flows) => addFlows(conversations, flows, isTyped),
    { dictionaries });
  const decoder = new ExportDecoder({}, (flows) => pairer.add(flows), { dictionaries });
  pairer.advance(systemClock.nowMs());
  for (const bytes of datagrams) {
    decoder.decode({ bytes, exporter: [0, 0, 0xffff, 0x7f000001], receivedMs: systemClock.nowMs() });
  }
  decoder.end();
  pairer.end();
  assert.equal(pairer.counts().records, decoder.counts().flows);
  return { conversations, counts: pairer.counts() };
}

export function describe(conversations: Conversations, octets: boolean): string[] {
  return [...conversations].map(([key, sums]) => `${key}: ${sums.packetsThere}/${sums.packetsBack} packets ` +
    (octets ? `${sums.octetsThere}/${sums.octetsBack} octets` : '')).sort();
}

/** True of a conversation (IPv4; with its capture's name before it) of a private and a global address. */
export function hasOneSideInside(text: string): boolean {
  const isPrivate = (address: string): boolean => /^(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\./.test(address);
  const [, first = '', second = ''] = /: \d+ \d* ?(\d[\d.]+) \d+, (\d[\d.]+) \d+$/.exec(text) ?? [];
  const isOutside = (address: string): boolean => /^\d/.test(address) && !isPrivate(address) &&
    !/^(?:0|127|169\.254|2[2-5]\d)\./.test(address);
  return (isPrivate(first) && isOutside(second)) || (isPrivate(second) && isOutside(first));
}

/** Octets of the smallest Ethernet payload beyond the smallest IP header. */
const paddingMax = 46 - 20;

/** Of packets that were cut, padding is not known: so many octets may be more. */
export function assertPadding(theirs: Conversation | undefined, ours: Conversation, what: string): void {
  assert.ok(theirs !== undefined, what);
  const there = theirs.octetsThere - ours.octetsThere;
  const back = theirs.octetsBack - ours.octetsBack;
  assert.ok(there >= 0 && there <= paddingMax * ours.packetsThere, `${what}: ${there} octets more there`);
  assert.ok(back >= 0 && back <= paddingMax * ours.packetsBack, `${what}: ${back} octets more back`);
}
