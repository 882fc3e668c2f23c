/** Coverage: device models by how many dedicated names they have, and the graph of who asks for what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverNames, drawNameGraph } from './name-coverage.ts';
import { defaultNameLists } from './name-lists.ts';
import type { TermUnit } from './name-windows.ts';

function unit(deviceModel: string, names: readonly string[], kind: TermUnit['kind'] = 'iot'): TermUnit {
  // Each name twice in one window and once in another.
  return { name: `${deviceModel} ${names.length}`, deviceModel, kind,
    windows: [new Map(names.map((name) => [name, 2])), new Map(), new Map(names.map((name) => [name, 1]))] };
}

const units = [
  unit('webcam.Acme.One', ['a.acme.net', 'b.acme.net', '0.pool.ntp.org']),
  // A second unit of the same device model shows one more.
  unit('webcam.Acme.One', ['c.acme.net', 'b.acme.net', 'shared.acme.net', 'd.acme.net']),
  unit('bulb.Birch.A', ['x.birch.com', 'y.birch.com', '0.pool.ntp.org']),
  unit('bulb.Birch.B', ['z.birch.com', 'shared.acme.net', 'www.birch.com']),
  unit('hub.Cedar.C', ['0.pool.ntp.org', 'shared.acme.net', 'app.cedar.com']),
  unit('laptop', ['www.birch.com', 'app.cedar.com'], 'non-iot'),
];

test('device models with three or more, two, one and no dedicated names', () => {
  const coverage = coverNames(units, defaultNameLists);
  assert.deepEqual([coverage.withThreeOrMore, coverage.withTwo, coverage.withOne, coverage.withNone], [1, 1, 1, 1]);
  assert.deepEqual(coverage.deviceModels, [
    { deviceModel: 'webcam.Acme.One', asked: 6, deviceFacing: 5,
      dedicated: ['a.acme.net', 'b.acme.net', 'c.acme.net', 'd.acme.net'] },
    { deviceModel: 'bulb.Birch.A', asked: 3, deviceFacing: 2, dedicated: ['x.birch.com', 'y.birch.com'] },
    { deviceModel: 'bulb.Birch.B', asked: 3, deviceFacing: 2, dedicated: ['z.birch.com'] },
    // The laptop's app asks for the hub's one name, too.
    { deviceModel: 'hub.Cedar.C', asked: 3, deviceFacing: 1, dedicated: [] },
  ]);
  assert.deepEqual(coverNames([], defaultNameLists).deviceModels, []);
});

test('the graph: who asks for what, how often, and what kind of name it is', () => {
  const { models, names, asks } = drawNameGraph(units, defaultNameLists);
  assert.deepEqual(models.map(({ name }) => name),
    ['bulb.Birch.A', 'bulb.Birch.B', 'hub.Cedar.C', 'laptop', 'webcam.Acme.One']);
  const byName = new Map(names.map((row) => [row.name, row]));
  assert.deepEqual(['0.pool.ntp.org', 'www.birch.com', 'app.cedar.com', 'shared.acme.net', 'a.acme.net']
    .map((name) => [byName.get(name)?.kind, byName.get(name)?.isShared]), [
    ['third-party', true], ['human-facing', true], ['human-facing', true], ['device-facing', true],
    ['device-facing', false],
  ]);
  const ofWebcam = asks.filter(({ model }) => model === 'webcam.Acme.One');
  assert.deepEqual(ofWebcam.map(({ name, queries }) => [name, queries]), [
    ['0.pool.ntp.org', 3], ['a.acme.net', 3], ['b.acme.net', 6], ['c.acme.net', 3], ['d.acme.net', 3],
    ['shared.acme.net', 3],
  ]);
  assert.deepEqual(drawNameGraph([...units].reverse(), defaultNameLists), { models, names, asks });
});
