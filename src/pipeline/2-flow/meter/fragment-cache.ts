/**
 * Ports of fragmented datagrams (RFC 791 §3.2, RFC 8200 §4.5): only the first fragment carries the transport header, so
 * its ports are remembered by source, destination, protocol and identification. Direct-mapped and bounded: two
 * datagrams on one place displace each other, and the later fragments of the displaced one are counted as unresolved.
 */
import { limits } from '#base';
import * as header from './header-slab.ts';
import type { HeaderSlab } from './header-slab.ts';

/** Reassembly gives up after 60 s (RFC 8200 §4.5); an older entry belongs to an earlier datagram of the same number. */
const fragmentLifetimeMicroseconds = 60e6;
/** Source and destination address, which lie side by side in the slab. */
const addressesWords = 8;
const keyWords = 10;

export class FragmentCache {
  readonly #mask: number;
  readonly #keys: Uint32Array;
  readonly #ports: Uint32Array;
  readonly #icmp: Uint32Array;
  readonly #times: Float64Array;

  /** @param datagramsMax a power of two */
  constructor(datagramsMax: number = limits.fragmentedDatagramsMax) {
    this.#mask = datagramsMax - 1;
    this.#keys = new Uint32Array(datagramsMax * keyWords);
    this.#ports = new Uint32Array(datagramsMax);
    this.#icmp = new Uint32Array(datagramsMax);
    this.#times = new Float64Array(datagramsMax).fill(-Infinity);
  }

  /** Remembers the ports (or the ICMP type and code) of a first fragment, which the slab already holds. */
  remember(slab: HeaderSlab, slot: number): void {
    const place = this.#place(slab, slot);
    const from = slot * header.headerWords;
    const at = place * keyWords;
    for (let i = 0; i < addressesWords; i++) this.#keys[at + i] = slab.words[from + header.hSource + i] as number;
    this.#keys[at + addressesWords] = slab.words[from + header.hIdentification] as number;
    this.#keys[at + addressesWords + 1] = slab.words[from + header.hProtocol] as number;
    this.#ports[place] = slab.words[from + header.hPorts] as number;
    this.#icmp[place] = slab.words[from + header.hIcmp] as number;
    this.#times[place] = slab.doubles[slot * header.headerDoubles + header.hTime] as number;
  }

  /**
   * Gives a later fragment the ports of its datagram.
   *
   * @returns false when the first fragment was not seen, or was displaced
   */
  resolve(slab: HeaderSlab, slot: number): boolean {
    const place = this.#place(slab, slot);
    const from = slot * header.headerWords;
    const at = place * keyWords;
    const time = slab.doubles[slot * header.headerDoubles + header.hTime] as number;
    if (Math.abs(time - (this.#times[place] as number)) > fragmentLifetimeMicroseconds) return false;
    for (let i = 0; i < addressesWords; i++) {
      if (this.#keys[at + i] !== slab.words[from + header.hSource + i]) return false;
    }
    if (this.#keys[at + addressesWords] !== slab.words[from + header.hIdentification]) return false;
    if (this.#keys[at + addressesWords + 1] !== slab.words[from + header.hProtocol]) return false;
    slab.words[from + header.hPorts] = this.#ports[place] as number;
    slab.words[from + header.hIcmp] = this.#icmp[place] as number;
    return true;
  }

  #place(slab: HeaderSlab, slot: number): number {
    const { words } = slab;
    const at = slot * header.headerWords;
    let hash = Math.imul(words[at + header.hIdentification] as number,
      0x9e3779b1) ^ (words[at + header.hSource + 3] as number);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ (words[at + header.hDestination + 3] as number);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ (words[at + header.hProtocol] as number);
    return (hash ^ (hash >>> 16)) & this.#mask;
  }
}
