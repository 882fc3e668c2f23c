/**
 * Who may send flow records: the allow-list of exporters. UDP senders can be forged, so this keeps out mistakes and
 * strangers rather than attackers on the path; docs/commands/detect.md says what else is needed.
 */
import { isInPrefix, limits, parseAddress, type AddressWords, type Prefix } from '#base';

export class ExporterGate {
  readonly #exporters: readonly Prefix[];
  readonly #known = new Map<string, AddressWords | undefined>();
  #lastText = '';
  #last: AddressWords | undefined;

  /** @param exporters  empty: everybody */
  constructor(exporters: readonly Prefix[]) {
    this.#exporters = exporters;
  }

  /** Words of an allowed sender's address, IPv4 always as mapped; undefined for others. @param address  of a socket */
  admit(address: string): AddressWords | undefined {
    if (address === this.#lastText) return this.#last;
    this.#lastText = address;
    if (this.#known.has(address)) return this.#last = this.#known.get(address);
    // A flood of forged senders starts the memory afresh.
    if (this.#known.size >= limits.senderMemoryEntries) this.#known.clear();
    this.#last = this.#judge(address);
    this.#known.set(address, this.#last);
    return this.#last;
  }

  /** As `admit`, for an address in words. */
  isAllowed(words: AddressWords): boolean {
    if (this.#exporters.length === 0) return true;
    const column = Uint32Array.from(words);
    return this.#exporters.some((prefix) => isInPrefix(column, 0, prefix));
  }

  #judge(address: string): AddressWords | undefined {
    // A link-local address comes with its interface: fe80::1%eth0.
    const words = parseAddress(address.split('%', 1)[0] as string);
    return words !== undefined && this.isAllowed(words) ? words : undefined;
  }
}
