/**
 * The page of `natlens lab compare` in a real browser: it fits a desk and a phone, light and dark, obeys its own policy
 * and fetches nothing; what is wider than the screen scrolls in a box of its own; and its link leads to the graph.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { listShades } from '../../src/lab/report/compare-style.ts';
import { renderCompare, renderCompareGraph } from '../../src/lab/report/render-compare.ts';
import { Browser, findChromium } from '../support/chromium.ts';
import { makeCompareSample } from '../support/compare-sample.ts';

const program = findChromium();
const skip = program === undefined ? 'chromium is not installed' : false;
let folder = '';
let opened: Browser | undefined;

before(async () => {
  if (program === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-compare-'));
  writeFileSync(join(folder, 'report.html'), renderCompare(makeCompareSample()));
  writeFileSync(join(folder, 'graph.html'), renderCompareGraph(makeCompareSample()));
  mkdirSync(join(folder, 'profile'));
  opened = await Browser.open(program, join(folder, 'profile'));
});
after(async () => {
  await opened?.close();
  if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

const urlOf = (file: string): string => pathToFileURL(join(folder, file)).href;
/** What reaches past the screen and is in no box that scrolls. */
const outside = `[...document.querySelectorAll('main *, header *')].filter((item) =>
  item.getBoundingClientRect().right > innerWidth + 1 && item.closest('.scroll, .legend, .skip') === null)
  .map(({ outerHTML }) => outerHTML.slice(0, 80))`;

for (const [width, colorScheme] of [[1280, 'light'], [1280, 'dark'], [400, 'light'], [400, 'dark']] as const) {
  test(`it fits ${width} pixels, ${colorScheme}`, { skip }, async () => {
    const browser = opened as Browser;
    await browser.show(urlOf('report.html'), { width, height: 900, colorScheme });
    assert.equal(await browser.evaluate('document.documentElement.scrollWidth'), width);
    assert.deepEqual(await browser.evaluate(outside), []);
    assert.equal(await browser.evaluate('getComputedStyle(document.body).backgroundColor'),
      colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 27)');
    // The darkest shade of the scheme, not the other's.
    const darkest = listShades(colorScheme).at(-1) ?? '';
    const parts = [1, 3, 5].map((at) => Number.parseInt(darkest.slice(at, at + 2), 16));
    assert.equal(await browser.evaluate('getComputedStyle(document.querySelector(".shades .h10")).backgroundColor'),
      `rgb(${parts.join(', ')})`);
    if (width > 1000) {
      assert.equal(await browser.evaluate(`(() => { const box = document.querySelector('.methods .scroll');
        return box.scrollWidth > box.clientWidth; })()`), false, 'a desk shows the table of methods whole');
    }
    assert.deepEqual(browser.complaints, []);
  });
}

test('its link leads to the graph, and nothing else is fetched', { skip }, async () => {
  const browser = opened as Browser;
  await browser.show(urlOf('report.html'), { width: 1280, height: 900, colorScheme: 'light' });
  const link = await browser.evaluate('document.querySelector(\'a[href="graph.html"]\').href') as string;
  await browser.show(link, { width: 1280, height: 900, colorScheme: 'light' });
  assert.equal(await browser.evaluate('document.querySelectorAll("#graph-view [data-sign=worst]").length'), 1);
  assert.deepEqual(browser.complaints, []);
  assert.deepEqual(new Set(browser.requested), new Set([urlOf('report.html'), urlOf('graph.html')]));
});
