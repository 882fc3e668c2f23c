/**
 * Rules of destinations (in the manner of Guo and Heidemann 2018, and Saidi et al. 2020): a device model is there when
 * a window shows three of the destinations that it was seen with, or all of them where it has fewer. Flow records have
 * no domains, so destinations are what layer 7 is called, with its owner.
 */
import { noToken } from '#evidence';
import { decideByRule } from './decide.ts';
import { tokensOfCodes } from './flow-terms.ts';
import { flowPrivacy, type FlowMethod } from './home-method.ts';
import { createWeightSum } from './window-scores.ts';

const destinationsMin = 3;

export const domainRule: FlowMethod = {
  name: 'domain-rule',
  meaning: 'Three of the layer-7 names with owner that training showed, or all where there are fewer, within an hour.',
  source: 'Guo and Heidemann 2018; Saidi et al. 2020',
  sees: 'flow records',
  privacy: flowPrivacy,
  namesGroups: false,
  isCalibrated: false,
  learn: ({ ownUnits }) => {
    const codes = new Map<number, number>();
    for (const { flows: { columns, dictionaries }, device } of ownUnits) {
      for (const code of columns.applicationName.subarray(0, device.train)) {
        const isNamed = dictionaries.applicationName.decode(code) !== '';
        if (isNamed && !codes.has(code)) codes.set(code, codes.size);
      }
    }
    // Without any destination the rule cannot speak.
    const presentFrom = codes.size === 0 ? Infinity : Math.min(destinationsMin, codes.size);
    return {
      tokensOf: ({ flows: { columns: { applicationName }, rowCount } }) =>
        tokensOfCodes(applicationName.subarray(0, rowCount), codes, noToken),
      createScore: () => createWeightSum(Array.from({ length: codes.size }, () => 1)),
      decide: () => decideByRule(presentFrom),
    };
  },
};
