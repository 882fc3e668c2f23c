/** Figures in a page: panels, their legend, and the whole as an SVG file to take along. */
import { composeSheet, type Figure } from './draw-panel.ts';
import { escapeText } from './markup.ts';

/** Figures of a page, one below the other. @param origin  whose data they show, for each as a file of its own */
export function formatFigures(figures: readonly (Figure | undefined)[], origin: string): string {
  const drawn = figures.filter((figure) => figure !== undefined && figure.panels.length > 0);
  return drawn.length === 0 ? '<p>Not in the results of this experiment.</p>'
    : drawn.map((figure) => formatFigure(figure as Figure, origin)).join('\n');
}

function formatFigure(figure: Figure, origin: string): string {
  const { id, title, caption, legend, panels } = figure;
  const isWide = panels.length === 1 && (panels[0]?.width ?? 0) > 358;
  const name = escapeText(title);
  const drawing = panels.map(({ svg }) => inPage(svg)).join('\n');
  const box = isWide ? `<div class="scroll wide" role="region" tabindex="0" aria-label="${name}">${drawing}</div>`
    : `<div class="panels">\n${drawing}\n</div>`;
  const file = Buffer.from(composeSheet(figure, origin)).toString('base64');
  return `<figure id="${id}"${panels.length === 1 ? ' class="single"' : ''}>
<figcaption><strong>${name}</strong> ${caption}</figcaption>
${legend === undefined ? '' : `<div class="legend">${inPage(legend.svg)}</div>`}
${box}
<p class="save"><a download="${id}.svg" href="data:image/svg+xml;base64,${file}">Save this figure as SVG</a></p>
</figure>`;
}

/** Inside HTML the namespace goes without saying. */
function inPage(svg: string): string {
  return svg.replace(' xmlns="http://www.w3.org/2000/svg"', '');
}
