/**
 * Ours with dedicated destinations: an hour that shows four tenths of the destinations that only the device model goes
 * to (Saidi et al. 2020) is worth one token more, as heavy as tokens get. The fingerprint has single destinations by
 * itself (family `prefix`); what is new is that many of them are seen together.
 */
import { fingerprintDefaults } from '#classifier/train';
import { noToken } from '#evidence';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import type { WindowScore } from '../homes/home-windows.ts';
import { learnHomeRule } from './dedicated-destinations-homes.ts';
import { evidenceFacts, fitTokens, learnOnce, listTokens, matchFlows, sumOfWeights, type Worth } from './evidence.ts';
import { listFlowTokens } from './flow-destinations.ts';
import type { FlowMethod } from './home-method.ts';

export const evidenceDestinations: FlowMethod = {
  name: 'evidence-destinations',
  meaning: 'Evidence, and a token more where an hour shows four tenths of the destinations that only the device model ' +
    'goes to.',
  ...evidenceFacts,
  source: 'natlens, after Saidi et al. 2020',
  learn: (context, windows) => {
    const { fingerprint, accept } = learnOnce(context);
    const shown = listTokens(context.world, (batch) => matchFlows(fingerprint, batch, accept));
    const rule = learnHomeRule(context);
    const worth = sumOfWeights(fingerprint);
    // What several device models share is no destination of one of them.
    if (rule?.level !== 'product') return fitTokens(context, worth, windows, shown);
    const { destinations, destinationsMin } = rule;
    const placesOf = listFlowTokens(context.world, destinations);
    const pairs: PairCounts = { tokens: worth.weights.length, destinations: destinations.length, destinationsMin };
    return fitTokens(context, addDestinations(worth, pairs), windows, (unit: LabUnit) =>
      pairTokens(shown(unit), placesOf(unit), pairs));
  },
};

/** A flow says a token, a destination, both or neither: a pair is one number. */
type PairCounts = { readonly tokens: number; readonly destinations: number; readonly destinationsMin: number };

/** [row]: pair, or `noToken`. Of what it does not say it has the number after the last. */
function pairTokens(tokens: Uint32Array, places: Uint32Array, { tokens: none, destinations }: PairCounts): Uint32Array {
  return tokens.map((token, row) => {
    const place = places[row] as number;
    if (token === noToken && place === noToken) return noToken;
    return (token === noToken ? none : token) * (destinations + 1) + (place === noToken ? destinations : place);
  });
}

/**
 * The token for many destinations weighs as much as any may. Where one destination is enough for it, a flow says both
 * at once; the floor counts these as one, so that no flow decides alone.
 */
function addDestinations({ weights, createScore }: Worth, pairs: PairCounts): Worth {
  const weight = fingerprintDefaults.weightMax;
  const heaviest = weights.reduce((most, each) => Math.max(most, each), 0);
  return {
    weights: [...weights, pairs.destinationsMin === 1 ? heaviest + weight : weight],
    createScore: () => createPairScore(createScore(), weight, pairs),
  };
}

function createPairScore(
  ofTokens: WindowScore, weight: number, { tokens, destinations, destinationsMin }: PairCounts,
): WindowScore {
  const counts = new Uint32Array(destinations);
  let seen = 0;
  return {
    clear: () => {
      ofTokens.clear();
      counts.fill(0);
      seen = 0;
    },
    add: (pair) => {
      const [token, place] = [Math.floor(pair / (destinations + 1)), pair % (destinations + 1)];
      if (token < tokens) ofTokens.add(token);
      if (place === destinations) return;
      if (counts[place] === 0) seen++;
      counts[place] = (counts[place] as number) + 1;
    },
    remove: (pair) => {
      const [token, place] = [Math.floor(pair / (destinations + 1)), pair % (destinations + 1)];
      if (token < tokens) ofTokens.remove(token);
      if (place === destinations) return;
      counts[place] = (counts[place] as number) - 1;
      if (counts[place] === 0) seen--;
    },
    read: () => ofTokens.read() + (seen >= destinationsMin ? weight : 0),
  };
}
