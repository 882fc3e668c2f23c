/**
 * Isolation forests of three device models beside those that scikit-learn 1.2.1 fitted to the same flows: all nodes of
 * all trees, and the scores of flows of many other devices.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createEncodedRows, type EncodedRows } from '#feature';
import { algorithms, leafColumn } from '#score';
import { growForest, isolationForestTrainer } from '../../src/pipeline/4-score/isolation-forest/fit-forest.ts';
import { sharedOracle } from './shared-data.ts';

type OracleForest = {
  mm_min: number[]; mm_max: number[]; categories: string[][];
  trees: { feature: number[]; threshold: number[]; right: number[]; n: number[] }[];
  sample: { x: number[]; score: number }[];
};
type Flow = Readonly<Record<string, string>>;

/** The flows that each forest was fitted to are the first 70 % of this file's flows of one device. */
const forests = [
  { name: 'HueBridge', file: 'sentinel' }, { name: 'schlage-lock', file: 'fit' }, { name: 'sifely-hub', file: 'fit' },
] as const;
const categorical = ['dst_tos', 'src_tos', 'protocol', 'l4_dst_port', 'l7'];
const leafFeature = -2;

function readTrainingFlows(file: string, model: string): Flow[] {
  const text = gunzipSync(readFileSync(`${sharedOracle}flows/${file}.csv.gz`)).toString().trim();
  const [header = [], ...lines] = text.split('\n').map((line) => line.split(','));
  const flows = lines.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i] ?? ''])) as Flow)
    .filter((flow) => flow['model'] === model)
    .sort((a, b) => Number(a['start_ms']) - Number(b['start_ms']));
  return flows.slice(0, Math.ceil(flows.length * 0.7));
}

function encodeFlows(flows: readonly Flow[], oracle: OracleForest): EncodedRows {
  const { mm_min: least, mm_max: greatest, categories } = oracle;
  const layout = { numericCount: 3, categoryCounts: categories.map((texts) => texts.length) };
  const rows = createEncodedRows(layout, flows.length);
  rows.rowCount = flows.length;
  flows.forEach((flow, row) => {
    const durationMs = Number(flow['end_ms']) - Number(flow['start_ms']);
    [Number(flow['in_bytes']), Number(flow['out_bytes']), durationMs].forEach((value, feature) => {
      const scale = 1 / ((greatest[feature] as number) - (least[feature] as number));
      (rows.numeric[feature] as Float32Array)[row] = value * scale - (least[feature] as number) * scale;
    });
    categorical.forEach((name, feature) => {
      (rows.codes[feature] as Uint16Array)[row] = (categories[feature] as string[]).indexOf(flow[name] as string);
    });
  });
  return rows;
}

/** Rows of the one-hot form, back to codes. */
function encodeSamples({ sample, categories }: OracleForest): EncodedRows {
  const layout = { numericCount: 3, categoryCounts: categories.map((texts) => texts.length) };
  const rows = createEncodedRows(layout, sample.length);
  rows.rowCount = sample.length;
  sample.forEach(({ x }, row) => {
    for (let feature = 0; feature < 3; feature++) {
      (rows.numeric[feature] as Float32Array)[row] = x[feature] as number;
    }
    let first = 3;
    layout.categoryCounts.forEach((count, feature) => {
      const code = x.slice(first, first + count).indexOf(1);
      (rows.codes[feature] as Uint16Array)[row] = code < 0 ? count : code;
      first += count;
    });
  });
  return rows;
}

for (const { name, file } of forests) {
  const path = `${sharedOracle}iforest_${name}.json`;
  const skip = existsSync(path) ? false : 'the shared oracle is not beside the project';
  test(`${name}: all trees and scores are scikit-learn's, in less than 100 kB`, { skip }, (context) => {
    const oracle = JSON.parse(readFileSync(path, 'utf8')) as OracleForest;
    const rows = encodeFlows(readTrainingFlows(file, name), oracle);
    const { nodes, treeStart } = growForest(rows, isolationForestTrainer.defaults, 0);
    assert.equal(treeStart.length, oracle.trees.length + 1);
    oracle.trees.forEach((tree, at) => {
      const [first = 0, end = 0] = treeStart.subarray(at, at + 2);
      const isLeaf = tree.feature.map((feature) => feature === leafFeature);
      assert.deepEqual([...nodes.column.subarray(first, end)],
        tree.feature.map((feature, node) => isLeaf[node] === true ? leafColumn : feature), `columns of tree ${at}`);
      assert.deepEqual([...nodes.threshold.subarray(first, end)],
        tree.threshold.map((threshold, node) => isLeaf[node] === true ? 0 : threshold), `thresholds of tree ${at}`);
      assert.deepEqual([...nodes.right.subarray(first, end)],
        tree.right.map((right, node) => isLeaf[node] === true ? 0 : right + first), `right children of tree ${at}`);
      assert.deepEqual([...nodes.samples.subarray(first, end)], tree.n, `rows of tree ${at}`);
    });

    const algorithm = algorithms.get('isolation-forest');
    assert.ok(algorithm !== undefined);
    const bytes = algorithm.write(isolationForestTrainer.fit(rows, {}, 0));
    const forest = algorithm.read(bytes, rows.layout);
    if (typeof forest === 'string') assert.fail(forest);
    const scores = new Float64Array(oracle.sample.length);
    forest.score(encodeSamples(oracle), scores);
    const differences = oracle.sample.map(({ score }, row) => Math.abs((scores[row] as number) + score));
    context.diagnostic(`${bytes.length} bytes, scores differ by ${Math.max(...differences)} at most`);
    assert.ok(Math.max(...differences) <= 1e-12);
    assert.ok(bytes.length <= 100_000);
  });
}
