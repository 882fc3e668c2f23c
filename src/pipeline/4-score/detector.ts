/**
 * The contract of a detector: what every one-class algorithm is to the rest of the house. Fitting stands behind the
 * door `#score/fit`, for trainers only; what is fitted is a value that scores, and writes itself to bytes.
 */
import type { EncodedRows, RowLayout } from '#feature';

/** Names of algorithms; the registry has one entry for each. */
export type AlgorithmName =
  | 'isolation-forest' | 'one-class-svm' | 'local-outlier-factor' | 'chow-liu-tree';

/** A detector fitted on the flows of one device model. Immutable; the same rows give the same scores, bit for bit. */
export type FittedDetector = {
  readonly algorithm: AlgorithmName;
  readonly layout: RowLayout;
  /** Above it a flow is not accepted, by the algorithm's own default (before calibration). */
  readonly defaultThreshold: number;
  /**
   * Anomaly score of every row; higher is less like the device model.
   *
   * @param rows  read only; of the detector's own layout; no rows give no scores
   * @param out   [rowCount], finite, 0..1; overwritten
   * @throws InvariantError  another layout
   */
  readonly score: (rows: EncodedRows, out: Float64Array) => void;
};

/** One entry of the registry. */
export type Algorithm<Fitted extends FittedDetector = FittedDetector> = {
  readonly name: AlgorithmName;
  /** Rises whenever the bytes or the scores change. */
  readonly version: number;
  readonly meaning: string;
  /** The bytes of a fitted detector, without its layout. Little-endian, ready to be viewed where it lies. */
  readonly write: (fitted: Fitted) => Uint8Array;
  /**
   * The detector that `write` wrote; hostile bytes never do more than to be refused.
   *
   * @returns the detector, or one sentence that says what is wrong with the bytes
   */
  readonly read: (bytes: Uint8Array, layout: RowLayout) => Fitted | string;
};

/** What fits a detector: behind `#score/fit`. */
export type Trainer<Fitted extends FittedDetector = FittedDetector, Options extends object = object> = {
  readonly name: AlgorithmName;
  readonly defaults: Options;
  /**
   * @param rows     training flows, read only; at least one
   * @param options  what differs from the defaults
   * @param seed     the same rows, options and seed give the same detector, bit for bit
   */
  readonly fit: (rows: EncodedRows, options: Partial<Options>, seed: number) => Fitted;
};
