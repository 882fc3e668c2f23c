/** The table of exact tuples: what a map of texts says, over numbers that share their lower words, too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ExactTable, notFound } from './exact-table.ts';

const arbitraryNumber = fc.constantFrom(-1, 0, 1, 2, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 53);
const arbitraryTuple = fc.tuple(arbitraryNumber, arbitraryNumber, arbitraryNumber);

test('tuples have the index of their first coming, and others none', () => {
  fc.assert(fc.property(fc.array(arbitraryTuple, { maxLength: 60, size: 'max' }), fc.array(arbitraryTuple),
    (tuples, asked) => {
      const table = new ExactTable(tuples.length);
      const expected = new Map<string, number>();
      for (const tuple of tuples) {
        if (!expected.has(String(tuple))) expected.set(String(tuple), expected.size);
        assert.equal(table.intern(...tuple), expected.get(String(tuple)));
      }
      assert.equal(table.count, expected.size);
      for (const tuple of [...tuples, ...asked]) {
        assert.equal(table.find(...tuple), expected.get(String(tuple)) ?? notFound);
      }
    }));
});
