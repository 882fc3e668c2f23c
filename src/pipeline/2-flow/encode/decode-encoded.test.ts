/** What the encoder makes, our own decoder reads back: decode(encode(x)) is x, whatever the sizes and refreshes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { ExportDecoder } from '../decode/export-decoder.ts';
import { createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import { elementsPerRow, schema, type ColumnName } from '../schema.ts';
import { FlowEncoder, smallestDatagramBytes } from './flow-encoder.ts';

/** Ground truth, and what only the receiver knows; checked apart or never sent. */
const unsent: ReadonlySet<ColumnName> = new Set(['applicationNameSource', 'device', 'device_model', 'partition',
  'exporterAddress', 'observationDomainId', 'originalFlowsPresent']);
const exporter = [0, 0, 0xffff, 0xc0000201] as const;
const names = ['', 'DNS', 'TLS.Amazon', 'QUIC.GoogleServices', 'naïve ☃', 'n'.repeat(32)];

/** Rows as exporters send them: every number that the wire can hold, in a family and a protocol that agree. */
function soundBatch(seed: number, rowCount: number, version: 9 | 10): FlowBatch {
  const random = new Random(seed);
  const batch = createFlowBatch(Math.max(rowCount, 1));
  batch.rowCount = rowCount;
  const { columns, dictionaries } = batch;
  const word = (): number => random.pick([0, 1, 0xffffffff, random.uint32()]);
  const counter = (): number =>
    random.pick([0, 1, 0xffffffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER, random.uint32()]);
  for (let row = 0; row < rowCount; row++) {
    const isIPv6 = random.chance(0.4);
    for (const address of [columns.sourceAddress, columns.destinationAddress]) {
      address.set(isIPv6 ? [0x20010db8, word(), word(), word()] : [0, 0, 0xffff, random.uint32() | 1], row * 4);
    }
    const start = 1_600_000_000_000 + random.integer(0, 1e11);
    columns.flowStartMilliseconds[row] = start;
    columns.flowEndMilliseconds[row] = start + random.integer(0, 3_600_000);
    columns.ipVersion[row] = isIPv6 ? 6 : 4;
    const icmp = isIPv6 ? 58 : 1;
    const protocol = random.pick([6, 17, icmp, 132]);
    columns.protocolIdentifier[row] = protocol;
    const icmpTypeCode = isIPv6 ? columns.icmpTypeCodeIPv6 : columns.icmpTypeCodeIPv4;
    if (protocol === icmp) icmpTypeCode[row] = random.integer(0, 0xffff);
    else {
      columns.sourceTransportPort[row] = word();
      columns.destinationTransportPort[row] = word();
    }
    for (const name of ['initiatorPackets', 'responderPackets', 'initiatorOctets', 'responderOctets'] as const) {
      columns[name][row] = counter();
    }
    for (const name of ['ipClassOfService', 'reverseIpClassOfService', 'flowEndReason', 'ingressInterface',
      'egressInterface', 'vlanId'] as const) columns[name][row] = word();
    const flagsMask = version === 9 ? 0xff : 0xffff;
    columns.tcpControlBits[row] = word() & flagsMask;
    columns.reverseTcpControlBits[row] = word() & flagsMask;
    if (random.chance(0.5)) {
      columns.sourceMacAddress.set([word() & 0xffff, word()], row * 2);
      columns.destinationMacAddress.set([word() & 0xffff, word()], row * 2);
    }
    columns.applicationName[row] = dictionaries.applicationName.encode(random.pick(names));
  }
  return batch;
}

function sentValues({ columns, dictionaries }: FlowBatch, row: number): Record<string, unknown> {
  return Object.fromEntries(schema.filter(({ name }) => !unsent.has(name)).map(({ name, storage }) => {
    const width = elementsPerRow(storage);
    const value = columns[name][row] as number;
    if (storage === 'dictionary') return [name, dictionaries[name as 'applicationName'].decode(value)];
    return [name, width === 1 ? value : Array.from(columns[name].subarray(row * width, (row + 1) * width))];
  }));
}

for (const version of [9, 10] as const) {
  test(`version ${version}: every row comes back`, () => {
    fc.assert(fc.property(
      fc.integer(), fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: smallestDatagramBytes, max: 9_000 }), fc.integer({ min: 1, max: 10 }),
      (seed, sizes, datagramBytesMax, templateEveryDatagrams) => {
        const read: Record<string, unknown>[] = [];
        const decoder = new ExportDecoder({}, (batch) => {
          for (let row = 0; row < batch.rowCount; row++) {
            read.push(sentValues(batch, row));
            assert.deepEqual([...batch.columns.exporterAddress.subarray(row * 4, row * 4 + 4)], exporter);
            assert.equal(batch.columns.observationDomainId[row], 77);
            assert.equal(batch.columns.device[row], 0);
          }
        });
        let sentBytes = 0;
        const encoder = new FlowEncoder({ version, domain: 77, datagramBytesMax, templateEveryDatagrams },
          (bytes, _records, exportMs) => {
            sentBytes += bytes.length;
            decoder.decode({ bytes, exporter, receivedMs: exportMs });
          });
        const written: Record<string, unknown>[] = [];
        for (const [i, rows] of sizes.entries()) {
          const batch = soundBatch(seed + i, rows, version);
          for (let row = 0; row < rows; row++) written.push(sentValues(batch, row));
          encoder.encode(batch, 1_700_000_000_000 + i * 1_000);
        }
        encoder.flush(1_700_000_010_000);
        decoder.end();
        assert.deepEqual(read, written);
        const { flows, bytes, bytesByFate, exporters } = decoder.counts();
        assert.deepEqual([flows, bytes, bytesByFate.decoded], [written.length, sentBytes, sentBytes]);
        assert.equal(exporters[0]?.sequenceGaps ?? 0, 0);
      }), { numRuns: 60 });
  });
}
