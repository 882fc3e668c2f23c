/**
 * Scores flows with natlens, for the benchmarks. Arguments: what, folder, seconds. Prints one JSON object.
 * `rows`: encoded rows to scores with one classifier. `flows`: the same from flows, features and encoding included.
 * `latency`: one flow, a hundred classifiers of as many device models, whose every score is computed; `portable`: the
 * same with classifiers whose stable categories may reject. `load`: a hundred artifacts from bytes to ready tables.
 * `fit`: forests from encoded rows.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds } from '../src/base/index.ts';
import { readClassifier } from '../src/classifier/artifact/index.ts';
import { createDictionaries, createFlowBatch, type FlowBatch, schema } from '../src/pipeline/2-flow/index.ts';
import { createEncoder, createFeatureMatrix, type EncodedRows, readFeatures } from '../src/pipeline/3-feature/index.ts';
import { type Classifier, type FittedForest, Scorer } from '../src/pipeline/4-score/index.ts';
import { ForestKernel } from '../src/pipeline/4-score/isolation-forest/forest-kernel.ts';
import { trainers } from '../src/pipeline/4-score/fit/index.ts';
import { encodeTraining, makeFlows, scoredRows } from './score-flows.ts';

const [what, folder = '', secondsText = ''] = process.argv.slice(2);
const seconds = Number(secondsText);
const classifierCount = 100;
const flows = makeFlows(8, scoredRows, 0.1);

const readArtifacts = (kind = 'paper'): Uint8Array[] => Array.from({ length: classifierCount },
  (_, i) => readFileSync(join(folder, `${kind}-${i}.nlc`)));

/** Runs work again and again for some time, a part of it to warm up. @returns CPU seconds of one turn */
function repeat(work: () => void): number {
  for (const until = cpuSeconds() + seconds / 4; cpuSeconds() < until;) work();
  const start = cpuSeconds();
  let turns = 0;
  for (; cpuSeconds() < start + seconds; turns++) work();
  return (cpuSeconds() - start) / turns;
}

function measureFlows(): object {
  const scorer = new Scorer([readClassifier(readArtifacts()[0] as Uint8Array)], { batchRows: scoredRows });
  const turn = repeat(() => void scorer.score(flows));
  return { rowsPerSecond: scoredRows / turn };
}

/** The same rows as the peers', encoded beforehand as theirs are, where the kernel finds them. */
function measureRows(): object {
  const { detector, encoder: fitted } = readClassifier(readArtifacts()[0] as Uint8Array);
  const kernel = new ForestKernel();
  const compiled = kernel.compile(detector as FittedForest);
  const encoder = createEncoder(fitted);
  const [columns] = kernel.createRows(1, {
    numericCount: encoder.layout.numericCount, categoricalCount: encoder.layout.categoryCounts.length,
    capacity: scoredRows,
  }) ?? [];
  if (compiled === undefined || columns === undefined) throw new Error('the kernel has no room');
  const rows: EncodedRows = { layout: encoder.layout, rowCount: 0, ...columns };
  const matrix = createFeatureMatrix(encoder.catalog, scoredRows);
  readFeatures(flows, matrix);
  encoder.encode(matrix, rows);
  const scores = new Float64Array(scoredRows);
  const turn = repeat(() => kernel.score(compiled, rows, scores));
  return { rowsPerSecond: scoredRows / turn, mean: scores.reduce((sum, score) => sum + score, 0) / scoredRows };
}

function measureLatency(kind: string): object {
  const scorer = new Scorer(readArtifacts(kind).map((bytes) => readClassifier(bytes)), { batchRows: 1 });
  // Flows of all devices in turn, as in a home.
  const singles = Array.from({ length: 500 }, (_, i) => makeFlows(1000 + i, 1, 0.1, i % classifierCount));
  const dictionaries = createDictionaries();
  const flowsInTurn = singles.map((single) => {
    const one = createFlowBatch(1, dictionaries);
    for (const { name } of schema) one.columns[name].set(single.columns[name] as never);
    const text = single.dictionaries.applicationName.decode(single.columns.applicationName[0] as number);
    one.columns.applicationName[0] = dictionaries.applicationName.encode(text);
    one.rowCount = 1;
    return one;
  });
  let next = 0;
  const turn = repeat(() => {
    for (let i = 0; i < 100; i++) scorer.score(flowsInTurn[next++ % flowsInTurn.length] as FlowBatch);
  });
  return { microseconds: turn / 100 * 1e6, tableBytes: scorer.tableBytes };
}

function measureLoad(): object {
  const artifacts = readArtifacts();
  const before = process.memoryUsage().rss;
  const start = cpuSeconds();
  const classifiers = artifacts.map((bytes): Classifier => readClassifier(bytes));
  const read = cpuSeconds();
  const scorer = new Scorer(classifiers);
  const ready = cpuSeconds();
  scorer.score(flows.rowCount > 0 ? createFlowBatch(1, flows.dictionaries) : flows);
  return {
    readMilliseconds: (read - start) * 1000, tableMilliseconds: (ready - read) * 1000,
    tableBytes: scorer.tableBytes, residentBytes: process.memoryUsage().rss - before,
    artifactBytes: artifacts.reduce((sum, { length }) => sum + length, 0) / artifacts.length,
  };
}

function measureFit(): object {
  const rows = encodeTraining().rows;
  const trainer = trainers.get('isolation-forest');
  if (trainer === undefined) throw new Error('nothing trains forests');
  const cold = cpuSeconds();
  trainer.fit(rows, {}, 0);
  const coldSeconds = cpuSeconds() - cold;
  let forestSeed = 1;
  const turn = repeat(() => void trainer.fit(rows, {}, forestSeed++));
  return { milliseconds: turn * 1000, coldMilliseconds: coldSeconds * 1000 };
}

const measures: Readonly<Record<string, () => object>> = {
  rows: measureRows, flows: measureFlows, latency: () => measureLatency('paper'),
  portable: () => measureLatency('portable'), load: measureLoad, fit: measureFit,
};
const measure = measures[what ?? ''];
if (measure === undefined) throw new Error(`score-ours.ts measures ${Object.keys(measures).join(', ')}`);
process.stdout.write(`${JSON.stringify(measure())}\n`);
