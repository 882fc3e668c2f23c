/**
 * How one host fills the fields that its operating system chooses: IPv4 identification, TTL, type of service,
 * ephemeral ports, TCP options. These differ between devices, and a meter sees them.
 */
import type { Random } from '#base';

/**
 * `perDestination`: Linux, one counter a hash of the destination, moved on by the clock; `destinationCounter`: one
 * counter for each destination, moved on by its packets alone: Windows since 8, and Android on kernels before 3.16;
 * `global`: one counter for all; `zero`: always 0 with DF set; `random`: drawn anew.
 */
export type IdentificationKind = 'perDestination' | 'destinationCounter' | 'global' | 'zero' | 'random';

export type StackTraits = {
  readonly identification: IdentificationKind;
  /** TTL or hop limit of packets as they are seen in the home. */
  readonly hops: number;
  readonly classOfService: number;
  readonly ephemeralPorts: { readonly low: number; readonly high: number };
  readonly hasTcpTimestamps: boolean;
  /** TCP window that it announces. */
  readonly windowBytes: number;
  /** On a cable: its short frames are padded. */
  readonly isWired: boolean;
};

/** Buckets of the counters for destinations, and ticks of their clock a second; both as Linux has them. */
const bucketCount = 2048;
const ticksPerSecond = 250;

export class NetworkStack {
  readonly traits: StackTraits;
  readonly #random: Random;
  readonly #counters: Uint16Array;
  readonly #ticks: Float64Array;
  #counter: number;
  #portNext: number;

  /** @param random  of this stack alone */
  constructor(traits: StackTraits, random: Random) {
    this.traits = traits;
    this.#random = random;
    const isHashed = traits.identification === 'perDestination' || traits.identification === 'destinationCounter';
    const buckets = isHashed ? bucketCount : 0;
    this.#counters = Uint16Array.from({ length: buckets }, () => random.integer(0, 0xffff));
    this.#ticks = new Float64Array(buckets);
    this.#counter = random.integer(0, 0xffff);
    this.#portNext = random.integer(traits.ephemeralPorts.low, traits.ephemeralPorts.high);
  }

  /** The IPv4 identification of the next packet to an address. */
  identify(destination: Uint8Array, timeMicroseconds: number): number {
    const kind = this.traits.identification;
    if (kind === 'zero') return 0;
    if (kind === 'random') return this.#random.integer(0, 0xffff);
    if (kind === 'global') return (this.#counter = (this.#counter + 1) & 0xffff);
    const bucket = hashBytes(destination) % bucketCount;
    if (kind === 'destinationCounter') return this.#moveOn(bucket, 1);
    const tick = Math.floor((timeMicroseconds / 1e6) * ticksPerSecond);
    // The first packet of a bucket has no earlier tick to count from.
    const elapsed = this.#ticks[bucket] === 0 ? 0 : tick - (this.#ticks[bucket] as number);
    this.#ticks[bucket] = tick;
    return this.#moveOn(bucket, 1 + (elapsed > 0 ? this.#random.integer(0, Math.min(elapsed, 0xffff) - 1) : 0));
  }

  #moveOn(bucket: number, step: number): number {
    return (this.#counters[bucket] = ((this.#counters[bucket] as number) + step) & 0xffff);
  }

  /** A source port for a new flow; ports are used in turn, so that a port comes back only after all others. */
  takePort(): number {
    const { low, high } = this.traits.ephemeralPorts;
    const port = this.#portNext;
    this.#portNext = port >= high ? low : port + 1;
    return port;
  }

  /** Bytes of payload that fit into one segment without options. @param isV6 family of the path */
  segmentBytesMax(isV6: boolean): number {
    return isV6 ? 1440 : 1460;
  }
}

/** FNV-1a of bytes, unsigned 32 bits. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash >>> 0;
}

/** FNV-1a of a text's characters, unsigned 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
