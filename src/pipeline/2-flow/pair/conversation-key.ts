/**
 * Which records are of one conversation: same exporter, observation domain, protocol, and the same two ends. ICMP has
 * no ports: the type and code of the request stand for both (RFC 792, RFC 950, RFC 4443 §4), as in `meter/flow-key.ts`.
 */
import { protocolIcmp, protocolIcmpv6 } from '#base';
import * as record from './record-layout.ts';

/** What a record is to another one. */
export const stranger = 0;
export const sameDirection = 1;
export const oppositeDirection = 2;

/** Ports of the conversation of the record at word `at`; ICMP: the request's type and code, in both halves. */
export function conversationPorts(words: Uint32Array, at: number): number {
  const protocol = words[at + record.wProtocol];
  if (protocol !== protocolIcmp && protocol !== protocolIcmpv6) {
    return (((words[at + record.wSourcePort] as number) << 16) | (words[at + record.wDestinationPort] as number)) >>> 0;
  }
  let typeCode = words[at + (protocol === protocolIcmp ? record.wIcmp4 : record.wIcmp6)] as number;
  const request = requestOf(protocol, typeCode >>> 8);
  if (request >= 0) typeCode = (request << 8) | (typeCode & 255);
  return ((typeCode << 16) | typeCode) >>> 0;
}

/** Type of the request that an ICMP type answers, or -1 when it answers none. */
function requestOf(protocol: number, type: number): number {
  if (protocol === protocolIcmpv6) return type === 129 ? 128 : -1;
  if (type === 0) return 8;
  return type === 14 || type === 16 || type === 18 ? type - 1 : -1;
}

/** 1: the record at word `at` is an ICMP request, -1: an answer, 0: neither. */
export function icmpRole(words: Uint32Array, at: number): number {
  const protocol = words[at + record.wProtocol];
  if (protocol !== protocolIcmp && protocol !== protocolIcmpv6) return 0;
  const type = (words[at + (protocol === protocolIcmp ? record.wIcmp4 : record.wIcmp6)] as number) >>> 8;
  if (requestOf(protocol, type) >= 0) return -1;
  if (protocol === protocolIcmpv6) return type === 128 ? 1 : 0;
  return type === 8 || type === 13 || type === 15 || type === 17 ? 1 : 0;
}

/** Hash of the conversation, the same for both directions. @param at  word of a record whose `wPorts` are set */
export function hashConversation(words: Uint32Array, at: number): number {
  const ports = words[at + record.wPorts] as number;
  const source = mixEnd(words, at + record.wSource, ports >>> 16);
  const destination = mixEnd(words, at + record.wDestination, ports & 0xffff);
  let mixed = (source + destination) ^ Math.imul(words[at + record.wProtocol] as number, 0x85ebca6b) ^
    Math.imul(words[at + record.wDomain] as number, 0x2c1b3c6d) ^ (words[at + record.wExporter + 3] as number);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x27d4eb2f);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function mixEnd(words: Uint32Array, at: number, port: number): number {
  let mixed = Math.imul(port, 0x9e3779b1) ^ (words[at + 3] as number) ^ Math.imul(words[at] as number, 0x85ebca6b) ^
    Math.imul(words[at + 1] as number, 0x2c1b3c6d) ^ Math.imul(words[at + 2] as number, 0x297a2d39);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** What the record at word `b` is to that at word `a`: `stranger`, `sameDirection` or `oppositeDirection`. */
export function compareConversation(words: Uint32Array, a: number, b: number): number {
  if (words[a + record.wHash] !== words[b + record.wHash] ||
    words[a + record.wProtocol] !== words[b + record.wProtocol] ||
    words[a + record.wDomain] !== words[b + record.wDomain] ||
    !sameAddress(words, a + record.wExporter, b + record.wExporter)) return stranger;
  const ports = words[a + record.wPorts] as number;
  const others = words[b + record.wPorts] as number;
  if (((ports << 16) | (ports >>> 16)) >>> 0 === others &&
    sameAddress(words, a + record.wSource, b + record.wDestination) &&
    sameAddress(words, a + record.wDestination, b + record.wSource)) return oppositeDirection;
  return ports === others && sameAddress(words, a + record.wSource, b + record.wSource) &&
    sameAddress(words, a + record.wDestination, b + record.wDestination) ? sameDirection : stranger;
}

/** True when both ends of the conversation are the same: it has no two directions. */
export function isWithItself(words: Uint32Array, at: number): boolean {
  const ports = words[at + record.wPorts] as number;
  return ports >>> 16 === (ports & 0xffff) && sameAddress(words, at + record.wSource, at + record.wDestination);
}

function sameAddress(words: Uint32Array, a: number, b: number): boolean {
  return words[a + 3] === words[b + 3] && words[a + 2] === words[b + 2] && words[a + 1] === words[b + 1] &&
    words[a] === words[b];
}
