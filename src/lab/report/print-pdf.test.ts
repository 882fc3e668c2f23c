/** Which program is found to print with, and what is said when there is none or it fails. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { EnvironmentError } from '#base';
import { findChromium, printPdf } from './print-pdf.ts';

let folder = '';
const { PATH: pathBefore, TMPDIR: temporaryBefore } = process.env;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-browser-'));
});
afterEach(() => {
  process.env['PATH'] = pathBefore;
  if (temporaryBefore === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = temporaryBefore;
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with a program that stands for the browser. */
function plant(name: string, browser: string, script: string): string {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, browser), `#!/bin/sh\n${script}\n`);
  chmodSync(join(place, browser), 0o755);
  return place;
}

test('chromium goes before others, wherever they stand in PATH; what cannot be run does not count', () => {
  const [other, right] = [plant('other', 'google-chrome', ''), plant('right', 'chromium', '')];
  const locked = plant('locked', 'chromium', '');
  chmodSync(join(locked, 'chromium'), 0o644);
  mkdirSync(join(folder, 'folders', 'chromium'), { recursive: true });
  const search = (...names: string[]): string | undefined => findChromium(names.join(delimiter));
  assert.equal(search(other, locked, join(folder, 'folders'), right), join(right, 'chromium'));
  assert.equal(search(other), join(other, 'google-chrome'));
  assert.equal(search(locked, join(folder, 'folders'), '', join(folder, 'gone')), undefined);
});

test('the failures are the environment\'s, told in one sentence, and leave nothing', async () => {
  const cases = [
    [folder, /needs Chromium/, 'browser-absent'],
    [plant('broken', 'chromium', 'echo first >&2; echo no display >&2; exit 1'), /no display/, 'browser-failed'],
    [plant('silent', 'chromium', 'exit 3'), /exit code 3|did not print/, 'browser-failed'],
    [plant('lazy', 'chromium', 'exit 0'), /printed nothing/, 'browser-failed'],
  ] as const;
  process.env['TMPDIR'] = join(folder, 'temporary');
  mkdirSync(process.env['TMPDIR']);
  for (const [path, text, code] of cases) {
    process.env['PATH'] = path;
    await assert.rejects(printPdf('<!doctype html>'), (thrown) => {
      assert.ok(thrown instanceof EnvironmentError, String(thrown));
      assert.equal(thrown.code, code);
      assert.match(thrown.message, text);
      return true;
    });
  }
  assert.deepEqual(readdirSync(join(folder, 'temporary')), []);
});

test('the browser gets a page of ours, and what it prints comes back', async () => {
  const script = 'for last; do :; done; for a; do case "$a" in --print-to-pdf=*) out="${a#*=}";; esac; done; ' +
    '/bin/cat "${last#file://}" > "$out"';
  process.env['PATH'] = plant('copier', 'chromium', script);
  const page = '<!doctype html><title>x</title>';
  assert.equal(Buffer.from(await printPdf(page)).toString(), page);
  assert.ok(existsSync(folder));
});
