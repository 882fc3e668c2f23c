/**
 * HeaderSlab: the headers of packets that the meter has read but not yet counted, as columns indexed by slot.
 * The bytes stay in the packet batch and are valid only while that batch is; the slab holds no payload.
 */

/** How a packet stands to IP fragmentation. */
export const fragmentNone = 0;
export const fragmentFirst = 1;
export const fragmentLater = 2;

/** Written by `parse`, read by namers and the flow table. Every array is [slotCount], addresses [slotCount × 4]. */
export type HeaderSlab = {
  readonly slotCount: number;
  readonly timeMicroseconds: Float64Array;
  /** 4 or 6. */
  readonly ipVersion: Uint8Array;
  readonly sourceAddress: Uint32Array;
  readonly destinationAddress: Uint32Array;
  /** 0 for protocols without ports and for later fragments whose first was not seen. */
  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  /** IP protocol; for IPv6 the one after extension headers. */
  readonly protocol: Uint8Array;
  /** Type of service byte or traffic class. */
  readonly classOfService: Uint8Array;
  /** IPv4 total length, or IPv6 payload length + 40; never the captured length. */
  readonly octets: Float64Array;
  readonly tcpFlags: Uint16Array;
  /** type · 256 + code of ICMP and ICMPv6. */
  readonly icmpTypeCode: Uint16Array;
  readonly fragment: Uint8Array;
  /** IPv4 identification; 0 for IPv6 without fragment header. */
  readonly identification: Uint32Array;
  readonly interfaceIndex: Uint32Array;
  readonly vlanId: Uint16Array;
  /** [slotCount × 2] source, then destination link address; zeros when the link has none. */
  readonly sourceMac: Uint32Array;
  readonly destinationMac: Uint32Array;
  /** Row of the packet in the packet batch it came from; valid while that batch is. */
  readonly packetRow: Uint32Array;
  /** Offset of the transport header in the packet batch's data; valid while that batch is. */
  readonly transportOffset: Uint32Array;
};

/** An empty slab. @param slotCount packets */
export function createHeaderSlab(slotCount: number): HeaderSlab {
  return {
    slotCount,
    timeMicroseconds: new Float64Array(slotCount),
    ipVersion: new Uint8Array(slotCount),
    sourceAddress: new Uint32Array(slotCount * 4),
    destinationAddress: new Uint32Array(slotCount * 4),
    sourcePort: new Uint16Array(slotCount),
    destinationPort: new Uint16Array(slotCount),
    protocol: new Uint8Array(slotCount),
    classOfService: new Uint8Array(slotCount),
    octets: new Float64Array(slotCount),
    tcpFlags: new Uint16Array(slotCount),
    icmpTypeCode: new Uint16Array(slotCount),
    fragment: new Uint8Array(slotCount),
    identification: new Uint32Array(slotCount),
    interfaceIndex: new Uint32Array(slotCount),
    vlanId: new Uint16Array(slotCount),
    sourceMac: new Uint32Array(slotCount * 2),
    destinationMac: new Uint32Array(slotCount * 2),
    packetRow: new Uint32Array(slotCount),
    transportOffset: new Uint32Array(slotCount),
  };
}
