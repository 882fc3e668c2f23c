/**
 * The pages of `natlens lab compare`: whole, closed to the outside, every number from the report, and who wins said as
 * the rows have it; little or nothing known is said as such.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCompareSample } from '../../../test/support/compare-sample.ts';
import { findOpenings, findUnbalanced, savedFigures } from '../../../test/support/page-checks.ts';
import type { CompareReport, CompareRow } from '../compare/compare-report.ts';
import { compareStyle, listShades } from './compare-style.ts';
import { drawIdentificationStudy } from './figures-of-compare.ts';
import { formatCount, formatShare, unknownText } from './markup.ts';
import { darkColors, lightColors } from './palette.ts';
import { renderCompare, renderCompareGraph } from './render-compare.ts';
import { readScript } from './render-graph.ts';
import { listBetter, listHeat, sayClass, sayDuration } from './tables-of-compare.ts';

const sample = makeCompareSample();
const page = renderCompare(sample);
/** Without the address of the graph, which is the only one that leads out of the page. */
const closed = (html: string): string => html.replace('href="graph.html"', 'href="#graph"');
const readable = (html: string): string => html.replace(/base64,[^"]*/g, '');
const sectionOf = (html: string, id: string): string =>
  new RegExp(`<section aria-labelledby="${id}">[\\s\\S]*?</section>`).exec(html)?.[0] ?? '';
const rowOf = (html: string, heading: string): string => html.match(/<tr[^>]*><th scope="row">[\s\S]*?<\/tr>/g)
  ?.find((row) => row.replace(/<wbr>/g, '').includes(`<th scope="row">${heading}`)) ?? '';
const cellsOf = (row: string): string[] =>
  [...row.matchAll(/<td[^>]*>([\s\S]*?)<\/td>/g)].map(([, cell = '']) => cell.replace(/<small>[\s\S]*/, ''));
const withRow = (report: CompareReport, name: string, change: Partial<CompareRow>): CompareReport =>
  ({ ...report, methods: report.methods.map((row) => row.name === name ? { ...row, ...change } : row) });

test('the page is whole, well-formed and bounded, without a script, and the same each time', () => {
  assert.deepEqual(findUnbalanced(page), []);
  assert.deepEqual(findOpenings(closed(page)), []);
  assert.equal(page.split('href="graph.html"').length, 2);
  assert.ok(!/<script|script-src/.test(page) && page.includes('it has no scripts and fetches nothing'));
  assert.ok(page.length < 2_500_000, `${page.length} bytes`);
  assert.ok(!/NaN|undefined|Infinity|null(?! home)/.test(readable(page)));
  assert.equal(renderCompare(makeCompareSample()), page);
  const sections = [...page.matchAll(/<section aria-labelledby="([^"]+)">/g)].map(([, id]) => id);
  assert.deepEqual(sections,
    ['methods', 'equal', 'models', 'dedicated', 'names', 'identification', 'sights', 'reading']);
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id as string);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, link = ''] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(link), link);
});

test('the table has every method, its numbers and what it must see; ours stands out', () => {
  const table = sectionOf(page, 'methods');
  for (const row of sample.methods) {
    const cells = cellsOf(rowOf(table, row.name));
    assert.equal(cells.length, 12, row.name);
    assert.deepEqual(cells.slice(2, 6), [0, 1, 2, 3].map((i) => formatShare(row.tpr?.[i] ?? Number.NaN)));
    assert.deepEqual(cells.slice(6, 8), [1, 3].map((i) => formatShare(row.foundAtFixedFpr[i] ?? Number.NaN)));
    assert.equal(cells[8], formatShare(row.calibrated.found[3] ?? Number.NaN));
    assert.equal(cells[10], row.sees);
    const atZero = formatShare(row.foundAtZeroFpr[3] ?? Number.NaN);
    assert.ok(rowOf(table, row.name).includes(`<small>${atZero} at 0</small>`));
    assert.ok(table.includes(row.meaning) && table.includes(`${row.covered.length} of 12`));
  }
  assert.deepEqual([...table.matchAll(/<tr class="ours"><th scope="row">([^<]*)/g)].map(([, name]) => name),
    ['evidence-cascade']);
  assert.deepEqual(cellsOf(rowOf(table, 'ipid-slope')),
    ['0 %', unknownText, ...Array<string>(4).fill(unknownText), ...Array<string>(3).fill('0.000'), unknownText,
      'packet headers', unknownText]);
  assert.equal(cellsOf(rowOf(table, 'evidence'))[9], '30 min');
});

test('who wins is said as the rows have it, once, and on which device models others find more', () => {
  const outcome = (html: string): string => /<ul class="outcome">\s*([\s\S]*?)<\/ul>/.exec(html)?.[1] ?? '';
  const said = (report: CompareReport): readonly string[] => report.outcome;
  const itemsOf = (texts: readonly string[]): string => texts.map((text) => `<li>${text}</li>`).join('\n');
  assert.match(said(sample)[1] as string, /evidence-cascade.* leads by /);
  assert.ok(said(sample).length >= 2 && outcome(page).startsWith(itemsOf(said(sample))));
  const lost = makeCompareSample({ rivalGain: 0.3 });
  const lostPage = renderCompare({ ...lost, remarks: [...lost.remarks, 'Kept.'] });
  assert.ok(outcome(lostPage).startsWith(itemsOf(said(lost))));
  const better = listBetter(lost);
  assert.ok(better.length > 0 && better.every(({ own, tpr }) => tpr > own));
  assert.ok(outcome(lostPage).includes(`<a href="#models">${better.length} of 12 device models</a>`));
  for (const { deviceModel, by } of better) {
    assert.ok(sectionOf(lostPage, 'models').replace(/<wbr>/g, '').includes(`<li>${deviceModel}: ${by.name} `));
  }
  assert.ok(lostPage.includes('<p class="quiet">Kept.</p>') && lostPage.includes('<p class="quiet">A remark that'));
  // Ours of another name is no rival, and what is alike to the last digit is not more.
  assert.ok(better.every(({ by }) => by.isOurs === undefined));
  const even = { ...sample, results: sample.results.map((result) => ({ ...result, tprAtFixedFpr: 0.5 })) };
  assert.deepEqual(listBetter(even), []);
  assert.match(sectionOf(renderCompare(even), 'models'),
    /There is none of 12 device models that a method from elsewhere/);
});

test('every device model and method has a cell: a shade, or hatched where it cannot decide', () => {
  const table = sectionOf(page, 'models');
  const heat = listHeat(sample);
  assert.equal(heat.length, 12);
  for (const { deviceModel, cells } of heat) {
    const classes = [...rowOf(table, deviceModel).matchAll(/<td class="([^"]+)">/g)].map(([, name = '']) => name);
    assert.deepEqual(classes.map((name) => name.replace(' best', '')),
      cells.map(({ tpr }) => tpr === undefined ? 'none' : `h${Math.round(tpr * 10)}`), deviceModel);
    assert.ok(classes.some((name) => name.endsWith(' best')));
  }
  assert.ok(heat.some(({ cells }) => cells.some(({ tpr }) => tpr === undefined)));
});

test('letters on every shade stand 4.5:1, and grow darker from step to step', () => {
  const luminance = (color: string): number => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * ([0.2126, 0.7152, 0.0722][i] as number), 0);
  for (const [scheme, { ink }] of [['light', lightColors], ['dark', darkColors]] as const) {
    const contrasts = listShades(scheme).map((shade) => {
      const [low, high] = [luminance(shade), luminance(ink)].sort((a, b) => a - b) as [number, number];
      return (high + 0.05) / (low + 0.05);
    });
    assert.ok(contrasts.every((contrast) => contrast >= 4.5), `${scheme}: ${contrasts.join(' ')}`);
    assert.deepEqual(contrasts, contrasts.toSorted((a, b) => b - a));
    for (const shade of listShades(scheme)) assert.ok(compareStyle.includes(shade));
  }
});

test('figures name every method, by what it sees, and are files of their own', () => {
  const figures = sectionOf(page, 'equal');
  const [found = '', times = ''] = figures.match(/<figure[\s\S]*?<\/figure>/g) ?? [];
  for (const { name, sees } of sample.methods) {
    assert.ok(found.includes(`${name}: `) && found.includes(`sees ${sees}`), name);
    assert.ok(times.includes(`aria-label="${name}, sees ${sees}. at equal FPR 1 min `), name);
  }
  const files = savedFigures(page);
  assert.deepEqual(files.flatMap((file) => findUnbalanced(file)), []);
  assert.equal(files.length, 6);
  assert.ok(files.every((file) => !/var\(|NaN/.test(file) && file.includes('sample lab: 41 units, 123,456 flows, ')));
});

test('dedicated names are counted and named', () => {
  const section = sectionOf(page, 'dedicated');
  const { names } = sample;
  assert.deepEqual(['three or more', 'two', 'one', 'none'].map((label) => cellsOf(rowOf(section, label))[0]),
    [names.withThreeOrMore, names.withTwo, names.withOne, names.withNone].map((count) => formatCount(count)));
  for (const { deviceModel, dedicated } of names.deviceModels) {
    const row = rowOf(section, deviceModel).replace(/<wbr>/g, '');
    assert.ok(row.includes(dedicated[0] ?? unknownText), deviceModel);
    assert.equal(row.includes(' more</td>'), dedicated.length > 4);
  }
});

test('links, hosts and signatures stand in tables and figures, with what a slope tells', () => {
  const section = sectionOf(page, 'identification');
  const { links, signatures } = sample.identification;
  const rows = section.match(/<tr><th scope="row">(?:chains of queries|clocks)[\s\S]*?<\/tr>/g) ?? [];
  assert.equal(rows.length, links.length + 1);
  for (const [i, { hosts, accuracy }] of links.entries()) {
    assert.deepEqual([cellsOf(rows[i] ?? '')[0], cellsOf(rows[i] ?? '')[4]],
      [sayClass(hosts), formatShare(accuracy ?? Number.NaN)]);
  }
  assert.ok(section.includes('A slope identifies the kernel and not the device model.</strong> Of 12 device models ' +
    'with packets, 10 show a class; 10 of them share it with another, and none has it alone'));
  for (const { deviceModel } of signatures) assert.ok(rowOf(section, deviceModel) !== '', deviceModel);
  assert.deepEqual(section.match(/<figure id="[^"]+/g)?.map((found) => found.slice(12)),
    ['identification-increments', 'identification-counting', 'identification-ticking']);
  assert.match(section, /doorbell\.Pine_Labs\.IPC_149 \(unit-0\): 50 queries, 0\.100 a second/);
  assert.ok(!section.includes('unit-4'), 'a host with random identifications neither counts nor ticks');
});

test('what methods see is told from the least to the most, with every method once', () => {
  const section = sectionOf(page, 'sights');
  const order = ['flow records', 'names asked for', 'packet headers'].map((sight) => section.indexOf(`"row">${sight}`));
  assert.ok(order[0] as number > 0 && order.every((at, i) => i === 0 || at > (order[i - 1] as number)));
  const methods = [...section.matchAll(/<td class="text">([^<]*(?:<wbr>[^<]*)*)<\/td><\/tr>/g)]
    .flatMap(([, names = '']) => names.replace(/<wbr>/g, '').split(', '));
  assert.deepEqual(methods.sort(), sample.methods.map(({ name }) => name).sort());
});

test('the graph marks the device model that ours finds least, drawn here and interactive there', () => {
  const graph = renderCompareGraph(sample);
  const worst = sample.worstModel;
  assert.ok(page.includes(`In red: ${worst}, which ours finds least.`));
  const nodes = [...page.matchAll(/data-sign="worst" data-name="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(nodes, [worst]);
  assert.ok(savedFigures(page).some((file) => file.includes(`found least by our evidence: ${worst}`)));
  const [legend = ''] = graph.match(/<div class="graph-legend"[\s\S]*?<\/div>/) ?? [];
  assert.ok(legend.replace(/<wbr>/g, '').includes(`found least by our evidence: ${worst}`));
  assert.equal(graph.match(/id="m\d+" data-sign="worst"/g)?.length, 1);
  assert.deepEqual(findOpenings(graph.replace(`<script>${readScript()}</script>`, '')), []);
  // One that asks for no name is not in the graph.
  const silent = { ...sample, worstModel: 'lock.Silent.One' };
  assert.ok(!renderCompareGraph(silent).includes('data-sign="worst"'));
  assert.match(renderCompare(silent), /finds least, lock\.Silent\.One, asks for no name\./);
});

test('simulated data is said to be so, above all and in every saved figure', () => {
  assert.ok(!page.includes('Simulated data'));
  const simulated = renderCompare(makeCompareSample({ isSimulated: true }));
  assert.match(simulated, /<p class="note"><strong>Simulated data\.<\/strong>/);
  assert.ok(savedFigures(simulated).every((file) => file.includes('Simulated data. ')));
});

test('nothing known is no number: no device model, no method, no packet', () => {
  const none = { covered: [], coverage: 0, measuredFpr: null, fprUpper95: null, nullHomes: 0, tpr: null,
    foundAtFixedFpr: [0, 0, 0, 0], foundAtZeroFpr: [0, 0, 0, 0], medianMinutes: null, cpuMsPerHomeDay: Number.NaN };
  const emptyStudy = { homes: 0, homeHours: 24, links: [], hostCounts: [], signatures: [], increments: [], series: [] };
  assert.deepEqual(drawIdentificationStudy(emptyStudy), []);
  const noNames = { deviceModels: [], withThreeOrMore: 0, withTwo: 0, withOne: 0, withNone: 0 };
  const bare = { ...sample, names: noNames, graph: { models: [], names: [], asks: [] }, identification: emptyStudy };
  for (const report of [
    withRow(withRow(sample, 'evidence-cascade', none), 'evidence', none), makeCompareSample({ models: 0 }), bare,
    { ...bare, methods: [], deviceModels: [], results: [], curves: [], worstModel: '', remarks: [] },
    { ...sample, results: sample.results.map((result) => ({ ...result, tprAtFixedFpr: Number.NaN })) },
  ]) {
    const html = renderCompare(report);
    assert.deepEqual(findUnbalanced(html), []);
    assert.doesNotMatch(readable(html), /NaN|undefined|Infinity/);
    assert.doesNotMatch(readable(renderCompareGraph(report).replace(readScript(), '')), /NaN|Infinity/);
  }
});

test('names and sentences from data are text, never markup', () => {
  const nasty = '"><script>alert(1)</script>&\u0001';
  const change = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll('doorbell.Pine_Labs.IPC_149',
    JSON.stringify(nasty).slice(1, -1)).replaceAll('What dns-domains does', JSON.stringify(nasty).slice(1, -1))) as T;
  const report = change({ ...sample, worstModel: 'doorbell.Pine_Labs.IPC_149', remarks: ['doorbell.Pine_Labs.IPC_149'],
    dataset: { ...sample.dataset, name: nasty, note: nasty } });
  const html = renderCompare(report);
  assert.deepEqual(findOpenings(closed(html)), []);
  assert.deepEqual(findUnbalanced(html), []);
  assert.ok(!html.includes('<script') && html.includes('&lt;script&gt;alert(1)'));
  assert.equal(renderCompareGraph(report).split('<script').length, 2);
});

test('times of a processor are printed with the unit that fits', () => {
  assert.deepEqual([0.0042, 0.5, 12.34, 4_200, 600_000, Number.NaN].map(sayDuration),
    ['4.20 µs', '0.500 ms', '12.3 ms', '4.20 s', '10.0 min', unknownText]);
});
