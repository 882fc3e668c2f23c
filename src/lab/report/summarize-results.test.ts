/** Rows of a report against values worked out by hand, and against the definition of the interval. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeReportSample } from '../../../test/support/report-sample.ts';
import { meanAndDeviation, summarizeContenders, wilsonInterval } from './summarize-results.ts';

test('the interval of a share is where the share lies 1.96 deviations of its own binomial away', () => {
  for (const [share, trials] of [[0.3, 40], [0.01, 5000], [0.99, 100], [0.5, 7]] as const) {
    const [low, high] = wilsonInterval(share, trials) ?? [0, 0];
    assert.ok(low < share && share < high, `${share}: ${low} to ${high}`);
    for (const end of [low, high]) {
      assert.ok(Math.abs(Math.abs(share - end) / Math.sqrt(end * (1 - end) / trials) - 1.959964) < 1e-9);
    }
  }
  // None of 20: up to z² / (n + z²).
  assert.deepEqual(wilsonInterval(0, 20)?.map((end) => end.toFixed(4)), ['0.0000', '0.1611']);
  assert.equal(wilsonInterval(0.5, 0), undefined);
  assert.equal(wilsonInterval(Number.NaN, 10), undefined);
});

test('mean and deviation leave out what is not known', () => {
  assert.deepEqual(meanAndDeviation([1, 2, 3, Number.NaN]), { mean: 2, deviation: 1, count: 3 });
  assert.ok(Number.isNaN(meanAndDeviation([4]).deviation));
  assert.ok(Number.isNaN(meanAndDeviation([]).mean));
});

test('seeds become one row, whatever the order of results', () => {
  const report = makeReportSample({ deviceModels: 3, seeds: 4 });
  const contenders = summarizeContenders(report);
  assert.deepEqual(contenders.slice(0, 2).map(({ label }) => label),
    ['chow-liu-tree · portable', 'isolation-forest · paper']);
  assert.equal(contenders.length, 6);
  assert.deepEqual(summarizeContenders({ ...report, results: report.results.toReversed() }), contenders);
  const [first] = contenders;
  const [row] = first?.rows ?? [];
  assert.ok(first !== undefined && row !== undefined);
  const own = report.results.filter(({ deviceModel, algorithm, catalog }) =>
    deviceModel === row.deviceModel && algorithm === first.algorithm && catalog === first.catalog);
  assert.equal(own.length, 4);
  assert.equal(row.seeds, 4);
  assert.ok(Math.abs(row.auc.mean - own.reduce((sum, { auc }) => sum + auc, 0) / 4) < 1e-12);
  assert.equal(row.auc.interval?.[0], Math.min(...own.map(({ aucInterval }) => aucInterval[0])));
  assert.equal(row.auc.interval?.[1], Math.max(...own.map(({ aucInterval }) => aucInterval[1])));
  assert.equal(row.otherFlows, row.details?.otherScores.reduce((sum, count) => sum + count, 0));
  assert.equal(row.details?.seed, 1);
});

test('without details nothing is said of others\' flows, and a device that no seed detects has no time', () => {
  const report = makeReportSample({ deviceModels: 1, hasDetails: false });
  const results = report.results.map((result) => ({ ...result, timeToDetectSeconds: null }));
  for (const { rows } of summarizeContenders({ ...report, results })) {
    for (const row of rows) {
      assert.equal(row.otherFlows, undefined);
      assert.equal(row.p10Fpr.interval, undefined);
      assert.notEqual(row.p10Tpr.interval, undefined);
      assert.ok(Number.isNaN(row.timeToDetectSeconds.mean));
    }
  }
});
