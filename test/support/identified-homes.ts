/**
 * Homes whose hosts number their packets as operating systems do: per destination and global counters (Windows and
 * Android in Orevi et al. 2018, small stacks), Linux at several tick rates, identifications that follow a clock, random
 * ones and zero. Hosts ask a resolver and then send packets of a flow; every choice comes from the seed.
 */
import { Random } from '#base';
import { NetworkStack, type IdentificationKind, type StackTraits } from '../../sim/network-stack.ts';
import type { HomeTrace } from '../../src/lab/baseline/device-trace.ts';

/**
 * `randomStep`: 1 to 256 more for every packet; `clock`: the host's ticks themselves; `linux`: 1 + uniform(0, ticks
 * since the last packet) per destination.
 */
export type Numbering =
  | { readonly kind: 'perDestination' | 'global' | 'random' | 'zero' | 'randomStep' }
  | { readonly kind: 'linux' | 'clock'; readonly ticksPerSecond: number };

export type HostOptions = {
  readonly numbering: Numbering;
  readonly seed: number;
  /** Mean time between questions; each is followed by a flow. */
  readonly questionMeanMs?: number;
  readonly durationMs?: number;
  /** Code of the resolver that it asks. */
  readonly resolver?: number;
  /** Packets of a flow, at most. */
  readonly packetsMax?: number;
  /** It is silent between these. */
  readonly sleep?: readonly [fromMs: number, toMs: number];
};

export const homeStartMs = 1_700_000_000_000;
const ephemeralPorts = { low: 1_024, high: 65_535 };

/** The next identification of a packet to a destination. */
export function createNumbering(numbering: Numbering, random: Random): (destination: number, timeMs: number) => number {
  const { kind } = numbering;
  const start = random.integer(0, 65_535);
  if (kind === 'clock') {
    const { ticksPerSecond } = numbering;
    // A packet waits for its turn: the clock is read up to a few milliseconds before it is seen.
    return (_, timeMs) => (start + Math.floor((timeMs - random.uniform() * 4) * ticksPerSecond / 1000)) % 65_536;
  }
  if (kind === 'randomStep') {
    let id = start;
    return () => (id = (id + random.integer(1, 256)) & 0xffff);
  }
  const counters = new Map<number, { id: number; tick: number }>();
  if (kind === 'linux' && numbering.ticksPerSecond !== 250) {
    const { ticksPerSecond } = numbering;
    return (destination, timeMs) => {
      const tick = Math.floor(timeMs * ticksPerSecond / 1000);
      const counter = counters.get(destination) ?? { id: random.integer(0, 65_535), tick };
      counters.set(destination, counter);
      const elapsed = tick - counter.tick;
      counter.tick = tick;
      return (counter.id = (counter.id + 1 + (elapsed > 0 ? random.integer(0, elapsed - 1) : 0)) & 0xffff);
    };
  }
  // Linux at 250 ticks and what follows no clock are the simulator's own.
  const identification: IdentificationKind = kind === 'linux' ? 'perDestination' :
    kind === 'perDestination' ? 'destinationCounter' : kind;
  const traits: StackTraits = {
    identification, hops: 64, classOfService: 0, ephemeralPorts, hasTcpTimestamps: true, windowBytes: 65_535,
    isWired: false,
  };
  const stack = new NetworkStack(traits, random.fork());
  return (destination, timeMs) => stack.identify(Uint8Array.of(10, destination >> 16, destination >> 8, destination),
    timeMs * 1000);
}

type Packet = {
  readonly timeMs: number; readonly ipId: number; readonly destination: number; readonly name: number;
  readonly flow: number; readonly device: number;
};

/** A home of such hosts; the device of a packet is the place of its host in the list. */
export function makeIdentifiedHome(hosts: readonly HostOptions[]): HomeTrace {
  const packets = hosts.flatMap((host, device) => sendPackets(host, device))
    .sort((a, b) => a.timeMs - b.timeMs || a.device - b.device);
  return {
    timeMs: Float64Array.from(packets, ({ timeMs }) => timeMs),
    ipId: Uint16Array.from(packets, ({ ipId }) => ipId),
    destination: Uint32Array.from(packets, ({ destination }) => destination),
    name: Uint32Array.from(packets, ({ name }) => name),
    flow: Uint32Array.from(packets, ({ flow }) => flow),
    device: Uint8Array.from(packets, ({ device }) => device),
  };
}

function sendPackets(host: HostOptions, device: number): Packet[] {
  const { seed, questionMeanMs = 20_000, durationMs = 7_200_000, resolver = 1, packetsMax = 40, sleep } = host;
  const random = new Random(seed);
  const plan: Omit<Packet, 'ipId'>[] = [];
  let flow = 0;
  for (let atMs = random.exponential(questionMeanMs); atMs < durationMs; atMs += random.exponential(questionMeanMs)) {
    if (sleep !== undefined && atMs >= sleep[0] && atMs < sleep[1]) continue;
    const name = random.integer(1, 40);
    // Both families are asked for at once, from one socket.
    for (const delayMs of [0, 1]) {
      plan.push({ timeMs: homeStartMs + atMs + delayMs, destination: resolver, name, flow, device });
    }
    flow++;
    const count = random.integer(2, packetsMax);
    let sentMs = atMs + random.integer(15, 60);
    for (let i = 0; i < count; i++, sentMs += random.exponential(60)) {
      plan.push({ timeMs: homeStartMs + sentMs, destination: 100 + name, name: 0, flow, device });
    }
    flow++;
  }
  plan.sort((a, b) => a.timeMs - b.timeMs);
  const identify = createNumbering(host.numbering, random.fork());
  return plan.map((packet) => ({ ...packet, ipId: identify(packet.destination, packet.timeMs) }));
}
