/** The owner table as a file: what is written is read back, and damaged files are refused. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '#base';
import { fingerprint32 } from './owner-fingerprint.ts';
import { decodeOwnerTable, encodeOwnerTable, loadOwnerTable, ownerTablePath } from './owner-table-file.ts';
import { findOwnerIPv4, findOwnerIPv6 } from './owner-table.ts';

const small = encodeOwnerTable({
  names: ['Acme', 'Zürich'],
  date: 2026_01_31,
  ipv4: [
    { start: 0, owner: 0 }, { start: 0x08000000, owner: 1 }, { start: 0x09000000, owner: 2 },
    { start: 0xf0000000, owner: 0 },
  ],
  ipv6: [
    { high: 0, low: 0, owner: 0 }, { high: 0x20010db8, low: 0, owner: 2 },
    { high: 0x20010db8, low: 0x80000000, owner: 0 },
  ],
});

const isDamage = (thrown: unknown): boolean =>
  thrown instanceof EnvironmentError && thrown.code === 'disk' && /^The owner table .*\.$/.test(thrown.message);

test('a table comes back from its bytes', () => {
  const table = decodeOwnerTable(small);
  assert.deepEqual(table.names, ['', 'Acme', 'Zürich']);
  assert.match(table.version, /^2026-01-31\.[0-9a-f]{8}$/);
  assert.equal(table.names[findOwnerIPv4(table, 0x08080808)], 'Acme');
  assert.equal(table.names[findOwnerIPv4(table, 0x09000000)], 'Zürich');
  assert.equal(table.names[findOwnerIPv6(table, 0x20010db8, 0x7fffffff)], 'Zürich');
  assert.equal(table.names[findOwnerIPv6(table, 0x20010db8, 0x80000000)], '');
});

test('bytes that are not aligned are read as well', () => {
  const shifted = new Uint8Array(small.length + 1);
  shifted.set(small, 1);
  assert.deepEqual(decodeOwnerTable(shifted.subarray(1)).startsIPv4, decodeOwnerTable(small).startsIPv4);
});

test('a table that is cut at any byte, or has any bit changed, is refused with a sentence', () => {
  for (let length = 0; length < small.length; length++) {
    assert.throws(() => decodeOwnerTable(small.subarray(0, length)), isDamage);
  }
  assert.throws(() => decodeOwnerTable(Uint8Array.of(...small, 0)), isDamage);
  // Words 6 and 7 of the header (date, zero) decide nothing that could go wrong.
  for (let at = 0; at < small.length; at += at === 23 ? 9 : 1) {
    const changed = small.slice();
    changed[at] = (changed[at] as number) ^ 4;
    assert.throws(() => decodeOwnerTable(changed), isDamage, `byte ${at}`);
  }
});

test('a table with a right fingerprint but wrong ranges is refused', () => {
  const changed = small.slice();
  changed[32] = 1;
  new DataView(changed.buffer).setUint32(20, fingerprint32(changed.subarray(32)), true);
  const isOfRanges = (thrown: unknown): boolean => isDamage(thrown) && /begin at address 0/.test(String(thrown));
  assert.throws(() => decodeOwnerTable(changed), isOfRanges);
});

test('a file that is absent or larger than the limit is refused with a sentence', () => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-owner-'));
  try {
    const path = join(folder, 'table.bin');
    assert.throws(() => loadOwnerTable(path), isDamage);
    writeFileSync(path, small);
    assert.equal(loadOwnerTable(path, small.length).names.length, 3);
    assert.throws(() => loadOwnerTable(path, small.length - 1), isDamage);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the shipped file is well below its size limit', () => {
  assert.ok(readFileSync(ownerTablePath).length < 600_000);
});

test('the fingerprint is FNV-1a (draft-eastlake-fnv, appendix C)', () => {
  assert.equal(fingerprint32(new TextEncoder().encode('')), 0x811c9dc5);
  assert.equal(fingerprint32(new TextEncoder().encode('a')), 0xe40c292c);
  assert.equal(fingerprint32(new TextEncoder().encode('foobar')), 0xbf9cf968);
});
