/**
 * The world as one device sees it: the clock, its own randomness, the gateway and the servers, and the cable on which
 * its frames appear. All frames of a device go through `send`, which counts the truth that meters are tested against.
 */
import type { Random } from '#base';
import type { IdentificationKind } from './network-stack.ts';
import { fragmentFrame, octetsOf, type Path } from './packet-builder.ts';
import type { PayloadPool } from './payloads.ts';
import type { Host, Servers } from './servers.ts';
import type { WorldClock } from './world-clock.ts';

/** What really went over the cable for one device. Outbound is from the device. */
export type DeviceTruth = {
  readonly deviceName: string;
  /** `type.make.version`. */
  readonly deviceModel: string;
  readonly mac: string;
  readonly ipv4: string;
  /** '' for a device without IPv6. */
  readonly ipv6: string;
  readonly identification: IdentificationKind;
  outboundPackets: number;
  inboundPackets: number;
  /** IP lengths by the headers, without link header and padding. */
  outboundOctets: number;
  inboundOctets: number;
  /** Frames that are not IP: ARP. */
  otherFrames: number;
  dnsQueries: number;
  tcpDialogs: number;
  /** Segments sent a second time. */
  retransmissions: number;
};

export type DeviceWorld = {
  readonly clock: WorldClock;
  readonly random: Random;
  readonly pool: PayloadPool;
  readonly device: Host;
  readonly gateway: Host;
  /** Who is asked for names; undefined: the gateway. */
  readonly resolver?: Host | undefined;
  readonly servers: Servers;
  readonly truth: DeviceTruth;
  /** Takes a finished frame at the clock's time. */
  readonly emit: (frame: Uint8Array) => void;
  /** When a name must be asked for again, microseconds; by name. */
  readonly cachedUntil: Map<string, number>;
};

export const microsecondsPerSecond = 1e6;

/** A number of seconds, as processes sleep. */
export function seconds(count: number): number {
  return count * microsecondsPerSecond;
}

/** The path of the next packet from one host to another. @param isV6  both must have IPv6 */
export function pathOf(world: DeviceWorld, from: Host, to: Host, isV6: boolean): Path {
  const { traits } = from.stack;
  const source = isV6 ? (from.ipv6 as Uint8Array) : from.ipv4;
  const destination = isV6 ? (to.ipv6 as Uint8Array) : to.ipv4;
  return {
    sourceMac: from.mac,
    destinationMac: to.mac,
    source,
    destination,
    hops: traits.hops,
    classOfService: traits.classOfService,
    identification: isV6 ? 0 : from.stack.identify(destination, world.clock.nowMicroseconds),
    isUnfragmentable: ['zero', 'perDestination', 'destinationCounter'].includes(traits.identification),
    isPadded: traits.isWired,
  };
}

/** Puts an IP frame on the cable and counts it. @param isOutbound  the device sent it */
export function send(world: DeviceWorld, frame: Uint8Array, isOutbound: boolean): void {
  const { truth } = world;
  if (isOutbound) {
    truth.outboundPackets++;
    truth.outboundOctets += octetsOf(frame);
  } else {
    truth.inboundPackets++;
    truth.inboundOctets += octetsOf(frame);
  }
  world.emit(frame);
}

/** Puts a frame on the cable in as many IPv4 fragments as it needs, and counts each. */
export function sendFragmented(world: DeviceWorld, frame: Uint8Array, isOutbound: boolean): void {
  for (const fragment of fragmentFrame(frame)) send(world, fragment, isOutbound);
}

/** Puts a frame that is not IP on the cable and counts it. */
export function sendOther(world: DeviceWorld, frame: Uint8Array): void {
  world.truth.otherFrames++;
  world.emit(frame);
}
