/** Records out of text: every cut of the chunks gives the same, and the limits hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitFields, TextRecords, type TextRecord, type TextRecordOptions } from './text-records.ts';
import { csvField } from './row-text.ts';

function recordsOf(text: string, options: TextRecordOptions, chunkBytes = 1_000): TextRecord[] {
  const records = new TextRecords(options);
  const bytes = new TextEncoder().encode(text);
  const found: TextRecord[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) found.push(...records.push(bytes.subarray(at, at +
    chunkBytes)));
  return [...found, ...records.finish()];
}

test('lines, with their numbers, without carriage returns and empty lines', () => {
  assert.deepEqual(recordsOf('a\r\n\n\nb\nc', { quoted: false }), [
    { text: 'a', line: 1, problem: '' }, { text: 'b', line: 4, problem: '' }, { text: 'c', line: 5, problem: '' },
  ]);
});

test('quoted line ends belong to the record', () => {
  assert.deepEqual(recordsOf('1,"a\r\nb\n"\r\n2,c\n', { quoted: true }), [
    { text: '1,"a\r\nb\n"', line: 1, problem: '' }, { text: '2,c', line: 4, problem: '' },
  ]);
});

test('a stray quote costs its own line only', () => {
  const found = recordsOf('1,"a\n2,b\n3,c\n4,d\n5,e\n', { quoted: true, recordLinesMax: 3 });
  assert.deepEqual(found.map(({ line, problem }) => [line, problem]), [
    [1, 'a quoted field does not end'], [2, ''], [3, ''], [4, ''], [5, ''],
  ]);
  const atEnd = recordsOf('1,"a\n2,b\n3,"c', { quoted: true });
  assert.equal(atEnd.length, 1, 'two stray quotes make one record of three lines');
  assert.deepEqual(recordsOf('1,"a\n2,b\n3,c', { quoted: true }).map(({ line, problem }) => [line, problem !== '']),
    [[1, true], [2, false], [3, false]]);
});

test('a line that is too long is rejected, and the next one is read', () => {
  for (const chunkBytes of [1, 4, 1_000]) {
    const found = recordsOf(`${'x'.repeat(11)}\n${'y'.repeat(10)}\n${'z'.repeat(500)}`,
      { quoted: true, lineCharactersMax: 10 }, chunkBytes);
    assert.deepEqual(found, [
      { text: '', line: 1, problem: 'longer than 10 characters' },
      { text: 'yyyyyyyyyy', line: 2, problem: '' },
      { text: '', line: 3, problem: 'longer than 10 characters' },
    ]);
  }
  const open = recordsOf(`"a\nb\n${'z'.repeat(20)}\nc\n`, { quoted: true, lineCharactersMax: 10 });
  assert.deepEqual(open.map(({ line, problem }) => [line, problem === '']),
    [[1, false], [2, true], [3, false], [4, true]]);
});

test('any text, cut into any chunks, gives the same records, and fields survive quoting', () => {
  const piece = fc.constantFrom('a', '"', '""', ',', '\n', '\r\n', '☃', ' ', '1');
  fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), fc.boolean(),
    (pieces, chunkBytes, quoted) => {
    const options = { quoted, lineCharactersMax: 15, recordLinesMax: 3 };
    assert.deepEqual(recordsOf(pieces.join(''), options, chunkBytes), recordsOf(pieces.join(''), options));
  }), { numRuns: 1_000 });
  fc.assert(fc.property(fc.array(fc.array(piece).map((pieces) => pieces.join('')), { minLength: 2, maxLength: 5 }),
    (fields) => {
    const line = `${fields.map(csvField).join(',')}\n`;
    const [record] = recordsOf(line, { quoted: true });
    if (fields.every((field) => field === '')) return;
    assert.deepEqual(splitFields(record!.text, ',', true), fields);
  }), { numRuns: 1_000 });
});

test('quotes that do not fit are told', () => {
  for (const bad of ['a"b,c', '"a"b,c', '"a', 'x,"a""']) assert.equal(splitFields(bad, ',', true), undefined, bad);
  assert.deepEqual(splitFields('a"b|c', '|', false), ['a"b', 'c']);
  assert.deepEqual(splitFields('"",a,""', ',', true), ['', 'a', '']);
});
