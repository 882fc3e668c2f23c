/**
 * Mutated, cut and invented messages: nothing throws or hangs, every byte is accounted for, memory stays in its limits.
 * Tens of thousands of them; test/system has a million, and the planted bugs that the same loop finds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMessages, fuzzSession, settingCount } from '../../../../test/support/export-fuzzer.ts';
import { printFinding } from '../../../../test/support/export-fuzz-run.ts';
import { exportSamples } from '../../../../test/support/export-samples.ts';
import { ExportDecoder } from './export-decoder.ts';
import { exportProblemCodes } from './export-types.ts';
import { listRecords } from './list-records.ts';
import { datagram, message10, set, template, u16, u32 } from './message-samples.ts';

const limits = {
  batchRows: 5, exportDomainsMax: 6, templatesPerDomainMax: 8, templateFieldsMax: 40, templateFieldsTotalMax: 120,
  waitingBytesMax: 900, waitingMs: 50, optionEntriesMax: 4, duplicateMemoryBytes: 4096,
};
const plan = { seed: 3954, corpus: exportSamples, sessionMessages: 2000 };

test('mutated messages', () => {
  const seen = new Set<string>();
  for (let session = 0; session < 20; session++) {
    const finding = fuzzSession(ExportDecoder, plan, session, {
      onEnd: ({ rejected }) => {
        for (const [code, count] of Object.entries(rejected)) if (count > 0) seen.add(code);
      },
    });
    assert.equal(finding, undefined, printFinding(finding));
  }
  // A fuzzer that never gets past the header would prove nothing.
  assert.deepEqual(exportProblemCodes.filter((code) => !seen.has(code)), [], 'never reached');
});

test('the list of records has what the decoder counts', () => {
  for (let session = 0; session < settingCount; session++) {
    const datagrams = [...createMessages({ ...plan, sessionMessages: 300 }, session)];
    const decoder = new ExportDecoder(limits, () => undefined);
    for (const each of datagrams) decoder.decode(each);
    decoder.end();
    const listed = listRecords(datagrams, limits);
    const counts = decoder.counts();
    assert.equal(listed.records.length, counts.records);
    assert.deepEqual(listed.counts.rejected, counts.rejected);
    assert.deepEqual(listed.counts.bytesByFate, counts.bytesByFate);
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
  send(message10({}, set(2, template(256, Array.from({ length: 12 }, () => [1, 0] as const))), set(256,
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
