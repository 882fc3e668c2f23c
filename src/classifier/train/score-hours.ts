/** How strong hours of flows are by a fingerprint: in each the weights of distinct tokens, as evidence sums them. */
import { FingerprintMatcher, noToken, type Fingerprint } from '#evidence';
import type { FlowBatch } from '#flow';
import { groupByHour } from './token-hours.ts';

/** [row]: 1 for flows that the device model's classifier accepts. */
export type AcceptFlows = (batch: FlowBatch) => Uint8Array;

/**
 * Scores of hours (UTC) of units in which a flow left the home, in no particular order.
 *
 * @param flows   read only; of shared dictionaries
 * @param accept  without it no flow is accepted
 */
export function scoreHours(
  flows: readonly FlowBatch[], fingerprint: Fingerprint, accept: AcceptFlows | undefined,
): Float64Array {
  const matcher = new FingerprintMatcher([fingerprint]);
  const tokens = flows.map((batch) => {
    const shown = new Uint32Array(batch.rowCount);
    matcher.match(batch, [accept?.(batch) ?? new Uint8Array(batch.rowCount)], [shown]);
    return shown;
  });
  return Float64Array.from(groupByHour(flows), (places) => {
    const distinct = new Set<number>();
    for (let i = 0; i < places.length; i += 2) {
      distinct.add((tokens[places[i] as number] as Uint32Array)[places[i + 1] as number] as number);
    }
    distinct.delete(noToken);
    let score = 0;
    for (const token of distinct) score += fingerprint.tokens[token]?.weight ?? 0;
    return score;
  });
}
