/**
 * IoTFinder (Perdisci, Papastergiou, Alrawi, Antonakakis, "IoTFinder: Efficient Large-Scale Identification of IoT
 * Devices via Passive DNS Traffic Analysis", EuroS&P 2020): a device model is the vector of its names, each weighed by
 * the share of hours in which a device asks for it times how few clients ask for it. A client's vector is projected on
 * those names; the cosine of both must exceed what all but a fixed share of other clients reach. Terms may as well be
 * destinations of flows.
 */
import { assertInvariant } from '#base';
import { countWindows, type TermCounts, type TermUnit } from './name-windows.ts';

export type TermProfile = {
  /** Terms that the device model showed, heaviest first. */
  readonly terms: readonly string[];
  /** [term]: share of its windows with the term, times `idf`; together of length 1. */
  readonly weights: Float64Array;
  /** [term] */
  readonly idf: Float64Array;
};

/**
 * Inverse frequency of each term among clients: ln(1 + clients / (clients with the term + 1)).
 *
 * @param clients  units, or homes, with all that they showed while they were watched
 */
export function learnInverseFrequencies(clients: readonly TermUnit[]): (term: string) => number {
  assertInvariant(clients.length > 0, 'frequencies among no clients');
  const counts = new Map<string, number>();
  for (const { windows } of clients) {
    const terms = new Set(windows.flatMap((window) => [...window.keys()]));
    for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  return (term) => Math.log(1 + clients.length / ((counts.get(term) ?? 0) + 1));
}

/**
 * The vector of a device model; of no terms when it showed none.
 *
 * @param windows  of training, of all of its units, an hour each, empty ones too: a term's weight is the share of all
 * @param idfOf    as `learnInverseFrequencies` gives it, of clients that are not used for calibration or tests
 */
export function learnProfile(windows: readonly TermCounts[], idfOf: (term: string) => number): TermProfile {
  const heaviest = [...countWindows(windows)]
    .map(([term, count]) => ({ term, idf: idfOf(term), weight: count / windows.length * idfOf(term) }))
    .sort((a, b) => b.weight - a.weight || (a.term < b.term ? -1 : 1));
  const length = Math.sqrt(heaviest.reduce((sum, { weight }) => sum + weight * weight, 0));
  return {
    terms: heaviest.map(({ term }) => term),
    weights: Float64Array.from(heaviest, ({ weight }) => weight / length),
    idf: Float64Array.from(heaviest, ({ idf }) => idf),
  };
}
