/**
 * 64 bits that stand for the bytes of a datagram, to know its copies by: 16 lanes that take a word of every 64 bytes
 * each, then two halves that take every lane. Every step is reversible, so datagrams that differ in one word never look
 * alike, others by chance of 2^-64. No defence against somebody who wants two to look alike: who can send in an
 * exporter's name needs none. The kernel (`kernels/decode/`) does the same in a twentieth of the time.
 */
export type DatagramHash = { low: number; high: number };

export const hashLayout = { laneCount: 16, blockBytes: 64 } as const;
export const hashConstants = {
  laneStep: 0x9e3779b1, laneFactor: 0x85ebca77, lowFactor: 0xc2b2ae3d, highFactor: 0x27d4eb2f,
} as const;
const { laneStep, laneFactor, lowFactor, highFactor } = hashConstants;

const lanes = new Int32Array(hashLayout.laneCount);
const block = new Uint8Array(hashLayout.blockBytes);
const words = new DataView(block.buffer);

/** Fills `out` with two words of 32 bits, unsigned. */
export function hashDatagram(bytes: Uint8Array, out: DatagramHash): void {
  for (let i = 0; i < lanes.length; i++) lanes[i] = Math.imul(i + 1, laneStep);
  for (let at = 0; at < bytes.length; at += block.length) {
    block.fill(0);
    block.set(bytes.subarray(at, at + block.length));
    for (let i = 0; i < lanes.length; i++) {
      lanes[i] = turn(Math.imul(lanes[i]! ^ words.getInt32(i * 4, true), laneFactor));
    }
  }
  let low = bytes.length;
  let high = ~bytes.length;
  for (const lane of lanes) {
    low = turn(Math.imul(low ^ lane, lowFactor));
    high = turn(Math.imul(high ^ lane, highFactor));
  }
  out.low = low >>> 0;
  out.high = high >>> 0;
}

/** Turned to the left by 13 bits, so that the upper bits, which a product leaves alone, reach all others. */
function turn(word: number): number {
  return word << 13 | word >>> 19;
}
