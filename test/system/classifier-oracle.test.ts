/**
 * Classifiers as the command makes them beside scikit-learn and numpy on the matrices that it exports, and beside
 * onnxruntime on the model that it exports. On a simulated lab, and on six days of real devices where they are shared.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { asMetered, makeLabelledHome } from '../support/labelled-home.ts';
import { readRows, runNatlens, type FlowRow } from '../support/natlens-process.ts';
import { rootFolder } from '../support/source-tree.ts';
import { findCaptures, missing, sharedData } from './shared-data.ts';
import { findSklearnPython, runOracle } from './sklearn.ts';

let folder = '';
const python = findSklearnPython();
const withoutSklearn = python === undefined ? 'python3-sklearn is not installed' : false;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'natlens-oracle-'));
  makeLabelledHome(folder);
});

after(() => rmSync(folder, { recursive: true, force: true }));

function natlens(...args: string[]): string {
  const { status, stdout, stderr } = runNatlens(args, { cwd: folder });
  assert.equal(status, 0, `natlens ${args.join(' ')}: ${stderr}`);
  return stdout;
}

type Trained = { readonly trainingFlows: number; readonly columns: number; readonly fitSeconds: number };
type Inspected = { readonly thresholds: { readonly default: number; readonly byPercentile: readonly number[] } };
type Oracle = {
  readonly rows: readonly number[]; readonly scores: readonly number[]; readonly threshold: number;
  readonly fitSeconds: number; readonly percentiles: readonly number[];
};

/** Scores of the flows that validate, cut out anew: of each device the flows from 70 % to 80 % of its time. */
function validationScores(rows: readonly FlowRow[], deviceModel: string): number[] {
  const own = rows.filter((row) => row.device_model === deviceModel);
  return [...new Set(own.map(({ device }) => device))].flatMap((device) => {
    const ordered = own.filter((row) => row.device === device)
      .sort((a, b) => Number(a.flowStartMilliseconds) - Number(b.flowStartMilliseconds));
    return ordered.slice(Math.floor(ordered.length * 7 / 10), Math.floor(ordered.length * 8 / 10))
      .map((row) => Number(row[`anomalyScore.${deviceModel}`]));
  });
}

/**
 * Trains and scores, and has scikit-learn do the same. Flows that are rejected for a new category of a stable feature
 * have no counterpart there; the paper's features reject none.
 */
function compareWithSklearn(
  context: TestContext, flows: string, deviceModel: string, catalog: 'paper' | 'natlens' = 'paper',
): void {
  const seed = 42;
  const trained = JSON.parse(natlens('train', flows, '--made-as', asMetered, '--device-model', deviceModel,
    '--catalog', catalog, '--algorithm', 'isolation-forest', '--seed', String(seed), '-o', 'c.nlc', '--matrix',
    'train.npy', '--json')) as Trained;
  natlens('score', flows, '--made-as', asMetered, 'c.nlc', '-o', 'scores.csv', '--matrix', 'scored.npy');
  const rows = readRows(readFileSync(join(folder, 'scores.csv'), 'utf8'));
  const scores = rows.map((row) => Number(row[`anomalyScore.${deviceModel}`]));
  writeFileSync(join(folder, 'validation.json'), JSON.stringify(validationScores(rows, deviceModel)));
  const inFolder = (name: string): string => join(folder, name);
  const oracle = JSON.parse(runOracle(python as string, 'classifier.py', inFolder('train.npy'), inFolder('scored.npy'),
    String(seed), inFolder('validation.json'))) as Oracle;
  assert.deepEqual(oracle.rows, [trained.trainingFlows, trained.columns]);
  assert.equal(oracle.scores.length, scores.length);
  const rejectedCount = scores.filter((score) => score === 1).length;
  assert.ok(catalog === 'natlens' || rejectedCount === 0);
  const furthest = oracle.scores.reduce((most, score, i) =>
    (scores[i] === 1 ? most : Math.max(most, Math.abs(score - (scores[i] as number)))), 0);
  assert.ok(furthest < 1e-12, `a score differs by ${furthest}`);
  assert.ok(new Set(scores).size > 50, 'many different scores');
  const { thresholds } = JSON.parse(natlens('classifier', 'inspect', 'c.nlc', '--json')) as Inspected;
  assert.equal(thresholds.default, oracle.threshold);
  if (catalog === 'paper') assert.deepEqual(thresholds.byPercentile, oracle.percentiles);
  context.diagnostic(`${deviceModel}: ${scores.length} scores within ${furthest}, ${rejectedCount} rejections; ` +
    `fit ${trained.fitSeconds.toFixed(3)} s, scikit-learn ${oracle.fitSeconds.toFixed(3)} s`);
}

test('a simulated webcam: scores and thresholds are those of scikit-learn', { skip: withoutSklearn }, (context) => {
  compareWithSklearn(context, 'lab.csv', 'webcam.Example.Cam_1');
  compareWithSklearn(context, 'lab.csv', 'webcam.Example.Cam_1', 'natlens');
});

/** Flows of the shared captures, labelled by link address. @returns device models */
function labelShared(): string[] {
  const inventory = readFileSync(`${sharedData}captures/inventory.csv`, 'utf8').trimEnd().split('\n').slice(1)
    .map((line) => line.split(','));
  const byMac = new Map(inventory.map(([capture = '', mac = '', model = '']) =>
    [mac, { device: capture.replace(/^.*\/|\.pcap$/g, ''), model }]));
  natlens('flows', ...findCaptures('captures/fit/*.pcap'), '-q', '-o', 'fit.csv');
  const rows = readRows(readFileSync(join(folder, 'fit.csv'), 'utf8'));
  const names = Object.keys(rows[0] ?? {});
  const labelled = rows.map((row) => {
    const found = byMac.get(row.sourceMacAddress ?? '');
    const cells = { ...row, device: found?.device ?? '', device_model: found?.model ?? '' } as FlowRow;
    return names.map((name) => cells[name]).join(',');
  });
  writeFileSync(join(folder, 'fit-lab.csv'), `${[names.join(','), ...labelled].join('\n')}\n`);
  return [...new Set(rows.flatMap((row) => byMac.get(row.sourceMacAddress ?? '')?.model ?? []))].sort();
}

test('real devices: under a second of fitting, sound artifacts, the same bytes twice, scikit-learn\'s scores', {
  skip: withoutSklearn === false ? missing({ data: ['captures/fit'] }) : withoutSklearn,
}, (context) => {
  const models = labelShared();
  assert.ok(models.length >= 4, models.join(' '));
  for (const model of models) {
    for (const catalog of ['paper', 'natlens']) {
      const files = ['one.nlc', 'two.nlc'];
      for (const file of files) {
        const { fitSeconds } = JSON.parse(natlens('train', 'fit-lab.csv', '--made-as', asMetered, '--device-model',
          model, '--catalog', catalog, '--algorithm', 'isolation-forest', '-o', file, '--json')) as Trained;
        assert.ok(fitSeconds < 1, `${model}: ${fitSeconds} s`);
      }
      const [one, two] = files.map((file) => readFileSync(join(folder, file)));
      assert.ok(one?.equals(two as Buffer), model);
      assert.ok((one?.length ?? Infinity) < 100_000, `${model}: ${one?.length} bytes`);
      natlens('classifier', 'verify', ...files);
      context.diagnostic(`${model} on ${catalog}: ${one?.length} bytes`);
    }
    compareWithSklearn(context, 'fit-lab.csv', model);
  }
});

type Tensor = { readonly data: Float32Array; readonly dims: readonly number[] };
type Onnxruntime = {
  readonly InferenceSession: { create(path: string): Promise<{ run(feeds: object): Promise<Record<string, Tensor>> }> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
};

const peers = join(rootFolder, 'bench/peers/package.json');
const hasOnnxruntime = existsSync(join(rootFolder, 'bench/peers/node_modules/onnxruntime-node'));

/** Rows and shape of a file that `--matrix` wrote. */
function readNpy(path: string): { values: Float32Array; shape: [number, number] } {
  const bytes = readFileSync(path);
  const at = 10 + bytes.readUInt16LE(8);
  const shape = /\((\d+), (\d+)\)/.exec(bytes.subarray(10, at).toString());
  return {
    values: new Float32Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + bytes.length)),
    shape: [Number(shape?.[1]), Number(shape?.[2])],
  };
}

test('onnxruntime gives the exported model\'s scores, to float32', {
  skip: hasOnnxruntime ? false : 'onnxruntime-node is not installed: npm ci --prefix bench/peers',
}, async (context) => {
  const deviceModel = 'webcam.Example.Cam_1';
  natlens('train', 'lab.csv', '--made-as', asMetered, '--device-model', deviceModel, '--catalog', 'paper',
    '--algorithm', 'isolation-forest', '-o', 'o.nlc');
  natlens('classifier', 'export', 'o.nlc', '--onnx', 'o.onnx');
  natlens('score', 'lab.csv', '--made-as', asMetered, 'o.nlc', '-o', 'o.csv', '--matrix', 'o.npy');
  const scores = readRows(readFileSync(join(folder, 'o.csv'), 'utf8'))
    .map((row) => Number(row[`anomalyScore.${deviceModel}`]));
  const { values, shape } = readNpy(join(folder, 'o.npy'));
  const onnxruntime = createRequire(peers)('onnxruntime-node') as Onnxruntime;
  const session = await onnxruntime.InferenceSession.create(join(folder, 'o.onnx'));
  const { anomalyScore } = await session.run({ rows: new onnxruntime.Tensor('float32', values, shape) });
  assert.deepEqual(anomalyScore?.dims, [scores.length, 1]);
  const furthest = scores.reduce((most, score, i) =>
    Math.max(most, Math.abs(score - (anomalyScore?.data[i] as number))), 0);
  assert.ok(furthest < 1e-6, `a score differs by ${furthest}`);
  context.diagnostic(`${scores.length} scores within ${furthest}`);
});

const onnxPython = ['/usr/bin/python3', 'python3'].find((name) =>
  spawnSync(name, ['-c', 'import onnx.checker'], { stdio: 'ignore' }).status === 0);

test('the checker of ONNX accepts the exported model', {
  skip: onnxPython === undefined ? 'python3-onnx is not installed' : false,
}, () => {
  natlens('train', 'lab.csv', '--made-as', asMetered, '--device-model', 'webcam.Example.Cam_1',
    '--algorithm', 'isolation-forest', '--catalog', 'natlens', '-o', 'k.nlc');
  natlens('classifier', 'export', 'k.nlc', '--onnx', 'k.onnx');
  const check = 'import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)';
  const model = join(folder, 'k.onnx');
  const { status, stderr } = spawnSync(onnxPython as string, ['-c', check, model], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
