/** Addresses and prefixes as text: known forms, and round trips over all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, formatMac, isInPrefix, parseAddress, parseMac, parsePrefix, type Prefix } from './bytes.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });

test('addresses are written as RFC 5952 and dotted quads say', () => {
  for (const text of ['0.0.0.0', '192.0.2.7', '255.255.255.255', '::', '::1', '2001:db8::1', 'fe80::1:2:3:4',
    '2001:db8:0:1:1:1:1:1']) {
    assert.equal(formatAddress(Uint32Array.from(parseAddress(text) ?? []), 0), text);
  }
});

test('what is no address is none', () => {
  for (const text of ['', '1.2.3', '1.2.3.256', '01.2.3.4.5', '1.2.3.4/8', ':::', '2001:db8::g', 'localhost', '1',
    '0x7f.1.1.1']) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test('property: every address survives text', () => {
  fc.assert(fc.property(fc.tuple(word, word, word, word), (words) => {
    const text = formatAddress(Uint32Array.from(words), 0);
    assert.deepEqual(parseAddress(text), words, text);
  }));
});

test('prefixes hold what they should, at every length', () => {
  const inside = (address: string, prefix: string): boolean =>
    isInPrefix(Uint32Array.from(parseAddress(address) ?? []), 0, parsePrefix(prefix) as Prefix);
  assert.ok(inside('192.168.255.1', '192.168.0.0/16'));
  assert.ok(!inside('192.169.0.1', '192.168.0.0/16'));
  assert.ok(inside('10.1.2.3', '0.0.0.0/0'));
  assert.ok(!inside('2001:db8::1', '0.0.0.0/0'));
  assert.ok(inside('192.0.2.7', '192.0.2.7'));
  assert.ok(inside('2001:db8:1::5', '2001:db8::/32'));
  assert.ok(!inside('2001:db9::5', '2001:db8::/32'));
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/8/8', 'home']) assert.equal(
    parsePrefix(text), undefined, text);
});

test('property: a link address survives text', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff }), word, (high, low) => {
    assert.deepEqual(parseMac(formatMac(Uint32Array.of(high, low), 0)), [high, low]);
  }));
  assert.equal(parseMac('02:00:00:00:00'), undefined);
  assert.deepEqual(parseMac('02-00-00-00-00-01'), [0x0200, 1]);
});
