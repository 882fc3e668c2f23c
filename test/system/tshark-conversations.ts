/**
 * What tshark says a capture holds: packets and IP-length bytes per conversation and direction, from its own fields
 * (`ip.len`, `ipv6.plen` + 40). Independent of our reader, parser and table; used as the oracle of the meter.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export type Tally = { packets: number; octets: number };

/** Keyed by `source destination protocol sourcePort destinationPort`. */
export type Conversations = Map<string, Tally>;

const fields = ['frame.protocols', 'ip.src', 'ip.dst', 'ip.len', 'ip.proto', 'ip.id', 'ip.frag_offset', 'ip.flags.mf',
  'ipv6.src', 'ipv6.dst', 'ipv6.plen', 'ipv6.nxt', 'ipv6.hopopts.nxt', 'ipv6.routing.nxt', 'ipv6.dstopts.nxt',
  'ipv6.fraghdr.nxt', 'ipv6.fraghdr.offset', 'ipv6.fraghdr.ident', 'tcp.srcport', 'tcp.dstport', 'udp.srcport',
  'udp.dstport',
  'sctp.srcport', 'sctp.dstport'] as const;
type Field = (typeof fields)[number];

export type TsharkResult = {
  readonly conversations: Conversations;
  /** Frames in which tshark found an IP header. */
  readonly packets: number;
  readonly octets: number;
};

/** Runs tshark over a capture. */
export async function readWithTshark(path: string): Promise<TsharkResult> {
  const run = spawn('tshark', ['-n', '-r', path, '-o', 'ip.defragment:FALSE', '-o', 'ipv6.defragment:FALSE',
    '-T', 'fields', '-E', 'occurrence=f', '-E', 'separator=/t', ...fields.flatMap((field) => ['-e', field])],
  { stdio: ['ignore', 'pipe', 'ignore'] });
  const conversations: Conversations = new Map();
  // Ports of a datagram's first fragment, in the order of the capture.
  const firstFragments = new Map<string, string>();
  let packets = 0;
  let octets = 0;
  for await (const line of createInterface({ input: run.stdout })) {
    if (line === '') continue;
    const cells = line.split('\t');
    const packet = describePacket((field) => cells[fields.indexOf(field)] ?? '', firstFragments);
    if (packet === undefined) continue;
    packets++;
    octets += packet.octets;
    addTo(conversations, packet.key, 1, packet.octets);
  }
  return { conversations, packets, octets };
}

/** Adds to one conversation's tally. */
export function addTo(conversations: Conversations, key: string, packets: number, octets: number): void {
  const tally = conversations.get(key);
  if (tally === undefined) conversations.set(key, { packets, octets });
  else {
    tally.packets += packets;
    tally.octets += octets;
  }
}

function describePacket(
  get: (field: Field) => string, firstFragments: Map<string, string>,
): { key: string; octets: number } | undefined {
  const layers = get('frame.protocols').split(':');
  const outer = layers.find((layer) => layer === 'ip' || layer === 'ipv6');
  if (outer === undefined) return undefined;
  const isV4 = outer === 'ip';
  if (isV4 ? get('ip.len') === '' : get('ipv6.plen') === '') return undefined;
  const octets = isV4 ? Number(get('ip.len')) : Number(get('ipv6.plen')) + 40;
  const source = isV4 ? get('ip.src') : get('ipv6.src');
  const destination = isV4 ? get('ip.dst') : get('ipv6.dst');
  const protocol = isV4 ? Number(get('ip.proto')) : finalProtocol(get);
  const offset = Number((isV4 ? get('ip.frag_offset') : get('ipv6.fraghdr.offset')) || 0);
  const identification = isV4 ? get('ip.id') : get('ipv6.fraghdr.ident');
  const datagram = `${source} ${destination} ${protocol} ${identification}`;
  let ports = readPorts(get, protocol);
  if (offset !== 0) ports = firstFragments.get(datagram) ?? '0 0';
  else if (get('ip.flags.mf') === '1' || get('ip.flags.mf') === 'True' || get('ipv6.fraghdr.ident') !== '') {
    firstFragments.set(datagram, ports);
  }
  return { key: `${source} ${destination} ${protocol} ${ports}`, octets };
}

function finalProtocol(get: (field: Field) => string): number {
  let protocol = Number(get('ipv6.nxt'));
  const next: Partial<Record<number, Field>> = {
    0: 'ipv6.hopopts.nxt', 43: 'ipv6.routing.nxt', 60: 'ipv6.dstopts.nxt', 44: 'ipv6.fraghdr.nxt',
  };
  for (let i = 0; i < 4; i++) {
    const field = next[protocol];
    if (field === undefined || get(field) === '') break;
    protocol = Number(get(field));
  }
  return protocol;
}

function readPorts(get: (field: Field) => string, protocol: number): string {
  if (protocol === 6) return `${get('tcp.srcport') || 0} ${get('tcp.dstport') || 0}`;
  if (protocol === 17) return `${get('udp.srcport') || 0} ${get('udp.dstport') || 0}`;
  if (protocol === 132) return `${get('sctp.srcport') || 0} ${get('sctp.dstport') || 0}`;
  return '0 0';
}
