/** Counts by name. Every rejection, drop and limit reached is counted in one of these. */

export class Counts<Name extends string = string> {
  readonly #counts = new Map<Name, number>();

  add(name: Name, amount = 1): void {
    if (amount !== 0) this.#counts.set(name, (this.#counts.get(name) ?? 0) + amount);
  }

  get(name: Name): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Sum over all names. */
  total(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }

  /** Adds all counts of another. */
  merge(other: Counts<Name>): void {
    for (const [name, count] of other.#counts) this.add(name, count);
  }

  /** Plain object with the names sorted, for JSON. */
  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
