/** Many classifiers over batches of flows: the scores of each one alone, whoever runs the inner loops. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '#base';
import { catalogs, createEncodedRows, createEncoder, createFeatureMatrix, readFeatures, type Catalog } from '#feature';
import { EncoderBuilder } from '#feature/fit';
import { createDictionaries, createFlowBatch, type FlowBatch } from '#flow';
import { trainers } from '#score/fit';
import { type Classifier, scoreRows, unseenScore } from './classifier.ts';
import type { AlgorithmName } from './detector.ts';
import { Scorer } from './scorer.ts';

const dictionaries = createDictionaries();

/** Flows of some device: few destinations, few sizes. */
function makeFlows(random: Random, rowCount: number): FlowBatch {
  const batch = createFlowBatch(rowCount, dictionaries);
  batch.rowCount = rowCount;
  const { columns } = batch;
  for (let row = 0; row < rowCount; row++) {
    columns.flowStartMilliseconds[row] = 1e12;
    columns.flowEndMilliseconds[row] = 1e12 + random.integer(0, 5_000);
    columns.initiatorOctets[row] = random.integer(40, 3_000);
    columns.responderOctets[row] = random.integer(0, 9_000);
    columns.initiatorPackets[row] = random.integer(1, 20);
    columns.responderPackets[row] = random.integer(0, 20);
    columns.protocolIdentifier[row] = random.pick([6, 17]);
    columns.destinationTransportPort[row] = random.pick([53, 123, 443, 8883]);
    columns.tcpControlBits[row] = random.pick([2, 24, 27]);
    columns.destinationAddress.set([0, 0, 0xffff, 0x08080000 + random.integer(0, 3) * 256], row * 4);
    const name = random.pick(['DNS', 'NTP', 'TLS', 'TLS.Amazon']);
    columns.applicationName[row] = dictionaries.applicationName.encode(name);
  }
  return batch;
}

function fit(catalog: Catalog, algorithm: AlgorithmName, seed: number, stableFeatures: number[] = []): Classifier {
  const flows = makeFlows(new Random(seed), 300);
  const matrix = createFeatureMatrix(catalog, 300);
  readFeatures(flows, matrix);
  const builder = new EncoderBuilder(catalog);
  builder.add(matrix);
  const encoder = builder.fit();
  const { encode, layout } = createEncoder(encoder);
  const rows = createEncodedRows(layout, 300);
  encode(matrix, rows);
  const trainer = trainers.get(algorithm);
  assert.ok(trainer);
  const detector = trainer.fit(rows, {}, seed);
  return {
    deviceModel: `test.model.${seed}`, encoder, detector, stableFeatures,
    needs: { isBiflow: true, l7Source: 'none', activeTimeoutMs: 0, idleTimeoutMs: 0 },
    thresholds: { default: detector.defaultThreshold, byPercentile: new Float64Array(31) },
    fitness: { isFit: true, reasons: [] },
    provenance: {
      natlensVersion: '', trainingDigest: '', trainingFlows: 300, validationFlows: 0, devices: 1, seed, parameters: {},
    },
  };
}

const classifiers = catalogs.flatMap((catalog, i) => [
  fit(catalog, 'isolation-forest', i * 10 + 1), fit(catalog, 'isolation-forest', i * 10 + 2, [3]),
  fit(catalog, 'local-outlier-factor', i * 10 + 3),
]);

/** The scores of one classifier alone, by the readable code. */
function scoreAlone(classifier: Classifier, flows: FlowBatch): Float64Array {
  const encoder = createEncoder(classifier.encoder);
  const matrix = createFeatureMatrix(encoder.catalog, flows.rowCount);
  readFeatures(flows, matrix);
  const rows = createEncodedRows(encoder.layout, flows.rowCount);
  encoder.encode(matrix, rows);
  const out = new Float64Array(flows.rowCount);
  scoreRows(classifier, rows, out);
  return out;
}

test('together they score as each one alone, with the kernel and without it', () => {
  const random = new Random(5);
  const scorers = [new Scorer(classifiers), new Scorer(classifiers, { kernel: 'none' })];
  let unseen = 0;
  for (const rowCount of [1, 700, 0, 257]) {
    const flows = makeFlows(random, rowCount);
    for (let row = 0; row < rowCount; row += 3) flows.columns.destinationTransportPort[row] = random.integer(1, 65_535);
    const expected = classifiers.map((classifier) => scoreAlone(classifier, flows));
    for (const scorer of scorers) {
      const { anomalyScore, rowCount: scored } = scorer.score(flows);
      assert.equal(scored, rowCount);
      classifiers.forEach((_, i) => assert.deepEqual(anomalyScore[i]?.subarray(0, rowCount), expected[i]));
    }
    unseen += (expected[1] as Float64Array).filter((score) => score === unseenScore).length;
  }
  assert.ok(unseen > 100, 'some flows have a category that training never showed');
});

test('no classifiers give no scores; a batch beyond the limit is our own bug', () => {
  assert.deepEqual(new Scorer([]).score(makeFlows(new Random(1), 3)), { rowCount: 3, anomalyScore: [] });
  const small = new Scorer(classifiers.slice(0, 1), { batchRows: 2 });
  assert.throws(() => small.score(makeFlows(new Random(1), 3)), /too small/);
});

test('the tables of a hundred classifiers are bounded', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => classifiers[i % 2] as Classifier);
  const { tableBytes } = new Scorer(hundred, { batchRows: 16 });
  assert.ok(tableBytes > 1 << 20 && tableBytes < 200 << 20, `${tableBytes} bytes`);
  assert.equal(new Scorer(hundred, { kernel: 'none' }).tableBytes, 0);
});
