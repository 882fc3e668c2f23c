/** The state on disk: what was saved comes back, a full disk is said, a damaged file is refused, forgotten is gone. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { Outbox } from '#action';
import { EnvironmentError, OperatorError } from '#base';
import type { Verdict } from '#verdict';
import { StateStore, stateBytes, stateFileName } from './state-store.ts';

const root = mkdtempSync(join(tmpdir(), 'natlens-state-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = (): string => join(root, String(folders++));

const verdictOf = (home: string): Verdict => ({
  home, deviceModel: 'webcam.Example.Cam_1', classifier: 'ab'.repeat(32), state: 'present', episode: 1,
  sinceMs: 7_200_000,
  firstFlowMs: 3_700_000, supportedMs: 7_200_000,
  evidence: {
    home, deviceModel: 'webcam.Example.Cam_1', classifier: 'ab'.repeat(32), windowStartMs: 3_600_000,
    windowEndMs: 7_200_000, score: 1, tokens: [{ text: 'tcp/443 198.51.100.0/24 2^11', weight: 1, buckets: 2 }],
  },
});

test('what was saved comes back after a restart, the key of pseudonyms too', () => {
  const folder = newFolder();
  const first = StateStore.open(folder);
  first.transaction(() => {
    first.saveVerdict(verdictOf('a'));
    first.saveEvidence('a', Uint8Array.of(1, 2, 3), 5);
    first.saveTime({ steadyMs: 17.5, offsetMs: -3 });
  });
  const pseudonym = first.pseudonyms.ofHome('a');
  assert.match(pseudonym, /^h-[0-9a-f]{12}$/);
  assert.notEqual(pseudonym, first.pseudonyms.ofHome('b'));
  first.close();
  const second = StateStore.open(folder);
  assert.deepEqual(second.verdicts(), [verdictOf('a')]);
  assert.deepEqual([...second.evidence()].map(({ home, evidence }) => [home, [...evidence]]), [['a', [1, 2, 3]]]);
  assert.deepEqual(second.savedTime(), { steadyMs: 17.5, offsetMs: -3 });
  assert.equal(second.pseudonyms.ofHome('a'), pseudonym);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, stateFileName)).mode & 0o777, 0o600);
  assert.ok(stateBytes(folder) > 4_096);
  second.close();
});

test('a transaction that fails leaves nothing', () => {
  const store = StateStore.open(newFolder());
  assert.throws(() => store.transaction(() => {
    store.saveVerdict(verdictOf('a'));
    throw new Error('stop');
  }), /stop/);
  assert.deepEqual(store.verdicts(), []);
  store.transaction(() => store.saveVerdict(verdictOf('b')));
  assert.equal(store.verdicts().length, 1);
  store.close();
});

test('a full disk is the environment, loses nothing that was there, and passes', () => {
  const folder = newFolder();
  StateStore.open(folder).close();
  const store = StateStore.open(folder, { pagesMax: 40 });
  store.transaction(() => store.saveVerdict(verdictOf('kept')));
  const large = new Uint8Array(1 << 20);
  assert.throws(() => store.transaction(() => store.saveEvidence('large', large, 0)),
    (thrown: unknown) => thrown instanceof EnvironmentError && thrown.code === 'disk');
  assert.deepEqual(store.verdicts().map(({ home }) => home), ['kept']);
  assert.deepEqual([...store.evidence()], []);
  store.transaction(() => store.saveEvidence('small', Uint8Array.of(1), 0));
  assert.equal([...store.evidence()].length, 1);
  store.close();
});

test('a verdict that cannot be read is left out and counted', () => {
  const store = StateStore.open(newFolder());
  store.saveVerdict(verdictOf('a'));
  store.saveVerdict(verdictOf('b'));
  store.db.prepare("UPDATE state_verdicts SET verdict = '{}' WHERE home = 'a'").run();
  assert.deepEqual(store.verdicts().map(({ home }) => home), ['b']);
  assert.equal(store.damagedRows, 1);
  store.close();
});

test('a damaged file and a newer one are refused', () => {
  const damaged = newFolder();
  StateStore.open(damaged).close();
  writeFileSync(join(damaged, stateFileName), 'this is no database, and long enough to be one'.repeat(100));
  assert.throws(() => StateStore.open(damaged),
    (thrown: unknown) => thrown instanceof EnvironmentError && /move it away/.test(thrown.message));
  const newer = newFolder();
  const store = StateStore.open(newer);
  store.db.exec('PRAGMA user_version = 99');
  store.close();
  assert.throws(() => StateStore.open(newer),
    (thrown: unknown) => thrown instanceof OperatorError && /version 99/.test(thrown.message));
});

test('of a forgotten home no byte is left in the folder', () => {
  const folder = newFolder();
  const store = StateStore.open(folder);
  const home = 'household-4711';
  for (let i = 0; i < 20; i++) {
    store.transaction(() => {
      store.saveVerdict(verdictOf(i === 7 ? home : `other-${i}`));
      store.saveEvidence(i === 7 ? home : `other-${i}`, new TextEncoder().encode(`tokens of ${i === 7 ? home : i}`), i);
    });
  }
  const holdsHome = (): boolean => readdirSync(folder)
    .some((name) => readFileSync(join(folder, name)).includes(home));
  assert.ok(holdsHome());
  store.transaction(() => store.forget(home));
  assert.ok(store.rewrite());
  assert.ok(!holdsHome());
  assert.equal(store.verdicts().length, 19);
  store.close();
});

test('deleted rows leave remains in pages that rows were moved from, until the file is written anew', () => {
  const folder = newFolder();
  const store = StateStore.open(folder);
  const outbox = new Outbox(store.db);
  for (let i = 0; i < 400; i++) {
    outbox.optOut(i % 3 === 0 ? 'another' : 'household-4711', `model-${i}-${'x'.repeat((i * 7_919) % 150)}`, true, i);
  }
  outbox.forget('household-4711', 1_000);
  store.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  const hasRemains = (): boolean => readFileSync(join(folder, stateFileName)).includes('household-4711');
  assert.ok(hasRemains(), 'secure_delete does without');
  assert.ok(store.rewrite());
  assert.ok(!hasRemains());
  assert.equal(outbox.optOuts().length, 134);
  store.close();
});

test('somebody who reads the state keeps it from being written anew, and that is said', () => {
  const folder = newFolder();
  const store = StateStore.open(folder);
  store.db.exec('PRAGMA busy_timeout = 50');
  store.saveEvidence('a', Uint8Array.of(1), 0);
  const reader = new DatabaseSync(join(folder, stateFileName));
  reader.exec('BEGIN');
  reader.prepare('SELECT * FROM state_homes').all();
  store.saveEvidence('a', Uint8Array.of(2), 0);
  assert.equal(store.rewrite(), false);
  reader.exec('COMMIT');
  reader.close();
  assert.equal(store.rewrite(), true);
  store.close();
});
