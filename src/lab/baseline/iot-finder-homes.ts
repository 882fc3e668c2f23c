/**
 * IoTFinder as methods for homes (`iot-finder.ts`), on names that are asked for and on destinations of flows. Clients
 * are the units of the library. The rate of false positives is the operator's budget for a home and day, and homes
 * without the device model set the threshold that keeps it, where the publication took a thousandth of client hours.
 */
import type { WindowScore } from '../homes/home-windows.ts';
import { decideConformally, decideNever } from './decide.ts';
import { destinationsOfFlows, listFlowTokens } from './flow-destinations.ts';
import { flowPrivacy, namePrivacy, type Fitted, type FlowMethod, type PacketMethod } from './home-method.ts';
import { learnInverseFrequencies, learnProfile, type TermProfile } from './iot-finder.ts';
import type { TermUnit } from './name-windows.ts';
import { listNameTokens } from './trace-terms.ts';
import { createCosine } from './window-scores.ts';

const hourMs = 3_600_000;
const source = 'Perdisci et al. 2020';

export const iotFinderNames: PacketMethod = {
  name: 'iot-finder-names',
  meaning: 'Cosine between the names asked for in an hour and those of the device model, weighed by TF-IDF; homes ' +
    'without it set the threshold.',
  source, sees: 'names asked for', privacy: namePrivacy, namesGroups: false, isCalibrated: true,
  learn: ({ ownUnits, library }, _, traces) => {
    const { terms, fitted } = learn(ownUnits.map((unit) => traces.namesOf(unit, 'training', hourMs)),
      library.map((unit) => traces.namesOf(unit, 'whole', hourMs)), 'no-names');
    return { ...fitted, eventsOf: (trace) => listNameTokens(trace, traces.terms, terms) };
  },
};

export const iotFinderFlows: FlowMethod = {
  name: 'iot-finder-flows',
  meaning: 'The same of destinations of flows: prefix, port and protocol.',
  source: `${source}, on flows`, sees: 'flow records', privacy: flowPrivacy, namesGroups: false, isCalibrated: true,
  learn: ({ ownUnits, library, world }) => {
    const { terms, fitted } = learn(ownUnits.map((unit) => destinationsOfFlows(world, unit, 'training')),
      library.map((unit) => destinationsOfFlows(world, unit, 'whole')), 'no-destinations');
    return { ...fitted, tokensOf: listFlowTokens(world, terms) };
  },
};

/**
 * @param own     training hours of the device model's units
 * @param unfit   why it says nothing where those show no term
 * @returns terms  in the order of their tokens
 */
function learn(own: readonly TermUnit[], clients: readonly TermUnit[], unfit: string):
{ readonly terms: readonly string[]; readonly fitted: Fitted } {
  const profile = learnProfile(own.flatMap(({ windows }) => windows), learnInverseFrequencies(clients));
  const createScore = (): WindowScore =>
    createCosine({ profile: profile.weights, idf: profile.idf, weighCount: () => 1 });
  return {
    terms: profile.terms,
    fitted: {
      windowMs: hourMs, createScore,
      decide: (input) => {
        if (profile.terms.length === 0) return decideNever(unfit);
        const decision = decideConformally(input);
        // Where homes without the device model look just like it, no home can look more like it.
        const isTold = decision.unfit !== undefined || decision.isPresent(highestOf(profile, createScore()), 0);
        return isTold ? decision : decideNever('not-told-apart');
      },
    },
  };
}

/**
 * The highest score that any hour has. Terms that come in the most hours are the most worth for their length, and
 * between two numbers of them nothing is higher: with a part of a term, the score would be convex in that part.
 */
function highestOf({ weights, idf }: TermProfile, score: WindowScore): number {
  const tokens = [...weights.keys()].sort((a, b) =>
    (weights[b] as number) / (idf[b] as number) - (weights[a] as number) / (idf[a] as number));
  return tokens.reduce((highest, token) => {
    score.add(token);
    return Math.max(highest, score.read());
  }, 0);
}
