/**
 * The clock of the outside tap against that of the inside tap: offset and drift, estimated from sightings that only
 * one partner fits, by medians, so that a minority of false pairs moves nothing. Also learns how exact the two clocks
 * are together and what the NAT does with ports. A function of what it is shown; it labels nothing itself.
 */
import type { InsideSighting, Sighting } from './twins.ts';

export type PortPolicy = 'keep' | 'sequential' | 'unknown';

export type TapClockOptions = {
  /** Largest offset between the taps that is looked for. */
  readonly offsetMaxMs: number;
  /** What two sightings of one packet may differ by, at the least and at the most. */
  readonly toleranceMinMs: number;
  readonly toleranceMaxMs: number;
};

export const tapClockDefaults: TapClockOptions = { offsetMaxMs: 60_000, toleranceMinMs: 2, toleranceMaxMs: 1_000 };

/** Pairs that must agree before an offset is believed, and ports before a policy is. */
const pairsMin = 3;
const policyPairsMin = 20;
/** Tolerance while too few pairs are known. */
const firstToleranceMs = 50;
/** Width of the window that most differences of true pairs fall into, drift of a window of time included. */
const modeWidthMs = 400;
/** Drift is looked for over at least this; below, it is smaller than the clocks' own noise. */
const driftSpanMs = 15_000;
/** A port allocated next is at most so many above the one before: others were allocated in between. */
const portStepMax = 64;
const toleranceFactor = 3;
/** No quartz is worse. */
const slopeMax = 1e-3;
/** Random ports rise by so little once in a thousand; conversations from before the window break the order. */
const risingShareMin = 0.6;

/** Windows in which a crowd's most frequent difference is looked for, and how far it must stand out of the others. */
const peakWidthsMs = [5, 50, 400];
const peakFactor = 4;
const peakMin = 10;
/** Pairs of a crowd looked at. */
const crowdPairsMax = 1 << 21;
/** Share of alike sightings that must have a twin at the difference found. */
const crowdShareMin = 0.3;
const crowdRoundsMax = 12;

type Pair = { readonly insideMs: number; readonly differenceMs: number; readonly outside: Sighting;
  readonly inside: Sighting };

export class TapClock {
  /** Outside clock − inside clock at `originMs` of the inside clock, and its change per millisecond. */
  offsetMs = 0;
  slope = 0;
  originMs = 0;
  toleranceMs = firstToleranceMs;
  portPolicy: PortPolicy = 'unknown';
  /** Sightings this far apart were never given ports in another order, where ports are given in order. */
  orderSpacingMs = Infinity;
  /** Pairs that the last estimate rests on; 0 until there is one. */
  pairCount = 0;
  readonly #options: TapClockOptions;
  /** There is a line, if only the first of several rounds. */
  #hasLine = false;

  constructor(options: Partial<TapClockOptions> = {}) {
    this.#options = { ...tapClockDefaults, ...options };
  }

  get isKnown(): boolean {
    return this.pairCount >= pairsMin;
  }

  /** What a time of the inside clock is on the outside clock. */
  toOutside(insideMs: number): number {
    return insideMs + this.offsetMs + this.slope * (insideMs - this.originMs);
  }

  /** Looks at sightings of the same hours; with too few sure pairs among them the last estimate stays. */
  fit(outside: readonly Sighting[], inside: readonly InsideSighting[]): void {
    const groups = groupAlike(outside, inside);
    let pairs = this.#agreeing(pairUnique(groups));
    if (pairs.length < policyPairsMin) pairs = this.#fitCrowd(groups);
    if (pairs.length < pairsMin || (this.isKnown && pairs.length < this.pairCount / 10 && pairs.length < 10)) return;
    this.#fitLine(pairs);
    const residuals = pairs.map((pair) => this.#residual(pair));
    const spread = quantile(residuals.map(Math.abs).sort(ascending), 0.5);
    const close = pairs.filter((_, at) => Math.abs(residuals[at] as number) <= Math.max(10 * spread, 5));
    if (close.length >= pairsMin) this.#fitLine(close);
    const errors = close.map((pair) => Math.abs(this.#residual(pair))).sort(ascending);
    const { toleranceMinMs, toleranceMaxMs } = this.#options;
    // With few pairs the largest error seen says little about the largest possible.
    const least = close.length < policyPairsMin ? Math.min(firstToleranceMs / 2, toleranceMaxMs) : toleranceMinMs;
    this.toleranceMs = Math.min(Math.max(toleranceFactor * quantile(errors, 0.99), least), toleranceMaxMs);
    this.pairCount = pairs.length;
    this.#learnPorts(close);
  }

  #residual(pair: Pair): number {
    return pair.insideMs + pair.differenceMs - this.toOutside(pair.insideMs);
  }

  /** Pairs of the most frequent difference, after what is known of the clocks. */
  #agreeing(pairs: readonly Pair[]): Pair[] {
    const { offsetMaxMs } = this.#options;
    const near = pairs.filter(({ differenceMs }) => Math.abs(differenceMs) <= offsetMaxMs)
      .map((pair) => ({ pair, residual: this.isKnown ? this.#residual(pair) : pair.differenceMs }))
      .sort((a, b) => a.residual - b.residual);
    const [from, end] = densest(near.map(({ residual }) => residual), modeWidthMs);
    return near.slice(from, end).map(({ pair }) => pair);
  }

  /**
   * Pairs of a crowd. The first window may show a piece of the drift only; the line that it gives shows the next piece.
   * At the right difference most sightings have a twin in the end, at a false one few find any: then nothing is known.
   */
  #fitCrowd(groups: readonly Alike[]): Pair[] {
    const before = { offsetMs: this.offsetMs, slope: this.slope, originMs: this.originMs };
    const possible = groups.reduce((sum, group) => sum + Math.min(group.outside.length, group.inside.length), 0);
    let pairs: Pair[] = [];
    for (let round = 0; round < crowdRoundsMax; round++) {
      const more = this.#pairCrowd(groups);
      if (more.length <= pairs.length) break;
      pairs = more;
      this.#fitLine(pairs);
    }
    if (pairs.length >= crowdShareMin * possible) return pairs;
    Object.assign(this, before);
    this.#hasLine = this.isKnown;
    return [];
  }

  /**
   * Where nothing is unique, the right difference is still the most frequent one: false pairs scatter. Found among all
   * pairs of alike sightings, then each sighting is paired with its nearest.
   */
  #pairCrowd(groups: readonly Alike[]): Pair[] {
    const { offsetMaxMs } = this.#options;
    const placed = groups.map(({ outside, inside }) => ({
      outside: placeInOrder(outside, (ms) => ms),
      inside: placeInOrder(inside, (ms) => (this.#hasLine ? this.toOutside(ms) : ms)),
    }));
    const residuals: number[] = [];
    for (const { outside, inside } of placed) {
      for (const { atMs } of outside) {
        for (let i = firstFrom(inside, atMs - offsetMaxMs); i < inside.length; i++) {
          const residual = atMs - (inside[i] as Placed).atMs;
          if (residual < -offsetMaxMs || residuals.length >= crowdPairsMax) break;
          residuals.push(residual);
        }
      }
    }
    const peak = findPeak(residuals.sort(ascending));
    if (peak === undefined) return [];
    const { centreMs, widthMs } = peak;
    return placed.flatMap(({ outside, inside }) => outside.flatMap((one) => {
      const twin = nearestTo(inside, one.atMs - centreMs);
      const isMutual = nearestTo(outside, twin.atMs + centreMs) === one;
      return isMutual && Math.abs(one.atMs - twin.atMs - centreMs) <= widthMs
        ? [pairUp(one.sighting, twin.sighting)] : [];
    }));
  }

  /** Tukey's resistant line: medians of the first and the last third give the slope. */
  #fitLine(pairs: readonly Pair[]): void {
    this.#hasLine = true;
    const sorted = pairs.toSorted((a, b) => a.insideMs - b.insideMs);
    const third = Math.floor(sorted.length / 3);
    const [first, last] = [sorted.slice(0, third), sorted.slice(sorted.length - third)];
    const middle = (some: readonly Pair[], of: (pair: Pair) => number): number =>
      quantile(some.map(of).sort(ascending), 0.5);
    const timeOf = ({ insideMs }: Pair): number => insideMs;
    const differenceOf = ({ differenceMs }: Pair): number => differenceMs;
    const spanMs = third > 0 ? middle(last, timeOf) - middle(first, timeOf) : 0;
    const isLong = third >= 10 && spanMs >= driftSpanMs;
    if (isLong) {
      const slope = (middle(last, differenceOf) - middle(first, differenceOf)) / spanMs;
      this.slope = Math.min(Math.max(slope, -slopeMax), slopeMax);
    }
    this.originMs = middle(sorted, timeOf);
    this.offsetMs = quantile(sorted.map(({ insideMs, differenceMs }) =>
      differenceMs - this.slope * (insideMs - this.originMs)).sort(ascending), 0.5);
  }

  #learnPorts(pairs: readonly Pair[]): void {
    const withPorts = pairs.filter(({ outside, inside }) => outside.port >= 0 && inside.port >= 0)
      .sort((a, b) => a.insideMs - b.insideMs);
    if (withPorts.length < policyPairsMin) return;
    const kept = withPorts.filter(({ outside, inside }) => outside.port === inside.port).length;
    let rising = 0;
    let spacing = 0;
    // A conversation that goes on has an old port: each counts once.
    const fresh = [...new Map(withPorts.toReversed().map((pair) => [`${pair.outside.key} ${pair.outside.port}`, pair]))
      .values()].reverse();
    for (const [at, pair] of fresh.entries()) {
      const before = fresh[at - 1];
      if (before === undefined) continue;
      const step = pair.outside.port - before.outside.port;
      if (step > 0 && step <= portStepMax) rising++;
      if (step < 0 && step >= -portStepMax) spacing = Math.max(spacing, pair.insideMs - before.insideMs);
    }
    this.portPolicy = kept >= 0.95 * withPorts.length ? 'keep'
      : rising >= risingShareMin * (fresh.length - 1) ? 'sequential' : 'unknown';
    // Twice what was seen, and at least what a clock of milliseconds can tell apart.
    this.orderSpacingMs = this.portPolicy === 'sequential' ? Math.max(2 * spacing, 2) : Infinity;
  }
}

/** Sightings of one key and signature. */
type Alike = { readonly outside: Sighting[]; readonly inside: Sighting[] };

function groupAlike(outside: readonly Sighting[], inside: readonly InsideSighting[]): Alike[] {
  const byName = new Map<string, Alike>();
  for (const [side, sightings] of [['outside', outside], ['inside', inside]] as const) {
    for (const sighting of sightings) {
      const name = `${sighting.key} ${sighting.signature}`;
      const group = byName.get(name);
      if (group !== undefined) group[side].push(sighting);
      else byName.set(name, { outside: [], inside: [], [side]: [sighting] });
    }
  }
  return [...byName.values()].filter((group) => group.outside.length > 0 && group.inside.length > 0);
}

/** Pairs of sightings that nothing else is like. */
function pairUnique(groups: readonly Alike[]): Pair[] {
  return groups.filter((group) => group.outside.length === 1 && group.inside.length === 1)
    .map((group) => pairUp(group.outside[0] as Sighting, group.inside[0] as Sighting));
}

type Placed = { readonly sighting: Sighting; readonly atMs: number };

function placeInOrder(sightings: readonly Sighting[], place: (ms: number) => number): Placed[] {
  return sightings.map((sighting) => ({ sighting, atMs: place(sighting.timeMs) })).sort((a, b) => a.atMs - b.atMs);
}

/** Index of the first one at a time or later. */
function firstFrom(placed: readonly Placed[], atMs: number): number {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((placed[middle] as Placed).atMs < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param placed  not empty */
function nearestTo(placed: readonly Placed[], atMs: number): Placed {
  const after = firstFrom(placed, atMs);
  const [before, next] = [placed[after - 1], placed[after]];
  if (before === undefined || next === undefined) return (before ?? next) as Placed;
  return atMs - before.atMs < next.atMs - atMs ? before : next;
}

function pairUp(outside: Sighting, inside: Sighting): Pair {
  return { insideMs: inside.timeMs, differenceMs: outside.timeMs - inside.timeMs, outside, inside };
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** The narrowest window that holds many more differences than one of its width would by chance. */
function findPeak(sorted: readonly number[]): { centreMs: number; widthMs: number } | undefined {
  const spanMs = (sorted.at(-1) ?? 0) - (sorted[0] ?? 0);
  for (const widthMs of peakWidthsMs) {
    const [from, end] = densest(sorted, widthMs);
    const expected = spanMs > widthMs ? sorted.length * widthMs / spanMs : 0;
    if (end - from >= Math.max(peakMin, peakFactor * expected)) {
      return { centreMs: quantile(sorted.slice(from, end), 0.5), widthMs };
    }
  }
  return undefined;
}

/** Bounds of the window of a width that holds the most numbers. */
function densest(sorted: readonly number[], widthMs: number): readonly [number, number] {
  let best: readonly [number, number] = [0, 0];
  for (let from = 0, end = 0; from < sorted.length; from++) {
    while (end < sorted.length && (sorted[end] as number) - (sorted[from] as number) <= widthMs) end++;
    if (end - from > best[1] - best[0]) best = [from, end];
  }
  return best;
}

/** @param sorted  ascending, not empty (0 when it is) */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? 0;
}
