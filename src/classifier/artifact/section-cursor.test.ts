/** Numbers and texts of a section: every value comes back, and a reader at its end goes on with nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SectionReader, SectionWriter } from './section-cursor.ts';

test('values come back in the order in which they were written', () => {
  const values = fc.record({
    count: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER)),
    byte: fc.nat(255), float: fc.double(), text: fc.string({ unit: 'grapheme' }),
  });
  fc.assert(fc.property(fc.array(values, { maxLength: 5 }), (list) => {
    const writer = new SectionWriter();
    for (const { count, byte, float, text } of list) writer.count(count).byte(byte).float(float).text(text);
    const buffer = Uint8Array.of(7, ...writer.bytes(), 7);
    const reader = new SectionReader(buffer.subarray(1, buffer.length - 1));
    for (const { count, byte, float, text } of list) {
      assert.equal(reader.count(), count);
      assert.equal(reader.byte(), byte);
      assert.ok(Object.is(reader.float(), float));
      assert.equal(reader.text(), text);
    }
    assert.equal(reader.bytesLeft, 0);
    assert.equal(reader.fault, undefined);
  }));
});

test('behind the end there is nothing, and the first fault stays', () => {
  const reader = new SectionReader(Uint8Array.of(5, 0x61));
  assert.equal(reader.text(), '');
  assert.equal(reader.fault, 'is cut');
  assert.deepEqual([reader.byte(), reader.count(), reader.float(), reader.text()], [0, 0, 0, '']);
  assert.equal(reader.fault, 'is cut');
});

test('what is no number and no text is said', () => {
  const faultOf = (read: (reader: SectionReader) => unknown, ...bytes: number[]): string | undefined => {
    const reader = new SectionReader(Uint8Array.from(bytes));
    read(reader);
    return reader.fault;
  };
  const seven = [255, 255, 255, 255, 255, 255, 255];
  assert.equal(faultOf((reader) => assert.equal(reader.count(), Number.MAX_SAFE_INTEGER), ...seven, 15), undefined);
  assert.equal(faultOf((reader) => assert.equal(reader.count(), 0), ...seven, 16), 'has a number beyond 2^53');
  assert.equal(faultOf((reader) => reader.count(), ...seven, 255, 1), 'has a number that does not end');
  assert.equal(faultOf((reader) => reader.count(), 128), 'is cut');
  assert.equal(faultOf((reader) => reader.text(), 1, 0xff), 'has a text that is no UTF-8');
});
