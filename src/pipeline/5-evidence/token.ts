/**
 * Tokens: what an accepted flow did, without when or how often. Prefix of the destination (/24, /48; all private ones
 * are one), class of port, protocol, and the size as a power of two. Three words of 32 bits; the same text for the
 * same.
 *
 *   word 0  IPv4: upper 24 bits, or `privatePrefix`; IPv6: upper 32 bits
 *   word 1  bits 0–15 the next 16 bits of IPv6, bit 16 set for IPv6, bits 17–22 size bin
 *   word 2  bits 0–17 class of port, bits 18–25 protocol
 *
 * A token of a fingerprint is its index there in word 0, and word 2 says so by bit 31 alone.
 */
import {
  addressWords, formatAddress, formatIPv4, limits, protocolIcmp, protocolIcmpv6, protocolTcp, protocolUdp,
} from '#base';
import { dynamicPort, icmpBase, icmpv6Base, prefixOf, privatePrefix } from '#feature';
import type { FlowBatch } from '#flow';

export const tokenWords = 3;
/** What a token adds to the score where there is no fingerprint. */
export const tokenWeight = 1;

const ipv6Flag = 0x1_0000;
const sizeShift = 17;
/** Word 1 without its size. */
export const prefixDetailMask = 0x1_ffff;
const sizeMax = 63;
const protocolShift = 18;
const portMask = 0x3_ffff;
const learnedMark = 0x8000_0000;

/** Whole binary logarithm; of less than 2 it is 0. Exact, where `Math.log2` rounds up just below 2^49. */
export function sizeBinOf(octets: number): number {
  if (octets < 2) return 0;
  if (octets < 0x1_0000_0000) return 31 - Math.clz32(octets);
  return octets < 2 ** 64 ? 63 - Math.clz32(octets / 0x1_0000_0000) : sizeMax;
}

/**
 * The token of a row. A kernel.
 *
 * @param portClass  of the row, as `readPortClass` has it
 * @param out        [3]; overwritten
 */
export function readToken({ columns }: FlowBatch, row: number, portClass: number, out: Uint32Array): void {
  const { destinationAddress, protocolIdentifier, initiatorOctets } = columns;
  const at = row * addressWords;
  const prefix = prefixOf(destinationAddress, at);
  const size = sizeBinOf(initiatorOctets[row] as number) << sizeShift;
  // Prefixes of IPv6 are numbers above those of IPv4, and no address: the address says it.
  const isIPv6 = prefix > privatePrefix;
  out[0] = isIPv6 ? destinationAddress[at] as number : prefix;
  out[1] = size | (isIPv6 ? ipv6Flag | (destinationAddress[at + 1] as number) >>> 16 : 0);
  out[2] = serviceWordOf(protocolIdentifier[row] as number, portClass);
}

/** Word 2 of a token. */
export function serviceWordOf(protocol: number, portClass: number): number {
  return protocol << protocolShift | portClass;
}

const protocolNames: ReadonlyMap<number, string> = new Map([
  [protocolTcp, 'tcp'], [protocolUdp, 'udp'], [protocolIcmp, 'icmp'], [protocolIcmpv6, 'icmpv6'],
]);

/** Text of the token at `at`, such as `tcp/443 198.51.100.0/24 2^11`. */
export function formatToken(words: Uint32Array, at: number): string {
  const [detail, kind] = [words[at + 1] as number, words[at + 2] as number];
  const service = formatService(kind >>> protocolShift, kind & portMask);
  return `${service} ${formatPrefix(words[at] as number, detail)} 2^${detail >>> sizeShift}`;
}

/** Protocol and class of port, such as `tcp/443`, `icmp/8.0`. */
export function formatService(protocol: number, portClass: number): string {
  return `${protocolNames.get(protocol) ?? `ip${protocol}`}/${formatPort(portClass)}`;
}

function formatPort(portClass: number): string {
  if (portClass < dynamicPort) return String(portClass);
  if (portClass === dynamicPort) return 'dynamic';
  const typeAndCode = portClass & 0xffff;
  return `${typeAndCode >>> 8}.${typeAndCode & 255}`;
}

/** @param detail  word 1 of a token; its size does not matter */
export function formatPrefix(prefix: number, detail: number): string {
  if ((detail & ipv6Flag) !== 0) {
    return `${formatAddress(Uint32Array.of(prefix, (detail & 0xffff) << 16, 0, 0), 0)}/48`;
  }
  return prefix === privatePrefix ? 'private' : `${formatIPv4((prefix << 8) >>> 0)}/24`;
}

/** The token of a fingerprint with this index. @param out  [3]; overwritten */
export function writeLearnedToken(index: number, out: Uint32Array): void {
  out[0] = index;
  out[1] = 0;
  out[2] = learnedMark;
}

/** Is the token at `at` one of a fingerprint? Its index is then word 0. */
export function isLearnedToken(words: Uint32Array, at: number): boolean {
  return words[at + 2] === learnedMark;
}

/** Could a flow have made the token at `at`? Asked of bytes that come from elsewhere. */
export function isToken(words: Uint32Array, at: number): boolean {
  const [prefix, detail, kind] = [words[at] as number, words[at + 1] as number, words[at + 2] as number];
  if (isLearnedToken(words, at)) return prefix < limits.fingerprintTokensMax && detail === 0;
  const isIPv6 = (detail & ipv6Flag) !== 0;
  const [protocol, portClass] = [kind >>> protocolShift, kind & portMask];
  const isIcmp = portClass >= icmpBase;
  const icmpProtocol = portClass >= icmpv6Base ? protocolIcmpv6 : protocolIcmp;
  return detail >>> sizeShift <= sizeMax && protocol <= 255 &&
    (isIPv6 || (prefix <= privatePrefix && (detail & 0xffff) === 0)) &&
    (isIcmp ? protocol === icmpProtocol
      : portClass <= dynamicPort && protocol !== protocolIcmp && protocol !== protocolIcmpv6);
}
