/**
 * Makes one record of several: slices of one direction, and the two directions of a biflow (RFC 5103). Works in place
 * on records of the waiting table. Packets and octets are sums: what comes in goes out.
 */
import { isInPrefix, protocolTcp, tcpAck, tcpSyn, type Prefix } from '#base';
import { isGlobalUnicast, isPrivate } from '../meter/initiator.ts';
import { icmpRole } from './conversation-key.ts';
import * as record from './record-layout.ts';
import type { WaitingTable } from './waiting-table.ts';

/** Adds a further slice of the same direction to a record. */
export function addSlice(table: WaitingTable, into: number, from: number): void {
  const { words, doubles } = table;
  const a = into * record.recordWords;
  const b = from * record.recordWords;
  // The type of service is that of the first packet.
  if (startOf(table, from) < startOf(table, into)) words[a + record.wClass] = words[b + record.wClass] as number;
  noteLifetime(table, into, from);
  addDouble(doubles, into, record.dInitiatorPackets, from, record.dInitiatorPackets);
  addDouble(doubles, into, record.dInitiatorOctets, from, record.dInitiatorOctets);
  words[a + record.wFlags] = (words[a + record.wFlags] as number) | (words[b + record.wFlags] as number);
  fillWord(words, a + record.wIngress, b + record.wIngress);
  fillWord(words, a + record.wEgress, b + record.wEgress);
  fillMac(words, a + record.wSourceMac, b + record.wSourceMac);
  fillMac(words, a + record.wDestinationMac, b + record.wDestinationMac);
  fillTexts(words, a, b);
}

/** Makes a biflow of the initiator's record and the responder's, in the initiator's place. */
export function addReverse(table: WaitingTable, initiator: number, responder: number): void {
  const { words, doubles } = table;
  const a = initiator * record.recordWords;
  const b = responder * record.recordWords;
  noteLifetime(table, initiator, responder);
  addDouble(doubles, initiator, record.dResponderPackets, responder, record.dInitiatorPackets);
  addDouble(doubles, initiator, record.dResponderOctets, responder, record.dInitiatorOctets);
  words[a + record.wReverseClass] = words[b + record.wClass] as number;
  words[a + record.wReverseFlags] = words[b + record.wFlags] as number;
  fillWord(words, a + record.wIngress, b + record.wEgress);
  fillWord(words, a + record.wEgress, b + record.wIngress);
  fillMac(words, a + record.wSourceMac, b + record.wDestinationMac);
  fillMac(words, a + record.wDestinationMac, b + record.wSourceMac);
  fillTexts(words, a, b);
}

/**
 * Turns a record round, so that its source becomes what its destination was. The ICMP type stays: of a one-way record
 * it is the only one known, and a biflow has that of one side only.
 */
export function turnRound(table: WaitingTable, slot: number): void {
  const { words, doubles } = table;
  const at = slot * record.recordWords;
  const double = slot * record.recordDoubles;
  for (let i = 0; i < 4; i++) swap(words, at + record.wSource + i, at + record.wDestination + i);
  for (let i = 0; i < 2; i++) swap(words, at + record.wSourceMac + i, at + record.wDestinationMac + i);
  swap(words, at + record.wSourcePort, at + record.wDestinationPort);
  swap(words, at + record.wClass, at + record.wReverseClass);
  swap(words, at + record.wFlags, at + record.wReverseFlags);
  swap(words, at + record.wIngress, at + record.wEgress);
  swap(doubles, double + record.dInitiatorPackets, double + record.dResponderPackets);
  swap(doubles, double + record.dInitiatorOctets, double + record.dResponderOctets);
}

/**
 * Which end of a record is inside the home.
 *
 * @param home  prefixes of the home; empty: private addresses are the home, if they talk to a global one
 * @returns 1: the source alone, -1: the destination alone, 0: both or neither
 */
export function sideInside(words: Uint32Array, at: number, home: readonly Prefix[]): number {
  const source = at + record.wSource;
  const destination = at + record.wDestination;
  const isSourceInside = isInside(words, source, home);
  if (isSourceInside === isInside(words, destination, home)) return 0;
  if (home.length === 0 && !isGlobalUnicast(words, isSourceInside ? destination : source)) return 0;
  return isSourceInside ? 1 : -1;
}

/**
 * Who began, from a one-way record alone, as `meter/initiator.ts` decides it: the side inside the home; else of TCP the
 * sender of a SYN without ACK, or the receiver of a single packet with both.
 *
 * @returns 1: the record's source, -1: its destination, 0: it does not tell
 */
export function initiatorOfRecord(table: WaitingTable, slot: number, home: readonly Prefix[]): number {
  const { words, doubles } = table;
  const at = slot * record.recordWords;
  const inside = sideInside(words, at, home);
  if (inside !== 0) return inside;
  const flags = words[at + record.wFlags] as number;
  if (words[at + record.wProtocol] !== protocolTcp || (flags & tcpSyn) === 0) return 0;
  if ((flags & tcpAck) === 0) return 1;
  return doubles[slot * record.recordDoubles + record.dInitiatorPackets] === 1 ? -1 : 0;
}

/**
 * True when the first record's sender is the initiator, the second being of the opposite direction. Where neither
 * record tells it: the sender of an ICMP request, the earlier start, the higher port, the lower address.
 */
export function isInitiator(table: WaitingTable, first: number, second: number, home: readonly Prefix[]): boolean {
  const told = initiatorOfRecord(table, first, home) - initiatorOfRecord(table, second, home);
  if (told !== 0) return told > 0;
  const { words } = table;
  const at = first * record.recordWords;
  const role = icmpRole(words, at) - icmpRole(words, second * record.recordWords);
  if (role !== 0) return role > 0;
  const startDifference = startOf(table, first) - startOf(table, second);
  if (startDifference !== 0) return startDifference < 0;
  const portDifference = (words[at + record.wSourcePort] as number) - (words[at + record.wDestinationPort] as number);
  if (portDifference !== 0) return portDifference > 0;
  for (let i = 0; i < 4; i++) {
    const source = words[at + record.wSource + i] as number;
    const destination = words[at + record.wDestination + i] as number;
    if (source !== destination) return source < destination;
  }
  return true;
}

/** Start of a record, ms. */
export function startOf(table: WaitingTable, slot: number): number {
  return table.doubles[slot * record.recordDoubles + record.dStart] as number;
}

/** End of a record, ms. */
export function endOf(table: WaitingTable, slot: number): number {
  return table.doubles[slot * record.recordDoubles + record.dEnd] as number;
}

/** Earliest start, latest end with its reason, and how many records were made one. */
function noteLifetime(table: WaitingTable, into: number, from: number): void {
  const { words, doubles } = table;
  const a = into * record.recordWords;
  const b = from * record.recordWords;
  const end = endOf(table, from);
  const ownReason = words[a + record.wEndReason] as number;
  const reason = words[b + record.wEndReason] as number;
  if (ownReason === 0 || (end > endOf(table, into) && reason !== 0)) words[a + record.wEndReason] = reason;
  if (startOf(table, from) < startOf(table, into)) doubles[into * record.recordDoubles + record.dStart] =
    startOf(table, from);
  if (end > endOf(table, into)) doubles[into * record.recordDoubles + record.dEnd] = end;
  words[a + record.wOriginals] = (words[a + record.wOriginals] as number) + (words[b + record.wOriginals] as number);
  fillWord(words, a + record.wVlan, b + record.wVlan);
}

/** A name goes with who gave it. */
function fillTexts(words: Uint32Array, a: number, b: number): void {
  if (words[a + record.wApplicationName] === 0 && words[b + record.wApplicationName] !== 0) {
    words[a + record.wApplicationName] = words[b + record.wApplicationName] as number;
    words[a + record.wApplicationNameSource] = words[b + record.wApplicationNameSource] as number;
  }
  fillWord(words, a + record.wApplicationNameSource, b + record.wApplicationNameSource);
  for (const label of record.labelWords) fillWord(words, a + label, b + label);
}

function isInside(words: Uint32Array, at: number, home: readonly Prefix[]): boolean {
  if (home.length === 0) return isPrivate(words, at);
  for (const prefix of home) if (isInPrefix(words, at, prefix)) return true;
  return false;
}

function fillWord(words: Uint32Array, to: number, from: number): void {
  if (words[to] === 0) words[to] = words[from] as number;
}

function fillMac(words: Uint32Array, to: number, from: number): void {
  if (words[to] !== 0 || words[to + 1] !== 0) return;
  words[to] = words[from] as number;
  words[to + 1] = words[from + 1] as number;
}

function addDouble(doubles: Float64Array, into: number, to: number, from: number, what: number): void {
  const at = into * record.recordDoubles + to;
  doubles[at] = (doubles[at] as number) + (doubles[from * record.recordDoubles + what] as number);
}

function swap(array: Uint32Array | Float64Array, a: number, b: number): void {
  const held = array[a] as number;
  array[a] = array[b] as number;
  array[b] = held;
}
