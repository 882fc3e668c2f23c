/**
 * TF-IDF projection: hours are documents, kinds of exchanges their terms (Salton and Buckley 1988). A home's window is
 * as much like the device model as the cosine between it and the mean of the device model's training hours.
 */
import { assertInvariant } from '#base';
import { noToken } from '#evidence';
import { decideConformally } from './decide.ts';
import { tokensOfCodes } from './flow-terms.ts';
import { flowPrivacy, type FlowMethod, type LearnContext } from './home-method.ts';
import { createCosine } from './window-scores.ts';

const hourMs = 3_600_000;
/** Terms of a profile at most, the heaviest. */
const termsMax = 1_024;

export const tfIdf: FlowMethod = {
  name: 'tf-idf',
  meaning: 'Cosine between the kinds of exchanges of an hour and those of the device model, by TF-IDF.',
  source: 'Salton and Buckley 1988',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: true,
  learn: (context) => {
    const { ownUnits, world: { terms } } = context;
    const means = meanFrequencies(context);
    const idfOf = inverseFrequencies(context);
    const heaviest = [...means].map(([term, mean]) => ({ term, idf: idfOf(term), weight: mean * idfOf(term) }))
      .sort((a, b) => b.weight - a.weight || a.term - b.term).slice(0, termsMax);
    assertInvariant(heaviest.length > 0 && ownUnits.length > 0, 'a profile of no flows');
    const codes = new Map(heaviest.map(({ term }, i) => [term, i]));
    const length = Math.sqrt(heaviest.reduce((sum, { weight }) => sum + weight * weight, 0));
    const profile = Float64Array.from(heaviest, ({ weight }) => weight / length);
    const idf = Float64Array.from(heaviest, (term) => term.idf);
    return {
      tokensOf: (unit) => tokensOfCodes(terms.of(unit), codes, noToken),
      createScore: () => createCosine({ profile, idf, weighCount: (count) => 1 + Math.log(count) }),
      decide: decideConformally,
    };
  },
};

/** Of each term the mean over training hours of `1 + ln count`, 0 in hours without it. */
function meanFrequencies({ ownUnits, world: { terms } }: LearnContext): Map<number, number> {
  const sums = new Map<number, number>();
  let hours = 0;
  for (const unit of ownUnits) {
    const codes = terms.of(unit);
    const counts = new Map<number, Map<number, number>>();
    for (let row = 0; row < unit.device.train; row++) {
      const hour = Math.floor((unit.flows.columns.flowEndMilliseconds[row] as number) / hourMs);
      const ofHour = counts.get(hour) ?? new Map<number, number>();
      counts.set(hour, ofHour.set(codes[row] as number, (ofHour.get(codes[row] as number) ?? 0) + 1));
    }
    hours += counts.size;
    for (const ofHour of counts.values()) {
      for (const [term, count] of ofHour) sums.set(term, (sums.get(term) ?? 0) + 1 + Math.log(count));
    }
  }
  return new Map([...sums].map(([term, sum]) => [term, sum / hours]));
}

/** `1 + ln((units + 1) / (units with the term + 1))`, over the library and the device model itself. */
function inverseFrequencies({ library, world: { terms } }: LearnContext): (term: number) => number {
  const units = new Map<number, number>();
  for (const unit of library) {
    for (const term of new Set(terms.of(unit))) units.set(term, (units.get(term) ?? 0) + 1);
  }
  return (term) => 1 + Math.log((library.length + 1) / ((units.get(term) ?? 0) + 1));
}
