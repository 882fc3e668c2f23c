/**
 * How strong windows of the device model alone are: what a home with nothing else in it would show. The floor that a
 * verdict needs is a share of what nearly all of them reach.
 */
import type { FlowTokens, WindowOptions, WindowScore } from './home-windows.ts';
import { lowerBound, type Recording } from './recording.ts';

export type OwnPart = { readonly recording: Recording; readonly tokens: FlowTokens };

/** Share of the score that all but a twentieth of the windows reach. */
const floorShare = 0.6;
const weakestShare = 0.05;

/**
 * Score below which nothing counts: a share of what nearly all own windows reach, and more than any token alone is
 * worth, so that no single one decides.
 *
 * @param ownScores  ascending
 * @param weights    of the tokens
 */
export function ownFloorOf(ownScores: Float64Array, weights: readonly number[]): number {
  const weakest = ownScores[Math.floor(ownScores.length * weakestShare)] ?? Infinity;
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const lightest = weights.reduce((least, weight) => Math.min(least, weight), Infinity);
  return Math.max(floorShare * weakest, heaviest + lightest);
}

/**
 * Scores of all windows that lie within a session of a recording, a bucket apart; of a session that is shorter than a
 * window, its own.
 *
 * @returns ascending
 */
export function ownWindowScores(
  parts: readonly OwnPart[], score: WindowScore, { windowMs, bucketMs }: Pick<WindowOptions, 'windowMs' | 'bucketMs'>,
): Float64Array {
  const scores: number[] = [];
  for (const { recording, tokens: { endMs, token } } of parts) {
    for (const session of recording.sessions) {
      const firstMs = recording.endMs[session.first] as number;
      const lastMs = recording.endMs[session.end - 1] as number;
      score.clear();
      let from = lowerBound(endMs, firstMs);
      let to = from;
      const firstEndMs = Math.min(firstMs + windowMs, lastMs + bucketMs);
      for (let windowEndMs = firstEndMs; windowEndMs <= lastMs + bucketMs; windowEndMs += bucketMs) {
        while (to < endMs.length && (endMs[to] as number) < windowEndMs) score.add(token[to++] as number);
        while (from < to && (endMs[from] as number) < windowEndMs - windowMs) score.remove(token[from++] as number);
        scores.push(score.read());
      }
    }
  }
  return Float64Array.from(scores).sort();
}
