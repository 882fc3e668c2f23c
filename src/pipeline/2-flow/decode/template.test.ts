/** Template records and the element table: what the RFCs print, and what hostile exporters might. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { elementOfFieldType, enterpriseOfFieldType, findElement, listElements } from './element-table.ts';
import { ianaElements } from './iana-elements.ts';
import { join, optionsTemplate10, optionsTemplate9, template, u16, u32 } from './message-samples.ts';
import { locateFields, parseTemplateRecord, type TemplateRecord, type TemplateSetPlace } from './template.ts';

function parse(bytes: Uint8Array, place: Partial<TemplateSetPlace> = {}): TemplateRecord {
  return parseTemplateRecord(bytes, 0, { version: 10, kind: 'data', end: bytes.length, fieldsMax: 100, ...place });
}

test('RFC 7011 A.2.2: enterprise fields', () => {
  const record = parse(template(257, [[8, 4], [12, 4], [15, 4, 32_473], [2, 4], [1, 4]]));
  assert.ok(record.what === 'template');
  assert.deepEqual(record.template.fields.map(({ enterprise, elementId }) => [enterprise, elementId]),
    [[0, 8], [0, 12], [32_473, 15], [0, 2], [0, 1]]);
  assert.deepEqual([record.endOffset, record.template.recordBytesMin, record.template.isFixed], [28, 20, true]);
});

test('options templates: RFC 7011 A.4.1 counts fields, RFC 3954 §6.1 counts bytes', () => {
  const ten = parse(optionsTemplate10(258, 1, [[141, 4], [41, 2], [42, 2]]), { kind: 'options' });
  const nine = parse(optionsTemplate9(258, [[1, 4]], [[41, 2], [42, 2]]), { kind: 'options', version: 9 });
  assert.ok(ten.what === 'template' && nine.what === 'template');
  assert.deepEqual(ten.template.fields.map(({ isScope }) => isScope), [true, false, false]);
  // Scope 1 of NetFlow v9 is the system, not octets: it has a number space of its own.
  assert.deepEqual(nine.template.fields.map(({ enterprise, elementId }) => [enterprise, elementId]),
    [[-1, 1], [0, 41], [0, 42]]);
});

test('what is no template', () => {
  assert.equal(parse(join(u16(255), u16(1), u16(8), u16(4))).what, 'bad-template');
  assert.equal(parse(join(u16(256), u16(9), u16(8), u16(4))).what, 'bad-template');
  assert.equal(parse(join(u16(256), u16(1), u16(0x8008), u16(4))).what, 'bad-template');
  assert.equal(parse(join(u16(256), u16(0)), { version: 9 }).what, 'bad-template');
  assert.equal(parse(optionsTemplate10(256, 2, [[8, 4]]), { kind: 'options' }).what, 'bad-template');
  assert.equal(parse(join(u16(256), u16(3), u16(4), u32(0)), { kind: 'options', version: 9 }).what, 'bad-template');
  assert.equal(parse(u32(0) as unknown as Uint8Array).what, 'padding');
  assert.equal(parse(join(u16(0))).what, 'padding');
  assert.deepEqual(parse(join(u16(256), u16(0))), { what: 'withdrawal', id: 256, endOffset: 4 });
  assert.deepEqual(parse(join(u16(2), u16(0))), { what: 'withdrawal', id: 2, endOffset: 4 });
  assert.equal(parse(join(u16(3), u16(0))).what, 'bad-template');
  assert.deepEqual(parse(template(256, [[8, 4], [12, 4]]), { fieldsMax: 1 }), { what: 'template-limit',
    endOffset: 12 });
});

test('variable lengths: one byte, three bytes, cut', () => {
  const record = parse(template(256, [[82, 65_535], [8, 4]]));
  assert.ok(record.what === 'template');
  const spans = new Uint32Array(4);
  const locate = (bytes: Uint8Array): number => locateFields(record.template, bytes, 0, bytes.length, spans);
  assert.equal(locate(Uint8Array.of(2, 9, 9, 1, 2, 3, 4, 0)), 7);
  assert.deepEqual([...spans], [1, 2, 3, 4]);
  assert.equal(locate(Uint8Array.of(255, 0, 1, 9, 1, 2, 3, 4)), 8);
  assert.deepEqual([...spans], [3, 1, 4, 4]);
  for (const cut of [[], [255], [255, 0], [200, 1], [0, 1, 2, 3]]) assert.equal(locate(Uint8Array.from(cut)), -1);
});

test('any bytes: parsing ends, and ends within the set', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.constantFrom<9 | 10>(9, 10),
    fc.constantFrom<'data' | 'options'>('data', 'options'), (bytes, version, kind) => {
      let at = 0;
      for (let steps = 0; at < bytes.length; steps++) {
        assert.ok(steps <= bytes.length);
        const record = parseTemplateRecord(bytes, at, { version, kind, end: bytes.length, fieldsMax: 10 });
        if (record.what === 'padding') return;
        assert.ok(record.endOffset > at && record.endOffset <= bytes.length);
        at = record.endOffset;
      }
    }), { numRuns: 2000 });
});

test('the element table: whole, unambiguous, with reverse and vendors\' elements', () => {
  const all = listElements(0).filter(({ elementId }) => elementId < 32_768);
  assert.equal(all.length, (ianaElements.match(/ \d+ /g) ?? []).length);
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
  assert.equal(new Set(all.map(({ elementId }) => elementId)).size, all.length);
  assert.ok(all.length > 470);
  assert.deepEqual(findElement(0, 152), { enterprise: 0, elementId: 152, name: 'flowStartMilliseconds',
    type: 'dateTimeMilliseconds' });
  assert.equal(findElement(29_305, 85)?.name, 'reverseOctetTotalCount');
  assert.equal(findElement(29_305, 65), undefined);
  assert.equal(findElement(enterpriseOfFieldType(57_591), elementOfFieldType(57_591))?.name, 'L7_PROTO_NAME');
  assert.equal(findElement(enterpriseOfFieldType(40_005), elementOfFieldType(40_005))?.name, 'FW_EVENT');
  assert.equal(findElement(1, 1), undefined);
});
