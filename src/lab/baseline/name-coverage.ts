/**
 * How many device models names can tell at all: those with three or more, two, one and no dedicated names, which is
 * what limits every method of names (Meidan et al. 2019, §7.2: three of 13 device models). And who asks for what, as
 * the graph of device models and names shows it (Fig. 5 there).
 */
import { listDeviceFacing } from './dns-domains.ts';
import { createNameKinds, type NameKind } from './name-kinds.ts';
import type { NameLists } from './name-lists.ts';
import { listModelsOfTerms, listShownTerms, sumWindows, type TermUnit } from './name-windows.ts';

export type ModelNames = {
  readonly deviceModel: string;
  /** Names of servers that its units asked for. */
  readonly asked: number;
  /** Of those, names of servers that its maker runs for devices, and that no device asked for that is not IoT. */
  readonly deviceFacing: number;
  /** Of those, names that no other device model asked for; ascending. */
  readonly dedicated: readonly string[];
};

export type NameCoverage = {
  readonly deviceModels: readonly ModelNames[];
  /** Number of device models by how many dedicated names they have. */
  readonly withThreeOrMore: number;
  readonly withTwo: number;
  readonly withOne: number;
  readonly withNone: number;
};

/** @param units  names as `serverNameOf` gives them, in windows of any length; units that are not IoT have no row */
export function coverNames(units: readonly TermUnit[], lists: NameLists): NameCoverage {
  const shown = listShownTerms(units);
  const kinds = createNameKinds(lists);
  const askers = listModelsOfTerms(shown);
  const deviceModels = [...shown.byModel].map(([deviceModel, asked]) => {
    const facing = listDeviceFacing(deviceModel, shown, kinds);
    const dedicated = facing.filter((name) => askers.get(name)?.length === 1).sort();
    return { deviceModel, asked: asked.size, deviceFacing: facing.length, dedicated };
  });
  const countWith = (fits: (count: number) => boolean): number =>
    deviceModels.filter(({ dedicated }) => fits(dedicated.length)).length;
  return {
    deviceModels,
    withThreeOrMore: countWith((count) => count >= 3),
    withTwo: countWith((count) => count === 2),
    withOne: countWith((count) => count === 1),
    withNone: countWith((count) => count === 0),
  };
}

/** Device models, names, and how often the one asked for the other; ascending by name, names by what they are. */
export type NameGraph = {
  readonly models: readonly { readonly name: string }[];
  readonly names: readonly { readonly name: string; readonly kind: NameKind; readonly isShared: boolean }[];
  readonly asks: readonly { readonly model: string; readonly name: string; readonly queries: number }[];
};

/**
 * A name is device-facing when it is so for any device model that asks for it; else third-party goes before
 * human-facing. What units ask for that are not IoT is human-facing where it would be device-facing. It is shared when
 * units of several device models ask for it, those that are not IoT among them.
 *
 * @param units  as for `coverNames`
 */
export function drawNameGraph(units: readonly TermUnit[], lists: NameLists): NameGraph {
  const { kindOf } = createNameKinds(lists);
  const queries = new Map([...Map.groupBy(units, ({ deviceModel }) => deviceModel)]
    .map(([model, own]) => [model, sumWindows(own.flatMap(({ windows }) => windows))]));
  const models = [...queries.keys()].sort();
  const nonIot = new Set(units.filter(({ kind }) => kind === 'non-iot').map(({ deviceModel }) => deviceModel));
  const asks = models.flatMap((model) => [...queries.get(model) ?? []]
    .map(([name, count]) => ({ model, name, queries: count })).sort((a, b) => compareTexts(a.name, b.name)));
  const names = [...Map.groupBy(asks, ({ name }) => name)].map(([name, of]) => {
    const kinds = new Set(of.map(({ model }) => kindOf(name, model)));
    const isBrowsed = mostTelling(kinds) === 'device-facing' && of.some(({ model }) => nonIot.has(model));
    return { name, kind: isBrowsed ? 'human-facing' as const : mostTelling(kinds), isShared: of.length > 1 };
  }).sort((a, b) => compareTexts(a.name, b.name));
  return { models: models.map((name) => ({ name })), names, asks };
}

function mostTelling(kinds: ReadonlySet<NameKind>): NameKind {
  if (kinds.has('device-facing')) return 'device-facing';
  return kinds.has('third-party') ? 'third-party' : 'human-facing';
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
