/** Loss, copies and disorder: sequence numbers count flows in v5, datagrams in v9, data records in IPFIX. */
import {
  ip, join, message10, message5, set, template, u16, u32,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import type { ExportCaseSpec } from './case.ts';
import { counted9, usualFields, usualFlow, usualRecord } from './wire.ts';

const template9 = set(0, template(256, usualFields));
const template10 = set(2, template(256, usualFields));
const records = (...indexes: readonly number[]): Uint8Array =>
  set(256, ...indexes.map((index) => usualRecord(usualFlow(index))));

const message = (sequence: number, ...indexes: readonly number[]): { bytes: Uint8Array } =>
  ({ bytes: message10({ sequence, domain: 5 }, records(...indexes)) });
const ipfixFlow = (index: number): ReturnType<typeof usualFlow> & { domain: number } =>
  ({ ...usualFlow(index), domain: 5 });

/** Flows of one datagram of v5, all at the export time, which is 500 ms after the second. */
const flow5 = (index: number): Parameters<typeof message5>[1][number] => ({
  source: `192.168.1.${10 + index}`, destination: '203.0.113.5', packets: 1, octets: 40 + index, firstMs: 1_000_000,
  lastMs: 1_000_000, ports: [1000 + index, 53], protocol: 17,
});
const datagram5 = (sequence: number, ...indexes: readonly number[]): { bytes: Uint8Array } =>
  ({ bytes: message5({ sequence, domain: 4 }, indexes.map(flow5)) });
const row5 = (index: number): ExportCaseSpec['rows'][number] => ({
  from: `192.168.1.${10 + index}`, to: '203.0.113.5', ms: [500, 500], protocol: 17, ports: [1000 + index, 53],
  packets: 1, octets: 40 + index, domain: 4, more: { ingressInterface: 3, egressInterface: 4 },
});

const version9 = {
  first: { bytes: counted9(2, { sequence: 100 }, template9, records(0)) },
  late: { bytes: counted9(1, { sequence: 101 }, records(1)) },
  ahead: { bytes: counted9(1, { sequence: 102 }, records(2)) },
  copied: { bytes: counted9(1, { sequence: 103 }, records(3)) },
  afterLoss: { bytes: counted9(1, { sequence: 107 }, records(4)) },
};

export const lossCases: readonly ExportCaseSpec[] = [
  {
    name: 'v9-loss-copy-disorder',
    // 102 overtakes 101, 103 comes twice, 104 to 106 never.
    sent: [version9.first, version9.ahead, version9.late, version9.copied, version9.copied, version9.afterLoss],
    rows: [usualFlow(0), usualFlow(2), usualFlow(1), usualFlow(3), usualFlow(4)],
    counts: { templates: 1, rejected: { duplicate: 1 } },
    rejectedBytes: 20 + 4 + 21,
    domains: [{ version: 9, templates: 1, sequenceGaps: 1, lostUnits: 3, reordered: 1, duplicates: 1 }],
    why: [
      'Packet 101 is late and fills its hole, 103 is sent twice and counts once, 104 to 106 are lost: one gap of three.',
      'RFC 3954 §5.1: the sequence number counts export packets of the exporter and source id.',
    ],
  },
  {
    name: 'v9-sequence-wrap',
    sent: [
      { bytes: counted9(2, { sequence: 0xffff_fffe }, template9, records(0)) },
      { bytes: counted9(1, { sequence: 0xffff_ffff }, records(1)) },
      { bytes: counted9(1, { sequence: 0 }, records(2)) },
      { bytes: counted9(1, { sequence: 2 }, records(3)) },
    ],
    rows: [usualFlow(0), usualFlow(1), usualFlow(2), usualFlow(3)],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1, sequenceGaps: 1, lostUnits: 1 }],
    why: [
      'After 4294967295 comes 0: no restart, and no gap but that of packet 1, which is lost.',
      'RFC 3954 §5.1: a counter of 32 bits.',
    ],
  },
  {
    name: 'v5-loss-copy-disorder',
    // 10 and 11; then 14 to 16 overtake 12 and 13; 17 comes twice; 20 after two that are lost.
    sent: [
      datagram5(10, 0, 1), datagram5(14, 4, 5, 6), datagram5(12, 2, 3), datagram5(17, 7), datagram5(17, 7),
      datagram5(20, 8),
    ],
    rows: [row5(0), row5(1), row5(4), row5(5), row5(6), row5(2), row5(3), row5(7), row5(8)],
    counts: { rejected: { duplicate: 1 } },
    rejectedBytes: 24 + 48,
    domains: [{ version: 5, domain: 4, sequenceGaps: 1, lostUnits: 2, reordered: 1, duplicates: 1 }],
    why: [
      'Flows 12 and 13 are late and fill their hole, 17 is sent twice and counts once, 18 and 19 are lost: one gap of two.',
      'Cisco, NetFlow Export Datagram Format, table B-3: flow_sequence counts all flows seen.',
    ],
  },
  {
    name: 'ipfix-loss-copy-disorder',
    port: 4739,
    // Templates take no number. 3 overtakes 1 and 2; 4 and 5 come twice; 6 to 8 never.
    sent: [
      { bytes: message10({ sequence: 0, domain: 5 }, template10, records(0)) },
      message(3, 3), message(1, 1, 2), message(4, 4, 5), message(4, 4, 5), message(9, 6),
      { bytes: message10({ sequence: 10, domain: 5 }, template10) },
      message(10, 7),
    ],
    rows: [0, 3, 1, 2, 4, 5, 6, 7].map(ipfixFlow),
    counts: { templates: 2, rejected: { duplicate: 1 } },
    rejectedBytes: 16 + 4 + 2 * 21,
    domains: [
      { version: 10, domain: 5, templates: 1, sequenceGaps: 1, lostUnits: 3, reordered: 1, duplicates: 1 },
    ],
    why: [
      'Records 1 and 2 are late and fill their hole, a message comes twice and counts once, 6 to 8 are lost: one gap of three.',
      'RFC 7011 §3.1: the sequence number counts data records of the domain; template records do not count.',
    ],
  },
  {
    name: 'ipfix-half-of-a-hole-filled',
    port: 4739,
    // 1 to 4 are missing when 5 comes; then 2 and 3 come: two holes of one are left.
    sent: [
      { bytes: message10({ sequence: 0, domain: 5 }, template10, records(0)) },
      message(5, 5), message(2, 2, 3), message(6, 6),
    ],
    rows: [0, 5, 2, 3, 6].map(ipfixFlow),
    counts: { templates: 1 },
    domains: [{ version: 10, domain: 5, templates: 1, sequenceGaps: 2, lostUnits: 2, reordered: 1 }],
    why: [
      'A late message fills the middle of a hole of four: two holes of one record are left.',
      'RFC 7011 §3.1 and §10.3.2 (loss over UDP is found from sequence numbers).',
    ],
  },
  {
    name: 'ipfix-options-take-numbers',
    port: 4739,
    sent: [
      {
        bytes: message10({ sequence: 0, domain: 5 }, template10,
          set(3, join(u16(257), u16(2), u16(1), u16(149), u16(4), u16(41), u16(4))),
          set(257, u32(5), u32(1)), records(0)),
      },
      message(2, 1),
      // Records of no flow take numbers too.
      {
        bytes: message10({ sequence: 3, domain: 5 },
          set(2, template(258, [[130, 4], [1, 4]])), set(258, ip('192.0.2.1'), u32(9))),
      },
      message(4, 2),
    ],
    rows: [0, 1, 2].map(ipfixFlow),
    counts: { templates: 3, optionsRecords: 1, otherRecords: 1 },
    domains: [{ version: 10, domain: 5, templates: 3 }],
    why: [
      'Options records and records without a flow count as data records do: no gap in 0, 2, 3, 4.',
      'RFC 7011 §3.1 (Sequence Number: all data records), §2 (a data record may be described by an options template).',
    ],
  },
];
