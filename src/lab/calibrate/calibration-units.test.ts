/** Tokens of units' flows: those that a detector would find, for classifiers with and without a fingerprint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShippedClassifier } from '#classifier/artifact';
import { fitClassifier, learnFingerprint, TrainingFlows } from '#classifier/train';
import { noToken } from '#evidence';
import { findCatalog, needsOf, type Catalog, type FlowNeeds } from '#feature';
import { createDictionaries } from '#flow';
import type { BoostedTrees } from '#score';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { describeToken, findShownToken } from '../evaluate/home-evidence-tokens.ts';
import { readTokens, recordUnit, type CalibrationUnit } from './calibration-units.ts';

const dictionaries = createDictionaries();
const flows = batchOf(makeFlows(5_000, 3), dictionaries);
const unit: CalibrationUnit = {
  device: 'unit-1', deviceModel: 'webcam.Test.One', kind: 'iot', source: 'lab', flows, train: 3_500, validation: 500,
};
const training = new TrainingFlows(findCatalog('portable') as Catalog, { deviceModel: undefined });
training.add(flows);
const { classifier } = fitClassifier(training.split(), {
  deviceModel: unit.deviceModel, needs: needsOf(madeByNatlens) as FlowNeeds, algorithm: 'chow-liu-tree', seed: 1,
  natlensVersion: '0',
});
const fingerprint = learnFingerprint({ training: [flows], validation: [] }, []);
const plain: ShippedClassifier = { classifier, fingerprint: undefined, secondStage: undefined, calibration: undefined };
const shipped: ShippedClassifier = { ...plain, fingerprint };

/** No tree: every flow has the same odds. */
function oddsOnly(odds: number): BoostedTrees {
  return {
    layout: classifier.detector.layout, base: odds,
    roots: new Uint32Array(0), feature: new Uint16Array(0), threshold: new Float32Array(0),
    missingLeft: new Uint8Array(0), codeSetAt: new Uint32Array(0), codeSets: new Uint32Array(0),
    left: new Uint32Array(0), acceptFrom: 0,
  };
}

test('tokens of a fingerprint are those of the definition, also where a batch must be cut', () => {
  const [tokens] = readTokens([shipped], [unit], 10);
  const rows = tokens?.rowsOf(unit.device);
  assert.ok(rows !== undefined && flows.rowCount > 4_096);
  assert.deepEqual(tokens?.weights, fingerprint.tokens.map(({ weight }) => weight));
  for (const row of [0, 1, 2, 77, 4_095, 4_096, 4_999]) {
    const shown = findShownToken(flows, row, false, fingerprint);
    const found = rows[row] === noToken ? undefined : fingerprint.tokens[rows[row] as number];
    assert.equal(found?.text, shown?.text, `row ${row}`);
  }
  assert.ok(rows.some((token) => token !== noToken));
});

test('without a fingerprint each destination of an accepted flow is a token of weight 1', () => {
  const [tokens, byFingerprint] = readTokens([plain, shipped], [unit], 10);
  const rows = tokens?.rowsOf(unit.device);
  assert.ok(rows !== undefined && byFingerprint !== undefined);
  const texts = new Map<number, string>();
  for (const [row, token] of rows.entries()) {
    if (token === noToken) continue;
    const text = describeToken(flows, row);
    assert.equal(texts.get(token) ?? text, text);
    texts.set(token, text);
  }
  assert.ok(texts.size > 1);
  assert.deepEqual(tokens?.weights, Array.from(texts, () => 1));
  const accepted = rows.filter((token) => token !== noToken).length / rows.length;
  assert.ok(accepted > 0.8 && accepted < 1, `${accepted} of the flows are accepted at the 10th percentile`);
});

test('what the second stage refuses is no token, what it lets pass is', () => {
  const count = (secondStage: BoostedTrees | undefined): number =>
    readTokens([{ ...shipped, secondStage }], [unit], 10)[0]
    ?.rowsOf(unit.device).filter((token) => token !== noToken).length ?? -1;
  assert.equal(count(oddsOnly(1)), count(undefined));
  assert.equal(count(oddsOnly(-1)), 0);
});

test('a unit is recorded whole and in parts; flows of a recording are found by it', () => {
  const { whole, validation, test: tested } = recordUnit(unit);
  assert.deepEqual([whole?.endMs.length, validation?.endMs.length, tested?.endMs.length], [5_000, 500, 1_000]);
  const [tokens] = readTokens([shipped], [unit], 10);
  assert.ok(tokens !== undefined && whole !== undefined);
  const shown = tokens.tokensOf(whole);
  assert.equal(shown, tokens.tokensOf(whole), 'worked out once');
  assert.equal(shown.token.length, tokens.rowsOf(unit.device).filter((token) => token !== noToken).length);
});
