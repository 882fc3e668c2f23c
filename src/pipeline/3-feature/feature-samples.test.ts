/** Random flows for the tests of this folder: few values, so that categories repeat, with the edges among them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mappedWord } from '#base';
import { createDictionaries, createFlowBatch, type Dictionaries, type FlowBatch } from '#flow';
import { createFeatureMatrix, readFeatures } from './read-features.ts';
import type { Catalog, FeatureMatrix } from './feature-matrix.ts';

/** Values of some columns of a flow; the others have their defaults. */
export type SampleFlow = {
  readonly startMs: number;
  readonly durationMs: number;
  readonly octets: readonly [number, number];
  readonly packets: readonly [number, number];
  readonly classOfService: readonly [number, number];
  readonly protocol: number;
  readonly port: number;
  readonly icmp: number;
  readonly flags: readonly [number, number];
  readonly destination: readonly [number, number, number, number];
  readonly name: string;
};

const counter = fc.constantFrom(0, 1, 60, 1_500, 65_535, 2 ** 32, Number.MAX_SAFE_INTEGER);
const ipv4 = fc.constantFrom(0x08080808, 0x08080909, 0xc0a80105, 0x0a000001, 0xe00000fb, 0xffffffff)
  .map((word) => [0, 0, mappedWord, word] as const);
const ipv6 = fc.constantFrom([0x20010db8, 0x10000, 0, 1], [0x20010db8, 0x10001, 7, 2], [0xfe800000, 0, 0, 1]);

export const arbitraryFlow: fc.Arbitrary<SampleFlow> = fc.record({
  startMs: fc.integer({ min: 0, max: 2 ** 41 }),
  durationMs: fc.constantFrom(0, 1, 2, 999, 120_000),
  octets: fc.tuple(counter, counter),
  packets: fc.tuple(counter, counter),
  classOfService: fc.tuple(fc.constantFrom(0, 16, 184, 255), fc.constantFrom(0, 32)),
  protocol: fc.constantFrom(0, 1, 6, 17, 58, 255),
  port: fc.constantFrom(0, 53, 443, 8_883, 49_151, 49_152, 65_535),
  icmp: fc.constantFrom(0, 0x0303, 0x0800, 0xffff),
  flags: fc.tuple(fc.constantFrom(0, 2, 0x1b, 0xfff), fc.constantFrom(0, 0x12, 0x1b)),
  destination: fc.oneof(ipv4, ipv6) as fc.Arbitrary<SampleFlow['destination']>,
  name: fc.constantFrom('', 'DNS', 'TLS', 'TLS.Amazon', '\uffee', '\u{1f3e0}'),
});

/** A batch of flows. */
export function batchOf(flows: readonly SampleFlow[], dictionaries: Dictionaries = createDictionaries()): FlowBatch {
  const batch = createFlowBatch(Math.max(1, flows.length), dictionaries);
  const { columns } = batch;
  batch.rowCount = flows.length;
  for (const [row, flow] of flows.entries()) {
    columns.flowStartMilliseconds[row] = flow.startMs;
    columns.flowEndMilliseconds[row] = flow.startMs + flow.durationMs;
    [columns.initiatorOctets[row], columns.responderOctets[row]] = flow.octets;
    [columns.initiatorPackets[row], columns.responderPackets[row]] = flow.packets;
    [columns.ipClassOfService[row], columns.reverseIpClassOfService[row]] = flow.classOfService;
    columns.protocolIdentifier[row] = flow.protocol;
    columns.destinationTransportPort[row] = flow.port;
    columns.icmpTypeCodeIPv4[row] = flow.icmp;
    columns.icmpTypeCodeIPv6[row] = flow.icmp;
    [columns.tcpControlBits[row], columns.reverseTcpControlBits[row]] = flow.flags;
    columns.destinationAddress.set(flow.destination, row * 4);
    columns.applicationName[row] = dictionaries.applicationName.encode(flow.name);
  }
  return batch;
}

/** Features of flows in a matrix of their own. */
export function featuresOf(catalog: Catalog, flows: readonly SampleFlow[], dictionaries?: Dictionaries): FeatureMatrix {
  const batch = batchOf(flows, dictionaries);
  const matrix = createFeatureMatrix(catalog, batch.capacity);
  readFeatures(batch, matrix);
  return matrix;
}

/** Flows in pieces of the given sizes, and what is left in a last one. */
export function cut<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const pieces: T[][] = [];
  let from = 0;
  for (const size of sizes) {
    pieces.push(items.slice(from, from + size));
    from += size;
  }
  return [...pieces, items.slice(from)];
}

test('flows are cut into pieces that are the whole', () => {
  assert.deepEqual(cut([1, 2, 3, 4], [1, 0, 2]), [[1], [], [2, 3], [4]]);
  assert.deepEqual(cut([1, 2], [5, 5]), [[1, 2], [], []]);
});
