/** Libraries from labelled flows: what is left out and counted, bounds, the same units in whatever order flows came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { findCatalog, type Catalog } from '#feature';
import { createDictionaries } from '#flow';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { batchOfTokenFlows, tokenFlowDefaults, type TokenFlow } from '../../../test/support/token-flows.ts';
import { LibraryFlows } from './background-library.ts';
import { countTokenHours, eachPlainToken, hashOfToken, hoursShowing } from './token-hours.ts';
import { TrainingFlows } from './training-flows.ts';
import { FlowsByUnit, splitOwnFlows } from './unit-flows.ts';

const deviceModel = tokenFlowDefaults.deviceModel;
const others = (device: string, count: number): TokenFlow[] =>
  Array.from({ length: count }, (_, hour) => ({ device, deviceModel: 'tv.Other.Two', hour, port: 443 }));

test('flows of the device model, and of no device, are left out and counted', () => {
  const library = new LibraryFlows({ deviceModel, ownDevices: ['unit-1', 'unit-9', ''] });
  library.add(batchOfTokenFlows([
    { hour: 1 }, { hour: 2, device: 'unit-2' }, { hour: 3, device: 'unit-9', deviceModel: '' },
    { hour: 3, device: '', deviceModel: '' }, { hour: 4, device: '', deviceModel: 'tv.Other.Two' },
    ...others('tv-2', 3), ...others('tv-1', 2), { hour: 5, device: 'guest', deviceModel: '' },
  ]));
  assert.deepEqual(library.counts, { taken: 6, own: 3, unlabelled: 2 });
  const units = library.units();
  assert.deepEqual(units.map(({ device, tokens }) => [device, tokens.hours]), [['guest', 1], ['tv-1', 2], ['tv-2', 3]]);
  const key = hashOfToken({ text: 'tcp/443 MQTT.Cloud 222/142' });
  assert.deepEqual(units.map(({ tokens }) => hoursShowing(tokens, key)), [0, 2, 3]);
});

test('batches are copied, and pieces grow without losing a row', () => {
  const dictionaries = createDictionaries();
  const library = new LibraryFlows({ deviceModel, ownDevices: [] });
  for (const hour of Array.from({ length: 300 }, (_, i) => i)) {
    const batch = batchOfTokenFlows([{ device: 'tv-1', deviceModel: 'tv.Other.Two', hour }], dictionaries);
    library.add(batch);
    batch.columns.flowEndMilliseconds[0] = 0;
  }
  const [unit] = library.units();
  assert.equal(unit?.flows.reduce((sum, { rowCount }) => sum + rowCount, 0), 300);
  assert.equal(unit?.tokens.hours, 300);
});

test('more flows or units than may be held are refused, and so is a device of two device models', () => {
  type Bounds = { readonly flowsMax?: number; readonly unitsMax?: number };
  const refuse = (bounds: Bounds, flows: readonly TokenFlow[], sentence: RegExp): void => {
    const library = new LibraryFlows({ deviceModel, ownDevices: [], ...bounds });
    assert.throws(() => library.add(batchOfTokenFlows(flows)), (thrown) =>
      thrown instanceof OperatorError && sentence.test(thrown.message));
  };
  refuse({ flowsMax: 2 }, others('tv-1', 3), /more than 2 flows/);
  refuse({ unitsMax: 1 }, [...others('tv-1', 2), ...others('tv-2', 1)], /more than 1 devices/);
  refuse({}, [...others('tv-1', 1), { hour: 2, device: 'tv-1', deviceModel: 'tv.Other.Three' }], /of one device model/);
  const atLimit = new LibraryFlows({ deviceModel, ownDevices: [], flowsMax: 3, unitsMax: 1 });
  atLimit.add(batchOfTokenFlows(others('tv-1', 3)));
  assert.equal(atLimit.counts.taken, 3);
});

test('own flows are cut in time where TrainingFlows cuts them, device by device', () => {
  const flows = [
    ...makeFlows(57, 1), ...makeFlows(23, 2, { device: 'unit-2' }),
    ...makeFlows(40, 3, { device: 'tv-1', deviceModel: 'tv.Other.Two' }),
  ];
  const shuffled = flows.map((flow, i) => ({ flow, at: (i * 37) % flows.length })).sort((a, b) => a.at - b.at)
    .map(({ flow }) => flow);
  const batch = batchOf(shuffled);
  const training = new TrainingFlows(findCatalog('portable') as Catalog, { deviceModel: 'webcam.Test.One' });
  training.add(batch);
  const own = new FlowsByUnit({ deviceModel: 'webcam.Test.One' });
  for (let row = 0; row < batch.rowCount; row++) if (training.takes(batch, row)) own.add(batch, row);
  const parts = splitOwnFlows(own.units());
  const split = training.split();
  const count = (part: keyof typeof parts): number => parts[part].reduce((sum, { rowCount }) => sum + rowCount, 0);
  assert.deepEqual([count('training'), count('validation')],
    [split.training.matrix.rowCount, split.validation.matrix.rowCount]);
  const octets = (part: keyof typeof parts): number[] =>
    parts[part].flatMap(({ columns, rowCount }) => [...columns.initiatorOctets.subarray(0, rowCount)]);
  // Of 57 flows 39 train and 6 validate, of 23 flows 16 and 2.
  const expected = (...ranges: readonly (readonly [number, number])[]): number[] =>
    ranges.flatMap(([from, end]) => flows.slice(from, end).map((flow) => flow.octets));
  assert.deepEqual(octets('training'), expected([0, 39], [57, 57 + 16]));
  assert.deepEqual(octets('validation'), expected([39, 45], [57 + 16, 57 + 18]));
});

test('hashes of tokens that differ by a digit differ, and hours are counted by them alone', () => {
  const texts = new Set<string>();
  const hashes = new Set<number>();
  for (let initiator = 0; initiator < 400; initiator++) {
    for (let responder = 0; responder < 400; responder++) {
      const text = `tcp/8883 MQTT.Cloud ${initiator}/${responder}`;
      texts.add(text);
      const hash = hashOfToken({ text });
      assert.ok(Number.isSafeInteger(hash) && hash >= 0);
      hashes.add(hash);
    }
  }
  assert.equal(hashes.size, texts.size);
  const counted = countTokenHours([batchOfTokenFlows(others('tv-1', 5))], eachPlainToken);
  assert.equal(counted.hours, 5);
  assert.deepEqual([...counted.shown], [5, 5, 5, 5, 5]);
  assert.deepEqual([...counted.hashes], [...counted.hashes].sort((a, b) => a - b));
  const nothing = { hours: 0, hashes: new Float64Array(0), shown: new Uint32Array(0) };
  assert.deepEqual(countTokenHours([], eachPlainToken), nothing);
});
