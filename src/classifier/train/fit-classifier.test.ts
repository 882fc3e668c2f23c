/** Training as a whole: the same twice, seeds, parameters, what the validation part decides, flows that are too few. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '#base';
import { createEncoder, createEncodedRows, createFeatureMatrix, findCatalog, needsOf, readFeatures, type Catalog,
  type FlowNeeds } from '#feature';
import { acceptScores, chooseThreshold, scoreRows, unseenScore, type Classifier } from '#score';
import { trainers } from '#score/fit';
import { batchOf, madeByNatlens, makeFlows, type MadeFlow } from '../../../test/support/labelled-flows.ts';
import { fitClassifier, type FitOptions, type TrainedClassifier } from './fit-classifier.ts';
import { TrainingFlows } from './training-flows.ts';

const options: FitOptions = {
  deviceModel: 'webcam.Test.One', needs: needsOf(madeByNatlens) as FlowNeeds, algorithm: 'isolation-forest', seed: 1,
  natlensVersion: '0.0.0',
};

function train(flows: readonly MadeFlow[], more: Partial<FitOptions> = {}, catalog = 'natlens'): TrainedClassifier {
  const training = new TrainingFlows(findCatalog(catalog) as Catalog, { deviceModel: options.deviceModel });
  training.add(batchOf(flows));
  return fitClassifier(training.split(), { ...options, ...more });
}

function scoresOf(classifier: Classifier, flows: readonly MadeFlow[]): Float64Array {
  const encoder = createEncoder(classifier.encoder);
  const matrix = createFeatureMatrix(encoder.catalog, flows.length);
  const rows = createEncodedRows(encoder.layout, flows.length);
  readFeatures(batchOf(flows), matrix);
  encoder.encode(matrix, rows);
  const out = new Float64Array(flows.length);
  scoreRows(classifier, rows, out);
  return out;
}

const home = makeFlows(400, 5);

test('every algorithm trains, calibrates and accepts about nine tenths of its own later flows', () => {
  for (const algorithm of trainers.keys()) {
    const { classifier } = train(home, { algorithm });
    assert.deepEqual(classifier.fitness, { isFit: true, reasons: [] }, algorithm);
    assert.equal(classifier.provenance.trainingFlows, 280);
    assert.equal(classifier.provenance.validationFlows, 40);
    const own = scoresOf(classifier, home.slice(320));
    const accepted = new Uint8Array(own.length);
    acceptScores(own, own.length, chooseThreshold(classifier.thresholds, 10), accepted);
    const share = accepted.reduce((sum, one) => sum + one, 0) / own.length;
    assert.ok(share > 0.6, `${algorithm} accepts ${share} of its own`);
  }
});

test('a new port rejects with our features and not with the paper\'s', () => {
  const strange = makeFlows(20, 9, { port: 23, name: 'Telnet' });
  const ours = train(home).classifier;
  assert.ok(ours.stableFeatures.length > 0);
  assert.ok(scoresOf(ours, strange).every((score) => score === unseenScore));
  assert.ok(scoresOf(ours, home).every((score) => score < unseenScore));
  const paper = train(home, {}, 'paper').classifier;
  assert.deepEqual(paper.stableFeatures, []);
  assert.ok(scoresOf(paper, strange).every((score) => score < unseenScore));
});

test('the same flows, options and seed give the same scores; another seed gives others', () => {
  const [first, second, other] = [train(home), train(home), train(home, { seed: 2 })];
  assert.deepEqual(first.validation.scores, second.validation.scores);
  assert.deepEqual(first.classifier.thresholds, second.classifier.thresholds);
  assert.deepEqual(first.classifier.provenance, second.classifier.provenance);
  assert.notDeepEqual(first.validation.scores, other.validation.scores);
});

test('parameters reach the algorithm, and provenance holds all of them', () => {
  const { classifier } = train(home, { parameters: { treeCount: 7 } });
  assert.deepEqual(classifier.provenance.parameters, { treeCount: 7, maxSamples: 256, contamination: 'auto' });
  const { treeStart } = classifier.detector as unknown as { treeStart: Uint32Array };
  assert.equal(treeStart.length, 8);
});

test('a home whose flows change their nature is unfit', () => {
  // One kind of flow, but for an hour that looks otherwise and is never seen again.
  const storm = makeFlows(1_200, 5, { port: 8_883, name: 'MQTT.Cloud' }).map((flow, i) =>
    (i >= 600 && i < 670 ? { ...flow, port: 53, name: 'DNS' } : flow));
  assert.deepEqual(train(storm, {}, 'paper').classifier.fitness.reasons.map(({ code }) => code), ['validation-drift']);
});

test('too few flows for both parts are refused', () => {
  assert.throws(() => train(home.slice(0, 3)), OperatorError);
  assert.throws(() => train([]), OperatorError);
  assert.equal(train(home.slice(0, 10)).classifier.fitness.isFit, false);
});
