/**
 * The last datagrams, byte for byte, in a ring of fixed size: so that a copy made by the network is told from a
 * restarted exporter or one that does not count. Only asked when a sequence number goes back.
 */
import type { ExportDomain } from './export-domain.ts';

type Entry = { domain: ExportDomain; at: number; bytes: number; writtenAt: number };

const entriesMax = 64;

export class RecentDatagrams {
  readonly #ring: Uint8Array;
  readonly #entries: Entry[] = [];
  #next = 0;
  /** Bytes written so far, those skipped at the end of the ring too. */
  #written = 0;

  /** @param ringBytes  0 remembers nothing */
  constructor(ringBytes: number) {
    this.#ring = new Uint8Array(ringBytes);
  }

  /** Remembers a datagram. @param bytes  copied */
  add(domain: ExportDomain, bytes: Uint8Array): void {
    const ringBytes = this.#ring.length;
    if (bytes.length > ringBytes) return;
    let at = this.#written % ringBytes;
    if (at + bytes.length > ringBytes) {
      this.#written += ringBytes - at;
      at = 0;
    }
    this.#ring.set(bytes, at);
    const entry = this.#entries[this.#next];
    if (entry === undefined) this.#entries.push({ domain, at, bytes: bytes.length, writtenAt: this.#written });
    else {
      entry.domain = domain;
      entry.at = at;
      entry.bytes = bytes.length;
      entry.writtenAt = this.#written;
    }
    this.#written += bytes.length;
    this.#next = (this.#next + 1) % entriesMax;
  }

  /** True when this very datagram of the domain is remembered. */
  has(domain: ExportDomain, bytes: Uint8Array): boolean {
    return this.#entries.some((entry) => entry.domain === domain && entry.bytes === bytes.length &&
      this.#written - entry.writtenAt <= this.#ring.length && this.#isSame(entry.at, bytes));
  }

  #isSame(at: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.#ring[at + i] !== bytes[i]) return false;
    return true;
  }
}
