/** What the tokens of one entry come to in a window of buckets. */
import { countRingBits, oldestRingBit } from './bucket-ring.ts';
import { chainEnd, type EvidenceTable } from './evidence-table.ts';
import type { EvidenceToken } from './evidence.ts';
import { formatToken, tokenWeight } from './token.ts';

/** A window by its last bucket and its length. */
export type BucketWindow = { readonly end: number; readonly buckets: number };

/** Score and first bucket of a window; undefined when no accepted flow ended in its last bucket. */
export function measureWindow(
  table: EvidenceTable, entry: number, { end, buckets }: BucketWindow,
): { score: number; firstBucket: number } | undefined {
  const { words, ringBits } = table;
  const head = table.head[entry] as number;
  const from = head - end;
  let tokenCount = 0;
  let oldest = -1;
  let isOccupied = false;
  for (let token = table.firstToken[entry] as number; token !== chainEnd; token = table.nextToken(token)) {
    const ring = table.ringOf(token);
    const bit = oldestRingBit(words, ring, ringBits, from, from + buckets);
    if (bit < 0) continue;
    tokenCount++;
    oldest = Math.max(oldest, bit);
    isOccupied ||= countRingBits(words, ring, ringBits, from, from + 1) > 0;
  }
  return isOccupied ? { score: tokenCount * tokenWeight, firstBucket: head - oldest } : undefined;
}

/** The tokens of a window, ascending by text. */
export function listTokens(
  table: EvidenceTable, entry: number, { end, buckets }: BucketWindow,
): readonly EvidenceToken[] {
  const { words, ringBits } = table;
  const from = (table.head[entry] as number) - end;
  const tokens: EvidenceToken[] = [];
  for (let token = table.firstToken[entry] as number; token !== chainEnd; token = table.nextToken(token)) {
    const seen = countRingBits(words, table.ringOf(token), ringBits, from, from + buckets);
    if (seen === 0) continue;
    tokens.push(Object.freeze({ text: formatToken(words, table.keyOf(token)), weight: tokenWeight, buckets: seen }));
  }
  return Object.freeze(tokens.sort((a, b) => (a.text < b.text ? -1 : 1)));
}
