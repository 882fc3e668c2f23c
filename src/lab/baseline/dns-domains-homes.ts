/**
 * Names that are asked for as methods for homes: a device model is there when a window shows enough of the names that
 * its training part asked for (`dns-domains.ts`). The rule alone decides, as published; no home calibrates it.
 */
import { decideByRule, decideNever } from './decide.ts';
import { guoHeidemann, learnDomainRule, oneDedicatedName, relaxedDomains, type DomainForm } from './dns-domains.ts';
import { namePrivacy, type PacketMethod } from './home-method.ts';
import { createNameKinds } from './name-kinds.ts';
import { defaultNameLists } from './name-lists.ts';
import { listNameTokens } from './trace-terms.ts';
import { createWeightSum } from './window-scores.ts';

const dayMs = 86_400_000;
const kinds = createNameKinds(defaultNameLists);

export const dnsDomains: PacketMethod = createMethod(guoHeidemann);
export const dnsDomainsRelaxed: PacketMethod = createMethod(relaxedDomains);
export const dnsDedicatedName: PacketMethod = createMethod(oneDedicatedName);

function createMethod(form: DomainForm): PacketMethod {
  const { name, meaning, source, namesGroups, windowMs } = form;
  return {
    name, meaning, source, sees: 'names asked for', privacy: namePrivacy, namesGroups, isCalibrated: false,
    learn: ({ deviceModel, ownUnits, library }, _, traces) => {
      const units = [
        ...ownUnits.map((unit) => traces.namesOf(unit, 'training', windowMs)),
        ...library.map((unit) => traces.namesOf(unit, 'whole', dayMs)),
      ];
      const { names, namesMin, group, unfit } = learnDomainRule(deviceModel, units, form, kinds);
      return {
        windowMs,
        eventsOf: (trace) => listNameTokens(trace, traces.terms, names),
        createScore: () => createWeightSum(names.map(() => 1)),
        decide: () => unfit === undefined ? decideByRule(namesMin, group) : decideNever(unfit),
      };
    },
  };
}
