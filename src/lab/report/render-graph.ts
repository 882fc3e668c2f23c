/**
 * The page of the graph of device models and the names that they ask for: one HTML file that needs nothing else and
 * fetches nothing. The drawing is there without its script, too; the tables say all of it. The same graph gives the
 * same bytes.
 */
import { readShippedFile } from '#base';
import { countGraph, linkGraph, nameMarks, type Graph, type GraphInput } from './graph-data.ts';
import {
  describeGraph, drawGraph, drawGraphFigure, drawMark, meaningOf, sayMark, worstMeaning,
} from './graph-drawing.ts';
import { layOutGraph } from './graph-layout.ts';
import { graphStyle } from './graph-style.ts';
import { composeSheet } from './draw-panel.ts';
import { breakName, countOf, escapeText, formatCount, formatTable } from './markup.ts';
import { renderPage, simulatedNote } from './page-head.ts';

/** Renders the page. @param generator  the command that makes it */
export function renderGraph(input: GraphInput, generator = 'natlens lab compare'): string {
  const graph = linkGraph(input);
  const { dataset, models, names } = graph;
  const { marks, shared, modelsWithOne, modelsWithThree } = countGraph(graph);
  return renderPage({
    title: `Names that device models ask for: ${dataset.name}`, generator,
    intro: dataset.isSimulated ? simulatedNote : '',
    facts: [
      ['device models', formatCount(models.length), countOf(graph.edges.length, 'edge')],
      ['names', formatCount(names.length + graph.namesLeftOut), graph.namesLeftOut === 0 ? 'all drawn'
        : `${formatCount(names.length)} drawn`],
      ['of one device model alone', formatCount(marks.unique), 'device-facing'],
      ['shared', formatCount(shared), 'others ask for them, too'],
      ['device models with such a name', formatCount(modelsWithOne), `${formatCount(modelsWithThree)} with three`],
    ],
    sections: [
      { id: 'graph', title: 'Graph', html: formatGraph(graph) },
      { id: 'models', title: 'Device models', html: formatModels(graph) },
      { id: 'names', title: 'Names', html: formatNames(graph) },
      { id: 'reading', title: 'How to read it', html: reading },
    ],
    extras: { style: graphStyle, script: readScript() },
  });
}

/** The script as the page holds it. */
export function readScript(): string {
  return new TextDecoder().decode(readShippedFile(new URL('graph-browser.js', import.meta.url)));
}

function formatGraph(graph: Graph): string {
  const layout = layOutGraph(graph);
  const { body, extent } = drawGraph(graph, layout, { hasIds: true });
  const file = composeSheet(drawGraphFigure(graph, layout),
    `${graph.dataset.isSimulated ? 'Simulated data. ' : ''}${graph.dataset.name}: ${describeGraph(graph)}.`);
  const box = [-extent, -extent, 2 * extent, 2 * extent].map((side) => Math.round(side)).join(' ');
  return `${formatLegend(graph)}
<div class="graph-tools" hidden>
<label>Find <input type="search" id="graph-search" placeholder="device model or name" autocomplete="off"></label>
<button type="button" id="graph-in">Zoom in</button>
<button type="button" id="graph-out">Zoom out</button>
<button type="button" id="graph-all">Show all</button>
<span id="graph-status" class="quiet" role="status"></span>
</div>
<div class="graph-box">
<svg id="graph-view" viewBox="${box}" tabindex="0" role="application" aria-label="${
    escapeText(describeGraph(graph))}" ` +
    `aria-describedby="graph-keys" font-family="system-ui, sans-serif" fill="currentColor">
<g aria-hidden="true">${body}</g>
</svg>
<div class="graph-panel" id="graph-panel" role="region" aria-label="What is chosen" tabindex="0" hidden></div>
</div>
<p class="quiet" id="graph-keys">Wheel or two fingers zoom, pulling moves. Keys in the drawing: + and − zoom, 0 shows all,
arrows move, / finds, Escape lets go of what is chosen. Names are written when there is room for their letters.</p>
<p class="save"><a download="graph.svg" href="data:image/svg+xml;base64,${
  Buffer.from(file).toString('base64')}">Save the whole graph as SVG</a></p>`;
}

/** Marks with their counts; each can be left out of the drawing. */
function formatLegend(graph: Graph): string {
  const { marks, shared } = countGraph(graph);
  const sign = (mark: Parameters<typeof drawMark>[0]): string =>
    drawMark(mark).replace('<svg', `<svg id="sign-${mark}"`);
  const boxes = nameMarks.map((mark) => `<label><input type="checkbox" value="${mark}" checked disabled>${sign(mark)}` +
    `${meaningOf(mark)}: ${formatCount(marks[mark])}</label>`).join('\n');
  const worst = graph.worst === undefined ? ''
    : `<span>${sign('worst')}${worstMeaning}: ${breakName(graph.models[graph.worst]?.name ?? '')}</span>\n`;
  return `<div class="graph-legend" role="group" aria-label="Legend">
<span>${sign('model')}device model: ${formatCount(graph.models.length)}</span>
${worst}${boxes}
<span>${sign('shared')}shared with others: ${formatCount(shared)}</span>
</div>`;
}

function formatModels({ models, names, worst }: Graph): string {
  return formatTable({
    caption: 'Names that each device model asks for. A rule of names needs one, or three, that are device-facing and ' +
      'of this device model alone.',
    headings: ['device model', 'names', ...nameMarks.map(meaningOf), 'shared', 'queries'],
    rows: models.map(({ name, names: asked, queries }, i) => {
      const nodes = asked.map((index) => names[index]);
      const remark = i === worst ? `<small>${worstMeaning}</small>` : '';
      return [`<a href="#m${i}">${breakName(name)}</a>${remark}`, formatCount(asked.length),
        ...nameMarks.map((mark) => formatCount(nodes.filter((node) => node?.mark === mark).length)),
        formatCount(nodes.filter((node) => node?.isShared).length), formatCount(queries)];
    }),
  });
}

function formatNames({ models, names, namesLeftOut }: Graph): string {
  return formatTable({
    caption: `Every name that is drawn, and who asks for it.${namesLeftOut === 0 ? ''
      : ` ${countOf(namesLeftOut, 'further name')}, of fewer device models and queries, not shown.`}`,
    headings: ['name', 'mark', 'queries', 'device models', 'which'], textColumns: [1, 4],
    rows: names.map(({ name, mark, isShared, models: asking, queries }, i) => [
      `<a href="#n${i}">${breakName(name)}</a>`, escapeText(sayMark(mark, isShared)), formatCount(queries),
      formatCount(asking.length), asking.map((model) => breakName(models[model]?.name ?? '')).join(', '),
    ]),
  });
}

const reading = `<ul>
<li><strong>Places.</strong> Device models stand on the ring, beside those with which they share names. Outside it are the
names that one of them alone asks for, within it those of several, in their middle.</li>
<li><strong>Red.</strong> The device model that our evidence finds least.</li>
<li><strong>Device-facing, of one device model alone.</strong> Only these tell a device model by its names. A name is shared
when another device asks for it, drawn or not.</li>
<li><strong>Third-party.</strong> Servers of somebody else than the maker, whom other devices ask, too.</li>
<li><strong>Human-facing.</strong> Servers that people's browsers ask, too.</li>
<li><strong>Lines.</strong> Wider with more queries: a hundred times as many make 0.8 pixels.</li>
</ul>`;
