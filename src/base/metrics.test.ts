/** Counts by name: they add up, merge and print sorted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counts } from './metrics.ts';

test('counts add, merge and print in the order of their names', () => {
  const counts = new Counts();
  counts.add('b');
  counts.add('a', 3);
  counts.add('none', 0);
  const other = new Counts();
  other.add('b', 2);
  counts.merge(other);
  assert.equal(counts.get('b'), 3);
  assert.equal(counts.get('unheard'), 0);
  assert.equal(counts.total(), 6);
  assert.equal(JSON.stringify(counts), '{"a":3,"b":3}');
});
