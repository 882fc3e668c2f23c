/**
 * HeaderSlab: the headers of packets that the meter has read but not yet counted, one record of 96 bytes a slot.
 * Records rather than columns, because packets come and go one by one, and because the WebAssembly kernel reads and
 * writes the same memory. It holds no payload.
 */

/** 32-bit words and doubles of a record. */
export const headerWords = 24;
export const headerDoubles = 12;

/** Double 0 (words 0 and 1): capture time, microseconds since the Unix epoch. */
export const hTime = 0;
/** Four words each. */
export const hSource = 2;
export const hDestination = 6;
/** Source port · 65536 + destination port; 0 for protocols without ports and for fragments whose first was not seen. */
export const hPorts = 10;
/** IP version · 256 + protocol; for IPv6 the one after extension headers. */
export const hProtocol = 11;
/** Interface · 256 + class of service (type of service byte or traffic class). */
export const hInterfaceClass = 12;
/** IPv4 total length, or IPv6 payload length + 40; never the captured length. */
export const hOctets = 13;
export const hTcpFlags = 14;
/** type · 256 + code of ICMP and ICMPv6. */
export const hIcmp = 15;
/** IPv4 identification; of the fragment header for IPv6, 0 without one. */
export const hIdentification = 16;
export const hVlan = 17;
/** Three words: destination and source link address as they lie in the frame; zeros when the link has none. */
export const hMacs = 18;
/**
 * Row of the packet in the batch that it came from, and offset of its transport header there; valid while the batch is.
 */
export const hPacketRow = 21;
export const hTransport = 22;
/** One of `slot…`. */
export const hState = 23;

/** What lies in a slot: nothing, a packet, the first or a later fragment of one. */
export const slotFree = 0;
export const slotWhole = 1;
export const slotFirstFragment = 2;
export const slotLaterFragment = 3;

/** Written by the header parser, read by namers and the flow counter. Both arrays lie over the same memory. */
export type HeaderSlab = {
  readonly slotCount: number;
  /** [slotCount × headerWords] */
  readonly words: Uint32Array;
  /** [slotCount × headerDoubles] */
  readonly doubles: Float64Array;
};

/** Bytes of a slab. @param slotCount packets */
export function headerSlabBytes(slotCount: number): number {
  return slotCount * headerWords * 4;
}

/** An empty slab. @param bytes  `headerSlabBytes(slotCount)` zeroed bytes, aligned to 8 */
export function createHeaderSlab(slotCount: number,
  bytes: Uint8Array = new Uint8Array(headerSlabBytes(slotCount))): HeaderSlab {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, slotCount * headerWords);
  return { slotCount, words, doubles: new Float64Array(bytes.buffer, bytes.byteOffset, slotCount * headerDoubles) };
}
