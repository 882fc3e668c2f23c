/**
 * Slopes of identifications over time, which Meidan et al. 2019 (7.2, 7.4) leave as future work: per device model a
 * robust slope (Theil 1950, Sen 1968) on unwrapped identifications, the class of counter that the steps are most likely
 * of, and a match by the same error model. What a slope tells is the kernel: Linux adds 1 + uniform(0, ticks since the
 * last packet to the destination), so half its tick rate a second, whatever device it runs on. So it may speak against
 * a device model, and never for it.
 */
import { gatherIncrements, joinIncrements, type IncrementOptions, type Increments } from './ipid-increments.ts';
import type { DeviceTrace } from './device-trace.ts';

const idCount = 65_536;

/** Ticks a second that kernels are built with. */
export const tickRates = [100, 250, 1_000] as const;

/**
 * `zero`: no identification; `counter`: one more for each packet to a destination; `busyCounter`: one more for each
 * packet, most of which went elsewhere; `randomStep`: a small random step for each packet; `ticks…`: Linux at that
 * tick rate; `clock…`: the ticks themselves, as Linux takes them when a UDP socket is connected.
 */
export type IdClass = 'zero' | 'counter' | 'busyCounter' | 'random' | 'randomStep' |
  `ticks${typeof tickRates[number]}` | `clock${typeof tickRates[number]}`;

export const idClasses: readonly IdClass[] = ['zero', 'counter', 'busyCounter', 'randomStep',
  ...tickRates.map((rate): IdClass => `ticks${rate}`), ...tickRates.map((rate): IdClass => `clock${rate}`), 'random'];

/** It numbers packets, as hosts of the paper's Fig. 4c do. */
export const isCounting = (idClass: IdClass): boolean => idClass === 'counter' || idClass === 'busyCounter';
/** It rises with time, as the paper's Fig. 4d shows it. */
export const isTicking = (idClass: IdClass): boolean => idClass.startsWith('ticks') || isClock(idClass);
export const isClock = (idClass: IdClass): boolean => idClass.startsWith('clock');

/** What a tap's clock and a host's differ by between two packets, in ticks. */
const slackTicks = 5;
/** What a kernel's ticks may be fast or slow by: 0.24 % were seen (Edimax SP-1101W and SP-2101W, both alike). */
const clockErrorMax = 0.003;
/** Share of steps whose times are so much off; the others are as the capture has them. */
const jitterShare = 0.1;
/** Share of steps that are none of their class: packets lost, buckets shared, counters set anew. */
const strayShare = 0.02;
/** Share of the steps of a counter that are 1; Orevi et al. 2018: almost all are. Further ones halve each time. */
const nextShare = 0.9;
/** Of packets that one counter numbers wherever they go: far steps are as likely in each power of two. */
const harmonic = Math.log(idCount);
/** Seen on a lock (Schlage Encode): its packets rise by 1 to 256, any as often, whenever and wherever they are sent. */
const randomStepMax = 256;
/** Packets so close together are of one question, and nothing else was sent between them. */
const momentMs = 10;

/** Chance of a step, whatever class it is taken for: some are of none. */
function withStrays(chance: number): number {
  return strayShare / idCount + (1 - strayShare) * chance;
}

/** Ticks a second of a class that has them. */
function rateOf(idClass: IdClass): number {
  return Number(idClass.slice('ticks'.length));
}

/**
 * Chance of a step under a class. A step at once is 1 under many, and tells little.
 *
 * @param isZero  both identifications are 0
 */
export function chanceOf(idClass: IdClass, step: number, gapMs: number, isZero: boolean): number {
  if (idClass === 'zero') return isZero ? 1 : 0;
  if (idClass === 'random') return 1 / idCount;
  if (idClass === 'randomStep') return chanceUpTo(step, randomStepMax);
  if (idClass === 'counter' || (idClass === 'busyCounter' && gapMs < momentMs)) {
    return step === 0 ? 0 : step === 1 ? nextShare : (1 - nextShare) * 0.5 ** (step - 1);
  }
  if (idClass === 'busyCounter') return step === 0 ? 0 : 1 / (step * harmonic);
  const ticks = rateOf(idClass) * gapMs / 1000;
  if (isClock(idClass)) {
    const off = (((step - ticks) % idCount) + idCount + idCount / 2) % idCount - idCount / 2;
    const most = slackTicks + clockErrorMax * ticks;
    return Math.abs(off) <= most ? 1 / (2 * most + 1) : 0;
  }
  return (1 - jitterShare) * chanceOfTicks(step, ticks) + jitterShare * chanceOfTicks(step, ticks + slackTicks);
}

/** Linux adds 1 and draws from 0 to below the ticks that began since, one more or less as the first falls. */
function chanceOfTicks(step: number, ticks: number): number {
  const whole = Math.floor(ticks);
  return (1 - ticks + whole) * chanceUpTo(step, whole) + (ticks - whole) * chanceUpTo(step, whole + 1);
}

/** Of a step that is 1 up to some number, each as likely. */
function chanceUpTo(step: number, most: number): number {
  const count = Math.min(idCount - 1, Math.max(1, most));
  return step >= 1 && step <= count ? 1 / count : 0;
}

export type IdSignature = {
  /** Undefined: there were too few steps, or no class is likely. */
  readonly idClass: IdClass | undefined;
  /** Identifications a second, median of all pairs; NaN when there are none, or they are random. */
  readonly slope: number;
  /** From the first to the third quartile of the pairs' slopes. */
  readonly slopeQuartiles: readonly [number, number];
  /** Share of steps that are 1: the paper's Fig. 4b in one number. */
  readonly nextShare: number;
  readonly steps: number;
};

/** Steps below which nothing is said. */
export const stepsMin = 8;
/** Share of steps that may be likelier by chance than under the class that is named. */
const straysMax = 0.1;
/** Natural logarithm of how many times as likely a class must be as the next, and a match as a veto. */
const surenessMin = Math.log(1_000);

/** Learns a device model from the packets of its devices. */
export function learnSignature(traces: readonly DeviceTrace[], options: Partial<IncrementOptions> = {}): IdSignature {
  return describeIncrements(joinIncrements(traces.map((trace) => gatherIncrements(trace, options))));
}

export function describeIncrements(increments: Increments): IdSignature {
  const weights = weighClasses(increments);
  const idClass = classOf(weights);
  const fit = idClass === 'random' || idClass === undefined ? noSlope : fitSlope(increments, { idClass });
  const steps = increments.step.length;
  return { idClass, ...fit, steps, nextShare: increments.step.filter((step) => step === 1).length / steps };
}

/** What steps say of each class, once for all device models that they may be held against. */
export type ClassWeights = {
  readonly steps: number;
  /** [place in `idClasses`]: log-likelihood of all steps; −Infinity where they lie as none of the class would. */
  readonly sums: Float64Array;
  /** [place in `idClasses`]: 1 where few steps are strays. */
  readonly isExplained: Uint8Array;
};

export function weighClasses(increments: Increments): ClassWeights {
  const { step, gapMs, isZero } = increments;
  const sums = new Float64Array(idClasses.length);
  const isExplained = new Uint8Array(idClasses.length);
  idClasses.forEach((idClass, at) => {
    if (!areSpread(idClass, increments)) {
      sums[at] = -Infinity;
      return;
    }
    let strays = 0;
    for (let i = 0; i < step.length; i++) {
      const chance = chanceOf(idClass, step[i] as number, gapMs[i] as number, isZero[i] === 1);
      sums[at] = (sums[at] as number) + Math.log(withStrays(chance));
      if (chance < 1 / idCount) strays++;
    }
    isExplained[at] = strays <= straysMax * step.length ? 1 : 0;
  });
  return { steps: step.length, sums, isExplained };
}

export function classify(increments: Increments): IdClass | undefined {
  return classOf(weighClasses(increments));
}

/** Time in which the ticks of a class go through all identifications. */
export function roundMs(idClass: IdClass): number {
  return idCount / rateOf(idClass) * 1_000;
}

/** The likeliest class; undefined when another is almost as likely, or when it does not explain the steps. */
export function classOf({ steps, sums, isExplained }: ClassWeights): IdClass | undefined {
  if (steps < stepsMin) return undefined;
  const [best, second] = [...idClasses.keys()].sort((a, b) => (sums[b] as number) - (sums[a] as number)) as
    [number, number];
  const isSure = (sums[best] as number) - (sums[second] as number) >= surenessMin;
  return isSure && isExplained[best] === 1 ? idClasses[best] : undefined;
}

/** Elapsed ticks from which on a step says where among them it was drawn. */
const spreadTicksMin = 8;
/** How far drawn steps may be from uniform, beside what chance does: buckets are shared, and times jitter. */
const spreadErrorMax = 0.15;

/**
 * Linux draws from all ticks that went by, so its steps are spread over them; a busy counter stays within them, too,
 * but far below. Random steps are spread over all there are (distance of Kolmogorov 1933; 1.63 is its critical value
 * at 0.01).
 */
function areSpread(idClass: IdClass, { step, gapMs }: Increments): boolean {
  if (idClass !== 'random' && !idClass.startsWith('ticks')) return true;
  const places: number[] = [];
  for (let i = 0; i < step.length; i++) {
    const range = idClass === 'random' ? idCount : rateOf(idClass) * (gapMs[i] as number) / 1000;
    if (range >= spreadTicksMin && (step[i] as number) <= range + slackTicks) places.push((step[i] as number) / range);
  }
  if (places.length < stepsMin) return true;
  places.sort((a, b) => a - b);
  const distance = places.reduce((most, place, i) => Math.max(most, Math.abs(Math.min(place, 1) - i / places.length),
    Math.abs((i + 1) / places.length - Math.min(place, 1))), 0);
  return distance <= spreadErrorMax + 1.63 / Math.sqrt(places.length);
}

/** Pairs that the slope is the median of; beyond, packets far apart in number are left out. */
const usualPairsMax = 200_000;
/** Packets further apart are no pair: the longest stretch without a pause would outweigh all others. */
const pairSpanMs = 300_000;
/** Steps so little below a whole round go backwards: packets changed places, or a question of before is asked again. */
const backwardsMax = 2_048;
type SlopeFit = { readonly slope: number; readonly slopeQuartiles: readonly [number, number] };
const noSlope: SlopeFit = { slope: Number.NaN, slopeQuartiles: [Number.NaN, Number.NaN] };

export type SlopeOptions = {
  /** Steps that are likelier by chance than under this class are passed over: nobody can unwrap them. */
  readonly idClass?: IdClass | undefined;
  readonly pairsMax?: number;
};

/**
 * Identifications a second: the median of the slopes of all pairs of packets that no pause stands between, each
 * weighing as much as the time between them (Theil 1950, Sen 1968; weights: Jaeckel 1972), so that single strays move
 * it little.
 */
export function fitSlope(increments: Increments, { idClass, pairsMax = usualPairsMax }: SlopeOptions = {}): SlopeFit {
  const { step, gapMs, begins, isZero } = increments;
  const isStray = step.map((one, i) => idClass !== undefined &&
    chanceOf(idClass, one, gapMs[i] as number, isZero[i] === 1) < 1 / idCount ? 1 : 0);
  const reach = Math.max(1, Math.floor(pairsMax / Math.max(1, step.length)));
  const stride = Math.max(1, Math.ceil(step.length / pairsMax));
  const [slopes, weights]: [number[], number[]] = [[], []];
  for (let from = 0; from < step.length; from += stride) {
    let [rise, time] = [0, 0];
    for (let to = from; to < step.length && to < from + reach && (to === from || begins[to] === 0); to++) {
      if (isStray[to] === 1) break;
      const up = step[to] as number;
      rise += up > idCount - backwardsMax ? up - idCount : up;
      time += gapMs[to] as number;
      if (time > pairSpanMs) break;
      if (time <= 0) continue;
      slopes.push(rise * 1000 / time);
      weights.push(time);
    }
  }
  if (slopes.length === 0) return noSlope;
  const order = Uint32Array.from(slopes.keys()).sort((a, b) => (slopes[a] as number) - (slopes[b] as number));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const at = (share: number): number => {
    let sum = 0;
    const found = order.find((pair) => (sum += weights[pair] as number) >= share * total) ?? order.at(-1);
    return slopes[found as number] as number;
  };
  return { slope: at(0.5), slopeQuartiles: [at(0.25), at(0.75)] };
}

export type SlopeMatch = {
  /** `vetoed`: the packets are another kernel's; `fits`: they may be the device model's, or of any with that kernel. */
  readonly outcome: 'fits' | 'vetoed' | 'undecided';
  /** How many times likelier the packets are under the likeliest other class, as a natural logarithm. */
  readonly against: number;
};

/**
 * Holds packets that were taken for a device model's against its signature. Packets of several hosts to one destination
 * are no host's steps: whoever asks has told them apart, or asks of a destination that one device uses. The signature
 * and the packets are of one kind, queries or all: a stream rises by 1 on Linux too, whose ticks are longer than its
 * gaps.
 */
export function matchSignature(
  { idClass }: Pick<IdSignature, 'idClass'>, { steps, sums, isExplained }: ClassWeights,
): SlopeMatch {
  if (idClass === undefined || steps < stepsMin) return { outcome: 'undecided', against: 0 };
  const own = idClasses.indexOf(idClass);
  const other = sums.reduce((most, sum, at) => at === own ? most : Math.max(most, sum), -Infinity);
  const against = other - (sums[own] as number);
  const isFit = against <= 0 && isExplained[own] === 1;
  return { outcome: against >= surenessMin ? 'vetoed' : isFit ? 'fits' : 'undecided', against };
}
