/**
 * Frames, captures and expected rows for the golden cases. Packets come from the simulator's builders, framings and
 * files are put together byte by byte here, and expected rows from numbers that a person wrote: nothing is metered.
 */
import { formatAddress, parseAddress } from '#base';
import { schema } from '#flow';
import { addressBytes, buildIcmp, buildTcp, buildUdp, type Path } from '#sim';

/** The zero of all cases: 2023-11-14T22:13:20Z. */
export const startMs = 1_700_000_000_000;

export const camera = '192.168.1.10';
export const cameraV6 = 'fd00::10';
export const printer = '192.168.1.20';
export const router = '192.168.1.1';
export const cloud = '203.0.113.5';
export const cloudV6 = '2001:db8::5';

export type GoldenFrame = {
  /** After `startMs`; halves of a millisecond and smaller are allowed. */
  readonly ms: number;
  readonly bytes: Uint8Array;
  /** Length on the wire; longer than `bytes` where the capture cut the frame. */
  readonly wireBytes?: number;
};

/** Inside, a MAC of the host's own; everything outside is behind the router's. */
function macBytes(address: string): Uint8Array {
  if (address === cameraV6) return macBytes(camera);
  const [high = '', low = ''] = address.split(/\.(?=\d+$)/);
  return Uint8Array.of(2, 0, 0, 0, 0, high === '192.168.1' ? Number(low) : 1);
}

export function macOf(address: string): string {
  return [...macBytes(address)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export type PathExtras = { readonly tos?: number; readonly id?: number; readonly hops?: number };

function pathOf(from: string, to: string, { tos = 0, id = 0, hops = 64 }: PathExtras): Path {
  return {
    sourceMac: macBytes(from), destinationMac: macBytes(to), source: addressBytes(from), destination: addressBytes(to),
    hops, classOfService: tos, identification: id, isUnfragmentable: false, isPadded: false,
  };
}

/** Payload whose bytes count up from 1, so that no two of them look alike. */
export function payload(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => i + 1);
}

/** An Ethernet frame with UDP; 10 bytes of payload make 38 octets of IPv4. */
export function udp(
  ms: number, from: string, to: string, ports: readonly [number, number],
  extras: PathExtras & { bytes?: number; payload?: Uint8Array } = {},
): GoldenFrame {
  const [source, destination] = ports;
  const carried = extras.payload ?? payload(extras.bytes ?? 10);
  return { ms, bytes: buildUdp(pathOf(from, to, extras), { source, destination }, carried) };
}

/** An Ethernet frame with TCP without options; no payload makes 40 octets of IPv4. */
export function tcp(
  ms: number, from: string, to: string, ports: readonly [number, number], flags: number,
  extras: PathExtras & { bytes?: number; sequence?: number } = {},
): GoldenFrame {
  const segment = {
    ports: { source: ports[0], destination: ports[1] }, sequence: extras.sequence ?? 1, acknowledgment: 1, flags,
    window: 1024, options: new Uint8Array(0),
  };
  return { ms, bytes: buildTcp(pathOf(from, to, extras), segment, payload(extras.bytes ?? 0)) };
}

/** An Ethernet frame with ICMP or ICMPv6. */
export function icmp(ms: number, from: string, to: string, type: number, code: number, bytes: number): GoldenFrame {
  return { ms, bytes: buildIcmp(pathOf(from, to, {}), type, code, 1, payload(bytes)) };
}

/** Bytes of hexadecimal text; blanks are for the eye. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The IP packet of an Ethernet frame. */
export function packetOf(frame: GoldenFrame): Uint8Array {
  return frame.bytes.subarray(14);
}

/** A classic pcap file (draft-ietf-opsawg-pcap), little-endian, microseconds. */
export function pcapFile(linkType: number, frames: readonly GoldenFrame[]): Uint8Array {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(linkType, 20);
  return concat(header, ...frames.map(({ ms, bytes, wireBytes }) => {
    const microseconds = Math.round((startMs + ms) * 1000);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(microseconds / 1e6), 0);
    record.writeUInt32LE(microseconds % 1e6, 4);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(wireBytes ?? bytes.length, 12);
    return concat(record, bytes);
  }));
}

/** A flow as a person writes it down; pairs are initiator and responder. */
export type ExpectedFlow = {
  /** Of the first and the last packet, after `startMs`. */
  readonly ms: readonly [number, number];
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly ports?: readonly [number, number];
  readonly packets: readonly [number, number];
  readonly octets: readonly [number, number];
  readonly tos?: readonly [number, number];
  readonly flags?: readonly [number, number];
  /** ICMP type and code. */
  readonly typeCode?: readonly [number, number];
  readonly reason: 1 | 2 | 3 | 4 | 5;
  readonly vlan?: number;
  /** Default true: the frames are Ethernet's. */
  readonly hasMac?: boolean;
};

/** The flows as our CSV. */
export function formatExpected(flows: readonly ExpectedFlow[]): string {
  return formatCells(flows.map(cellsOf));
}

/** Cells of rows by the names of their columns, as our CSV: all columns of the schema, in its order. */
export function formatCells(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const names = schema.map((column) => column.name);
  const lines = rows.map((cells) => {
    const unknown = Object.keys(cells).filter((name) => !names.includes(name as never));
    if (unknown.length > 0) throw new Error(`no such column: ${unknown.join(', ')}`);
    return schema.map(({ name, storage }) => cells[name]
      ?? (storage === 'address' || storage === 'mac' || storage === 'dictionary' ? '' : 0))
      .join(',');
  });
  return `${[names.join(','), ...lines].join('\n')}\n`;
}

function cellsOf(flow: ExpectedFlow): Record<string, string | number> {
  const isV6 = flow.from.includes(':');
  const [sourcePort, destinationPort] = flow.ports ?? [0, 0];
  const [type, code] = flow.typeCode ?? [0, 0];
  const hasMac = flow.hasMac ?? true;
  return {
    flowStartMilliseconds: startMs + flow.ms[0],
    flowEndMilliseconds: startMs + flow.ms[1],
    ipVersion: isV6 ? 6 : 4,
    sourceAddress: canonical(flow.from),
    destinationAddress: canonical(flow.to),
    sourceTransportPort: sourcePort,
    destinationTransportPort: destinationPort,
    protocolIdentifier: flow.protocol,
    ipClassOfService: flow.tos?.[0] ?? 0,
    reverseIpClassOfService: flow.tos?.[1] ?? 0,
    initiatorPackets: flow.packets[0],
    responderPackets: flow.packets[1],
    initiatorOctets: flow.octets[0],
    responderOctets: flow.octets[1],
    tcpControlBits: flow.flags?.[0] ?? 0,
    reverseTcpControlBits: flow.flags?.[1] ?? 0,
    [isV6 ? 'icmpTypeCodeIPv6' : 'icmpTypeCodeIPv4']: type * 256 + code,
    flowEndReason: flow.reason,
    vlanId: flow.vlan ?? 0,
    sourceMacAddress: hasMac ? macOf(flow.from) : '',
    destinationMacAddress: hasMac ? macOf(flow.to) : '',
    // An address column without a value is empty for IPv4, and the unspecified address for IPv6.
    exporterAddress: isV6 ? '::' : '',
    applicationNameSource: 'none',
  };
}

/** An address as we write it: dotted quad, or RFC 5952's text. */
export function canonical(address: string): string {
  const words = parseAddress(address);
  if (words === undefined) throw new Error(`not an address: ${address}`);
  return formatAddress(Uint32Array.from(words), 0);
}
