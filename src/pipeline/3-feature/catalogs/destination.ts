/**
 * Whom a flow goes to, as categories that mean the same in every home: port, class of port, prefix and block of the
 * address.
 * Addresses inside a home are numbered by chance and would tell homes apart, so all of them are one category.
 */
import { addressWords, isMapped, protocolIcmp, protocolIcmpv6 } from '#base';
import { isPrivate, type ColumnArrays } from '#flow';

type PortColumns = Pick<ColumnArrays,
  'destinationTransportPort' | 'protocolIdentifier' | 'icmpTypeCodeIPv4' | 'icmpTypeCodeIPv6'>;

/**
 * The port; for ICMP type · 256 + code, which NetFlow v5 and v9 carry in the field of the port. A kernel.
 *
 * @param out  [rowCount], 0..65535; overwritten
 */
export function readPort(columns: PortColumns, rowCount: number, out: Uint32Array): void {
  const { destinationTransportPort, protocolIdentifier, icmpTypeCodeIPv4, icmpTypeCodeIPv6 } = columns;
  for (let row = 0; row < rowCount; row++) {
    const protocol = protocolIdentifier[row] as number;
    if (protocol === protocolIcmp) out[row] = icmpTypeCodeIPv4[row] as number;
    else if (protocol === protocolIcmpv6) out[row] = icmpTypeCodeIPv6[row] as number;
    else out[row] = destinationTransportPort[row] as number;
  }
}

/** First port that is nobody's by registration (RFC 6335 §6: dynamic, private or ephemeral). */
const firstDynamicPort = 49_152;
/** Category of all dynamic ports: the first number that is no port. */
export const dynamicPort = 65_536;
/** Categories of ICMP and ICMPv6 begin here, so that none is taken for a port. */
export const icmpBase = 0x2_0000;
export const icmpv6Base = 0x3_0000;

/**
 * The port below 49,152, one category for all above; ICMP's type and code in a range of their own. A kernel.
 *
 * @param out  [rowCount]; overwritten
 */
export function readPortClass(columns: PortColumns, rowCount: number, out: Uint32Array): void {
  const { destinationTransportPort, protocolIdentifier, icmpTypeCodeIPv4, icmpTypeCodeIPv6 } = columns;
  for (let row = 0; row < rowCount; row++) {
    const protocol = protocolIdentifier[row] as number;
    const port = destinationTransportPort[row] as number;
    if (protocol === protocolIcmp) out[row] = icmpBase + (icmpTypeCodeIPv4[row] as number);
    else if (protocol === protocolIcmpv6) out[row] = icmpv6Base + (icmpTypeCodeIPv6[row] as number);
    else out[row] = port < firstDynamicPort ? port : dynamicPort;
  }
}

/** Category of every private address, IPv4 or IPv6: the first number that is no /24. */
export const privatePrefix = 0x100_0000;

/**
 * Prefix of an address: the upper 24 bits of IPv4; for IPv6 a number of 31 bits made of its upper 48, with the highest
 * bit set. Two of n prefixes of IPv6 share a number with a chance of n²/2³²: of 1,000 about one in 4,300.
 *
 * @param words  address column; read only
 * @param at     index of the first word
 */
export function prefixOf(words: Uint32Array, at: number): number {
  if (isPrivate(words, at)) return privatePrefix;
  if (holdsIPv4(words, at)) return (words[at + 3] as number) >>> 8;
  // Murmur3's finaliser, of the upper word and then of both: every bit of 48 reaches every bit of the number.
  const mixed = mix(mix(words[at] as number) ^ ((words[at + 1] as number) >>> 16));
  return (mixed | 0x8000_0000) >>> 0;
}

/** IPv4, or 64:ff9b::/96, by which a home without IPv4 reaches the same server (RFC 6052 §2.1). */
function holdsIPv4(words: Uint32Array, at: number): boolean {
  return isMapped(words, at) || (words[at] === 0x0064_ff9b && words[at + 1] === 0 && words[at + 2] === 0);
}

function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** `prefixOf` every row. A kernel. @param out  [rowCount]; overwritten */
export function readPrefix(addresses: Uint32Array, rowCount: number, out: Uint32Array): void {
  for (let row = 0, at = 0; row < rowCount; row++, at += addressWords) out[row] = prefixOf(addresses, at);
}

/** Category of every private address among blocks: the first number that is no /16. */
export const privateBlock = 0x1_0000;

/** The block around a prefix: the upper 16 bits of IPv4, the upper 32 of IPv6, which are larger numbers. */
export function blockOf(words: Uint32Array, at: number): number {
  if (isPrivate(words, at)) return privateBlock;
  return holdsIPv4(words, at) ? (words[at + 3] as number) >>> 16 : words[at] as number;
}

/** `blockOf` every row. A kernel. @param out  [rowCount]; overwritten */
export function readBlock(addresses: Uint32Array, rowCount: number, out: Uint32Array): void {
  for (let row = 0, at = 0; row < rowCount; row++, at += addressWords) out[row] = blockOf(addresses, at);
}
