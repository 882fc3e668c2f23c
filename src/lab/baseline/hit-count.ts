/** k of n: accepted flows in a window are counted, and k is set by homes without the device model. */
import { noToken } from '#evidence';
import { decideConformally } from './decide.ts';
import { flowPrivacy, type FlowMethod } from './home-method.ts';
import { acceptingThreshold, tokensOfScores } from './single-flow.ts';
import { createFlowCount } from './window-scores.ts';

export const hitCount: FlowMethod = {
  name: 'k-of-n',
  meaning: 'Flows in an hour that single-flow accepts are counted; homes without the device model set how many it takes.',
  source: 'natlens',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: true,
  learn: ({ world, paper }) => {
    const scored = paper();
    const threshold = acceptingThreshold(scored);
    return {
      tokensOf: tokensOfScores(world, scored, (score) => score <= threshold ? 0 : noToken),
      createScore: createFlowCount,
      decide: decideConformally,
    };
  },
};
