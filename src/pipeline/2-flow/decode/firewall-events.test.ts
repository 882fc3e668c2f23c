/** Rows that the events of Cisco NSEL give (docs/decoding.md): nothing is left out, and no column tells them apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '#base';
import { ExportDecoder } from './export-decoder.ts';
import { datagram, ip, join, message9, set, template, u16, u32, u64, u8, type FieldSpec } from './message-samples.ts';

const startMs = 1_469_109_032_955;
const ends: FieldSpec[] = [[8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [233, 1], [323, 8]];
const addresses = join(ip('192.0.2.1'), ip('198.51.100.2'), u16(40_000), u16(443), u8(6));

/** A record of one event, a second and a half after the flow began. */
const event = (firewallEvent: number): Uint8Array => join(addresses, u8(firewallEvent), u64(startMs + 1500));

test('NSEL: created, update, deleted and denied are rows of their own; only update and deleted have octets', () => {
  const rows: unknown[] = [];
  const decoder = new ExportDecoder({}, ({ columns, rowCount }) => {
    for (let row = 0; row < rowCount; row++) rows.push([
      formatAddress(columns.sourceAddress, row * 4), columns.initiatorOctets[row], columns.responderOctets[row],
      columns.initiatorPackets[row], columns.flowStartMilliseconds[row], columns.flowEndMilliseconds[row],
    ]);
  });
  const counted: FieldSpec[] = [...ends, [152, 8], [231, 4], [232, 4]];
  decoder.decode(datagram(message9({},
    set(0, template(260, [...ends, [152, 8]]), template(261, counted), template(262, ends)),
    set(260, event(1), u64(startMs)),
    set(261, event(5), u64(startMs), u32(70), u32(90), event(2), u64(startMs), u32(5), u32(7)),
    set(262, event(3)))));
  decoder.end();
  const [created, update, deleted, denied] = rows as number[][];
  assert.equal(rows.length, 4);
  assert.deepEqual(created, ['192.0.2.1', 0, 0, 0, startMs, startMs]);
  assert.deepEqual(update, ['192.0.2.1', 70, 90, 0, startMs, startMs]);
  assert.deepEqual(deleted, ['192.0.2.1', 5, 7, 0, startMs, startMs]);
  assert.deepEqual(denied?.slice(0, 4), ['192.0.2.1', 0, 0, 0]);
  assert.deepEqual([decoder.counts().records, decoder.counts().flows], [4, 4]);
});
