/**
 * The kernel, the readable code and reused batches: whatever the templates and their order, all give the same columns.
 * The reference is the readable code with a batch that is never filled twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDictionaries, createFlowBatch, copyRows, type FlowBatch } from '../flow-batch.ts';
import { elementsPerRow, schema } from '../schema.ts';
import { ExportDecoder } from './export-decoder.ts';
import type { ExportCounts, ExportDatagram, ExportDecoderOptions } from './export-types.ts';
import {
  datagram, type FieldSpec, join, message10, message5, message9, set, template, u16,
} from './message-samples.ts';

const rowsMax = 400;

type Decoded = { columns: Record<string, number[]>; counts: ExportCounts };

function decode(datagrams: readonly ExportDatagram[], options: Partial<ExportDecoderOptions>): Decoded {
  const dictionaries = createDictionaries();
  const kept = createFlowBatch(rowsMax, dictionaries);
  const keep = (batch: FlowBatch): void => copyRows(batch, 0, batch.rowCount, kept);
  const decoder = new ExportDecoder(options, keep, { dictionaries });
  for (const each of datagrams) decoder.decode(each);
  decoder.end();
  return {
    columns: Object.fromEntries(schema.map(({ name, storage }) =>
      [name, [...kept.columns[name].subarray(0, kept.rowCount * elementsPerRow(storage))]])),
    counts: decoder.counts(),
  };
}

/** Elements that fill columns, each with lengths that exporters use; -1: of variable length. */
const elements: readonly (readonly [id: number, lengths: readonly number[], enterprise?: number])[] = [
  [8, [4]], [12, [4]], [27, [16]], [28, [16]], [44, [4]], [7, [1, 2]], [11, [2]], [4, [1, 2]], [5, [1]], [55, [1]],
  [1, [1, 2, 3, 4, 5, 8]], [2, [4, 8]], [85, [8]], [86, [4]], [23, [4, 8]], [24, [4]], [231, [8]], [232, [4]],
  [298, [8]], [299, [3]], [1, [4], 29305], [2, [4], 29305], [6, [1, 2]], [6, [2], 29305], [32, [2]], [139, [2]],
  [176, [1]], [177, [1]], [136, [1]], [10, [1, 2, 4]], [14, [2, 4]], [58, [2]], [56, [6]], [80, [6]], [239, [1]],
  [22, [4, 8]], [21, [4]], [150, [4]], [151, [4]], [152, [8]], [153, [8]], [154, [8]], [156, [8]], [158, [4]],
  [161, [4]], [162, [4]], [323, [8]], [160, [8]], [34, [4]], [48, [1]], [375, [4]], [96, [8]],
];

type Spec = { version: 9 | 10; id: number; fields: FieldSpec[] };

const field = (canVary: boolean): fc.Arbitrary<FieldSpec> =>
  fc.tuple(fc.constantFrom(...elements), fc.nat(), fc.boolean()).map(([[id, lengths, enterprise], which, varies]) => {
    const length = id === 96 && canVary && varies ? 65_535 : lengths[which % lengths.length] as number;
    return enterprise === undefined || !canVary ? [id, length] as const : [id, length, enterprise] as const;
  });

const spec = (id: number): fc.Arbitrary<Spec> => fc.constantFrom<9 | 10>(9, 10).chain((version) =>
  fc.tuple(fc.constantFrom<FieldSpec[]>([[8, 4], [12, 4]], [[27, 16], [28, 16]], [[8, 4]], [[28, 16]], [[27, 16],
    [12, 4]], [[8, 4], [12, 4], [27, 16], [28, 16]]), fc.array(field(version === 10), { maxLength: 12 }))
    .map(([addresses, fields]) => ({ version, id, fields: [...addresses, ...fields] })));

/** Values of a record: small numbers are frequent, so that protocols, directions and reasons mean something. */
const values = fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 6, 17, 58), fc.nat(255)), { minLength: 24, maxLength: 64 });

function record(fields: readonly FieldSpec[], seed: readonly number[]): Uint8Array {
  let next = 0;
  const take = (): number => seed[next++ % seed.length] as number;
  return join(...fields.map(([, length]) => {
    const lengthBytes = length === 65_535 ? take() % 9 : length;
    const bytes = Array.from({ length: lengthBytes }, take);
    return length === 65_535 ? [lengthBytes, ...bytes] : bytes;
  }));
}

const message = (version: 9 | 10, domain: number, body: Uint8Array): Uint8Array =>
  (version === 9 ? message9({ domain }, body) : message10({ domain }, body));

const exports = fc.tuple(spec(256), spec(257), spec(258)).chain((specs) => fc.array(
  fc.tuple(fc.nat(2), fc.array(values, { minLength: 1, maxLength: 9 }), fc.nat(1)), { minLength: 1, maxLength: 20 })
  .map((sets) => [
    ...specs.flatMap(({ version, id, fields }) => [0, 1].map((domain) =>
      message(version, domain, set(version === 9 ? 0 : 2, template(id, fields))))),
    ...sets.map(([which, seeds, domain]) => {
      const { version, id, fields } = specs[which] as Spec;
      return message(version, domain, set(id, ...seeds.map((seed) => record(fields, seed))));
    }),
  ].map((bytes) => datagram(bytes))));

test('property: kernel and readable code, reused batches and fresh ones, give the same rows', () => {
  fc.assert(fc.property(exports, fc.boolean(), (datagrams, renormalise) => {
    const expected = decode(datagrams, { kernel: 'none', batchRows: rowsMax, renormalise });
    for (const batchRows of [1, 3, 7, rowsMax]) {
      for (const kernel of ['wasm', 'none'] as const) {
        const decoded = decode(datagrams, { kernel, batchRows, renormalise });
        assert.deepEqual(decoded, expected, `${kernel}, ${batchRows} rows`);
      }
    }
  }), { numRuns: 300 });
});

test('v5 is read the same by both', () => {
  const flow = { source: '192.0.2.1', destination: '198.51.100.1', packets: 3, octets: 4000, firstMs: 990_000,
    lastMs: 999_000, ports: [5000, 443] as const, protocol: 6, flags: 27 };
  const datagrams = [7, 30, 1].map((count) => datagram(message5({}, Array.from({ length: count }, () => flow))));
  const expected = decode(datagrams, { kernel: 'none', batchRows: rowsMax });
  assert.equal(expected.counts.flows, 38);
  assert.deepEqual(decode(datagrams, { batchRows: 16 }), expected);
});

test('records larger than what the kernel takes at once, and sets at the end of a large message', () => {
  const fields: FieldSpec[] = [[8, 4], [12, 4], [210, 20_000], [2, 4]];
  const long = record(fields, [1, 2, 3, 250]);
  const small = template(257, [[8, 4], [1, 4]]);
  const datagrams = [
    message10({}, set(2, template(256, fields), small)), message10({ sequence: 0 }, set(256, long, long, long)),
    // v9 has no length in its header: a file may hold a message longer than a datagram can be.
    message9({}, set(0, template(256, fields), small)),
    message9({}, set(256, long, long, long), set(256, long, long), set(257, u16(9), u16(9), u16(9), u16(9))),
  ].map((bytes) => datagram(bytes));
  const expected = decode(datagrams, { kernel: 'none', batchRows: rowsMax });
  assert.equal(expected.counts.flows, 9);
  for (const batchRows of [1, 2, rowsMax]) assert.deepEqual(decode(datagrams, { batchRows }), expected);
});
