/** IPFIX messages: the worked examples of RFC 7011, template life cycle, files (RFC 5655), biflows (RFC 5103). */
import {
  type FieldSpec, ip, join, message10, optionsTemplate10, type Part, rfc7011Fields, rfc7011Records, set, template, text,
  u16, u32, u8, uint,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import { type ExportCaseSpec, startSeconds } from './case.ts';
import { usualFields, usualFlow, usualRecord } from './wire.ts';

const appendixRows = [
  { from: '192.0.2.12', to: '192.0.2.254', packets: 5009, octets: 5_344_385 },
  { from: '192.0.2.27', to: '192.0.2.23', packets: 748, octets: 388_934 },
  { from: '192.0.2.56', to: '192.0.2.65', packets: 5, octets: 6534 },
] as const;

const record = (index: number): Uint8Array => usualRecord(usualFlow(index));
const usualTemplate = (id: number): Uint8Array => set(2, template(id, usualFields));
/** Withdraws a template, or all with id 2 or 3 (RFC 7011 §8.1). */
const withdrawal = (setId: 2 | 3, id: number): Uint8Array => set(setId, u16(id), u16(0));

const reversePen = 29_305;
const biflowFields: readonly FieldSpec[] = [
  [8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [1, 4], [2, 4], [1, 4, reversePen], [2, 4, reversePen], [5, 1],
  [5, 1, reversePen], [6, 2], [6, 2, reversePen],
];
const biflowRecord = (from: string, to: string, ports: readonly [number, number]): Part => join(
  ip(from), ip(to), u16(ports[0]), u16(ports[1]), u8(6), u32(3000), u32(30), u32(70_000), u32(50), u8(0x20), u8(0x48),
  u16(0x1b), u16(0x13));

export const ipfixCases: readonly ExportCaseSpec[] = [
  {
    name: 'ipfix-rfc7011-appendix',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0, domain: 7 },
        set(2, template(256, rfc7011Fields)), set(256, rfc7011Records),
        // A.4: scope line card; exported messages and flow records. A.4.3: line cards 1 and 2.
        set(3, optionsTemplate10(258, 1, [[141, 4], [41, 2], [42, 2]]), u16(0)),
        set(258, u32(1), u16(345), u16(10_201), u32(2), u16(690), u16(20_402))),
    }],
    rows: appendixRows.map((row) => ({ ...row, domain: 7 })),
    counts: { templates: 2, optionsRecords: 2 },
    domains: [{ version: 10, domain: 7, templates: 2 }],
    why: [
      'The worked example: template, three records, options template with a scope, two options records.',
      'RFC 7011 appendix A.2 to A.4; records without times lie at the export time of the header (§3.1).',
    ],
  },
  {
    name: 'ipfix-file',
    kind: 'ipfix',
    sent: [
      { bytes: message10({ sequence: 0, domain: 1 }, set(2, template(256, rfc7011Fields)), set(256, rfc7011Records)) },
      ...[0, 1, 2, 3].map((index) => ({
        bytes: message10({ sequence: 3 + index, domain: 1, seconds: startSeconds + index },
          ...(index === 0 ? [usualTemplate(300)] : []), set(300, record(index))),
      })),
      {
        bytes: message10({ sequence: 0, domain: 2 },
          set(2, template(256, [[12, 4], [8, 4]])), set(256, ip('203.0.113.9'), ip('192.168.1.9'))),
      },
    ],
    rows: [
      ...appendixRows.map((row) => ({ ...row, domain: 1 })),
      ...[0, 1, 2, 3].map((index) =>
        ({ ...usualFlow(index), domain: 1, ms: [index * 1000, index * 1000] as const })),
      { from: '192.168.1.9', to: '203.0.113.9', domain: 2 },
    ],
    counts: { templates: 3 },
    domains: [
      { version: 10, domain: 1, datagrams: 5, records: 7, templates: 2 },
      { version: 10, domain: 2, datagrams: 1, records: 1, templates: 1 },
    ],
    why: [
      'A file of six messages of two observation domains, one after the other; nobody says who exported them.',
      'RFC 5655 §4.1: an IPFIX file is a serialised stream of messages; templates are in scope to its end.',
    ],
  },
  {
    name: 'ipfix-variable-length',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        // Both texts stand before fields of a column: a wrong length shows at once. 371 userName, 82 interfaceName.
        set(2, template(256, [[8, 4], [371, 65_535], [12, 4], [82, 65_535], [1, 4]])),
        set(256,
          ip('192.168.1.10'), u8(5), text('alice'), ip('203.0.113.5'), u8(0), u32(100),
          ip('192.168.1.11'), u8(255), u16(5), text('carol'), ip('203.0.113.6'), u8(254), text('x'.repeat(254)),
          u32(200),
          ip('192.168.1.12'), u8(255), u16(1000), text('y'.repeat(1000)), ip('203.0.113.7'), u8(1), text('z'),
          u32(300))),
    }],
    rows: [
      { from: '192.168.1.10', to: '203.0.113.5', octets: 100 },
      { from: '192.168.1.11', to: '203.0.113.6', octets: 200 },
      { from: '192.168.1.12', to: '203.0.113.7', octets: 300 },
    ],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Values of 0, 1, 5 and 254 bytes with a length of one byte, of 5 and 1000 with the long form; fields behind are right.',
      'RFC 7011 §7 and appendix A.5: 255 and two more bytes are a length too, of fewer than 255 bytes as well.',
    ],
  },
  {
    name: 'ipfix-reduced-size',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [[8, 4], [12, 4], [1, 3], [2, 1], [10, 2], [14, 1], [4, 1], [6, 1]]),
          template(257, [[8, 4], [12, 4], [2, 5], [231, 6], [58, 1]])),
        set(256, ip('192.168.1.10'), ip('203.0.113.5'), uint(0xfe_dcba, 3), u8(200), u16(513), u8(9), u8(6), u8(0x12)),
        set(257, ip('192.168.1.11'), ip('203.0.113.6'), uint(0x1_0000_0001n, 5), uint(0x0102_0304_0506n, 6), u8(77))),
    }],
    rows: [
      {
        from: '192.168.1.10', to: '203.0.113.5', octets: 0xfe_dcba, packets: 200, protocol: 6,
        more: { ingressInterface: 513, egressInterface: 9, tcpControlBits: 0x12 },
      },
      {
        from: '192.168.1.11', to: '203.0.113.6', octets: 1_108_152_157_446, packets: 4_294_967_297,
        more: { vlanId: 77 },
      },
    ],
    counts: { templates: 2 },
    domains: [{ version: 10, templates: 2 }],
    why: [
      'Integers sent in 1, 2, 3, 5 and 6 bytes are the same numbers; those above 32 bits are whole.',
      'RFC 7011 §6.2 (Reduced-Size Encoding), for unsigned integers of 2, 4 and 8 bytes; the template tells the length.',
    ],
  },
  {
    name: 'ipfix-enterprise-elements',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        // An enterprise's 8, 12 and 1 are no addresses and no octets; specifiers of 8 bytes among those of 4.
        set(2, template(256, [[8, 4, 32_473], [8, 4], [1, 8, 32_473], [12, 4], [12, 4, 32_473], [2, 4], [1, 2]])),
        set(256, u32(0xdead_beef), ip('192.168.1.10'), uint(0xffff_ffff_ffff_ffffn, 8), ip('203.0.113.5'),
          u32(0xdead_beef), u32(4), u16(400))),
    }],
    rows: [{ from: '192.168.1.10', to: '203.0.113.5', packets: 4, octets: 400 }],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Elements of an enterprise that nobody knows are passed over by their length, though their ids are those of IANA\'s.',
      'RFC 7011 §3.2 (Enterprise bit, Enterprise Number) and appendix A.2.2; 32473 is the PEN of examples (RFC 5612).',
    ],
  },
  {
    name: 'ipfix-biflow',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, set(2, template(256, biflowFields)),
        set(256, biflowRecord('192.168.1.10', '203.0.113.5', [50_000, 443]))),
    }],
    rows: [{
      from: '192.168.1.10', to: '203.0.113.5', protocol: 6, ports: [50_000, 443], packets: [30, 50],
      octets: [3000, 70_000],
      more: {
        ipClassOfService: 0x20, reverseIpClassOfService: 0x48, tcpControlBits: 0x1b, reverseTcpControlBits: 0x13,
      },
    }],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Reverse elements are those of the responder: packets, octets, class of service and TCP flags of the way back.',
      'RFC 5103 §6.1: PEN 29305 with the id of the forward element.',
    ],
  },
  {
    name: 'ipfix-biflow-direction',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, set(2, template(256, [...biflowFields, [239, 1]])),
        set(256, biflowRecord('192.168.1.10', '203.0.113.5', [50_000, 443]), u8(1),
          biflowRecord('203.0.113.6', '192.168.1.11', [443, 50_001]), u8(2),
          biflowRecord('192.168.1.12', '203.0.113.7', [50_002, 443]), u8(3))),
    }],
    rows: [
      {
        from: '192.168.1.10', to: '203.0.113.5', protocol: 6, ports: [50_000, 443], packets: [30, 50],
        octets: [3000, 70_000],
        more: {
          ipClassOfService: 0x20, reverseIpClassOfService: 0x48, tcpControlBits: 0x1b, reverseTcpControlBits: 0x13,
        },
      },
      {
        from: '192.168.1.11', to: '203.0.113.6', protocol: 6, ports: [50_001, 443], packets: [50, 30],
        octets: [70_000, 3000],
        more: {
          ipClassOfService: 0x48, reverseIpClassOfService: 0x20, tcpControlBits: 0x13, reverseTcpControlBits: 0x1b,
        },
      },
      {
        from: '192.168.1.12', to: '203.0.113.7', protocol: 6, ports: [50_002, 443], packets: [30, 50],
        octets: [3000, 70_000],
        more: {
          ipClassOfService: 0x20, reverseIpClassOfService: 0x48, tcpControlBits: 0x1b, reverseTcpControlBits: 0x13,
        },
      },
    ],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'biflowDirection 2 says that the source of the record is the responder: the row is turned. 1 and 3 leave it as it is.',
      'RFC 5103 §6.3: 1 initiator, 2 reverseInitiator, 3 perimeter.',
    ],
  },
  {
    name: 'ipfix-withdrawal',
    port: 4739,
    sent: [
      {
        bytes: message10({ sequence: 0 },
          usualTemplate(256), usualTemplate(257), set(256, record(0)), set(257, record(1))),
      },
      { bytes: message10({ sequence: 2 }, withdrawal(2, 256), set(257, record(2)), set(256, record(3))) },
      // The id is used again for another layout; what waited for it is read with that.
      {
        bytes: message10({ sequence: 4 },
          set(2, template(256, [[12, 4], [8, 4], [11, 2], [7, 2], [4, 1], [1, 4], [2, 4]]))),
      },
    ],
    rows: [
      usualFlow(0), usualFlow(1), usualFlow(2),
      // Flow 3, whose record lies behind the withdrawal, by the later layout.
      { from: '203.0.113.8', to: '192.168.1.13', ports: [443, 50_003], protocol: 6, packets: 1003, octets: 13 },
    ],
    counts: { templates: 3, withdrawals: 1 },
    domains: [{ version: 10, templates: 2 }],
    why: [
      'A template that was withdrawn is not used: data of its id waits, and is read by the template that is sent next.',
      'RFC 7011 §8.1 (Template Withdrawal: field count 0) and §8 (a template id may be used anew after it).',
    ],
  },
  {
    name: 'ipfix-withdraw-all',
    port: 4739,
    sent: [
      {
        bytes: message10({ sequence: 0 }, usualTemplate(256), usualTemplate(300),
          set(3, optionsTemplate10(400, 1, [[149, 4], [41, 4]])), set(400, u32(0), u32(1)), set(256, record(0))),
      },
      // All data templates: the options template stays.
      { bytes: message10({ sequence: 2 }, withdrawal(2, 2), set(400, u32(0), u32(2)), set(300, record(1))) },
      // All options templates: the data template that is new stays.
      {
        bytes: message10({ sequence: 4 },
          usualTemplate(256), withdrawal(3, 3), set(256, record(2)), set(400, u32(0), u32(3))),
      },
    ],
    rows: [usualFlow(0), usualFlow(2)],
    counts: { templates: 4, withdrawals: 2, optionsRecords: 2, rejected: { 'no-template': 2 } },
    rejectedBytes: 4 + 21 + 4 + 8,
    waitingBeforeEnd: { sets: 2, bytes: 4 + 21 + 4 + 8 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Id 2 withdraws every template and no options template, id 3 the other way round; data of a withdrawn one waits.',
      'RFC 7011 §8.1: All Templates Withdrawal (set id 2, template id 2) and All Options Templates (3 and 3).',
    ],
  },
  {
    name: 'ipfix-post-counters',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [[8, 4], [12, 4], [1, 4], [23, 4], [2, 4], [24, 4], [5, 1], [55, 1]])),
        set(256, ip('192.168.1.10'), ip('203.0.113.5'), u32(1000), u32(900), u32(10), u32(9), u8(0x20), u8(0x28))),
    }],
    rows: [{
      from: '192.168.1.10', to: '203.0.113.5', octets: 1000, packets: 10, more: { ipClassOfService: 0x20 },
    }],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'In IPFIX 23, 24 and 55 are what a middlebox let through and made of the class of service: not the responder\'s.',
      'IANA 23 postOctetDeltaCount, 24 postPacketDeltaCount, 55 postIpClassOfService; see v9-out-counters.',
    ],
  },
  {
    name: 'ipfix-type-information',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        // Scope enterprise and element; then data type, semantics and name of it.
        set(3, optionsTemplate10(258, 2, [[346, 4], [303, 2], [339, 1], [344, 1], [341, 65_535]])),
        set(258, u32(32_473), u16(14), u8(3), u8(1), u8(12), text('queueWaiting')),
        set(2, template(256, [[8, 4], [14, 4, 32_473], [12, 4], [1, 4]])),
        set(256, ip('192.168.1.10'), u32(77), ip('203.0.113.5'), u32(640))),
    }],
    rows: [{ from: '192.168.1.10', to: '203.0.113.5', octets: 640 }],
    counts: { templates: 2, optionsRecords: 1 },
    domains: [{ version: 10, templates: 2 }],
    why: [
      'An exporter describes its own element in options with two scope fields, then sends it: no column takes it.',
      'RFC 5610 §3.9 (type records); element 14 of another enterprise is not egressInterface.',
    ],
  },
  {
    name: 'ipfix-padding',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        // paddingOctets within the record, zero bytes behind records and behind a template.
        set(2, template(256, [[8, 4], [210, 3], [12, 4], [4, 1], [210, 2], [1, 4]]), u32(0)),
        set(256, ip('192.168.1.10'), u8(0), u16(0), ip('203.0.113.5'), u8(17), u16(0), u32(640),
          ip('192.168.1.11'), u8(0xff), u16(0xffff), ip('203.0.113.6'), u8(6), u16(0xffff), u32(641), u32(0))),
    }],
    rows: [
      { from: '192.168.1.10', to: '203.0.113.5', protocol: 17, octets: 640 },
      { from: '192.168.1.11', to: '203.0.113.6', protocol: 6, octets: 641 },
    ],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'paddingOctets between fields (whatever they hold) and zero bytes behind records and templates are nobody\'s values.',
      'RFC 7011 §3.3.1 (padding is shorter than any record) and IANA element 210 paddingOctets.',
    ],
  },
];
