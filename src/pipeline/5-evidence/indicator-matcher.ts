/**
 * Flows of homes that went to an indicator's destination. Each is told once an hour for each destination, and of few
 * destinations: whoever acts wants to know that a home talks to them, not how often. Event time; no clock.
 */
import {
  addressWords, assertInvariant, formatAddress, isMapped, limits, protocolTcp, protocolUdp, type Prefix,
} from '#base';
import type { FlowBatch } from '#flow';
import { EvidenceStore } from './evidence-store.ts';
import type { Indicator, IndicatorHit } from './indicator.ts';

export type IndicatorLimits = {
  /** Told hits that are remembered; at the limit the oldest is forgotten and may be told again. */
  readonly memoryEntries: number;
  /** Destinations told of a home, an indicator and an hour. */
  readonly destinationsMax: number;
};

export type IndicatorCounts = {
  /** Flows of homes that were looked at. */
  flows: number;
  /** Flow and indicator together that fitted. */
  matches: number;
  /** Of these: told. */
  hits: number;
  /** Of these: told within the same hour already. */
  repeats: number;
  /** Of these: not told, as there were enough destinations within the hour. */
  overDestinations: number;
};

/** The flows to look at, beside their batch. */
export type IndicatorRows = {
  /** [rowCount] index of each row's home, or `EvidenceStore.noHome`. Its source is the home's side. */
  readonly homes: Uint32Array;
  /** [rowCount] when each flow ended, on the timeline of evidence. */
  readonly endMs: Float64Array;
};

const hourMs = 3_600_000;
const protocolNumbers = { tcp: protocolTcp, udp: protocolUdp } as const;

type Entry = { readonly indicator: Indicator; readonly index: number; readonly protocolNumber: number };

/** An address without the bits beyond a prefix: the last word of IPv4, text of IPv6. */
type MaskedAddress = number | string;

/** Entries of one prefix length of one family. */
type PrefixTable = {
  readonly isIPv4: boolean;
  readonly bits: number;
  readonly entries: Map<MaskedAddress, Entry[]>;
};

export class IndicatorMatcher {
  readonly #byPrefix: PrefixTable[] = [];
  /** Entries of any destination, by port. */
  readonly #byPort: ReadonlyMap<number, readonly Entry[]>;
  readonly #limits: IndicatorLimits;
  /** Told hits, oldest first. */
  readonly #told = new Set<string>();
  /** Destinations told, by home, indicator and hour; oldest first. */
  readonly #destinations = new Map<string, number>();
  readonly #counts: IndicatorCounts = { flows: 0, matches: 0, hits: 0, repeats: 0, overDestinations: 0 };

  /** @param indicators  each names a destination or a port, or both; kept */
  constructor(indicators: readonly Indicator[], options: Partial<IndicatorLimits> = {}) {
    this.#limits = {
      memoryEntries: limits.indicatorMemoryEntries, destinationsMax: limits.indicatorDestinationsMax, ...options,
    };
    const byPort = new Map<number, Entry[]>();
    for (const [index, indicator] of indicators.entries()) {
      const { destination, port, name } = indicator;
      assertInvariant(destination !== undefined || port !== undefined, `indicator ${name} is about every flow`);
      const entry = { indicator, index, protocolNumber: protocolNumbers[indicator.protocol] };
      if (destination === undefined) append(byPort, port as number, entry);
      else this.#addPrefix(destination, entry);
    }
    this.#byPort = byPort;
  }

  get isEmpty(): boolean {
    return this.#byPrefix.length === 0 && this.#byPort.size === 0;
  }

  /**
   * Hits of a batch that were not told within the same hour.
   *
   * @param batch   read only
   * @param nameOf  name of a home; asked for flows that fit alone
   */
  match(batch: FlowBatch, { homes, endMs }: IndicatorRows, nameOf: (home: number) => string): IndicatorHit[] {
    const hits: IndicatorHit[] = [];
    if (this.isEmpty) return hits;
    const { protocolIdentifier } = batch.columns;
    for (let row = 0; row < batch.rowCount; row++) {
      const home = homes[row] as number;
      if (home === EvidenceStore.noHome) continue;
      this.#counts.flows++;
      const protocol = protocolIdentifier[row] as number;
      if (protocol !== protocolTcp && protocol !== protocolUdp) continue;
      for (const entry of this.#entriesOf(batch, row, protocol)) {
        this.#counts.matches++;
        const hit = this.#take(batch, row, { entry, home: nameOf(home), endMs: endMs[row] as number });
        if (hit !== undefined) hits.push(hit);
      }
    }
    return hits;
  }

  counts(): Readonly<IndicatorCounts> {
    return { ...this.#counts };
  }

  /** Forgets what was told of a home. */
  forget(home: string): void {
    for (const kept of [this.#told, this.#destinations]) {
      for (const key of kept.keys()) if (homeOfKey(key) === home) kept.delete(key);
    }
  }

  #addPrefix({ words, lengthBits: bits }: Prefix, entry: Entry): void {
    const address = Uint32Array.from(words);
    const isIPv4 = isMapped(address, 0);
    let table = this.#byPrefix.find((one) => one.isIPv4 === isIPv4 && one.bits === bits);
    if (table === undefined) this.#byPrefix.push(table = { isIPv4, bits, entries: new Map() });
    append(table.entries, maskAddress(address, 0, table), entry);
  }

  /** Entries that fit a row, in the order of the indicators. */
  #entriesOf({ columns }: FlowBatch, row: number, protocol: number): Entry[] {
    const port = columns.destinationTransportPort[row] as number;
    const found: Entry[] = [];
    const takeFitting = (entries: readonly Entry[] | undefined): void => {
      for (const entry of entries ?? []) {
        const isFitting = entry.protocolNumber === protocol && (entry.indicator.port ?? port) === port;
        if (isFitting) found.push(entry);
      }
    };
    takeFitting(this.#byPort.get(port));
    const isIPv4 = isMapped(columns.destinationAddress, row * addressWords);
    for (const table of this.#byPrefix) {
      if (table.isIPv4 !== isIPv4) continue;
      takeFitting(table.entries.get(maskAddress(columns.destinationAddress, row * addressWords, table)));
    }
    return found.length < 2 ? found : found.sort((a, b) => a.index - b.index);
  }

  /** The hit of a row and an entry, unless it was told. */
  #take({ columns }: FlowBatch, row: number, { entry, home, endMs }: { entry: Entry; home: string; endMs: number }):
  IndicatorHit | undefined {
    const { indicator } = entry;
    const destination = formatAddress(columns.destinationAddress, row * addressWords);
    const port = columns.destinationTransportPort[row] as number;
    const hour = Math.floor(endMs / hourMs);
    const group = JSON.stringify([home, entry.index, hour]);
    const key = JSON.stringify([home, entry.index, hour, destination]);
    if (this.#told.has(key)) {
      this.#counts.repeats++;
      return undefined;
    }
    const count = this.#destinations.get(group) ?? 0;
    if (count >= this.#limits.destinationsMax) {
      this.#counts.overDestinations++;
      return undefined;
    }
    this.#destinations.set(group, count + 1);
    this.#told.add(key);
    dropOldest(this.#told, this.#limits.memoryEntries);
    dropOldest(this.#destinations, this.#limits.memoryEntries);
    this.#counts.hits++;
    return {
      home, indicator: indicator.name, deviceModels: indicator.deviceModels,
      homeAddress: formatAddress(columns.sourceAddress, row * addressWords),
      destination, protocol: indicator.protocol, port, flowMs: endMs,
    };
  }
}

function append<K>(map: Map<K, Entry[]>, key: K, entry: Entry): void {
  const entries = map.get(key);
  if (entries === undefined) map.set(key, [entry]);
  else entries.push(entry);
}

function dropOldest(kept: Set<string> | Map<string, number>, entriesMax: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= entriesMax) return;
    kept.delete(key);
  }
}

function homeOfKey(key: string): string {
  return (JSON.parse(key) as [string])[0];
}

/** @param at  first word of an address of the table's family */
function maskAddress(words: Uint32Array, at: number, { isIPv4, bits }: PrefixTable): MaskedAddress {
  if (isIPv4) return maskWord(words[at + addressWords - 1] as number, bits - 96);
  let text = '';
  for (let i = 0; i * 32 < bits; i++) text += ` ${maskWord(words[at + i] as number, bits - i * 32)}`;
  return text;
}

function maskWord(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : (word & (0xffff_ffff << (32 - bits))) >>> 0;
}
