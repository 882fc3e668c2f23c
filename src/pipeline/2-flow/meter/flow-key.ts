/** The part of the flow key that both directions of a conversation share: hash, ports, addresses. */
import { protocolIcmp, protocolIcmpv6 } from '#base';
import * as table from './flow-table.ts';
import * as header from './header-slab.ts';

/**
 * Port half of the flow key of the slab record at word `at`, source's · 65536 + destination's. ICMP has its type and
 * code in both halves, a reply those
 * of its request (RFC 792, RFC 4443 §4), so that echo and echo reply are one conversation.
 */
export function flowPorts(words: Uint32Array, at: number): number {
  const protocol = (words[at + header.hProtocol] as number) & 255;
  if (protocol !== protocolIcmp && protocol !== protocolIcmpv6) return words[at + header.hPorts] as number;
  let typeCode = words[at + header.hIcmp] as number;
  const type = typeCode >>> 8;
  if (protocol === protocolIcmp && type === 0) typeCode = (8 << 8) | (typeCode & 255);
  else if (protocol === protocolIcmp && (type === 14 || type === 16 || type === 18)) typeCode -= 256;
  else if (protocol === protocolIcmpv6 && type === 129) typeCode -= 256;
  return ((typeCode << 16) | typeCode) >>> 0;
}

/** Hash of a conversation, the same for both directions. @param ports  as `flowPorts` gave them */
export function hashConversation(words: Uint32Array, at: number, ports: number): number {
  const protocol = words[at + header.hProtocol] as number;
  let source = Math.imul(ports >>> 16, 0x9e3779b1) ^ (words[at + header.hSource + 3] as number);
  let destination = Math.imul(ports & 0xffff, 0x9e3779b1) ^ (words[at + header.hDestination + 3] as number);
  if (protocol >>> 8 === 6) {
    source ^= Math.imul(words[at + header.hSource] as number,
      0x85ebca6b) ^ Math.imul(words[at + header.hSource + 1] as number, 0x2c1b3c6d) ^
      Math.imul(words[at + header.hSource + 2] as number, 0x297a2d39);
    destination ^= Math.imul(words[at + header.hDestination] as number, 0x85ebca6b) ^
      Math.imul(words[at + header.hDestination + 1] as number,
        0x2c1b3c6d) ^ Math.imul(words[at + header.hDestination + 2] as number, 0x297a2d39);
  }
  source = Math.imul(source ^ (source >>> 15), 0xc2b2ae35);
  destination = Math.imul(destination ^ (destination >>> 15), 0xc2b2ae35);
  const sum = Math.imul(((source ^ (source >>> 16)) + (destination ^ (destination >>> 16))) ^ protocol, 0x27d4eb2f);
  return (sum ^ (sum >>> 15)) >>> 0;
}

/**
 * True when the record at word `at` has the slab's address at `source` as its source and that at `destination` as its
 * destination. Both are of one IP version, so of IPv4 only the last word counts.
 */
export function sameAddresses(records: Uint32Array, at: number, words: Uint32Array, source: number,
  destination: number): boolean {
  if (records[at + table.wSource + 3] !== words[source + 3] ||
    records[at + table.wDestination + 3] !== words[destination + 3]) return false;
  if ((records[at + table.wProtocol] as number) >>> 8 === 4) return true;
  return records[at + table.wSource + 2] === words[source + 2] &&
    records[at + table.wDestination + 2] === words[destination + 2] &&
    records[at + table.wSource + 1] === words[source + 1] &&
      records[at + table.wDestination + 1] === words[destination + 1] &&
    records[at + table.wSource] === words[source] && records[at + table.wDestination] === words[destination];
}
