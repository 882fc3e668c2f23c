/** Each leak planted: a check that finds nothing in these is worth nothing. And the shipped catalogs have none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { catalogs, type Catalog, type CategoricalFeature, type NumericFeature } from '#feature';
import { createDictionaries, type ColumnName, type FlowBatch } from '#flow';
import { batchOf, makeFlows } from '../../../test/support/labelled-flows.ts';
import { checkCatalog, checkPartitions, DuplicateCheck } from './leak-checks.ts';
import { partitionOf, splitCounts } from './manifest.ts';

const leaks = (pattern: RegExp) => (thrown: unknown): boolean =>
  thrown instanceof OperatorError && thrown.message.startsWith('The data leak: ') && pattern.test(thrown.message);

function catalogOf(feature: NumericFeature | CategoricalFeature): Catalog {
  const isNumeric = feature.kind === 'numeric';
  return { name: 'planted', version: 1, meaning: 'has a leak', numeric: isNumeric ? [feature] : [],
    categorical: isNumeric ? [] : [feature] };
}

const reading = (name: ColumnName, columns: readonly string[], index = 0, width = 1): CategoricalFeature => ({
  kind: 'categorical', name: 'planted', columns, meaning: 'a leak',
  read: (batch, out) => {
    for (let row = 0; row < batch.rowCount; row++) out[row] = batch.columns[name][row * width + index] as number;
  },
});

test('the shipped catalogs have no leak', () => {
  assert.ok(catalogs.length >= 3);
  for (const catalog of catalogs) assert.doesNotThrow(() => checkCatalog(catalog), catalog.name);
});

test('features of identifiers, labels and source ports are refused by the columns that they name', () => {
  for (const name of ['sourceAddress', 'sourceMacAddress', 'ingressInterface', 'vlanId', 'exporterAddress', 'device',
    'device_model', 'partition', 'sourceTransportPort'] as const) {
    assert.throws(() => checkCatalog(catalogOf(reading('initiatorOctets', [name]))),
      leaks(new RegExp(`made of ${name}`)));
  }
});

test('features that read what they do not name are refused too', () => {
  const named = ['initiatorOctets'];
  assert.throws(() => checkCatalog(catalogOf(reading('sourceAddress', named, 3, 4))), leaks(/reads sourceAddress/));
  assert.throws(() => checkCatalog(catalogOf(reading('sourceMacAddress', named, 1, 2))),
    leaks(/reads sourceMacAddress/));
  assert.throws(() => checkCatalog(catalogOf(reading('sourceTransportPort', named))),
    leaks(/reads sourceTransportPort/));
  assert.throws(() => checkCatalog(catalogOf(reading('device', named))), leaks(/reads device/));
  assert.doesNotThrow(() => checkCatalog(catalogOf(reading('destinationTransportPort', ['destinationTransportPort']))));
});

test('absolute time is refused, duration is not', () => {
  const times = ['flowStartMilliseconds', 'flowEndMilliseconds'];
  const feature = (columns: readonly string[], read: (startMs: number, endMs: number) => number): NumericFeature => ({
    kind: 'numeric', name: 'planted', columns, meaning: 'of time',
    read: ({ columns: { flowStartMilliseconds: start, flowEndMilliseconds: end }, rowCount }, out) => {
      for (let row = 0; row < rowCount; row++) out[row] = read(start[row] as number, end[row] as number);
    },
  });
  assert.throws(() => checkCatalog(catalogOf(feature(times.slice(0, 1), (startMs) => startMs))),
    leaks(/flowStartMilliseconds alone/));
  assert.throws(() => checkCatalog(catalogOf(feature(times, (startMs) => Math.floor(startMs / 3_600_000) % 24))),
    leaks(/changes with absolute time/));
  assert.doesNotThrow(() => checkCatalog(catalogOf(feature(times, (startMs, endMs) => endMs - startMs))));
});

const dictionaries = createDictionaries();

function partitioned(count: number, seed: number): FlowBatch {
  const flows = batchOf(makeFlows(count, seed), dictionaries);
  const counts = splitCounts(count);
  for (let row = 0; row < count; row++) {
    flows.columns.partition[row] = dictionaries.partition.encode(partitionOf(row, counts));
  }
  return flows;
}

test('the split is 70/10/20 in whole numbers, and gives every flow a part', () => {
  for (let flows = 0; flows < 200; flows++) {
    const { train, validation, test: tested } = splitCounts(flows);
    assert.equal(train + validation + tested, flows);
    assert.equal(train, Math.floor(flows * 7 / 10));
    assert.equal(train + validation, Math.floor(flows * 8 / 10));
  }
  assert.deepEqual([0, 6, 7, 8, 9].map((i) => partitionOf(i, splitCounts(10))),
    ['train', 'train', 'validation', 'test', 'test']);
});

test('parts out of order are refused', () => {
  assert.doesNotThrow(() => checkPartitions('x', partitioned(50, 1)));
  const swapped = partitioned(50, 1);
  swapped.columns.partition[3] = dictionaries.partition.encode('test');
  assert.throws(() => checkPartitions('x', swapped),
    leaks(/flow 4 of x is in 'test' and by its time belongs to train/));
  const early = partitioned(50, 1);
  early.columns.flowStartMilliseconds[45] = 0;
  assert.throws(() => checkPartitions('x', early), leaks(/flow 46 of x begins before/));
});

test('a flow in two parts or under two devices is refused', () => {
  const check = new DuplicateCheck();
  const one = partitioned(50, 1);
  check.add('one', one);
  // Another seed's flows begin at the same times and have other sizes.
  assert.doesNotThrow(() => check.add('two', partitioned(50, 9)));
  assert.throws(() => check.add('three', one), leaks(/is one's and three's too/));
  const twice = partitioned(50, 2);
  const { columns } = twice;
  for (const name of ['flowStartMilliseconds', 'flowEndMilliseconds', 'initiatorOctets', 'responderOctets',
    'initiatorPackets', 'responderPackets', 'protocolIdentifier', 'destinationTransportPort'] as const) {
    columns[name][49] = columns[name][1] as number;
  }
  assert.throws(() => new DuplicateCheck().add('one', twice), leaks(/is in train and in test/));
});
