/**
 * Mutated, cut and invented messages: nothing throws or hangs, every byte is accounted for, memory
 * stays in its limits.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '#base';
import { createDictionaries } from '../flow-batch.ts';
import { ExportDecoder } from './export-decoder.ts';
import type { ExportCounts, ExportDatagram } from './export-types.ts';
import { listRecords } from './list-records.ts';
import {
  datagram, type FieldSpec, ip, join, message10, message5, message9, optionsTemplate10, optionsTemplate9,
  rfc7011Fields, rfc7011Records, set, template, text, u16, u32, u64, u8,
} from './message-samples.ts';

const limits = {
  batchRows: 5, exportDomainsMax: 6, templatesPerDomainMax: 8, templateFieldsMax: 40, templateFieldsTotalMax: 120,
  waitingBytesMax: 900, waitingMs: 50, optionEntriesMax: 4, duplicateMemoryBytes: 4096,
};

const every: FieldSpec[] = [[8, 4], [12, 4], [27, 16], [28, 16], [1, 8], [2, 3], [22, 4], [21, 4], [154, 8], [7, 2],
  [11, 2],
  [4, 1], [95, 4], [57, 6], [239, 1]];
const samples: readonly Uint8Array[] = [
  message10({ sequence: 3 }, set(2, template(256, rfc7011Fields)), set(256, rfc7011Records)),
  message10({}, set(2, template(300, [[119, 65_535, 35_632], [8, 4], [291, 65_535], [1, 4, 29_305]])),
    set(300, u8(3), text('DNS'), ip('192.0.2.1'), u8(4), u32(1), u32(7))),
  message10({}, set(3, optionsTemplate10(301, 1, [[149, 4], [160, 8], [34, 4]])), set(301, u32(0), u64(1), u32(9))),
  message9({}, set(0, template(302, every)), set(302, new Uint8Array(160).fill(17))),
  message9({}, set(1, optionsTemplate9(303, [[1, 4]], [[95, 4], [96, 8]])), set(303, u32(1), u32(2), text('web', 8))),
  message5({}, [{ source: '192.0.2.1', destination: '192.0.2.2', packets: 1, octets: 2, firstMs: 3, lastMs: 4,
    ports: [5, 6], protocol: 1 }]),
  message10({}, set(2, u16(2), u16(0), u16(256), u16(0))),
];

/** One to four changes: a byte, a length field, a cut, a splice of another sample. */
function mutate(random: Random): Uint8Array {
  let bytes: Uint8Array = random.pick(samples).slice();
  for (let changes = random.integer(0, 4); changes > 0 && bytes.length > 2; changes--) {
    const at = random.integer(0, bytes.length - 1);
    const kind = random.integer(0, 5);
    if (kind <= 1) bytes[at] = random.pick([0, 1, 2, 3, 4, 5, 9, 10, 127, 128, 255, random.integer(0, 255)]);
    else if (kind === 2 && at + 1 < bytes.length) bytes.set(u16(random.pick([0, 3, 4, 5, 255, 256, 300, 65_535])), at);
    else if (kind === 3) bytes = bytes.slice(0, at);
    else if (kind === 4) bytes = join(bytes.subarray(0, at), random.pick(samples).subarray(random.integer(0, 30)));
    else bytes = join(bytes, new Uint8Array(random.integer(0, 20)).fill(random.integer(0, 255)));
  }
  return bytes;
}

function assertSound(counts: ExportCounts, rows: number, bytesIn: number): void {
  const { bytesByFate, bytes, flows, optionsRecords, otherRecords, records, waiting } = counts;
  assert.equal(bytes, bytesIn);
  assert.equal(bytesByFate.decoded + bytesByFate.waiting + bytesByFate.rejected, bytes);
  assert.ok(bytesByFate.decoded >= 0 && bytesByFate.rejected >= 0 && otherRecords >= 0);
  assert.equal(flows + optionsRecords + otherRecords, records);
  assert.ok(flows - rows >= 0 && flows - rows < limits.batchRows);
  assert.ok(waiting.bytes <= limits.waitingBytesMax);
  assert.equal(counts.exporters.reduce((sum, { waitingSets }) => sum + waitingSets, 0), waiting.sets);
  assert.ok(counts.exporters.length <= limits.exportDomainsMax);
  for (const { templates, lostUnits, sequenceGaps } of counts.exporters) {
    assert.ok(templates <= limits.templatesPerDomainMax && lostUnits >= 0 && sequenceGaps >= 0);
  }
}

test('mutated messages', () => {
  const seen = new Set<string>();
  fc.assert(fc.property(fc.integer(), (seed) => {
    const random = new Random(seed);
    let rows = 0;
    let bytesIn = 0;
    const decoder = new ExportDecoder(limits, (batch) => {
      rows += batch.rowCount;
    }, { dictionaries: createDictionaries() });
    const datagrams: ExportDatagram[] = [];
    for (let i = 0; i < 40; i++) {
      const each = datagram(mutate(random), { receivedMs: i * 10, exporter: [0, 0, 0xffff, random.integer(1, 3)] });
      const copy = each.bytes.slice();
      decoder.decode(each);
      bytesIn += each.bytes.length;
      datagrams.push(each);
      assert.deepEqual(each.bytes, copy);
      assertSound(decoder.counts(), rows, bytesIn);
    }
    decoder.end();
    const counts = decoder.counts();
    assertSound(counts, rows, bytesIn);
    assert.deepEqual([rows, counts.waiting.sets], [counts.flows, 0]);
    const listed = listRecords(datagrams, limits);
    assert.equal(listed.records.length, counts.records);
    assert.deepEqual(listed.counts.rejected, counts.rejected);
    for (const [code, count] of Object.entries(counts.rejected)) if (count > 0) seen.add(code);
  }), { numRuns: 1200 });
  // A fuzzer that never gets past the header would prove nothing.
  for (const code of ['cut-header', 'cut-message', 'trailing-bytes', 'cut-set', 'bad-template', 'no-template',
    'waiting-limit', 'exporter-limit', 'reserved-set', 'bad-set-length', 'cut-record', 'duplicate']) {
    assert.ok(seen.has(code), `never reached: ${code}`);
  }
});

test('hostile templates: thousands of ids, thousands of fields, no bytes, huge lengths', () => {
  const decoder = new ExportDecoder(limits, () => undefined);
  let bytesIn = 0;
  const send = (bytes: Uint8Array): void => {
    decoder.decode(datagram(bytes));
    bytesIn += bytes.length;
  };
  for (let id = 256; id < 3000; id++) send(message10({ sequence: id }, set(2, template(id, [[8, 4], [12, 4]]))));
  send(message10({}, set(2, template(256, Array.from({ length: 8000 }, () => [1, 0] as const)))));
  send(message10({}, set(2, u16(256), u16(65_535), u32(0x0008_0004))));
  send(message10({}, set(2, template(256, Array.from({ length: 30 }, () => [1, 0] as const))), set(256,
    new Uint8Array(60_000))));
  send(message10({}, set(2, template(256, Array.from({ length: 30 }, () => [1, 65_534] as const))), set(256,
    new Uint8Array(900))));
  send(message10({}, set(2, template(256, [[82, 65_535]])), set(256, new Uint8Array(60_000))));
  const counts = decoder.counts();
  assert.equal(counts.bytesByFate.decoded + counts.bytesByFate.rejected, bytesIn);
  assert.equal(counts.exporters[0]?.templates, limits.templatesPerDomainMax);
  assert.ok(counts.rejected['template-limit'] > 2700);
  assert.deepEqual([counts.rejected['empty-record'], counts.rejected['bad-template'], counts.otherRecords], [1, 1,
    60_000]);
});
