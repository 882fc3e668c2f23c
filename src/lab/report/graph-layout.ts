/**
 * Where everything of the graph stands. Device models stand on a ring, beside those with which they share names.
 * Outside it, beside each, stand the names that it alone asks for; inside, between their device models, those of
 * several, in rows in which no text touches another. The ring grows until all have room. The same graph gives the same
 * places.
 */
import { assertInvariant, Random } from '#base';
import type { Graph } from './graph-data.ts';

/** Widths and heights of texts and marks; all in the drawing's own unit, a pixel at its natural size. */
export const graphSizes = {
  nameFont: 11, modelFont: 13, letterWidth: 6.6, modelLetterWidth: 8,
  /** Between the texts of names around the ring, and between rows within it. */
  pitch: 14, rowPitch: 17,
  /** From the ring to the marks outside it, and the least between it and what is inside. */
  leafGap: 46, innerGap: 44,
  /** From a mark to its text. */
  textGap: 9,
  radiusMin: 150,
} as const;

/** Most letters of a text in the drawing; longer ones lose their middle. The whole stands in title and table. */
const lettersMax = 34;
/** Slots of a device model's own text, and of the air between it and the next one. */
const modelSlots = 2;
const gapSlots = 1.4;
const orderRounds = 60;
const growRounds = 200;

export type Point = { readonly x: number; readonly y: number };
/** On or outside the ring: `angle` from the right, clockwise, in radians; its text goes outwards. */
export type OuterPlace = Point & { readonly angle: number; readonly text: string };
export type NamePlace = Point & { readonly text: string; readonly angle: number | undefined };

export type GraphLayout = {
  readonly radius: number;
  /** Of the circle that holds every mark and text. */
  readonly extent: number;
  /** As the graph's. */
  readonly models: readonly OuterPlace[];
  /** As the graph's; without an angle it stands within the ring, its text to the right. */
  readonly names: readonly NamePlace[];
};

/** Places a graph. */
export function layOutGraph(graph: Graph): GraphLayout {
  const order = orderModels(graph);
  const leavesOf = graph.models.map(({ names }) => names.filter((name) => graph.names[name]?.models.length === 1)
    .sort((a, b) => rankOf(graph, a) - rankOf(graph, b) || a - b));
  const slots = leavesOf.reduce((sum, leaves) => sum + leaves.length + modelSlots + gapSlots, 0);
  const inner = graph.names.flatMap(({ models }, i) => models.length > 1 ? [i] : [])
    .sort((a, b) => (graph.names[b]?.models.length ?? 0) - (graph.names[a]?.models.length ?? 0) || a - b);
  let radius = Math.max(graphSizes.radiusMin, slots * graphSizes.pitch / (2 * Math.PI) - graphSizes.leafGap);
  for (let round = 0; round < growRounds; round++) {
    const { models, leaves } = placeRing({ graph, order, leavesOf, slots, radius });
    const rows = placeInner({ graph, inner, models, radius });
    if (rows !== undefined) {
      const names = graph.names.map((_, i) => leaves.get(i) ?? rows.get(i) as NamePlace);
      return { radius, extent: extentOf(radius, names, models), models, names };
    }
    radius *= 1.06;
  }
  assertInvariant(false, `${inner.length} names find no room in a ring of ${Math.round(radius)}`);
}

/** Names of one mark stand together; what tells a device model apart stands nearest to it. */
function rankOf({ names }: Graph, index: number): number {
  return { unique: 0, 'device-facing': 1, 'third-party': 2, 'human-facing': 3 }[names[index]?.mark ?? 'unique'];
}

/** A text of at most so many letters: of a name the end tells most, of a device model the beginning and the end. */
export function shortenText(text: string): string {
  const letters = [...text];
  if (letters.length <= lettersMax) return text;
  const tail = Math.ceil(lettersMax * 0.6);
  return `${letters.slice(0, lettersMax - tail - 1).join('')}…${letters.slice(-tail).join('')}`;
}

/**
 * Around the ring, device models beside those with which they share names: exchanges of two and turned-round stretches
 * are tried, and kept when the sum of what is shared times the way between them gets smaller.
 */
function orderModels({ models, names }: Graph): number[] {
  const count = models.length;
  const weight = new Float64Array(count * count);
  for (const { models: sharing } of names) {
    for (const a of sharing) {
      for (const b of sharing) if (a !== b) weight[a * count + b] = (weight[a * count + b] ?? 0) + 1 / sharing.length;
    }
  }
  const order = models.map((_, i) => i);
  const costOf = (): number => {
    let cost = 0;
    for (let i = 0; i < count; i++) {
      for (let j = i + 1; j < count; j++) {
        cost += (weight[(order[i] as number) * count + (order[j] as number)] ?? 0) * Math.min(j - i, count - j + i);
      }
    }
    return cost;
  };
  const random = new Random(5);
  let cost = costOf();
  for (let tried = 0; count > 3 && tried < orderRounds * count; tried++) {
    const [from = 0, to = 0] = [random.integer(0, count - 1), random.integer(0, count - 1)].sort((a, b) => a - b);
    const change = random.chance(0.5) ? turnRound : exchange;
    change(order, from, to);
    const changed = costOf();
    if (changed <= cost) cost = changed;
    else change(order, from, to);
  }
  return order;
}

function exchange(order: number[], a: number, b: number): void {
  const kept = order[a] as number;
  order[a] = order[b] as number;
  order[b] = kept;
}

function turnRound(order: number[], from: number, to: number): void {
  for (let a = from, b = to; a < b; a++, b--) exchange(order, a, b);
}

type RingOptions = {
  readonly graph: Graph;
  readonly order: readonly number[];
  readonly leavesOf: readonly (readonly number[])[];
  readonly slots: number;
  readonly radius: number;
};

/** A device model's slot is in the middle of those of its names, nearest ones first on both sides. */
function placeRing({ graph, order, leavesOf, slots, radius }: RingOptions): {
  models: OuterPlace[]; leaves: Map<number, NamePlace>;
} {
  const models: OuterPlace[] = [];
  const leaves = new Map<number, NamePlace>();
  // Begins at the top.
  const angleOf = (slot: number): number => slot / slots * 2 * Math.PI - Math.PI / 2;
  let slot = 0;
  for (const model of order) {
    const own = leavesOf[model] as readonly number[];
    const before = Math.floor(own.length / 2);
    const centre = slot + before + modelSlots / 2;
    models[model] = placeAt(angleOf(centre), radius, graph.models[model]?.name ?? '');
    for (const [i, name] of own.entries()) {
      const step = Math.floor(i / 2) + 0.5 + modelSlots / 2;
      const angle = angleOf(centre + (i % 2 === 0 ? step : -step));
      leaves.set(name, placeAt(angle, radius + graphSizes.leafGap, graph.names[name]?.name ?? ''));
    }
    slot += own.length + modelSlots + gapSlots;
  }
  return { models, leaves };
}

function placeAt(angle: number, radius: number, text: string): OuterPlace {
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle), angle, text: shortenText(text) };
}

type InnerOptions = {
  readonly graph: Graph;
  readonly inner: readonly number[];
  readonly models: readonly OuterPlace[];
  readonly radius: number;
};

/**
 * Each name in the middle of its device models, or as near to it as its row and those beside it have room.
 *
 * @param inner  names of most device models first: they choose first
 * @returns      undefined: there is no room for all
 */
function placeInner({ graph, inner, models, radius }: InnerOptions): Map<number, NamePlace> | undefined {
  const room = radius - graphSizes.innerGap;
  const rowMax = Math.floor((room - graphSizes.rowPitch / 2) / graphSizes.rowPitch);
  const taken = Array.from({ length: 2 * rowMax + 1 }, (): Span[] => []);
  const places = new Map<number, NamePlace>();
  for (const name of inner) {
    const node = graph.names[name];
    const text = shortenText(node?.name ?? '');
    const width = graphSizes.textGap * 2 + text.length * graphSizes.letterWidth;
    const wanted = middleOf((node?.models ?? []).map((model) => models[model] as Point));
    let best: { row: number; left: number; distance: number } | undefined;
    for (let row = -rowMax; row <= rowMax; row++) {
      const y = row * graphSizes.rowPitch;
      const fall = Math.abs(y - wanted.y);
      if (best !== undefined && fall >= best.distance) continue;
      const half = Math.sqrt(Math.max(0, room ** 2 - (Math.abs(y) + graphSizes.rowPitch / 2) ** 2));
      const left = findFree({
        taken: taken[row + rowMax] as Span[], width, from: -half, to: half, wanted: wanted.x - graphSizes.textGap,
      });
      if (left === undefined) continue;
      const distance = Math.hypot(fall, left + graphSizes.textGap - wanted.x);
      if (best === undefined || distance < best.distance) best = { row, left, distance };
    }
    if (best === undefined) return undefined;
    const { row, left } = best;
    const spans = taken[row + rowMax] as Span[];
    spans.push({ from: left, to: left + width });
    spans.sort((a, b) => a.from - b.from);
    places.set(name, { x: left + graphSizes.textGap, y: row * graphSizes.rowPitch, text, angle: undefined });
  }
  return places;
}

function middleOf(points: readonly Point[]): Point {
  const count = Math.max(1, points.length);
  return {
    x: points.reduce((sum, { x }) => sum + x, 0) / count, y: points.reduce((sum, { y }) => sum + y, 0) / count,
  };
}

type Span = { readonly from: number; readonly to: number };
type FreeOptions = {
  readonly taken: readonly Span[];
  readonly width: number;
  readonly from: number;
  readonly to: number;
  readonly wanted: number;
};

/** The beginning of a free stretch of a row nearest to the wanted one. @param taken  from left to right */
function findFree({ taken, width, from, to, wanted }: FreeOptions): number | undefined {
  let best: number | undefined;
  let begin = from;
  for (const span of [...taken, { from: to, to }]) {
    if (span.from - begin >= width) {
      const left = Math.min(Math.max(wanted, begin), span.from - width);
      if (best === undefined || Math.abs(left - wanted) < Math.abs(best - wanted)) best = left;
    }
    begin = span.to;
  }
  return best;
}

function extentOf(radius: number, names: readonly NamePlace[], models: readonly OuterPlace[]): number {
  const { textGap, letterWidth, modelLetterWidth, leafGap } = graphSizes;
  const reach = Math.max(0, ...names.map(({ angle, text }) =>
    angle === undefined ? 0 : leafGap + textGap + text.length * letterWidth),
  ...models.map(({ text }) => leafGap + textGap + text.length * modelLetterWidth));
  return radius + reach + 8;
}
