/**
 * Template records: RFC 3954 §5.2 and §6.1 (NetFlow v9), RFC 7011 §3.4 and §8.1 (IPFIX), and the fixed layout of v5 as
 * a template. What is parsed here is plain data; counts and lengths come from the network and are checked before use.
 */
import { elementOfFieldType, enterpriseOfFieldType } from './element-table.ts';
import { read16, read32 } from './message-header.ts';

/** Length in a template that means: each record says it (RFC 7011 §7). */
export const variableLength = 65_535;

export type TemplateField = {
  /** 0 for IANA's elements; scope fields of NetFlow v9 have `scopeEnterprise`. */
  readonly enterprise: number;
  readonly elementId: number;
  readonly lengthBytes: number;
  readonly isScope: boolean;
};

/** Scope fields of NetFlow v9 have a number space of their own (RFC 3954 §6.1). */
export const scopeEnterprise = -1;

export type Template = {
  readonly id: number;
  readonly kind: 'data' | 'options';
  readonly fields: readonly TemplateField[];
  /** Bytes of the shortest record. */
  readonly recordBytesMin: number;
  /** No field is of variable length: all records have `recordBytesMin` bytes. */
  readonly isFixed: boolean;
};

/** What one record of a template set says. */
export type TemplateRecord =
  | { readonly what: 'template'; readonly template: Template; readonly endOffset: number }
  /** `id` 2 or 3: all templates, or all options templates (RFC 7011 §8.1). */
  | { readonly what: 'withdrawal'; readonly id: number; readonly endOffset: number }
  /** Nothing but padding up to the end. */
  | { readonly what: 'padding' }
  | { readonly what: 'bad-template' | 'template-limit'; readonly endOffset: number };

/** A template of these fields. */
export function createTemplate(id: number, kind: Template['kind'], fields: readonly TemplateField[]): Template {
  let recordBytesMin = 0;
  let isFixed = true;
  for (const { lengthBytes } of fields) {
    if (lengthBytes === variableLength) isFixed = false;
    recordBytesMin += lengthBytes === variableLength ? 1 : lengthBytes;
  }
  return { id, kind, fields, recordBytesMin, isFixed };
}

/** True when two templates describe the same records. */
export function isSameTemplate(a: Template, b: Template): boolean {
  if (a.kind !== b.kind || a.fields.length !== b.fields.length) return false;
  for (let i = 0; i < a.fields.length; i++) {
    const one = a.fields[i] as TemplateField;
    const other = b.fields[i] as TemplateField;
    if (one.elementId !== other.elementId || one.lengthBytes !== other.lengthBytes ||
      one.enterprise !== other.enterprise || one.isScope !== other.isScope) return false;
  }
  return true;
}

export type TemplateSetPlace = {
  readonly version: 9 | 10;
  readonly kind: Template['kind'];
  /** End of the set. */
  readonly end: number;
  readonly fieldsMax: number;
};

/**
 * Parses the template record at an offset of a template set.
 *
 * @param bytes  read only
 * @param at     offset of the record, below `place.end`
 */
export function parseTemplateRecord(bytes: Uint8Array, at: number, place: TemplateSetPlace): TemplateRecord {
  const { version, kind, end, fieldsMax } = place;
  if (end - at < 4 || isZero(bytes, at, end)) return { what: 'padding' };
  const id = read16(bytes, at);
  const second = read16(bytes, at + 2);
  if (version === 10 && second === 0 && (id >= 256 || id === (kind === 'data' ? 2 : 3))) {
    return { what: 'withdrawal', id, endOffset: at + 4 };
  }
  const headerBytes = kind === 'data' ? 4 : 6;
  if (id < 256 || end - at < headerBytes) return { what: 'bad-template', endOffset: end };
  // RFC 3954 §6.1 gives lengths in bytes of scope and option fields, RFC 7011 §3.4.2.2 counts of all and scope fields.
  const third = kind === 'data' ? 0 : read16(bytes, at + 4);
  const isByBytes = version === 9 && kind === 'options';
  if (isByBytes && ((second | third) & 3) !== 0) return { what: 'bad-template', endOffset: end };
  const fieldCount = isByBytes ? (second + third) >>> 2 : second;
  const scopeCount = isByBytes ? second >>> 2 : third;
  if (fieldCount === 0 || scopeCount > fieldCount) return { what: 'bad-template', endOffset: end };
  const fieldsAt = at + headerBytes;
  const endOffset = endOfFields(bytes, fieldsAt, fieldCount, place);
  if (endOffset < 0) return { what: 'bad-template', endOffset: end };
  if (fieldCount > fieldsMax) return { what: 'template-limit', endOffset };
  const fields = readFields(bytes, fieldsAt, { version, fieldCount, scopeCount });
  const template = createTemplate(id, kind, fields);
  if (isHollow(template)) return { what: 'bad-template', endOffset };
  return { what: 'template', template, endOffset };
}

/** Fields of no bytes that are suffered beside one field a byte. */
const hollowFieldsMax = 16;

/**
 * Fields of no length are allowed, a thousand of them in a record of one byte are an attack: each such byte would cost
 * a thousand looks.
 */
export function isHollow({ fields, recordBytesMin }: Template): boolean {
  return fields.length > recordBytesMin + hollowFieldsMax;
}

function isZero(bytes: Uint8Array, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Where the field specifiers end, or -1 when the set ends before. */
function endOfFields(bytes: Uint8Array, from: number, fieldCount: number, place: TemplateSetPlace): number {
  if (place.version === 9) return from + fieldCount * 4 <= place.end ? from + fieldCount * 4 : -1;
  let at = from;
  for (let i = 0; i < fieldCount; i++) {
    if (at + 4 > place.end) return -1;
    at += (bytes[at] as number) & 0x80 ? 8 : 4;
  }
  return at <= place.end ? at : -1;
}

type FieldCounts = { readonly version: 9 | 10; readonly fieldCount: number; readonly scopeCount: number };

function readFields(bytes: Uint8Array, from: number, counts: FieldCounts): TemplateField[] {
  const fields: TemplateField[] = [];
  let at = from;
  for (let i = 0; i < counts.fieldCount; i++) {
    const word = read16(bytes, at);
    const lengthBytes = read16(bytes, at + 2);
    const isScope = i < counts.scopeCount;
    at += 4;
    if (counts.version === 9) {
      const enterprise = isScope ? scopeEnterprise : enterpriseOfFieldType(word);
      fields.push({ enterprise, elementId: isScope ? word : elementOfFieldType(word), lengthBytes, isScope });
    } else if (word & 0x8000) {
      fields.push({ enterprise: read32(bytes, at), elementId: word & 0x7fff, lengthBytes, isScope });
      at += 4;
    } else fields.push({ enterprise: 0, elementId: word, lengthBytes, isScope });
  }
  return fields;
}

/** Element id and bytes of each field of a NetFlow v5 record, in order; 210 is padding. */
const version5Fields: readonly (readonly [elementId: number, lengthBytes: number])[] = [
  [8, 4], [12, 4], [15, 4], [10, 2], [14, 2], [2, 4], [1, 4], [22, 4], [21, 4], [7, 2], [11, 2], [210, 1], [6, 1],
  [4, 1], [5, 1], [16, 2], [17, 2], [9, 1], [13, 1], [210, 2],
];

/** The layout of NetFlow v5 records, 48 bytes each. */
export const version5Template: Template = createTemplate(0, 'data',
  version5Fields.map(([elementId, lengthBytes]) => ({ enterprise: 0, elementId, lengthBytes, isScope: false })));

/**
 * Finds the fields of one record.
 *
 * @param spans  [2 × fields] offset and length of each field; overwritten
 * @returns the offset behind the record, or -1 when it ends behind `end`
 */
export function locateFields(template: Template, bytes: Uint8Array, start: number, end: number,
  spans: Uint32Array): number {
  let at = start;
  for (let i = 0; i < template.fields.length; i++) {
    let lengthBytes = (template.fields[i] as TemplateField).lengthBytes;
    if (lengthBytes === variableLength) {
      // RFC 7011 §7: one byte, or 255 and two more bytes.
      if (at >= end) return -1;
      lengthBytes = bytes[at++] as number;
      if (lengthBytes === 255) {
        if (at + 2 > end) return -1;
        lengthBytes = read16(bytes, at);
        at += 2;
      }
    }
    if (at + lengthBytes > end) return -1;
    spans[2 * i] = at;
    spans[2 * i + 1] = lengthBytes;
    at += lengthBytes;
  }
  return at;
}
