/**
 * Hashes of the last datagrams, in memory of fixed size: so that a copy made by the network is told from a restarted
 * exporter or one that does not count. Only asked when a sequence number goes back.
 */
import type { DatagramHash } from './datagram-hash.ts';
import type { ExportDomain } from './export-domain.ts';

/** An entry: sequence number, length, and the hash, into which the exporter's address goes. */
const entryWords = 4;
/** Bytes of memory for each datagram. */
export const bytesPerRecent = entryWords * 4;
/** Datagrams that share a bucket, which is a line of the processor's cache. */
const bucketEntries = 4;
const bucketWords = entryWords * bucketEntries;
/** Lengths have 16 bits; above that of a bucket's first entry stands which of its entries is the oldest. */
const lengthMask = 0xffff;
const oldestShift = 16;

export class RecentDatagrams {
  readonly #words: Uint32Array;
  /** Of buckets, minus 1: a power of two; -1 without any. */
  readonly #mask: number;

  /** @param memoryBytes  less than a bucket remembers nothing */
  constructor(memoryBytes: number) {
    const buckets = Math.floor(memoryBytes / bytesPerRecent / bucketEntries);
    const count = buckets < 1 ? 0 : 2 ** Math.floor(Math.log2(buckets));
    this.#words = new Uint32Array(count * bucketWords);
    this.#mask = count - 1;
  }

  /** Is there room for any? Otherwise hashes need not be made. */
  get isUsed(): boolean {
    return this.#mask >= 0;
  }

  /** Remembers a datagram, in the place of the oldest of its bucket. @param lengthBytes  1..65,535 */
  add(domain: ExportDomain, sequence: number, lengthBytes: number, hash: DatagramHash): void {
    if (!this.isUsed) return;
    const words = this.#words;
    const own = mixAddress(domain);
    const bucket = this.#bucketOf(own, sequence);
    const oldest = words[bucket + 1]! >>> oldestShift;
    const at = bucket + oldest * entryWords;
    words[at] = sequence;
    words[at + 1] = lengthBytes;
    words[at + 2] = hash.low ^ own;
    words[at + 3] = hash.high;
    words[bucket + 1] = words[bucket + 1]! & lengthMask | (oldest + 1) % bucketEntries << oldestShift;
  }

  /** True when this very datagram of the exporter is remembered. */
  has(domain: ExportDomain, sequence: number, lengthBytes: number, hash: DatagramHash): boolean {
    if (!this.isUsed) return false;
    const words = this.#words;
    const own = mixAddress(domain);
    const low = (hash.low ^ own) >>> 0;
    const first = this.#bucketOf(own, sequence);
    for (let at = first; at < first + bucketWords; at += entryWords) {
      if (words[at + 2] === low && words[at + 3] === hash.high && words[at] === sequence &&
        (words[at + 1]! & lengthMask) === lengthBytes) return true;
    }
    return false;
  }

  /** Where the bucket of a datagram begins. */
  #bucketOf(own: number, sequence: number): number {
    const mixed = Math.imul(sequence ^ own, 0x9e37_79b1);
    return ((mixed >>> 15 ^ mixed) & this.#mask) * bucketWords;
  }
}

/** One word of an exporter's address and domain; no two IPv4 addresses have the same in a domain. */
function mixAddress({ exporter: [w0, w1, w2, w3], domain }: ExportDomain): number {
  return Math.imul(Math.imul(Math.imul(Math.imul(w0 ^ domain, 0x85eb_ca6b) ^ w1, 0xc2b2_ae35) ^ w2, 0x27d4_eb2f) ^ w3,
    0x85eb_ca6b);
}
