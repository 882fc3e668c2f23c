/**
 * What exporters and networks do to export messages, with every count that the decoder keeps: order, loss,
 * duplication, restart, a new source port, a template redefined, two exporters in one domain.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressWords } from '#base';
import { createPacketBatch, ExportDatagramFinder } from '#capture';
import { ExportDecoder } from './export-decoder.ts';
import type { DomainCounts, ExportCounts, ExportDatagram } from './export-types.ts';
import {
  datagram, type FieldSpec, ip, join, message10, message5, message9, sampleExporter, sampleSeconds, set, template, u16,
  u32, u64,
} from './message-samples.ts';

const narrow: FieldSpec[] = [[8, 4], [12, 4], [1, 4]];
const wide: FieldSpec[] = [[8, 4], [12, 4], [1, 8]];
const ends = join(ip('192.0.2.1'), ip('198.51.100.2'));

/** Records of the narrow template, told from each other by their octets. */
const records = (...octets: readonly number[]): Uint8Array =>
  set(300, ...octets.map((value) => join(ends, u32(value))));
const define9 = set(0, template(300, narrow));
const define10 = set(2, template(300, narrow));

/** Octets of the rows in the order of their emission, and all counts. */
function decodeAll(datagrams: readonly ExportDatagram[]): { octets: number[]; counts: ExportCounts } {
  const octets: number[] = [];
  const decoder = new ExportDecoder({ batchRows: 2 }, ({ columns, rowCount }) => {
    octets.push(...columns.initiatorOctets.subarray(0, rowCount));
  });
  for (const each of datagrams) decoder.decode(each);
  decoder.end();
  return { octets, counts: decoder.counts() };
}

type Expected = {
  readonly octets: readonly number[];
  readonly templates?: number;
  readonly withdrawals?: number;
  /** By reason, those that are not zero. */
  readonly rejected?: Readonly<Record<string, number>>;
  readonly rejectedBytes?: number;
  readonly exporters: readonly Partial<DomainCounts>[];
};

/** Every count of every datagram: what `expected` does not say is zero. */
function assertAccount(messages: readonly ExportDatagram[], expected: Expected): void {
  const { octets, counts } = decodeAll(messages);
  const bytes = messages.reduce((sum, { bytes: { length } }) => sum + length, 0);
  const { rejectedBytes = 0 } = expected;
  assert.deepEqual(octets, expected.octets);
  const rejected = Object.fromEntries(Object.entries(counts.rejected).filter(([, count]) => count > 0));
  for (const { account, lostUnits } of counts.exporters) {
    const lost = account.lostInKernel + account.lostOnTheWay + account.lostWhileStopped;
    assert.equal(lost, lostUnits);
    assert.equal(account.sent, account.decoded + account.waiting + lost + account.limited +
      Object.values(account.undecodable).reduce((sum, units) => sum + units, 0));
  }
  const exporters = counts.exporters.map((each) => ({ ...each, account: undefined }));
  assert.deepEqual({ ...counts, rejected, exporters },
    {
      datagrams: messages.length, bytes, skippedDatagrams: 0, records: octets.length, flows: octets.length,
      optionsRecords: 0, otherRecords: 0, templates: expected.templates ?? 0,
      withdrawals: expected.withdrawals ?? 0,
      flowsPlacedAtExport: 0, unexplainedApplications: 0, waiting: { sets: 0, bytes: 0 },
      bytesByFate: { decoded: bytes - rejectedBytes, waiting: 0, rejected: rejectedBytes },
      rejected: expected.rejected ?? {},
      exporters: expected.exporters.map((domain) => ({
        exporter: '192.0.2.1', version: 9, domain: 0, datagrams: messages.length, records: octets.length,
        sequenceGaps: 0, lostUnits: 0, unit: 'packets', reordered: 0, duplicates: 0, restarts: 0, samplingInterval: 0,
        templates: 1, waitingSets: 0, account: undefined, ...domain,
      })),
    });
}

/** IPFIX, which counts records: one, two and three of them, then one; in front the template. */
const ipfix = [
  message10({ sequence: 0 }, define10, records(1)), message10({ sequence: 1 }, records(2, 3)),
  message10({ sequence: 3 }, records(4, 5, 6)), message10({ sequence: 6 }, records(7)),
] as const;
/** NetFlow v9, which counts datagrams. */
const nine = [
  message9({ sequence: 10 }, define9, records(1)), message9({ sequence: 11 }, records(2, 3)),
  message9({ sequence: 12 }, records(4, 5, 6)), message9({ sequence: 13 }, records(7)),
] as const;
const flow5 = (octets: number): Parameters<typeof message5>[1][number] => ({ source: '192.0.2.1',
  destination: '198.51.100.2', packets: 1, octets, firstMs: 0, lastMs: 0, ports: [1, 2], protocol: 17 });
/** NetFlow v5, which counts flows. */
const five = [
  message5({ sequence: 0 }, [flow5(1)]), message5({ sequence: 1 }, [flow5(2), flow5(3)]),
  message5({ sequence: 3 }, [4, 5, 6].map(flow5)), message5({ sequence: 6 }, [flow5(7)]),
] as const;

const asIpfix = { version: 10, unit: 'records' } as const;
const asFive = { version: 5, unit: 'flows', templates: 0 } as const;
const send = (...messages: readonly Uint8Array[]): ExportDatagram[] => messages.map((bytes) => datagram(bytes));

/** What is found in a capture of UDP packets whose source port changes. */
function findDatagrams(messages: readonly Uint8Array[], portOf: (index: number) => number): ExportDatagram[] {
  const packets = createPacketBatch(messages.length);
  packets.data = join(...messages.map((bytes, i) => join(
    [0x45, 0], u16(28 + bytes.length), u32(0), [64, 17, 0, 0], ip('192.0.2.1'), ip('192.0.2.99'),
    u16(portOf(i)), u16(2055), u16(8 + bytes.length), u16(0), bytes)));
  let at = 0;
  for (const [i, { length }] of messages.entries()) {
    packets.networkOffset[i] = at;
    packets.networkBytes[i] = 28 + length;
    packets.ipVersion[i] = 4;
    packets.timeMicroseconds[i] = sampleSeconds * 1e6;
    at += 28 + length;
  }
  packets.rowCount = messages.length;
  return [...new ExportDatagramFinder().find(packets)];
}

test('order: what comes in order is accounted for without a remark', () => {
  const octets = [1, 2, 3, 4, 5, 6, 7];
  assertAccount(send(...five), { octets, exporters: [asFive] });
  assertAccount(send(...nine), { octets, templates: 1, exporters: [{}] });
  assertAccount(send(...ipfix), { octets, templates: 1, exporters: [asIpfix] });
});

test('order: what comes late fills its gap and is counted as reordered', () => {
  const octets = [1, 4, 5, 6, 2, 3, 7];
  assertAccount(send(five[0], five[2], five[1], five[3]), { octets, exporters: [{ ...asFive, reordered: 1 }] });
  assertAccount(send(nine[0], nine[2], nine[1], nine[3]), { octets, templates: 1, exporters: [{ reordered: 1 }] });
  assertAccount(send(ipfix[0], ipfix[2], ipfix[1], ipfix[3]),
    { octets, templates: 1, exporters: [{ ...asIpfix, reordered: 1 }] });
});

test('order: data before its template waits, and its records are counted once', () => {
  assertAccount(send(message9({ sequence: 9 }), nine[1], nine[0], nine[2]), { octets: [2, 3, 1, 4, 5, 6], templates: 1,
    exporters: [{ reordered: 1 }] });
});

test('loss: a gap in units of the protocol, one for each hole', () => {
  assertAccount(send(five[0], five[2]), { octets: [1, 4, 5, 6], exporters: [{ ...asFive, sequenceGaps: 1,
    lostUnits: 2 }] });
  assertAccount(send(nine[0], nine[2]), { octets: [1, 4, 5, 6], templates: 1, exporters: [{ sequenceGaps: 1,
    lostUnits: 1 }] });
  assertAccount(send(ipfix[0], ipfix[2]), { octets: [1, 4, 5, 6], templates: 1, exporters: [{ ...asIpfix,
    sequenceGaps: 1, lostUnits: 2 }] });
  assertAccount(send(ipfix[0], ipfix[3]), { octets: [1, 7], templates: 1, exporters: [{ ...asIpfix, sequenceGaps: 1,
    lostUnits: 5 }] });
  // Of two holes one is filled later.
  const more = message10({ sequence: 9 }, records(10));
  assertAccount(send(ipfix[0], ipfix[2], more, ipfix[1]), { octets: [1, 4, 5, 6, 10, 2, 3], templates: 1,
    exporters: [{ ...asIpfix, sequenceGaps: 1, lostUnits: 3, reordered: 1 }] });
});

test('loss: of the template itself, its data is rejected and no record is invented', () => {
  // Headers are decoded, sets of two and three records are not.
  assertAccount(send(nine[1], nine[2]), { octets: [], rejected: { 'no-template': 2 },
    rejectedBytes: 4 + 2 * 12 + 4 + 3 * 12, exporters: [{ templates: 0 }] });
});

test('duplication: a copy is rejected whole, in all versions, at once and later', () => {
  const octets = [1, 2, 3, 4, 5, 6];
  const copies = <T extends Uint8Array>([first, second, third]: readonly [T, T, T, T]): ExportDatagram[] =>
    send(first, second, second, third, first);
  const rejectedOf = ([first, second]: readonly Uint8Array[]): Pick<Expected, 'rejected' | 'rejectedBytes'> =>
    ({ rejected: { duplicate: 2 }, rejectedBytes: (first?.length ?? 0) + (second?.length ?? 0) });
  assertAccount(copies(five), { octets, ...rejectedOf(five), exporters: [{ ...asFive, duplicates: 2 }] });
  assertAccount(copies(nine), { octets, templates: 1, ...rejectedOf(nine), exporters: [{ duplicates: 2 }] });
  assertAccount(copies(ipfix), { octets, templates: 1, ...rejectedOf(ipfix), exporters: [{ ...asIpfix,
    duplicates: 2 }] });
});

test('duplication: a copy of what came late is a copy too', () => {
  assertAccount(send(nine[0], nine[2], nine[1], nine[1]), { octets: [1, 4, 5, 6, 2, 3], templates: 1,
    rejected: { duplicate: 1 }, rejectedBytes: nine[1].length, exporters: [{ reordered: 1, duplicates: 1 }] });
});

test('exporter restart: known by the clock of v5 and v9, by the number alone in IPFIX; templates are kept', () => {
  const later = { seconds: sampleSeconds + 60, uptimeMs: 2000 };
  assertAccount(send(message5({ sequence: 70 }, [flow5(1)]), message5({ ...later, sequence: 0 }, [flow5(2), flow5(3)]),
    message5({ ...later, sequence: 2 }, [flow5(4)])), { octets: [1, 2, 3, 4], exporters: [{ ...asFive,
    restarts: 1 }] });
  assertAccount(send(nine[0], message9({ ...later, sequence: 0 }, records(2, 3)),
    message9({ ...later, sequence: 1 }, records(4))), { octets: [1, 2, 3, 4], templates: 1,
    exporters: [{ restarts: 1 }] });
  // It has counted on beyond where it was before the first datagram arrived: no gap of 500 datagrams.
  assertAccount(send(nine[0], message9({ ...later, sequence: 511 }, records(2))), { octets: [1, 2], templates: 1,
    exporters: [{ restarts: 1 }] });
  assertAccount(send(message10({ sequence: 90 }, define10, records(1)),
    message10({ ...later, sequence: 0 }, records(2, 3)), message10({ ...later, sequence: 2 }, records(4))), {
    octets: [1, 2, 3, 4], templates: 1, exporters: [{ ...asIpfix, restarts: 1 }],
  });
});

test('exporter restart: a gap before it stays counted, a gap after it is another', () => {
  const later = { seconds: sampleSeconds + 60, uptimeMs: 2000 };
  assertAccount(send(nine[0], nine[2], message9({ ...later, sequence: 0 }, records(7)),
    message9({ ...later, sequence: 3 }, records(8))), { octets: [1, 4, 5, 6, 7, 8], templates: 1,
    exporters: [{ sequenceGaps: 2, lostUnits: 3, restarts: 1 }] });
});

test('source-port change: an exporter is its address, so the port it sends from makes no difference', () => {
  const later = { seconds: sampleSeconds + 60, uptimeMs: 2000 };
  const restarted = [message9({ ...later, sequence: 0 }, records(8)), message9({ ...later, sequence: 1 }, records(9))];
  const found = findDatagrams([...nine, ...restarted], (i) => (i < 4 ? 50_000 + i : 1024));
  assertAccount(found, { octets: [1, 2, 3, 4, 5, 6, 7, 8, 9], templates: 1, exporters: [{ restarts: 1 }] });
  assert.deepEqual(new Set(found.map(({ exporter }) => exporter.join('.'))), new Set([sampleExporter.join('.')]));
});

test('template redefinition: records follow the template that stands when they come', () => {
  const wider = join(ends, u64(8));
  const redefine = message10({ sequence: 1 }, set(2, template(300, wide)), set(300, wider));
  assertAccount(send(ipfix[0], redefine, message10({ sequence: 2 }, set(300, wider, wider))),
    { octets: [1, 8, 8, 8], templates: 2, exporters: [asIpfix] });
  // The same template again is taken in again, and changes nothing.
  assertAccount(send(nine[0], message9({ sequence: 11 }, define9, records(2)), message9({ sequence: 12 }, records(3))),
    { octets: [1, 2, 3], templates: 2, exporters: [{}] });
  // Two meanings of one id within a message.
  assertAccount(send(message10({}, define10, records(1), set(2, template(300, wide)), set(300, wider))),
    { octets: [1, 8], templates: 2, exporters: [asIpfix] });
});

test('template redefinition: withdrawn, then data waits for the new one', () => {
  const withdraw = message10({ sequence: 1 }, set(2, new Uint8Array([1, 44, 0, 0])));
  assertAccount(send(ipfix[0], withdraw, message10({ sequence: 1 }, set(300, ends, u64(9))),
    message10({ sequence: 2 }, set(2, template(300, wide)))), { octets: [1, 9], templates: 2, withdrawals: 1,
    exporters: [asIpfix] });
});

test('domain collision: one domain and template id of two exporters, and of two versions, are four templates', () => {
  const otherExporter: AddressWords = [0, 0, 0xffff, 0xc0000209];
  const other = (bytes: Uint8Array): ExportDatagram => datagram(bytes, { exporter: otherExporter });
  const messages = [
    datagram(nine[0]), other(message9({ sequence: 700 }, set(0, template(300, wide)), set(300, ends, u64(20)))),
    datagram(ipfix[0]), other(message10({ sequence: 40 }, set(2, template(300, wide)), set(300, ends, u64(30)))),
    // Each is read by its own template, and each counts its own sequence: the third has lost one.
    datagram(nine[1]), other(message9({ sequence: 701 }, set(300, ends, u64(21)))),
    datagram(message10({ sequence: 2 }, records(40))), other(message10({ sequence: 41 }, set(300, ends, u64(31)))),
  ];
  const each = { datagrams: 2, records: 2 };
  assert.deepEqual(messages[0]?.exporter, sampleExporter);
  assertAccount(messages, {
    octets: [1, 20, 1, 30, 2, 3, 21, 40, 31], templates: 4, exporters: [
      { ...each, records: 3 }, { ...each, exporter: '192.0.2.9' },
      { ...each, ...asIpfix, sequenceGaps: 1, lostUnits: 1 }, { ...each, ...asIpfix, exporter: '192.0.2.9' },
    ],
  });
});

test('domain collision: a template of one domain is none for another of the same exporter', () => {
  const elsewhere = message9({ domain: 7, sequence: 5 }, records(8, 9));
  assertAccount(send(nine[0], elsewhere, nine[1]), {
    octets: [1, 2, 3], templates: 1, rejected: { 'no-template': 1 }, rejectedBytes: elsewhere.length - 20, exporters: [
      { datagrams: 2 }, { domain: 7, datagrams: 1, records: 0, templates: 0 },
    ],
  });
});
