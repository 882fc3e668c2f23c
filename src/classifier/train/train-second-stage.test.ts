/** Second stages of made-up flows: who is refused, who passes, when there is none, what units held out tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncoder, createEncodedRows, createFeatureMatrix, findCatalog, needsOf, readFeatures, type Catalog,
  type FlowNeeds } from '#feature';
import { createDictionaries, type FlowBatch } from '#flow';
import { predictBoostedTrees, type Classifier } from '#score';
import { madeByNatlens } from '../../../test/support/labelled-flows.ts';
import { batchOfTokenFlows, tokenFlowDefaults, type TokenFlow } from '../../../test/support/token-flows.ts';
import { createLibraryUnit, type LibraryUnit } from './background-library.ts';
import { fitClassifier } from './fit-classifier.ts';
import { createAcceptFlows, learnHomeEvidence } from './learn-home-evidence.ts';
import {
  trainSecondStage, type SecondStage, type SecondStageInput, type SecondStageOptions,
} from './train-second-stage.ts';
import { TrainingFlows } from './training-flows.ts';

const { deviceModel } = tokenFlowDefaults;
const dictionaries = createDictionaries();

/** A heartbeat, and an exchange of many sizes with the same server. */
const ownFlows: readonly TokenFlow[] = Array.from({ length: 200 }, (_, hour) => [
  { hour }, { hour, minute: 20, octets: [400 + (hour * 7) % 90, 300 + (hour * 5) % 70] as const },
]).flat();

/** Heartbeats of its kind, too, and exchanges with that server that are far larger. */
const confuser = (device: string, make: string, octets: number, count = 40): LibraryUnit => {
  const flows = Array.from({ length: count }, (_, hour) => ({
    device, deviceModel: `tv.${make}.Two`, hour, octets: [octets + (hour * 3) % 50, 20 * octets] as const,
  }));
  return createLibraryUnit({
    device, deviceModel: `tv.${make}.Two`, flows: [batchOfTokenFlows(flows, dictionaries)],
  });
};

const part = (from: number, end: number): FlowBatch[] =>
  [batchOfTokenFlows(ownFlows.slice(ownFlows.length * from, ownFlows.length * end), dictionaries)];
const own = { training: part(0, 0.7), validation: part(0.7, 0.8) };

function trainClassifier(): Classifier {
  const flows = new TrainingFlows(findCatalog('portable') as Catalog, { deviceModel });
  flows.add(batchOfTokenFlows(ownFlows, dictionaries));
  return fitClassifier(flows.split(), {
    deviceModel, needs: needsOf(madeByNatlens) as FlowNeeds, algorithm: 'chow-liu-tree', seed: 1,
    natlensVersion: '0.0.0',
  }).classifier;
}

const classifier = trainClassifier();
const accept = createAcceptFlows(classifier);

/** Against a library in which the confusers' prefix is known from few of many units. */
function trainAgainst(
  library: readonly LibraryUnit[], options: Partial<SecondStageOptions> = {},
): { secondStage: SecondStage | undefined; input: SecondStageInput } {
  const { fingerprint } = learnHomeEvidence(classifier, own, library);
  const input = { classifier, fingerprint, own, library, accept };
  return { secondStage: trainSecondStage(input, options), input };
}

/** Share of a batch's flows that pass. */
function passing({ trees }: SecondStage, batch: FlowBatch): number {
  const encoder = createEncoder(classifier.encoder);
  const matrix = createFeatureMatrix(encoder.catalog, batch.rowCount);
  readFeatures(batch, matrix);
  const rows = createEncodedRows(encoder.layout, batch.rowCount);
  encoder.encode(matrix, rows);
  const odds = new Float64Array(batch.rowCount);
  predictBoostedTrees(trees, rows, odds);
  return odds.reduce((sum, value) => sum + Number(value >= trees.acceptFrom), 0) / batch.rowCount;
}

const strangers = Array.from({ length: 12 }, (_, i) => {
  const flows: TokenFlow[] = [0, 1, 2, 3].map((hour) =>
    ({ hour, device: `pc-${i}`, to: '203.0.113.9', port: 443, name: 'TLS.Video', octets: [9_000, 80_000] }));
  return createLibraryUnit({
    device: `pc-${i}`, deviceModel: `pc.Some.Make_${i}`, flows: [batchOfTokenFlows(flows, dictionaries)],
  });
});

test('flows of confusers are refused, also of those that were held out, and its own pass', () => {
  const confusers = [confuser('tv-a', 'A', 2_000), confuser('tv-b', 'B', 2_600), confuser('tv-c', 'C', 3_100)];
  const { secondStage } = trainAgainst([...strangers, ...confusers]);
  assert.ok(secondStage !== undefined);
  assert.equal(secondStage.libraryUnits, 3);
  assert.equal(secondStage.libraryFlows, 120);
  assert.deepEqual(secondStage.heldOut, { flows: 120, refused: 120 });
  assert.ok(passing(secondStage, own.validation[0] as FlowBatch) >= 0.99);
  assert.ok(passing(secondStage, batchOfTokenFlows(ownFlows.slice(-80), dictionaries)) >= 0.95);
  assert.equal(passing(secondStage, confuser('tv-d', 'D', 2_300).flows[0] as FlowBatch), 0);
});

test('what cannot be told apart passes, and the test with units held out says so', () => {
  const twins = ['E', 'F'].map((make) => createLibraryUnit({
    device: `twin-${make}`, deviceModel: `hub.Twin.${make}`,
    flows: [batchOfTokenFlows(ownFlows.filter((_, i) => i % 5 < 2).map((flow) => ({ ...flow, device: `twin-${make}` })),
      dictionaries)],
  }));
  const { secondStage } = trainAgainst([...strangers, ...twins]);
  assert.ok(secondStage !== undefined && secondStage.heldOut !== undefined);
  assert.ok(secondStage.heldOut.refused <= 0.05 * secondStage.heldOut.flows, JSON.stringify(secondStage.heldOut));
  assert.ok(passing(secondStage, own.validation[0] as FlowBatch) >= 0.99);
});

test('where the library hardly shows a token there is no second stage', () => {
  assert.equal(trainAgainst(strangers).secondStage, undefined);
  const shows = (count: number): LibraryUnit[] => [...strangers, confuser('tv-a', 'A', 2_000, count)];
  assert.equal(trainAgainst(shows(49)).secondStage, undefined);
  assert.ok(trainAgainst(shows(50)).secondStage !== undefined);
});

test('units of one device model are held out together: of a single one nothing is known', () => {
  const { secondStage } = trainAgainst([...strangers, confuser('tv-a', 'A', 2_000), confuser('tv-b', 'A', 2_600)]);
  assert.ok(secondStage !== undefined);
  assert.equal(secondStage.heldOut, undefined);
});

test('a busy unit does not speak for all, and the same flows give the same trees', () => {
  const library = [...strangers, confuser('tv-a', 'A', 2_000, 900), confuser('tv-b', 'B', 2_600)];
  const { secondStage, input } = trainAgainst(library, { unitFlowsMax: 60 });
  assert.equal(secondStage?.libraryFlows, 100);
  assert.deepEqual(trainSecondStage(input, { unitFlowsMax: 60 }), secondStage);
  assert.deepEqual(trainSecondStage({ ...input, library: library.toReversed() }, { unitFlowsMax: 60 }), secondStage);
  const few = trainSecondStage(input, { libraryFlowsMax: 14 * 30, ownFlowsMax: 100 });
  assert.deepEqual([few?.libraryFlows, few?.ownFlows], [60, 100]);
});
