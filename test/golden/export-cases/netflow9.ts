/** NetFlow v9: templates, options and padding (RFC 3954), with the values of its appendix where it has some. */
import {
  ip, join, optionsTemplate9, set, template, text, u16, u32, u8,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import type { ExportCaseSpec } from './case.ts';
import { counted9, usualFields, usualFlow, usualRecord } from './wire.ts';

/** RFC 3954 appendix A: addresses, next hop, packets, octets. */
const appendixTemplate = template(256, [[8, 4], [12, 4], [15, 4], [2, 4], [1, 4]]);
const appendixRecords = join(
  ip('198.168.1.12'), ip('10.5.12.254'), ip('192.168.1.1'), u32(5009), u32(5_344_385),
  ip('192.168.1.27'), ip('10.5.12.23'), ip('192.168.1.1'), u32(748), u32(388_934),
  ip('192.168.1.56'), ip('10.5.12.65'), ip('192.168.1.1'), u32(5), u32(6534));
const appendixRows = [
  { from: '198.168.1.12', to: '10.5.12.254', packets: 5009, octets: 5_344_385 },
  { from: '192.168.1.27', to: '10.5.12.23', packets: 748, octets: 388_934 },
  { from: '192.168.1.56', to: '10.5.12.65', packets: 5, octets: 6534 },
] as const;

const uptimeFields = template(256, [...usualFields, [22, 4], [21, 4]]);
const uptimeRecord = (index: number, first: number, last: number): Uint8Array =>
  join(usualRecord(usualFlow(index)), u32(first), u32(last));

/** Sampler 1 takes one packet of 10, sampler 2 one of 1000. */
const samplers = join(
  set(1, optionsTemplate9(257, [[1, 4]], [[48, 1], [49, 1], [50, 4]]), u16(0)),
  set(257, u32(1), u8(1), u8(2), u32(10), u32(1), u8(2), u8(2), u32(1000)));
const samplersCounts = { templates: 2, optionsRecords: 2 };
const sampledMessage = counted9(6, { sequence: 1 }, samplers,
  set(0, template(256, [...usualFields, [48, 1]])),
  set(256, usualRecord(usualFlow(0)), u8(1), usualRecord(usualFlow(1)), u8(2)));

export const netflow9Cases: readonly ExportCaseSpec[] = [
  {
    name: 'v9-rfc3954-appendix',
    sent: [{
      bytes: counted9(7, { uptimeMs: 1_000_000, sequence: 1, domain: 9 },
        set(0, appendixTemplate), set(256, appendixRecords),
        // A.4 and A.5: scope line card; exported packets and flows. The template is filled up to a whole word.
        set(1, optionsTemplate9(257, [[3, 2]], [[41, 2], [42, 2]]), u16(0)),
        set(257, u16(1), u16(345), u16(10_201), u16(2), u16(690), u16(20_402))),
    }],
    rows: appendixRows.map((row) => ({ ...row, domain: 9 })),
    counts: { templates: 2, optionsRecords: 2, flowsPlacedAtExport: 0 },
    domains: [{ version: 9, domain: 9, templates: 2 }],
    why: [
      'The worked example: a template, three flows, an options template and two options records in one packet.',
      'RFC 3954 appendix A; records without times lie at the export time of the header (§5.1).',
    ],
  },
  {
    name: 'v9-one-datagram',
    kind: 'nf9',
    sent: [{ bytes: counted9(4, { sequence: 1 }, set(0, appendixTemplate), set(256, appendixRecords)) }],
    rows: appendixRows,
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'A file that is one bare datagram of NetFlow v9: NetFlow has no length, so the file\'s is that of the datagram.',
      'RFC 3954 §5.1 and appendix A (values).',
    ],
  },
  {
    name: 'v9-file-of-datagrams',
    kind: 'nf9',
    sent: [
      { bytes: counted9(4, { sequence: 1 }, set(0, appendixTemplate), set(256, appendixRecords)) },
      { bytes: counted9(3, { sequence: 2 }, set(256, appendixRecords)) },
      { bytes: counted9(2, { sequence: 3 }, set(0, uptimeFields), set(256, uptimeRecord(0, 999_000, 999_500))) },
    ],
    rows: [...appendixRows, ...appendixRows, { ...usualFlow(0), ms: [-1000, -500] }],
    counts: { templates: 2 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'Three datagrams one after the other in a file, as netcat writes them: where a set should be, a header is.',
      'RFC 3954 §5.2: set ids 2 to 255 are reserved, so no set begins like a header of version 9.',
    ],
  },
  {
    name: 'v9-out-counters',
    sent: [{
      bytes: counted9(2, { sequence: 1 },
        set(0, template(256, [[8, 4], [12, 4], [1, 4], [23, 4], [2, 4], [24, 4], [5, 1], [55, 1]])),
        set(256, ip('192.168.1.10'), ip('203.0.113.5'), u32(1000), u32(9000), u32(10), u32(20), u8(0x20), u8(0x28))),
    }],
    rows: [{
      from: '192.168.1.10', to: '203.0.113.5', octets: [1000, 9000], packets: [10, 20],
      more: { ipClassOfService: 0x20, reverseIpClassOfService: 0x28 },
    }],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'IN and OUT counters in one record of NetFlow v9 are the two ways of a conversation, as nProbe sends them.',
      'RFC 3954 §8 (1, 2 IN; 23 OUT_BYTES, 24 OUT_PKTS; 55 DST_TOS); quirk twoWayRecords of src/pipeline/2-flow/decode.',
    ],
  },
  {
    name: 'v9-uptime-times',
    sent: [{
      bytes: counted9(3, { uptimeMs: 2000, sequence: 1 }, set(0, uptimeFields),
        set(256, uptimeRecord(0, 500, 1999), uptimeRecord(1, 0xffff_fc18, 2500), u16(0))),
    }],
    rows: [
      { ...usualFlow(0), ms: [-1500, -1] },
      // 0xfffffc18 is 1000 ms before the wrap; the last packet was 500 ms after the header was written.
      { ...usualFlow(1), ms: [-3000, 500] },
    ],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'FIRST_SWITCHED and LAST_SWITCHED are uptimes: their signed distance to the header\'s, so that a wrap does no harm.',
      'RFC 3954 §5.1 (sysUptime and UNIX Secs are one instant) and §8 (fields 21 and 22).',
    ],
  },
  {
    name: 'v9-padding',
    sent: [{
      bytes: counted9(5, { sequence: 1 },
        // Two templates in a set; two zero bytes behind 18 bytes of records, three behind 21.
        set(0, template(256, usualFields), template(258, [[8, 4], [12, 4], [5, 1]])),
        set(258, ip('192.168.1.10'), ip('203.0.113.5'), u8(0x10), ip('192.168.1.11'), ip('203.0.113.6'), u8(0x20),
          u16(0)),
        set(256, usualRecord(usualFlow(2)), u8(0), u16(0))),
    }],
    rows: [
      { from: '192.168.1.10', to: '203.0.113.5', more: { ipClassOfService: 0x10 } },
      { from: '192.168.1.11', to: '203.0.113.6', more: { ipClassOfService: 0x20 } },
      usualFlow(2),
    ],
    counts: { templates: 2 },
    domains: [{ version: 9, templates: 2 }],
    why: [
      'Sets are filled with zero bytes up to a whole word; that is no record, though a record of zeros could begin there.',
      'RFC 3954 §5.3 (Padding), §5.2 (several templates in a set).',
    ],
  },
  {
    name: 'v9-template-redefined',
    sent: [
      { bytes: counted9(2, { sequence: 1 }, set(0, template(256, usualFields)), set(256, usualRecord(usualFlow(0)))) },
      // Octets before packets, ports before addresses; the same number of bytes.
      {
        bytes: counted9(2, { sequence: 2 },
          set(0, template(256, [[7, 2], [11, 2], [8, 4], [12, 4], [4, 1], [1, 4], [2, 4]])),
          set(256, u16(50_001), u16(443), ip('192.168.1.11'), ip('203.0.113.6'), u8(6), u32(1001), u32(11))),
      },
      {
        bytes: counted9(1, { sequence: 3 },
          set(256, u16(50_002), u16(443), ip('192.168.1.12'), ip('203.0.113.7'), u8(6), u32(1002), u32(12))),
      },
    ],
    rows: [usualFlow(0), usualFlow(1), usualFlow(2)],
    counts: { templates: 2 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'A template comes again with another layout of the same length: from then on the new one counts, without withdrawal.',
      'RFC 3954 §9 (The Collector Side): a new definition of a template id replaces the old one.',
    ],
  },
  {
    name: 'v9-options-sampling',
    sent: [{ bytes: sampledMessage }],
    rows: [usualFlow(0), usualFlow(1)],
    counts: samplersCounts,
    domains: [{ version: 9, templates: 2, samplingInterval: 1000 }],
    why: [
      'Options tell of two random samplers; records name theirs. Told, and not applied: counters stay as they were sent.',
      'RFC 3954 §6.1, §6.2 and §8 (48 FLOW_SAMPLER_ID, 49 FLOW_SAMPLER_MODE, 50 FLOW_SAMPLER_RANDOM_INTERVAL).',
    ],
  },
  {
    name: 'v9-options-sampling-renormalised',
    sent: [{ bytes: sampledMessage }],
    rows: [
      { ...usualFlow(0), packets: 100, octets: 10_000 },
      { ...usualFlow(1), packets: 11_000, octets: 1_001_000 },
    ],
    counts: samplersCounts,
    domains: [{ version: 9, templates: 2, samplingInterval: 1000 }],
    options: { renormalise: true },
    why: [
      'The same bytes as v9-options-sampling, with --renormalise: each record by the interval of its own sampler.',
      'RFC 3954 §8 (48, 50): the sampler of a record is named in the record, its interval in the options.',
    ],
  },
  {
    name: 'v9-scope-numbers',
    sent: [{
      bytes: counted9(4, { sequence: 1 },
        // Scope 2 is an interface, not a packet count; 34 is the sampling interval of this exporter.
        set(1, optionsTemplate9(260, [[2, 4]], [[34, 4], [35, 1], [82, 7]])),
        set(260, u32(7), u32(64), u8(1), text('eth7', 7)),
        set(0, template(256, usualFields)), set(256, usualRecord(usualFlow(0)), u8(0), u16(0))),
    }],
    rows: [usualFlow(0)],
    counts: { templates: 2, optionsRecords: 1 },
    domains: [{ version: 9, templates: 2, samplingInterval: 64 }],
    why: [
      'Scope field types have numbers of their own: 2 is an interface. A sampling interval for the whole exporter is in 34.',
      'RFC 3954 §6.1 (scope field types) and §8 (34 SAMPLING_INTERVAL).',
    ],
  },
];
