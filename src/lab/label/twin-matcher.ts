/**
 * Streams sightings of both taps past each other and settles them by windows of time: memory holds what may still find
 * its twin, no more. The clocks are estimated anew at each step. Follows the ground truth of Meidan et al. 2019, §6.
 */
import { limits } from '#base';
import { settleCluster, type Placed } from './settle-cluster.ts';
import { TapClock, type TapClockOptions } from './tap-clock.ts';
import type { InsideSighting, Sighting, TwinReceiver } from './twins.ts';

export type TwinMatcherOptions = {
  /** How late a sighting may come after later ones of its tap: flow records come when their flows end. */
  readonly windowMs: number;
  readonly clock: Partial<TapClockOptions>;
  /** Sightings of one side held at once; beyond, the window is cut short. */
  readonly heldMax: number;
};

export const twinMatcherDefaults: TwinMatcherOptions = { windowMs: 600_000, clock: {}, heldMax: limits.twinsHeldMax };

/** Sightings closer than this, or than four tolerances, are decided together. */
const guardMinMs = 20;
/** Sightings added between two looks at whether the window has moved on. */
const settleEvery = 4_096;

export class TwinMatcher<O extends Sighting, I extends InsideSighting> {
  readonly clock: TapClock;
  /** Times that the window was cut short for room. */
  cutShortCount = 0;
  readonly #options: TwinMatcherOptions;
  readonly #receiver: TwinReceiver<O, I>;
  #outside: O[] = [];
  #inside: I[] = [];
  #outsideMaxMs = -Infinity;
  #insideMaxMs = -Infinity;
  #settledMs = -Infinity;
  #nextSettleMs = -Infinity;
  #sinceSettle = 0;
  /** First and last use of each port with a peer, as far back as the window. */
  readonly #portUses = new Map<string, { firstMs: number; lastMs: number }>();

  constructor(receiver: TwinReceiver<O, I>, options: Partial<TwinMatcherOptions> = {}) {
    this.#receiver = receiver;
    this.#options = { ...twinMatcherDefaults, ...options };
    this.clock = new TapClock(this.#options.clock);
  }

  /** True when the outside tap is to be read next, so that both keep step. */
  get wantsOutside(): boolean {
    return this.#outsideMaxMs <= this.#insideMaxMs;
  }

  addOutside(sighting: O): void {
    this.#outsideMaxMs = Math.max(this.#outsideMaxMs, sighting.timeMs);
    if (sighting.timeMs < this.#settledMs) this.#receiver.leaveOut(sighting, 'late');
    else {
      this.#notePort(sighting);
      this.#outside.push(sighting);
    }
    this.#step();
  }

  addInside(sighting: I): void {
    this.#insideMaxMs = Math.max(this.#insideMaxMs, sighting.timeMs);
    if (this.clock.toOutside(sighting.timeMs) < this.#settledMs) this.#receiver.leaveInside(sighting);
    else this.#inside.push(sighting);
    this.#step();
  }

  /** Settles all that is left. */
  end(): void {
    this.#settle(Infinity);
  }

  #step(): void {
    if (++this.#sinceSettle < settleEvery && Math.max(this.#outside.length, this.#inside.length) <
      this.#options.heldMax) return;
    this.#sinceSettle = 0;
    const { windowMs, heldMax } = this.#options;
    const isFull = Math.max(this.#outside.length, this.#inside.length) >= heldMax;
    const seenMs = Math.min(this.#outsideMaxMs, this.clock.toOutside(this.#insideMaxMs));
    if (isFull) {
      this.cutShortCount++;
      // Half of what is held must go, whatever may still come.
      const times = (this.#outside.length >= heldMax ? this.#outside.map(({ timeMs }) => timeMs)
        : this.#inside.map(({ timeMs }) => this.clock.toOutside(timeMs))).sort((a, b) => a - b);
      this.#settle(times[times.length >> 1] as number);
      // One cluster of all of them: no window is short enough.
      if (Math.max(this.#outside.length, this.#inside.length) >= heldMax) this.#settle(Infinity);
    } else if (seenMs - windowMs >= this.#nextSettleMs) {
      this.#settle(seenMs - windowMs);
      this.#nextSettleMs = seenMs - windowMs / 2;
    }
  }

  #notePort({ key, port, timeMs }: O): void {
    if (port < 0) return;
    const name = `${key} ${port}`;
    const use = this.#portUses.get(name);
    if (use === undefined) this.#portUses.set(name, { firstMs: timeMs, lastMs: timeMs });
    else {
      use.firstMs = Math.min(use.firstMs, timeMs);
      use.lastMs = Math.max(use.lastMs, timeMs);
    }
  }

  /** Settles clusters that end before a time; others are kept whole. */
  #settle(safeMs: number): void {
    this.clock.fit(this.#outside, this.#inside);
    if (!this.clock.isKnown) {
      // Later sightings may tell, as long as there is room for these.
      if (safeMs === Infinity || Math.max(this.#outside.length, this.#inside.length) >= this.#options.heldMax) {
        this.#giveUp();
      }
      return;
    }
    const guardMs = Math.max(4 * this.clock.toleranceMs, guardMinMs);
    const byKey = new Map<string, { outside: Placed<O>[]; inside: Placed<I>[] }>();
    const sidesOf = (key: string): { outside: Placed<O>[]; inside: Placed<I>[] } => {
      let sides = byKey.get(key);
      if (sides === undefined) byKey.set(key, sides = { outside: [], inside: [] });
      return sides;
    };
    for (const sighting of this.#outside) {
      sidesOf(sighting.key).outside.push({ sighting, atMs: sighting.timeMs, endAtMs: sighting.endMs });
    }
    for (const sighting of this.#inside) {
      sidesOf(sighting.key).inside.push({ sighting, atMs: this.clock.toOutside(sighting.timeMs),
        endAtMs: this.clock.toOutside(sighting.endMs) });
    }
    this.#outside = [];
    this.#inside = [];
    for (const sides of byKey.values()) this.#settleKey(sides, safeMs, guardMs);
    this.#settledMs = Math.max(this.#settledMs, safeMs - guardMs);
    for (const [name, { lastMs }] of this.#portUses) {
      if (lastMs < safeMs - this.#options.windowMs) this.#portUses.delete(name);
    }
  }

  /** Clocks that nothing is known of: whoever is near may be anybody. */
  #giveUp(): void {
    for (const sighting of this.#outside) this.#receiver.leaveOut(sighting, 'clock');
    for (const sighting of this.#inside) this.#receiver.leaveInside(sighting);
    this.#outside = [];
    this.#inside = [];
  }

  #settleKey(sides: { outside: Placed<O>[]; inside: Placed<I>[] }, safeMs: number, guardMs: number): void {
    const byTime = (a: Placed<Sighting>, b: Placed<Sighting>): number => a.atMs - b.atMs;
    const outside = sides.outside.sort(byTime);
    const inside = sides.inside.sort(byTime);
    let [o, i] = [0, 0];
    while (o < outside.length || i < inside.length) {
      const [oFrom, iFrom] = [o, i];
      const fromMs = nextTime(outside, o, inside, i);
      let lastMs = fromMs;
      for (let atMs = fromMs; atMs - lastMs <= guardMs && atMs < Infinity; atMs = nextTime(outside, o, inside, i)) {
        if (outside[o]?.atMs === atMs) o++;
        else i++;
        lastMs = atMs;
      }
      const cluster = { outside: outside.slice(oFrom, o), inside: inside.slice(iFrom, i) };
      // A cluster without an end, as of a port that is asked all the time, is cut where the window would be left.
      const isEndless = fromMs < safeMs - this.#options.windowMs;
      if (lastMs + guardMs < safeMs || isEndless) {
        settleCluster(cluster, {
          clock: this.clock, receiver: this.#receiver,
          isFreshPort: ({ key, port, timeMs }) => this.#portUses.get(`${key} ${port}`)?.firstMs === timeMs,
        });
      } else {
        for (const { sighting } of cluster.outside) this.#outside.push(sighting);
        for (const { sighting } of cluster.inside) this.#inside.push(sighting);
      }
    }
  }
}

function nextTime(outside: readonly Placed<Sighting>[], o: number, inside: readonly Placed<Sighting>[], i: number,
): number {
  return Math.min(outside[o]?.atMs ?? Infinity, inside[i]?.atMs ?? Infinity);
}
