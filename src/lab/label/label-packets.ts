/**
 * Labels packets captured outside a NAT with the device of their twins inside, in both directions, by what a NAT leaves
 * alone: peer, length, IP identification, TCP numbers, sequence of an ICMP query. IPv4; payload is not read.
 */
import { formatIPv4, formatMac, isInPrefix, protocolIcmp, protocolTcp, protocolUdp, type Prefix } from '#base';
import { noLinkHeader, readCapture, type ByteSource, type CaptureReading, type PacketBatch } from '#capture';
import { isPrivate } from '#flow';
import type { TableSink } from '#flow/files';
import { LabelAccount, noteLeftOut } from './label-account.ts';
import type { NameDevice } from './label-flows.ts';
import { read16, read32 } from './nat-checksum.ts';
import { TwinMatcher, type TwinMatcherOptions } from './twin-matcher.ts';
import type { InsideSighting, Sighting } from './twins.ts';

export type PacketLabelOptions = {
  /** IPv4 address of the router outside. */
  readonly routerAddress: number;
  /** Prefixes inside; empty: private addresses. */
  readonly home: readonly Prefix[];
  readonly nameDevice?: NameDevice | undefined;
  readonly matcher?: Partial<TwinMatcherOptions>;
};

export const packetLabelColumns = ['timeMilliseconds', 'direction', 'protocolIdentifier', 'peerAddress', 'peerPort',
  'routerPort', 'octets', 'ipId', 'device', 'device_model'];

type PacketSighting = Sighting & {
  readonly isOutward: boolean; readonly protocol: number; readonly peerAddress: number; readonly peerPort: number;
  readonly octets: number; readonly ipId: number;
};
type InsidePacket = PacketSighting & InsideSighting & { readonly deviceModel: string };

/** Packets of one home wait for their twins as long as a router may hold them, not as long as flows last. */
const packetWindowMs = 20_000;

/**
 * Labels the packets of a capture taken outside.
 *
 * @param outside, inside  captures of the same hours; stay the caller's
 * @param sink             takes the labelled packets; neither ended nor abandoned here
 * @returns the account; packets that are none of the home's, or no IPv4, are in `notFromRouter`
 */
export async function labelPackets(outside: ByteSource, inside: ByteSource, sink: TableSink | undefined,
  options: PacketLabelOptions): Promise<LabelAccount> {
  const account = new LabelAccount();
  const labelled: { packet: PacketSighting; twin: InsidePacket }[] = [];
  const matcher = new TwinMatcher<PacketSighting, InsidePacket>({
    label: (packet, twin, evidence) => {
      account.labelled++;
      account.twins++;
      account.evidence.add(evidence);
      account.devices.add(twin.device);
      labelled.push({ packet, twin });
    },
    leaveOut: (_, reason) => noteLeftOut(account, reason),
    leaveInside: () => {
      account.insideWithoutTwin++;
    },
    isNear: () => false,
  }, { windowMs: packetWindowMs, ...options.matcher });
  const writeLabelled = async (): Promise<void> => {
    for (const { packet, twin } of labelled.sort((a, b) => a.packet.timeMs - b.packet.timeMs)) {
      const busy = sink?.write([packet.timeMs, packet.isOutward ? 'outward' : 'inward', packet.protocol,
        formatIPv4(packet.peerAddress), packet.peerPort, packet.port < 0 ? undefined : packet.port, packet.octets,
        packet.ipId, twin.device, twin.deviceModel]);
      if (busy !== undefined) await busy;
    }
    labelled.length = 0;
  };
  const readings = { outside: readCapture(outside), inside: readCapture(inside) };
  const batches = { outside: readings.outside.batches(), inside: readings.inside.batches() };
  const isOpen = { outside: true, inside: true };
  while (isOpen.outside || isOpen.inside) {
    const side = isOpen.outside && (matcher.wantsOutside || !isOpen.inside) ? 'outside' : 'inside';
    const next = await batches[side].next();
    if (next.done === true) isOpen[side] = false;
    else if (side === 'outside') addOutside(next.value, matcher, account, options);
    else addInside(next.value, matcher, account, options);
    await writeLabelled();
  }
  countRejected(readings, account);
  matcher.end();
  await writeLabelled();
  account.close(matcher, [0, 0, 0xffff, options.routerAddress]);
  return account;
}

/** Frames without IP are nobody's. */
function countRejected(readings: { outside: CaptureReading; inside: CaptureReading }, account: LabelAccount): void {
  const outside = readings.outside.rejected.total();
  account.outside += outside;
  account.notFromRouter += outside;
  const inside = readings.inside.rejected.total();
  account.inside += inside;
  account.insideWithoutTwin += inside;
}

function addOutside(batch: PacketBatch, matcher: TwinMatcher<PacketSighting, InsidePacket>, account: LabelAccount,
  { routerAddress }: PacketLabelOptions): void {
  account.outside += batch.rowCount;
  for (let rowIndex = 0; rowIndex < batch.rowCount; rowIndex++) {
    const sighting = readSighting(batch, rowIndex, (address) => address === routerAddress);
    if (sighting === undefined) account.notFromRouter++;
    else matcher.addOutside(sighting);
  }
}

function addInside(batch: PacketBatch, matcher: TwinMatcher<PacketSighting, InsidePacket>, account: LabelAccount,
  { home, nameDevice }: PacketLabelOptions): void {
  account.inside += batch.rowCount;
  const words = Uint32Array.of(0, 0, 0xffff, 0);
  const isInside = (address: number): boolean => {
    words[3] = address;
    return home.length > 0 ? home.some((prefix) => isInPrefix(words, 0, prefix)) : isPrivate(words, 0);
  };
  for (let rowIndex = 0; rowIndex < batch.rowCount; rowIndex++) {
    const sighting = readSighting(batch, rowIndex, isInside);
    if (sighting === undefined) {
      account.insideWithoutTwin++;
      continue;
    }
    const at = batch.networkOffset[rowIndex] as number;
    const address = formatIPv4(read32(batch.data, at + (sighting.isOutward ? 12 : 16)));
    const link = batch.linkOffset[rowIndex] as number;
    const mac = link === noLinkHeader ? '' : readMac(batch.data, link + (sighting.isOutward ? 6 : 0));
    const known = nameDevice?.(mac, address);
    matcher.addInside({
      ...sighting, device: known?.device ?? (mac || address), deviceModel: known?.deviceModel ?? '',
    });
  }
}

function readMac(data: Uint8Array, at: number): string {
  return formatMac(Uint32Array.of(read16(data, at), read32(data, at + 2)), 0);
}

/** A packet between the near side and a peer, or undefined when it is none or its headers were cut off. */
function readSighting(batch: PacketBatch, rowIndex: number, isNear: (address: number) => boolean,
): PacketSighting | undefined {
  const at = batch.networkOffset[rowIndex] as number;
  const end = at + (batch.networkBytes[rowIndex] as number);
  const { data } = batch;
  if (batch.ipVersion[rowIndex] !== 4 || end - at < 20 || (data[at] as number) >>> 4 !== 4) return undefined;
  const [source, destination] = [read32(data, at + 12), read32(data, at + 16)];
  const isOutward = isNear(source);
  if (isOutward === isNear(destination)) return undefined;
  const protocol = data[at + 9] as number;
  const [octets, ipId] = [read16(data, at + 2), read16(data, at + 4)];
  const fragmentOffset = read16(data, at + 6) & 0x1fff;
  const transport = at + ((data[at] as number) & 15) * 4;
  const peerAddress = isOutward ? destination : source;
  const timeMs = (batch.timeMicroseconds[rowIndex] as number) / 1_000;
  const found = fragmentOffset > 0 ? undefined : readTransport(data, transport, end, protocol, isOutward);
  const { port, peerPort, numbers } = found ?? { port: -1, peerPort: 0, numbers: `fragment ${fragmentOffset}` };
  return {
    timeMs, endMs: timeMs,
    key: `${isOutward ? 'out' : 'in'} ${peerAddress} ${peerPort} ${protocol}`,
    signature: `${octets} ${ipId} ${numbers}`, port, isOutward, protocol, peerAddress, peerPort, octets, ipId,
  };
}

/** Ports, and numbers that a NAT leaves alone. Headers that were cut off leave length and identification. */
function readTransport(data: Uint8Array, at: number, end: number, protocol: number, isOutward: boolean,
): { port: number; peerPort: number; numbers: string } {
  const [near, far] = isOutward ? [at, at + 2] : [at + 2, at];
  if (protocol === protocolTcp && end - at >= 16) {
    return { port: read16(data, near), peerPort: read16(data, far),
      numbers: `${read32(data, at + 4)} ${read32(data, at + 8)} ${read16(data, at + 12)}` };
  }
  if (protocol === protocolUdp && end - at >= 8) {
    return { port: read16(data, near), peerPort: read16(data, far), numbers: '' };
  }
  if (protocol === protocolIcmp && end - at >= 8) {
    // Of an echo the sequence number, of an error the identification of the packet that it quotes.
    const type = data[at] as number;
    const isQuery = type === 0 || type === 8;
    const number = isQuery ? read16(data, at + 6) : end - at >= 28 ? read16(data, at + 12) : 0;
    return { port: isQuery ? read16(data, at + 4) : -1, peerPort: read16(data, at), numbers: `${number}` };
  }
  return { port: -1, peerPort: 0, numbers: '' };
}
