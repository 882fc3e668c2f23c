/**
 * What kind of exchange each flow is, by number: service, layer-7 name and sizes of both directions, as the family
 * `name-size` of fingerprints has them. Worked out once for all flows of a data set, as no method changes it.
 */
import { assertInvariant } from '#base';
import { describeTokens } from '#evidence';
import type { LabUnit } from '../../evaluate/lab-flows.ts';

export type FlowTerms = {
  /** [row of the unit's flows]: number of its term. */
  of(unit: LabUnit): Uint32Array;
};

export function listFlowTerms(units: readonly LabUnit[]): FlowTerms {
  const numbers = new Map<string, number>();
  const terms = new Map(units.map((unit) => {
    const codes = new Uint32Array(unit.flows.rowCount);
    for (let row = 0; row < codes.length; row++) {
      const text = describeTokens(unit.flows, row).find(({ family }) => family === 'name-size')?.text;
      assertInvariant(text !== undefined, 'a flow without a name and sizes');
      const number = numbers.get(text) ?? numbers.size;
      numbers.set(text, number);
      codes[row] = number;
    }
    return [unit.device.device, codes] as const;
  }));
  return {
    of: ({ device: { device } }) => {
      const codes = terms.get(device);
      assertInvariant(codes !== undefined, `nobody listed the flows of ${device}`);
      return codes;
    },
  };
}


/** Tokens of a column of codes: those of `codes` by their place in it, all others none. */
export function tokensOfCodes(column: Uint32Array, codes: ReadonlyMap<number, number>, none: number): Uint32Array {
  return column.map((code) => codes.get(code) ?? none);
}
