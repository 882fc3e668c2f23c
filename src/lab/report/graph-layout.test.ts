/** Everything has a place, no text lies on another, and sharers stand together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeGraphSample } from '../../../test/support/graph-sample.ts';
import { linkGraph, type Graph, type GraphInput } from './graph-data.ts';
import { graphSizes, layOutGraph, shortenText, type GraphLayout, type OuterPlace } from './graph-layout.ts';

/** Pairs of names within the ring whose texts touch, and those that reach the ring. */
function findInnerFaults({ names, radius }: GraphLayout): string[] {
  const boxes = names.filter(({ angle }) => angle === undefined).map(({ x, y, text }) => ({
    text, left: x - graphSizes.textGap, right: x + graphSizes.textGap + text.length * graphSizes.letterWidth,
    top: y - graphSizes.rowPitch / 2, bottom: y + graphSizes.rowPitch / 2,
  }));
  return boxes.flatMap((a, i) => [
    ...boxes.slice(i + 1).filter((b) => a.left < b.right - 1e-6 && b.left < a.right - 1e-6 &&
      a.top < b.bottom - 1e-6 && b.top < a.bottom - 1e-6).map((b) => `${a.text} on ${b.text}`),
    ...[[a.left, a.top], [a.right, a.top], [a.left, a.bottom], [a.right, a.bottom]]
      .some(([x = 0, y = 0]) => Math.hypot(x, y) > radius - graphSizes.innerGap + 1e-6)
      ? [`${a.text} at the ring`] : [],
  ]);
}

/** Least arc between two texts that go outwards, where they are closest. */
function leastGap({ names, models }: GraphLayout): number {
  const outer = [...names.filter(({ angle }) => angle !== undefined), ...models] as OuterPlace[];
  const sorted = outer.toSorted((a, b) => a.angle - b.angle);
  return Math.min(...sorted.map((place, i) => {
    const next = sorted[(i + 1) % sorted.length] as OuterPlace;
    const turn = next.angle - place.angle + (i + 1 === sorted.length ? 2 * Math.PI : 0);
    return turn * Math.min(Math.hypot(place.x, place.y), Math.hypot(next.x, next.y));
  }));
}

function checkLayout(graph: Graph): GraphLayout {
  const layout = layOutGraph(graph);
  assert.equal(layout.models.length, graph.models.length);
  assert.equal(layout.names.length, graph.names.length);
  assert.deepEqual(findInnerFaults(layout), []);
  assert.ok(leastGap(layout) > graphSizes.nameFont, `${leastGap(layout)}`);
  for (const [i, { angle, x, y }] of layout.names.entries()) {
    assert.equal(angle === undefined, (graph.names[i]?.models.length ?? 0) > 1);
    assert.ok(Math.hypot(x, y) < layout.extent);
  }
  return layout;
}

test('30 device models and 400 names: no text on another, the same places each time', () => {
  const layout = checkLayout(linkGraph(makeGraphSample()));
  assert.deepEqual(layOutGraph(linkGraph(makeGraphSample())), layout);
  assert.ok(layout.extent < 1_100, `${layout.extent}`);
});

test('graphs of every size have room', () => {
  for (const [models, names] of [[1, 1], [2, 5], [3, 40], [12, 150], [40, 1_200]] as const) {
    checkLayout(linkGraph(makeGraphSample({ models, names, seed: models })));
  }
});

test('many names of the same two device models push the ring outwards', () => {
  const names = Array.from({ length: 300 }, (_, i) => `name-${i}.of-a-maker.example`);
  const input: GraphInput = {
    dataset: { name: 'two', isSimulated: false }, models: [{ name: 'a' }, { name: 'b' }],
    names: names.map((name) => ({ name, kind: 'third-party', isShared: true })),
    asks: names.flatMap((name) => ['a', 'b'].map((model) => ({ model, name, queries: 1 }))),
  };
  assert.ok(checkLayout(linkGraph(input)).radius > 2 * graphSizes.radiusMin);
});

test('device models that share names stand beside each other', () => {
  // Six pairs, far from each other in the order of their names.
  const models = Array.from({ length: 12 }, (_, i) => ({ name: `model-${String.fromCharCode(97 + i)}` }));
  const pairs = Array.from({ length: 6 }, (_, i) => [i, i + 6]);
  const graph = linkGraph({
    dataset: { name: 'pairs', isSimulated: false }, models,
    names: pairs.map((_, i) => ({ name: `${i}.example`, kind: 'device-facing', isShared: true })),
    asks: pairs.flatMap((pair, i) => pair.map((model) =>
      ({ model: models[model]?.name ?? '', name: `${i}.example`, queries: 1 }))),
  });
  const ring = layOutGraph(graph).models.map(({ angle }, model) => ({ angle, model }))
    .sort((a, b) => a.angle - b.angle).map(({ model }) => model);
  for (const [a = 0, b = 0] of pairs) {
    const way = Math.abs(ring.indexOf(a) - ring.indexOf(b));
    assert.ok(Math.min(way, 12 - way) === 1, `${a} and ${b}: ${ring.join(' ')}`);
  }
});

test('long names lose their middle, and short ones nothing', () => {
  assert.equal(shortenText('api.example'), 'api.example');
  const short = shortenText(`first.${'x'.repeat(60)}.maker.example`);
  assert.equal(short.length, 34);
  assert.ok(short.startsWith('first.') && short.endsWith('.maker.example') && short.includes('…'));
});
