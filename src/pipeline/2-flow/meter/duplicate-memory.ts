/**
 * Finds second copies of a packet, as mirrored switch ports and captures on several interfaces make them: the same
 * headers (hop count and header checksum apart) within a few milliseconds. Payload is compared through the transport
 * checksum only; no byte of it is read. Direct-mapped and bounded: a displaced packet's copy is metered as a packet.
 *
 * What cannot be told from a real repetition is kept: a TCP segment without payload (hosts repeat acknowledgements and
 * resets) or a UDP datagram without checksum, when no IPv4 identification tells the copies apart.
 */
import { limits } from '#base';
import type { HeaderSlab } from './header-slab.ts';

const protocolTcp = 6;
const protocolUdp = 17;

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
    const protocol = slab.protocol[slot] as number;
    const identification = slab.identification[slot] as number;
    const octets = slab.octets[slot] as number;
    const words = slot * 4;
    let high = Math.imul(identification ^ (octets << 16), 0x9e3779b1) ^ (slab.sourceAddress[words + 3] as number);
    let low = Math.imul((slab.destinationAddress[words + 3] as number) ^ protocol, 0x85ebca6b) ^ octets;
    if (slab.ipVersion[slot] === 6) {
      for (let i = 0; i < 3; i++) {
        high = Math.imul(high ^ (slab.sourceAddress[words + i] as number), 0xc2b2ae35);
        low = Math.imul(low ^ (slab.destinationAddress[words + i] as number), 0x27d4eb2f);
        high ^= high >>> 15;
        low ^= low >>> 13;
      }
    }
    if (slab.fragment[slot] === 2) {
      // The fragments of one datagram differ in their offset alone.
      if (identification === 0) return false;
      low = mix(low, fragmentOffset);
    } else if (protocol === protocolTcp) {
      if (end - at < 20) return false;
      const headerBytes = (view.getUint8(at + 12) >>> 4) * 4;
      if (identification === 0 && octets <= (slab.ipVersion[slot] === 4 ? 20 : 40) + headerBytes) return false;
      high = mix(mix(mix(high, view.getInt32(at)), view.getInt32(at + 4)), view.getInt32(at + 8));
      low = mix(mix(mix(low, view.getInt32(at + 12)), view.getInt32(at + 16)), high);
    } else {
      if (end - at < 8) return false;
      // ICMP keeps its checksum in the first word, UDP in the second.
      if (identification === 0 && (protocol !== protocolUdp || !hasFullChecksum(slab, slot, view, at))) return false;
      high = mix(high, view.getInt32(at));
      low = mix(mix(low, view.getInt32(at + 4)), high);
    }
    return this.#isKnown(high, low, slab.timeMicroseconds[slot] as number);
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

/**
 * True when the UDP checksum covers the payload: not absent, and not the bare pseudo-header sum that a sending host
 * leaves for its network card to complete (such datagrams of one length all look alike).
 */
function hasFullChecksum(slab: HeaderSlab, slot: number, view: DataView, at: number): boolean {
  const checksum = view.getUint16(at + 6);
  if (checksum === 0) return false;
  let sum = (slab.protocol[slot] as number) + view.getUint16(at + 4);
  const first = slab.ipVersion[slot] === 4 ? 3 : 0;
  for (let i = slot * 4 + first; i < slot * 4 + 4; i++) {
    const source = slab.sourceAddress[i] as number;
    const destination = slab.destinationAddress[i] as number;
    sum += (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return checksum !== sum;
}
