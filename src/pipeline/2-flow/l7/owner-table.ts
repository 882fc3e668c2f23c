/**
 * Owner of a global address: arrays over the bytes of `owner-table.bin`, made by `make-owner-table.ts`. Addresses that
 * no listed owner holds, and all that are not global, have owner 0. Works on addresses alone, never on names of hosts.
 */
import { assertInvariant, isMapped } from '#base';

/**
 * The boundaries of owners' address ranges: range i reaches from its start to the next one's. Written once, then read
 * only. IPv6 counts by the upper 64 bits, since nobody routes less than that to an organisation.
 */
export type OwnerTable = {
  /** Index: owner code; `names[0]` is the empty text, nobody listed. */
  readonly names: readonly string[];
  /** Date of the data and fingerprint of the table, for the record of a flow set. */
  readonly version: string;
  /** [ranges] ascending, the first is 0. */
  readonly startsIPv4: Uint32Array;
  readonly ownersIPv4: Uint8Array;
  /** [ranges] ascending by (high, low), the first is 0:0. */
  readonly highIPv6: Uint32Array;
  readonly lowIPv6: Uint32Array;
  readonly ownersIPv6: Uint8Array;
  /** [65537] index of the IPv4 range that the first address of each /16 lies in; made when the table is loaded. */
  readonly indexIPv4: Uint32Array;
};

/** What a table is made of; `createOwnerTable` checks it and adds the index. */
export type OwnerRanges = Omit<OwnerTable, 'indexIPv4'>;

/** 64:ff9b::/96, an IPv4 address seen through NAT64 (RFC 6052 §2.1). */
const nat64Word = 0x0064ff9b;

/**
 * Table over ranges that may come from a file.
 *
 * @throws InvariantError  the ranges do not begin at 0, do not ascend, or name an owner that is not there
 */
export function createOwnerTable(ranges: OwnerRanges): OwnerTable {
  const { startsIPv4, ownersIPv4, highIPv6, lowIPv6, ownersIPv6, names } = ranges;
  assertInvariant(startsIPv4.length > 0 && startsIPv4[0] === 0, 'IPv4 ranges must begin at address 0');
  assertInvariant(highIPv6.length > 0 && highIPv6[0] === 0 && lowIPv6[0] === 0, 'IPv6 ranges must begin at address 0');
  assertInvariant(startsIPv4.length === ownersIPv4.length, 'every IPv4 range needs an owner');
  assertInvariant(highIPv6.length === lowIPv6.length, 'every IPv6 range needs both words');
  assertInvariant(highIPv6.length === ownersIPv6.length, 'every IPv6 range needs an owner');
  for (let i = 1; i < startsIPv4.length; i++) {
    assertInvariant((startsIPv4[i] as number) > (startsIPv4[i - 1] as number), 'IPv4 ranges must ascend');
  }
  for (let i = 1; i < highIPv6.length; i++) {
    const rise = (highIPv6[i] as number) - (highIPv6[i - 1] as number);
    const ascends = rise > 0 || (rise === 0 && (lowIPv6[i] as number) > (lowIPv6[i - 1] as number));
    assertInvariant(ascends, 'IPv6 ranges must ascend');
  }
  const inList = (code: number): boolean => code < names.length;
  assertInvariant(ownersIPv4.every(inList) && ownersIPv6.every(inList), 'a range names an owner that is not listed');
  return { ...ranges, indexIPv4: createIndex(startsIPv4) };
}

function createIndex(starts: Uint32Array): Uint32Array {
  const index = new Uint32Array(65_537);
  let range = 0;
  for (let block = 0; block < 65_536; block++) {
    const first = block * 65_536;
    while (range + 1 < starts.length && (starts[range + 1] as number) <= first) range++;
    index[block] = range;
  }
  index[65_536] = starts.length - 1;
  return index;
}

/**
 * Code of the owner of an IPv4 address. A kernel.
 *
 * The /16 index makes it 65–120 M lookups/s on one core, where searching all ranges gives 14; a cache in front of it
 * gains little for flows whose naming takes 20 ns in all.
 *
 * @param address  32 bits, unsigned
 */
export function findOwnerIPv4(table: OwnerTable, address: number): number {
  const starts = table.startsIPv4;
  let low = table.indexIPv4[address >>> 16] as number;
  let high = table.indexIPv4[(address >>> 16) + 1] as number;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] as number) <= address) low = middle;
    else high = middle - 1;
  }
  return table.ownersIPv4[low] as number;
}

/** Code of the owner of an IPv6 address by its upper 64 bits. A kernel. @param high, low 32 bits each, unsigned */
export function findOwnerIPv6(table: OwnerTable, high: number, low: number): number {
  const { highIPv6, lowIPv6 } = table;
  let first = 0;
  let last = highIPv6.length - 1;
  while (first < last) {
    const middle = (first + last + 1) >>> 1;
    const word = highIPv6[middle] as number;
    if (word < high || (word === high && (lowIPv6[middle] as number) <= low)) first = middle;
    else last = middle - 1;
  }
  return table.ownersIPv6[first] as number;
}

/**
 * What an address is for naming: 0 an address of a private network (RFC 1918, 6598, 4193), 1 a global one,
 * 2 one that belongs to no single host beyond the link (multicast, broadcast, link-local, loopback, unspecified).
 *
 * @param words  address column; read only
 * @param at     index of the first word
 */
export function classifyAddress(words: Uint32Array, at: number): 0 | 1 | 2 {
  if (isMapped(words, at)) return classifyIPv4(words[at + 3] as number);
  const high = words[at] as number;
  if (high === 0 || high >>> 24 === 0xff || high >>> 22 === 0xfe80 >>> 6) return 2;
  return high >>> 25 === 0xfc >>> 1 ? 0 : 1;
}

function classifyIPv4(address: number): 0 | 1 | 2 {
  const first = address >>> 24;
  if (first === 10 || address >>> 20 === 0xac1 || address >>> 16 === 0xc0a8) return 0;
  if (address >>> 22 === 0x6440 >>> 6) return 0;
  return first === 0 || first === 127 || first >= 224 || address >>> 16 === 0xa9fe ? 2 : 1;
}

/** Which side of a flow is outside the home. */
export const outsideNone = 0;
export const outsideResponder = 1;
export const outsideInitiator = 2;

/**
 * The side of a flow that is outside: the responder if its address is global, the initiator if that is global and the
 * responder's is private. None when both are inside, when the responder is a group or on the link, whoever speaks to
 * it, or when both share an IPv6 /64, as two devices of one home do. A kernel.
 *
 * @param source       address column of initiators; read only
 * @param destination  address column of responders; read only
 * @param at           index of the row's first word
 */
export function findOutside(source: Uint32Array, destination: Uint32Array, at: number): 0 | 1 | 2 {
  const kind = classifyAddress(destination, at);
  if (kind === 2) return outsideNone;
  if (kind === 0) return classifyAddress(source, at) === 1 ? outsideInitiator : outsideNone;
  const isSameHalf = source[at] === destination[at] && source[at + 1] === destination[at + 1];
  return isSameHalf && !isMapped(destination, at) ? outsideNone : outsideResponder;
}

/** Code of the owner of the global address at `at`. A kernel. */
export function findOwner(table: OwnerTable, words: Uint32Array, at: number): number {
  const high = words[at] as number;
  const low = words[at + 1] as number;
  if (isMapped(words, at) || (high === nat64Word && low === 0 && words[at + 2] === 0)) {
    return findOwnerIPv4(table, words[at + 3] as number);
  }
  return findOwnerIPv6(table, high, low);
}
