/**
 * Recorded hours of a device model's unit, as the drift test takes them: how many flows, how many of them a token
 * explains, and what the hour's distinct tokens weigh. Pauses of a recording are no hours in which nothing came.
 */
import { noToken } from '#evidence';
import type { DriftHour } from '#verdict';
import { lengthOf, type Recording } from '../homes/recording.ts';

const hourMs = 3_600_000;

/**
 * Cuts each session of a recording into whole hours from its first flow on; what is left at its end is no hour. A
 * session shorter than an hour is one, as of devices of which only set-ups are known.
 *
 * @param tokenOfRow  [row of the unit's flows]: token, or `noToken`
 * @param weights     [token]; undefined: there is no fingerprint, and a token says only that the flow was accepted
 */
export function cutHours(
  recording: Recording, tokenOfRow: Uint32Array, weights: readonly number[] | undefined,
): DriftHour[] {
  const { endMs, row, sessions } = recording;
  const hours: DriftHour[] = [];
  for (const session of sessions) {
    const firstMs = endMs[session.first] as number;
    const count = Math.max(1, Math.floor(lengthOf(endMs, session) / hourMs));
    for (let hour = 0, flow = session.first; hour < count; hour++) {
      const startMs = firstMs + hour * hourMs;
      const first = flow;
      const seen = new Set<number>();
      let explained = 0;
      for (; flow < session.end && (endMs[flow] as number) < startMs + hourMs; flow++) {
        const token = tokenOfRow[row[flow] as number] as number;
        if (token === noToken) continue;
        explained++;
        seen.add(token);
      }
      // Sessions have no pauses of an hour, but an hour of one may lie in a pause that is nearly as long.
      if (flow === first) continue;
      hours.push({
        startMs, flows: flow - first, explained,
        tokenWeight: weights === undefined ? undefined
          : [...seen].reduce((sum, token) => sum + (weights[token] as number), 0),
      });
    }
  }
  return hours;
}
