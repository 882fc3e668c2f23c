/**
 * Which home a flow belongs to: the one home of this detector, or by exporter, by the exporter's ingress interface, or
 * by address. Only outward flows belong to one. Every row is mapped or counted under the reason why it is not.
 */
import { addressWords, Counts, formatAddress, isMapped, limits } from '#base';
import type { HomeContact } from '#action';
import { isOutward } from '#evidence';
import type { FlowBatch } from '#flow';
import type { DetectorConfig, HomeEntry } from './config/detector-config.ts';
import { writeAddress } from '#service';
import { HomePrefixes } from './home-prefixes.ts';

/** Index of a row without a home, as `EvidenceStore.noHome`. */
export const noHome = 0xffff_ffff;

/** Who numbers homes: the evidence store. */
export type HomeNumbers = {
  /** Index of a home, `noHome` when there are too many. */
  readonly internHome: (name: string) => number;
};

/** Why a row has no home. */
export type UnmappedReason =
  /** It is no flow from a home outward. */
  | 'inward'
  /** No home of the config claims it, and unlisted homes are ignored. */
  | 'no-home'
  /** As many homes are watched as may be. */
  | 'home-limit';

export type HomeMapperCounts = {
  readonly rows: number;
  readonly mapped: number;
  readonly unmapped: Readonly<Record<UnmappedReason, number>>;
};

export class HomeMapper {
  readonly #homes: DetectorConfig['homes'];
  readonly #numbers: HomeNumbers;
  readonly #entries: ReadonlyMap<string, HomeEntry>;
  /** Of entries, by exporter, or by exporter and interface. */
  readonly #claims: ReadonlyMap<string, string>;
  readonly #prefixes: HomePrefixes;
  /** Names by what tells homes apart, those of nobody too; '' is nobody's. */
  readonly #names = new Map<string | number, string>();
  readonly #memoryEntries: number;
  readonly #unmapped = new Counts<UnmappedReason>();
  #rowCount = 0;
  #mappedCount = 0;

  /**
   * @param homes    of the config
   * @param numbers  who gives homes their index
   */
  constructor(homes: DetectorConfig['homes'], numbers: HomeNumbers,
    more: { readonly memoryEntries?: number } = {}) {
    this.#homes = homes;
    this.#numbers = numbers;
    this.#entries = new Map(homes.list.map((entry) => [entry.home, entry]));
    this.#claims = new Map(homes.list.flatMap((entry) => claimOf(entry, homes.map)));
    this.#prefixes = new HomePrefixes(homes.list);
    this.#memoryEntries = more.memoryEntries ?? limits.homeMemoryEntries;
  }

  /**
   * The home of every row.
   *
   * @param batch  read only
   * @param out    [rowCount], overwritten: index of the home, or `noHome`
   */
  map(batch: FlowBatch, out: Uint32Array): void {
    const { inside } = this.#homes;
    let lastName = '';
    let lastIndex = noHome;
    for (let row = 0; row < batch.rowCount; row++) {
      out[row] = noHome;
      if (!isOutward(batch, row, inside)) {
        this.#unmapped.add('inward');
        continue;
      }
      const name = this.#nameOf(batch, row);
      if (name === '') {
        this.#unmapped.add('no-home');
        continue;
      }
      // Names are remembered and numbers are not: a home that was forgotten may get another number.
      if (name !== lastName) {
        lastName = name;
        lastIndex = this.#numbers.internHome(name);
      }
      if (lastIndex === noHome) this.#unmapped.add('home-limit');
      else this.#mappedCount++;
      out[row] = lastIndex;
    }
    this.#rowCount += batch.rowCount;
  }

  /** Remembers no address of a home. */
  forget(home: string): void {
    for (const [key, name] of this.#names) if (name === home) this.#names.delete(key);
  }

  /** What the config says of a home; undefined: it is not listed. */
  entryOf(home: string): HomeEntry | undefined {
    return this.#entries.get(home);
  }

  /** Whom to tell of a home; undefined: nobody is known. */
  contactOf(home: string): HomeContact | undefined {
    return this.#entries.get(home);
  }

  counts(): HomeMapperCounts {
    const unmapped = {
      inward: this.#unmapped.get('inward'), 'no-home': this.#unmapped.get('no-home'),
      'home-limit': this.#unmapped.get('home-limit'),
    };
    return { rows: this.#rowCount, mapped: this.#mappedCount, unmapped };
  }

  #nameOf({ columns }: FlowBatch, row: number): string {
    const { map, name } = this.#homes;
    if (map === 'single') return name;
    if (map === 'address') return this.#remember(columns.sourceAddress, row, -1);
    return this.#remember(columns.exporterAddress, row,
      map === 'interface' ? columns.ingressInterface[row] as number : -1);
  }

  /** @param interfaceIndex  -1: does not matter */
  #remember(column: Uint32Array, row: number, interfaceIndex: number): string {
    const at = row * addressWords;
    const key = keyOf(column, at, interfaceIndex);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    if (this.#names.size >= this.#memoryEntries) this.#names.clear();
    const name = this.#homes.map === 'address' ? this.#nameByAddress(column, at)
      : this.#nameByExporter(column, at, interfaceIndex);
    this.#names.set(key, name);
    return name;
  }

  #nameByAddress(column: Uint32Array, at: number): string {
    const words = [column[at], column[at + 1], column[at + 2], column[at + 3]] as [number, number, number, number];
    const listed = this.#prefixes.find(words);
    if (listed !== undefined) return listed;
    if (this.#homes.unlisted === 'ignore') return '';
    if (isMapped(column, at)) return formatAddress(column, at);
    // Hosts of one home share a /64, and change their addresses in it (RFC 8981).
    return `${writeAddress([words[0], words[1], 0, 0])}/64`;
  }

  #nameByExporter(column: Uint32Array, at: number, interfaceIndex: number): string {
    const exporter = formatAddress(column, at);
    const made = interfaceIndex < 0 ? exporter : `${exporter} interface ${interfaceIndex}`;
    const listed = this.#claims.get(made);
    if (listed !== undefined) return listed;
    return this.#homes.unlisted === 'ignore' ? '' : made;
  }
}

/** A key of the memory: a number for IPv4, which nearly all are, else a text. */
function keyOf(column: Uint32Array, at: number, interfaceIndex: number): string | number {
  const last = column[at + 3] as number;
  if (isMapped(column, at)) {
    // 21 bits of the interface fit beside the address into a double's 53.
    if (interfaceIndex < 0x1f_fffe) return (interfaceIndex + 1) * 0x1_0000_0000 + last;
    return `${last},${interfaceIndex}`;
  }
  return `${column[at]},${column[at + 1]},${column[at + 2]},${last},${interfaceIndex}`;
}

/** What an entry claims, as an unlisted home there would be named. */
function claimOf({ exporter, interfaceIndex, home }: HomeEntry, map: DetectorConfig['homes']['map']):
  [string, string][] {
  if (exporter === undefined || (map !== 'exporter' && map !== 'interface')) return [];
  const made = writeAddress(exporter);
  if (map === 'exporter') return [[made, home]];
  return interfaceIndex === undefined ? [] : [[`${made} interface ${interfaceIndex}`, home]];
}
