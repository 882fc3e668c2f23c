/**
 * Ours with a second stage: a flow that shows a token counts only if boosted trees do not take it for one of another
 * device, which they learned from flows of the library that show a token, too.
 */
import { trainSecondStage } from '#classifier/train';
import { noToken } from '#evidence';
import {
  createEncodedRows, createEncoder, createFeatureMatrix, readFeatures, type FittedEncoder,
} from '#feature';
import type { FlowBatch } from '#flow';
import { predictBoostedTrees, type BoostedTrees } from '#score';
import { evidenceFacts, fitOn, learnOnce, matchFlows } from './evidence.ts';
import { type FlowMethod } from './home-method.ts';

export const evidenceCascade: FlowMethod = {
  name: 'evidence-cascade',
  meaning: 'The same, where flows count that boosted trees do not take for those of other devices.',
  ...evidenceFacts,
  learn: (context, windows) => {
    const { fingerprint, accept } = learnOnce(context);
    const { ours: { classifier }, own, library, world } = context;
    const stage = trainSecondStage({
      classifier, fingerprint, own, library: library.map((unit) => world.libraryUnitOf(unit)), accept,
    });
    return fitOn(context, fingerprint, windows, (batch) => {
      const tokens = matchFlows(fingerprint, batch, accept);
      if (stage !== undefined) refuseFlows(stage.trees, classifier.encoder, batch, tokens);
      return tokens;
    });
  },
};

/** Takes the tokens from flows that the second stage refuses. */
function refuseFlows(trees: BoostedTrees, fitted: FittedEncoder, batch: FlowBatch, tokens: Uint32Array): void {
  if (tokens.every((token) => token === noToken)) return;
  const encoder = createEncoder(fitted);
  const matrix = createFeatureMatrix(encoder.catalog, batch.rowCount);
  readFeatures(batch, matrix);
  const rows = createEncodedRows(encoder.layout, batch.rowCount);
  encoder.encode(matrix, rows);
  const odds = new Float64Array(batch.rowCount);
  predictBoostedTrees(trees, rows, odds);
  for (let row = 0; row < tokens.length; row++) {
    if ((odds[row] as number) < trees.acceptFrom) tokens[row] = noToken;
  }
}
