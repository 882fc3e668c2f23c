/**
 * docs/privacy.md is true: it has every table of a real state and no other, every retention as the config has it, the
 * pseudonyms as they are made, and every way out that the config knows.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '#base';
import { Outbox } from '#action';
import { configKeys } from '../src/apps/detector/config/config-keys.ts';
import { listEgress, type EgressKind } from '../src/apps/detector/config/egress.ts';
import { readConfig } from '../src/apps/detector/config/read-config.ts';
import { StateStore } from '../src/apps/detector/state-store.ts';
import { layOutDetector } from './support/detector-world.ts';
import { readEgressRows } from './support/egress-account.ts';
import { rootFolder } from './support/source-tree.ts';

const page = readFileSync(join(rootFolder, 'docs', 'privacy.md'), 'utf8');

/** Rows of the table below a heading, as cells. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) => line.slice(1, -1).split(' | ').map((cell) => cell.trim()));
}

test('the page has every table of the state and no other', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-privacy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const state = join(folder, 'state');
  const store = StateStore.open(state);
  const outbox = new Outbox(store.db);
  outbox.optOut('a home', undefined, true, 0);
  const tables = store.db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
    .map(({ name }) => `\`${String(name)}\``);
  assert.deepEqual(rowsBelow('What is kept in the state').map(([name]) => name).sort(), tables.sort());
  assert.equal(statSync(state).mode & 0o777, 0o700);
  assert.equal(statSync(join(state, 'detector.sqlite')).mode & 0o777, 0o600);
  for (const name of readdirSync(state)) {
    assert.ok(page.includes(`\`${name.replace('detector.sqlite-', '-')}\``), `${name} is not on the page`);
  }
  // Rows that go are overwritten, and what SQLite puts beside them is in the folder.
  assert.deepEqual({ ...store.db.prepare('PRAGMA secure_delete').get() }, { secure_delete: 1 });
  assert.equal(process.env.SQLITE_TMPDIR, state);
  store.close();
});

test('keys that the page names are in the config, with the defaults that it says', () => {
  const known = new Map(configKeys.map((key) => [`${key.section}.${key.name}` as string, key]));
  const sections = new Set([...known.keys()].map((path) => path.split('.')[0]));
  const named = [...page.matchAll(/`([a-z_]+\.[a-z_]+)`(?: \((\d+) d\))?/g)]
    .filter(([, path = '']) => sections.has(path.split('.')[0]) && !path.endsWith('.sock'));
  assert.ok(named.length > 10);
  for (const [, path = '', days] of named) {
    const key = known.get(path);
    assert.ok(key !== undefined, `there is no key ${path}`);
    if (days !== undefined) assert.equal(key.byDefault, Number(days) * 86_400_000, path);
  }
  for (const path of [...known.keys()].filter((key) => key.startsWith('retention.'))) {
    assert.ok(page.includes(`\`${path}\``), `${path} is not on the page`);
  }
});

test('limits are as the page says', () => {
  assert.ok(page.includes(`${limits.indicatorMemoryEntries.toLocaleString('en')} at most`));
  assert.ok(page.includes(`${limits.outboxAuditRowsMax.toLocaleString('en')} rows at most`));
});

test('every way out that --check shows has a row, and words of rows are explained', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-privacy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = await readConfig(layOutDetector(folder));
  const rowOf: Readonly<Record<EgressKind, readonly string[]>> = {
    mail: ['smtp'], webhook: ['webhook', 'named-receiver'], syslog: ['syslog', 'named-receiver'], metrics: ['metrics'],
    program: ['verify-command', 'nft', 'arguments'],
  };
  const rows = readEgressRows(page);
  const ids = rows.map(({ id }) => id);
  for (const row of Object.values(rowOf).flat()) assert.ok(ids.includes(row), row);
  // What a config without receivers has none of.
  assert.deepEqual(listEgress(config), []);
  assert.equal(new Set(ids).size, ids.length);
  const explained = new Set([...page.matchAll(/^\| `([a-z]+)` \| [^|]+\|$/gm)].map(([, word]) => word));
  const used = new Set(rows.flatMap(({ mayHold }) => [...mayHold]));
  assert.deepEqual([...used].sort(), [...explained].sort());
});
