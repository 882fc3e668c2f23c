/**
 * Which token each flow shows to each classifier: what the matcher of fingerprints finds, less what the classifier's
 * second stage says is another device's. The second stage is asked of flows that show a token and of no others, so that
 * it costs nothing where nothing is found; what it says of a flow depends on that flow alone.
 */
import { assertInvariant } from '#base';
import {
  createEncodedRows, createEncoder, createFeatureMatrix, readFeatures, type EncodedRows, type Encoder,
  type FeatureMatrix,
} from '#feature';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import { logOddsOf, type BoostedTrees, type Classifier } from '#score';
import { FingerprintMatcher } from './fingerprint-matcher.ts';
import { noToken, type Fingerprint } from './fingerprint.ts';

/** What is looked for, of one classifier. */
export type TokenSource = {
  /** Undefined: it has no tokens of its own, and no second stage is asked. */
  readonly fingerprint: Fingerprint | undefined;
  readonly secondStage: BoostedTrees | undefined;
  /** Its encoder makes the rows of the second stage. */
  readonly classifier: Pick<Classifier, 'encoder'>;
};

export type FoundTokens = {
  /** [classifier][row]: index of the token, or `noToken`; undefined without a fingerprint. */
  readonly tokens: readonly (Uint32Array | undefined)[];
  /** [classifier][row]: 1 where a token was found that the second stage refused; undefined without one. */
  readonly isRefused: readonly (Uint8Array | undefined)[];
};

/** Rows that a second stage is asked of together. */
const askedRows = 64;

type SecondStage = {
  readonly trees: BoostedTrees;
  readonly encoder: Encoder;
  readonly matrix: FeatureMatrix;
  readonly rows: EncodedRows;
};

export class TokenFinder {
  readonly #matcher: FingerprintMatcher | undefined;
  readonly #stages: readonly (SecondStage | undefined)[];
  readonly #found: FoundTokens;
  readonly #rows = new Uint32Array(askedRows);
  #asked: FlowBatch | undefined;

  /**
   * @param sources    [classifier]; read only, kept
   * @param batchRows  of the largest batch
   */
  constructor(sources: readonly TokenSource[], batchRows: number) {
    const fingerprints = sources.map(({ fingerprint }) => fingerprint);
    this.#matcher = fingerprints.some((fingerprint) => fingerprint !== undefined)
      ? new FingerprintMatcher(fingerprints) : undefined;
    this.#stages = sources.map(({ fingerprint, secondStage, classifier }) => {
      if (fingerprint === undefined || secondStage === undefined) return undefined;
      const encoder = createEncoder(classifier.encoder);
      return {
        trees: secondStage, encoder, matrix: createFeatureMatrix(encoder.catalog, askedRows),
        rows: createEncodedRows(encoder.layout, askedRows),
      };
    });
    this.#found = {
      tokens: fingerprints.map((fingerprint) =>
        (fingerprint === undefined ? undefined : new Uint32Array(batchRows).fill(noToken))),
      isRefused: this.#stages.map((stage) => (stage === undefined ? undefined : new Uint8Array(batchRows))),
    };
  }

  /**
   * @param batch       read only
   * @param isAccepted  [classifier][row]: 1 where the per-flow classifier accepts the row; read only
   * @returns valid until the next call
   */
  find(batch: FlowBatch, isAccepted: readonly Uint8Array[]): FoundTokens {
    const { tokens, isRefused } = this.#found;
    if (this.#matcher === undefined) return this.#found;
    this.#matcher.match(batch, isAccepted, tokens);
    for (const [i, stage] of this.#stages.entries()) {
      if (stage === undefined) continue;
      const refused = isRefused[i] as Uint8Array;
      refused.fill(0, 0, batch.rowCount);
      this.#refuse(batch, stage, tokens[i] as Uint32Array, refused);
    }
    return this.#found;
  }

  #refuse(batch: FlowBatch, stage: SecondStage, tokens: Uint32Array, refused: Uint8Array): void {
    let count = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      if (tokens[row] === noToken) continue;
      this.#rows[count++] = row;
      if (count < askedRows) continue;
      this.#ask(batch, stage, count, tokens, refused);
      count = 0;
    }
    if (count > 0) this.#ask(batch, stage, count, tokens, refused);
  }

  /** Asks about the first rows that were noted. */
  #ask(batch: FlowBatch, { trees, encoder, matrix, rows }: SecondStage, count: number, tokens: Uint32Array,
    refused: Uint8Array): void {
    const asked = this.#roomFor(batch);
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i] as number;
      copyRows(batch, row, row + 1, asked);
    }
    assertInvariant(asked.rowCount === count, 'rows were lost on the way to the second stage');
    readFeatures(asked, matrix);
    encoder.encode(matrix, rows);
    for (let i = 0; i < count; i++) {
      if (logOddsOf(trees, rows, i) >= trees.acceptFrom) continue;
      const row = this.#rows[i] as number;
      tokens[row] = noToken;
      refused[row] = 1;
    }
  }

  /** An empty batch over the dictionaries of another. */
  #roomFor({ dictionaries }: FlowBatch): FlowBatch {
    if (this.#asked?.dictionaries !== dictionaries) this.#asked = createFlowBatch(askedRows, dictionaries);
    this.#asked.rowCount = 0;
    return this.#asked;
  }
}
