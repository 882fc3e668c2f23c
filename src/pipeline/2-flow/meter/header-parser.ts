/**
 * Reads IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260) and ICMP (RFC 792, 4443)
 * headers of a packet batch into a HeaderSlab. Lengths are the IP header's own, never the captured ones.
 * It reads no byte behind the transport header.
 */
import {
  Counts, mappedWord, protocolDccp, protocolIcmp, protocolIcmpv6, protocolSctp, protocolTcp, protocolUdp,
  protocolUdpLite, type ProblemCode,
} from '#base';
import { noLinkHeader, type PacketBatch } from '#capture';
import type { DuplicateMemory } from './duplicate-memory.ts';
import type { FragmentCache } from './fragment-cache.ts';
import * as header from './header-slab.ts';
import type { HeaderSlab } from './header-slab.ts';
import { KernelInput } from './kernel-input.ts';
import { parameter, type MeterMemory } from './meter-memory.ts';

/** IPv6 extension headers walked over before the chain is taken to be an attack (RFC 8200 §4 names five kinds). */
const extensionHeadersMax = 8;

export type HeaderParserOptions = {
  readonly memory: MeterMemory;
  /** Rows of one call of `parse` at most. */
  readonly rowsMax: number;
  readonly slab: HeaderSlab;
  readonly fragments: FragmentCache;
  /** Absent: copies are metered as packets. */
  readonly duplicates: DuplicateMemory | undefined;
};

export class HeaderParser {
  readonly rejected = new Counts<ProblemCode>();
  /** Later fragments metered with ports 0 because their first fragment was not seen. */
  unresolvedFragmentCount = 0;
  readonly #memory: MeterMemory;
  readonly #input: KernelInput;
  readonly #slab: HeaderSlab;
  readonly #fragments: FragmentCache;
  readonly #duplicates: DuplicateMemory | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #fragmentOffset = 0;
  /** Offset of the transport header of the packet read last, and end of its captured bytes. */
  #transport = 0;
  #end = 0;
  /** State that the slot of the packet read last gets. */
  #state: number = header.slotWhole;

  constructor(options: HeaderParserOptions) {
    this.#memory = options.memory;
    this.#input = new KernelInput(options.memory, options.rowsMax);
    this.#slab = options.slab;
    this.#fragments = options.fragments;
    this.#duplicates = options.duplicates;
  }

  /**
   * Reads rows [first, end) of a batch into slots.
   *
   * The usual packets are read by the kernel, the others here; without a kernel all are. The lowest free slots are
   * taken; at least `end - first` must be free, and whoever is done with one clears `hState`.
   *
   * @param slots  [rowsMax] the kernel's list of slots: the filled slots, in the order of the packets; overwritten
   * @returns how many slots were filled; rows that are not are counted in `rejected`
   */
  parse(packets: PacketBatch, first: number, end: number, slots: Uint32Array): number {
    const data = packets.data;
    if (this.#view.buffer !== data.buffer || this.#view.byteOffset !== data.byteOffset ||
      this.#view.byteLength !== data.byteLength) {
      this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    }
    const { kernel, parameters } = this.#memory;
    parameters[parameter.nextSlot] = 0;
    let filled = 0;
    let row = first;
    while (row < end) {
      const placedFirst = row;
      const placedEnd = kernel === undefined ? end : this.#input.place(packets, row, end);
      while (row < placedEnd) {
        if (kernel !== undefined) {
          row = placedFirst + kernel.readHeaders(row - placedFirst, placedEnd - placedFirst, filled);
          filled = this.#keepOriginals(packets, slots, filled, parameters[parameter.filled] as number);
          if (row === placedEnd) break;
        }
        filled = this.#readRow(packets, row++, slots, filled);
      }
    }
    return filled;
  }

  /** Reads any packet into the next free slot. @returns how many slots are filled now */
  #readRow(packets: PacketBatch, row: number, slots: Uint32Array, filled: number): number {
    const { words } = this.#slab;
    const { parameters } = this.#memory;
    let slot = parameters[parameter.nextSlot] as number;
    while (words[slot * header.headerWords + header.hState] !== header.slotFree) slot++;
    parameters[parameter.nextSlot] = slot;
    const problem = packets.ipVersion[row] === 4
      ? this.#readIPv4(packets, row, slot) : this.#readIPv6(packets, row, slot);
    if (problem !== undefined) {
      this.rejected.add(problem);
      return filled;
    }
    this.#readLink(packets, row, slot);
    if (this.#isCopy(packets, slot, this.#fragmentOffset)) return filled;
    words[slot * header.headerWords + header.hState] = this.#state;
    slots[filled] = slot;
    return filled + 1;
  }

  /** Takes copies out of the slots [first, end) that the kernel filled. @returns how many slots are filled now */
  #keepOriginals(packets: PacketBatch, slots: Uint32Array, first: number, end: number): number {
    if (this.#duplicates === undefined) return end;
    const { words } = this.#slab;
    let filled = first;
    for (let i = first; i < end; i++) {
      const slot = slots[i] as number;
      if (this.#isCopy(packets, slot, 0)) {
        words[slot * header.headerWords + header.hState] = header.slotFree;
        this.#memory.parameters[parameter.nextSlot] = 0;
      } else {
        slots[filled++] = slot;
      }
    }
    return filled;
  }

  #isCopy(packets: PacketBatch, slot: number, fragmentOffset: number): boolean {
    if (this.#duplicates === undefined) return false;
    const { words } = this.#slab;
    const at = slot * header.headerWords;
    const row = words[at + header.hPacketRow] as number;
    const end = (packets.networkOffset[row] as number) +
      Math.min(packets.networkBytes[row] as number, words[at + header.hOctets] as number);
    if (!this.#duplicates.isCopy(this.#slab, slot, this.#view, words[at + header.hTransport] as number, end,
      fragmentOffset)) return false;
    this.rejected.add('duplicate');
    return true;
  }

  #readLink(packets: PacketBatch, row: number, slot: number): void {
    const { words } = this.#slab;
    const view = this.#view;
    const at = slot * header.headerWords;
    words[at + header.hInterfaceClass] = ((packets.interfaceIndex[row] as number) << 8)
      | (words[at + header.hInterfaceClass] as number);
    words[at + header.hVlan] = packets.vlanId[row] as number;
    words[at + header.hPacketRow] = row;
    words[at + header.hTransport] = this.#transport;
    const link = packets.linkOffset[row] as number;
    for (let i = 0; i < 3; i++) words[at + header.hMacs + i] = link === noLinkHeader ? 0 : view.getUint32(link + i * 4);
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
    const { words } = slab;
    const to = slot * header.headerWords;
    slab.doubles[slot * header.headerDoubles + header.hTime] = packets.timeMicroseconds[packetRow] as number;
    words[to + header.hProtocol] = (4 << 8) | view.getUint8(at + 9);
    words[to + header.hInterfaceClass] = view.getUint8(at + 1);
    words[to + header.hOctets] = totalLength;
    words[to + header.hIdentification] = view.getUint16(at + 4);
    words[to + header.hSource] = words[to + header.hSource + 1] = 0;
    words[to + header.hSource + 2] = mappedWord;
    words[to + header.hSource + 3] = view.getUint32(at + 12);
    words[to + header.hDestination] = words[to + header.hDestination + 1] = 0;
    words[to + header.hDestination + 2] = mappedWord;
    words[to + header.hDestination + 3] = view.getUint32(at + 16);
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
    const { words } = slab;
    const to = slot * header.headerWords;
    slab.doubles[slot * header.headerDoubles + header.hTime] = packets.timeMicroseconds[packetRow] as number;
    words[to + header.hInterfaceClass] = (view.getUint16(start) >>> 4) & 255;
    words[to + header.hOctets] = payloadBytes + 40;
    words[to + header.hIdentification] = 0;
    for (let i = 0; i < 4; i++) {
      words[to + header.hSource + i] = view.getUint32(start + 8 + i * 4);
      words[to + header.hDestination + i] = view.getUint32(start + 24 + i * 4);
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
        words[to + header.hIdentification] = view.getUint32(at + 4);
        at += 8;
      } else {
        at += (view.getUint8(at + 1) + 1) * 8;
      }
      protocol = next;
      if (fragmentOffset !== 0) break;
    }
    words[to + header.hProtocol] = (6 << 8) | protocol;
    this.#end = end;
    this.#transport = Math.min(at, end);
    this.#readTransport(slot, fragmentOffset, moreFragments);
    return undefined;
  }

  /** Ports, flags, type and code, as far as they were captured. */
  #readTransport(slot: number, fragmentOffset: number, moreFragments: boolean): void {
    const view = this.#view;
    const slab = this.#slab;
    const { words } = slab;
    const to = slot * header.headerWords;
    const at = this.#transport;
    const protocol = (words[to + header.hProtocol] as number) & 255;
    words[to + header.hPorts] = words[to + header.hTcpFlags] = words[to + header.hIcmp] = 0;
    this.#fragmentOffset = fragmentOffset;
    if (fragmentOffset !== 0) {
      this.#state = header.slotLaterFragment;
      if (!this.#fragments.resolve(slab, slot)) this.unresolvedFragmentCount++;
      return;
    }
    const captured = this.#end - at;
    if (protocol === protocolTcp || protocol === protocolUdp || protocol === protocolSctp ||
      protocol === protocolUdpLite || protocol === protocolDccp) {
      if (captured >= 4) words[to + header.hPorts] = view.getUint32(at);
      if (protocol === protocolTcp && captured >= 14) words[to + header.hTcpFlags] = view.getUint16(at + 12) & 0x0fff;
    } else if ((protocol === protocolIcmp || protocol === protocolIcmpv6) && captured >= 2) {
      words[to + header.hIcmp] = view.getUint16(at);
    }
    this.#state = moreFragments ? header.slotFirstFragment : header.slotWhole;
    if (moreFragments) this.#fragments.remember(slab, slot);
  }
}

/** Hop-by-hop, routing, fragment, destination options, mobility, HIP, shim6 (IANA "IPv6 Extension Header Types"). */
function isExtension(protocol: number): boolean {
  return protocol === 0 || protocol === 43 || protocol === 44 || protocol === 60 || protocol === 135 ||
    protocol === 139 ||
    protocol === 140;
}
