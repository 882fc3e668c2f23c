/**
 * A null table from homes of production that nobody has labelled. Nearly no home has the device model; the few that do
 * are what reaches its own scores, so that what lies there is taken out and the tail of all others is drawn on beyond
 * (peaks over a threshold: Pickands 1975; Coles 2001, ch. 4, with an exponential tail). What cannot be told is refused:
 * docs/verdicts.md says what has to be believed.
 */
import { assertInvariant } from '#base';
import { activityCount, nullBinCount, type NullTable } from './calibration.ts';
import { clopperPearsonUpper } from './clopper-pearson.ts';
import { nullBinOf, scoreOfBin, tailCounts, upToLast } from './null-table.ts';

export type FieldNullOptions = {
  /** Largest share of home-days that may be those of homes with the device model. */
  readonly ownershipMax: number;
};

export const fieldNullDefaults: FieldNullOptions = { ownershipMax: 0.05 };

/**
 * `none`: nothing was counted. `many-strong`: more home-days reach the device model's own scores than homes have it: it
 * is more frequent than assumed, or others look like it.
 */
export type FieldNullFault = 'none' | 'many-strong';

/** What became of one stratum. */
export type FieldStratum = {
  readonly activity: number;
  /** Home-days in the sketch. */
  readonly homeDays: number;
  /** Of these, at or above the device model's own score, beyond what the tail explains. */
  readonly suspectedOwners: number;
  /** Home-days that the longest tail was fitted to. */
  readonly tailHomeDays: number;
  /** By what factor home-days become fewer per nat at least, with 95 % confidence; 1: not at all. */
  readonly decayPerNat: number;
  /** Why its home-days are left out. */
  readonly fault: FieldNullFault | undefined;
};

export type FieldNull = {
  /** Counts below the device model's own score; from there on expectations (whole), no more than were counted. */
  readonly table: NullTable;
  readonly strata: readonly FieldStratum[];
};

/** Shares of home-days that tails are fitted to: the one that falls most slowly counts. */
const tailShares = [0.2, 0.1, 0.05, 0.02, 0.01];
/** Twice the loss of log-likelihood that a one-sided 95 % bound allows (90 % of χ² with one degree of freedom). */
const likelihoodLossMax = 2.705_543;

/**
 * @param sketch    home-days of all homes; of a classifier whose windows of its own device model reach `ownFloor`
 * @param ownFloor  above 0
 */
export function estimateFieldNull(sketch: NullTable, ownFloor: number, options = fieldNullDefaults): FieldNull {
  assertInvariant(ownFloor > 0, 'every home reaches a score of 0');
  const floorBin = Math.max(nullBinOf(ownFloor), 1);
  const estimates = Array.from({ length: activityCount }, (_, activity) =>
    estimateStratum(sketch, { activity, floorBin }, options));
  return {
    table: Object.freeze({ homeDays: Object.freeze(estimates.map(({ bins }) => upToLast(bins))) }),
    strata: estimates.map(({ stratum }) => stratum),
  };
}

type Place = { readonly activity: number; readonly floorBin: number };

function estimateStratum(sketch: NullTable, { activity, floorBin }: Place, { ownershipMax }: FieldNullOptions):
{ bins: number[]; stratum: FieldStratum } {
  const counted = sketch.homeDays[activity] as readonly number[];
  const bins = Array.from({ length: nullBinCount }, (_, bin) => counted[bin] ?? 0);
  const seen = tailCounts(sketch, [activity]);
  const [homeDays, strong] = [seen[0] as number, seen[floorBin] as number];
  const tail = estimateTail(bins.slice(0, floorBin));
  // Homes without the device model are some of all homes: no more than were seen.
  const expectedFrom = (bin: number): number =>
    bin === nullBinCount ? 0 : Math.min(seen[bin] as number, roundUp(tail.homeDaysFrom(bin)));
  const suspectedOwners = strong - expectedFrom(floorBin);
  const isMany = suspectedOwners > ownershipMax * homeDays;
  const fault = homeDays === 0 ? 'none' : isMany ? 'many-strong' : undefined;
  const { homeDays: tailHomeDays, decayPerNat } = tail;
  return {
    bins: bins.map((count, bin) => {
      if (fault !== undefined) return 0;
      return bin < floorBin ? count : expectedFrom(bin) - expectedFrom(bin + 1);
    }),
    stratum: { activity, homeDays, suspectedOwners, tailHomeDays, decayPerNat, fault },
  };
}

/** Whole home-days: what is less likely than not is none, for a p-value counts one more anyway. */
function roundUp(homeDays: number): number {
  return homeDays < 0.5 ? 0 : Math.ceil(homeDays - 1e-9);
}

type Tail = {
  readonly homeDays: number;
  readonly decayPerNat: number;
  /** Expected in a bin or above it, at or above the floor. */
  homeDaysFrom(bin: number): number;
};

type TailFit = { readonly from: number; readonly homeDays: number; readonly decay: number; readonly whole: number };

/**
 * The tail beyond the floor, drawn on from what lies below it. Of several lines, each through a smaller share of the
 * home-days and all from below half of the floor on, the one that leaves most counts.
 */
function estimateTail(below: readonly number[]): Tail {
  const belowCount = below.reduce((sum, count) => sum + count, 0);
  const starts = new Set(tailShares.map((share) => findTailStart(below, share * belowCount)));
  const fits = [...starts].map((from) => fitTail(below, from));
  const decay = fits.reduce((slowest, fit) => Math.max(slowest, fit.decay), 0);
  return {
    homeDays: (fits[0] as TailFit).homeDays, decayPerNat: decay ** (1 / scoreOfBin(1)),
    homeDaysFrom: (bin) => fits.reduce((most, fit) => Math.max(most, fit.whole * fit.decay ** (bin - fit.from)), 0),
  };
}

/** The lowest bin above 0 from which on there are at most so many home-days; at most half of all bins. */
function findTailStart(below: readonly number[], homeDaysMax: number): number {
  let homeDays = 0;
  let from = below.length;
  while (from > 1 && homeDays + (below[from - 1] as number) <= homeDaysMax) homeDays += below[--from] as number;
  return Math.min(from, Math.ceil(below.length / 2));
}

function fitTail(below: readonly number[], from: number): TailFit {
  const counts = below.slice(from);
  const homeDays = counts.reduce((sum, count) => sum + count, 0);
  const belowCount = below.reduce((sum, count) => sum + count, 0);
  const decay = homeDays === 0 ? 1 : boundDecay(counts);
  // Nothing to lay a line through: as many as chance may have hidden stay as strong.
  if (decay === 1) return { from, homeDays, decay, whole: clopperPearsonUpper(homeDays, belowCount) * belowCount };
  // Those beyond the floor are missing in the sample that the fit saw.
  return { from, homeDays, decay, whole: homeDays / (1 - decay ** counts.length) };
}

/**
 * The slowest decay from bin to bin that goes with these counts, of a geometric distribution cut off behind them: where
 * the log-likelihood has lost what a one-sided 95 % bound allows (Wilks 1938).
 *
 * @returns 1: they may as well not fall
 */
function boundDecay(counts: readonly number[]): number {
  const homeDays = counts.reduce((sum, count) => sum + count, 0);
  const steps = counts.reduce((sum, count, step) => sum + count * step, 0);
  const likelihoodOf = (decay: number): number =>
    steps * Math.log(decay) + homeDays * (Math.log1p(-decay) - Math.log1p(-(decay ** counts.length)));
  if (steps === 0) return boundOf((decay) => 2 * -likelihoodOf(decay), 0);
  // The likelihood has one peak: an exponential family.
  let [low, high] = [1e-9, 1 - 1e-9];
  while (high - low > 1e-9) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    if (likelihoodOf(a) < likelihoodOf(b)) low = a;
    else high = b;
  }
  const peak = likelihoodOf(low);
  return boundOf((decay) => 2 * (peak - likelihoodOf(decay)), low);
}

/** Above the peak, where twice the loss reaches what is allowed. */
function boundOf(lossOf: (decay: number) => number, peak: number): number {
  let [low, high] = [peak, 1 - 1e-9];
  if (!(lossOf(high) > likelihoodLossMax)) return 1;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (lossOf(middle) > likelihoodLossMax) high = middle;
    else low = middle;
  }
  return high;
}

const faultSentences: Readonly<Record<FieldNullFault, string>> = {
  none: 'no home-days',
  'many-strong': 'left out, as more home-days are as strong as homes with the device model than may have it',
};

/** What became of every stratum, one line each. */
export function describeFieldNull({ strata }: FieldNull): string[] {
  return strata.map(({ activity, homeDays, suspectedOwners, decayPerNat, fault }) => {
    const beginning = `stratum ${activity}: `;
    const counted = homeDays === 0 ? '' : `${homeDays} home-days `;
    if (fault !== undefined) return beginning + counted + faultSentences[fault];
    return `${beginning}${homeDays} home-days, ${suspectedOwners} suspected to be of homes with it; of others ` +
      (decayPerNat === 1 ? 'not known to become rarer with their score' :
        `${((1 - decayPerNat) * 100).toFixed(0)} % fewer with every nat at least`);
  });
}
