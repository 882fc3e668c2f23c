/** Tokens of flows with a second stage behind the matcher: asked of the flows that show one, and of each alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArtifact } from '#classifier/artifact';
import { createDictionaries, createFlowBatch, copyRows, type FlowBatch } from '#flow';
import { logOddsOf } from '#score';
import { createEncodedRows, createEncoder, createFeatureMatrix, readFeatures } from '#feature';
import { makeArtifact, makeHomeFlows, makeWorldFingerprint } from '../../../test/support/detector-world.ts';
import { makeSecondStage } from '../../../test/support/shipped-parts.ts';
import { FingerprintMatcher } from './fingerprint-matcher.ts';
import { noToken } from './fingerprint.ts';
import { TokenFinder, type TokenSource } from './token-finder.ts';

const { classifier } = readArtifact(makeArtifact());
const fingerprint = makeWorldFingerprint();
const trees = makeSecondStage(classifier.detector.layout);
const rowCount = 500;
const home = { from: '198.51.100.1', isDevice: true, endMs: Array.from({ length: rowCount }, (_, i) => i * 60_000) };
const batch = makeHomeFlows(home);
const isAccepted = [new Uint8Array(rowCount)];

const find = (source: Partial<TokenSource>, flows: FlowBatch = batch): { tokens: number[]; refused: number[] } => {
  const finder = new TokenFinder([{ classifier, fingerprint, secondStage: undefined, ...source }], rowCount);
  const { tokens: [tokens], isRefused: [refused] } = finder.find(flows, isAccepted);
  return { tokens: [...tokens ?? []].slice(0, flows.rowCount), refused: [...refused ?? []] };
};
const matched = new Uint32Array(rowCount);
new FingerprintMatcher([fingerprint]).match(batch, isAccepted, [matched]);

test('without a second stage it is what the matcher finds', () => {
  assert.deepEqual(find({}), { tokens: [...matched], refused: [] });
  assert.ok(matched.includes(noToken) && matched.some((token) => token !== noToken));
  assert.deepEqual(find({ fingerprint: undefined }).tokens, []);
});

test('of flows that show a token those are left that the second stage takes, as it says of each alone', () => {
  const encoder = createEncoder(classifier.encoder);
  const matrix = createFeatureMatrix(encoder.catalog, 1);
  const rows = createEncodedRows(encoder.layout, 1);
  const odds = Array.from({ length: rowCount }, (_, row) => {
    const one = createFlowBatch(1, batch.dictionaries);
    copyRows(batch, row, row + 1, one);
    readFeatures(one, matrix);
    encoder.encode(matrix, rows);
    return logOddsOf(trees, rows, 0);
  });
  const asked = [...odds].sort((a, b) => a - b);
  for (const acceptFrom of [-Infinity, asked[rowCount / 2] as number, Infinity]) {
    const { tokens, refused } = find({ secondStage: { ...trees, acceptFrom } });
    const isOut = (row: number): boolean => matched[row] !== noToken && (odds[row] as number) < acceptFrom;
    assert.deepEqual(tokens, [...matched].map((token, row) => (isOut(row) ? noToken : token)));
    assert.deepEqual(refused, [...matched].map((_, row) => Number(isOut(row))));
  }
});

test('batches follow each other, over other dictionaries, too; what one left behind the next does not see', () => {
  const finder = new TokenFinder([{ classifier, fingerprint, secondStage: { ...trees, acceptFrom: Infinity } },
    { classifier, fingerprint, secondStage: undefined }], rowCount);
  const both = [isAccepted[0] as Uint8Array, isAccepted[0] as Uint8Array];
  for (const flows of [batch, makeHomeFlows({ ...home, dictionaries: createDictionaries() }),
    makeHomeFlows({ ...home, isDevice: false }), batch]) {
    const { tokens: [none, all], isRefused: [refused] } = finder.find(flows, both);
    const expected = new Uint32Array(rowCount);
    new FingerprintMatcher([fingerprint]).match(flows, isAccepted, [expected]);
    assert.ok(none?.every((token) => token === noToken));
    assert.deepEqual(all, expected);
    assert.deepEqual([...refused ?? []], [...expected].map((token) => Number(token !== noToken)));
  }
});
