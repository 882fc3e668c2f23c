/** The page of the graph: whole, closed to the outside but for its own script, and everything in it found in words. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { makeGraphSample } from '../../../test/support/graph-sample.ts';
import { findOpenings, findUnbalanced, savedFigures } from '../../../test/support/page-checks.ts';
import { countGraph, linkGraph, type GraphInput } from './graph-data.ts';
import { drawGraphFigure, drawGraphOverview } from './graph-drawing.ts';
import { readScript, renderGraph } from './render-graph.ts';

const sample = makeGraphSample();
const page = renderGraph(sample);
const withoutScript = (html: string): string => html.replace(`<script>${readScript()}</script>`, '');

test('the page is whole, well-formed and bounded, and the same each time', () => {
  assert.deepEqual(findUnbalanced(withoutScript(page)
    .replace(/<input ([^>]*?) checked>|<input ([^>]*)>/g, '').replace(/ hidden>/g, '>')), []);
  assert.deepEqual(findOpenings(withoutScript(page)), []);
  assert.ok(page.length < 1_200_000, `${page.length} bytes`);
  assert.ok(!/NaN|undefined|Infinity/.test(withoutScript(page).replace(/base64,[^"]*/g, '')));
  assert.equal(renderGraph({ ...sample, asks: sample.asks.toReversed() }), page);
});

test('the policy lets the one script run and the one style sheet apply, and nothing else', () => {
  const digestOf = (text = ''): string => createHash('sha256').update(text).digest('base64');
  const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? '';
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1];
  assert.equal(policy, `default-src 'none'; style-src 'sha256-${digestOf(style)}'; ` +
    `script-src 'sha256-${digestOf(readScript())}'; base-uri 'none'; form-action 'none'`);
  assert.equal(page.split('<script').length, 2);
  assert.ok(!/<\/script|<!--/.test(readScript()) && !/fetch\(|XMLHttp|innerHTML|https?:/.test(readScript()));
});

test('every device model, name and edge is drawn once and stands in the tables', () => {
  const graph = linkGraph(sample);
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1] as string);
  assert.equal(new Set(ids).size, ids.length);
  for (const link of page.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(link[1] as string), link[1]);
  for (const i of graph.models.keys()) assert.ok(ids.includes(`m${i}`) && page.includes(`<a href="#m${i}">`), `m${i}`);
  for (const i of graph.names.keys()) assert.ok(ids.includes(`n${i}`) && page.includes(`<a href="#n${i}">`), `n${i}`);
  assert.equal(page.split('<path class="edge"').length - 1, graph.edges.length);
});

test('legend and facts say the counts', () => {
  const { marks, shared, modelsWithOne, modelsWithThree } = countGraph(linkGraph(sample));
  assert.ok(modelsWithThree > 0 && modelsWithOne < 30);
  for (const text of ['device model: 30', `of one device model alone: ${marks.unique}`,
    `third-party: ${marks['third-party']}`, `human-facing: ${marks['human-facing']}`, `with others: ${shared}`,
    `<dd>${modelsWithOne}<small>${modelsWithThree} with three</small>`]) assert.ok(page.includes(text), text);
  assert.match(page, /<strong>Simulated data\.<\/strong>/);
});

test('the static figure needs no page: an SVG with colours of its own, and no ids', () => {
  const [file = '', ...others] = savedFigures(page);
  assert.deepEqual(others, []);
  assert.deepEqual(findUnbalanced(file), []);
  assert.ok(file.startsWith('<svg xmlns="http://www.w3.org/2000/svg"') && !/var\(| id="/.test(file));
  assert.ok(file.includes('Simulated data. sample graph: Graph of 30 device models and 400 names'));
  const { panels, caption } = drawGraphFigure(linkGraph(sample));
  assert.match(panels[0]?.svg ?? '', /role="img" aria-label="Graph of 30 device models/);
  assert.match(caption, /^30 device models on the ring/);
});

test('an overview writes device models alone, in letters that can be read at the width of a screen', () => {
  const graph = linkGraph(sample);
  const [{ svg, width } = { svg: '', width: 0 }] = drawGraphOverview(graph).panels;
  assert.equal(width, 1_100);
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
  assert.deepEqual(texts, graph.models.map(({ name }) => name));
  const [scale, font] = [/transform="scale\(([\d.]+)\)/, /font-weight="700" font-size="([\d.]+)"/]
    .map((pattern) => Number(pattern.exec(svg)?.[1])) as [number, number];
  assert.ok(Math.abs(scale * font - 12) < 0.1, `${scale * font} pixels`);
  assert.equal(svg.match(/<g class="node name/g)?.length, 400);
  // A small graph is not blown up.
  const [small] = drawGraphOverview(linkGraph(makeGraphSample({ models: 3, names: 6 }))).panels;
  assert.ok((small?.width ?? 0) < 800 && small?.svg.includes('scale(1)'));
});

test('the device model that is found least has a mark of its own, in the drawing and in both legends', () => {
  const worst = sample.models[7]?.name ?? '';
  const html = renderGraph({ ...sample, worst });
  const at = linkGraph(sample).models.findIndex(({ name }) => name === worst);
  assert.ok(html.includes(`id="m${at}" data-sign="worst" data-name="${worst}"`) && html.includes('id="sign-worst"'));
  assert.equal(html.match(/data-sign="worst"/g)?.length, 1);
  assert.match(savedFigures(html)[0] ?? '', new RegExp(`>found least by our evidence: ${worst}<`));
  assert.ok(!page.includes('found least'));
  assert.throws(() => linkGraph({ ...sample, worst: 'cam.Not.There' }), /no device model cam\.Not\.There in the graph/);
});

test('little is enough, and what is left out is said', () => {
  const none: GraphInput = { dataset: { name: 'none', isSimulated: false }, models: [], names: [], asks: [] };
  for (const input of [none, { ...none, models: [{ name: 'alone' }] }, makeGraphSample({ models: 1, names: 1 })]) {
    assert.ok(!/NaN|Infinity/.test(withoutScript(renderGraph(input)).replace(/base64,[^"]*/g, '')));
  }
  const cut = drawGraphFigure(linkGraph(sample, 399));
  assert.match(cut.caption, / 1 further name not drawn\./);
});

test('names from data are text, never markup', () => {
  const name = '"><script>alert(1)</script>&\u0001';
  const html = renderGraph({
    dataset: { name, isSimulated: false }, models: [{ name }], names: [{ name, kind: 'third-party', isShared: false }],
    asks: [{ model: name, name, queries: 1 }],
  });
  assert.deepEqual(findOpenings(withoutScript(html)), []);
  assert.equal(html.split('<script').length, 2);
});
