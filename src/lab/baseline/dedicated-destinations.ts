/**
 * Rules of dedicated destinations in the form of Saidi et al., "A Haystack Full of Needles: Scalable Detection of IoT
 * Devices in the Wild", IMC 2020: a subscriber has a device when a window shows at least a share of 0.4 of the
 * destinations that are dedicated to it. What several products share still tells their maker, and what several makers
 * share their platform. There destinations were learned from testbeds and passive DNS; here from units of the lab, and
 * a destination is any term: a name, or prefix, port and protocol of a flow.
 */
import { assertInvariant } from '#base';
import {
  ceilingShare, listModelsOfTerms, listRegularTerms, listShownTerms, makeOf, type TermUnit,
} from './name-windows.ts';

/** The share of dedicated destinations from which on the paper says that a device is there. */
export const destinationShareDefault = 0.4;

/** What a rule can tell: one device model, devices of one make, or devices of one platform of several makes. */
export type DestinationLevel = 'product' | 'manufacturer' | 'platform';

/** Finest first. */
const levels: readonly DestinationLevel[] = ['product', 'manufacturer', 'platform'];

export type DestinationRule = {
  readonly level: DestinationLevel;
  /** Ascending. */
  readonly destinations: readonly string[];
  /** Destinations that a window must show. */
  readonly destinationsMin: number;
  /** Device models that are not told apart, the rule's own among them; empty: it is told from all. */
  readonly group: readonly string[];
};

export type DestinationOptions = {
  /** 0..1 */
  readonly share: number;
  /** As for `listRegularTerms`. */
  readonly regularShare: number;
  /** Destinations that serve everyone, as time and name servers do: never dedicated, whoever was seen there. */
  readonly isGeneric: (destination: string) => boolean;
};

/**
 * The rule of one device model: of its own destinations, else of those that only its make has, else of those of its
 * platform. Undefined when it went nowhere dedicated; destinations of units that are not IoT are dedicated to nobody.
 *
 * @param units  its own, in windows of the length that decides, and others, in windows of any: destinations
 */
export function learnDestinationRule(
  deviceModel: string, units: readonly TermUnit[], { share, regularShare, isGeneric }: DestinationOptions,
): DestinationRule | undefined {
  assertInvariant(share > 0 && share <= 1, `a share of ${share} of destinations`);
  const shown = listShownTerms(units);
  const visitors = listModelsOfTerms(shown);
  const candidates = [...listRegularTerms(deviceModel, units, regularShare)]
    .filter((term) => !shown.ofNonIot.has(term) && !isGeneric(term)).sort();
  const byLevel = Map.groupBy(candidates, (term) => levelOf(visitors.get(term) ?? []));
  const level = levels.find((candidate) => byLevel.has(candidate));
  if (level === undefined) return undefined;
  const destinations = byLevel.get(level) ?? [];
  const destinationsMin = ceilingShare(share, destinations.length);
  const group = [...shown.byModel].filter(([other, visited]) => other === deviceModel ||
    destinations.filter((term) => visited.has(term)).length >= destinationsMin).map(([other]) => other).sort();
  return { level, destinations, destinationsMin, group: group.length === 1 ? [] : group };
}

function levelOf(visitors: readonly string[]): DestinationLevel {
  if (visitors.length === 1) return 'product';
  return new Set(visitors.map(makeOf)).size === 1 ? 'manufacturer' : 'platform';
}
