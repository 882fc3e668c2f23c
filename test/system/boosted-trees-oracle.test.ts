/**
 * Boosted trees beside scikit-learn's HistGradientBoostingClassifier, run here, on the same matrices: made ones, and
 * the shared biflows of real devices, one device model against all others, the later flows held out.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createEncodedRows, type RowLayout } from '#feature';
import { predictBoostedTrees, readBoostedTrees, writeBoostedTrees } from '#score';
import { fitBoostedTrees } from '#score/fit';
import { areaUnderCurve } from '#lab';
import {
  makeFlowLikeRows, makeHardRows, writeMatrices, type LabelledRows, type Matrices,
} from '../support/boost-matrices.ts';
import { sharedOracle } from './shared-data.ts';
import { findSklearnPython, runOracle } from './sklearn.ts';

const python = findSklearnPython();
const skip = python === undefined ? 'python3-sklearn is not installed' : false;
/** By which the area under the curve may be below the peer's. */
const tolerance = 0.005;

/** Log-odds are the higher the more like the device model, anomaly scores the lower. */
function areaOf(scores: ArrayLike<number>, labels: Uint8Array): number {
  const of = (label: number): Float64Array =>
    Float64Array.from(scores).filter((_, row) => labels[row] === label).map((odds) => -odds).sort();
  return areaUnderCurve(of(1), of(0));
}

/** Compares the areas of us and the peer, and that of our trees written and read again. */
function compare(matrices: Matrices, name: string, context: TestContext): void {
  const { train, test: held } = matrices;
  const fitted = fitBoostedTrees(train.rows, train.labels);
  const trees = readBoostedTrees(writeBoostedTrees(fitted), train.rows.layout);
  assert.ok(typeof trees !== 'string', String(trees));
  const odds = new Float64Array(held.rows.rowCount);
  predictBoostedTrees(trees, held.rows, odds);
  const folder = mkdtempSync(join(tmpdir(), 'natlens-boost-'));
  try {
    writeMatrices(folder, matrices);
    const { logOdds } = JSON.parse(runOracle(python as string, 'boosted-trees.py', folder, '1')) as
      { logOdds: number[] };
    const [ours, theirs] = [odds, logOdds].map((scores) => areaOf(scores, held.labels)) as [number, number];
    context.diagnostic(`${name}: ${train.rows.rowCount} rows, AUC ${ours.toFixed(4)}, scikit-learn's ` +
      `${theirs.toFixed(4)}, ${trees.roots.length} trees`);
    assert.ok(ours >= theirs - tolerance, `${name}: AUC ${ours}, scikit-learn's ${theirs}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [name, make] of [['hard', makeHardRows], ['flow-like', makeFlowLikeRows]] as const) {
  test(`made matrices, ${name}: the area under the curve is scikit-learn's`, { skip }, (context) => {
    for (const rowCount of [1_000, 20_000]) {
      compare({ train: make(rowCount, 1), test: make(20_000, 2) }, `${name}, ${rowCount} rows`, context);
    }
  });
}

type Flow = Readonly<Record<string, string>>;
const numbersOf = (flow: Flow): number[] => [
  Number(flow['in_bytes']), Number(flow['out_bytes']), Number(flow['end_ms']) - Number(flow['start_ms']),
].map((value) => Math.log2(1 + Math.max(0, value)));
const categorical = ['src_tos', 'dst_tos', 'protocol', 'l4_dst_port', 'l7'] as const;

function readFlows(set: string): Flow[] {
  const text = gunzipSync(readFileSync(`${sharedOracle}flows/${set}.csv.gz`)).toString().trim();
  const [header = [], ...lines] = text.split('\n').map((line) => line.split(','));
  return lines.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i] ?? ''])) as Flow);
}

/** Categories are coded by what the device model's own training flows show, as a classifier's encoder does it. */
function encode(model: string, train: readonly Flow[], held: readonly Flow[]): Matrices {
  const own = train.filter((flow) => flow['model'] === model);
  const categories = categorical.map((name) => [...new Set(own.map((flow) => flow[name] as string))].sort());
  const layout: RowLayout = { numericCount: 3, categoryCounts: categories.map(({ length }) => length) };
  const take = (flows: readonly Flow[]): LabelledRows => {
    const rows = createEncodedRows(layout, flows.length);
    rows.rowCount = flows.length;
    flows.forEach((flow, row) => {
      numbersOf(flow).forEach((value, i) => (rows.numeric[i] as Float32Array)[row] = value);
      categorical.forEach((name, i) => {
        const code = (categories[i] as string[]).indexOf(flow[name] as string);
        (rows.codes[i] as Uint16Array)[row] = code < 0 ? layout.categoryCounts[i] as number : code;
      });
    });
    return { rows, labels: Uint8Array.from(flows, (flow) => Number(flow['model'] === model)) };
  };
  return { train: take(train), test: take(held) };
}

const skipReal = skip === false && !existsSync(`${sharedOracle}flows`)
  ? 'the shared oracle is not beside the project' : skip;

test('real flows: the area under the curve is scikit-learn\'s', { skip: skipReal }, (context) => {
  for (const set of ['fit', 'sentinel'] as const) {
    const flows = readFlows(set).sort((a, b) => Number(a['start_ms']) - Number(b['start_ms']));
    const models = [...Map.groupBy(flows, (flow) => flow['model'] as string)]
      .filter(([, members]) => members.length >= 300 && members.length < flows.length * 0.9)
      .sort((a, b) => b[1].length - a[1].length).slice(0, 4);
    assert.ok(models.length > 1, `device models of ${set}`);
    const byModel = Map.groupBy(flows, (flow) => flow['model'] as string);
    const [train, held]: [Flow[], Flow[]] = [[], []];
    for (const members of byModel.values()) {
      const cut = Math.ceil(members.length * 0.7);
      train.push(...members.slice(0, cut));
      held.push(...members.slice(cut));
    }
    for (const [model] of models) compare(encode(model, train, held), `${set}, ${model}`, context);
  }
});
