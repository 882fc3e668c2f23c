/**
 * What kind of exchange each flow is, and whom it goes to, by number: service, layer-7 name and sizes of both
 * directions, as the family `name-size` of fingerprints has them; service and prefix of the destination, as `prefix`
 * has them. Worked out once for all flows of a data set, as no method changes it.
 */
import { assertInvariant } from '#base';
import { describeTokens, type TokenFamily } from '#evidence';
import type { LabUnit } from '../evaluate/lab-flows.ts';

export type FlowTerms = {
  /** [row of the unit's flows]: number of its kind. */
  of(unit: LabUnit): Uint32Array;
  /** [row of the unit's flows]: number of its destination. */
  destinationsOf(unit: LabUnit): Uint32Array;
  /** [number of a destination]: its text, such as `tcp/443 198.51.100.0/24`. */
  readonly destinations: readonly string[];
};

export function listFlowTerms(units: readonly LabUnit[]): FlowTerms {
  const [kinds, destinations] = [new Map<string, number>(), new Map<string, number>()];
  const terms = new Map(units.map(({ flows, device: { device } }) => {
    const ofUnit = { kinds: new Uint32Array(flows.rowCount), destinations: new Uint32Array(flows.rowCount) };
    for (let row = 0; row < flows.rowCount; row++) {
      const tokens = describeTokens(flows, row);
      const textOf = (wanted: TokenFamily): string => {
        const text = tokens.find(({ family }) => family === wanted)?.text;
        assertInvariant(text !== undefined, `a flow without ${wanted}`);
        return text;
      };
      ofUnit.kinds[row] = numberOf(textOf('name-size'), kinds);
      ofUnit.destinations[row] = numberOf(textOf('prefix'), destinations);
    }
    return [device, ofUnit] as const;
  }));
  const columnsOf = ({ device: { device } }: LabUnit): { kinds: Uint32Array; destinations: Uint32Array } => {
    const columns = terms.get(device);
    assertInvariant(columns !== undefined, `nobody listed the flows of ${device}`);
    return columns;
  };
  return {
    of: (unit) => columnsOf(unit).kinds,
    destinationsOf: (unit) => columnsOf(unit).destinations,
    destinations: [...destinations.keys()],
  };
}

/** The next number for a text that has none. */
function numberOf(text: string, numbers: Map<string, number>): number {
  const number = numbers.get(text) ?? numbers.size;
  numbers.set(text, number);
  return number;
}

/** Tokens of a column of codes: those of `codes` by their place in it, all others none. */
export function tokensOfCodes(column: Uint32Array, codes: ReadonlyMap<number, number>, none: number): Uint32Array {
  return column.map((code) => codes.get(code) ?? none);
}
