/**
 * What no exporter should send and some networks deliver: cut, miscounted, reserved, unknown. Nothing is lost silently.
 */
import {
  ip, join, message10, message5, message9, optionsTemplate10, set, template, u16, u32, u8,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import { type ExportCaseSpec, startSeconds } from './case.ts';
import { counted9, usualFields, usualFlow, usualRecord } from './wire.ts';

const template9 = set(0, template(256, usualFields));
const template10 = set(2, template(256, usualFields));
const data = (...indexes: readonly number[]): Uint8Array =>
  set(256, ...indexes.map((index) => usualRecord(usualFlow(index))));
const setBytes = 4 + 21;

/** A message that says another length of itself. */
const saying = (length: number, message: Uint8Array): Uint8Array => {
  const changed = message.slice();
  changed.set(u16(length), 2);
  return changed;
};

const flow5 = { source: '192.168.1.10', destination: '203.0.113.5', packets: 1, octets: 40, firstMs: 1_000_000,
  lastMs: 1_000_000, ports: [1000, 53] as const, protocol: 17 };
const row5 = { from: '192.168.1.10', to: '203.0.113.5', ms: [500, 500], protocol: 17, ports: [1000, 53], packets: 1,
  octets: 40, more: { ingressInterface: 3, egressInterface: 4 } } as const;

const wholeFile = [0, 1, 2].map((index) => ({
  bytes: message10({ sequence: index }, ...(index === 0 ? [template10] : []), data(index)),
}));

export const damagedCases: readonly ExportCaseSpec[] = [
  {
    name: 'v5-cut-and-miscounted',
    sent: [
      // Two are announced, one and 20 bytes are there; their numbers are 0 and 1.
      { bytes: message5({ sequence: 0 }, [flow5, flow5]).subarray(0, 24 + 48 + 20) },
      // Four bytes too many.
      { bytes: join(message5({ sequence: 2 }, [flow5]), u32(0)) },
      // 200 are announced, more than a datagram may have, and one is there: nothing is believed.
      { bytes: saying(200, message5({ sequence: 3 }, [flow5])) },
      { bytes: message5({ sequence: 4 }, [flow5]) },
    ],
    rows: [row5, row5, row5],
    counts: { rejected: { 'cut-message': 2, 'trailing-bytes': 1 } },
    rejectedBytes: 20 + 4 + 24 + 48,
    domains: [{ version: 5 }],
    why: [
      'What is whole is read; half a record, bytes behind the last one, and a count that cannot be are rejected.',
      'Cisco, NetFlow Export Datagram Format, table B-3: count is 1 to 30, a record 48 bytes.',
    ],
  },
  {
    name: 'unknown-versions',
    sent: [
      ...[0, 1, 7, 8, 11, 65_535].map((version) => ({ bytes: join(u16(version), u16(1), u32(0), u32(startSeconds)) })),
      // A byte, and headers of v5, v9 and IPFIX that end a byte early.
      { bytes: Uint8Array.of(0) }, { bytes: message5({}, []).subarray(0, 23) }, { bytes: message9({}).subarray(0, 19) },
      { bytes: message10({}).subarray(0, 15) },
      { bytes: counted9(2, { sequence: 1 }, template9, data(0)) },
    ],
    rows: [usualFlow(0)],
    counts: { templates: 1, rejected: { 'cut-header': 4, 'unknown-version': 6 } },
    rejectedBytes: 6 * 12 + 1 + 23 + 19 + 15,
    domains: [{ version: 9, datagrams: 1, templates: 1 }],
    why: [
      'Versions that are none of 5, 9 and 10, and headers that are cut, are rejected whole; the datagram after them is read.',
      'RFC 3954 §5.1 and RFC 7011 §3.1 (Version Number; headers of 20 and 16 bytes).',
    ],
  },
  {
    name: 'ipfix-cut-message',
    port: 4739,
    sent: [
      { bytes: message10({ sequence: 0 }, template10, data(0), data(1, 2)).subarray(0, -10) },
      // Cut within the header of the second set.
      { bytes: message10({ sequence: 3 }, data(3), data(4)).subarray(0, 16 + setBytes + 3) },
      { bytes: message10({ sequence: 5 }, data(5)) },
    ],
    rows: [usualFlow(0), usualFlow(3), usualFlow(5)],
    counts: { templates: 1, rejected: { 'cut-message': 2, 'cut-set': 2 } },
    rejectedBytes: 4 + 2 * 21 - 10 + 3,
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Datagrams that end before their length: whole sets are read, the cut one is rejected, and no gap is made of it.',
      'RFC 7011 §3.1 (Length) and §3.3.2 (set length); what a cut set held is not known, so its records are not counted.',
    ],
  },
  {
    name: 'ipfix-wrong-message-length',
    port: 4739,
    sent: [
      { bytes: message10({ sequence: 0 }, template10, data(0)) },
      // Shorter than its own header.
      { bytes: saying(15, message10({ sequence: 1 }, data(1))) },
      // Ends before the second set.
      { bytes: saying(16 + setBytes, message10({ sequence: 2 }, data(2), data(3))) },
      { bytes: message10({ sequence: 3 }, data(4)) },
    ],
    rows: [usualFlow(0), usualFlow(2), usualFlow(4)],
    counts: { templates: 1, rejected: { 'bad-set-length': 1, 'trailing-bytes': 1 } },
    rejectedBytes: 2 * setBytes,
    domains: [{ version: 10, templates: 1 }],
    why: [
      'A length below 16 says nothing; bytes behind the length belong to no message and are rejected, not read.',
      'RFC 7011 §3.1: Length is the total length of the message, with its header.',
    ],
  },
  {
    name: 'ipfix-set-length-0-to-3',
    port: 4739,
    sent: [
      { bytes: message10({ sequence: 0 }, template10, data(0)) },
      ...[0, 1, 2, 3].map((length) => ({
        bytes: message10({ sequence: 1 + length },
          data(1 + length), join(u16(256), u16(length), u32(0), u32(0)), data(9)),
      })),
    ],
    rows: [0, 1, 2, 3, 4].map(usualFlow),
    counts: { templates: 1, rejected: { 'bad-set-length': 4 } },
    rejectedBytes: 4 * (12 + setBytes),
    domains: [{ version: 10, templates: 1 }],
    why: [
      'A set shorter than its header: where the next one begins is not known, so the rest of the message is rejected.',
      'RFC 7011 §3.3.2: Length is that of the set with its header of 4 bytes.',
    ],
  },
  {
    name: 'ipfix-set-longer-than-message',
    port: 4739,
    sent: [
      { bytes: message10({ sequence: 0 }, template10, data(0), join(u16(256), u16(60), usualRecord(usualFlow(1)))) },
      { bytes: message10({ sequence: 1 }, data(2)) },
    ],
    rows: [usualFlow(0), usualFlow(2)],
    counts: { templates: 1, rejected: { 'cut-set': 1 } },
    rejectedBytes: setBytes,
    domains: [{ version: 10, templates: 1 }],
    why: [
      'A set that would end behind its message and its datagram is rejected; the sets before it are read.',
      'RFC 7011 §3.3.2 and §9: a collector must not read behind the message.',
    ],
  },
  {
    name: 'ipfix-reserved-sets',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, template10,
        set(0, template(300, [[8, 4]])), set(1, u32(0)), set(4, u32(1)), set(255), data(0)),
    }],
    rows: [usualFlow(0)],
    counts: { templates: 1, rejected: { 'reserved-set': 4 } },
    rejectedBytes: 12 + 8 + 8 + 4,
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Set ids 0 and 1 (NetFlow v9\'s) and 4 to 255 have no meaning in IPFIX: passed over by their length.',
      'RFC 7011 §3.3.2: 0 and 1 are not used, 4 to 255 are reserved.',
    ],
  },
  {
    name: 'v9-reserved-sets',
    sent: [{
      bytes: counted9(2, { sequence: 1 },
        template9, set(2, template(300, [[8, 4]])), set(3, u32(1)), set(255), data(0)),
    }],
    rows: [usualFlow(0)],
    counts: { templates: 1, rejected: { 'reserved-set': 3 } },
    rejectedBytes: 12 + 8 + 4,
    domains: [{ version: 9, templates: 1 }],
    why: [
      'FlowSet ids 2 (IPFIX\'s templates) to 255 have no meaning in NetFlow v9: passed over by their length.',
      'RFC 3954 §5.2, §5.3 and §6.1: 0 templates, 1 options templates, above 255 data.',
    ],
  },
  {
    name: 'ipfix-zero-length-fields',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [[1, 0], [8, 4], [371, 0], [12, 4], [7, 0], [2, 4]]), template(257, [[371, 0], [82, 0]])),
        set(257, u32(0), u32(0)),
        set(256, ip('192.168.1.10'), ip('203.0.113.5'), u32(12), ip('192.168.1.11'), ip('203.0.113.6'), u32(13))),
    }],
    rows: [
      { from: '192.168.1.10', to: '203.0.113.5', packets: 12 },
      { from: '192.168.1.11', to: '203.0.113.6', packets: 13 },
    ],
    counts: { templates: 2, rejected: { 'empty-record': 1 } },
    rejectedBytes: 8,
    domains: [{ version: 10, templates: 2 }],
    why: [
      'Fields of no bytes hold no value and move nothing; records of nothing but those would be without end: rejected.',
      'RFC 7011 §3.2 (Field Length): nothing forbids 0, and 0 bytes hold no integer (§6.2).',
    ],
  },
  {
    name: 'ipfix-bad-templates',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, template10,
        // An id below 256; five fields announced, one there; half an enterprise number; two scopes of one field.
        set(2, u16(255), u16(1), u16(8), u16(4)), set(2, u16(300), u16(5), u16(8), u16(4)),
        set(2, u16(301), u16(1), u16(0x8008), u16(4), u16(0)),
        set(3, optionsTemplate10(302, 2, [[149, 4]])),
        // A good one behind a good one in a set with a bad one at its end.
        set(2, template(303, [[12, 4], [8, 4]]), u16(304), u16(2), u16(8), u16(4)),
        set(303, ip('203.0.113.9'), ip('192.168.1.9')), data(0)),
    }],
    rows: [{ from: '192.168.1.9', to: '203.0.113.9' }, usualFlow(0)],
    counts: { templates: 2, rejected: { 'bad-template': 5 } },
    rejectedBytes: 8 + 8 + 10 + 10 + 8,
    domains: [{ version: 10, templates: 2 }],
    why: [
      'Templates that cannot be are rejected with the rest of their set; those before them, and other sets, are used.',
      'RFC 7011 §3.4.1 (ids above 255, field count), §3.2 (enterprise), §3.4.2.2 (scope count at most the field count).',
    ],
  },
  {
    name: 'v9-bad-templates',
    sent: [{
      bytes: counted9(2, { sequence: 1 }, template9,
        // No field; three fields announced, one there; lengths of options that are no whole fields.
        set(0, u16(300), u16(0), u8(1), u8(0), u16(0)), set(0, u16(301), u16(3), u16(8), u16(4)),
        set(1, u16(302), u16(2), u16(4), u16(1), u16(4), u16(34), u16(4)), data(0)),
    }],
    rows: [usualFlow(0)],
    counts: { templates: 1, rejected: { 'bad-template': 3 } },
    rejectedBytes: 8 + 8 + 14,
    domains: [{ version: 9, templates: 1 }],
    why: [
      'Templates of no field, with fewer fields than they say, and with lengths that are no whole fields are rejected.',
      'RFC 3954 §5.2 (Field Count) and §6.1 (Option Scope Length, Options Length: bytes of specifiers of 4 bytes).',
    ],
  },
  {
    name: 'ipfix-damaged-file',
    kind: 'ipfix',
    sent: wholeFile,
    // Bytes of nobody between the second and the third message; the beginning of a fourth.
    file: join(wholeFile[0]!.bytes, wholeFile[1]!.bytes, u32(0xffff_ffff), wholeFile[2]!.bytes,
      message10({ sequence: 3 }, data(3)).subarray(0, 30)),
    rows: [0, 1, 2].map(usualFlow),
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    problems: ['damaged-file', 'cut-file'],
    why: [
      'Four bytes that are of no message are passed over, the next message is found, and the cut one at the end is told.',
      'RFC 5655 §4.1 and §9.1: a reader finds the next message by version and length where a file is damaged.',
    ],
  },
];
