/**
 * The page that a report becomes: whole, closed to the outside, well-formed, and every number with what it rests on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOpenings, findUnbalanced, savedFigures } from '../../../test/support/page-checks.ts';
import { makeReportSample } from '../../../test/support/report-sample.ts';
import type { ExperimentReport } from '../evaluate/results.ts';
import { formatCount } from './markup.ts';
import { darkColors, lightColors } from './palette.ts';
import { renderReport } from './render-report.ts';
import { styleSheet } from './style.ts';
import { summarizeContenders } from './summarize-results.ts';

const sample = makeReportSample();
const page = renderReport(sample);

const figuresOf = (html: string): string[] => html.match(/<figure[\s\S]*?<\/figure>/g) ?? [];

test('the page is whole, well-formed and bounded, and the same each time', () => {
  assert.deepEqual(findUnbalanced(page), []);
  assert.deepEqual(findOpenings(page), []);
  assert.match(page, /default-src 'none'; style-src 'sha256-/);
  assert.ok(page.length < 2_500_000, `${page.length} bytes`);
  assert.equal(renderReport(makeReportSample()), page);
  assert.equal(renderReport({ ...sample, results: sample.results.toReversed() }), page);
});

test('every link of the contents leads to its section, and no id stands twice', () => {
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1] as string);
  assert.equal(new Set(ids).size, ids.length);
  const links = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1] as string);
  assert.ok(links.length > 10);
  assert.deepEqual(links.filter((link) => !ids.includes(link)), []);
  for (const landmark of ['<header>', '<nav aria-label', '<main id', '<footer>', 'lang="en"']) {
    assert.ok(page.includes(landmark), landmark);
  }
});

test('the published figures stand beside ours', () => {
  const published = /<tr class="published">[\s\S]*?<\/tr>/.exec(page)?.[0] ?? '';
  for (const text of ['0.85', '0.76', '0.13', '0.73', '0.11', '3.15', '1,351', '4–18', '>13<']) {
    assert.ok(published.includes(text), text);
  }
  assert.ok(page.includes('Meidan et al. 2020'));
});

test('every row of a table says on how many flows, devices and seeds it rests', () => {
  for (const { label, rows } of summarizeContenders(sample)) {
    const tables = page.match(/<table>[\s\S]*?<\/table>/g) ?? [];
    const table = tables.find((text) => text.includes(`<caption>${label}, 5 seeds.`)) ?? '';
    const lines = table.match(/<tbody>[\s\S]*/)?.[0].match(/<tr>[\s\S]*?<\/tr>/g) ?? [];
    assert.equal(lines.length, rows.length, label);
    for (const [i, row] of rows.entries()) {
      const counts = [row.flows.train, row.flows.validation, row.flows.test, row.otherFlows].map(formatCount);
      for (const text of [...counts, '5 seeds']) assert.ok(lines[i]?.includes(text),
        `${label}, ${row.deviceModel}: ${text}`);
      // Eleven figures, each with its interval.
      assert.equal(lines[i]?.match(/<td>[^<]+<small>[\d.,]+–[\d.,]+(?: %)?<\/small><\/td>/g)?.length, 11, lines[i]);
    }
  }
});

test('every figure says its numbers, is described in words and can be saved', () => {
  const figures = figuresOf(page);
  assert.deepEqual(figures.map((figure) => /id="([\w-]+)"/.exec(figure)?.[1]), ['areas', 'roc', 'percentiles',
    'confusion-chow-liu-tree-portable', 'confusion-isolation-forest-paper', 'scores-chow-liu-tree-portable',
    'scores-isolation-forest-paper', 'comparison', 'timelines']);
  const files = savedFigures(page);
  assert.equal(files.length, figures.length);
  for (const file of files) {
    assert.deepEqual(findUnbalanced(file), []);
    assert.ok(file.startsWith('<svg xmlns="http://www.w3.org/2000/svg"') && !file.includes('var('), file.slice(0, 80));
    assert.ok(file.includes('>Simulated data. sample lab: 22 devices, 79,221 flows, 5 seeds.</text>'));
  }
  for (const figure of figures) {
    assert.match(figure, /\d (?:own|other|test flows|flows|seeds?|devices?)\b/);
    for (const svg of figure.match(/<svg[^>]*>/g) ?? []) assert.match(svg, /role="img" aria-label="[^"]{10,}"/);
    assert.ok(!/NaN|undefined|Infinity/.test(figure.replace(/base64,[^"]*/g, '')), figure.slice(0, 200));
  }
  // A panel per device model, and a title on whatever can be pointed at.
  assert.equal(figures[1]?.match(/<svg/g)?.length, 7 + 1);
  assert.equal(figures[1]?.match(/<title>[^<]*AUC [\d.]+ \[[\d.]+–[\d.]+\], [\d,]+ own and [\d,]+ other/g)?.length, 42);
  assert.equal(figures[3]?.match(/<title>classifier of /g)?.length, 7 * 11);
});

test('simulated data are called so, and only they', () => {
  assert.match(page, /<p class="note"><strong>Simulated data\.<\/strong>/);
  const captured = renderReport(makeReportSample({ isSimulated: false, deviceModels: 1 }));
  assert.ok(!captured.includes('Simulated data') && captured.includes('<small>captured</small>'));
});

test('unfit classifiers are marked in their rows and named before the means', () => {
  assert.match(page, /6 classifiers unfit for use<\/strong>, but counted in all means: lock\.Bright\.Secure_Link \(6 of 6 methods\)/);
  assert.equal(page.match(/<span class="unfit">unfit: validation-drift<\/span>/g)?.length, 6);
  assert.ok(!renderReport(makeReportSample({ deviceModels: 2 })).includes('unfit for use'));
});

const known = (report: ExperimentReport): void => {
  const html = renderReport(report);
  assert.deepEqual(findUnbalanced(html), []);
  assert.deepEqual(findOpenings(html), []);
  assert.ok(!/NaN|undefined|Infinity/.test(html.replace(/base64,[^"]*/g, '')));
};

test('little is enough: one device model, one seed, no details, no timelines, no results', () => {
  const small = makeReportSample({ deviceModels: 1, algorithms: ['chow-liu-tree'], catalogs: ['portable'], seeds: 1 });
  known(small);
  known({ ...small, details: [] });
  known({ ...small, timelines: [], details: [] });
  assert.ok(renderReport({ ...small, details: [] }).includes('Not in the results of this experiment.'));
  known({ ...small, results: small.results.map((result) => ({ ...result, percentiles: [], auc: Number.NaN,
    aucInterval: [Number.NaN, Number.NaN] as const, trainSeconds: Number.NaN, timeToDetectSeconds: null })) });
  const empty = { ...small, results: [], details: [], timelines: [] };
  known(empty);
  assert.ok(renderReport(empty).includes('The experiment has no results'));
  known({ ...small, timelines: small.timelines.map((timeline) => ({ ...timeline, flows: [], octets: [] })) });
});

test('names from data are text, never markup', () => {
  const name = '"><script>alert(1)</script>&\u0001';
  const report = makeReportSample({ deviceModels: 2, seeds: 1, algorithms: [name], catalogs: ['paper'] });
  const renamed = JSON.parse(JSON.stringify(report).replaceAll('webcam.Example.Cam_100',
    JSON.stringify(name).slice(1, -1))) as
    ExperimentReport;
  known({ ...renamed, dataset: { ...renamed.dataset, name, note: name } });
});

/** Relative luminance and contrast. @source WCAG 2.1 */
function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const value = parseInt(color.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

test('text and lines stand out from the page, light and dark', () => {
  for (const colors of [lightColors, darkColors]) {
    for (const paper of [colors.paper, colors.tint]) {
      for (const text of [colors.ink, colors.quiet, colors.warn, colors.s1]) assert.ok(contrast(text, paper) >= 4.5,
        text);
    }
    // Names of series are written in their colours, too.
    for (const series of [colors.s1, colors.s2, colors.s3, colors.s4, colors.s5, colors.s6]) {
      assert.ok(contrast(series, colors.paper) >= 4.5,
        `${series} on ${colors.paper}: ${contrast(series, colors.paper)}`);
    }
    assert.ok(contrast(colors['on-heat'], colors.heat) >= 4.5);
  }
  assert.ok(styleSheet.includes('prefers-color-scheme:dark') && styleSheet.includes('@media print'));
});

test('planted faults are found', () => {
  assert.deepEqual(findUnbalanced('<p>a<b>c</b></p><meta charset="utf-8"><br>'), []);
  assert.equal(findUnbalanced('<p>a<b>c</p>').length > 0, true);
  assert.equal(findUnbalanced('<p title="a<b">1 < 2</p>').length > 0, true);
  for (const text of ['<script>', '<img src="x">', '<a href="https://x.example">', '<p style="color:red">',
    '<p onclick="x()">', 'url(x)', '@import "x"']) {
    assert.ok(findOpenings(text).length > 0, text);
  }
});
