/**
 * Draws the graph as SVG, for its page and for a report: edges below, names over them, device models on top. Marks
 * differ in colour and in shape. Places are those of graph-layout.ts; nothing is measured here.
 */
import { drawSvg, type Figure, type Panel } from './draw-panel.ts';
import { countGraph, nameMarks, type Graph, type NameMark } from './graph-data.ts';
import { graphSizes, layOutGraph, type GraphLayout, type NamePlace, type Point } from './graph-layout.ts';
import { countOf, escapeText, formatCount } from './markup.ts';
import { colorOf, type ColorName } from './palette.ts';

type MarkStyle = { readonly color: ColorName; readonly shape: string; readonly meaning: string };

/** Paths around the origin; hollow ones are filled with paper. */
const markStyles: Readonly<Record<NameMark, MarkStyle>> = {
  unique: {
    color: 's3', meaning: 'device-facing, of one device model alone',
    shape: `<path d="M0-7.5 7.5 0 0 7.5-7.5 0Z" fill="${colorOf('s3')}" />`,
  },
  'device-facing': {
    color: 's3', meaning: 'device-facing, shared',
    shape: `<circle r="4" fill="${colorOf('paper')}" stroke="${colorOf('s3')}" stroke-width="2" />`,
  },
  'third-party': {
    color: 's2', meaning: 'third-party',
    shape: `<path d="M-4-4H4V4H-4Z" fill="${colorOf('s2')}" />`,
  },
  'human-facing': {
    color: 's4', meaning: 'human-facing', shape: `<path d="M0-5 5 4H-5Z" fill="${colorOf('s4')}" />`,
  },
};
const modelShape = `<circle r="10" fill="${colorOf('s1')}" stroke="${colorOf('paper')}" stroke-width="2" />`;
/** Of the device model that is found least: another colour, and a ring. */
const worstShape = `<circle r="10" fill="${colorOf('worst')}" stroke="${colorOf('paper')}" stroke-width="2" />` +
  `<circle r="13" fill="none" stroke="${colorOf('worst')}" stroke-width="2.5" />`;
/** Around the mark of a name that others ask for, too. */
const sharedRing = `<circle r="7.5" fill="none" stroke="${colorOf('quiet')}" stroke-width="1" />`;

/** What the mark of that device model says. */
export const worstMeaning = 'found least by our evidence';

export type GraphDrawing = { readonly body: string; readonly extent: number };

export type DrawOptions = {
  /** Nodes have ids: `m` and `n` with their index. */
  readonly hasIds?: boolean;
  /** Height of the texts of device models, which are all that is written then. */
  readonly overviewFont?: number;
};

/** The body of an SVG whose middle is 0, 0. */
export function drawGraph(graph: Graph, layout: GraphLayout, { hasIds = false, overviewFont }: DrawOptions = {},
): GraphDrawing {
  const edges = graph.edges.map(({ model, name, queries }) => {
    const mark = graph.names[name]?.mark ?? 'unique';
    const ends = hasIds ? ` data-from="m${model}" data-to="n${name}"` : '';
    // A hundred times the queries make a line twice as wide.
    return `<path class="edge" data-mark="${mark}"${ends} d="${pathOf(layout, model, name)}" ` +
      `stroke="${colorOf(markStyles[mark].color)}" stroke-width="${digit(0.8 + Math.log10(queries) * 0.4)}" />`;
  });
  const names = graph.names.map(({ name, mark, isShared, models, queries }, i) => {
    const title = `${name}: ${sayMark(mark, isShared)}; ${countOf(models.length, 'device model')}, ` +
      `${countOf(queries, 'query')}`.replace(/querys$/, 'queries');
    return drawNode({
      kind: 'name', id: hasIds ? `n${i}` : undefined, name, mark, sign: mark, title,
      place: layout.names[i] as NamePlace,
      shape: markStyles[mark].shape + (isShared ? sharedRing : ''),
      look: mark === 'unique' ? ` font-weight="600" fill="${colorOf('s3')}"` : '', hasText: overviewFont === undefined,
    });
  });
  const models = graph.models.map(({ name, names: asked }, i) => drawNode({
    kind: 'model', id: hasIds ? `m${i}` : undefined, name, mark: undefined, sign: i === graph.worst ? 'worst' : 'model',
    shape: i === graph.worst ? worstShape : modelShape, place: layout.models[i] as NamePlace,
    title: `${name}: asks for ${countOf(asked.length, 'name')}${i === graph.worst ? `; ${worstMeaning}` : ''}`,
    look: ` font-weight="700" font-size="${digit(overviewFont ?? graphSizes.modelFont)}"` +
      (i === graph.worst ? ` fill="${colorOf('worst')}"` : ''), hasText: true,
  }));
  const body = `<g class="edges" fill="none" stroke-opacity="0.4">${edges.join('\n')}</g>\n` +
    `<g class="names" font-size="${graphSizes.nameFont}">${names.join('\n')}</g>\n` +
    `<g class="models">${models.join('\n')}</g>`;
  return { body, extent: layout.extent };
}

/** What a reader without eyes learns of it; the tables say the rest. */
export function describeGraph(graph: Graph): string {
  const { marks, shared } = countGraph(graph);
  return `Graph of ${countOf(graph.models.length, 'device model')} and ${countOf(graph.names.length, 'name')} that ` +
    `they ask for, ${countOf(graph.edges.length, 'edge')}: ${nameMarks.map((mark) =>
      `${formatCount(marks[mark])} ${markStyles[mark].meaning}`).join('; ')}; ${formatCount(shared)} shared` +
    (graph.worst === undefined ? '' : `; ${worstMeaning}: ${graph.models[graph.worst]?.name}`);
}

export function sayMark(mark: NameMark, isShared: boolean): string {
  return mark === 'unique' ? markStyles.unique.meaning
    : isShared ? `${mark}, shared` : `${mark}, of one device model`;
}

type NodeParts = {
  readonly kind: 'model' | 'name';
  readonly id: string | undefined;
  readonly name: string;
  readonly mark: NameMark | undefined;
  /** Mark of the legend that it is drawn with. */
  readonly sign: NameMark | 'model' | 'worst';
  readonly title: string;
  readonly place: NamePlace;
  readonly shape: string;
  readonly look: string;
  readonly hasText: boolean;
};

function drawNode({ kind, id, name, mark, sign, title, place, shape, look, hasText }: NodeParts,
): string {
  const { x, y, angle, text } = place;
  const isLeft = angle !== undefined && Math.cos(angle) < -1e-9;
  const turn = angle === undefined ? 0 : angle * 180 / Math.PI + (isLeft ? 180 : 0);
  const away = kind === 'model' ? graphSizes.leafGap + graphSizes.textGap : graphSizes.textGap;
  return `<g class="node ${kind}${angle === undefined ? ' inner' : ''}"${id === undefined ? '' : ` id="${id}"`}` +
    `${mark === undefined ? '' : ` data-mark="${mark}"`} data-sign="${sign}" data-name="${escapeText(name)}" ` +
    `transform="translate(${digit(x)} ${digit(y)})"><title>${escapeText(title)}</title><g class="mark">${shape}</g>` +
    (!hasText ? '</g>' : `<text x="${isLeft ? -away : away}" dy="0.34em" text-anchor="${isLeft ? 'end' : 'start'}"` +
    `${turn === 0 ? '' : ` transform="rotate(${digit(turn)})"`} stroke="${colorOf('paper')}" stroke-width="3" ` +
    `stroke-linejoin="round" paint-order="stroke"${look}>${escapeText(text)}</text></g>`);
}

/** Straight within the ring; outside it, along the ring first and then outwards. */
function pathOf({ models, names, radius }: GraphLayout, model: number, name: number): string {
  const [from, to] = [models[model] as NamePlace, names[name] as NamePlace];
  const end = `${digit(to.x)} ${digit(to.y)}`;
  if (to.angle === undefined) return `M${digit(from.x)} ${digit(from.y)}L${end}`;
  const bent = radius + graphSizes.leafGap * 0.55;
  const bend = (angle = 0): Point => ({ x: bent * Math.cos(angle), y: bent * Math.sin(angle) });
  const [first, second] = [bend(from.angle), bend(to.angle)];
  return `M${digit(from.x)} ${digit(from.y)}C${digit(first.x)} ${digit(first.y)} ${digit(second.x)} ` +
    `${digit(second.y)} ${end}`;
}

function digit(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** A mark as the legend shows it: a small drawing of its own. */
export function drawMark(mark: NameMark | 'model' | 'worst' | 'shared'): string {
  const shape = mark === 'model' ? modelShape : mark === 'worst' ? worstShape : mark === 'shared' ? sharedRing
    : markStyles[mark].shape;
  return `<svg class="sign" viewBox="-15 -15 30 30" width="24" height="24" aria-hidden="true">${shape}</svg>`;
}

export function meaningOf(mark: NameMark): string {
  return markStyles[mark].meaning;
}

function drawGraphLegend(graph: Graph): Panel {
  const { marks, shared } = countGraph(graph);
  const rows = [
    [modelShape, `device model: ${formatCount(graph.models.length)}`],
    ...(graph.worst === undefined ? [] : [[worstShape, `${worstMeaning}: ${graph.models[graph.worst]?.name}`]]),
    ...nameMarks.map((mark) => [markStyles[mark].shape, `${markStyles[mark].meaning}: ${formatCount(marks[mark])}`]),
    [sharedRing, `shared with others: ${formatCount(shared)}`],
  ];
  const width = Math.max(340, ...rows.map(([, text = '']) => 40 + text.length * graphSizes.modelLetterWidth));
  const height = rows.length * 28 + 6;
  return {
    width, height,
    svg: drawSvg(rows.map(([shape = '', text = ''], i) => `<g transform="translate(16 ${i * 28 + 16})">${shape}` +
      `<text x="18" y="4" text-anchor="start">${escapeText(text)}</text></g>`).join(''),
    { width, height, description: `Legend: ${rows.map(([, text]) => text).join(', ')}` }),
  };
}

/** Pixels of the overview, which a desk shows whole, and of the letters of device models in it. */
const overviewWidth = 1_100;
const overviewLetters = 12;

/** The static figure at its natural size, every name written: it scrolls in a page, and shrinks on paper. */
export function drawGraphFigure(graph: Graph, layout = layOutGraph(graph)): Figure {
  const { body, extent } = drawGraph(graph, layout);
  const side = Math.ceil(2 * extent);
  return composeFigure(graph, { body, side, pixels: side });
}

/** The same on a screen's width: marks of names, and only device models are written. */
export function drawGraphOverview(graph: Graph, layout = layOutGraph(graph)): Figure {
  const { leafGap, textGap, modelFont, modelLetterWidth } = graphSizes;
  const letters = Math.max(0, ...layout.models.map(({ text }) => text.length));
  const ring = layout.radius + leafGap + textGap + 8;
  // Letters as high as so many pixels take a share of the width that does not depend on the size of the graph.
  const share = 2 * letters * overviewLetters * (modelLetterWidth / modelFont) / overviewWidth;
  const extent = ring / (1 - share);
  const pixels = Math.min(overviewWidth, Math.ceil(2 * extent));
  const { body } = drawGraph(graph, layout, { overviewFont: overviewLetters * 2 * extent / pixels });
  return composeFigure(graph, { body, side: Math.ceil(2 * extent), pixels });
}

type FigureParts = { readonly body: string; readonly side: number; readonly pixels: number };

function composeFigure(graph: Graph, { body, side, pixels }: FigureParts): Figure {
  return {
    id: 'graph', title: 'Device models and the names they ask for', legend: drawGraphLegend(graph),
    caption: `${countOf(graph.models.length, 'device model')} on the ring. Outside it the names that one of them ` +
      'alone asks for, within it those of several, in their middle. Width of lines: queries.' +
      (graph.namesLeftOut === 0 ? '' : ` ${countOf(graph.namesLeftOut, 'further name')} not drawn.`),
    panels: [{
      width: pixels, height: pixels,
      svg: drawSvg(`<g transform="scale(${pixels / side}) translate(${side / 2} ${side / 2})">${body}</g>`,
        { width: pixels, height: pixels, description: describeGraph(graph) }),
    }],
  };
}
