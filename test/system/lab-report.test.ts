/**
 * The report in a real browser: on a desk and on a phone, light and dark, it fits its screen, fetches nothing, obeys
 * its own policy and is dark when it should be; saved figures are XML that stands alone; and it prints.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Browser, findChromium } from '../support/chromium.ts';
import { runNatlens } from '../support/natlens-process.ts';
import { makeReportSample } from '../support/report-sample.ts';

const program = findChromium();
const skip = program === undefined ? 'chromium is not installed' : false;
let folder = '';
let browser: Browser | undefined;

before(async () => {
  if (program === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-pages-'));
  writeFileSync(join(folder, 'report.json'), JSON.stringify(makeReportSample()));
  const run = runNatlens(['lab', 'report', folder, '--pdf', 'report.pdf'], { cwd: folder });
  assert.equal(run.status, 0, run.stderr);
  mkdirSync(join(folder, 'profile'));
  browser = await Browser.open(program, join(folder, 'profile'));
});
after(async () => {
  await browser?.close();
  if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

const screens = [1280, 390].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, height: 900, colorScheme })));

/** Elements that reach past the screen although nothing around them scrolls. */
const findOverflowing =
  `[...document.querySelectorAll('body *')].filter((element) => !element.closest('.scroll, .skip'))
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.tagName + ' ' + element.textContent.slice(0, 40)).slice(0, 5)`;

/** Texts of drawings that are cut off at the edge of their own panel. */
const findCut = `[...document.querySelectorAll('figure svg')].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1 || own.top < box.top - 1;
  }).map((text) => text.textContent);
})`;

for (const screen of screens) {
  test(`it fits ${screen.width} pixels, ${screen.colorScheme}`, { skip }, async () => {
    assert.ok(browser !== undefined);
    await browser.show(pathToFileURL(join(folder, 'report.html')).href, screen);
    assert.equal(await browser.evaluate('document.documentElement.scrollWidth'), screen.width);
    assert.deepEqual(await browser.evaluate(findOverflowing), []);
    assert.deepEqual(await browser.evaluate(findCut), []);
    const paper = await browser.evaluate('getComputedStyle(document.body).backgroundColor');
    assert.equal(paper, screen.colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 27)');
    // A sheet that the policy refused would leave the browser's own font.
    assert.match(String(await browser.evaluate('getComputedStyle(document.body).fontFamily')), /system-ui/);
    // No drawing is shrunk until its letters cannot be read.
    assert.equal(await browser.evaluate(`[...document.querySelectorAll('figure svg')].filter((svg) =>
      svg.getBoundingClientRect().width < 0.9 * svg.viewBox.baseVal.width).length`), 0);
    const picture = await browser.capture();
    assert.equal(picture.subarray(1, 4).toString(), 'PNG');
    assert.ok(picture.length > 100_000, `${picture.length} bytes`);
  });
}

test('nothing is fetched but the page itself, and the policy refuses nothing of it', { skip }, () => {
  assert.ok(browser !== undefined);
  const own = pathToFileURL(join(folder, 'report.html')).href;
  assert.deepEqual([...new Set(browser.requested)].filter((url) => url !== own), []);
  assert.deepEqual(browser.complaints, []);
});

test('saved figures are XML that a browser draws', { skip }, async () => {
  assert.ok(browser !== undefined);
  const parsed = await browser.evaluate(`[...document.querySelectorAll('a[download]')].map((link) => {
    const bytes = Uint8Array.from(atob(link.href.split(',')[1]), (letter) => letter.charCodeAt(0));
    const parsed = new DOMParser().parseFromString(new TextDecoder().decode(bytes), 'image/svg+xml');
    return parsed.querySelector('parsererror') === null && parsed.documentElement.tagName;
  })`);
  assert.deepEqual(parsed, Array.from({ length: 9 }, () => 'svg'));
});

test('--pdf prints pages', { skip }, () => {
  const pdf = readFileSync(join(folder, 'report.pdf'));
  assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
  const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  assert.ok(pages >= 8 && pages <= 40, `${pages} pages`);
});
