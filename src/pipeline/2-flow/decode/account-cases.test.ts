/** The account of a domain in single cases: the documented example, drops of sockets, limits, clocks, late messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base';
import { ExportDecoder } from './export-decoder.ts';
import type { DomainAccount, DomainCounts, ExportDatagram } from './export-types.ts';
import {
  datagram, type FieldSpec, ip, join, message10, message5, message9, sampleSeconds, set, template, u32,
} from './message-samples.ts';

const fields: readonly FieldSpec[] = [[8, 4], [12, 4], [1, 4]];
const record = join(ip('192.0.2.1'), ip('192.0.2.2'), u32(7));
const records = (id: number, count: number): Uint8Array => set(id, ...Array.from({ length: count }, () => record));
const nowMs = sampleSeconds * 1000;

/** The parts that are not zero; of all that was given so far. */
function partsOf(account: DomainAccount): Record<string, number> {
  const { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited, undecodable } = account;
  const parts = { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, limited, ...undecodable };
  return Object.fromEntries(Object.entries(parts).filter(([, units]) => units !== 0));
}

function open(): { decoder: ExportDecoder; counts: () => DomainCounts; parts: () => Record<string, number> } {
  const decoder = new ExportDecoder({}, () => undefined);
  const counts = (): DomainCounts => decoder.counts().exporters[0] as DomainCounts;
  return { decoder, counts, parts: () => partsOf(counts().account) };
}

test('the example of docs/decoding.md', () => {
  const { decoder, counts, parts } = open();
  const send = (sequence: number, ...sets: readonly Uint8Array[]): Record<string, number> => {
    decoder.decode(datagram(message10({ sequence }, ...sets)));
    return parts();
  };
  const known = [set(2, template(300, fields)), records(300, 10)] as const;
  assert.deepEqual(send(0, ...known), { sent: 10, decoded: 10 });
  assert.deepEqual(send(10, records(301, 10)), { sent: 10, decoded: 10 });
  assert.deepEqual(send(40, ...known), { sent: 50, decoded: 20, waiting: 30 });
  assert.deepEqual(send(30, ...known), { sent: 50, decoded: 30, waiting: 20 });
  assert.deepEqual(send(50, set(2, template(301, fields))), { sent: 50, decoded: 40, lostOnTheWay: 10 });
  assert.deepEqual(send(20, ...known), { sent: 50, decoded: 50 });
  assert.deepEqual([counts().account.flows, counts().sequenceGaps], [50, 0]);
});

test('a message that nobody can read hides no more records than it has bytes', () => {
  const { decoder, parts } = open();
  const unread = records(301, 1);
  for (const [sequence, ...sets] of [
    [0, set(2, template(300, fields)), records(300, 1)], [1, unread], [1_000, records(300, 1)],
  ] as const) decoder.decode(datagram(message10({ sequence }, ...sets)));
  assert.deepEqual(parts(), { sent: 1_001, decoded: 2, waiting: unread.length, lostOnTheWay: 999 - unread.length });
  decoder.end();
  const { waiting, ...others } = { waiting: 0, ...parts() };
  assert.deepEqual([waiting, others],
    [0, { sent: 1_001, decoded: 2, lostOnTheWay: 999 - unread.length, 'no-template': unread.length }]);
});

test('a hole is the kernel\'s as far as the drops of its socket explain it', () => {
  const nine = (sequence: number, more: Partial<ExportDatagram>): ExportDatagram =>
    datagram(message9({ sequence }, set(0, template(300, fields)), records(300, 1)), more);
  const { decoder, parts } = open();
  decoder.decode(nine(0, { kernelDrops: 100, socket: 1 }));
  decoder.decode(nine(4, { kernelDrops: 102, socket: 1 }));
  assert.deepEqual(parts(), { sent: 5, decoded: 2, lostInKernel: 2, lostOnTheWay: 1 });
  // What comes late was not dropped: it is taken off the link's part first.
  decoder.decode(nine(2, { kernelDrops: 102, socket: 1 }));
  assert.deepEqual(parts(), { sent: 5, decoded: 3, lostInKernel: 2 });
  // More drops than the hole has are of others; without a hole they explain nothing.
  decoder.decode(nine(6, { kernelDrops: 900, socket: 1 }));
  decoder.decode(nine(7, { kernelDrops: 950, socket: 1 }));
  decoder.decode(nine(9, { kernelDrops: 950, socket: 1 }));
  assert.deepEqual(parts(), { sent: 10, decoded: 6, lostInKernel: 3, lostOnTheWay: 1 });
  // Counts of two sockets say nothing of each other.
  decoder.decode(nine(11, { kernelDrops: 2_000, socket: 2 }));
  decoder.decode(nine(13, {}));
  assert.deepEqual(parts(), { sent: 14, decoded: 8, lostInKernel: 3, lostOnTheWay: 3 });
  const five = open();
  const flows = (sequence: number, kernelDrops: number): ExportDatagram => datagram(message5({ sequence }, [{
    source: '192.0.2.1', destination: '192.0.2.2', packets: 1, octets: 1, firstMs: 0, lastMs: 0, ports: [1, 2],
    protocol: 6,
  }]), { kernelDrops });
  for (const each of [flows(0, 5), flows(31, 6), flows(40, 6)]) five.decoder.decode(each);
  assert.deepEqual(five.parts(), { sent: 41, decoded: 3, lostInKernel: 30, lostOnTheWay: 8 });
});

test('what is not let in is limited, in all protocols; of a domain that is not known nothing is kept', () => {
  const make = [
    (sequence: number): Uint8Array => message9({ sequence }, set(0, template(300, fields)), records(300, 1)),
    (sequence: number): Uint8Array => message10({ sequence }, set(2, template(300, fields)), records(300, 1)),
  ];
  for (const message of make) {
    const { decoder, parts } = open();
    decoder.skip(datagram(message(0)));
    assert.deepEqual(decoder.counts().exporters, []);
    decoder.decode(datagram(message(0)));
    decoder.skip(datagram(message(1)));
    // A copy of it is a copy.
    decoder.skip(datagram(message(1)));
    decoder.decode(datagram(message(1)));
    decoder.decode(datagram(message(2)));
    assert.deepEqual(parts(), { sent: 3, decoded: 2, limited: 1 });
    const { skippedDatagrams, datagrams, rejected } = decoder.counts();
    assert.deepEqual([skippedDatagrams, datagrams, rejected.duplicate], [3, 3, 1]);
  }
});

test('clocks: a skew beyond the limit is marked, and an uptime that begins anew is no restart', () => {
  const { decoder, counts } = open();
  const send = (sequence: number, uptimeMs: number, seconds: number, receivedMs: number): DomainAccount => {
    decoder.decode(datagram(message9({ sequence, uptimeMs, seconds }, set(0, template(300, fields))), { receivedMs }));
    return counts().account;
  };
  const max = limits.exportClockSkewMsMax;
  const right = send(0, 2 ** 32 - 2_000, sampleSeconds, nowMs + 400);
  assert.deepEqual([right.exportClockSkewMs, right.clockWarnings], [-400, { skewed: false, wrapped: 0 }]);
  const ahead = send(1, 2 ** 32 - 1_000, sampleSeconds + 1, nowMs + 1000 - max - 1);
  assert.deepEqual([ahead.exportClockSkewMs, ahead.clockWarnings.skewed], [max + 1, true]);
  // A datagram is lost just when the uptime begins anew.
  const later = send(3, 1_000, sampleSeconds + 3, nowMs + 3_000);
  assert.deepEqual([later.clockWarnings, later.lostOnTheWay, counts().restarts], [{ skewed: false, wrapped: 1 }, 1, 0]);
  assert.equal(send(4, 2_000, sampleSeconds + 4, 0).exportClockSkewMs, undefined);
});

test('what an exporter sent before it began anew may come late: it takes its place in the run before', () => {
  const { decoder, counts, parts } = open();
  const send = (sequence: number, uptimeMs: number, seconds: number): void =>
    decoder.decode(datagram(message9({ sequence, uptimeMs, seconds }, set(0, template(300, fields)))));
  send(500, 90_000, sampleSeconds);
  send(503, 91_000, sampleSeconds + 1);
  send(0, 1_000, sampleSeconds + 20);
  send(502, 91_000, sampleSeconds + 1);
  send(505, 92_000, sampleSeconds + 2);
  send(1, 2_000, sampleSeconds + 21);
  assert.deepEqual(parts(), { sent: 8, decoded: 6, lostOnTheWay: 2 });
  assert.deepEqual([counts().restarts, counts().reordered], [1, 2]);
});

test('templates that are waited for are listed, oldest first, up to the limit', () => {
  const { decoder, counts } = open();
  const count = limits.waitingListedMax + 3;
  for (let i = 0; i < count; i++) {
    decoder.decode(datagram(message9({ sequence: i }, records(300 + i, 1)), { receivedMs: nowMs + (count - i) * 10 }));
  }
  const { waitingFor, waiting } = counts().account;
  assert.deepEqual([waiting, waitingFor.length], [count, limits.waitingListedMax]);
  assert.deepEqual(waitingFor[0], { templateId: 299 + count, sinceMs: nowMs + 10, sets: 1, bytes: 16 });
});
