/**
 * Takes one packet of N before the meter, as sampling exporters do. Two ways of RFC 5475: systematic count-based
 * (§5.1), the last of each N packets; and random 1-out-of-N (§5.2.1), one of each N packets, any of them with the same
 * chance. Which packets are taken depends on their order and the seed alone, never on how they were batched.
 */
import { assertInvariant, Random } from '#base';
import { createPacketBatch, type PacketBatch } from '#capture';

export type SamplingWay = 'systematic' | 'random';
export const samplingWays: readonly SamplingWay[] = ['systematic', 'random'];

/** One packet of `interval`; told to collectors, so that they can renormalise. */
export type Sampling = {
  readonly way: SamplingWay;
  /** At least 1. */
  readonly interval: number;
};

export class PacketSampler {
  /** Packets that were looked at, and that were taken. */
  seenCount = 0;
  takenCount = 0;
  readonly #interval: number;
  readonly #random: Random | undefined;
  /** Packets to pass over before the next is taken. */
  #passOver: number;
  /** Of the present N, how many come after the one that is taken. */
  #rest = 0;
  #out: PacketBatch | undefined;

  /** @param seed  of the random way: the same one takes the same packets */
  constructor(sampling: Sampling, seed: number) {
    assertInvariant(Number.isInteger(sampling.interval) && sampling.interval >= 1, 'a sampling interval');
    this.#interval = sampling.interval;
    this.#random = sampling.way === 'random' ? new Random(seed) : undefined;
    this.#passOver = this.#choose();
  }

  /**
   * The packets of a batch that are taken, in their order.
   *
   * @param packets  read only
   * @returns        over the same bytes, valid as long as `packets` is; overwritten by the next call
   */
  take(packets: PacketBatch): PacketBatch {
    const { rowCount } = packets;
    this.seenCount += rowCount;
    if (this.#interval === 1) {
      this.takenCount += rowCount;
      return packets;
    }
    if (this.#out === undefined || this.#out.capacity < rowCount) this.#out = createPacketBatch(packets.capacity);
    const out = this.#out;
    out.rowCount = 0;
    out.data = packets.data;
    let row = this.#passOver;
    while (row < rowCount) {
      copyPacket(packets, row, out);
      const rest = this.#rest;
      row += 1 + rest + this.#choose();
    }
    this.#passOver = row - rowCount;
    this.takenCount += out.rowCount;
    return out;
  }

  /** Chooses one of the next N. @returns how many of them come before it */
  #choose(): number {
    const before = this.#random === undefined ? this.#interval - 1 : this.#random.integer(0, this.#interval - 1);
    this.#rest = this.#interval - 1 - before;
    return before;
  }
}

/** Puts a row behind those of another batch over the same bytes. */
export function copyPacket(from: PacketBatch, row: number, to: PacketBatch): void {
  const at = to.rowCount++;
  to.timeMicroseconds[at] = from.timeMicroseconds[row] as number;
  to.networkOffset[at] = from.networkOffset[row] as number;
  to.networkBytes[at] = from.networkBytes[row] as number;
  to.ipVersion[at] = from.ipVersion[row] as number;
  to.linkOffset[at] = from.linkOffset[row] as number;
  to.vlanId[at] = from.vlanId[row] as number;
  to.interfaceIndex[at] = from.interfaceIndex[row] as number;
}
