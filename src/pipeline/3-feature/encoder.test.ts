/**
 * The encoder: equal to scikit-learn's on checked-in values, and properties that hold for any flows: what training
 * showed is never unseen, batches and dictionaries do not matter, numbers of training lie within 0..1.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDictionaries, createFlowBatch, type ColumnName } from '#flow';
import { catalogs } from './catalogs.ts';
import { natlensCatalog, portableCatalog } from './catalogs/natlens.ts';
import { paperCatalog } from './catalogs/paper.ts';
import { createEncodedRows, expandOneHot, oneHotColumnCount, type EncodedRows } from './encoded-rows.ts';
import { createEncoder, scalingOf, type Encoder } from './encoder.ts';
import { EncoderBuilder, fitEncoder } from './fit/encoder-builder.ts';
import { arbitraryFlow, batchOf, cut, featuresOf, type SampleFlow } from './feature-samples.test.ts';
import type { Catalog, FeatureMatrix } from './feature-matrix.ts';
import { createFeatureMatrix, readFeatures } from './read-features.ts';

const arbitraryFlows = fc.array(arbitraryFlow, { minLength: 1, maxLength: 30 });
const arbitrarySizes = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 });
const arbitraryCatalog = fc.constantFrom(...catalogs);

function encode(encoder: Encoder, matrix: FeatureMatrix): EncodedRows {
  const rows = createEncodedRows(encoder.layout, matrix.rowCount);
  encoder.encode(matrix, rows);
  return rows;
}

function fitOn(catalog: Catalog, flows: readonly SampleFlow[]): Encoder {
  return createEncoder(fitEncoder(catalog, [featuresOf(catalog, flows)]));
}

/** Places of features in a catalog. */
const placeOf = (catalog: Catalog, name: string): number =>
  [...catalog.numeric, ...catalog.categorical].findIndex((feature) => feature.name === name);
const codeOf = (catalog: Catalog, rows: EncodedRows, name: string, row = 0): number =>
  rows.codes[placeOf(catalog, name) - catalog.numeric.length]?.[row] as number;

type OracleRow = readonly [numbers: readonly number[], ones: readonly number[]];
type Oracle = {
  readonly columns: readonly ColumnName[];
  readonly cases: readonly {
    readonly name: string;
    readonly train: readonly (readonly (number | string)[])[];
    readonly others: readonly (readonly (number | string)[])[];
    readonly categories: readonly (readonly string[])[];
    readonly encodedTrain: readonly OracleRow[];
    readonly encodedOthers: readonly OracleRow[];
  }[];
};

const oracle = JSON.parse(
  readFileSync(new URL('../../../test/oracle/encoder.json', import.meta.url), 'utf8')) as Oracle;

function readRows(flows: readonly (readonly (number | string)[])[]): FeatureMatrix {
  const batch = createFlowBatch(flows.length);
  batch.rowCount = flows.length;
  for (const [row, flow] of flows.entries()) {
    for (const [i, value] of flow.entries()) {
      const isText = typeof value === 'string';
      batch.columns[oracle.columns[i] as ColumnName][row] =
        isText ? batch.dictionaries.applicationName.encode(value) : value;
    }
  }
  const matrix = createFeatureMatrix(paperCatalog, flows.length);
  readFeatures(batch, matrix);
  return matrix;
}

/** The one-hot form, as the oracle writes it. */
function describe(rows: EncodedRows): [number[], number[]][] {
  const width = oneHotColumnCount(rows.layout);
  const { numericCount } = rows.layout;
  const all = new Float32Array(rows.rowCount * width);
  expandOneHot(rows, all);
  return Array.from({ length: rows.rowCount }, (_, row) => {
    const values = [...all.subarray(row * width, (row + 1) * width)];
    const ones = values.slice(numericCount).flatMap((value, i) => value === 0 ? [] : [i]);
    assert.ok(ones.every((i) => values[numericCount + i] === 1));
    return [values.slice(0, numericCount), ones];
  });
}

for (const { name, train, others, categories, encodedTrain, encodedOthers } of oracle.cases) {
  test(`the one-hot matrix is scikit-learn's, bit for bit: ${name}`, () => {
    const matrix = readRows(train);
    const fitted = fitEncoder(paperCatalog, [matrix]);
    assert.deepEqual(fitted.categories, categories);
    const encoder = createEncoder(fitted);
    assert.deepEqual(describe(encode(encoder, matrix)), encodedTrain);
    assert.deepEqual(describe(encode(encoder, readRows(others))), encodedOthers);
  });
}

test('the oracle has unseen categories, numbers outside the range, and constant columns', () => {
  const rows = oracle.cases.flatMap(({ encodedOthers }) => encodedOthers);
  assert.ok(rows.some(([, ones]) => ones.length < 5));
  assert.ok(rows.some(([numbers]) => numbers.some((value) => value > 1)));
  assert.ok(oracle.cases.some(({ encodedTrain }) => encodedTrain.every(([numbers]) => numbers.every((x) => x === 0))));
});

test('training rows have no unseen category, and numbers from 0 to 1 that reach both ends', () => {
  fc.assert(fc.property(arbitraryCatalog, arbitraryFlows, (catalog, flows) => {
    const encoder = fitOn(catalog, flows);
    const rows = encode(encoder, featuresOf(catalog, flows));
    for (const [i, codes] of rows.codes.entries()) {
      const count = encoder.layout.categoryCounts[i] as number;
      // Every category was seen, and nothing else.
      assert.deepEqual([...new Set(codes)].sort((a, b) => a - b), Array.from({ length: count }, (_, code) => code));
    }
    for (const [i, column] of rows.numeric.entries()) {
      const { min, max } = encoder.fitted.numeric[i] as { min: number; max: number };
      assert.ok(min <= max);
      // scikit-learn takes a range next to nothing for none.
      const isWide = max - min >= 10 * Number.EPSILON;
      assert.ok(Math.abs(Math.min(...column)) < 1e-6);
      assert.ok(Math.abs(Math.max(...column) - Number(isWide)) < 1e-6);
    }
  }));
});

test('neither batches nor their order nor their dictionaries matter to what is fitted', () => {
  fc.assert(fc.property(arbitraryCatalog, arbitraryFlows, arbitrarySizes, (catalog, flows, sizes) => {
    const whole = fitEncoder(catalog, [featuresOf(catalog, flows)]);
    const own = cut(flows, sizes).map((piece) => featuresOf(catalog, piece));
    assert.deepEqual(fitEncoder(catalog, own), whole);
    assert.deepEqual(fitEncoder(catalog, own.toReversed()), whole);
    const shared = createDictionaries();
    assert.deepEqual(fitEncoder(catalog, cut(flows, sizes).map((piece) => featuresOf(catalog, piece, shared))), whole);
  }));
});

test('a matrix that is filled again and again gives the encoder of the whole', () => {
  fc.assert(fc.property(arbitraryFlows, arbitrarySizes, (flows, sizes) => {
    const matrix = createFeatureMatrix(natlensCatalog, 40);
    const builder = new EncoderBuilder(natlensCatalog);
    for (const piece of cut(flows, sizes)) {
      readFeatures(batchOf(piece), matrix);
      builder.add(matrix);
    }
    assert.equal(builder.rowCount, flows.length);
    assert.deepEqual(builder.fit(), fitEncoder(natlensCatalog, [featuresOf(natlensCatalog, flows)]));
  }));
});

test('a row is encoded alike in any batch, with any dictionary, whatever was encoded before', () => {
  fc.assert(fc.property(arbitraryCatalog, arbitraryFlows, arbitraryFlows, arbitrarySizes,
    (catalog, train, flows, sizes) => {
      const encoder = fitOn(catalog, train);
      const whole = describe(encode(encoder, featuresOf(catalog, flows)));
      const shared = createDictionaries();
      const inPieces = cut(flows, sizes).flatMap((piece) => [
        // The first grows from batch to batch; the second is new each time.
        describe(encode(encoder, featuresOf(catalog, piece, shared))),
        describe(encode(encoder, featuresOf(catalog, piece))),
      ]);
      assert.deepEqual(inPieces.filter((_, i) => i % 2 === 0).flat(), whole);
      assert.deepEqual(inPieces.filter((_, i) => i % 2 === 1).flat(), whole);
    }));
});

const flow: SampleFlow = {
  startMs: 0, durationMs: 3, octets: [100, 200], packets: [1, 2], classOfService: [0, 0], protocol: 6, port: 443,
  icmp: 0, flags: [2, 18], destination: [0, 0, 0xffff, 0x08080404], name: 'TLS',
};

test('what training never showed has the code after the last category, and numbers beyond the range go on', () => {
  const encoder = fitOn(natlensCatalog, [flow, { ...flow, port: 80, name: 'HTTP', octets: [300, 200] }]);
  const rows = encode(encoder, featuresOf(natlensCatalog, [
    { ...flow, port: 8_883, name: 'MQTT', octets: [2 ** 20, 200] }, { ...flow, port: 80, name: 'HTTP' },
  ]));
  assert.deepEqual([0, 1].map((row) => codeOf(natlensCatalog, rows, 'destinationPortClass', row)), [2, 0]);
  assert.deepEqual([0, 1].map((row) => codeOf(natlensCatalog, rows, 'applicationName', row)), [2, 0]);
  assert.ok((rows.numeric[0]?.[0] as number) > 1);
});

test('categories beyond the limit are unseen: the rarest, and of equally rare ones the last in order', () => {
  const ports = [80, 80, 80, 443, 443, 1, 2, 3];
  const flows = ports.map((port, i) => ({ ...flow, port, name: i < 5 ? 'TLS' : `x${i}` }));
  const matrix = featuresOf(portableCatalog, flows);
  const builder = new EncoderBuilder(portableCatalog, { categoriesMax: 3 });
  builder.add(matrix);
  const encoder = createEncoder(builder.fit());
  assert.deepEqual(encoder.fitted.categories[2], ['1', '80', '443']);
  assert.deepEqual(encoder.fitted.categories[3], ['TLS', 'x5', 'x6']);
  assert.deepEqual(builder.folded(), [
    { feature: 'destinationPortClass', kept: 3, foldedRows: 2 }, { feature: 'applicationName', kept: 3, foldedRows: 1 },
  ]);
  const rows = encode(encoder, matrix);
  assert.deepEqual(ports.map((_, row) => codeOf(portableCatalog, rows, 'destinationPortClass', row)),
    [1, 1, 1, 2, 2, 0, 3, 3]);
});

test('categories that come when no more are counted are left out, and told of', () => {
  const builder = new EncoderBuilder(portableCatalog, { categoriesCountedMax: 2 });
  for (const [port, name] of [[80, 'HTTP'], [443, 'TLS'], [22, 'SSH'], [80, 'SSH']] as const) {
    builder.add(featuresOf(portableCatalog, [{ ...flow, port, name }]));
  }
  assert.deepEqual(builder.fit().categories.slice(2, 4), [['80', '443'], ['HTTP', 'TLS']]);
  assert.deepEqual(builder.folded(), [
    { feature: 'destinationPortClass', kept: 2, foldedRows: 1 }, { feature: 'applicationName', kept: 2, foldedRows: 2 },
  ]);
});

test('what a full dictionary stores is no category: it stands for any text', () => {
  const encoder = fitOn(paperCatalog, [flow, { ...flow, name: '(other)' }]);
  assert.deepEqual(encoder.fitted.categories[4], ['TLS']);
  const rows = encode(encoder, featuresOf(paperCatalog, [{ ...flow, name: '(other)' }]));
  assert.equal(codeOf(paperCatalog, rows, 'applicationName'), 1);
});

test('a feature of which nothing is known takes everything for unseen', () => {
  const encoder = fitOn(paperCatalog, [{ ...flow, name: '(other)' }]);
  assert.deepEqual(encoder.layout.categoryCounts, [1, 1, 1, 1, 0]);
  assert.equal(codeOf(paperCatalog, encode(encoder, featuresOf(paperCatalog, [flow])), 'applicationName'), 0);
});

test('many categories are told apart', () => {
  const flows = Array.from({ length: 1_024 }, (_, i) => ({ ...flow, port: i * 48, name: `name ${i}` }));
  const rows = encode(fitOn(paperCatalog, flows), featuresOf(paperCatalog, flows));
  assert.deepEqual([...rows.codes[3] ?? []], flows.map((_, i) => i));
  assert.equal(new Set(rows.codes[4]).size, 1_024);
});

test('a range of next to nothing is one value', () => {
  assert.deepEqual(scalingOf({ min: 4, max: 4 }), { scale: 1, shift: -4 });
  assert.deepEqual(scalingOf({ min: 0, max: 2e-15 }), { scale: 1, shift: 0 });
  assert.deepEqual(scalingOf({ min: 2, max: 4 }), { scale: 0.5, shift: -1 });
});

test('no flows, another catalog or another layout is our own bug', () => {
  assert.throws(() => fitEncoder(paperCatalog, []), /no flows/);
  assert.throws(() => fitEncoder(paperCatalog, [featuresOf(paperCatalog, [])]), /no flows/);
  const encoder = fitOn(paperCatalog, [flow]);
  const matrix = featuresOf(natlensCatalog, [flow]);
  assert.throws(() => encode(encoder, matrix), /different catalogs/);
  assert.throws(() => fitEncoder(paperCatalog, [matrix]), /different catalogs/);
  const rows = createEncodedRows({ numericCount: 3, categoryCounts: [1, 1, 1, 1, 2] }, 1);
  assert.throws(() => encoder.encode(featuresOf(paperCatalog, [flow]), rows), /another layout/);
  assert.throws(() => encoder.encode(featuresOf(paperCatalog, [flow, flow]), createEncodedRows(encoder.layout, 1)),
    /no room/);
  assert.throws(() => createEncoder({ ...encoder.fitted, catalogVersion: 99 }), /no catalog paper 99/);
  assert.throws(() => createEncoder({ ...encoder.fitted, numeric: [] }), /is none of/);
  assert.throws(() => readFeatures(batchOf([flow, flow]), createFeatureMatrix(paperCatalog, 1)), /too small/);
});
