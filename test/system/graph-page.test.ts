/**
 * The graph's page in a real browser: it fits a desk and a phone, light and dark, obeys its own policy and fetches
 * nothing; texts can be read; and it zooms, moves, finds and shows neighbours by pointer and by keyboard.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { linkGraph } from '../../src/lab/report/graph-data.ts';
import { renderGraph } from '../../src/lab/report/render-graph.ts';
import { Browser, findChromium } from '../support/chromium.ts';
import { makeGraphSample } from '../support/graph-sample.ts';

const program = findChromium();
const skip = program === undefined ? 'chromium is not installed' : false;
const graph = linkGraph(makeGraphSample());
let folder = '';
let opened: Browser | undefined;

before(async () => {
  if (program === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'natlens-graph-'));
  writeFileSync(join(folder, 'graph.html'), renderGraph(makeGraphSample()));
  mkdirSync(join(folder, 'profile'));
  opened = await Browser.open(program, join(folder, 'profile'));
});
after(async () => {
  await opened?.close();
  if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

let loads = 0;
/** The page anew, without motion, so that what is asked of it is there at once. */
async function showPage(width = 1360, colorScheme: 'light' | 'dark' = 'light', hash = ''): Promise<Browser> {
  assert.ok(opened !== undefined);
  const url = `${pathToFileURL(join(folder, 'graph.html')).href}?${++loads}${hash}`;
  await opened.show(url, { width, height: 900, colorScheme });
  await opened.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: colorScheme },
    { name: 'prefers-reduced-motion', value: 'reduce' }] });
  return opened;
}

const ask = async <T>(browser: Browser, expression: string): Promise<T> => await browser.evaluate(expression) as T;
const nearIds = '[...document.querySelectorAll(".node.near")].map(({ id }) => id).sort()';
const zoomNow = 'Number(document.getElementById("graph-view").style.getPropertyValue("--zoom"))';
const viewBox = 'document.getElementById("graph-view").getAttribute("viewBox").split(" ").map(Number)';
const press = (key: string): string => `document.getElementById("graph-view").dispatchEvent(
  new KeyboardEvent("keydown", { key: ${JSON.stringify(key)}, bubbles: true, cancelable: true }))`;
/** Texts of a drawing that are shown, and what of them reaches past it. */
const shownTexts = `[...document.querySelectorAll('#graph-view text')]
  .filter((text) => getComputedStyle(text).display !== 'none')`;
const cutTexts = `(() => { const box = document.getElementById('graph-view').getBoundingClientRect();
  return ${shownTexts}.filter((text) => { const own = text.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 || own.bottom > box.bottom + 1;
  }).map((text) => text.textContent); })()`;

for (const [width, colorScheme] of [[1360, 'light'], [1360, 'dark'], [390, 'light'], [390, 'dark']] as const) {
  test(`it fits ${width} pixels, ${colorScheme}`, { skip }, async () => {
    const browser = await showPage(width, colorScheme);
    assert.equal(await ask(browser, 'document.documentElement.scrollWidth'), width);
    assert.deepEqual(await ask(browser, cutTexts), []);
    assert.equal(await ask(browser, 'getComputedStyle(document.body).backgroundColor'),
      colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 27)');
    assert.equal(await ask(browser, `${shownTexts}.length`), width < 600 ? 0 : graph.models.length);
    assert.deepEqual(browser.complaints, []);
    assert.ok(browser.requested.every((url) => url.startsWith('file:') && url.includes('graph.html')));
  });
}

test('what is written can be read: at every zoom at least 8 pixels high', { skip }, async () => {
  const browser = await showPage();
  const sizes: number[] = [];
  for (let i = 0; i < 12; i++) {
    const size = await ask<number>(browser, `Math.min(...${shownTexts}.slice(0, 1000).map((text) =>
      parseFloat(getComputedStyle(text).fontSize))) * ${zoomNow}`);
    assert.ok(size >= 8, `${size} pixels at ${await ask<number>(browser, zoomNow)}`);
    sizes.push(await ask<number>(browser, `${shownTexts}.length`));
    await browser.evaluate(press('+'));
  }
  assert.equal(sizes.at(-1), graph.models.length + graph.names.length);
});

test('the wheel zooms at the pointer; keys and buttons zoom, move and come back', { skip }, async () => {
  const browser = await showPage();
  const [start, box] = [await ask<number>(browser, zoomNow), await ask<number[]>(browser, viewBox)];
  const point = `(() => { const m = document.getElementById('graph-view').getScreenCTM().inverse();
    return [m.a * 400 + m.e, m.d * 500 + m.f]; })()`;
  const under = await ask<number[]>(browser, point);
  await browser.evaluate(`document.getElementById('graph-view').dispatchEvent(new WheelEvent('wheel',
    { deltaY: -120, clientX: 400, clientY: 500, bubbles: true, cancelable: true }))`);
  assert.ok(await ask<number>(browser, zoomNow) > 1.2 * start);
  const still = await ask<number[]>(browser, point);
  assert.ok(Math.hypot((still[0] ?? 0) - (under[0] ?? 0), (still[1] ?? 0) - (under[1] ?? 0)) < 2 / start,
    `${under.join(' ')} became ${still.join(' ')}`);
  const earlier = await ask<number[]>(browser, viewBox);
  await browser.evaluate(press('ArrowRight'));
  assert.ok((await ask<number[]>(browser, viewBox))[0] as number > (earlier[0] as number));
  await browser.evaluate(press('0'));
  assert.deepEqual(await ask(browser, viewBox), box);
  await browser.evaluate('document.getElementById("graph-in").click()');
  assert.ok(await ask<number>(browser, zoomNow) > 1.5 * start);
  for (let i = 0; i < 40; i++) await browser.evaluate('document.getElementById("graph-out").click()');
  assert.ok(await ask<number>(browser, zoomNow) > 0.2);
});

test('a click shows the neighbours and fades the rest; Escape lets go; pulling is no click', { skip }, async () => {
  const browser = await showPage();
  await browser.evaluate('document.getElementById("graph-view").scrollIntoView()');
  const model = 7;
  const [x, y] = await ask<[number, number]>(browser, `(() => { const { x, y, width, height } =
    document.querySelector('#m${model} circle').getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`);
  const mouse = (type: string, at = x): Promise<unknown> => (opened as Browser).send('Input.dispatchMouseEvent',
    { type, x: at, y, button: 'left', clickCount: 1 });
  await mouse('mousePressed');
  await mouse('mouseMoved', x + 30);
  await mouse('mouseReleased', x + 30);
  assert.deepEqual(await ask(browser, nearIds), []);
  await browser.evaluate('document.getElementById("graph-all").click()');
  await mouse('mousePressed');
  await mouse('mouseReleased');
  const { name, names } = graph.models[model] as typeof graph.models[number];
  assert.deepEqual(await ask(browser, nearIds), [`m${model}`, ...names.map((i) => `n${i}`)].sort());
  assert.equal(await ask(browser, 'document.querySelectorAll(".edge.near").length'), names.length);
  assert.equal(await ask(browser, 'document.querySelector("#graph-panel h3").textContent'), name);
  assert.equal(await ask(browser, 'document.querySelectorAll("#graph-panel li").length'), names.length);
  assert.equal(await ask(browser, `Number(getComputedStyle(document.getElementById("m${model + 1}")).opacity) < .2 &&
    getComputedStyle(document.getElementById("m${model}")).opacity === "1"`), true);
  await browser.evaluate(press('Escape'));
  assert.deepEqual(await ask(browser, nearIds), []);
});

test('search marks what it finds, Enter goes there, and an address leads to a name', { skip }, async () => {
  const browser = await showPage();
  const type = (text: string): string => `(() => { const search = document.getElementById('graph-search');
    search.value = ${JSON.stringify(text)}; search.dispatchEvent(new Event('input')); })()`;
  await browser.evaluate(type('NORDLYS.IPC'));
  const hits = graph.models.flatMap(({ name }, i) => name.includes('Nordlys.IPC') ? [`m${i}`] : []).sort();
  assert.ok(hits.length > 1);
  assert.deepEqual(await ask(browser, nearIds), hits);
  assert.equal(await ask(browser, 'document.getElementById("graph-status").textContent'), `${hits.length} found`);
  const at = graph.names.findIndex(({ mark }) => mark === 'unique');
  await browser.evaluate(type(graph.names[at]?.name ?? ''));
  await browser.evaluate(`document.getElementById('graph-search').dispatchEvent(
    new KeyboardEvent('keydown', { key: 'Enter' }))`);
  assert.deepEqual(await ask(browser, nearIds), [`m${graph.names[at]?.models[0]}`, `n${at}`].sort());
  assert.equal(await ask(browser, 'location.hash'), `#n${at}`);
  await browser.evaluate(type('no such name'));
  assert.equal(await ask(browser, 'document.getElementById("graph-status").textContent'), '0 found');
  const other = await showPage(1360, 'light', '#n3');
  assert.equal(await ask(other, 'document.querySelector(".node.at").id'), 'n3');
});

test('a box of the legend takes its names and their edges away', { skip }, async () => {
  const browser = await showPage();
  await browser.evaluate('document.querySelector("[value=third-party]").click()');
  const shown = (mark: string): Promise<number> => ask(browser, `[...document.querySelectorAll(
    '#graph-view [data-mark=${mark}]')].filter((item) => getComputedStyle(item).display !== 'none').length`);
  assert.equal(await shown('third-party'), 0);
  assert.ok(await shown('unique') > 0);
});

test('keys that choose stay in the list, and only the first button of a mouse chooses', { skip }, async () => {
  const browser = await showPage();
  await browser.evaluate(`(() => { const button = document.querySelector('#graph-panel li button');
    button.focus(); button.click(); })()`);
  assert.equal(await ask(browser, 'document.activeElement.id'), 'graph-panel');
  assert.equal(await ask(browser, 'document.querySelector("#graph-panel h3").textContent'), graph.models[0]?.name);
  await browser.evaluate(press('Escape'));
  await browser.evaluate('document.getElementById("graph-view").scrollIntoView()');
  const [x, y] = await ask<[number, number]>(browser, `(() => { const { x, y, width, height } =
    document.querySelector('#m7 circle').getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()`);
  for (const type of ['mousePressed', 'mouseReleased']) {
    await browser.send('Input.dispatchMouseEvent', { type, x, y, button: 'right', clickCount: 1 });
  }
  assert.deepEqual(await ask(browser, nearIds), []);
});
