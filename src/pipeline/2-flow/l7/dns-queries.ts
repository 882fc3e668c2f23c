/**
 * DNS queries of a capture (RFC 1035 §4): time, who asked whom for what name, and the IP-ID. This reads payload, so it
 * is for the lab alone: the competing methods learn from it, the product never does.
 */
import { formatAddress, protocolTcp, protocolUdp } from '#base';
import type { PacketBatch } from '#capture';
import * as header from '../meter/header-slab.ts';
import type { HeaderSlab } from '../meter/header-slab.ts';

const dnsPort = 53;
/** RFC 1035 §2.3.4: octets of a name. */
const nameBytesMax = 255;

export type DnsQuery = {
  readonly timeMilliseconds: number;
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  readonly sourcePort: number;
  /** In lower case; bytes outside printable ASCII and dots within labels as `\ddd` (RFC 1035 §5.1). */
  readonly name: string;
  readonly queryType: number;
  readonly dnsId: number;
  /** IPv4 identification; undefined for IPv6, which has none. */
  readonly ipId: number | undefined;
};

export class DnsQueryTap {
  /** Packets to port 53 that are no whole query: cut by the snap length, or not DNS. */
  unreadableCount = 0;
  queryCount = 0;
  readonly #emit: (query: DnsQuery) => void;

  constructor(emit: (query: DnsQuery) => void) {
    this.#emit = emit;
  }

  /** Looks for queries among the packets just read; the batch is valid during the call only. */
  observe(packets: PacketBatch, headers: HeaderSlab, slots: Uint32Array, slotCount: number): void {
    for (let i = 0; i < slotCount; i++) {
      const at = (slots[i] as number) * header.headerWords;
      if (((headers.words[at + header.hPorts] as number) & 0xffff) !== dnsPort) continue;
      if (headers.words[at + header.hState] === header.slotLaterFragment) continue;
      const protocol = (headers.words[at + header.hProtocol] as number) & 255;
      if (protocol !== protocolUdp && protocol !== protocolTcp) continue;
      this.#read(packets, headers, slots[i] as number, protocol);
    }
  }

  #read(packets: PacketBatch, headers: HeaderSlab, slot: number, protocol: number): void {
    const { words } = headers;
    const from = slot * header.headerWords;
    const packetRow = words[from + header.hPacketRow] as number;
    const start = packets.networkOffset[packetRow] as number;
    const capturedEnd = start + (packets.networkBytes[packetRow] as number);
    const end = Math.min(capturedEnd, start + (words[from + header.hOctets] as number));
    const data = packets.data;
    let at = words[from + header.hTransport] as number;
    if (protocol === protocolUdp) at += 8;
    else {
      if (at + 13 > end) return;
      at += ((data[at + 12] as number) >>> 4) * 4;
      // RFC 1035 §4.2.2: two bytes of length; segments without a whole header are handshake or continuation.
      if (at + 14 > end) return;
      at += 2;
    }
    const question = readQuestion(data, at, end);
    if (question === 'response') return;
    if (question === undefined) {
      this.unreadableCount++;
      return;
    }
    this.queryCount++;
    this.#emit({
      timeMilliseconds: (headers.doubles[slot * header.headerDoubles + header.hTime] as number) / 1000,
      sourceAddress: formatAddress(words, from + header.hSource),
      destinationAddress: formatAddress(words, from + header.hDestination),
      sourcePort: (words[from + header.hPorts] as number) >>> 16,
      ...question,
      ipId: (words[from + header.hProtocol] as number) >>> 8 === 4 ? words[from + header.hIdentification] : undefined,
    });
  }
}

/** The first question of a query, 'response' for an answer, undefined for bytes that are no whole query. */
function readQuestion(
  data: Uint8Array, start: number, end: number,
): { name: string; queryType: number; dnsId: number } | 'response' | undefined {
  if (start + 12 > end) return undefined;
  if (((data[start + 2] as number) & 0x80) !== 0) return 'response';
  const questionCount = ((data[start + 4] as number) << 8) | (data[start + 5] as number);
  const isQuery = ((data[start + 2] as number) & 0x78) === 0;
  if (!isQuery || questionCount === 0) return undefined;
  let at = start + 12;
  const labels: string[] = [];
  while (at < end && at - start - 12 < nameBytesMax) {
    const length = data[at++] as number;
    if (length === 0) {
      if (at + 4 > end) return undefined;
      const queryType = ((data[at] as number) << 8) | (data[at + 1] as number);
      return { name: labels.join('.'), queryType, dnsId: ((data[start] as number) << 8) | (data[start + 1] as number) };
    }
    // A pointer has nothing to point at in the first question (RFC 1035 §4.1.4).
    if (length > 63 || at + length > end) return undefined;
    labels.push(escapeLabel(data, at, at + length));
    at += length;
  }
  return undefined;
}

function escapeLabel(data: Uint8Array, first: number, end: number): string {
  let text = '';
  for (let at = first; at < end; at++) {
    const byte = data[at] as number;
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte).toLowerCase() : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}
