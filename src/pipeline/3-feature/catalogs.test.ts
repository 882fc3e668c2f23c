/**
 * Catalogs: what each feature reads and what none may read, by tables and by properties. The values of single features
 * are shown for flows whose features can be worked out by hand.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from '#base';
import { elementsPerRow, findColumn, schema, type ColumnName, type FlowBatch } from '#flow';
import { catalogs, findCatalog } from './catalogs.ts';
import { blockOf, dynamicPort, prefixOf, privateBlock, privatePrefix } from './catalogs/destination.ts';
import { natlensCatalog, portableCatalog } from './catalogs/natlens.ts';
import { paperCatalog } from './catalogs/paper.ts';
import { log2OfOnePlus } from './column-kernels.ts';
import { arbitraryFlow, batchOf, featuresOf, type SampleFlow } from './feature-samples.test.ts';
import type { Catalog, FeatureMatrix } from './feature-matrix.ts';
import { createFeatureMatrix, readFeatures } from './read-features.ts';

const flow: SampleFlow = {
  startMs: 1_655_071_198_000, durationMs: 3, octets: [1_023, 255], packets: [7, 3], classOfService: [16, 32],
  protocol: 6, port: 443, icmp: 0, flags: [0x11b, 0x12], destination: [0, 0, 0xffff, 0x08080404], name: 'TLS',
};

/** Features of one flow by name; a category of texts as text. */
function featuresByName(catalog: Catalog, changes: Partial<SampleFlow> = {}): Record<string, number | string> {
  const matrix = featuresOf(catalog, [{ ...flow, ...changes }]);
  return Object.fromEntries([
    ...catalog.numeric.map(({ name }, i) => [name, matrix.numeric[i]?.[0]]),
    ...catalog.categorical.map(({ name }, i) => {
      const value = matrix.categorical[i]?.[0] as number;
      return [name, matrix.dictionaries[i]?.decode(value) ?? value];
    }),
  ]) as Record<string, number | string>;
}

test('a catalog is found by name and version', () => {
  assert.equal(findCatalog('paper'), paperCatalog);
  assert.equal(findCatalog('natlens', natlensCatalog.version), natlensCatalog);
  assert.equal(findCatalog('natlens', natlensCatalog.version + 1), undefined);
  assert.equal(findCatalog('toString'), undefined);
});

for (const catalog of catalogs) {
  const features = [...catalog.numeric, ...catalog.categorical];

  test(`${catalog.name}: names are unique, and columns are in the schema`, () => {
    assert.equal(new Set(features.map(({ name }) => name)).size, features.length);
    for (const { name, columns } of features) {
      assert.ok(columns.length > 0, name);
      for (const column of columns) assert.ok(findColumn(column) !== undefined, `${name}: ${column}`);
    }
  });

  test(`${catalog.name}: no feature names a device, a home or the truth`, () => {
    const columns = features.flatMap((feature) => feature.columns.map((column) => findColumn(column)));
    const classes = new Set(columns.map((column) => column?.privacy));
    assert.deepEqual([...classes].filter((name) => name === 'identity' || name === 'label'), []);
    assert.ok(!columns.some((column) => column?.name === 'sourceTransportPort'));
  });

  test(`${catalog.name}: columns that are not named do not matter, and each that is does`, () => {
    const named = new Set(features.flatMap(({ columns }) => columns));
    fc.assert(fc.property(fc.array(arbitraryFlow, { minLength: 1, maxLength: 8 }), (flows) => {
      const batch = batchOf(flows);
      const before = snapshot(read(catalog, batch));
      for (const { name, storage } of schema) {
        if (named.has(name)) continue;
        batch.columns[name].fill(storage === 'dictionary' ? 0 : 77, 0, batch.rowCount * elementsPerRow(storage));
      }
      assert.deepEqual(snapshot(read(catalog, batch)), before);
    }));
    for (const name of named) {
      const batch = batchOf([{ ...flow }, { ...flow, protocol: 1 }, { ...flow, protocol: 58 }]);
      const before = snapshot(read(catalog, batch));
      const column = batch.columns[name as ColumnName];
      for (let i = 0; i < column.length; i++) column[i] = (column[i] as number) + 1;
      assert.notDeepEqual(snapshot(read(catalog, batch)), before, name);
    }
  });

  test(`${catalog.name}: the time of day does not matter, numbers are finite and not negative`, () => {
    const arbitraryFlows = fc.array(arbitraryFlow, { maxLength: 8 });
    fc.assert(fc.property(arbitraryFlows, fc.integer({ min: 0, max: 2 ** 40 }), (flows, ms) => {
      const matrix = featuresOf(catalog, flows);
      assert.ok(matrix.numeric.every((column) => column.every((value) => value >= 0 && Number.isFinite(value))));
      const later = featuresOf(catalog, flows.map((one) => ({ ...one, startMs: one.startMs + ms })));
      assert.deepEqual(snapshot(later), snapshot(matrix));
    }));
  });
}

function read(catalog: Catalog, batch: FlowBatch): FeatureMatrix {
  const matrix = createFeatureMatrix(catalog, batch.capacity);
  readFeatures(batch, matrix);
  return matrix;
}

function snapshot({ numeric, categorical, rowCount }: FeatureMatrix): number[][] {
  return [...numeric, ...categorical].map((column) => [...column.subarray(0, rowCount)]);
}

test('paper: the eight features of a flow, as they stand in it', () => {
  assert.deepEqual(featuresByName(paperCatalog), {
    initiatorOctets: 1_023, responderOctets: 255, flowDurationMilliseconds: 3, ipClassOfService: 16,
    reverseIpClassOfService: 32, protocolIdentifier: 6, destinationTransportPort: 443, applicationName: 'TLS',
  });
  assert.equal(featuresByName(paperCatalog, { port: 50_000 }).destinationTransportPort, 50_000);
});

test('paper: ICMP has its type and code for a port', () => {
  for (const protocol of [1, 58]) {
    const features = featuresByName(paperCatalog, { protocol, port: 0, icmp: 0x0800 });
    assert.equal(features.destinationTransportPort, 0x0800);
  }
});

test('a flow that ends before it begins lasted no time', () => {
  assert.equal(featuresByName(paperCatalog, { durationMs: -5 }).flowDurationMilliseconds, 0);
  assert.equal(featuresByName(natlensCatalog, { durationMs: -5 }).flowDurationMillisecondsLog2, 0);
});

test('natlens: the features of a flow', () => {
  assert.deepEqual(featuresByName(natlensCatalog), {
    initiatorOctetsLog2: 10, responderOctetsLog2: 8, initiatorPacketsLog2: 3, responderPacketsLog2: 2,
    flowDurationMillisecondsLog2: 2, initiatorOctetsPerPacket: 1_023 / 7, responderOctetsPerPacket: 85,
    ipClassOfService: 16, protocolIdentifier: 6, destinationPortClass: 443,
    applicationName: 'TLS', tcpControlBits: 0x1b, reverseTcpControlBits: 0x12, destinationPrefix: 0x080804,
    destinationBlock: 0x0808,
  });
});

test('natlens: a side without packets has packets of no size, and only TCP has flags', () => {
  const features = featuresByName(natlensCatalog, { packets: [3, 0], octets: [120, 0], protocol: 17 });
  assert.equal(features.responderOctetsPerPacket, 0);
  assert.equal(features.tcpControlBits, 0);
  assert.equal(features.reverseTcpControlBits, 0);
});

test('natlens: dynamic ports are one class, ICMP is no port', () => {
  const classOf = (changes: Partial<SampleFlow>): unknown =>
    featuresByName(natlensCatalog, changes).destinationPortClass;
  assert.equal(classOf({ port: 49_151 }), 49_151);
  assert.equal(classOf({ port: 49_152 }), dynamicPort);
  assert.equal(classOf({ port: 65_535 }), dynamicPort);
  assert.equal(classOf({ protocol: 1, port: 0, icmp: 0x0800 }), 131_072 + 0x0800);
  assert.equal(classOf({ protocol: 58, port: 0, icmp: 0x8000 }), 196_608 + 0x8000);
});

test('prefixes: /24 and /48, and all private addresses alike', () => {
  const prefix = (text: string): number => prefixOf(Uint32Array.from(parseAddress(text) ?? []), 0);
  assert.equal(prefix('8.8.8.8'), 0x080808);
  assert.equal(prefix('8.8.8.255'), 0x080808);
  assert.equal(prefix('239.255.255.250'), 0xefffff);
  assert.equal(prefix('64:ff9b::8.8.8.8'), 0x080808);
  for (const text of ['192.168.1.7', '10.1.2.3', '172.31.0.1', '169.254.7.7', 'fe80::1', 'fd00:1::2']) {
    assert.equal(prefix(text), privatePrefix, text);
  }
  assert.equal(prefix('2001:db8:1:2::3'), prefix('2001:db8:1:ffff::'));
  assert.notEqual(prefix('2001:db8:1::'), prefix('2001:db8:2::'));
  assert.notEqual(prefix('2001:db8:1::'), prefix('2001:db9:1::'));
  // Classifiers hold these numbers: another mixing is another version of the catalog.
  assert.equal(prefix('2001:db8:1::'), 3_268_898_800);
  assert.ok(prefix('ff02::fb') >= 0x8000_0000);
});

test('blocks: /16 and /32, and all private addresses alike', () => {
  const block = (text: string): number => blockOf(Uint32Array.from(parseAddress(text) ?? []), 0);
  assert.equal(block('8.8.4.4'), 0x0808);
  assert.equal(block('255.255.255.255'), 0xffff);
  assert.equal(block('64:ff9b::8.8.4.4'), 0x0808);
  assert.equal(block('64:ff9b:1::1'), 0x64ff9b);
  assert.equal(block('192.168.1.7'), privateBlock);
  assert.equal(block('fe80::1'), privateBlock);
  assert.equal(block('2001:db8:1::'), 0x20010db8);
  assert.equal(block('ff02::fb'), 0xff020000);
});

test('portable: nothing about whom a home talks to', () => {
  const features = [...portableCatalog.numeric, ...portableCatalog.categorical];
  const classes = features.flatMap(({ columns }) => columns.map((column) => findColumn(column)?.privacy));
  assert.deepEqual([...new Set(classes)].sort(), ['measure', 'protocol']);
});

test('prefixes of IPv6 share a number about as rarely as chance has it', () => {
  const seen = new Set<number>();
  const words = new Uint32Array(4);
  for (let i = 0; i < 20_000; i++) {
    words[0] = 0x2a000000 + (i >>> 4) * 0x10000;
    words[1] = (i & 15) << 16;
    seen.add(prefixOf(words, 0));
  }
  assert.ok(20_000 - seen.size <= 2, `${20_000 - seen.size} of 20,000 fell together`);
});

test('log2: exact at powers of two, near the logarithm, and it grows', () => {
  for (let exponent = 0; exponent < 53; exponent++) assert.equal(log2OfOnePlus(2 ** exponent - 1), exponent);
  assert.equal(log2OfOnePlus(2 ** 63), 63);
  assert.equal(log2OfOnePlus(1e300), 63);
  fc.assert(fc.property(fc.double({ min: 0, max: 2 ** 60, noNaN: true }), (x) => {
    const below = Math.log2(1 + x) - log2OfOnePlus(x);
    assert.ok(below > -1e-12 && below < 0.0861, `${x}: ${below}`);
  }));
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat(), (x, more) => {
    assert.ok(log2OfOnePlus(x) <= log2OfOnePlus(x + more));
  }));
});
