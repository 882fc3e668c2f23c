/**
 * Reads IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260) and ICMP (RFC 792, 4443)
 * headers of a packet batch into a HeaderSlab. Lengths are the IP header's own, never the captured ones.
 * It never reads a byte behind the transport header.
 */
import { Counts, mappedWord, type ProblemCode } from '#base';
import { noLinkHeader, type PacketBatch } from '#capture';
import type { DuplicateMemory } from './duplicate-memory.ts';
import type { FragmentCache } from './fragment-cache.ts';
import { fragmentFirst, fragmentLater, fragmentNone, type HeaderSlab } from './header-slab.ts';

/** IPv6 extension headers walked over before the chain is taken to be an attack (RFC 8200 §4 names five kinds). */
const extensionHeadersMax = 8;

export type HeaderParserOptions = {
  readonly slab: HeaderSlab;
  readonly fragments: FragmentCache;
  /** Absent: copies are metered as packets. */
  readonly duplicates: DuplicateMemory | undefined;
};

export class HeaderParser {
  readonly rejected = new Counts<ProblemCode>();
  /** Later fragments metered with ports 0 because their first fragment was not seen. */
  unresolvedFragmentCount = 0;
  readonly #slab: HeaderSlab;
  readonly #fragments: FragmentCache;
  readonly #duplicates: DuplicateMemory | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #fragmentOffset = 0;
  /** Offset of the transport header of the packet read last, and end of its captured bytes. */
  #transport = 0;
  #end = 0;

  constructor(options: HeaderParserOptions) {
    this.#slab = options.slab;
    this.#fragments = options.fragments;
    this.#duplicates = options.duplicates;
  }

  /**
   * Reads rows [first, end) of a batch into slots.
   *
   * @param freeSlots  slots to fill; the last `end - first` entries below `freeCount` are taken from the top
   * @param slots      [end - first] the filled slots, in the order of the packets; overwritten
   * @returns how many slots were filled; rows that are not are counted in `rejected`
   */
  parse(packets: PacketBatch, first: number, end: number, freeSlots: Uint32Array, freeCount: number, slots: Uint32Array): number {
    const data = packets.data;
    if (this.#view.buffer !== data.buffer || this.#view.byteOffset !== data.byteOffset ||
      this.#view.byteLength !== data.byteLength) {
      this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    }
    let filled = 0;
    for (let packetRow = first; packetRow < end; packetRow++) {
      const slot = freeSlots[freeCount - 1 - filled] as number;
      const problem = packets.ipVersion[packetRow] === 4
        ? this.#readIPv4(packets, packetRow, slot)
        : this.#readIPv6(packets, packetRow, slot);
      if (problem !== undefined) {
        this.rejected.add(problem);
        continue;
      }
      this.#readLink(packets, packetRow, slot);
      if (this.#duplicates !== undefined &&
        this.#duplicates.isCopy(this.#slab, slot, this.#view, this.#transport, this.#end, this.#fragmentOffset)) {
        this.rejected.add('duplicate');
        continue;
      }
      slots[filled++] = slot;
    }
    return filled;
  }

  #readLink(packets: PacketBatch, packetRow: number, slot: number): void {
    const slab = this.#slab;
    slab.packetRow[slot] = packetRow;
    slab.interfaceIndex[slot] = packets.interfaceIndex[packetRow] as number;
    slab.vlanId[slot] = packets.vlanId[packetRow] as number;
    slab.transportOffset[slot] = this.#transport;
    const link = packets.linkOffset[packetRow] as number;
    const at = slot * 2;
    if (link === noLinkHeader) {
      slab.sourceMac[at] = slab.sourceMac[at + 1] = 0;
      slab.destinationMac[at] = slab.destinationMac[at + 1] = 0;
      return;
    }
    slab.destinationMac[at] = this.#view.getUint16(link);
    slab.destinationMac[at + 1] = this.#view.getUint32(link + 2);
    slab.sourceMac[at] = this.#view.getUint16(link + 6);
    slab.sourceMac[at + 1] = this.#view.getUint32(link + 8);
  }

  /** RFC 791 §3.1. */
  #readIPv4(packets: PacketBatch, packetRow: number, slot: number): ProblemCode | undefined {
    const view = this.#view;
    const slab = this.#slab;
    const at = packets.networkOffset[packetRow] as number;
    const captured = packets.networkBytes[packetRow] as number;
    if (captured < 20) return 'cut-ip-header';
    const first = view.getUint8(at);
    const headerBytes = (first & 15) * 4;
    if (first >>> 4 !== 4 || headerBytes < 20) return 'bad-ip-header';
    let totalLength = view.getUint16(at + 2);
    // Captured on the sending host before segmentation by its network card: the length field is not filled in yet.
    if (totalLength === 0) totalLength = captured;
    if (totalLength < headerBytes) return 'bad-ip-header';
    const words = slot * 4;
    slab.timeMicroseconds[slot] = packets.timeMicroseconds[packetRow] as number;
    slab.ipVersion[slot] = 4;
    slab.classOfService[slot] = view.getUint8(at + 1);
    slab.octets[slot] = totalLength;
    slab.identification[slot] = view.getUint16(at + 4);
    slab.protocol[slot] = view.getUint8(at + 9);
    slab.sourceAddress[words] = slab.sourceAddress[words + 1] = 0;
    slab.sourceAddress[words + 2] = mappedWord;
    slab.sourceAddress[words + 3] = view.getUint32(at + 12);
    slab.destinationAddress[words] = slab.destinationAddress[words + 1] = 0;
    slab.destinationAddress[words + 2] = mappedWord;
    slab.destinationAddress[words + 3] = view.getUint32(at + 16);
    const fragmentField = view.getUint16(at + 6);
    this.#end = at + Math.min(captured, totalLength);
    this.#transport = Math.min(at + headerBytes, this.#end);
    this.#readTransport(slot, fragmentField & 0x1fff, (fragmentField & 0x2000) !== 0);
    return undefined;
  }

  /** RFC 8200 §3 and §4. */
  #readIPv6(packets: PacketBatch, packetRow: number, slot: number): ProblemCode | undefined {
    const view = this.#view;
    const slab = this.#slab;
    const start = packets.networkOffset[packetRow] as number;
    const captured = packets.networkBytes[packetRow] as number;
    if (captured < 40) return 'cut-ip-header';
    if (view.getUint8(start) >>> 4 !== 6) return 'bad-ip-header';
    const payloadBytes = view.getUint16(start + 4);
    slab.timeMicroseconds[slot] = packets.timeMicroseconds[packetRow] as number;
    slab.ipVersion[slot] = 6;
    slab.classOfService[slot] = (view.getUint16(start) >>> 4) & 255;
    slab.octets[slot] = payloadBytes + 40;
    slab.identification[slot] = 0;
    for (let i = 0; i < 4; i++) {
      slab.sourceAddress[slot * 4 + i] = view.getUint32(start + 8 + i * 4);
      slab.destinationAddress[slot * 4 + i] = view.getUint32(start + 24 + i * 4);
    }
    // A payload length of 0 stands for a jumbogram or an unsegmented packet: what was captured then bounds the headers.
    const end = start + (payloadBytes === 0 ? captured : Math.min(captured, payloadBytes + 40));
    let protocol = view.getUint8(start + 6);
    let at = start + 40;
    let fragmentOffset = 0;
    let moreFragments = false;
    for (let i = 0; i < extensionHeadersMax && at + 8 <= end && isExtension(protocol); i++) {
      const next = view.getUint8(at);
      if (protocol === 44) {
        const field = view.getUint16(at + 2);
        fragmentOffset = field >>> 3;
        moreFragments = (field & 1) !== 0;
        slab.identification[slot] = view.getUint32(at + 4);
        at += 8;
      } else {
        at += (view.getUint8(at + 1) + 1) * 8;
      }
      protocol = next;
      if (fragmentOffset !== 0) break;
    }
    slab.protocol[slot] = protocol;
    this.#end = end;
    this.#transport = Math.min(at, end);
    this.#readTransport(slot, fragmentOffset, moreFragments);
    return undefined;
  }

  /** Ports, flags, type and code, as far as they were captured. */
  #readTransport(slot: number, fragmentOffset: number, moreFragments: boolean): void {
    const view = this.#view;
    const slab = this.#slab;
    const at = this.#transport;
    const protocol = slab.protocol[slot] as number;
    slab.sourcePort[slot] = 0;
    slab.destinationPort[slot] = 0;
    slab.tcpFlags[slot] = 0;
    slab.icmpTypeCode[slot] = 0;
    this.#fragmentOffset = fragmentOffset;
    if (fragmentOffset !== 0) {
      slab.fragment[slot] = fragmentLater;
      if (!this.#fragments.resolve(slab, slot)) this.unresolvedFragmentCount++;
      return;
    }
    const captured = this.#end - at;
    if (protocol === 6 || protocol === 17 || protocol === 132 || protocol === 136 || protocol === 33) {
      if (captured >= 4) {
        slab.sourcePort[slot] = view.getUint16(at);
        slab.destinationPort[slot] = view.getUint16(at + 2);
      }
      if (protocol === 6 && captured >= 14) slab.tcpFlags[slot] = view.getUint16(at + 12) & 0x0fff;
    } else if ((protocol === 1 || protocol === 58) && captured >= 2) {
      slab.icmpTypeCode[slot] = view.getUint16(at);
    }
    slab.fragment[slot] = moreFragments ? fragmentFirst : fragmentNone;
    if (moreFragments) this.#fragments.remember(slab, slot);
  }
}

/** Hop-by-hop, routing, fragment, destination options, mobility, HIP, shim6 (IANA "IPv6 Extension Header Types"). */
function isExtension(protocol: number): boolean {
  return protocol === 0 || protocol === 43 || protocol === 44 || protocol === 60 || protocol === 135 || protocol === 139 ||
    protocol === 140;
}
