/**
 * De-NATing by names that are asked for: a device model is behind an address when enough of the names are that its
 * devices ask for. Three forms: as published (Guo and Heidemann, "IP-Based IoT Device Detection", IoT S&P 2018, and
 * "Detecting IoT Devices in the Internet", IEEE/ACM ToN 28(5), 2020), as Meidan et al. 2019 relaxed it (§7.2), and the
 * least that a name can do.
 */
import { assertInvariant } from '#base';
import type { NameKinds } from './name-kinds.ts';
import {
  ceilingShare, listModelsOfTerms, listRegularTerms, listShownTerms, regularShare, type ShownTerms, type TermUnit,
} from './name-windows.ts';

export type DomainForm = {
  readonly name: string;
  readonly meaning: string;
  readonly source: string;
  /** `dedicated`: device-facing names that only this device model asks for. */
  readonly counts: 'device-facing' | 'dedicated' | 'all';
  /** As for `listRegularTerms`: what is asked for once a day says nothing about ten minutes. */
  readonly regularShare: number;
  /** A device model with fewer names has no rule. */
  readonly serversMin: number;
  /** Share of a device model's names that a window must show. */
  readonly fractionMin: number;
  readonly windowMs: number;
  /** Where names of other device models alone could satisfy a rule, it says "at least one of these". */
  readonly namesGroups: boolean;
};

const minuteMs = 60_000;

/**
 * At least three device-facing names, two thirds of them within a day; where others ask for them, too, at least one of
 * those device models is there.
 */
export const guoHeidemann: DomainForm = {
  name: 'dns-domains',
  meaning: 'Two thirds of the device-facing names that a device model asks for regularly, of which there must be ' +
    'three, within a day.',
  source: 'Guo and Heidemann 2018, 2020',
  counts: 'device-facing', regularShare, serversMin: 3, fractionMin: 2 / 3, windowMs: 1_440 * minuteMs,
  namesGroups: true,
};

/** No filter of names, names instead of addresses, ten minutes; a device model needs three names as before. */
export const relaxedDomains: DomainForm = {
  name: 'dns-domains-relaxed',
  meaning: 'Two thirds of all names that a device model asks for regularly, of which there must be three, within ten ' +
    'minutes.',
  source: 'Guo and Heidemann 2018, relaxed by Meidan et al. 2019',
  counts: 'all', regularShare, serversMin: 3, fractionMin: 2 / 3, windowMs: 10 * minuteMs, namesGroups: false,
};

/** One name that nobody else asks for. */
export const oneDedicatedName: DomainForm = {
  name: 'dns-dedicated-name',
  meaning: 'A device-facing name that only this device model asks for, within an hour.',
  source: 'natlens, after Guo and Heidemann 2018',
  counts: 'dedicated', regularShare: 0, serversMin: 1, fractionMin: 0, windowMs: 60 * minuteMs, namesGroups: false,
};

export type DomainRule = {
  /** Ascending; as `serverNameOf` gives them. */
  readonly names: readonly string[];
  /** Names that a window must show. */
  readonly namesMin: number;
  /** Device models that are not told apart, the rule's own among them; empty: it is told from all. */
  readonly group: readonly string[];
  /** There are too few names to decide on, and it never says that the device model is there. */
  readonly unfit: 'few-names' | undefined;
};

/**
 * The rule of one device model.
 *
 * @param units  its own, in windows of the form's length, and others, in windows of any: names as `serverNameOf` gives
 *               them
 * @param kinds  not looked at by forms that count all names
 */
export function learnDomainRule(
  deviceModel: string, units: readonly TermUnit[], form: DomainForm, kinds: NameKinds,
): DomainRule {
  assertInvariant(form.serversMin >= 1 && form.fractionMin >= 0 && form.fractionMin <= 1, 'a form that cannot decide');
  const shown = listShownTerms(units);
  const regular = listRegularTerms(deviceModel, units, form.regularShare);
  const names = (form.counts === 'all' ? [...shown.byModel.get(deviceModel) ?? []]
    : listDeviceFacing(deviceModel, shown, kinds)).filter((name) => regular.has(name));
  const askers = listModelsOfTerms(shown);
  const own = names.filter((name) => askers.get(name)?.length === 1);
  // Names of its own alone decide where there are enough of them: nothing else tells so well.
  const isOwnEnough = form.counts === 'dedicated' || form.counts === 'device-facing' && own.length >= form.serversMin;
  const counted = (isOwnEnough ? own : names).sort();
  const namesMin = ceilingShare(form.fractionMin, counted.length);
  const isFit = counted.length >= form.serversMin;
  return {
    names: counted, namesMin, unfit: isFit ? undefined : 'few-names',
    group: isFit && form.namesGroups ? findGroup(deviceModel, counted, namesMin, shown) : [],
  };
}

/**
 * Names of a device model that may count: device-facing for its make, and asked for by no device that is not IoT, as
 * people have those in every home.
 */
export function listDeviceFacing(
  deviceModel: string, { byModel, ofNonIot }: ShownTerms, { kindOf }: NameKinds,
): string[] {
  return [...byModel.get(deviceModel) ?? []].filter((name) =>
    !ofNonIot.has(name) && kindOf(name, deviceModel) === 'device-facing');
}

/** Device models each of which asks for enough of a rule's names to satisfy it alone; empty when only its own does. */
function findGroup(deviceModel: string, names: readonly string[], namesMin: number, { byModel }: ShownTerms): string[] {
  const others = [...byModel].filter(([other, asked]) =>
    other !== deviceModel && names.filter((name) => asked.has(name)).length >= namesMin).map(([other]) => other);
  return others.length === 0 ? [] : [deviceModel, ...others].sort();
}
