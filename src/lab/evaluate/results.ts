/**
 * What an experiment finds out: one result for each device model, algorithm, catalog and seed, as `natlens lab
 * experiment --json` prints it, and what a report draws beside it. Plain data, the same for the same seed.
 */

/** Shares of flows that are accepted: of the device model's own, of all others. */
export type Rates = { readonly tpr: number; readonly fpr: number };

export type Confuser = {
  readonly deviceModel: string;
  /** Of its test flows, the share that is accepted at the threshold of percentile 10. */
  readonly share: number;
  /** Why: features whose values lie in what training showed of M, in almost all of the accepted flows. */
  readonly because: readonly string[];
};

export type ExperimentResult = {
  readonly deviceModel: string;
  readonly algorithm: string;
  readonly catalog: string;
  readonly seed: number;
  readonly flows: { readonly train: number; readonly validation: number; readonly test: number };
  /** Area under the curve over the test parts: own flows against those of all other devices. */
  readonly auc: number;
  /** 95 % of bootstrap samples of flows. */
  readonly aucInterval: readonly [number, number];
  readonly default: Rates;
  /** p = 0 … 30. */
  readonly percentiles: readonly (Rates & { readonly p: number })[];
  readonly fprAtTpr90: number;
  /** Mean over the other devices of the share of their flows accepted at percentile 10: each device counts once. */
  readonly deviceMacroFpr: number;
  readonly trainSeconds: number;
  readonly artifactBytes: number;
  /**
   * Mean seconds between accepted test flows of one unit, of their duration, and both together: time to detect. `null`
   * where no two flows of a unit, or none at all, were accepted: it was not detected, which no number says.
   */
  readonly interArrivalSeconds: number | null;
  readonly durationSeconds: number | null;
  readonly timeToDetectSeconds: number | null;
  /** Of simulated homes without M, the share in which an hour of flows has one that is accepted at percentile 10. */
  readonly homesAlarmedByOneFlow: number;
  readonly confusers: readonly Confuser[];
  /** Why the classifier calls itself unfit; empty: it is fit. */
  readonly unfit: readonly string[];
};

/** What is drawn of one result; bounded, whatever the number of flows. */
export type ExperimentDetails = {
  readonly deviceModel: string;
  readonly algorithm: string;
  readonly catalog: string;
  readonly seed: number;
  /** Points of the curve, thinned to 200 at most: false and true positive rate. */
  readonly roc: readonly (readonly [number, number])[];
  /** Counts of scores in 50 equal bins of 0..1, of own and of others' test flows. */
  readonly ownScores: readonly number[];
  readonly otherScores: readonly number[];
  /** By device model of the flows: share of test flows accepted at percentile 10. */
  readonly acceptedShare: Readonly<Record<string, number>>;
};

/** Traffic of one unit, for timelines: flows and octets by equal slices of its time. */
export type DeviceTimeline = {
  readonly device: string;
  readonly deviceModel: string;
  readonly startMs: number;
  readonly sliceMs: number;
  readonly flows: readonly number[];
  readonly octets: readonly number[];
};

/** All that a report is made of. */
export type ExperimentReport = {
  /** Where the data come from, with `simulated` said plainly when they are. */
  readonly dataset: {
    readonly name: string; readonly isSimulated: boolean; readonly devices: number; readonly flows: number;
    readonly deviceModels: readonly { readonly deviceModel: string; readonly kind: 'iot' | 'non-iot';
      readonly devices: number; readonly flows: number }[];
    readonly note: string;
  };
  readonly results: readonly ExperimentResult[];
  readonly details: readonly ExperimentDetails[];
  readonly timelines: readonly DeviceTimeline[];
};
