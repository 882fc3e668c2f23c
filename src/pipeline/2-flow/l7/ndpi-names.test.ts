/** How verdicts are written, and old names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalizeName } from './exporter-namer.ts';
import { formatVerdict } from './ndpi-names.ts';

const names = ['Unknown', 'FTP', 'TLS', 'Amazon'];

test('a verdict is written as ndpiReader writes it', () => {
  const write = (master: number, application: number): string =>
    formatVerdict((master | (application << 16)) >>> 0, names);
  assert.equal(write(0, 0), 'Unknown');
  assert.equal(write(0, 3), 'Amazon');
  assert.equal(write(2, 0), 'TLS');
  assert.equal(write(2, 2), 'TLS');
  assert.equal(write(2, 3), 'TLS.Amazon');
  assert.equal(write(2, 0xffff), 'TLS.65535');
});

test('names of older versions become those of now', () => {
  assert.equal(canonicalizeName('SSL.Amazon'), 'TLS.Amazon');
  assert.equal(canonicalizeName('SSL'), 'TLS');
  assert.equal(canonicalizeName('SSL_No_Cert'), 'TLS');
  for (const name of ['', 'TLS.Amazon', 'DNS', 'SSLVPN', 'HTTP.SSL', 'Z39.50']) {
    assert.equal(canonicalizeName(name), name);
  }
});
