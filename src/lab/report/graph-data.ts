/**
 * The graph of device models and the names that they ask for, as Fig. 5 of Meidan et al. 2020 shows it: what is asked
 * of the page that draws it, the checks on that, and what is counted.
 */
import { assertInvariant, limits } from '#base';
import type { NameGraph } from '../baseline/name-coverage.ts';
import type { NameKind } from '../baseline/name-kinds.ts';

/**
 * `isShared`: others than one device model ask for a name, be they drawn or not. A pair that stands twice among those
 * who ask is added up.
 */
export type GraphInput = NameGraph & {
  /** What is drawn, for the title and below a saved figure. */
  readonly dataset: { readonly name: string; readonly isSimulated: boolean };
  /** Device model that our evidence finds least: the red node of the paper's figure. Undefined: none is marked. */
  readonly worst?: string | undefined;
};

/** How a name is marked. `unique`: device-facing, and of one device model alone. */
export type NameMark = 'unique' | 'device-facing' | 'third-party' | 'human-facing';
export const nameMarks: readonly NameMark[] = ['unique', 'device-facing', 'third-party', 'human-facing'];

/** One end of edges, with the indices of what is at their other ends, rising. */
export type ModelNode = { readonly name: string; readonly names: readonly number[]; readonly queries: number };
export type NameNode = {
  readonly name: string;
  readonly kind: NameKind;
  readonly mark: NameMark;
  readonly isShared: boolean;
  readonly models: readonly number[];
  readonly queries: number;
};

export type Graph = {
  readonly dataset: GraphInput['dataset'];
  /** By name. */
  readonly models: readonly ModelNode[];
  /** Those that are drawn, by name. */
  readonly names: readonly NameNode[];
  /** Names beyond the limit, of which only the number is known to the page. */
  readonly namesLeftOut: number;
  readonly edges: readonly { readonly model: number; readonly name: number; readonly queries: number }[];
  /** Index of the device model that is marked. */
  readonly worst: number | undefined;
};

/**
 * Checks an input and links it. The order of the input does not matter.
 *
 * @param namesMax  names that are drawn: those that tell device models apart go first, then those of many device
 *   models, then those asked for often
 * @throws InvariantError  a name stands twice, an ask is of nobody or for nothing, a name was never asked for, or the
 *   device model to mark is none of them
 */
export function linkGraph(input: GraphInput, namesMax: number = limits.graphNamesMax): Graph {
  const modelNames = sortedNames(input.models, 'device model');
  sortedNames(input.names, 'name');
  const worst = input.worst === undefined ? undefined : modelNames.indexOf(input.worst);
  assertInvariant(worst !== -1, `no device model ${input.worst} in the graph`);
  const queriesOf = sumAsks(input);
  const degree = new Map<string, number>();
  const total = new Map<string, number>();
  for (const asked of queriesOf.values()) {
    for (const [name, queries] of asked) {
      degree.set(name, (degree.get(name) ?? 0) + 1);
      total.set(name, (total.get(name) ?? 0) + queries);
    }
  }
  const all = input.names.map(({ name, kind, isShared }) => {
    const models = degree.get(name);
    assertInvariant(models !== undefined, `nobody asks for ${name}`);
    const isOfMany = isShared || models > 1;
    const mark: NameMark = kind === 'device-facing' && !isOfMany ? 'unique' : kind;
    return { name, kind, mark, isShared: isOfMany, degree: models, queries: total.get(name) as number };
  });
  const kept = all.sort((a, b) => Number(b.mark === 'unique') - Number(a.mark === 'unique') ||
    b.degree - a.degree || b.queries - a.queries || compareTexts(a.name, b.name))
    .slice(0, namesMax).sort((a, b) => compareTexts(a.name, b.name));
  const indexOf = new Map(kept.map(({ name }, i) => [name, i]));
  const edges = modelNames.flatMap((model, at) => [...queriesOf.get(model) as Map<string, number>]
    .flatMap(([name, queries]) => {
      const index = indexOf.get(name);
      return index === undefined ? [] : [{ model: at, name: index, queries }];
    }).sort((a, b) => a.name - b.name));
  const modelsOf: number[][] = kept.map(() => []);
  const namesOf: number[][] = modelNames.map(() => []);
  for (const { model, name } of edges) {
    modelsOf[name]?.push(model);
    namesOf[model]?.push(name);
  }
  return {
    dataset: input.dataset, edges, worst, namesLeftOut: all.length - kept.length,
    models: modelNames.map((name, i) => ({
      name, names: namesOf[i] as number[],
      queries: [...queriesOf.get(name) as Map<string, number>].reduce((sum, [, queries]) => sum + queries, 0),
    })),
    names: kept.map(({ name, kind, mark, isShared, queries }, i) =>
      ({ name, kind, mark, isShared, queries, models: modelsOf[i] as number[] })),
  };
}

function sortedNames(items: readonly { readonly name: string }[], what: string): string[] {
  const names = items.map(({ name }) => name).sort(compareTexts);
  const twice = names.find((name, i) => i > 0 && name === names[i - 1]);
  assertInvariant(twice === undefined, `the ${what} ${twice} stands twice in the graph`);
  return names;
}

/** By device model, and in it by name. */
function sumAsks({ models, names, asks }: GraphInput): Map<string, Map<string, number>> {
  const known = new Set(names.map(({ name }) => name));
  const queriesOf = new Map(models.map(({ name }) => [name, new Map<string, number>()]));
  for (const { model, name, queries } of asks) {
    const asked = queriesOf.get(model);
    assertInvariant(asked !== undefined && known.has(name) && queries >= 1,
      `no edge: ${model} asks ${queries} times for ${name}`);
    asked.set(name, (asked.get(name) ?? 0) + queries);
  }
  return queriesOf;
}

/** By code units, the same on every machine. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export type GraphCounts = {
  readonly marks: Readonly<Record<NameMark, number>>;
  readonly shared: number;
  /** Device models with at least so many unique names, which a rule of names needs to find them. */
  readonly modelsWithOne: number;
  readonly modelsWithThree: number;
};

/** What the legend and the facts of the page say. */
export function countGraph({ models, names }: Graph): GraphCounts {
  const marks = { unique: 0, 'device-facing': 0, 'third-party': 0, 'human-facing': 0 };
  for (const { mark } of names) marks[mark]++;
  const uniqueOf = models.map((model) => model.names.filter((name) => names[name]?.mark === 'unique').length);
  return {
    marks, shared: names.filter(({ isShared }) => isShared).length,
    modelsWithOne: uniqueOf.filter((count) => count >= 1).length,
    modelsWithThree: uniqueOf.filter((count) => count >= 3).length,
  };
}
