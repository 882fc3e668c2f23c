/** What the tokens of one entry come to in a window of buckets. */
import { assertInvariant, limits } from '#base';
import { countRingBits, oldestRingBit } from './bucket-ring.ts';
import { chainEnd, type EvidenceTable } from './evidence-table.ts';
import type { EvidenceToken } from './evidence.ts';
import type { Fingerprint } from './fingerprint.ts';
import { formatToken, tokenWeight } from './token.ts';

/** A window by its last bucket and its length. */
export type BucketWindow = { readonly end: number; readonly buckets: number };

/** What evidence needs of a fingerprint. */
export type LearnedTokens = {
  /** [token] */
  readonly texts: readonly string[];
  /** [token] */
  readonly weights: Float64Array;
  /** [token]: as it was told of last. Evidence of many homes says the same of it, and shares the object. */
  readonly told: (EvidenceToken | undefined)[];
};

/** @throws InvariantError  the weights cannot be summed up exactly in any order, or there are too many tokens */
export function learnedTokensOf({ tokens }: Fingerprint): LearnedTokens {
  assertInvariant(tokens.length <= limits.fingerprintTokensMax, `a fingerprint of ${tokens.length} tokens`);
  assertInvariant(tokens.every(({ weight }) => weight > 0 && Number.isInteger(64 * weight)),
    'a token weighs what no sum holds exactly');
  return {
    texts: tokens.map(({ text }) => text), weights: Float64Array.from(tokens, ({ weight }) => weight),
    told: tokens.map(() => undefined),
  };
}

/**
 * Score and first bucket of a window; undefined when no flow that says something ended in its last bucket.
 *
 * @param weights  [token of the fingerprint]; undefined: there is none, and tokens weigh the same
 */
export function measureWindow(
  table: EvidenceTable, entry: number, { end, buckets }: BucketWindow, weights: Float64Array | undefined,
): { score: number; firstBucket: number } | undefined {
  const { words, ringBits } = table;
  const head = table.head[entry] as number;
  const from = head - end;
  let score = 0;
  let oldest = -1;
  let isOccupied = false;
  for (let token = table.firstToken[entry] as number; token !== chainEnd; token = table.nextToken(token)) {
    const ring = table.ringOf(token);
    const bit = oldestRingBit(words, ring, ringBits, from, from + buckets);
    if (bit < 0) continue;
    score += weights === undefined ? tokenWeight : weights[words[table.keyOf(token)] as number] as number;
    oldest = Math.max(oldest, bit);
    isOccupied ||= countRingBits(words, ring, ringBits, from, from + 1) > 0;
  }
  return isOccupied ? { score, firstBucket: head - oldest } : undefined;
}

/** The tokens of a window, ascending by text. */
export function listTokens(
  table: EvidenceTable, entry: number, { end, buckets }: BucketWindow, learned: LearnedTokens | undefined,
): readonly EvidenceToken[] {
  const { words, ringBits } = table;
  const from = (table.head[entry] as number) - end;
  const tokens: EvidenceToken[] = [];
  for (let token = table.firstToken[entry] as number; token !== chainEnd; token = table.nextToken(token)) {
    const seen = countRingBits(words, table.ringOf(token), ringBits, from, from + buckets);
    if (seen === 0) continue;
    const key = table.keyOf(token);
    tokens.push(learned === undefined
      ? Object.freeze({ text: formatToken(words, key), weight: tokenWeight, buckets: seen })
      : tellToken(learned, words[key] as number, seen));
  }
  return Object.freeze(tokens.sort((a, b) => (a.text < b.text ? -1 : 1)));
}

function tellToken({ texts, weights, told }: LearnedTokens, index: number, buckets: number): EvidenceToken {
  const before = told[index];
  if (before?.buckets === buckets) return before;
  const token = Object.freeze({ text: texts[index] as string, weight: weights[index] as number, buckets });
  told[index] = token;
  return token;
}
