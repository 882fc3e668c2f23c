/**
 * Dedicated destinations of flows as a method for homes (`dedicated-destinations.ts`): an hour must show four tenths of
 * the prefixes, with port and protocol, that only the device model goes to; where it has none, of those of its make, or
 * of its platform, and then it is one of several that is there.
 */
import { decideByRule, decideNever } from './decide.ts';
import { destinationShareDefault, learnDestinationRule, type DestinationRule } from './dedicated-destinations.ts';
import { destinationsOfFlows, listFlowTokens } from './flow-destinations.ts';
import { flowPrivacy, type FlowMethod, type LearnContext } from './home-method.ts';
import { regularShare } from './name-windows.ts';
import { createWeightSum } from './window-scores.ts';

/** DNS (RFC 1035, 7858, 9250) and time (RFC 5905): whoever runs such servers, they answer everyone. */
const genericServices: ReadonlySet<string> = new Set(['udp/53', 'tcp/53', 'tcp/853', 'udp/853', 'udp/123']);

export const dedicatedDestinations: FlowMethod = {
  name: 'dedicated-destinations',
  meaning: 'Four tenths of the destinations (prefix, port, protocol) that only the device model goes to regularly, or ' +
    'else its make or platform, within an hour.',
  source: 'Saidi et al. 2020',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: true,
  isCalibrated: false,
  learn: (context) => {
    const rule = learnHomeRule(context);
    const destinations = rule?.destinations ?? [];
    return {
      windowMs: 3_600_000,
      tokensOf: listFlowTokens(context.world, destinations),
      createScore: () => createWeightSum(destinations.map(() => 1)),
      decide: () => rule === undefined ? decideNever('no-dedicated-destinations')
        : decideByRule(rule.destinationsMin, rule.group),
    };
  },
};

/** Of the training part and of the library; undefined: the device model goes nowhere dedicated. */
export function learnHomeRule({ deviceModel, ownUnits, library, world }: LearnContext): DestinationRule | undefined {
  const units = [
    ...ownUnits.map((unit) => destinationsOfFlows(world, unit, 'training')),
    ...library.map((unit) => destinationsOfFlows(world, unit, 'whole')),
  ];
  return learnDestinationRule(deviceModel, units, {
    share: destinationShareDefault, regularShare, isGeneric,
  });
}

function isGeneric(destination: string): boolean {
  return genericServices.has(destination.slice(0, destination.indexOf(' ')));
}
