/**
 * The detectors that lose to isolation forests in Meidan et al. 2019 (§6.3), tried on homes: a one-class support vector
 * machine (Schölkopf et al. 2001) and local outlier factors (Breunig et al. 2000) on the paper's features. Flows that
 * they accept at the paper's best percentile are counted in a window, as k-of-n counts those of the forest.
 */
import { assertInvariant } from '#base';
import { fitClassifier, TrainingFlows } from '#classifier/train';
import { noToken } from '#evidence';
import { findCatalog } from '#feature';
import { Scorer, type AlgorithmName, type Provenance } from '#score';
import { decideConformally } from './decide.ts';
import { flowPrivacy, type FlowMethod, type LearnContext, type ScoredClassifier } from './home-method.ts';
import { acceptingThreshold, tokensOfScores } from './single-flow.ts';
import { createFlowCount } from './window-scores.ts';

export const oneClassSvmHits: FlowMethod = createMethod('one-class-svm', {
  meaning: 'Flows in an hour that a one-class SVM accepts: catalog paper, 10th percentile.',
  source: 'Schölkopf et al. 2001',
  // Half of the rows become support vectors, and each flow of each home is held against every one of them.
  parameters: { rowsMax: 4_000 },
});

export const localOutlierHits: FlowMethod = createMethod('local-outlier-factor', {
  meaning: 'Flows in an hour that local outlier factors accept: catalog paper, 10th percentile.',
  source: 'Breunig et al. 2000',
  // Neighbours are found by a search, which asks fewer rows than there are.
  parameters: { rowsMax: 16_000 },
});

type Kind = {
  readonly meaning: string;
  readonly source: string;
  /** What differs from scikit-learn's defaults. */
  readonly parameters: Provenance['parameters'];
};

function createMethod(algorithm: AlgorithmName, { meaning, source, parameters }: Kind): FlowMethod {
  return {
    name: `${algorithm}-hits`, meaning, source, sees: 'flow records', privacy: flowPrivacy, namesGroups: false,
    isCalibrated: true,
    learn: (context) => {
      const scored = trainOn(context, algorithm, parameters);
      const threshold = acceptingThreshold(scored);
      return {
        tokensOf: tokensOfScores(context.world, scored, (score) => score <= threshold ? 0 : noToken),
        createScore: createFlowCount,
        decide: decideConformally,
      };
    },
  };
}

function trainOn(
  { deviceModel, seed, ownUnits, ours }: LearnContext, algorithm: AlgorithmName, parameters: Provenance['parameters'],
): ScoredClassifier {
  const catalog = findCatalog('paper');
  assertInvariant(catalog !== undefined, 'there is no catalog paper');
  const training = new TrainingFlows(catalog, { deviceModel });
  for (const { flows } of ownUnits) training.add(flows);
  // Units of one device model whose flows were made differently were refused when ours was trained.
  const { needs, provenance: { natlensVersion } } = ours.classifier;
  const { classifier } = fitClassifier(training.split(), {
    deviceModel, needs, algorithm, parameters, seed, natlensVersion,
  });
  const scorer = new Scorer([classifier]);
  return {
    classifier,
    anomalyScores: (batch) => {
      const { anomalyScore: [scores] } = scorer.score(batch);
      assertInvariant(scores !== undefined, 'a classifier gave no scores');
      return scores.slice(0, batch.rowCount);
    },
  };
}
