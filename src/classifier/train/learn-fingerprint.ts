/**
 * Learns the fingerprint of a device model: of the tokens of its training flows those that last and that hardly any
 * other unit shows, each weighed by the logarithm of how rare it is. The weight is capped, as a library that lacks the
 * one device that shows a token, too, must cost a few tokens rather than a false alarm.
 */
import { limits } from '#base';
import {
  describeTokens, isSoundToken, tokenFamilies, weightsPerNat, type Fingerprint, type FingerprintToken,
  type TokenDescription,
} from '#evidence';
import type { FlowBatch } from '#flow';
import type { LibraryUnit } from './background-library.ts';
import {
  countTokenHours, eachPlainToken, hashOfToken, hoursShowing, type EachToken, type TokenHours,
} from './token-hours.ts';
import { scoreHours, type AcceptFlows } from './score-hours.ts';
import { compareTexts, type OwnFlows } from './unit-flows.ts';

export type FingerprintOptions = {
  /** Most that a token weighs, in nats. */
  readonly weightMax: number;
  /** Share of hours below which a token is left out, and hours in which it was seen at least. */
  readonly recallMin: number;
  readonly hoursMin: number;
  /** How much more frequent a token is in hours of the device model than among the library's units, in nats. */
  readonly contrastMin: number;
  /**
   * A token is shared where one unit of the library shows it in so many of its hours as this times the recall. Shared
   * tokens are left out if the others suffice.
   */
  readonly sharedShareMin: number;
  /** Validation hours from which on a token must have lasted. */
  readonly validationHoursMin: number;
  readonly tokensMax: number;
  readonly families: readonly FingerprintToken['family'][];
};

/**
 * All but the name with both sizes in quarters. It fits what others do in the same cloud: without it the strongest
 * window of homes without the device model is about half as strong, measured against its own windows (.13 for .24 on a
 * simulated lab, .01 for .04 on captures, units of the homes unknown), and hardly a flow of its own is lost.
 */
export const learnedFamilies: readonly FingerprintToken['family'][] =
  tokenFamilies.filter((family) => family !== 'name-size');

export const fingerprintDefaults: FingerprintOptions = {
  weightMax: 4, recallMin: 0.02, hoursMin: 2, contrastMin: 0.3, sharedShareMin: 0.25, validationHoursMin: 5,
  tokensMax: limits.fingerprintTokensMax, families: learnedFamilies,
};

/** Units that a library is taken to have beside its own, of which half show any token. */
const priorUnits = 1;
const priorShown = 0.5;

/** Share of the device model's hours that may be lost for telling it from siblings. */
const lostShareMax = 0.05;

/**
 * Learns a fingerprint. The order of units, batches and flows within a part makes no difference.
 *
 * @param own      flows of the device model, read only
 * @param library  units of which none is of the device model; read only
 * @param accept   the classifier's decision; without it there are no tokens of the family `accepted`
 */
export function learnFingerprint(
  own: OwnFlows, library: readonly LibraryUnit[], accept?: AcceptFlows, options: Partial<FingerprintOptions> = {},
): Fingerprint {
  const settings = { ...fingerprintDefaults, ...options };
  const kinds: { readonly each: EachToken; readonly hoursOf: (unit: LibraryUnit) => TokenHours }[] = [
    { each: eachPlainToken, hoursOf: ({ tokens }) => tokens },
  ];
  if (accept !== undefined && settings.families.includes('accepted')) {
    const each = eachAcceptedToken(accept);
    kinds.push({ each, hoursOf: (unit) => countTokenHours(unit.flows, each) });
  }
  const weighed = kinds.flatMap(({ each, hoursOf }) => {
    const lasting = findLasting(own, each, settings);
    return weigh(lasting, library.map(hoursOf), settings);
  }).filter(({ token }) => settings.families.includes(token.family));
  const choose = (chosen: readonly Weighed[]): Fingerprint => ({
    tokens: chosen.map(({ token }) => token)
      .sort((a, b) => b.recall * b.weight - a.recall * a.weight || compareFamilies(a, b) ||
        compareTexts(a.text, b.text))
      .slice(0, settings.tokensMax)
      .sort((a, b) => compareTexts(a.text, b.text)),
    libraryUnits: library.length,
  });
  const whole = choose(weighed);
  const unshared = choose(weighed.filter(({ isShared }) => !isShared));
  return suffices(unshared, whole, own, accept) ? unshared : whole;
}

/**
 * Do the tokens that no sibling shows suffice? They do where nearly as many hours of the device model show any, and
 * reach two tokens' worth, by them as by all. Then siblings of the library are told apart from it; else its windows
 * look like theirs, and calibration makes a group of them.
 */
function suffices(unshared: Fingerprint, whole: Fingerprint, own: OwnFlows, accept: AcceptFlows | undefined): boolean {
  if (unshared.tokens.length === whole.tokens.length) return true;
  const [first = 0, second = 0] = whole.tokens.map(({ weight }) => weight).sort((a, b) => b - a);
  const hours = [unshared, whole].map((fingerprint) =>
    scoreHours([...own.training, ...own.validation], fingerprint, accept)) as [Float64Array, Float64Array];
  return [Number.MIN_VALUE, first + second].every((worth) => {
    const countOf = (scores: Float64Array): number => scores.filter((score) => score >= worth).length;
    return countOf(hours[0]) >= countOf(hours[1]) - lostShareMax * hours[0].length;
  });
}

type Lasting = { readonly token: TokenDescription; readonly hash: number; readonly recall: number };

/** Tokens of the training flows that are frequent enough, and have not gone by in validation. */
function findLasting(
  { training, validation }: OwnFlows, each: EachToken, { recallMin, hoursMin, validationHoursMin }: FingerprintOptions,
): Lasting[] {
  const trained = countTokenHours(training, each);
  const validated = countTokenHours(validation, each);
  const recalls = new Map<number, number>();
  for (let i = 0; i < trained.hashes.length; i++) {
    const hash = trained.hashes[i] as number;
    const hours = trained.shown[i] as number;
    const trainedRecall = hours / trained.hours;
    const recall = validated.hours < validationHoursMin ? trainedRecall
      : Math.min(trainedRecall, hoursShowing(validated, hash) / validated.hours);
    if (hours >= hoursMin && recall >= recallMin) recalls.set(hash, recall);
  }
  const found: Lasting[] = [];
  for (const batch of training) {
    for (let row = 0; row < batch.rowCount && recalls.size > 0; row++) {
      each(batch, row, (token) => {
        const hash = hashOfToken(token);
        const recall = recalls.get(hash);
        recalls.delete(hash);
        // Names come from exporters: one that is too long, or hides control characters, is in no fingerprint.
        if (recall !== undefined && isSoundToken(token)) found.push({ token, hash, recall });
      });
    }
  }
  return found;
}

type Weighed = { readonly token: FingerprintToken; readonly isShared: boolean };

function weigh(
  lasting: readonly Lasting[], units: readonly TokenHours[],
  { weightMax, contrastMin, sharedShareMin }: FingerprintOptions,
): Weighed[] {
  return lasting.flatMap(({ token, hash, recall }) => {
    // Smallest first: the same sum in whatever order the units came.
    const shares = Float64Array.from(units, (unit) => hoursShowing(unit, hash) / Math.max(1, unit.hours)).sort();
    const prevalence = shares.reduce((sum, share) => sum + share, priorShown) / (units.length + priorUnits);
    const weight = Math.floor(weightsPerNat * Math.min(weightMax, -Math.log(prevalence))) / weightsPerNat;
    if (weight <= 0 || Math.log(recall / prevalence) < contrastMin) return [];
    const isShared = (shares.at(-1) ?? 0) >= sharedShareMin * recall;
    return [{ token: { ...token, weight, recall, prevalence }, isShared }];
  });
}

/** Tokens of the family `accepted`, of flows that the classifier accepts. It is asked once for each batch. */
function eachAcceptedToken(accept: AcceptFlows): EachToken {
  const known = new WeakMap<FlowBatch, Uint8Array>();
  return (batch, row, visit) => {
    let isAccepted = known.get(batch);
    if (isAccepted === undefined) known.set(batch, isAccepted = accept(batch).slice(0, batch.rowCount));
    if (isAccepted[row] !== 1) return;
    for (const token of describeTokens(batch, row)) if (token.family === 'accepted') visit(token);
  };
}

function compareFamilies(a: FingerprintToken, b: FingerprintToken): number {
  return tokenFamilies.indexOf(a.family) - tokenFamilies.indexOf(b.family);
}
