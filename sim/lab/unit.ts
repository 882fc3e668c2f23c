/**
 * One unit of the lab: a device that is up or down, has an address on lease, and runs a firmware. Going down ends all
 * that it does; its dialogs stay open at the other end, as when a plug is pulled.
 */
import { assertInvariant } from '#base';
import { pathOf, seconds, send, type DeviceWorld } from '../device-world.ts';
import { buildUdp } from '../packet-builder.ts';
import type { Host } from '../servers.ts';
import type { Process } from '../world-clock.ts';
import { buildDhcp, dhcpPorts, type DhcpMessage } from './application-messages.ts';
import type { LabCalendar } from './calendar.ts';

/** What happened to a unit, beside its packets: part of the truth. */
export type UnitEvents = {
  reboots: number;
  retryStorms: number;
  videos: number;
  firmwareChecks: number;
  /** 1, or 2 after a firmware change. */
  firmware: number;
  /** Addresses in the order in which it had them, with the time from which on. */
  readonly leases: { readonly fromMs: number; readonly ipv4: string }[];
};

/** The addresses of the home's /24, given out by the gateway. */
export class LeasePool {
  readonly #taken = new Set<number>();
  readonly #low: number;
  readonly #high: number;
  #next: number;

  /** @param taken  last bytes of the addresses that are in use */
  constructor(taken: readonly number[], range: { readonly low: number; readonly high: number }) {
    for (const host of taken) this.#taken.add(host);
    this.#low = range.low;
    this.#high = range.high;
    this.#next = range.low;
  }

  /** Gives an address back and takes the one that was free for longest. @returns its last byte */
  exchange(old: number): number {
    for (let tries = 0; tries <= this.#high - this.#low; tries++) {
      const host = this.#next;
      this.#next = host === this.#high ? this.#low : host + 1;
      if (this.#taken.has(host)) continue;
      this.#taken.delete(old);
      this.#taken.add(host);
      return host;
    }
    assertInvariant(this.#taken.has(old), 'an address that is given back was on lease');
    return old;
  }
}

/** A host whose address changes with its lease. */
export type LeasedHost = Omit<Host, 'ipv4'> & { ipv4: Uint8Array };

export type Unit = {
  /** Its device is `host`. */
  readonly world: DeviceWorld;
  readonly host: LeasedHost;
  readonly calendar: LabCalendar;
  readonly leases: LeasePool;
  /** How much its people use it: around 1. */
  readonly usage: number;
  readonly events: UnitEvents;
  /** Counts how often it went down: what began before ends. */
  epoch: number;
  /** Has power and an address. */
  isUp: boolean;
};

/** Starts something that ends when the unit goes down. */
export function startOn(unit: Unit, process: Process, afterS = 0): void {
  unit.world.clock.start(whileUp(unit, process), seconds(afterS));
}

function* whileUp(unit: Unit, process: Process): Process {
  const { epoch } = unit;
  for (;;) {
    if (unit.epoch !== epoch) return;
    const step = process.next();
    if (step.done === true) return;
    yield step.value;
  }
}

const leaseSeconds = 86_400;
const nowhere = new Uint8Array(4);
const everywhere = new Uint8Array(4).fill(255);
const everyone = new Uint8Array(6).fill(255);
/** Share of restarts after which the gateway gives another address. */
const newAddressShare = 0.35;

/** The unit asks for an address after a start (RFC 2131 §3.1). It may be another one than before. */
export function* takeLease(unit: Unit): Process {
  const { world, host, leases } = unit;
  const { random, gateway, clock } = world;
  const server = gateway.ipv4;
  const old = host.ipv4[3] as number;
  const last = random.chance(newAddressShare) ? leases.exchange(old) : old;
  const address = Uint8Array.of(...host.ipv4.subarray(0, 3), last);
  const common = { transaction: random.uint32(), mac: host.mac, clientAddress: nowhere, server, leaseSeconds };
  for (const type of [1, 3] as const) {
    sendDhcp(unit, { ...common, type, address }, nowhere, everywhere);
    yield random.integer(1_000, 60_000);
    sendDhcp(unit, { ...common, type: type === 1 ? 2 : 5, address }, server, address);
    yield random.integer(500, 5_000);
  }
  if (last === old) return;
  host.ipv4 = address;
  unit.events.leases.push({ fromMs: Math.floor(clock.nowMicroseconds / 1000), ipv4: address.join('.') });
}

/** The unit keeps its address (RFC 2131 §4.4.5): the server is asked alone. */
export function* renewLease(unit: Unit): Process {
  const { random, gateway } = unit.world;
  const { ipv4, mac } = unit.host;
  const common = { transaction: random.uint32(), mac, clientAddress: ipv4, address: ipv4, server: gateway.ipv4,
    leaseSeconds };
  sendDhcp(unit, { ...common, type: 3 }, ipv4, gateway.ipv4);
  yield random.integer(500, 20_000);
  sendDhcp(unit, { ...common, type: 5 }, gateway.ipv4, ipv4);
}

function sendDhcp(unit: Unit, message: DhcpMessage, source: Uint8Array, destination: Uint8Array): void {
  const { world, host } = unit;
  const isReply = message.type === 2 || message.type === 5;
  const path = isReply ? pathOf(world, world.gateway, host, false) : pathOf(world, host, world.gateway, false);
  const isBroadcast = destination === everywhere;
  const addressed = { ...path, source, destination,
    destinationMac: isBroadcast ? everyone : path.destinationMac };
  const ports = isReply ? { source: dhcpPorts.server, destination: dhcpPorts.client }
    : { source: dhcpPorts.client, destination: dhcpPorts.server };
  send(world, buildUdp(addressed, ports, buildDhcp(message)), !isReply);
}
