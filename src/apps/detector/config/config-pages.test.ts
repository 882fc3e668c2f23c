/** The page and the shipped config are what the table of keys makes, and a changed table makes others. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatConfigPage, formatShippedConfig } from '../../../../docs/make-detector-config.ts';
import { rootFolder } from '../../../../test/support/source-tree.ts';
import { headOf } from '#service';
import { configKeys, configSections } from './config-keys.ts';

const read = (path: string): string => readFileSync(join(rootFolder, path), 'utf8');

test('docs/detector-config.md is what docs/make-detector-config.ts makes', () => {
  assert.equal(read('docs/detector-config.md'), formatConfigPage());
  assert.notEqual(formatConfigPage(configSections.slice(1)), formatConfigPage());
});

test('deploy/detector.toml is what docs/make-detector-config.ts makes', () => {
  const text = read('deploy/detector.toml');
  assert.equal(text, formatShippedConfig());
  assert.match(text, /^dry_run = true$/m);
});

test('both have every section and every key', () => {
  const [page, shipped] = [read('docs/detector-config.md'), read('deploy/detector.toml')];
  for (const section of configSections) {
    if (section.name === '') continue;
    assert.ok(page.includes(`\n## \`${headOf(section)}\`\n`), section.name);
    assert.ok(new RegExp(`^#?${headOf(section).replace(/[[\]]/g, '\\$&')}$`, 'm').test(shipped), section.name);
  }
  for (const { name } of configKeys) {
    assert.ok(page.includes(`| \`${name}\` |`), name);
    assert.match(shipped, new RegExp(`^#?${name} = `, 'm'), name);
  }
});
