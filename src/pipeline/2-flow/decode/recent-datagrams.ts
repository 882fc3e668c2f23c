/**
 * The last datagrams, byte for byte, in a ring of fixed size: so that a copy made by the network is told from a
 * restarted exporter or one that does not count. Only asked when a sequence number goes back.
 */
import type { ExportDomain } from './export-domain.ts';

type Entry = { domain: ExportDomain; sequence: number; at: number; bytes: number; writtenAt: number };

/** Bytes of the ring for each datagram that can be found again: few are smaller than this. */
const bytesPerEntry = 256;
/** Datagrams that share a bucket, by domain and number: templates have the number of what follows them. */
const bucketEntries = 4;

export class RecentDatagrams {
  readonly #ring: Uint8Array;
  /** Buckets one after the other; within one the oldest entry is overwritten. */
  readonly #entries: (Entry | undefined)[];
  /** The next place of each bucket. */
  readonly #next: Uint8Array;
  /** Bytes written so far, those skipped at the end of the ring too. */
  #written = 0;

  /** @param ringBytes  0 remembers nothing */
  constructor(ringBytes: number) {
    this.#ring = new Uint8Array(ringBytes);
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, ringBytes / bytesPerEntry / bucketEntries)));
    this.#entries = new Array<Entry | undefined>(buckets * bucketEntries).fill(undefined);
    this.#next = new Uint8Array(buckets);
  }

  /** Remembers a datagram. @param bytes  copied */
  add(domain: ExportDomain, sequence: number, bytes: Uint8Array): void {
    const ringBytes = this.#ring.length;
    if (bytes.length > ringBytes || ringBytes === 0) return;
    let at = this.#written % ringBytes;
    if (at + bytes.length > ringBytes) {
      this.#written += ringBytes - at;
      at = 0;
    }
    this.#ring.set(bytes, at);
    const bucket = this.#bucketOf(domain, sequence);
    const place = this.#next[bucket] as number;
    this.#next[bucket] = (place + 1) % bucketEntries;
    const entry = this.#entries[bucket * bucketEntries + place];
    if (entry === undefined) {
      this.#entries[bucket * bucketEntries + place] =
        { domain, sequence, at, bytes: bytes.length, writtenAt: this.#written };
    } else {
      entry.domain = domain;
      entry.sequence = sequence;
      entry.at = at;
      entry.bytes = bytes.length;
      entry.writtenAt = this.#written;
    }
    this.#written += bytes.length;
  }

  /** True when this very datagram of the domain is remembered. */
  has(domain: ExportDomain, sequence: number, bytes: Uint8Array): boolean {
    const first = this.#bucketOf(domain, sequence) * bucketEntries;
    for (let i = first; i < first + bucketEntries; i++) {
      const entry = this.#entries[i];
      if (entry !== undefined && entry.sequence === sequence && entry.domain === domain &&
        entry.bytes === bytes.length && this.#written - entry.writtenAt <= this.#ring.length &&
        this.#isSame(entry.at, bytes)) return true;
    }
    return false;
  }

  #bucketOf({ exporter, domain }: ExportDomain, sequence: number): number {
    const mixed = Math.imul(sequence ^ Math.imul(exporter[3] ^ domain, 0x85eb_ca6b), 0x9e37_79b1);
    return (mixed >>> 16 ^ mixed) & (this.#next.length - 1);
  }

  #isSame(at: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.#ring[at + i] !== bytes[i]) return false;
    return true;
  }
}
