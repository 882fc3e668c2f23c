/**
 * FeatureMatrix: what classifiers look at, read once from a batch of flows for all of them. Numbers are raw (octets,
 * milliseconds); categories are raw values: a number (port, protocol) or the code of a text in a batch's dictionary.
 * What a value means for one classifier is its `FittedEncoder`'s business.
 */
import type { Dictionaries, Dictionary, FlowBatch, FlowSetInfo } from '#flow';

export type NumericFeature = {
  readonly kind: 'numeric';
  readonly name: string;
  /** Columns of the flow schema that it is made of. */
  readonly columns: readonly string[];
  readonly meaning: string;
  /** Fills `out[0 … rowCount)` from the batch. Never NaN. */
  readonly read: (batch: FlowBatch, out: Float64Array) => void;
};

export type CategoricalFeature = {
  readonly kind: 'categorical';
  readonly name: string;
  readonly columns: readonly string[];
  readonly meaning: string;
  /** Set when values are codes of this column's dictionary, unset when they are numbers below 2^32. */
  readonly dictionary?: keyof Dictionaries;
  readonly read: (batch: FlowBatch, out: Uint32Array) => void;
};

export type Feature = NumericFeature | CategoricalFeature;

/** A versioned table of features: a classifier names the one that it was fitted with. Numeric features come first. */
export type Catalog = {
  readonly name: string;
  /** Rises whenever a feature is added, removed, or read differently. */
  readonly version: number;
  readonly meaning: string;
  readonly numeric: readonly NumericFeature[];
  readonly categorical: readonly CategoricalFeature[];
};

/** Raw features of a batch, column by column; valid until the next fill. */
export type FeatureMatrix = {
  readonly catalog: Catalog;
  readonly capacity: number;
  rowCount: number;
  /** [numeric feature][row], in the order of the catalog. */
  readonly numeric: readonly Float64Array[];
  /** [categorical feature][row]. */
  readonly categorical: readonly Uint32Array[];
  /** [categorical feature]: what its values are codes of; undefined where they are numbers. */
  readonly dictionaries: readonly (Dictionary | undefined)[];
};

/** How the flows of a classifier were made; flows made differently are refused, never guessed at. */
export type FlowNeeds = Pick<FlowSetInfo, 'l7Source' | 'activeTimeoutMs' | 'idleTimeoutMs'> & {
  /** Both directions of a conversation in one record. */
  readonly isBiflow: boolean;
};
