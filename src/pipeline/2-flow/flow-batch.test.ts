/** Batches, dictionaries and the schema: every column is there, rows move whole, dictionaries are bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dictionary, dictionaryOverflowText } from './dictionary.ts';
import { clearRow, copyRows, createFlowBatch } from './flow-batch.ts';
import { elementsPerRow, findColumn, schema } from './schema.ts';

test('no two columns share a name, and every element id is that of one column and enterprise', () => {
  assert.equal(new Set(schema.map((column) => column.name)).size, schema.length);
  const ids = schema.flatMap((column) => column.elementIds.map((id) => `${column.enterprise}/${id}`));
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(findColumn('initiatorOctets')?.alias, 'IN_BYTES');
  assert.equal(findColumn('nothing'), undefined);
});

test('rows are copied whole, and cleared whole', () => {
  const from = createFlowBatch(3);
  const to = createFlowBatch(2, from.dictionaries);
  from.rowCount = 3;
  for (const [index, column] of schema.entries()) {
    const values = from.columns[column.name];
    for (let i = 0; i < values.length; i++) values[i] = (index * 7 + i) & 255;
  }
  copyRows(from, 1, 3, to);
  assert.equal(to.rowCount, 2);
  for (const column of schema) {
    const width = elementsPerRow(column.storage);
    assert.deepEqual([...to.columns[column.name]], [...from.columns[column.name]].slice(width, 3 * width), column.name);
  }
  clearRow(to, 0);
  for (const column of schema) {
    const width = elementsPerRow(column.storage);
    assert.ok(to.columns[column.name].subarray(0, width).every((value) => value === 0), column.name);
  }
  assert.throws(() => copyRows(from, 0, 1, to), /no room/);
  assert.throws(() => copyRows(from, 0, 1, createFlowBatch(5)), /share dictionaries/);
});

test('a dictionary gives one code a text, and counts what it has no room for', () => {
  const dictionary = new Dictionary(4);
  assert.equal(dictionary.encode(''), 0);
  const first = dictionary.encode('DNS');
  assert.equal(dictionary.encode('DNS'), first);
  assert.equal(dictionary.decode(first), 'DNS');
  dictionary.encode('NTP');
  const overflow = dictionary.encode('TLS');
  assert.equal(dictionary.decode(overflow), dictionaryOverflowText);
  assert.equal(dictionary.encode('HTTP'), overflow);
  assert.equal(dictionary.overflowCount, 2);
  assert.equal(dictionary.size, 4);
  assert.equal(dictionary.decode(99), '');
});
