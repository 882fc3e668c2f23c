/**
 * Draws one panel of a figure: Observable Plot on a document that exists in memory only. What Plot adds for pages of
 * its own (style elements and attributes, which a strict content policy forbids) is taken out again.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { escapeText } from './markup.ts';
import { colorOf, fixColors, seriesStyle } from './palette.ts';

export type Panel = { readonly svg: string; readonly width: number; readonly height: number };

/** A figure: panels that flow side by side, or one that is wide and scrolls. */
export type Figure = {
  readonly id: string;
  readonly title: string;
  /** HTML: what is shown, of how many flows, devices and seeds. */
  readonly caption: string;
  readonly legend?: Panel;
  readonly panels: readonly Panel[];
};

export const panelWidth = 340;
const fontSize = 12;
/** Of the widest usual font (DejaVu Sans), in pixels, with some air. */
const letterWidth = 6.6;
const boldLetterWidth = 7.6;
const { document } = parseHTML('<!doctype html><html><body></body></html>');

export type PanelOptions = Plot.PlotOptions & {
  /** Stands over the panel. */
  readonly heading: string;
  /** Under the heading, smaller. */
  readonly subheading?: string;
  /** What a reader without eyes learns of it. */
  readonly description: string;
};

/** Draws a panel with Plot's marks. */
export function drawPanel({ heading, subheading, description, ...options }: PanelOptions): Panel {
  const width = options.width ?? panelWidth;
  const marginTop = (options.marginTop ?? 20) + (subheading === undefined ? 22 : 38);
  const height = (options.height ?? 220) + marginTop - (options.marginTop ?? 20);
  const drawn = Plot.plot({
    ...options, width, height, marginTop, document: document as never,
  }) as unknown as { readonly outerHTML: string };
  const body = cleanDrawing(drawn.outerHTML).replace(/^<svg[^>]*>/, '').replace(/<\/svg>$/, '');
  const texts = '<text x="4" y="14" text-anchor="start" font-weight="600">' +
    `${escapeText(shorten(heading, width / boldLetterWidth))}</text>` +
    (subheading === undefined ? '' : `<text x="4" y="31" text-anchor="start" fill="${colorOf('quiet')}">` +
      `${escapeText(shorten(subheading, width / letterWidth))}</text>`);
  const whole = `${subheading === undefined ? heading : `${heading}, ${subheading}`}. ${description}`;
  return { svg: drawSvg(`${texts}${body}`, { width, height, description: whole }), width, height };
}

/** A text that stays within a panel; whole it stands in the description. */
function shorten(text: string, lettersMost: number): string {
  const lettersMax = Math.floor(lettersMost);
  return text.length <= lettersMax ? text : `${text.slice(0, lettersMax - 1)}…`;
}

/** Names of series beside a piece of their line and their symbol. */
export function drawLegend(labels: readonly string[], width = panelWidth): Panel {
  const height = labels.length * 20 + 6;
  const rows = labels.map((label, i) => {
    const { color, dash } = seriesStyle(i);
    const y = i * 20 + 12;
    return `<line x1="4" x2="48" y1="${y}" y2="${y}" stroke="${color}" stroke-width="2.5"` +
      `${dash === '' ? '' : ` stroke-dasharray="${dash}"`} />` +
      symbolAt(i, 26, y) + `<text x="56" y="${y + 4}" text-anchor="start">${escapeText(label)}</text>`;
  }).join('');
  return { svg: drawSvg(rows, { width, height, description: `Legend: ${labels.join(', ')}` }), width, height };
}

/** The symbol of a series, drawn by Plot as it draws it in panels. */
function symbolAt(index: number, x: number, y: number): string {
  const { color, symbol } = seriesStyle(index);
  const drawn = Plot.plot({
    document: document as never, width: 20, height: 20, margin: 0, axis: null,
    x: { type: 'identity' }, y: { type: 'identity' },
    marks: [Plot.dot([[x, y]], { symbol, fill: color, r: 4 })],
  }) as unknown as { readonly outerHTML: string };
  return cleanDrawing(drawn.outerHTML).replace(/^<svg[^>]*>/, '').replace(/<\/svg>$/, '');
}

function cleanDrawing(svg: string): string {
  return svg.replace(/<style>[\s\S]*?<\/style>/g, '').replace(/ style="[^"]*"/g, '')
    .replace(/ class="plot-[^"]*"/g, '')
    // One decimal is a tenth of a pixel; Plot writes fifteen.
    .replace(/ (?:d|transform|x|y|x1|x2|y1|y2|cx|cy|width|height)="[^"]*"/g, (attribute) =>
      attribute.replace(/-?\d+\.\d\d+/g, (digits) => String(Number(Number(digits).toFixed(1)))));
}

export type WrapOptions = { readonly width: number; readonly height: number; readonly description: string };

/** An SVG in the letters and colours of the page around it. */
export function drawSvg(body: string, { width, height, description }: WrapOptions): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" role="img" aria-label="${escapeText(description)}" font-family="system-ui, sans-serif" ` +
    `font-size="${fontSize}" text-anchor="middle" fill="${colorOf('ink')}" color="${colorOf('ink')}">${body}</svg>`;
}

/**
 * The whole figure as one SVG file: title, legend and panels on white, three panels in a row. Needs no page around it.
 *
 * @param origin  whose data it shows, so that a pasted figure still says so
 */
export function composeSheet({ title, legend, panels }: Figure, origin: string): string {
  const gap = 16;
  const columns = Math.min(3, Math.max(1, panels.length));
  const widest = Math.max(...panels.map(({ width }) => width), legend?.width ?? 0);
  const width = columns * (widest + gap) + gap;
  let y = 40;
  let body = `<text x="${gap}" y="24" text-anchor="start" font-size="15" font-weight="600">${escapeText(title)}</text>`;
  if (legend !== undefined) {
    body += place(legend, gap, y);
    y += legend.height + gap;
  }
  for (let i = 0; i < panels.length; i += columns) {
    const row = panels.slice(i, i + columns);
    body += row.map((panel, column) => place(panel, gap + column * (widest + gap), y)).join('');
    y += Math.max(...row.map(({ height }) => height)) + gap;
  }
  body += `<text x="${gap}" y="${y + 4}" text-anchor="start" fill="${colorOf('quiet')}">${escapeText(origin)}</text>`;
  y += 20;
  const paper = `<rect width="${width}" height="${y}" fill="${colorOf('paper')}" />`;
  return fixColors(drawSvg(paper + body, { width, height: y, description: title }));
}

function place({ svg }: Panel, x: number, y: number): string {
  return svg.replace('<svg xmlns="http://www.w3.org/2000/svg"', `<svg x="${x}" y="${y}"`);
}
