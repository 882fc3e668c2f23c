/**
 * Which bytes of a packet nDPI is given, by the rules that ndpiReader 4.2 shows from outside (docs: RFC 791, 8200,
 * 2003, 4213): whole packets only, no later fragments, and of a packet in a tunnel (IP in IP) the innermost one. It
 * never reads beyond the captured bytes.
 */
import { protocolTcp, protocolUdp } from '#base';

/** Tunnels within tunnels that are followed. */
const tunnelDepthMax = 4;
/** IPv6 extension headers that are followed. */
const extensionHeadersMax = 16;

const ipInIp = 4;
const ipv6InIp = 41;

/** What `findInspectable` found. Reused from packet to packet. */
export type Inspectable = {
  /** Offset of the IP header to inspect from. */
  offset: number;
  /** Bytes from there to the end of the packet. */
  bytes: number;
  protocol: number;
  /** 0, or for a packet in a tunnel a hash of its addresses, protocol and ports that is alike in both directions. */
  tunnelHash: number;
};

/** A result to reuse. */
export function createInspectable(): Inspectable {
  return { offset: 0, bytes: 0, protocol: 0, tunnelHash: 0 };
}

/**
 * Finds the part of a packet that nDPI can inspect.
 *
 * @param data      holds the packet at [offset, offset + captured); read only
 * @param captured  bytes
 * @param out       overwritten
 * @returns false when there is nothing to inspect: a later fragment, a packet that was cut, a header that is too short
 */
export function findInspectable(data: Uint8Array, offset: number, captured: number, out: Inspectable): boolean {
  out.tunnelHash = 0;
  let at = offset;
  let bytes = captured;
  for (let depth = 0; depth <= tunnelDepthMax; depth++) {
    if (bytes < 20) return false;
    const version = (data[at] as number) >>> 4;
    let header = 0;
    if (version === 4) {
      header = walkIPv4(data, at, bytes, out);
    } else if (version === 6 && bytes >= 40) {
      header = walkIPv6(data, at, bytes, out);
    }
    if (header === 0) return false;
    if (out.protocol !== ipInIp && out.protocol !== ipv6InIp) {
      const transport = out.bytes - header;
      if (transport < transportBytesMin(out.protocol)) return false;
      if (depth > 0) out.tunnelHash = hashTunnel(data, out, version, at + header);
      return true;
    }
    bytes = out.bytes - header;
    at += header;
  }
  return false;
}

function transportBytesMin(protocol: number): number {
  if (protocol === protocolTcp) return 20;
  return protocol === protocolUdp ? 8 : 0;
}

/** RFC 791 §3.1. @returns bytes of the header, 0 when the packet is not to be inspected */
function walkIPv4(data: Uint8Array, at: number, bytes: number, out: Inspectable): number {
  const header = ((data[at] as number) & 15) * 4;
  const total = read16(data, at + 2);
  if (header < 20 || total < header || total > bytes || (read16(data, at + 6) & 0x1fff) !== 0) return 0;
  out.offset = at;
  out.bytes = total;
  out.protocol = data[at + 9] as number;
  return header;
}

/** RFC 8200 §3, §4. @returns bytes of the header and its extensions, 0 when the packet is not to be inspected */
function walkIPv6(data: Uint8Array, at: number, bytes: number, out: Inspectable): number {
  const total = 40 + read16(data, at + 4);
  if (total > bytes) return 0;
  let protocol = data[at + 6] as number;
  let header = 40;
  for (let i = 0; i < extensionHeadersMax && isExtension(protocol); i++) {
    if (header + 8 > total) return 0;
    const length = protocol === 44 ? 8 : ((data[at + header + 1] as number) + 1) * 8;
    if (protocol === 44 && (read16(data, at + header + 2) & 0xfff8) !== 0) return 0;
    protocol = data[at + header] as number;
    header += length;
  }
  if (header > total || protocol === 59) return 0;
  out.offset = at;
  out.bytes = total;
  out.protocol = protocol;
  return header;
}

/** Hop-by-hop, routing, fragment, destination options, mobility. */
function isExtension(protocol: number): boolean {
  return protocol === 0 || protocol === 43 || protocol === 44 || protocol === 60 || protocol === 135;
}

/** Order of the sides does not matter: their hashes are added. Never 0. */
function hashTunnel(data: Uint8Array, packet: Inspectable, version: number, transport: number): number {
  const addressBytes = version === 4 ? 4 : 16;
  const source = packet.offset + (version === 4 ? 12 : 8);
  const hasPorts = packet.protocol === protocolTcp || packet.protocol === protocolUdp;
  const one = hashSide(data, source, addressBytes, hasPorts ? read16(data, transport) : 0);
  const other = hashSide(data, source + addressBytes, addressBytes, hasPorts ? read16(data, transport + 2) : 0);
  const hash = (one + other + packet.protocol) >>> 0;
  return hash === 0 ? 1 : hash;
}

/** FNV-1a over an address and a port. */
function hashSide(data: Uint8Array, at: number, addressBytes: number, port: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < addressBytes; i++) hash = Math.imul(hash ^ (data[at + i] as number), 0x01000193);
  return Math.imul(hash ^ port, 0x01000193) >>> 0;
}

function read16(data: Uint8Array, at: number): number {
  return ((data[at] as number) << 8) | (data[at + 1] as number);
}
