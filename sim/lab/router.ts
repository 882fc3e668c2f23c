/**
 * The router of a simulated home, as an address and port translator (RFC 3022, RFC 4787, RFC 5382): turns frames of the
 * inner side into those of the outer side, one address for all devices, and keeps the truth about every translation.
 * It answers for names itself and asks the provider's resolver, as home routers do. IPv4 only.
 */
import { assertInvariant, protocolIcmp, protocolTcp, protocolUdp, type Random, tcpFin, tcpRst } from '#base';
import type { SimulatedPacket } from '../home.ts';
import { allocateFrame, linkHeaderBytes } from '../packet-builder.ts';
import type { TimedFrame } from '../pcap-writer.ts';
import { addressBytes } from '../servers.ts';

/**
 * Outer ports: `preserve` keeps the inner one where it is free, else takes the next (Linux); `renumber` counts up;
 * `random` draws.
 */
export const portPolicies = ['preserve', 'renumber', 'random'] as const;
export type PortPolicy = (typeof portPolicies)[number];

/** One translation: what a lab that labels outer flows should find out. */
export type Translation = {
  /** The device, or `router` for its own questions to the resolver. */
  readonly deviceName: string;
  readonly protocol: number;
  readonly insideAddress: string;
  readonly insidePort: number;
  readonly outsidePort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly firstMicroseconds: number;
  lastMicroseconds: number;
};

export type RouterOptions = {
  readonly policy: PortPolicy;
  /** Of this router alone. */
  readonly random: Random;
  /** What the clock of the outer tap is ahead of the inner one. */
  readonly clockOffsetMicroseconds?: number;
  /** Is given every translation once it is over, or at the end. */
  readonly record?: (translation: Translation) => void;
};

type Mapping = Translation & { readonly insideKey: number; readonly outsideKey: number; readonly remoteKey: number;
  isEnding: boolean };

/** The router's outer address: documentation (RFC 5737). */
export const outsideAddress = '203.0.113.77';
/** The provider's resolver and the link addresses of the outer side. */
const resolverAddress = '198.51.100.53';
const outsideMac = Uint8Array.of(0x02, 0, 0, 0, 0, 2);
const providerMac = Uint8Array.of(0x02, 0, 0, 0, 0, 3);
const dnsPort = 53;
const portLow = 1_024;
const portHigh = 65_535;
/** Idle times after which a translation is forgotten: RFC 4787 REQ-5, RFC 5382 REQ-5, and Linux after an end. */
const idleMicroseconds = { udp: 300e6, tcp: 7_440e6, ended: 120e6 };
/** Time that the router needs for a packet, and the most by which packets overtake each other. */
const forwardMicroseconds = { low: 30, high: 250 };

const typeAt = 12;
const hopsAt = 22;
const protocolAt = 23;
const ipChecksumAt = 24;
const sourceAt = 26;
const destinationAt = 30;
const portsAt = 34;
const quoteAt = 42;
const protocolBase = 0x10000;
const remoteBase = 0x10000;

export class Router {
  readonly #policy: PortPolicy;
  readonly #random: Random;
  readonly #offset: number;
  readonly #record: (translation: Translation) => void;
  readonly #inside = new Map<number, Map<number, Mapping>>();
  readonly #outside = new Map<number, Map<number, Mapping>>();
  readonly #address = readAddress(addressBytes(outsideAddress), 0);
  readonly #resolver = readAddress(addressBytes(resolverAddress), 0);
  /** Frames that wait until no earlier one can come, in order of time. */
  readonly #waiting: TimedFrame[] = [];
  #portNext = portLow;
  #droppedAt = 0;

  constructor({ policy, random, clockOffsetMicroseconds = 0, record = () => undefined }: RouterOptions) {
    this.#policy = policy;
    this.#random = random;
    this.#offset = clockOffsetMicroseconds;
    this.#record = record;
  }

  /**
   * Takes what passes on the inner side, in order of time.
   *
   * @param due  frames of the outer side that are due are added to it, in order of time; they are the caller's to keep
   */
  forward(packet: SimulatedPacket, due: TimedFrame[]): void {
    const { timeMicroseconds } = packet;
    const outer = this.#translate(packet);
    if (outer !== undefined) this.#wait(outer);
    this.#release(timeMicroseconds - forwardMicroseconds.high + this.#offset, due);
    if (timeMicroseconds - this.#droppedAt > idleMicroseconds.udp) this.#dropIdle(timeMicroseconds);
  }

  /** The inner side has ended: what still waits is due, and what is still translated is over. */
  end(due: TimedFrame[]): void {
    this.#release(Infinity, due);
    this.#dropIdle(Infinity);
  }

  #wait(outer: TimedFrame): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as TimedFrame).timeMicroseconds > outer.timeMicroseconds) at--;
    if (at === this.#waiting.length) this.#waiting.push(outer);
    else this.#waiting.splice(at, 0, outer);
  }

  #release(untilMicroseconds: number, due: TimedFrame[]): void {
    const waiting = this.#waiting;
    let count = 0;
    while (count < waiting.length && (waiting[count] as TimedFrame).timeMicroseconds <= untilMicroseconds) {
      due.push(waiting[count++] as TimedFrame);
    }
    if (count === waiting.length) waiting.length = 0;
    else if (count > 0) waiting.splice(0, count);
  }

  #translate({ frame, timeMicroseconds, deviceName }: SimulatedPacket): TimedFrame | undefined {
    if (frame[typeAt] !== 0x08 || frame[typeAt + 1] !== 0) return undefined;
    const protocol = frame[protocolAt] as number;
    const source = readAddress(frame, sourceAt);
    const destination = readAddress(frame, destinationAt);
    const isOutbound = isHome(source);
    const isQuestion = protocol === protocolUdp && isHome(destination) && readPort(frame, portsAt + 2) === dnsPort;
    const isAnswer = protocol === protocolUdp && isHome(source) && isHome(destination) &&
      readPort(frame, portsAt) === dnsPort;
    // Multicast, broadcast, DHCP and pings of the router stay inside.
    if (!isQuestion && !isAnswer && (isOutbound ? !isAway(destination) : !isAway(source))) return undefined;
    const delay = this.#random.integer(forwardMicroseconds.low, forwardMicroseconds.high);
    const outer = allocateFrame(frame.length);
    outer.set(frame);
    const isLeaving = isQuestion || (isOutbound && !isAnswer);
    const at = timeMicroseconds + (isLeaving ? delay : -delay) + this.#offset;
    if (protocol === protocolIcmp) this.#translateError(outer, frame);
    else if (isLeaving) {
      const remote = isQuestion ? this.#resolver : destination;
      const mapping = this.#mapOut(frame, isQuestion ? 'router' : deviceName, remote, timeMicroseconds);
      rewrite(outer, { source: this.#address, sourcePort: mapping.outsidePort, destination: remote });
      // The router's own question has not been through a hop; what it forwards has.
      if (!isQuestion) changeHops(outer, -1);
    } else {
      const remote = isAnswer ? this.#resolver : source;
      const mapping = this.#mapIn(frame, remote, timeMicroseconds);
      rewrite(outer, { source: remote, destination: this.#address, destinationPort: mapping.outsidePort });
      if (!isAnswer) changeHops(outer, 1);
    }
    outer.set(isLeaving ? providerMac : outsideMac, 0);
    outer.set(isLeaving ? outsideMac : providerMac, 6);
    return { timeMicroseconds: at, frame: outer };
  }

  #mapOut(frame: Uint8Array, deviceName: string, remote: number, timeMicroseconds: number): Mapping {
    const protocol = frame[protocolAt] as number;
    const inside = readAddress(frame, sourceAt);
    const insidePort = readPort(frame, portsAt);
    const remotePort = readPort(frame, portsAt + 2);
    const insideKey = (inside & 255) * 2 * protocolBase + (protocol === protocolTcp ? protocolBase : 0) + insidePort;
    const remoteKey = remote * remoteBase + remotePort;
    const known = this.#inside.get(insideKey)?.get(remoteKey);
    if (known !== undefined && !isIdle(known, timeMicroseconds)) return touch(known, frame, timeMicroseconds);
    if (known !== undefined) this.#drop(known);
    const outsidePort = this.#choosePort(insidePort, protocol, remoteKey, timeMicroseconds);
    const mapping: Mapping = {
      deviceName, protocol, insideAddress: formatWord(inside), insidePort, outsidePort,
      remoteAddress: formatWord(remote), remotePort, firstMicroseconds: timeMicroseconds,
      lastMicroseconds: timeMicroseconds, insideKey, outsideKey: protocol * protocolBase + outsidePort, remoteKey,
      isEnding: false,
    };
    put(this.#inside, insideKey, remoteKey, mapping);
    put(this.#outside, mapping.outsideKey, remoteKey, mapping);
    return touch(mapping, frame, timeMicroseconds);
  }

  #mapIn(frame: Uint8Array, remote: number, timeMicroseconds: number): Mapping {
    const protocol = frame[protocolAt] as number;
    const inside = readAddress(frame, destinationAt);
    const insideKey = (inside & 255) * 2 * protocolBase + (protocol === protocolTcp ? protocolBase : 0) +
      readPort(frame, portsAt + 2);
    const mapping = this.#inside.get(insideKey)?.get(remote * remoteBase + readPort(frame, portsAt));
    assertInvariant(mapping !== undefined, 'nothing comes in that was not asked for');
    return touch(mapping, frame, timeMicroseconds);
  }

  /** An ICMP error about a datagram that went out: the datagram that it quotes is translated, too (RFC 5508 §4). */
  #translateError(outer: Uint8Array, frame: Uint8Array): void {
    const inside = readAddress(frame, quoteAt + 12);
    const remote = readAddress(frame, quoteAt + 16);
    const isTcp = frame[quoteAt + 9] === protocolTcp;
    const insideKey = (inside & 255) * 2 * protocolBase + (isTcp ? protocolBase : 0) + readPort(frame, quoteAt + 20);
    const mapping = this.#inside.get(insideKey)?.get(remote * remoteBase + readPort(frame, quoteAt + 22));
    assertInvariant(mapping !== undefined, 'an ICMP error quotes a datagram that went out');
    changeWord(outer, destinationAt, this.#address, [ipChecksumAt]);
    changeWord(outer, quoteAt + 12, this.#address, [quoteAt + 10]);
    changeHalf(outer, quoteAt + 20, mapping.outsidePort, []);
    changeHops(outer, 1);
    outer.set([0, 0], portsAt + 2);
    const lengthBytes = readPort(outer, linkHeaderBytes + 2) - 20;
    let sum = 0;
    for (let i = 0; i < lengthBytes; i += 2) sum += readPort(outer, portsAt + i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    writeHalf(outer, portsAt + 2, ~sum & 0xffff);
  }

  #choosePort(insidePort: number, protocol: number, remoteKey: number, timeMicroseconds: number): number {
    let port = this.#policy === 'preserve' ? insidePort : this.#policy === 'renumber' ? this.#portNext
      : this.#random.integer(portLow, portHigh);
    for (let tries = 0; !this.#isFree(protocol * protocolBase + port, remoteKey, timeMicroseconds); tries++) {
      assertInvariant(tries < portHigh, 'the router has a free port towards every server');
      port = port >= portHigh ? portLow : port + 1;
    }
    if (this.#policy === 'renumber') this.#portNext = port >= portHigh ? portLow : port + 1;
    return port;
  }

  #isFree(outsideKey: number, remoteKey: number, timeMicroseconds: number): boolean {
    const taken = this.#outside.get(outsideKey)?.get(remoteKey);
    if (taken === undefined) return true;
    if (!isIdle(taken, timeMicroseconds)) return false;
    this.#drop(taken);
    return true;
  }

  #dropIdle(timeMicroseconds: number): void {
    this.#droppedAt = timeMicroseconds;
    for (const byRemote of this.#inside.values()) {
      for (const mapping of byRemote.values()) if (isIdle(mapping, timeMicroseconds)) this.#drop(mapping);
    }
  }

  #drop(mapping: Mapping): void {
    this.#record(mapping);
    take(this.#inside, mapping.insideKey, mapping.remoteKey);
    take(this.#outside, mapping.outsideKey, mapping.remoteKey);
  }
}

function touch(mapping: Mapping, frame: Uint8Array, timeMicroseconds: number): Mapping {
  mapping.lastMicroseconds = timeMicroseconds;
  if (mapping.protocol === protocolTcp && ((frame[portsAt + 13] as number) & (tcpFin | tcpRst)) !== 0) {
    mapping.isEnding = true;
  }
  return mapping;
}

function isIdle(mapping: Mapping, timeMicroseconds: number): boolean {
  const limit = mapping.protocol === protocolUdp ? idleMicroseconds.udp
    : mapping.isEnding ? idleMicroseconds.ended : idleMicroseconds.tcp;
  return timeMicroseconds - mapping.lastMicroseconds > limit;
}

function put(into: Map<number, Map<number, Mapping>>, key: number, remoteKey: number, mapping: Mapping): void {
  const byRemote = into.get(key);
  if (byRemote === undefined) into.set(key, new Map([[remoteKey, mapping]]));
  else byRemote.set(remoteKey, mapping);
}

function take(from: Map<number, Map<number, Mapping>>, key: number, remoteKey: number): void {
  const byRemote = from.get(key);
  byRemote?.delete(remoteKey);
  if (byRemote?.size === 0) from.delete(key);
}

/** 192.168.1.0/24 as this simulator's homes have it. */
function isHome(address: number): boolean {
  return address >>> 8 === 0xc0a801;
}

/** Neither home, nor multicast or broadcast, nor the unspecified address. */
function isAway(address: number): boolean {
  return !isHome(address) && address !== 0 && address >>> 28 !== 0xe && address !== 0xffffffff;
}

/** Changes addresses and ports of a UDP or TCP frame, with its checksums (RFC 1624). */
function rewrite(
  frame: Uint8Array, to: { source: number; destination: number; sourcePort?: number; destinationPort?: number },
): void {
  const isTcp = frame[protocolAt] === protocolTcp;
  const checksumAt = isTcp ? portsAt + 16 : portsAt + 6;
  changeWord(frame, sourceAt, to.source, [ipChecksumAt, checksumAt]);
  changeWord(frame, destinationAt, to.destination, [ipChecksumAt, checksumAt]);
  if (to.sourcePort !== undefined) changeHalf(frame, portsAt, to.sourcePort, [checksumAt]);
  if (to.destinationPort !== undefined) changeHalf(frame, portsAt + 2, to.destinationPort, [checksumAt]);
  // RFC 768: a UDP checksum of zero would mean that there is none.
  if (!isTcp && readPort(frame, checksumAt) === 0) writeHalf(frame, checksumAt, 0xffff);
}

function changeHops(frame: Uint8Array, by: number): void {
  const word = readPort(frame, hopsAt);
  const hops = Math.min(255, Math.max(1, (word >>> 8) + by));
  changeHalf(frame, hopsAt, (hops << 8) | (word & 255), [ipChecksumAt]);
}

function changeWord(frame: Uint8Array, at: number, value: number, checksums: readonly number[]): void {
  changeHalf(frame, at, value >>> 16, checksums);
  changeHalf(frame, at + 2, value & 0xffff, checksums);
}

/** RFC 1624 eq. 3: HC' = ~(~HC + ~m + m'). */
function changeHalf(frame: Uint8Array, at: number, value: number, checksums: readonly number[]): void {
  const old = readPort(frame, at);
  writeHalf(frame, at, value);
  for (const checksumAt of checksums) {
    let sum = (~readPort(frame, checksumAt) & 0xffff) + (~old & 0xffff) + value;
    sum = (sum & 0xffff) + (sum >>> 16);
    writeHalf(frame, checksumAt, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  }
}

function readAddress(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>> 0;
}

function readPort(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function writeHalf(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 255;
}

function formatWord(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** The outer side of a home alone, for whoever needs no inner one. */
export function* outsideOf(packets: Iterable<SimulatedPacket>, router: Router): Generator<TimedFrame, void> {
  const due: TimedFrame[] = [];
  for (const packet of packets) {
    router.forward(packet, due);
    for (let i = 0; i < due.length; i++) yield due[i] as TimedFrame;
    due.length = 0;
  }
  router.end(due);
  yield* due;
}
