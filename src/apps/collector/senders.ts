/**
 * Who sends, and how much each may: the allow-list of exporters and a token bucket for each of them. Bounded: forged
 * senders beyond the limit share one bucket, so that a flood of them takes nothing from an exporter that is known.
 * Functions of their input and of the time that they are given.
 */
import { formatAddress, limits, type AddressWords } from '#base';
import type { ExporterGate } from '#capture/listen';

export type SenderOptions = {
  /** Datagrams a second of one sender; 0: no limit. */
  readonly rateLimit: number;
  /** Datagrams that one may send at once. */
  readonly rateBurst: number;
  readonly sendersMax?: number;
  /** A sender that is silent for so long is forgotten. */
  readonly idleMs?: number;
};

/** What is to be done with a datagram. */
export type Admission = 'taken' | 'limited' | 'foreign';

/** Plain data: what one sender sent. */
export type SenderCounts = {
  /** Empty: all those that found no place of their own. */
  readonly address: string;
  readonly datagrams: number;
  /** Above its rate, and so not decoded; a part of `datagrams`. */
  readonly limitedDatagrams: number;
  readonly lastMs: number;
};

type Sender = {
  readonly address: string;
  datagrams: number;
  limited: number;
  lastMs: number;
  tokens: number;
};

export class Senders {
  readonly #options: Required<SenderOptions>;
  readonly #gate: Pick<ExporterGate, 'isAllowed'>;
  /** IPv4 by its number, which takes a quarter of the time that a text takes. */
  readonly #mapped = new Map<number, Sender>();
  readonly #others = new Map<string, Sender>();
  readonly #rest: Sender;
  #lastWords: AddressWords | undefined;
  #last: Sender | undefined;
  #foreign = 0;
  #taken = 0;
  #limited = 0;

  constructor(gate: Pick<ExporterGate, 'isAllowed'>, options: SenderOptions) {
    this.#options = { sendersMax: limits.collectorSendersMax, idleMs: limits.collectorSenderIdleMs, ...options };
    this.#gate = gate;
    this.#rest = this.#create('', 0);
  }

  /**
   * Judges a datagram.
   *
   * @param isLimited  false: it came by a connection, which is slowed by itself and never limited
   */
  admit(exporter: AddressWords, receivedMs: number, isLimited: boolean): Admission {
    const sender = this.#find(exporter, receivedMs);
    if (sender === undefined) {
      this.#foreign++;
      return 'foreign';
    }
    sender.datagrams++;
    if (!isLimited || this.#take(sender, receivedMs)) {
      sender.lastMs = receivedMs;
      this.#taken++;
      return 'taken';
    }
    sender.limited++;
    sender.lastMs = receivedMs;
    this.#limited++;
    return 'limited';
  }

  /** Forgets those that are silent for long. */
  sweep(nowMs: number): void {
    const { idleMs } = this.#options;
    for (const [key, sender] of this.#mapped) if (nowMs - sender.lastMs > idleMs) this.#mapped.delete(key);
    for (const [key, sender] of this.#others) if (nowMs - sender.lastMs > idleMs) this.#others.delete(key);
    this.#lastWords = undefined;
  }

  counts(): { readonly known: number; readonly taken: number; readonly limited: number; readonly foreign: number;
    readonly unlistedDatagrams: number; } {
    return {
      known: this.#mapped.size + this.#others.size, taken: this.#taken, limited: this.#limited, foreign: this.#foreign,
      unlistedDatagrams: this.#rest.datagrams,
    };
  }

  /** Those that were limited, the most first. */
  limitedSenders(countMax: number): SenderCounts[] {
    return [...this.#mapped.values(), ...this.#others.values(), this.#rest].filter(({ limited }) => limited > 0)
      .sort((a, b) => b.limited - a.limited).slice(0, countMax)
      .map(({ address, datagrams, limited, lastMs }) => ({ address, datagrams, limitedDatagrams: limited, lastMs }));
  }

  /** Takes a token. A clock that was set back gives none, and takes none. */
  #take(sender: Sender, nowMs: number): boolean {
    const { rateLimit, rateBurst } = this.#options;
    if (rateLimit === 0) return true;
    const passedMs = Math.max(0, nowMs - sender.lastMs);
    sender.tokens = Math.min(rateBurst, sender.tokens + passedMs * rateLimit / 1_000);
    if (sender.tokens < 1) return false;
    sender.tokens--;
    return true;
  }

  #find(exporter: AddressWords, nowMs: number): Sender | undefined {
    // Datagrams come in runs of one exporter, whose address is mostly the same object.
    if (exporter === this.#lastWords) return this.#last;
    const sender = isIPv4(exporter) ? this.#mapped.get(exporter[3]) : this.#others.get(keyOf(exporter));
    const found = sender ?? this.#add(exporter, nowMs);
    this.#lastWords = exporter;
    this.#last = found;
    return found;
  }

  #add(exporter: AddressWords, nowMs: number): Sender | undefined {
    // Strangers are not remembered: a flood of them takes no place of an exporter.
    if (!this.#gate.isAllowed(exporter)) return undefined;
    if (this.#mapped.size + this.#others.size >= this.#options.sendersMax) return this.#rest;
    const sender = this.#create(formatAddress(Uint32Array.from(exporter), 0), nowMs);
    if (isIPv4(exporter)) this.#mapped.set(exporter[3], sender);
    else this.#others.set(keyOf(exporter), sender);
    return sender;
  }

  #create(address: string, nowMs: number): Sender {
    return { address, datagrams: 0, limited: 0, lastMs: nowMs, tokens: this.#options.rateBurst };
  }
}

/** An IPv4 address, written as one of IPv6 (RFC 4291 §2.5.5.2). */
function isIPv4([a, b, c]: AddressWords): boolean {
  return a === 0 && b === 0 && c === 0xffff;
}

function keyOf([a, b, c, d]: AddressWords): string {
  return `${a}.${b}.${c}.${d}`;
}
