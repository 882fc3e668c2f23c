/** Who sent it: exporters, observation domains, restarts, ports, and templates that come late or never. */
import {
  ip, message10, set, template, u16, u32, u8,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import { type ExportCaseSpec, otherRouter, router, startSeconds } from './case.ts';
import { counted9, usualFields, usualFlow, usualRecord } from './wire.ts';

const usualTemplate = set(0, template(256, usualFields));
const usualSet = (...indexes: readonly number[]): Uint8Array =>
  set(256, ...indexes.map((index) => usualRecord(usualFlow(index))));

/** The same number and length as `usualFields`, with source and destination the other way round. */
const turnedTemplate = set(0, template(256, [[12, 4], [8, 4], [11, 2], [7, 2], [4, 1], [1, 4], [2, 4]]));
const turnedSet = (index: number): Uint8Array => {
  const { from, to, ports, protocol, packets, octets } = usualFlow(index);
  return set(256, ip(to), ip(from), u16(ports[1]), u16(ports[0]), u8(protocol), u32(octets), u32(packets));
};

const minuteMs = 60_000;

export const exporterCases: readonly ExportCaseSpec[] = [
  {
    name: 'v9-data-before-template',
    sent: [
      { bytes: counted9(2, { sequence: 1, seconds: startSeconds - 2 }, usualSet(0, 1)) },
      { bytes: counted9(1, { sequence: 2, seconds: startSeconds - 1 }, usualSet(2)), ms: 1000 },
      { bytes: counted9(2, { sequence: 3 }, usualTemplate, usualSet(3)), ms: 2000 },
    ],
    rows: [
      { ...usualFlow(0), ms: [-2000, -2000] }, { ...usualFlow(1), ms: [-2000, -2000] },
      { ...usualFlow(2), ms: [-1000, -1000] }, usualFlow(3),
    ],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'Data that came before its template is kept and decoded when that comes, in its order and by its own header.',
      'RFC 3954 §9 (data records may arrive before their template; the collector should store them).',
    ],
  },
  {
    name: 'v9-template-never',
    sent: [
      { bytes: counted9(1, { sequence: 1 }, usualSet(0)) },
      { bytes: counted9(2, { sequence: 2 }, usualSet(1, 2)), ms: 6 * minuteMs },
    ],
    rows: [],
    counts: { rejected: { 'no-template': 2 } },
    rejectedBytes: 4 + 21 + 4 + 2 * 21,
    waitingBeforeEnd: { sets: 1, bytes: 4 + 2 * 21 },
    domains: [{ version: 9, records: 0 }],
    why: [
      'A template that never comes: the first set is given up after five minutes, the second still waits when all is read.',
      'RFC 3954 §9: without the template a set cannot be decoded; each is counted, and its bytes are.',
    ],
  },
  {
    name: 'v9-restart',
    sent: [
      { bytes: counted9(2, { sequence: 5000, uptimeMs: 9_000_000 }, usualTemplate, usualSet(0)) },
      { bytes: counted9(1, { sequence: 5001, uptimeMs: 9_001_000, seconds: startSeconds + 1 }, usualSet(1)), ms: 1000 },
      // Up for two seconds, ten seconds later; the template is not sent again yet, the port is another.
      {
        bytes: counted9(1, { sequence: 0, uptimeMs: 2000, seconds: startSeconds + 10 }, usualSet(2)), ms: 10_000,
        port: 50_777,
      },
      { bytes: counted9(1, { sequence: 1, uptimeMs: 3000, seconds: startSeconds + 11 }, usualSet(3)), ms: 11_000 },
    ],
    rows: [
      usualFlow(0), { ...usualFlow(1), ms: [1000, 1000] }, { ...usualFlow(2), ms: [10_000, 10_000] },
      { ...usualFlow(3), ms: [11_000, 11_000] },
    ],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1, restarts: 1 }],
    why: [
      'Uptime and sequence begin anew: a restart, no loss of 4 billion packets. Templates of before go on to be used.',
      'RFC 3954 §5.1 (sysUptime, Sequence Number); §7 has templates sent anew after a restart, until then the old ones serve.',
    ],
  },
  {
    name: 'v9-source-port-changes',
    sent: [
      { bytes: counted9(1, { sequence: 1 }, usualTemplate), port: 50_000 },
      { bytes: counted9(1, { sequence: 2 }, usualSet(0)), port: 50_001 },
      { bytes: counted9(1, { sequence: 3 }, usualSet(1)), port: 50_002 },
    ],
    rows: [usualFlow(0), usualFlow(1)],
    counts: { templates: 1 },
    domains: [{ version: 9, templates: 1 }],
    why: [
      'The exporter sends from another port each time: it is still one exporter, with its template and its sequence.',
      'RFC 3954 §5.1: exporter address and Source ID identify the stream; the UDP source port is not named.',
    ],
  },
  {
    name: 'v9-two-exporters-one-source-id',
    sent: [
      { bytes: counted9(1, { sequence: 10, domain: 7 }, usualTemplate) },
      { bytes: counted9(1, { sequence: 900, domain: 7 }, turnedTemplate), from: otherRouter },
      { bytes: counted9(1, { sequence: 11, domain: 7 }, usualSet(0)) },
      { bytes: counted9(1, { sequence: 901, domain: 7 }, turnedSet(1)), from: otherRouter },
      { bytes: counted9(2, { sequence: 40, domain: 7 }, usualTemplate, usualSet(2)), from: '2001:db8::1' },
    ],
    rows: [
      { ...usualFlow(0), domain: 7 }, { ...usualFlow(1), domain: 7, exporter: otherRouter },
      { ...usualFlow(2), domain: 7, exporter: '2001:db8::1' },
    ],
    counts: { templates: 3 },
    domains: [
      { version: 9, domain: 7, datagrams: 2, records: 1, templates: 1 },
      { version: 9, domain: 7, exporter: otherRouter, datagrams: 2, records: 1, templates: 1 },
      { version: 9, domain: 7, exporter: '2001:db8::1', datagrams: 1, records: 1, templates: 1 },
    ],
    why: [
      'Three exporters use one source id and one template id for other layouts: addresses keep them apart.',
      'RFC 3954 §5.1 (Source ID): the collector should use the source IP address with the Source ID.',
    ],
  },
  {
    name: 'v9-equal-datagrams-of-two-exporters',
    // The second exporter sends the very bytes of the first, and its last one late.
    sent: [
      { bytes: counted9(2, { sequence: 1 }, usualTemplate, usualSet(0)) },
      { bytes: counted9(1, { sequence: 2 }, usualSet(1)) },
      { bytes: counted9(2, { sequence: 1 }, usualTemplate, usualSet(0)), from: otherRouter },
      { bytes: counted9(1, { sequence: 3 }, usualSet(2)), from: otherRouter },
      { bytes: counted9(1, { sequence: 2 }, usualSet(1)), from: otherRouter },
    ],
    rows: [
      usualFlow(0), usualFlow(1), { ...usualFlow(0), exporter: otherRouter },
      { ...usualFlow(2), exporter: otherRouter }, { ...usualFlow(1), exporter: otherRouter },
    ],
    counts: { templates: 2 },
    domains: [
      { version: 9, datagrams: 2, records: 2, templates: 1 },
      { version: 9, exporter: otherRouter, datagrams: 3, records: 3, templates: 1, reordered: 1 },
    ],
    why: [
      'A late datagram of one exporter is no copy of the same bytes of another: both are decoded and counted apart.',
      'RFC 3954 §5.1: sequence numbers belong to exporter and source id.',
    ],
  },
  {
    name: 'v9-two-domains-of-one-exporter',
    sent: [
      { bytes: counted9(1, { sequence: 1, domain: 1 }, usualTemplate) },
      { bytes: counted9(1, { sequence: 1, domain: 2 }, turnedTemplate) },
      { bytes: counted9(1, { sequence: 2, domain: 2 }, turnedSet(0)) },
      { bytes: counted9(1, { sequence: 2, domain: 1 }, usualSet(1)) },
    ],
    rows: [{ ...usualFlow(0), domain: 2 }, { ...usualFlow(1), domain: 1 }],
    counts: { templates: 2 },
    domains: [
      { version: 9, domain: 1, datagrams: 2, records: 1, templates: 1 },
      { version: 9, domain: 2, datagrams: 2, records: 1, templates: 1 },
    ],
    why: [
      'Two line cards of one exporter use one template id for other layouts, and count their packets apart.',
      'RFC 3954 §5.1 (Source ID) and §9: template ids are unique within exporter and source id only.',
    ],
  },
  {
    name: 'versions-of-one-exporter',
    sent: [
      { bytes: counted9(2, { sequence: 1, domain: 3 }, usualTemplate, usualSet(0)) },
      { bytes: message10({ sequence: 70, domain: 3 }, set(2, template(256, [[12, 4], [8, 4]]))) },
      { bytes: message10({ sequence: 70, domain: 3 }, set(256, ip('203.0.113.9'), ip('192.168.1.9'))) },
      { bytes: counted9(1, { sequence: 2, domain: 3 }, usualSet(1)) },
    ],
    rows: [
      { ...usualFlow(0), domain: 3 }, { from: '192.168.1.9', to: '203.0.113.9', domain: 3 },
      { ...usualFlow(1), domain: 3 },
    ],
    counts: { templates: 2 },
    domains: [
      { version: 9, domain: 3, exporter: router, datagrams: 2, records: 2, templates: 1 },
      { version: 10, domain: 3, exporter: router, datagrams: 2, records: 1, templates: 1 },
    ],
    why: [
      'One exporter sends NetFlow v9 and IPFIX with one id of domain and template: the versions have templates of their own.',
      'RFC 3954 §5.1 and RFC 7011 §3.1: two protocols, each with its own id space.',
    ],
  },
];
