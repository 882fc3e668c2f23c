/** The state on disk: whole or the old one, whatever happens; bytes that are not ours are refused and kept. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { EnvironmentError } from '#base';
import { decodeState, encodeState, StateFile, stateFileName, type SavedState } from './state-file.ts';

const sample: SavedState = {
  savedMs: 1_700_000_000_000, isEnded: false, openFile: 'flows-20231114T221000Z.parquet',
  accounts: [{ exporter: '192.0.2.1', domain: 3, rows: 6, stored: 3, open: 2, notStored: 1 }], pairingRecords: 4,
  decoder: Uint8Array.of(1, 2, 3, 0, 255),
};

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-state-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const plain = (state: SavedState | string | undefined): unknown =>
  typeof state === 'object' ? { ...state, decoder: [...state.decoder] } : state;

test('what is saved is loaded, and nothing else is left in the folder', (t) => {
  const folder = join(makeFolder(t), 'made', 'here');
  const file = new StateFile(folder);
  assert.equal(file.load(), undefined);
  assert.ok(file.save(sample));
  assert.deepEqual(plain(new StateFile(folder).load()), plain(sample));
  assert.ok(file.save({ ...sample, openFile: undefined, isEnded: true }));
  assert.deepEqual(plain(new StateFile(folder).load()), plain({ ...sample, isEnded: true, openFile: undefined }));
  assert.deepEqual(readdirSync(folder), [stateFileName]);
});

test('changed, cut and foreign bytes are refused with a reason, and kept', (t) => {
  const bytes = encodeState(sample);
  fc.assert(fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] as number) ^ by;
    assert.equal(typeof decodeState(changed), 'string');
    assert.equal(typeof decodeState(bytes.subarray(0, at)), 'string');
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (other) => {
    assert.equal(typeof decodeState(other), 'string');
  }));
  const folder = makeFolder(t);
  writeFileSync(join(folder, stateFileName), bytes.subarray(0, 60));
  assert.match(String(new StateFile(folder).load()), /because it is damaged; it is kept as .*collector\.state\.refused/);
  assert.deepEqual(readdirSync(folder), [`${stateFileName}.refused`]);
});

test('a state whose digest fits but whose content makes no sense is refused', () => {
  const wrong: readonly Partial<Record<keyof SavedState, unknown>>[] = [
    { savedMs: 'now' }, { openFile: '../../etc/passwd' }, { accounts: [{ exporter: 'x y' }] }, { pairingRecords: -1 },
    { accounts: [{ exporter: '192.0.2.1', domain: 0, rows: 1, stored: 0.5, open: 0, notStored: 0 }] },
  ];
  for (const more of wrong) {
    assert.equal(decodeState(encodeState({ ...sample, ...more } as SavedState)), 'what is in it makes no sense');
  }
});

test('where the state cannot be written the old one stays, and it says why', (t) => {
  const folder = makeFolder(t);
  const file = new StateFile(folder, 1_000);
  assert.ok(file.save(sample));
  assert.equal(file.save({ ...sample, decoder: new Uint8Array(2_000) }), false);
  assert.match(file.fault ?? '', /it would have \d+ bytes/);
  // A folder in the way of the new file, as a full disk would be: nothing can be opened.
  mkdirSync(join(folder, `${stateFileName}.new`));
  assert.equal(file.save(sample), false);
  assert.match(file.fault ?? '', /EISDIR/);
  rmSync(join(folder, `${stateFileName}.new`), { recursive: true });
  const before = readFileSync(join(folder, stateFileName));
  assert.deepEqual(plain(file.load()), plain(sample));
  assert.ok(file.save({ ...sample, savedMs: 1 }));
  assert.equal(file.fault, undefined);
  assert.notDeepEqual(readFileSync(join(folder, stateFileName)), before);
});

test('a larger file than a state may be is refused; a folder that cannot be made is told', (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, stateFileName), new Uint8Array(2_000));
  assert.match(String(new StateFile(folder, 1_000).load()), /because it has 2000 bytes, and 1000 are the most/);
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => new StateFile(join(folder, 'file', 'state')), (error) =>
    error instanceof EnvironmentError && /cannot be made: .*Make it, and give it to the user/.test(error.message));
  assert.ok(existsSync(join(folder, 'file')));
});
