/** How fast exporters send: units a second over the last ten seconds or more. A function of counts and times. */

/** Rates rest on so much time at least. */
const spanMs = 10_000;

type Sample = { readonly atMs: number; readonly units: ReadonlyMap<string, number> };

export class Rates {
  #before: Sample | undefined;
  #latest: Sample | undefined;

  /** Is it time to call `sample` again? It looks at all domains, which takes a while when there are thousands. */
  isDue(nowMs: number): boolean {
    return this.#latest === undefined || nowMs - this.#latest.atMs >= spanMs || nowMs < this.#latest.atMs;
  }

  /** Notes how many units there are. @param units  by domain */
  sample(nowMs: number, units: ReadonlyMap<string, number>): void {
    this.#before = this.#latest;
    this.#latest = { atMs: nowMs, units };
  }

  /** Units a second; null before two samples were taken. A domain that is new began at 0. */
  rateOf(domain: string): number | null {
    const [before, latest] = [this.#before, this.#latest];
    if (before === undefined || latest === undefined || latest.atMs <= before.atMs) return null;
    const grown = (latest.units.get(domain) ?? 0) - (before.units.get(domain) ?? 0);
    return Math.max(0, grown) * 1_000 / (latest.atMs - before.atMs);
  }
}

/** Name of a domain among all. */
export function domainKey({ exporter, version, domain }: {
  readonly exporter: string; readonly version: number; readonly domain: number;
}): string {
  return `${exporter}/${version}/${domain}`;
}
