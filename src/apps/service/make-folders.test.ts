/** Folders are made with all above them, once, and where none can be the system's word comes back at once. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolders } from './make-folders.ts';

test('a folder, those above it, and one that is there', () => {
  const top = mkdtempSync(join(tmpdir(), 'natlens-folders-'));
  try {
    const deep = join(top, 'a', 'b', 'c');
    makeFolders(deep, 0o700);
    makeFolders(deep, 0o700);
    const modes = ['a', 'a/b', 'a/b/c'].map((name) => statSync(join(top, name)).mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o700, 0o700]);
    writeFileSync(join(top, 'file'), '');
    assert.throws(() => makeFolders(join(top, 'file', 'below')), { code: 'ENOTDIR' });
    assert.throws(() => makeFolders(join(top, 'file')), { code: 'EEXIST' });
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('nothing can be made in /proc', { skip: existsSync('/proc/self') ? false : 'no /proc' }, () => {
  assert.throws(() => makeFolders('/proc/natlens/state'), { code: 'ENOENT' });
});
