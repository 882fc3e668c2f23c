/**
 * Ports of fragmented datagrams (RFC 791 §3.2, RFC 8200 §4.5): only the first fragment carries the transport header, so
 * its ports are remembered by source, destination, protocol and identification. Direct-mapped and bounded: two datagrams
 * on one place displace each other, and the later fragments of the displaced one are counted as unresolved.
 */
import { limits } from '#base';
import type { HeaderSlab } from './header-slab.ts';

/** Reassembly gives up after 60 s (RFC 8200 §4.5); an older entry belongs to an earlier datagram of the same number. */
const fragmentLifetimeMicroseconds = 60e6;
const keyWords = 10;

export class FragmentCache {
  readonly #mask: number;
  readonly #keys: Uint32Array;
  readonly #ports: Uint32Array;
  readonly #times: Float64Array;

  /** @param datagramsMax a power of two */
  constructor(datagramsMax: number = limits.fragmentedDatagramsMax) {
    this.#mask = datagramsMax - 1;
    this.#keys = new Uint32Array(datagramsMax * keyWords);
    this.#ports = new Uint32Array(datagramsMax);
    this.#times = new Float64Array(datagramsMax).fill(-Infinity);
  }

  /** Remembers the ports (or the ICMP type and code) of a first fragment, which the slab already holds. */
  remember(slab: HeaderSlab, slot: number): void {
    const place = this.#place(slab, slot);
    const at = place * keyWords;
    for (let i = 0; i < 4; i++) {
      this.#keys[at + i] = slab.sourceAddress[slot * 4 + i] as number;
      this.#keys[at + 4 + i] = slab.destinationAddress[slot * 4 + i] as number;
    }
    this.#keys[at + 8] = slab.identification[slot] as number;
    this.#keys[at + 9] = slab.protocol[slot] as number;
    const icmp = slab.icmpTypeCode[slot] as number;
    this.#ports[place] = icmp !== 0 ? icmp : ((slab.sourcePort[slot] as number) << 16) | (slab.destinationPort[slot] as number);
    this.#times[place] = slab.timeMicroseconds[slot] as number;
  }

  /**
   * Gives a later fragment the ports of its datagram.
   *
   * @returns false when the first fragment was not seen, or was displaced
   */
  resolve(slab: HeaderSlab, slot: number): boolean {
    const place = this.#place(slab, slot);
    const at = place * keyWords;
    if (Math.abs((slab.timeMicroseconds[slot] as number) - (this.#times[place] as number)) > fragmentLifetimeMicroseconds) {
      return false;
    }
    for (let i = 0; i < 4; i++) {
      if (this.#keys[at + i] !== slab.sourceAddress[slot * 4 + i]) return false;
      if (this.#keys[at + 4 + i] !== slab.destinationAddress[slot * 4 + i]) return false;
    }
    if (this.#keys[at + 8] !== slab.identification[slot] || this.#keys[at + 9] !== slab.protocol[slot]) return false;
    const ports = this.#ports[place] as number;
    const protocol = slab.protocol[slot];
    if (protocol === 1 || protocol === 58) {
      slab.icmpTypeCode[slot] = ports;
    } else {
      slab.sourcePort[slot] = ports >>> 16;
      slab.destinationPort[slot] = ports & 0xffff;
    }
    return true;
  }

  #place(slab: HeaderSlab, slot: number): number {
    const at = slot * 4;
    let hash = Math.imul(slab.identification[slot] as number, 0x9e3779b1) ^ (slab.sourceAddress[at + 3] as number);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ (slab.destinationAddress[at + 3] as number);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ (slab.protocol[slot] as number);
    return (hash ^ (hash >>> 16)) & this.#mask;
  }
}
