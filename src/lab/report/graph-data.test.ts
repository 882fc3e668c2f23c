/** What becomes of a graph's input: links, marks and counts, whatever its order; faults in it stop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeGraphSample } from '../../../test/support/graph-sample.ts';
import { countGraph, linkGraph, type GraphInput } from './graph-data.ts';

const small: GraphInput = {
  dataset: { name: 'small', isSimulated: false },
  models: [{ name: 'plug.B.2' }, { name: 'cam.A.1' }, { name: 'hub.C.3' }],
  names: [
    { name: 'own.example', kind: 'device-facing', isShared: false },
    { name: 'both.example', kind: 'device-facing', isShared: false },
    { name: 'elsewhere.example', kind: 'device-facing', isShared: true },
    { name: 'cdn.example', kind: 'third-party', isShared: false },
    { name: 'www.example', kind: 'human-facing', isShared: true },
  ],
  asks: [
    { model: 'cam.A.1', name: 'own.example', queries: 3 }, { model: 'cam.A.1', name: 'own.example', queries: 4 },
    { model: 'cam.A.1', name: 'both.example', queries: 1 }, { model: 'plug.B.2', name: 'both.example', queries: 1 },
    { model: 'plug.B.2', name: 'elsewhere.example', queries: 2 }, { model: 'cam.A.1', name: 'cdn.example', queries: 9 },
    { model: 'plug.B.2', name: 'www.example', queries: 5 },
  ],
};

test('only a device-facing name that nobody else asks for is unique', () => {
  const graph = linkGraph(small);
  assert.deepEqual(graph.models.map(({ name, names, queries }) => [name, names.length, queries]),
    [['cam.A.1', 3, 17], ['hub.C.3', 0, 0], ['plug.B.2', 3, 8]]);
  assert.deepEqual(graph.names.map(({ name, mark, isShared, models, queries }) =>
    [name, mark, isShared, models, queries]), [
    ['both.example', 'device-facing', true, [0, 2], 2], ['cdn.example', 'third-party', false, [0], 9],
    ['elsewhere.example', 'device-facing', true, [2], 2], ['own.example', 'unique', false, [0], 7],
    ['www.example', 'human-facing', true, [2], 5],
  ]);
  assert.deepEqual(countGraph(graph), {
    marks: { unique: 1, 'device-facing': 2, 'third-party': 1, 'human-facing': 1 }, shared: 3, modelsWithOne: 1,
    modelsWithThree: 0,
  });
});

test('the order of the input does not matter', () => {
  const sample = makeGraphSample();
  assert.deepEqual([sample.models.length, sample.names.length], [30, 400]);
  const turned = { ...sample, models: sample.models.toReversed(), names: sample.names.toReversed(),
    asks: sample.asks.toReversed() };
  assert.deepEqual(linkGraph(turned), linkGraph(sample));
});

test('at the limit, names that tell device models apart stay, then those of many, then those asked for often', () => {
  const kept = (namesMax: number): string[] => linkGraph(small, namesMax).names.map(({ name }) => name);
  assert.deepEqual(kept(1), ['own.example']);
  assert.deepEqual(kept(3), ['both.example', 'cdn.example', 'own.example']);
  const cut = linkGraph(small, 3);
  assert.deepEqual([cut.namesLeftOut, cut.edges.length, cut.models[0]?.queries], [2, 4, 17]);
  assert.equal(linkGraph(small, 5).namesLeftOut, 0);
});

test('an edge to nowhere, a name that stands twice and one that nobody asks for are our own faults', () => {
  const faults: [Partial<GraphInput>, RegExp][] = [
    [{ asks: [...small.asks, { model: 'gone', name: 'own.example', queries: 1 }] }, /gone asks/],
    [{ asks: [...small.asks, { model: 'cam.A.1', name: 'gone.example', queries: 1 }] }, /for gone\.example/],
    [{ asks: [...small.asks, { model: 'cam.A.1', name: 'own.example', queries: 0 }] }, /0 times/],
    [{ asks: [...small.asks, { model: 'cam.A.1', name: 'own.example', queries: Number.NaN }] }, /NaN times/],
    [{ asks: small.asks.slice(0, -1) }, /nobody asks for www\.example/],
    [{ names: [...small.names, ...small.names.slice(0, 1)] }, /own\.example stands twice/],
    [{ models: [...small.models, ...small.models.slice(0, 1)] }, /plug\.B\.2 stands twice/],
  ];
  for (const [fault, text] of faults) assert.throws(() => linkGraph({ ...small, ...fault }), text);
});
