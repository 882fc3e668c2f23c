/**
 * Data sets that came before their template (RFC 7011 §9 allows a collector to keep them): copied, bounded in bytes and
 * time, and replayed in the order of arrival when the template comes.
 */
import type { ExportDomain } from './export-domain.ts';
import type { WaitingTemplate } from './export-types.ts';
import type { MessageHeader } from './message-header.ts';
import type { OpenMessage } from './open-message.ts';

export type WaitingSet = {
  readonly domain: ExportDomain;
  readonly templateId: number;
  readonly header: MessageHeader;
  /** Arrival of its datagram. */
  readonly receivedMs: number;
  /** The whole set with its header. */
  readonly bytes: Uint8Array;
  /** Its message, in the domain's account. */
  readonly message: OpenMessage;
};

/** Memory that an entry takes beside its bytes, counted against the limit so that tiny sets cannot add up. */
export const entryBytes = 256;

export class WaitingSets {
  /** In the order of arrival. A place is empty once its set was taken out; empty places are at most as many again. */
  #queue: Place[] = [];
  #front = 0;
  /** By template id, for each domain: a template looks at the sets that wait for it and no others. */
  readonly #byTemplate = new Map<ExportDomain, Map<number, Place[]>>();
  #count = 0;
  #bytes = 0;
  readonly #bytesMax: number;
  readonly #waitMs: number;

  constructor(options: { readonly bytesMax: number; readonly waitMs: number }) {
    this.#bytesMax = options.bytesMax;
    this.#waitMs = options.waitMs;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the sets themselves. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False when there is no room. @param set  its header and bytes are copied */
  add(set: WaitingSet): boolean {
    if (this.#bytes + set.bytes.length + (this.#count + 1) * entryBytes > this.#bytesMax) return false;
    const place: Place = { set: { ...set, header: { ...set.header }, bytes: set.bytes.slice() } };
    this.#queue.push(place);
    const ofDomain = this.#byTemplate.get(set.domain) ?? new Map<number, Place[]>();
    this.#byTemplate.set(set.domain, ofDomain);
    const places = ofDomain.get(set.templateId);
    if (places === undefined) ofDomain.set(set.templateId, [place]);
    else places.push(place);
    this.#count++;
    this.#bytes += set.bytes.length;
    set.domain.waitingSets++;
    return true;
  }

  /** What waits in a domain, the template that is waited for longest first, at most `listedMax` of them. */
  list(domain: ExportDomain, listedMax: number): WaitingTemplate[] {
    const listed: WaitingTemplate[] = [];
    for (const [templateId, places] of this.#byTemplate.get(domain) ?? []) {
      let bytes = 0;
      for (const { set } of places) bytes += set?.bytes.length ?? 0;
      listed.push({ templateId, sinceMs: places[0]?.set?.receivedMs ?? 0, sets: places.length, bytes });
    }
    return listed.sort((a, b) => a.sinceMs - b.sinceMs).slice(0, listedMax);
  }

  /** All sets that wait, oldest first. */
  *all(): Generator<WaitingSet, void, void> {
    for (let i = this.#front; i < this.#queue.length; i++) {
      const { set } = this.#queue[i] as Place;
      if (set !== undefined) yield set;
    }
  }

  /** Takes out the sets that wait for a template, oldest first. */
  takeFor(domain: ExportDomain, templateId: number): readonly WaitingSet[] {
    const ofDomain = this.#byTemplate.get(domain);
    const places = ofDomain?.get(templateId);
    if (ofDomain === undefined || places === undefined) return nothing;
    ofDomain.delete(templateId);
    if (ofDomain.size === 0) this.#byTemplate.delete(domain);
    const taken: WaitingSet[] = [];
    for (const place of places) this.#empty(place, taken);
    this.#compact();
    return taken;
  }

  /** Takes out the sets that have waited too long; an arrival that is younger than what is behind it holds those up. */
  takeExpired(nowMs: number): readonly WaitingSet[] {
    return this.#takeWhile((set) => nowMs - set.receivedMs > this.#waitMs);
  }

  /** Takes out everything. */
  takeAll(): readonly WaitingSet[] {
    return this.#takeWhile(() => true);
  }

  #takeWhile(isWanted: (set: WaitingSet) => boolean): readonly WaitingSet[] {
    if (this.#count === 0) return nothing;
    const taken: WaitingSet[] = [];
    for (; this.#front < this.#queue.length; this.#front++) {
      const place = this.#queue[this.#front] as Place;
      const { set } = place;
      if (set === undefined) continue;
      if (!isWanted(set)) break;
      const ofDomain = this.#byTemplate.get(set.domain);
      const places = ofDomain?.get(set.templateId);
      // Places of one template are in the order of the queue, so the one at its front is the first of them.
      places?.shift();
      if (places?.length === 0) ofDomain?.delete(set.templateId);
      if (ofDomain?.size === 0) this.#byTemplate.delete(set.domain);
      this.#empty(place, taken);
    }
    this.#compact();
    return taken;
  }

  #empty(place: Place, taken: WaitingSet[]): void {
    const { set } = place;
    if (set === undefined) return;
    place.set = undefined;
    this.#count--;
    this.#bytes -= set.bytes.length;
    set.domain.waitingSets--;
    taken.push(set);
  }

  #compact(): void {
    if (this.#queue.length <= this.#count * 2 + emptyPlacesMax) return;
    this.#queue = this.#queue.filter(({ set }) => set !== undefined);
    this.#front = 0;
  }
}

type Place = { set: WaitingSet | undefined };

/** Empty places that are not worth a new queue. */
const emptyPlacesMax = 32;

const nothing: readonly WaitingSet[] = [];
