/**
 * What is known of the message that is being walked, for the account of its domain: how many units it has, how many of
 * them were decoded, and what was wrong or waits.
 */
import type { ExportDomain } from './export-domain.ts';
import type { ExportDatagram } from './export-types.ts';
import type { MessageHeader } from './message-header.ts';
import { createNumberedPlace } from './numbering.ts';
import { OpenMessage } from './open-message.ts';
import type { UnitFate } from './unit-parts.ts';

export class MessageAccount {
  readonly #place = createNumberedPlace();
  /** Data records so far, and how many of them are of options. */
  #records = 0;
  #options = 0;
  /** Bytes of data in which nobody could count records, yet or ever: above zero the units are not known. */
  #unreadBytes = 0;
  /** The first thing that was wrong. */
  #fate: UnitFate | undefined;
  /** Made when a set waits, or the units are not known. */
  #open: OpenMessage | undefined;

  begin(): void {
    this.#records = 0;
    this.#options = 0;
    this.#unreadBytes = 0;
    this.#fate = undefined;
    this.#open = undefined;
  }

  addRecords(records: number, isOptions: boolean): void {
    this.#records += records;
    if (isOptions) this.#options += records;
  }

  /** Something was wrong; the first of these is what is told of the message. */
  spoil(fate: UnitFate): void {
    this.#fate ??= fate;
  }

  /** So many bytes may hold data records that nobody has counted. */
  leaveUnread(bytes: number): void {
    this.#unreadBytes += bytes;
  }

  /** A set of the message will wait, if there is room. @returns the message to which it belongs */
  openFor(header: MessageHeader): OpenMessage {
    this.#open ??= new OpenMessage(header.version === 9);
    return this.#open;
  }

  /** What `read` finds wrong is not this message's. @returns its first fault */
  apart(read: () => void): UnitFate | undefined {
    const keptFate = this.#fate;
    const keptBytes = this.#unreadBytes;
    this.#fate = undefined;
    read();
    const found = this.#fate;
    this.#fate = keptFate;
    this.#unreadBytes = keptBytes;
    return found;
  }

  /** A set that waited was read: of this message, or of one before. */
  settle(domain: ExportDomain, message: OpenMessage, set: { records: number; options: number; bytes: number }): void {
    message.waitingSets--;
    message.unitsMax -= set.bytes;
    if (message === this.#open) {
      // Its template stands behind it in the very message.
      this.#records += set.records;
      this.#options += set.options;
      this.#unreadBytes -= set.bytes;
      return;
    }
    domain.sequence.decodeWaiting(message, set.records, set.options);
    if (message.waitingSets === 0) domain.sequence.close(message);
  }

  /**
   * Hands the message over to the account of its domain.
   *
   * @param units  as far as the header tells them: 1 for NetFlow v9, records for v5; of IPFIX they were counted
   */
  observe(domain: ExportDomain, header: MessageHeader, datagram: ExportDatagram, units: number): void {
    const place = this.#place;
    const isIpfix = header.version === 10;
    const isLimited = this.#fate === 'limited';
    const isOpen = this.#unreadBytes > 0 && header.version !== 9;
    let open = this.#open;
    if (open !== undefined && open.waitingSets === 0) open = undefined;
    if (isOpen) open ??= new OpenMessage(false);
    if (open !== undefined) {
      open.unitsMax = this.#unreadBytes;
      // A set that found no room, in a message with nothing else wrong, has been told as such.
      open.fate ??= this.#fate;
    }
    const known = isIpfix ? this.#records : units;
    place.sequence = header.sequence;
    place.units = isOpen ? -1 : known;
    place.flowUnits = isOpen ? -1 : known - this.#options;
    place.decoded = isLimited ? 0 : header.version === 9 ? Number(open === undefined && this.#fate === undefined)
      : this.#records;
    place.flowsDecoded = isLimited ? 0 : this.#records - this.#options;
    place.fate = this.#fate;
    place.message = open;
    this.#open = undefined;
    place.isIpfix = isIpfix;
    place.exportMs = header.exportMs;
    place.sentMs = isIpfix ? header.exportMs : header.uptimeMs;
    place.startedMs = isIpfix ? Number.NaN : header.exportMs - header.uptimeMs;
    const { kernelDrops = -1, socket = 0 } = datagram;
    place.drops = kernelDrops < 0 ? 0 : domain.explainDrops(socket, kernelDrops);
    const verdict = domain.sequence.observe(place);
    // Drops before a late message may still explain the hole behind it.
    if (verdict === 'late' || kernelDrops < 0) return;
    domain.socket = socket;
    domain.kernelDrops = kernelDrops;
  }
}
