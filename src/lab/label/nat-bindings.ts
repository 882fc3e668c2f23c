/**
 * Bindings of a NAT for captures: which port of the router is whose. Mapping and filtering depend on the peer's address
 * and port, so the same port serves several peers (RFC 4787 §4.1, §5); ports are kept, counted up or random.
 * Time is the capture's.
 */
import { limits, protocolIcmp, protocolTcp, protocolUdp, type Random } from '#base';

export const natPortPolicies = ['keep', 'renumber', 'randomise'] as const;
export type NatPortPolicy = (typeof natPortPolicies)[number];

/** A conversation of a device with a peer. For ICMP queries the port is their identifier, and the peer's is 0. */
export type NatEnds = {
  readonly device: string;
  readonly protocol: number;
  readonly insideAddress: number;
  readonly insidePort: number;
  readonly peerAddress: number;
  readonly peerPort: number;
};

export type NatBinding = NatEnds & {
  readonly routerPort: number;
  readonly firstMicroseconds: number;
  lastMicroseconds: number;
  outPackets: number;
  inPackets: number;
  /** FIN or RST was seen. */
  isClosing: boolean;
};

/** RFC 5382 REQ-5: 2 h 4 min for open connections, 4 min otherwise; RFC 4787 REQ-5; RFC 5508 REQ-2; seconds. */
const tcpOpenS = 7_440;
const tcpTransitoryS = 240;
const udpRepliedS = 120;
const udpUnrepliedS = 30;
/** RFC 4787 REQ-5 a: a shorter time for well-known ports; a question of DNS is answered once. */
const udpDnsS = 10;
const icmpS = 60;
const dnsPort = 53;

const firstDynamicPort = 1_024;
const portCount = 65_536;

export class NatBindings {
  endedForRoomCount = 0;
  /** Conversations that found their own port taken by another device, where ports are kept. */
  collisionCount = 0;
  readonly #policy: NatPortPolicy;
  readonly #random: Random;
  readonly #onEnd: (binding: NatBinding) => void;
  readonly #bindingsMax: number;
  /** In the order of last use. */
  readonly #byEnds = new Map<string, NatBinding>();
  readonly #byOutside = new Map<string, NatBinding>();
  #nextPort: number;

  /** @param onEnd  is told every binding once, when it has ended */
  constructor(policy: NatPortPolicy, random: Random, onEnd: (binding: NatBinding) => void,
    bindingsMax: number = limits.natBindingsMax) {
    this.#policy = policy;
    this.#random = random;
    this.#onEnd = onEnd;
    this.#bindingsMax = bindingsMax;
    this.#nextPort = random.integer(firstDynamicPort, portCount - 1);
  }

  /** The living binding of a conversation, or undefined. */
  find(ends: NatEnds, nowMicroseconds: number): NatBinding | undefined {
    const binding = this.#byEnds.get(keyOfEnds(ends));
    if (binding === undefined || !isOver(binding, nowMicroseconds)) return binding;
    this.#end(binding);
    return undefined;
  }

  /** A new binding, or undefined when no port is free. */
  create(ends: NatEnds, nowMicroseconds: number): NatBinding | undefined {
    const routerPort = this.#choosePort(ends, nowMicroseconds);
    if (routerPort === undefined) return undefined;
    if (this.#byEnds.size >= this.#bindingsMax) {
      this.endedForRoomCount++;
      this.#end(this.#byEnds.values().next().value as NatBinding);
    }
    const binding: NatBinding = { ...ends, routerPort, firstMicroseconds: nowMicroseconds,
      lastMicroseconds: nowMicroseconds, outPackets: 0, inPackets: 0, isClosing: false };
    this.#byEnds.set(keyOfEnds(ends), binding);
    this.#byOutside.set(keyOfOutside(ends, routerPort), binding);
    return binding;
  }

  /** Notes that a packet used a binding. */
  use(binding: NatBinding, isOutward: boolean, nowMicroseconds: number): void {
    binding.lastMicroseconds = Math.max(binding.lastMicroseconds, nowMicroseconds);
    if (isOutward) binding.outPackets++;
    else binding.inPackets++;
    const key = keyOfEnds(binding);
    this.#byEnds.delete(key);
    this.#byEnds.set(key, binding);
  }

  /** Ends all bindings. */
  end(): void {
    for (const binding of this.#byEnds.values()) this.#onEnd(binding);
    this.#byEnds.clear();
    this.#byOutside.clear();
  }

  #end(binding: NatBinding): void {
    this.#byEnds.delete(keyOfEnds(binding));
    this.#byOutside.delete(keyOfOutside(binding, binding.routerPort));
    this.#onEnd(binding);
  }

  #choosePort(ends: NatEnds, nowMicroseconds: number): number | undefined {
    const first = ends.protocol === protocolIcmp ? 0 : firstDynamicPort;
    const isFree = (port: number): boolean => this.#isFree(ends, port, nowMicroseconds);
    if (this.#policy === 'keep') {
      if (isFree(ends.insidePort)) return ends.insidePort;
      this.collisionCount++;
      return scan(this.#random.integer(first, portCount - 1), first, isFree);
    }
    if (this.#policy === 'randomise') return scan(this.#random.integer(first, portCount - 1), first, isFree);
    const port = scan(this.#nextPort, first, isFree);
    if (port !== undefined) this.#nextPort = port + 1 === portCount ? firstDynamicPort : port + 1;
    return port;
  }

  #isFree(ends: NatEnds, port: number, nowMicroseconds: number): boolean {
    const holder = this.#byOutside.get(keyOfOutside(ends, port));
    if (holder === undefined) return true;
    if (!isOver(holder, nowMicroseconds)) return false;
    this.#end(holder);
    return true;
  }
}

/** The first free port from one on, around the end of the range. */
function scan(from: number, first: number, isFree: (port: number) => boolean): number | undefined {
  for (let port = from; port < portCount; port++) if (isFree(port)) return port;
  for (let port = first; port < from; port++) if (isFree(port)) return port;
  return undefined;
}

function isOver(binding: NatBinding, nowMicroseconds: number): boolean {
  return nowMicroseconds - binding.lastMicroseconds > timeoutSeconds(binding) * 1e6;
}

function timeoutSeconds({ protocol, peerPort, isClosing, outPackets, inPackets }: NatBinding): number {
  const isReplied = outPackets > 0 && inPackets > 0;
  if (protocol === protocolTcp) return isReplied && !isClosing ? tcpOpenS : tcpTransitoryS;
  if (protocol !== protocolUdp) return icmpS;
  if (peerPort === dnsPort) return udpDnsS;
  return isReplied ? udpRepliedS : udpUnrepliedS;
}

function keyOfEnds({ device, protocol, insideAddress, insidePort, peerAddress, peerPort }: NatEnds): string {
  return `${device} ${protocol} ${insideAddress} ${insidePort} ${peerAddress} ${peerPort}`;
}

function keyOfOutside({ protocol, peerAddress, peerPort }: NatEnds, routerPort: number): string {
  return `${protocol} ${peerAddress} ${peerPort} ${routerPort}`;
}
