/**
 * Units that a calibration works with, recorded or simulated: their flows as recordings that homes are composed of, and
 * for each classifier the token that each flow shows. Flows are scored once; homes are made of what came of it.
 */
import { assertInvariant, limits } from '#base';
import type { ShippedClassifier } from '#classifier/artifact';
import { noToken, TokenFinder } from '#evidence';
import { BatchSplitter, type FlowBatch } from '#flow';
import { acceptScores, chooseThreshold, Scorer, type ThresholdChoice } from '#score';
import { describeToken } from '../evaluate/home-evidence-tokens.ts';
import { gatherTokens, type FlowTokens } from '../homes/home-windows.ts';
import { createRecording, type Recording } from '../homes/recording.ts';
import type { RoleUnit } from '../homes/roles.ts';

/** Flows of one unit, ascending in time: those of training first, then those of validation, then those of the test. */
export type CalibrationUnit = RoleUnit & {
  readonly source: 'lab' | 'simulator';
  /** It is no unit of the data set, but came beside it: those of the data set have the same roles with and without. */
  readonly isExtra?: boolean;
  readonly flows: FlowBatch;
  readonly train: number;
  readonly validation: number;
};

/** What homes are made of. Parts without a flow with a time are undefined. */
export type UnitRecordings = {
  readonly unit: CalibrationUnit;
  /** All of it: what it is in homes of others. */
  readonly whole: Recording | undefined;
  readonly validation: Recording | undefined;
  readonly test: Recording | undefined;
};

export function recordUnit(unit: CalibrationUnit): UnitRecordings {
  const { device, deviceModel, kind, flows, train, validation } = unit;
  const role: RoleUnit = { device, deviceModel, kind };
  return {
    unit, whole: createRecording(role, flows, 0, flows.rowCount),
    validation: createRecording(role, flows, train, train + validation),
    test: createRecording(role, flows, train + validation, flows.rowCount),
  };
}

/** What one classifier's tokens are worth, and which its flows show. */
export type ClassifierTokens = {
  /** [token] */
  readonly weights: readonly number[];
  /** Flows of a unit's recording that show a token. */
  tokensOf(recording: Recording): FlowTokens;
  /** [row of the unit's flows]: token, or `noToken`. */
  rowsOf(device: string): Uint32Array;
};

/** Distinct tokens of accepted flows, where there is no fingerprint; `HomeWindows` tells as many apart. */
const plainTokensMax = 65_535;

/**
 * Scores all flows of all units with all classifiers.
 *
 * @param threshold  which flows a per-flow classifier accepts, as the detector will be set
 */
export function readTokens(
  shipped: readonly ShippedClassifier[], units: readonly CalibrationUnit[], threshold: ThresholdChoice,
  onUnit: (finished: number) => void = () => undefined,
): ClassifierTokens[] {
  const reader = new TokenReader(shipped, threshold);
  const rows = new Map<string, readonly Uint32Array[]>();
  for (const [i, unit] of units.entries()) {
    rows.set(unit.device, reader.read(unit.flows));
    onUnit(i + 1);
  }
  return shipped.map(({ fingerprint }, classifier) => {
    const rowsOf = (device: string): Uint32Array => {
      const found = rows.get(device)?.[classifier];
      assertInvariant(found !== undefined, `flows of ${device} were not read`);
      return found;
    };
    const gathered = new WeakMap<Recording, FlowTokens>();
    return {
      rowsOf,
      weights: fingerprint?.tokens.map(({ weight }) => weight) ?? reader.plainWeights(classifier),
      tokensOf: (recording) => {
        const known = gathered.get(recording);
        if (known !== undefined) return known;
        const tokens = gatherTokens(recording, rowsOf(recording.unit.device));
        gathered.set(recording, tokens);
        return tokens;
      },
    };
  });
}

/** Finds the tokens of flows as a detector does, and names accepted flows where there is no fingerprint. */
class TokenReader {
  readonly #shipped: readonly ShippedClassifier[];
  readonly #thresholds: readonly number[];
  readonly #scorer: Scorer;
  readonly #finder: TokenFinder;
  readonly #isAccepted: readonly Uint8Array[];
  /** [classifier] tokens of accepted flows by text, where there is no fingerprint. */
  readonly #plain: readonly Map<string, number>[];
  readonly #splitter = new BatchSplitter();

  constructor(shipped: readonly ShippedClassifier[], threshold: ThresholdChoice) {
    this.#shipped = shipped;
    this.#thresholds = shipped.map(({ classifier }) => chooseThreshold(classifier.thresholds, threshold));
    this.#scorer = new Scorer(shipped.map(({ classifier }) => classifier));
    this.#finder = new TokenFinder(shipped, limits.flowBatchRows);
    this.#isAccepted = shipped.map(() => new Uint8Array(limits.flowBatchRows));
    this.#plain = shipped.map(() => new Map());
  }

  plainWeights(classifier: number): number[] {
    return new Array<number>(this.#plain[classifier]?.size ?? 0).fill(1);
  }

  /** @returns [classifier][row] */
  read(flows: FlowBatch): Uint32Array[] {
    const all = this.#shipped.map(() => new Uint32Array(flows.rowCount));
    let at = 0;
    for (const batch of this.#splitter.split(flows)) {
      const part = all.map((tokens) => tokens.subarray(at, at + batch.rowCount));
      this.#readPart(batch, part);
      at += batch.rowCount;
    }
    return all;
  }

  #readPart(batch: FlowBatch, out: readonly Uint32Array[]): void {
    const { anomalyScore } = this.#scorer.score(batch);
    for (const [i, accepted] of this.#isAccepted.entries()) {
      acceptScores(anomalyScore[i] as Float64Array, batch.rowCount, this.#thresholds[i] as number, accepted);
    }
    const { tokens } = this.#finder.find(batch, this.#isAccepted);
    for (const [i, ofRows] of out.entries()) {
      const found = tokens[i];
      if (found === undefined) this.#namePlain(batch, i, ofRows.fill(noToken));
      else ofRows.set(found.subarray(0, batch.rowCount));
    }
  }

  #namePlain(batch: FlowBatch, classifier: number, out: Uint32Array): void {
    const known = this.#plain[classifier] as Map<string, number>;
    const accepted = this.#isAccepted[classifier] as Uint8Array;
    for (let row = 0; row < batch.rowCount; row++) {
      if (accepted[row] !== 1) continue;
      const text = describeToken(batch, row);
      const token = known.get(text) ?? Math.min(known.size, plainTokensMax - 1);
      known.set(text, token);
      out[row] = token;
    }
  }
}
