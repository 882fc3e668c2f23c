/** The page and the shipped config are what the table of keys makes, and the shipped one is a sound config. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatCollectorPage, formatShippedCollector } from '../../../../docs/make-collector-config.ts';
import { rootFolder } from '../../../../test/support/source-tree.ts';
import { configKeys, configSections } from './config-keys.ts';
import { parseConfig } from './read-config.ts';

const readPage = (path: string): string => readFileSync(join(rootFolder, path), 'utf8');

test('docs/collector-config.md is what docs/make-collector-config.ts makes', () => {
  const page = readPage('docs/collector-config.md');
  assert.equal(page, formatCollectorPage());
  assert.notEqual(formatCollectorPage(configSections.slice(1)), page);
  for (const { name } of configKeys) assert.ok(page.includes(`| \`${name}\` |`), name);
});

test('deploy/collector.toml is what docs/make-collector-config.ts makes, and sound, with its comments too', () => {
  const text = readPage('deploy/collector.toml');
  assert.equal(text, formatShippedCollector());
  const config = parseConfig(text, { folder: '/' });
  assert.equal(config.output?.folder, '/var/lib/natlens-collector/flows');
  // Every key at its example, but for two that ask for what the others do not have.
  const all = text.replace(/^#(?=[a-z[])/gm, '').replace(/^listen = .*2055.*$/m,
    'listen = ["udp://0.0.0.0:2055", "tls://0.0.0.0:4740"]').replace(/^pair = false$/m, 'pair = true');
  const { given } = parseConfig(all, { folder: '/' });
  for (const { section, name } of configKeys) {
    const path = section === '' ? name : `${section}.${name}`;
    assert.ok(given.has(path), path);
  }
});
