/** What is taken for a report, and what is refused with the field that is wrong. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { OperatorError } from '#base';
import { makeReportSample } from '../../../test/support/report-sample.ts';
import { parseReport, readReport } from './read-report.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-report-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const sample = makeReportSample({ deviceModels: 2, seeds: 2 });

test('a report is read from its folder and from its file, as it was', async () => {
  const text = JSON.stringify(sample);
  writeFileSync(join(folder, 'report.json'), text);
  const expected = { path: join(folder, 'report.json'), report: JSON.parse(text) as unknown };
  assert.deepEqual(await readReport(folder), expected);
  assert.deepEqual(await readReport(join(folder, 'report.json')), expected);
});

test('figures that are not known stay unknown', () => {
  const [result] = sample.results;
  const { trainSeconds: _, ...untimed } = { ...result, auc: null, timeToDetectSeconds: null };
  const { results } = parseReport({ ...sample, results: [untimed] });
  assert.ok(Number.isNaN(results[0]?.auc));
  assert.ok(Number.isNaN(results[0]?.trainSeconds));
  assert.equal(results[0]?.timeToDetectSeconds, null);
});

test('something else is refused in one sentence', async () => {
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  mkdirSync(join(folder, 'empty'));
  const [result] = sample.results;
  const [timeline] = sample.timelines;
  const changed = (change: object): string => JSON.stringify({ ...sample, ...change });
  const refused: readonly (readonly [string, RegExp])[] = [
    [join(folder, 'gone.json'), /no such file/],
    [join(folder, 'empty'), /natlens lab experiment writes it/],
    [write('cut.json', '{"dataset": '), /is no report/],
    [write('list.json', '[]'), /the file is no object/],
    [write('bare.json', '{}'), /dataset of the file is no object/],
    [write('results.json', changed({ results: {} })), /results of the file is no list/],
    [write('field.json', changed({ results: [{ ...result, auc: '1' }] })), /auc of results\[0\] is no number/],
    [write('roc.json', changed({ details: [{ ...sample.details[0], roc: [[0]] }] })), /roc of details\[0\]/],
    [write('time.json', changed({ timelines: [{ ...timeline, sliceMs: 0 }] })), /no times/],
    [write('time2.json', changed({ timelines: [{ ...timeline, startMs: 1e300 }] })), /no times/],
  ];
  for (const [path, text] of refused) {
    await assert.rejects(readReport(path), (thrown) => {
      assert.ok(thrown instanceof OperatorError, String(thrown));
      assert.match(thrown.message, text);
      assert.ok(!thrown.message.includes('\n') && thrown.message.endsWith('.'), thrown.message);
      return true;
    });
  }
});
