/**
 * The detector's mails in a real browser: in every language, on a desk and on a phone, light and dark, they fit the
 * screen, fetch nothing, and every text stands out from what is behind it (WCAG 2.2, 1.4.3: at least 4.5 to 1).
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readMailTemplates } from '../../src/pipeline/7-action/mail/mail-templates.ts';
import { sampleView } from '../../src/pipeline/7-action/mail/mail-view.ts';
import { Browser, findChromium } from '../support/chromium.ts';

const program = findChromium();
const skip = program === undefined ? 'chromium is not installed' : false;
const templates = readMailTemplates(undefined);
let folder = '';
let browser: Browser | undefined;

before(async () => {
  if (program === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-mails-'));
  mkdirSync(join(folder, 'profile'));
  browser = await Browser.open(program, join(folder, 'profile'));
});
after(async () => {
  await browser?.close();
  if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

const screens = [1_280, 360].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, height: 900, colorScheme })));

/** Every element with a text of its own whose contrast is too small, with the contrast. */
const findFaint = `(() => {
  const channel = (value) => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('main, main *')]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ''))
    .map((element) => {
      const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return { text: element.textContent.slice(0, 40), contrast };
    })
    .filter(({ contrast }) => !(contrast >= 4.5));
})()`;

const view = {
  ...sampleView(), title: 'Donaudampfschifffahrts-Überwachungskamera DCS-933L',
  adviceUrl: `https://maker.example/${'a-very-long-path/'.repeat(8)}`,
};

for (const language of templates.languages) {
  for (const rung of ['notify', 'remind'] as const) {
    test(`${rung} in ${language} on every screen`, { skip }, async () => {
      assert.ok(browser !== undefined);
      const path = join(folder, `${rung}.${language}.html`);
      writeFileSync(path, templates.render(rung, language, view).html);
      for (const screen of screens) {
        await browser.show(pathToFileURL(path).href, screen);
        const where = `${screen.width} ${screen.colorScheme}`;
        assert.equal(await browser.evaluate('document.documentElement.scrollWidth'), screen.width, where);
        assert.deepEqual(await browser.evaluate(findFaint), [], where);
        assert.equal(await browser.evaluate('document.documentElement.lang'), language);
        const isDark = await browser.evaluate(
          `getComputedStyle(document.querySelector('main')).backgroundColor === 'rgb(26, 33, 42)'`);
        assert.equal(isDark, screen.colorScheme === 'dark', where);
      }
      // Headings in their order, rows with a heading, links whose text is where they lead.
      assert.equal(await browser.evaluate(`[...document.querySelectorAll('h1, h2')].map((one) => one.tagName).join()`),
        'H1,H2,H2,H2,H2');
      assert.equal(await browser.evaluate(
        `[...document.links].every((link) => link.getAttribute('href') === link.textContent)`), true);
    });
  }
}

test('nothing but the mails themselves was asked for', { skip }, () => {
  assert.ok(browser !== undefined);
  assert.deepEqual(browser.requested.filter((url) => !url.startsWith('file:')), []);
  assert.deepEqual(browser.complaints, []);
});
