/**
 * One-class SVM and local outlier factors beside scikit-learn itself, run here, on thousands of real flows: the shared
 * biflows of three homes. Encoded plainly here, for the encoder has tests of its own.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { decideSvm } from '../../src/pipeline/4-score/one-class-svm/one-class-svm.ts';
import { fitSvm } from '../../src/pipeline/4-score/one-class-svm/fit-one-class-svm.ts';
import { findOutlierFactors } from '../../src/pipeline/4-score/local-outlier-factor/local-outlier-factor.ts';
import { lofTrainer } from '../../src/pipeline/4-score/local-outlier-factor/fit-local-outlier-factor.ts';
import { largestDifference, toRows } from '../support/point-cases.ts';
import type { LofRun, PlainRows, PointCase, SvmRun } from '../support/point-cases.ts';
import { sharedOracle } from './shared-data.ts';
import { findSklearnPython, oracleFolder } from './sklearn.ts';

const python = findSklearnPython();
const sets = ['fit', 'sentinel', 'strato'] as const;
const trainRows = 2_500;
const queryRows = 300;

function findReasonToSkip(): string | false {
  if (!existsSync(`${sharedOracle}flows`)) return 'the shared oracle is not beside the project';
  return python === undefined ? 'python3-sklearn is not installed' : false;
}

function encode(flows: readonly Readonly<Record<string, string>>[], isTrained: (index: number) => boolean): PointCase {
  const numbers = flows.map((flow) => [
    Number(flow.in_bytes), Number(flow.out_bytes), Number(flow.end_ms) - Number(flow.start_ms)]);
  const texts = flows.map((flow) => [flow.src_tos, flow.dst_tos, flow.protocol, flow.l4_dst_port, flow.l7] as string[]);
  const trained = [...flows.keys()].filter(isTrained).slice(0, trainRows);
  const step = Math.floor(flows.length / queryRows);
  const asked = [...flows.keys()].filter((index) => index % step === 0);
  const ranges = [0, 1, 2].map((feature) => {
    const seen = trained.map((index) => numbers[index]?.[feature] as number);
    return { min: Math.min(...seen), max: Math.max(...seen) };
  });
  const categories = [0, 1, 2, 3, 4].map(
    (feature) => [...new Set(trained.map((index) => texts[index]?.[feature]))].sort());
  const take = (indexes: readonly number[]): PlainRows => ({
    numeric: ranges.map(({ min, max }, feature) => indexes.map((index) =>
      Math.fround(((numbers[index]?.[feature] as number) - min) / Math.max(max - min, 1)))),
    codes: categories.map((known, feature) => indexes.map((index) => {
      const code = known.indexOf(texts[index]?.[feature]);
      return code < 0 ? known.length : code;
    })),
  });
  const layout = { numericCount: 3, categoryCounts: categories.map((known) => known.length) };
  return { name: 'flows', layout, train: take(trained), queries: take(asked) };
}

function readFlows(set: string): PointCase {
  const text = gunzipSync(readFileSync(`${sharedOracle}flows/${set}.csv.gz`)).toString();
  const [header = '', ...lines] = text.trim().split('\n');
  const names = header.split(',');
  const flows = lines.map((line) => Object.fromEntries(line.split(',').map((value, i) => [names[i] as string, value])));
  return encode(flows, (index) => index % 3 !== 0);
}

function ask<Run>(script: string, cases: readonly PointCase[]): Run[][] {
  const { status, stdout, stderr } = spawnSync(
    python as string, ['-B', '-W', 'ignore', `${oracleFolder}${script}.py`, '-'],
    { input: JSON.stringify(cases), encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Run[][];
}

const skip = findReasonToSkip();

test('one-class SVM: iterations and decision function on real flows are scikit-learn\'s', { skip }, (context) => {
  const cases = sets.map(readFlows);
  ask<SvmRun>('one-class-svm', cases).forEach((runs, set) => {
    const { layout, train, queries } = cases[set] as PointCase;
    for (const { nu, tolerance, gamma, iterations, decisions } of runs) {
      const got = fitSvm(toRows(layout, train), { nu, tolerance, gamma }, 1);
      const out = new Float64Array(decisions.length);
      decideSvm(got.fitted, toRows(layout, queries), out);
      const apart = decisions.reduce(
        (most, decision, row) => Math.max(most, Math.abs(decision - (out[row] as number))), 0);
      const label = `${sets[set]}, nu ${nu}, tolerance ${tolerance}, kernel width ${gamma}`;
      context.diagnostic(`${label}: ${got.iterations} iterations, at most ${apart.toExponential(1)} apart`);
      assert.equal(got.iterations, iterations, label);
      assert.ok(apart < 1e-6, `${label}: ${apart} apart`);
    }
  });
});

test('local outlier factors of real flows are scikit-learn\'s where no tie decides', { skip }, (context) => {
  const cases = sets.map(readFlows);
  ask<LofRun>('local-outlier-factor', cases).forEach((runs, set) => {
    const { layout, train, queries } = cases[set] as PointCase;
    for (const { neighbours, scores, offset, isDetermined } of runs) {
      const fitted = lofTrainer.fit(toRows(layout, train), { neighbours }, 1);
      const out = new Float64Array(scores.length);
      findOutlierFactors(fitted, toRows(layout, queries), out);
      const factors = scores.map((score) => -score);
      const determined = isDetermined.filter(Boolean).length;
      const label = `${sets[set]}, ${neighbours} neighbours`;
      const apart = largestDifference(out, factors, (row) => isDetermined[row] === true);
      const verdicts = factors.filter((factor, row) => factor > -offset !== (out[row] as number) > -offset).length;
      context.diagnostic(
        `${label}: ${determined} of ${scores.length} rows without ties, ${apart.toExponential(1)} apart;` +
        ` with ties ${largestDifference(out, factors).toExponential(1)}; ${verdicts} other verdicts`);
      assert.ok(determined > scores.length / 2, label);
      assert.ok(apart < 1e-6, `${label}: ${apart} apart`);
      assert.ok(verdicts <= scores.length / 100, `${label}: ties hardly ever change a verdict`);
    }
  });
});
