/**
 * Finds second copies of a packet, as mirrored switch ports and captures on several interfaces make them: the same
 * headers (hop count and header checksum apart) within a few milliseconds. Payload is compared through the transport
 * checksum alone where the IPv4 identification tells packets apart. A UDP datagram without one has only those 16 bits:
 * among datagrams of one length that follow each other closely, as in QUIC, that would call one pair in 65,536 equal
 * that is not, so the first bytes behind its header are folded into the fingerprint, which is forgotten with the
 * window.
 *
 * A TCP segment without payload and identification is kept: hosts repeat acknowledgements and resets.
 * Direct-mapped and bounded: a displaced packet's copy is metered as a packet.
 */
import { limits, protocolTcp, protocolUdp } from '#base';
import * as header from './header-slab.ts';
import type { HeaderSlab } from './header-slab.ts';

/** Bytes behind the UDP header that tell datagrams without identification apart. */
const foldedBytes = 32;

export class DuplicateMemory {
  readonly #mask: number;
  readonly #windowMicroseconds: number;
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  readonly #times: Float64Array;

  /**
   * @param windowMs    a copy comes within this time of the packet
   * @param packetsMax  packets remembered, a power of two
   */
  constructor(windowMs: number, packetsMax: number = limits.duplicateMemoryPackets) {
    this.#mask = packetsMax - 1;
    this.#windowMicroseconds = windowMs * 1000;
    this.#high = new Int32Array(packetsMax);
    this.#low = new Int32Array(packetsMax);
    this.#times = new Float64Array(packetsMax).fill(-Infinity);
  }

  /**
   * True when this packet is a copy of one seen within the window; remembers it otherwise.
   *
   * @param view   bytes of the packet batch
   * @param at     offset of the transport header in `view`
   * @param end    end of the captured packet in `view`
   * @param fragmentOffset  the fragment offset field of a later fragment, 0 otherwise
   */
  isCopy(slab: HeaderSlab, slot: number, view: DataView, at: number, end: number, fragmentOffset: number): boolean {
    const { words } = slab;
    const from = slot * header.headerWords;
    const isV6 = (words[from + header.hProtocol] as number) >>> 8 === 6;
    const protocol = (words[from + header.hProtocol] as number) & 255;
    const identification = words[from + header.hIdentification] as number;
    const octets = words[from + header.hOctets] as number;
    let high = Math.imul(identification ^ (octets << 16), 0x9e3779b1) ^ (words[from + header.hSource + 3] as number);
    let low = Math.imul((words[from + header.hDestination + 3] as number) ^ protocol, 0x85ebca6b) ^ octets;
    if (isV6) {
      for (let i = 0; i < 3; i++) {
        high = Math.imul(high ^ (words[from + header.hSource + i] as number), 0xc2b2ae35);
        low = Math.imul(low ^ (words[from + header.hDestination + i] as number), 0x27d4eb2f);
        high ^= high >>> 15;
        low ^= low >>> 13;
      }
    }
    if (fragmentOffset !== 0) {
      // The fragments of one datagram differ in their offset alone.
      if (identification === 0) return false;
      low = mix(low, fragmentOffset);
    } else if (protocol === protocolTcp) {
      if (end - at < 20) return false;
      const headerBytes = (view.getUint8(at + 12) >>> 4) * 4;
      if (identification === 0 && octets <= (isV6 ? 40 : 20) + headerBytes) return false;
      high = mix(mix(mix(high, view.getInt32(at)), view.getInt32(at + 4)), view.getInt32(at + 8));
      low = mix(mix(mix(low, view.getInt32(at + 12)), view.getInt32(at + 16)), high);
    } else {
      if (end - at < 8) return false;
      // ICMP keeps its checksum in the first word, UDP in the second.
      high = mix(high, view.getInt32(at));
      low = mix(mix(low, view.getInt32(at + 4)), high);
      if (identification === 0) {
        if (protocol !== protocolUdp) return false;
        const payloadBytes = Math.min(foldedBytes, view.getUint16(at + 4) - 8);
        if (end - at - 8 < payloadBytes) return false;
        for (let i = at + 8; i + 4 <= at + 8 + payloadBytes; i += 4) {
          high = mix(high, view.getInt32(i));
          low = mix(low, high);
        }
      }
    }
    return this.#isKnown(high, low, slab.doubles[slot * header.headerDoubles + header.hTime] as number);
  }

  #isKnown(high: number, low: number, timeMicroseconds: number): boolean {
    const place = (low ^ (low >>> 16) ^ high) & this.#mask;
    if (this.#high[place] === (high | 0) && this.#low[place] === (low | 0) &&
      Math.abs(timeMicroseconds - (this.#times[place] as number)) <= this.#windowMicroseconds) return true;
    this.#high[place] = high;
    this.#low[place] = low;
    this.#times[place] = timeMicroseconds;
    return false;
  }
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
