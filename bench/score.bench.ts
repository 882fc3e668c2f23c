/**
 * Isolation forests against onnxruntime-node and Debian's scikit-learn, one core: the same 100 trees, the same rows,
 * all encoded beforehand: as codes and scaled numbers for us, as one-hot matrix for the peers.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeClassifier } from '../src/classifier/artifact/index.ts';
import { exportOnnx } from '../src/classifier/artifact/onnx.ts';
import {
  createEncodedRows, createFeatureMatrix, type EncodedRows, expandOneHot, oneHotColumnCount, readFeatures,
} from '../src/pipeline/3-feature/index.ts';
import { type Bench, type BenchResult, compareRates, type Comparison, inFolder, median } from './bench.ts';
import { fitForest, makeFlows, scoredRows, seed, trainingRows } from './score-flows.ts';

const runs = 3;
const bench = 'score';
const seconds = 2;
/** One fit of scikit-learn takes a tenth of a second and more. */
const peerSeconds = 2;
const classifierCount = 100;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const scoreBench: Bench = {
  name: bench,
  description: 'isolation forests, fitting and scoring: against onnxruntime-node and scikit-learn',
  run: (say) => inFolder((folder) => run(folder, say)),
};

type Numbers = Readonly<Record<string, number>>;

/** Runs a program that prints one JSON object. @throws Error  it failed */
function ask(command: string, ...argv: readonly string[]): Numbers {
  const asked = spawnSync(command, argv, { encoding: 'utf8', maxBuffer: 1 << 24 });
  if (asked.status !== 0) throw new Error(`${argv[0]} ended with ${asked.status}: ${asked.stderr.slice(-2000)}`);
  return JSON.parse(asked.stdout) as Numbers;
}

function run(folder: string, say: (line: string) => void): BenchResult {
  const columns = prepare(folder, say);
  const hasOnnx = existsSync(here('peers/node_modules/onnxruntime-node'));
  const python = ['/usr/bin/python3', 'python3'].find(
    (program) => spawnSync(program, ['-c', 'import sklearn'], { stdio: 'ignore' }).status === 0);
  const ours: Record<string, Numbers[]> = { rows: [], flows: [], latency: [], portable: [], load: [], fit: [] };
  const onnx: Numbers[] = [];
  const sklearn: Numbers[] = [];
  for (let i = 0; i < runs; i++) {
    say(`run ${i + 1} of ${runs}`);
    for (const [what, results] of Object.entries(ours)) {
      results.push(ask('node', here('score-ours.ts'), what, folder, String(seconds)));
    }
    if (hasOnnx) {
      onnx.push(ask('node', here('peers/score-onnx.mjs'), folder, String(scoredRows), String(columns),
        String(peerSeconds)));
    }
    if (python !== undefined) {
      sklearn.push(ask(python, here('peers/score-sklearn.py'), folder, String(columns), String(seed),
        String(peerSeconds)));
    }
  }
  const pick = (results: readonly Numbers[] | undefined, name: string): number[] =>
    (results ?? []).map((result) => result[name] as number);
  const rates = pick(ours['rows'], 'rowsPerSecond');
  const rows: Comparison[] = [];
  checkMeans(ours['rows'] ?? [], onnx, 1e-6);
  checkMeans(ours['rows'] ?? [], sklearn, 1e-12);
  if (onnx.length > 0) {
    rows.push(compareRates(bench, 'onnxruntime-node', 'rows/CPU s', rates, pick(onnx, 'rowsPerSecond')));
  }
  if (sklearn.length > 0) {
    rows.push(compareRates(bench, 'scikit-learn', 'rows/CPU s', rates, pick(sklearn, 'rowsPerSecond')));
    const perSecond = (milliseconds: number[]): number[] => milliseconds.map((value) => 1000 / value);
    rows.push(compareRates(bench, 'scikit-learn', 'fits/CPU s', perSecond(pick(ours['fit'], 'milliseconds')),
      perSecond(pick(sklearn, 'fitMilliseconds'))));
  }
  const state = (what: string, name: string, digits = 1): string => median(pick(ours[what], name)).toFixed(digits);
  return {
    rows,
    notes: [
      ...(hasOnnx ? [] : ['onnxruntime-node is not installed: npm ci --prefix bench/peers']),
      ...(python === undefined ? ['scikit-learn is not installed: apt-get install python3-sklearn'] : []),
      `${scoredRows} flows a batch, ${columns} one-hot columns, 100 trees; fits on ${trainingRows} rows: ` +
        `${state('fit', 'milliseconds', 2)} ms warm, ${state('fit', 'coldMilliseconds')} ms the first time.`,
      `From flows to scores, features and encoding included: ${Math.round(median(pick(ours['flows'],
        'rowsPerSecond'))).toLocaleString('en-US')} rows/CPU s.`,
      `One flow, ${classifierCount} classifiers: ${state('portable', 'microseconds')} µs where stable categories may ` +
        `reject, ${state('latency', 'microseconds')} µs where every score is computed.`,
      `${classifierCount} artifacts of ${state('load', 'artifactBytes', 0)} bytes: read and checked in ` +
        `${state('load', 'readMilliseconds')} ms, tables made in ${state('load', 'tableMilliseconds')} ms; tables of ` +
        `${(median(pick(ours['load'], 'tableBytes')) / 2 ** 20).toFixed(1)} MiB, resident memory grows by ` +
        `${(median(pick(ours['load'], 'residentBytes')) / 2 ** 20).toFixed(1)} MiB.`,
    ],
  };
}

/** All have scored the same: means of the scores agree. @throws Error  they do not */
function checkMeans(ours: readonly Numbers[], theirs: readonly Numbers[], tolerance: number): void {
  for (const their of theirs) {
    const difference = Math.abs((ours[0]?.['mean'] as number) - (their['mean'] as number));
    if (!(difference <= tolerance)) throw new Error(`mean scores differ by ${difference}: not the same forest`);
  }
}

/** Writes artifacts and matrices. @returns one-hot columns */
function prepare(folder: string, say: (line: string) => void): number {
  say('fitting a hundred forests');
  for (let i = 0; i < classifierCount; i++) {
    writeFileSync(join(folder, `paper-${i}.nlc`), writeClassifier(fitForest(seed + i, { device: i }).classifier));
    writeFileSync(join(folder, `portable-${i}.nlc`),
      writeClassifier(fitForest(seed + i, { device: i, isPortable: true }).classifier));
  }
  const { encoder, rows, classifier } = fitForest();
  const onnx = exportOnnx(classifier);
  if (typeof onnx === 'string') throw new Error(onnx);
  writeFileSync(join(folder, 'classifier.onnx'), onnx);
  writeFileSync(join(folder, 'train.f32'), expand(rows));
  const flows = makeFlows(8, scoredRows, 0.1);
  const matrix = createFeatureMatrix(encoder.catalog, scoredRows);
  readFeatures(flows, matrix);
  const scored = createEncodedRows(encoder.layout, scoredRows);
  encoder.encode(matrix, scored);
  writeFileSync(join(folder, 'rows.f32'), expand(scored));
  return oneHotColumnCount(encoder.layout);
}

function expand(rows: EncodedRows): Float32Array {
  const out = new Float32Array(rows.rowCount * oneHotColumnCount(rows.layout));
  expandOneHot(rows, out);
  return out;
}
