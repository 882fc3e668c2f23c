/** Values that need more than a number: ICMP, IPv6, link addresses, names of applications. */
import { addressBytes } from '#sim';
import {
  type FieldSpec, ip, join, message10, optionsTemplate10, optionsTemplate9, set, template, text, u16, u32, u8,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import { type ExportCaseSpec, startSeconds } from './case.ts';
import { counted9, usualFields, usualFlow, usualRecord } from './wire.ts';

const ends = join(ip('192.168.1.10'), ip('203.0.113.5'));
const row = { from: '192.168.1.10', to: '203.0.113.5' } as const;
const endsV6 = join(addressBytes('fd00::10'), addressBytes('2001:db8::5'));
const rowV6 = { from: 'fd00::10', to: '2001:db8::5' } as const;

const macInside = [0x02, 0x42, 0xac, 0x11, 0x00, 0x0a];
const macOutside = [0x02, 0, 0, 0, 0, 1];
/** From 1900 to 1970 (RFC 7011 §6.1.9). */
const ntpSeconds = (70 * 365 + 17) * 86_400;

/** RFC 6759 §4.1: a classification engine and a selector. 13 is the engine of the layer 7 of an enterprise. */
const application = (engine: number, selector: number): Uint8Array =>
  join(u8(engine), u8(selector >>> 16), u16(selector & 0xffff));
const ntopPen = 35_632;
/** NetFlow v9 field types of ntop begin here. */
const ntopBase = 57_472;

export const valueCases: readonly ExportCaseSpec[] = [
  {
    name: 'icmp-in-port-field',
    sent: [{
      bytes: counted9(3, { sequence: 1 },
        set(0, template(256, [[8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [1, 4]]),
          template(257, [[27, 16], [28, 16], [7, 2], [11, 2], [4, 1], [1, 4]])),
        set(256, ends, u16(0), u16(0x0303), u8(1), u32(56), ends, u16(9), u16(53), u8(17), u32(60)),
        set(257, endsV6, u16(0), u16(0x8000), u8(58), u32(104), u8(0), u16(0))),
    }],
    rows: [
      { ...row, protocol: 1, octets: 56, more: { icmpTypeCodeIPv4: 0x0303 } },
      { ...row, protocol: 17, ports: [9, 53], octets: 60 },
      { ...rowV6, protocol: 58, octets: 104, more: { icmpTypeCodeIPv6: 0x8000 } },
    ],
    counts: { templates: 2 },
    domains: [{ version: 9, templates: 2 }],
    why: [
      'Type · 256 + code of ICMP and ICMPv6 in the destination port, as exporters since v5 do; UDP beside it keeps its ports.',
      'Cisco, NetFlow v5 table B-4 (dstport); IANA 32 icmpTypeCodeIPv4 and 139 icmpTypeCodeIPv6 have the same form.',
    ],
  },
  {
    name: 'icmp-elements',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [[8, 4], [12, 4], [4, 1], [32, 2]]),
          template(257, [[8, 4], [12, 4], [4, 1], [176, 1], [177, 1]]),
          template(258, [[27, 16], [28, 16], [4, 1], [139, 2]]),
          template(259, [[27, 16], [28, 16], [4, 1], [178, 1], [179, 1]])),
        set(256, ends, u8(1), u16(0x0800)), set(257, ends, u8(1), u8(11), u8(1)),
        set(258, endsV6, u8(58), u16(0x8100)), set(259, endsV6, u8(58), u8(1), u8(4))),
    }],
    rows: [
      { ...row, protocol: 1, more: { icmpTypeCodeIPv4: 0x0800 } },
      { ...row, protocol: 1, more: { icmpTypeCodeIPv4: 0x0b01 } },
      { ...rowV6, protocol: 58, more: { icmpTypeCodeIPv6: 0x8100 } },
      { ...rowV6, protocol: 58, more: { icmpTypeCodeIPv6: 0x0104 } },
    ],
    counts: { templates: 4 },
    domains: [{ version: 10, templates: 4 }],
    why: [
      'ICMP as one element of type and code, and as two of a byte each.',
      'IANA 32, 139 (type · 256 + code), 176 to 179 (type, code of ICMP and ICMPv6).',
    ],
  },
  {
    name: 'ipv6-and-macs',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [
          [27, 16], [28, 16], [7, 2], [11, 2], [4, 1], [56, 6], [80, 6], [58, 2], [136, 1], [10, 4], [14, 4],
        ])),
        set(256,
          endsV6, u16(50_000), u16(443), u8(6), macInside, macOutside, u16(101), u8(3), u32(7), u32(8),
          addressBytes('fe80::1'), addressBytes('ff02::1:ff00:10'), u16(0), u16(0), u8(17),
          [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0, 0, 0], u16(0), u8(2), u32(0xffff_ffff), u32(0))),
    }],
    rows: [
      {
        ...rowV6, ports: [50_000, 443], protocol: 6,
        more: {
          sourceMacAddress: '02:42:ac:11:00:0a', destinationMacAddress: '02:00:00:00:00:01', vlanId: 101,
          flowEndReason: 3, ingressInterface: 7, egressInterface: 8,
        },
      },
      {
        from: 'fe80::1', to: 'ff02::1:ff00:10', protocol: 17,
        more: { sourceMacAddress: 'ff:ff:ff:ff:ff:ff', flowEndReason: 2, ingressInterface: 4_294_967_295 },
      },
    ],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'IPv6 addresses, link addresses, VLAN, interfaces and the reason of the end, each in its column.',
      'RFC 7011 §6.1.5 and §6.1.6 (macAddress, ipv6Address); IANA 27, 28, 56, 80, 58, 136, 10, 14.',
    ],
  },
  {
    name: 'names-nbar-v9',
    sent: [{
      bytes: counted9(7, { sequence: 1 },
        set(1, optionsTemplate9(260, [[1, 4]], [[95, 4], [96, 8], [94, 12]]), u16(0)),
        set(260, u32(1), application(13, 453), text('https', 8), text('web over TLS', 12),
          u32(1), application(3, 53), text('dns', 8), text('names', 12)),
        set(0, template(256, [...usualFields, [95, 4]])),
        set(256, usualRecord(usualFlow(0)), application(13, 453), usualRecord(usualFlow(1)), application(3, 53),
          usualRecord(usualFlow(2)), application(13, 999), u8(0))),
    }],
    rows: [{ ...usualFlow(0), name: 'https' }, { ...usualFlow(1), name: 'dns' }, usualFlow(2)],
    counts: { templates: 2, optionsRecords: 2, unexplainedApplications: 1 },
    domains: [{ version: 9, templates: 2 }],
    why: [
      'Options name the application ids, records carry ids: the name is looked up; an id that nobody named is counted.',
      'RFC 6759 §4 (applicationId 95: engine and selector), §5 (applicationName 96, applicationDescription 94).',
    ],
  },
  {
    name: 'names-nbar-ipfix',
    port: 4739,
    sent: [
      {
        bytes: message10({ sequence: 0 },
          set(3, optionsTemplate10(260, 1, [[95, 65_535], [96, 65_535]])),
          // An id of four bytes; one of RFC 6759 §4.1's engine 20 with the enterprise of its maker.
          set(260, u8(4), application(13, 70), u8(8), text('snapchat'),
            u8(7), u8(20), u32(9), u16(77), u8(5), text('webex'))),
      },
      {
        bytes: message10({ sequence: 2 }, set(2, template(256, [...usualFields, [95, 65_535]])),
          set(256, usualRecord(usualFlow(0)), u8(4), application(13, 70),
            usualRecord(usualFlow(1)), u8(7), u8(20), u32(9), u16(77))),
      },
    ],
    rows: [{ ...usualFlow(0), name: 'snapchat' }, { ...usualFlow(1), name: 'webex' }],
    counts: { templates: 2, optionsRecords: 2 },
    domains: [{ version: 10, templates: 2 }],
    why: [
      'Application ids as scope and of variable length, one with an enterprise in it, and names of variable length.',
      'RFC 6759 §4.1 (engine 20: PEN and selector), §6.5.1 (application name options: applicationId is the scope).',
    ],
  },
  {
    name: 'names-ntop-v9',
    sent: [{
      bytes: counted9(4, { sequence: 1 },
        set(0, template(256, [...usualFields, [ntopBase + 118, 2], [ntopBase + 119, 16]] as readonly FieldSpec[])),
        set(256, usualRecord(usualFlow(0)), u16(91), text('TLS.Amazon', 16), usualRecord(usualFlow(1)), u16(91),
          text('SSL.Netflix', 16), usualRecord(usualFlow(2)), u16(0), text('', 16), u8(0))),
    }],
    rows: [{ ...usualFlow(0), name: 'TLS.Amazon' }, { ...usualFlow(1), name: 'TLS.Netflix' }, usualFlow(2)],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'ntop\'s L7_PROTO_NAME in NetFlow v9: a fixed length filled with zeros; nDPI\'s old word SSL is today\'s TLS.',
      'ntop nProbe: field 57472 + 119, PEN 35632; RFC 3954 §5.2 (the template says the length).',
    ],
  },
  {
    name: 'names-ntop-ipfix',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [...usualFields, [119, 65_535, ntopPen], [78, 1, ntopPen], [79, 1, ntopPen]])),
        set(256, usualRecord(usualFlow(0)), u8(11), text('DNS.Spotify'), u8(0x1b), u8(0x13),
          usualRecord(usualFlow(1)), u8(0), u8(2), u8(0x14),
          // A comma, a quotation mark and a letter of two bytes.
          usualRecord(usualFlow(2)), u8(8), text('a,"b'), [0xc3, 0xa9], text('!'), text('.'), u8(0), u8(0))),
    }],
    rows: [
      { ...usualFlow(0), name: 'DNS.Spotify', more: { tcpControlBits: 0x1b, reverseTcpControlBits: 0x13 } },
      { ...usualFlow(1), more: { tcpControlBits: 2, reverseTcpControlBits: 0x14 } },
      // CSV's quotes (RFC 4180 §2).
      { ...usualFlow(2), name: '"a,""bé!."' },
    ],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'ntop\'s L7_PROTO_NAME in IPFIX has a variable length; its 78 and 79 are the TCP flags of client and server.',
      'ntop PEN 35632, elements 119, 78, 79; RFC 7011 §7; RFC 7011 §6.1.6 (strings are UTF-8).',
    ],
  },
  {
    name: 'values-in-records-of-variable-length',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(256, [
          [371, 65_535], [8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [5, 1], [6, 2], [10, 4], [14, 2], [1, 8], [2, 3],
          [56, 6], [80, 6], [58, 2], [136, 1], [158, 4], [159, 4],
        ]), template(257, [[27, 16], [371, 65_535], [28, 16], [154, 8], [139, 2], [4, 1]])),
        set(256, u8(3), text('eve'), ends, u16(50_000), u16(443), u8(6), u8(0x20), u16(0x1b), u32(7), u16(8),
          u32(1), u32(5), u8(1), u16(2), macInside, macOutside, u16(101), u8(3), u32(2_000_000), u32(1_000_000)),
        set(257, addressBytes('fd00::10'), u8(0), addressBytes('2001:db8::5'), u32(startSeconds + ntpSeconds),
          u32(0x8000_0000), u16(0x8000), u8(58))),
    }],
    rows: [
      {
        ...row, ms: [-2000, -1000], protocol: 6, ports: [50_000, 443], octets: 4_294_967_301, packets: 65_538,
        more: {
          ipClassOfService: 0x20, tcpControlBits: 0x1b, ingressInterface: 7, egressInterface: 8, vlanId: 101,
          flowEndReason: 3, sourceMacAddress: '02:42:ac:11:00:0a', destinationMacAddress: '02:00:00:00:00:01',
        },
      },
      { ...rowV6, ms: [500, 500], protocol: 58, more: { icmpTypeCodeIPv6: 0x8000 } },
    ],
    counts: { templates: 2 },
    domains: [{ version: 10, templates: 2 }],
    why: [
      'Every kind of value behind a text whose length each record says: integers, addresses, link addresses, times.',
      'RFC 7011 §7, §6.1 and §6.2. A record that tells its beginning only ends with it.',
    ],
  },
  {
    name: 'two-addresses-of-a-tunnel',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, set(2, template(256, [[8, 4], [12, 4], [8, 4], [12, 4], [1, 4]])),
        set(256, ip('198.51.100.1'), ip('198.51.100.2'), ends, u32(1400))),
    }],
    rows: [{ ...row, octets: 1400 }],
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'Outer and inner addresses of a tunnel in one record: the last ones, those of the carried packet, are the flow\'s.',
      'RFC 7011 §8: elements that come several times follow the order in which the packet was treated.',
    ],
  },
];
