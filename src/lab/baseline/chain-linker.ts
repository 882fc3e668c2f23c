/**
 * Makes chains of the queries to one resolver by time and identification alone, as `ipid-chains.ts` describes it: first
 * those that rise by 1, which are beyond doubt, then what fits best before what fits at all, then chains of chains. Its
 * figures were settled on a few made homes; on 240 others, and on homes of a simulated lab, it links as well.
 */

/** Identifications before they begin again. */
const idCount = 65_536;

export type ChainOptions = {
  /** Largest step of identifications inside a burst of a host; most are 1 where every destination has its counter. */
  readonly stepMax: number;
  /** Identifications a second that a host may use beside that, while its own slope is not known. */
  readonly rateMax: number;
  /** A chain of known slope may rise so many times as fast. */
  readonly slopeFactor: number;
  /** Largest step over any time. */
  readonly idGapMax: number;
  /** Queries further apart are not chained at once, but their chains may be merged. */
  readonly chainGapMs: number;
  /** Chains further apart stay two. */
  readonly mergeGapMs: number;
  /** Two queries sent together may change places on their way. */
  readonly reorderMs: number;
  /** A chain of fewer queries is no host: chance makes such. */
  readonly queriesMin: number;
  /** A flow that begins later after a query is not due to it. */
  readonly flowGapMs: number;
};

export const chainDefaults: ChainOptions = {
  stepMax: 256, rateMax: 8, slopeFactor: 4, idGapMax: 4_096, chainGapMs: 600_000, mergeGapMs: 43_200_000,
  reorderMs: 50, queriesMin: 5, flowGapMs: 5_000,
};

/**
 * Costs up to which links are made, one after the other: what fits best is linked before what fits at all. A second
 * costs as much as an identification, which is what a quiet host counts in it: hosts that count alike follow each
 * other through the same identifications, minutes apart.
 */
const linkCosts = [32, 128, 512];
const mergeCosts = [512, 2_048, Infinity];
/** Where chains are merged, queries of others may have taken the next numbers of one, which begins again below then. */
const takenSteps = -4;
/** Chains are merged over a step that the beginning of another would have by chance no more often than that. */
const mergeChanceMax = 0.1;
/** Steps that a query at the end of a chain is taken off for, and how many queries at the most. */
const weakStep = 16;
const trimmedMax = 4;
/** Queries without a gap between them that are a counter for one destination beyond doubt. */
const exactQueriesMin = 8;
/**
 * Such a chain goes on, in quiet hours too, with the next query of its next numbers, unless one of those that were sent
 * meanwhile would have had them by chance more often than that.
 */
const nextNumbers = 4;
const nextChanceMax = 0.01;
/** Beginnings of chains that the end of one is offered. */
const offersMax = 4;
/** Rounds of one reach: an end whose offers went to others is offered the next ones. */
const roundsMax = 4;
/** Packets closer together are of one question: the addresses of both families. */
const sameQuestionS = 1;
/** Points under a hyperbola of steps and times are so many more than in its largest rectangle, for days of packets. */
const hyperbolaFactor = 8;
/**
 * Surprise that a chain must have, in natural logarithms, beside that of the number of queries, each of which may begin
 * one; and what each of its links must bring along: links that were picked from noise as the best of some bring a
 * little more than the 1 of any link.
 */
const surpriseLeast = 10;
const surpriseOfLink = 1.8;
/** A slope is known from so many queries over such a time. */
const slopeQueriesMin = 8;
const slopeSpanMs = 60_000;

function stepBetween(from: number, to: number): number {
  return (to - from + idCount) % idCount;
}

export type Chain = { readonly members: readonly number[]; readonly slope: number };
type Offer = { readonly end: number; readonly start: number; readonly step: number; readonly cost: number };
type Reach = {
  readonly stepMax: number;
  readonly gapMs: number;
  readonly costMax: number;
  /** 1; or `takenSteps`, where chains are merged and single queries left out. */
  readonly stepMin: number;
};

/** Queries to one resolver. A chain is known by its first query; all arrays are as long as there are queries. */
export class ChainLinker {
  readonly #timeMs: Float64Array;
  readonly #id: Uint16Array;
  readonly #options: ChainOptions;
  /** Query after this one in its chain, or −1. */
  readonly #next: Int32Array;
  readonly #hasPrevious: Uint8Array;
  /** [last query of a chain]: its first, and [first]: its last, how many there are and how far they rise. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #count: Uint32Array;
  readonly #rise: Float64Array;

  constructor(timeMs: Float64Array, id: Uint16Array, options: ChainOptions) {
    this.#timeMs = timeMs;
    this.#id = id;
    this.#options = options;
    this.#next = new Int32Array(id.length).fill(-1);
    this.#hasPrevious = new Uint8Array(id.length);
    this.#first = Int32Array.from(id.keys());
    this.#last = Int32Array.from(id.keys());
    this.#count = new Uint32Array(id.length).fill(1);
    this.#rise = new Float64Array(id.length);
  }

  link(): Chain[] {
    const { idGapMax, chainGapMs, mergeGapMs, queriesMin } = this.#options;
    // Most steps are 1 where every destination has its counter. Such chains stand out of whatever is between them.
    this.#linkWithin({ stepMax: 1, gapMs: chainGapMs, costMax: Infinity, stepMin: 1 });
    for (const start of this.#starts()) if ((this.#count[start] as number) < exactQueriesMin) this.#dissolve(start);
    for (const start of this.#starts()) if ((this.#count[start] as number) >= exactQueriesMin) this.#goOn(start);
    for (const costMax of linkCosts) {
      this.#linkWithin({ stepMax: idGapMax, gapMs: chainGapMs, costMax, stepMin: 1 });
    }
    // Over hours only chains are merged: a single query fits somewhere after every chain.
    const chance = this.#starts().filter((start) => this.#isChance(this.#membersOf(start)));
    for (const start of chance) this.#dissolve(start);
    for (const start of this.#starts()) this.#trim(start);
    for (const costMax of mergeCosts) {
      this.#linkWithin({ stepMax: idGapMax, gapMs: mergeGapMs, costMax, stepMin: takenSteps });
    }
    return this.#starts().filter((start) => (this.#count[start] as number) >= queriesMin).map((start) =>
      ({ members: this.#membersOf(start), slope: (this.#rise[start] as number) * 1000 / this.#spanMs(start) }));
  }

  /** Adds what follows a chain of an exact counter number by number, and what it followed. */
  #goOn(start: number): void {
    // An earlier one went on with it already.
    if (this.#hasPrevious[start] === 1) return;
    for (;;) {
      const last = this.#last[start] as number;
      const next = this.#findNext(last, 1);
      if (next < 0) break;
      this.#join(last, next, stepBetween(this.#id[last] as number, this.#id[next] as number));
    }
    for (let first = start; ;) {
      const before = this.#findNext(first, -1);
      if (before < 0) return;
      const step = stepBetween(this.#id[before] as number, this.#id[first] as number);
      const earlier = this.#first[before] as number;
      this.#join(before, first, step);
      first = earlier;
    }
  }

  /**
   * The nearest query after the end of a chain that begins one with one of the next numbers, or before the beginning of
   * a chain that ends one with one of the last; −1 when there is none.
   */
  #findNext(query: number, way: 1 | -1): number {
    const mostBetween = nextChanceMax * idCount;
    const [isTaken, otherEnd] = way === 1 ? [this.#hasPrevious, this.#first] : [undefined, this.#last];
    for (let at = query + way, between = 1; at >= 0 && at < this.#id.length && between <= mostBetween; at += way) {
      const isFree = isTaken === undefined ? this.#next[at] === -1 : isTaken[at] === 0;
      const step = way === 1 ? stepBetween(this.#id[query] as number, this.#id[at] as number)
        : stepBetween(this.#id[at] as number, this.#id[query] as number);
      const isNext = step >= 1 && step <= nextNumbers && between * step <= mostBetween;
      if (isFree && isNext && at !== otherEnd[query]) return at;
      between++;
    }
    return -1;
  }

  #membersOf(start: number): number[] {
    const members = [];
    for (let at = start; at >= 0; at = this.#next[at] as number) members.push(at);
    return members;
  }

  /**
   * Could a chain be of queries that have nothing to do with each other? A link's chance is that of any query in the
   * region of steps and times that would have fitted as well; its logarithms are summed up (Fisher 1932).
   */
  #isChance(members: readonly number[]): boolean {
    const spanS = Math.max(1, ((this.#timeMs.at(-1) ?? 0) - (this.#timeMs[0] ?? 0)) / 1000);
    const density = this.#id.length / spanS / idCount;
    let [surprise, links] = [0, 0];
    for (let i = 1; i < members.length; i++) {
      const [from, to] = [members[i - 1] as number, members[i] as number];
      const gapS = ((this.#timeMs[to] as number) - (this.#timeMs[from] as number)) / 1000;
      // Queries of one question are numbered in a row by almost every host, Linux too.
      if (gapS < sameQuestionS) continue;
      const step = stepBetween(this.#id[from] as number, this.#id[to] as number);
      const area = Math.min((step + gapS) ** 2 / 2, hyperbolaFactor * step * gapS);
      surprise -= Math.log(-Math.expm1(-density * area));
      links++;
    }
    return surprise < surpriseLeast + Math.log(this.#id.length) + surpriseOfLink * links;
  }

  /** Takes queries off both ends that hardly belong to a chain: they would lie over what it is to be merged with. */
  #trim(start: number): void {
    const members = this.#membersOf(start);
    const isWeak = (i: number): boolean => {
      const [from, to] = [members[i - 1] as number, members[i] as number];
      return stepBetween(this.#id[from] as number, this.#id[to] as number) > weakStep;
    };
    let [low, high] = [0, members.length];
    for (let i = 1; i <= trimmedMax && i < members.length; i++) if (isWeak(i)) low = i;
    for (let i = members.length - 1; i >= members.length - trimmedMax && i > low; i--) if (isWeak(i)) high = i;
    if ((low === 0 && high === members.length) || high - low < this.#options.queriesMin) return;
    this.#dissolve(start);
    for (let i = low + 1; i < high; i++) {
      const [from, to] = [members[i - 1] as number, members[i] as number];
      this.#join(from, to, stepBetween(this.#id[from] as number, this.#id[to] as number));
    }
  }

  /** Makes a chain single queries again. */
  #dissolve(start: number): void {
    for (let at = start, next = start; next >= 0; at = next) {
      next = this.#next[at] as number;
      this.#next[at] = -1;
      this.#hasPrevious[at] = 0;
      this.#first[at] = at;
      this.#last[at] = at;
      this.#count[at] = 1;
      this.#rise[at] = 0;
    }
  }

  #starts(): number[] {
    return [...this.#id.keys()].filter((i) => this.#hasPrevious[i] === 0);
  }

  #spanMs(start: number): number {
    return (this.#timeMs[this.#last[start] as number] as number) - (this.#timeMs[start] as number);
  }

  #linkWithin(reach: Reach): void {
    for (let round = 0; round < roundsMax; round++) {
      const offers = this.#collectOffers(reach);
      offers.sort((a, b) => a.cost - b.cost || a.end - b.end);
      let links = 0;
      for (const { end, start, step } of offers) {
        const isFree = this.#next[end] === -1 && this.#hasPrevious[start] === 0 && this.#first[end] !== start;
        if (!isFree) continue;
        this.#join(end, start, step);
        links++;
      }
      if (links === 0) return;
    }
  }

  #join(end: number, start: number, step: number): void {
    const first = this.#first[end] as number;
    const last = this.#last[start] as number;
    this.#next[end] = start;
    this.#hasPrevious[start] = 1;
    this.#first[last] = first;
    this.#last[first] = last;
    this.#count[first] = (this.#count[first] as number) + (this.#count[start] as number);
    this.#rise[first] = (this.#rise[first] as number) + (this.#rise[start] as number) + step;
  }

  /** For every end of a chain the beginnings that go best with it. */
  #collectOffers(reach: Reach): Offer[] {
    const isMerge = reach.stepMin === takenSteps;
    const countMin = isMerge ? this.#options.queriesMin : 1;
    const starts = this.#starts().filter((start) => (this.#count[start] as number) >= countMin);
    const stepMax = isMerge ? Math.min(reach.stepMax, mergeChanceMax * idCount / starts.length) : reach.stepMax;
    const sorted = starts.toSorted((a, b) => (this.#id[a] as number) - (this.#id[b] as number) || a - b);
    return starts.flatMap((chain) => this.#offersOf(chain, sorted, { ...reach, stepMax }));
  }

  #offersOf(chain: number, sorted: readonly number[], { stepMin, stepMax, gapMs, costMax }: Reach): Offer[] {
    const end = this.#last[chain] as number;
    const endId = this.#id[end] as number;
    const offers: Offer[] = [];
    const fromId = stepBetween(-stepMin, endId);
    let at = this.#firstFrom(sorted, fromId);
    for (let looked = 0; looked < sorted.length; looked++, at++) {
      // Above the largest identification the smallest ones follow.
      const start = sorted[at % sorted.length] as number;
      const step = stepBetween(fromId, this.#id[start] as number) + stepMin;
      if (step > stepMax || step > costMax) break;
      const apartMs = (this.#timeMs[start] as number) - (this.#timeMs[end] as number);
      if (start === chain || apartMs < -this.#options.reorderMs || apartMs > gapMs) continue;
      const cost = Math.abs(step) + Math.abs(apartMs) / 1000;
      if (cost > costMax || step > this.#stepMaxOver(Math.max(0, apartMs), chain, start)) continue;
      offers.push({ end, start, step, cost });
    }
    return offers.length <= offersMax ? offers : offers.sort((a, b) => a.cost - b.cost).slice(0, offersMax);
  }

  /** How far a host may count in a time, by the slopes of the two chains that may be one. */
  #stepMaxOver(gapMs: number, a: number, b: number): number {
    const { stepMax, rateMax, slopeFactor } = this.#options;
    const slope = Math.max(this.#knownSlope(a), this.#knownSlope(b));
    const rate = slope < 0 ? rateMax : Math.min(rateMax, slopeFactor * slope);
    return stepMax + rate * gapMs / 1000;
  }

  /** Identifications a second; −1 when there are too few queries to know. */
  #knownSlope(start: number): number {
    const spanMs = this.#spanMs(start);
    const isKnown = (this.#count[start] as number) >= slopeQueriesMin && spanMs >= slopeSpanMs;
    return isKnown ? (this.#rise[start] as number) * 1000 / spanMs : -1;
  }

  /** Place of the first beginning with an identification not below another. */
  #firstFrom(sorted: readonly number[], id: number): number {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#id[sorted[middle] as number] as number) >= id) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
