/** Structured data (RFC 6313): lists are passed over by their length, and what stands behind them is right. */
import {
  ip, join, message10, type Part, set, template, text, u16, u32, u8,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import type { ExportCaseSpec } from './case.ts';

const variable = 65_535;
/** RFC 6313 §4.4: what the elements of a list have to do with each other. */
const allOf = 3;

/** A value of variable length (RFC 7011 §7), in the short form or the long one. */
const value = (form: 'short' | 'long', ...parts: readonly Part[]): Uint8Array => {
  const content = join(...parts);
  return form === 'short' ? join(u8(content.length), content) : join(u8(255), u16(content.length), content);
};

/** basicList: semantic, field id and length, values (§4.5.1). */
const basicList = (elementId: number, lengthBytes: number, ...values: readonly Part[]): Uint8Array =>
  join(u8(allOf), u16(elementId), u16(lengthBytes), ...values);
/** subTemplateList: semantic, template id, records (§4.5.2). */
const subTemplateList = (templateId: number, ...records: readonly Part[]): Uint8Array =>
  join(u8(allOf), u16(templateId), ...records);
/** subTemplateMultiList: semantic; then for each template its id, a length with these four bytes, records (§4.5.3). */
const subTemplateMultiList = (...parts: readonly (readonly [templateId: number, records: Uint8Array])[]): Uint8Array =>
  join(u8(allOf), ...parts.map(([id, records]) => join(u16(id), u16(records.length + 4), records)));

const tops = join(ip('198.51.100.1'), u32(1), ip('198.51.100.2'), u32(2));
/** The list stands between the addresses, so that a list that is read wrongly gives a wrong row. */
const aroundList = (listId: number): Uint8Array => template(256, [[8, 4], [listId, variable], [12, 4], [1, 4], [2, 4]]);
const record = (index: number, list: Uint8Array): Uint8Array =>
  join(ip(`192.168.1.${10 + index}`), list, ip(`203.0.113.${5 + index}`), u32(1000 + index), u32(10 + index));
const row = (index: number): ExportCaseSpec['rows'][number] =>
  ({ from: `192.168.1.${10 + index}`, to: `203.0.113.${5 + index}`, octets: 1000 + index, packets: 10 + index });

export const structuredCases: readonly ExportCaseSpec[] = [
  {
    name: 'ipfix-basic-list',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, set(2, aroundList(291)),
        set(256,
          // Three interfaces; addresses, which are none of the flow's; an empty list; names of variable length.
          record(0, value('short', basicList(10, 4, u32(1), u32(4), u32(8)))),
          record(1, value('long', basicList(8, 4, ip('198.51.100.1'), ip('198.51.100.2')))),
          record(2, value('short', basicList(82, 8))),
          record(3, value('short', basicList(82, variable, u8(4), text('eth0'), u8(255), u16(6), text('eth100')))),
          // An element of an enterprise: four bytes more before the values.
          record(4, value('short', u8(allOf), u16(0x8000 | 8), u16(4), u32(32_473), u32(0xdead_beef))))),
    }],
    rows: [0, 1, 2, 3, 4].map(row),
    counts: { templates: 1 },
    domains: [{ version: 10, templates: 1 }],
    why: [
      'basicLists of fixed and variable elements, empty, of an enterprise: an address in a list is not the flow\'s.',
      'RFC 6313 §4.5.1 (basicList) and §5: a list has the length of its field, in the short or the long form.',
    ],
  },
  {
    name: 'ipfix-sub-template-list',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(300, [[8, 4], [1, 4]]), aroundList(292)),
        set(256, record(0, value('short', subTemplateList(300, tops))), record(1, value('long', subTemplateList(300))),
          // The template of the third list never came: its length is enough to pass over it.
          record(2, value('short', subTemplateList(999, tops))))),
    }],
    rows: [0, 1, 2].map(row),
    counts: { templates: 2 },
    domains: [{ version: 10, templates: 2 }],
    why: [
      'subTemplateLists of two records, of none, and of a template that is not known: no rows of their own, nothing lost.',
      'RFC 6313 §4.5.2 (subTemplateList).',
    ],
  },
  {
    name: 'ipfix-sub-template-multi-list',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 },
        set(2, template(300, [[8, 4], [1, 4]]), template(301, [[291, variable]]), aroundList(293)),
        set(256,
          record(0, value('short', subTemplateMultiList([300, tops]))),
          // Lists within a list, behind records of another template.
          record(1, value('long', subTemplateMultiList([300, tops],
            [301, join(value('short', basicList(10, 4, u32(7))), value('long', basicList(10, 4)))]))),
          record(2, value('short', subTemplateMultiList())))),
    }],
    rows: [0, 1, 2].map(row),
    counts: { templates: 3 },
    domains: [{ version: 10, templates: 3 }],
    why: [
      'subTemplateMultiLists of records of two templates, with lists within them, and one that is empty.',
      'RFC 6313 §4.5.3 (subTemplateMultiList) and §5.4 (recursive structured data).',
    ],
  },
  {
    name: 'ipfix-list-ends-behind-its-set',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, set(2, aroundList(291)),
        set(256, record(0, value('short', basicList(10, 4, u32(1)))),
          // The length says 200 bytes, the set has fewer.
          ip('192.168.1.11'), u8(200), basicList(10, 4, u32(1)), ip('203.0.113.6'), u32(1), u32(1))),
    }],
    rows: [row(0)],
    counts: { templates: 1, rejected: { 'cut-record': 1 } },
    rejectedBytes: 4 + 1 + 9 + 4 + 4 + 4,
    domains: [{ version: 10, templates: 1 }],
    why: [
      'A list whose length leads out of its set: the record before it is a row, the bytes from the record on are rejected.',
      'RFC 7011 §7 and §3.3.2: a set ends where its header says; RFC 6313 §7.',
    ],
  },
];
