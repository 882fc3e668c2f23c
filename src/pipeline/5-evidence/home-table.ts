/** Homes by index: their names, how far their time has come, where their entries begin. Bounded; freed is reused. */
import { assertInvariant } from '#base';
import { chainEnd } from './evidence-table.ts';
import { HomeDays, type HomeDaysOptions } from './home-days.ts';

const homesFirst = 16;

export class HomeTable {
  readonly #homesMax: number;
  readonly #index = new Map<string, number>();
  readonly #names: (string | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #dirty = new Set<number>();
  readonly #advanced = new Set<number>();
  /** [home]: bucket of the latest flow, -Infinity before the first. Read only elsewhere. */
  latest = new Float64Array(homesFirst);
  /** [home]: first entry of its chain. */
  firstEntry = new Uint32Array(homesFirst);
  /** Flows of each home by day. */
  readonly days: HomeDays;
  /** Names that found no room. */
  refused = 0;
  /** Changes when an index becomes free. */
  generation = 0;

  constructor(homesMax: number, days: HomeDaysOptions) {
    this.#homesMax = homesMax;
    this.days = new HomeDays(days);
  }

  get count(): number {
    return this.#index.size;
  }

  /** Index of a name, new or not; undefined without room. */
  intern(name: string): number | undefined {
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    if (this.#index.size >= this.#homesMax) {
      this.refused++;
      return undefined;
    }
    const home = this.#free.pop() ?? this.#names.length;
    if (home === this.latest.length) this.#grow();
    this.#names[home] = name;
    this.#index.set(name, home);
    this.latest[home] = -Infinity;
    this.days.begin(home);
    this.firstEntry[home] = chainEnd;
    return home;
  }

  find(name: string): number | undefined {
    return this.#index.get(name);
  }

  has(home: number): boolean {
    return this.#names[home] !== undefined;
  }

  name(home: number): string {
    const name = this.#names[home];
    assertInvariant(name !== undefined, `no home has the index ${home}`);
    return name;
  }

  indices(): Iterable<number> {
    return this.#index.values();
  }

  /** Notes that flows of a home have come to a later bucket. */
  advance(home: number, bucket: number): void {
    this.latest[home] = bucket;
    this.#advanced.add(home);
    this.#dirty.add(home);
  }

  /** Homes that came to a later bucket since the last call. */
  takeAdvanced(): number[] {
    if (this.#advanced.size === 0) return [];
    const homes = [...this.#advanced];
    this.#advanced.clear();
    return homes;
  }

  markDirty(home: number): void {
    this.#dirty.add(home);
  }

  takeDirty(): string[] {
    const names = [...this.#dirty].map((home) => this.name(home));
    this.#dirty.clear();
    return names;
  }

  /** Frees an index; the caller has freed its entries. */
  remove(home: number): void {
    this.#index.delete(this.name(home));
    this.#names[home] = undefined;
    this.#free.push(home);
    this.#dirty.delete(home);
    this.#advanced.delete(home);
    this.generation++;
  }

  #grow(): void {
    const latest = new Float64Array(this.latest.length * 2);
    latest.set(this.latest);
    this.latest = latest;
    const firstEntry = new Uint32Array(latest.length);
    firstEntry.set(this.firstEntry);
    this.firstEntry = firstEntry;
  }
}
