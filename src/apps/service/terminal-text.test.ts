/** What is printed steers no terminal, and JSON stays the same value. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forTerminal, jsonForTerminal } from './terminal-text.ts';

const hostile = 'a\u001b[2J\u009b1mb\u0007\rc\u202ed\u2028e\nf ü 😀';

test('no control gets to a terminal but line ends', () => {
  assert.equal(forTerminal(hostile), 'a\ufffd[2J\ufffd1mb\ufffd\ufffdc\ufffdd\ufffde\nf ü 😀');
});

test('JSON is the same value, in plain characters', () => {
  const value = { [hostile]: [hostile, 1, null] };
  const text = jsonForTerminal(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.equal(forTerminal(text), text);
});
