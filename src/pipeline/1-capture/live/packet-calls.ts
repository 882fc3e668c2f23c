/**
 * Numbers and structures of packet sockets, as packet(7), socket(7) and Linux's `if_packet.h` and `filter.h` have them,
 * and the few calls that both opening and reading make. Little-endian, as `libc.ts` makes sure.
 */
import type { Libc } from './libc.ts';

/** SOL_PACKET. */
export const packetLevel = 263;
/** SOL_SOCKET. */
export const socketLevel = 1;
/** SO_ERROR. */
export const optionError = 4;
/** SO_ATTACH_FILTER. */
const optionFilter = 26;
/** PACKET_ADD_MEMBERSHIP and PACKET_MR_PROMISC. */
const optionMembership = 1;
const membershipPromiscuous = 1;
/** PACKET_RX_RING. */
export const optionRing = 5;
/** PACKET_STATISTICS. */
export const optionStatistics = 6;
/** PACKET_VERSION, and TPACKET_V3. */
export const optionVersion = 10;
export const ringVersion3 = 2;

/** AF_PACKET. */
export const familyPacket = 17;
/** ETH_P_ALL in network order: also what this host sends. */
const protocolAll = 0x0300;

/** ARPHRD_LOOPBACK: a packet passes twice, once out and once in. */
const kindLoopback = 772;
/** ARPHRD_ETHER and ARPHRD_LOOPBACK: the link header is Ethernet's. */
export const ethernetKinds: readonly number[] = [1, kindLoopback];
/** Interfaces in monitor mode (ARPHRD_IEEE80211 and its relatives, 802.15.4): frames of the air, not of a network. */
export const monitorKinds: readonly number[] = [801, 802, 803, 805];

/** Bytes of 32-bit numbers, at an address that stays. */
export function words(...values: readonly number[]): Uint8Array {
  const buffer = new ArrayBuffer(values.length * 4);
  new Uint32Array(buffer).set(values);
  return new Uint8Array(buffer);
}

/** Binds to an interface: packets begin to come. @returns less than 0 when it failed */
export function bindPacketSocket(libc: Libc, descriptor: number, interfaceIndex: number): number {
  // struct sockaddr_ll: family, protocol, index, and 12 bytes that binding does not look at.
  const address = words(familyPacket | (protocolAll << 16), interfaceIndex, 0, 0, 0);
  return libc.bind(descriptor, address, address.length);
}

/** Asks the interface for frames to others too, until the socket is closed. @returns less than 0 when it failed */
export function joinPromiscuous(libc: Libc, descriptor: number, interfaceIndex: number): number {
  const membership = words(interfaceIndex, membershipPromiscuous, 0, 0);
  return libc.setsockopt(descriptor, packetLevel, optionMembership, membership, membership.length);
}

/** A program of the classic packet filter, `struct sock_filter` by `struct sock_filter`. */
export type FilterProgram = readonly (readonly [code: number, ifTrue: number, ifFalse: number, value: number])[];

const loadWord = 0x20;
const jumpIfEqual = 0x15;
const giveBytes = 0x06;
/** SKF_AD_OFF + SKF_AD_PKTTYPE: where a filter finds which way a packet goes. */
const packetTypeAt = 0xfffff004;
/** PACKET_OUTGOING. */
const typeOutgoing = 4;

const programHeaderBytes = 16;

/** Nothing more is taken. */
export const closedFilter: FilterProgram = [[giveBytes, 0, 0, 0]];

/**
 * Cuts frames to the snap length. On a loopback interface the copy on its way out is not taken, and not counted by the
 * kernel either, so that its counts go with ours.
 */
export function captureFilter(hardwareKind: number, snapBytes: number): FilterProgram {
  if (hardwareKind !== kindLoopback) return [[giveBytes, 0, 0, snapBytes]];
  return [[loadWord, 0, 0, packetTypeAt], [jumpIfEqual, 0, 1, typeOutgoing], [giveBytes, 0, 0, 0],
    [giveBytes, 0, 0, snapBytes]];
}

/** Puts a filter in place of the one before. @returns less than 0 when it failed */
export function attachFilter(libc: Libc, descriptor: number, program: FilterProgram): number {
  // struct sock_fprog, the length in a word of its own and then the address; behind it what the address leads to: one
  // piece of memory, which the call keeps.
  const whole = words(program.length, 0, 0, 0, ...program.flatMap(([code, ifTrue, ifFalse, value]) =>
    [code | (ifTrue << 16) | (ifFalse << 24), value]));
  new BigUint64Array(whole.buffer, 8, 1)[0] = BigInt(libc.addressOf(whole) + programHeaderBytes);
  return libc.setsockopt(descriptor, socketLevel, optionFilter, whole, programHeaderBytes);
}
