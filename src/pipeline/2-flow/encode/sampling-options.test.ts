/** Sampling as messages tell it: bytes worked out by hand from the RFCs, and what our own decoder makes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressWords } from '#base';
import { ExportDecoder } from '../decode/export-decoder.ts';
import { createFlowBatch, type FlowBatch } from '../flow-batch.ts';
import type { Sampling } from '../meter/packet-sampler.ts';
import { FlowEncoder, makeAnnouncement, type FlowEncoderOptions } from './flow-encoder.ts';

const exporter: AddressWords = [0, 0, 0xffff, 0xc0000201];
const exportMs = 1_700_000_000_000;

function flows(rowCount: number): FlowBatch {
  const batch = createFlowBatch(rowCount);
  batch.rowCount = rowCount;
  const { columns } = batch;
  for (let row = 0; row < rowCount; row++) {
    columns.sourceAddress.set([0, 0, 0xffff, 0xc0a80001 + row], row * 4);
    columns.destinationAddress.set([0, 0, 0xffff, 0xcb007105], row * 4);
    columns.ipVersion[row] = 4;
    columns.protocolIdentifier[row] = 17;
    columns.flowStartMilliseconds[row] = columns.flowEndMilliseconds[row] = exportMs - 1_000;
    columns.initiatorPackets[row] = 3;
    columns.initiatorOctets[row] = 300 + row;
    columns.responderPackets[row] = 1;
    columns.responderOctets[row] = 40;
  }
  return batch;
}

function encode(options: Partial<FlowEncoderOptions>, rows = 5): { messages: Buffer[]; records: number[] } {
  const messages: Buffer[] = [];
  const records: number[] = [];
  const encoder = new FlowEncoder(options, (bytes, count) => {
    messages.push(Buffer.from(bytes));
    records.push(count);
  });
  encoder.encode(flows(rows), exportMs);
  encoder.flush(exportMs);
  encoder.encode(flows(rows), exportMs + 1);
  encoder.flush(exportMs + 1);
  assert.equal(encoder.counts().records, 2 * rows);
  return { messages, records };
}

/** The sets of a message. */
function setsOf(message: Buffer, headerBytes: number): Buffer[] {
  const sets: Buffer[] = [];
  for (let at = headerBytes; at < message.length; at += message.readUInt16BE(at + 2)) {
    sets.push(message.subarray(at, at + message.readUInt16BE(at + 2)));
  }
  return sets;
}

type Told = { title: string; version: 9 | 10; sampling: Sampling; template: string; record: string };

const hex = (text: string): string => text.replaceAll(' ', '');

for (const { title, version, sampling, template, record } of [
  {
    title: 'NetFlow v9, systematic', version: 9, sampling: { way: 'systematic', interval: 100 },
    template: '0001 0018 0104 0004 0008 0001 0004 0022 0004 0023 0001 0000',
    record: '0104 0010 00000000 00000064 01 000000',
  },
  {
    title: 'NetFlow v9, random', version: 9, sampling: { way: 'random', interval: 70_000 },
    template: '0001 0018 0104 0004 0008 0001 0004 0022 0004 0023 0001 0000',
    record: '0104 0010 00000000 00011170 02 000000',
  },
  {
    title: 'IPFIX, systematic', version: 10, sampling: { way: 'systematic', interval: 100 },
    template: '0003 001c 0104 0004 0001 012e 0002 0130 0002 0131 0004 0132 0004 0000',
    record: '0104 0010 0001 0001 00000001 00000063',
  },
  {
    title: 'IPFIX, random', version: 10, sampling: { way: 'random', interval: 8 },
    template: '0003 001c 0104 0004 0001 012e 0002 0130 0002 0135 0004 0136 0004 0000',
    record: '0104 0010 0001 0003 00000001 00000008',
  },
] as const satisfies readonly Told[]) {
  test(`${title}: template and record stand behind the templates, and count`, () => {
    const { messages, records } = encode({ version, sampling });
    const sets = setsOf(messages[0] as Buffer, version === 9 ? 20 : 16);
    assert.equal(sets.length, 4);
    assert.equal(sets[1]?.toString('hex'), hex(template));
    assert.equal(sets[2]?.toString('hex'), hex(record));
    assert.deepEqual(records, [6, 5]);
    // v9: 4 templates, 1 options template, 1 options record, 5 flows. IPFIX: the record of options is in the sequence.
    if (version === 9) assert.equal(messages[0]?.readUInt16BE(2), 11);
    else assert.equal(messages[1]?.readUInt32BE(8), 6);
  });

  test(`${title}: our decoder renormalises, and misses nothing`, () => {
    for (const renormalise of [true, false]) {
      const octets: number[] = [];
      const decoder = new ExportDecoder({ renormalise }, ({ columns, rowCount }) => {
        for (let row = 0; row < rowCount; row++) octets.push(columns.initiatorOctets[row] as number);
      });
      for (const bytes of encode({ version, sampling }).messages) {
        decoder.decode({ bytes, exporter, receivedMs: exportMs });
      }
      decoder.end();
      const factor = renormalise ? sampling.interval : 1;
      assert.deepEqual(octets, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4].map((row) => (300 + row) * factor));
      const { exporters, optionsRecords, bytes, bytesByFate, rejected } = decoder.counts();
      assert.deepEqual([exporters[0]?.samplingInterval, exporters[0]?.sequenceGaps, exporters[0]?.lostUnits],
        [sampling.interval, 0, 0]);
      assert.deepEqual([optionsRecords, bytesByFate.decoded], [1, bytes]);
      assert.equal(Object.values(rejected).reduce((sum, count) => sum + count, 0), 0);
    }
  });
}

test('without sampling nothing of it is sent: the bytes are those without the option', () => {
  for (const version of [9, 10] as const) {
    const plain = encode({ version });
    assert.deepEqual(encode({ version, sampling: undefined }), plain);
    assert.equal(setsOf(plain.messages[0] as Buffer, version === 9 ? 20 : 16).length, 2);
  }
});

test('an announcement holds the templates and the sampling, and other messages can do without', () => {
  const options = { version: 10, domain: 9, sampling: { way: 'systematic', interval: 4 } } as const;
  const { message, records } = makeAnnouncement(options, exportMs);
  assert.equal(records, 1);
  assert.equal(setsOf(Buffer.from(message), 16).length, 3);
  const { messages } = encode({ ...options, hasTemplates: false });
  assert.deepEqual(messages.map((bytes) => setsOf(bytes, 16).length), [1, 1]);
  const decoder = new ExportDecoder({ renormalise: true }, () => undefined);
  for (const bytes of [message, ...messages]) decoder.decode({ bytes, exporter, receivedMs: exportMs });
  decoder.end();
  assert.equal(decoder.counts().flows, 10);
});
