/**
 * Judges one change of evidence after the other. The verdict that comes out depends on what the windows hold in the
 * end, not on the order in which they grew, nor on how often somebody looked (docs/evidence.md has the one exception).
 */
import { assertInvariant } from '#base';
import type { Evidence, EvidenceChange } from '#evidence';
import type { Verdict, VerdictOptions } from './verdict.ts';

type Decision = {
  /** Is the window's evidence enough for `present`? */
  readonly isStrong: boolean;
  /** Is it enough for a verdict that stands? */
  readonly isSupport: boolean;
};

function decide(score: number, { policy, presentScore, keepScore }: VerdictOptions): Decision {
  assertInvariant(keepScore <= presentScore, 'a verdict that stands needs no more than one that comes');
  // A window that grew holds an accepted flow, and in the paper one is enough.
  if (policy === 'single-flow') return { isStrong: true, isSupport: true };
  return { isStrong: score >= presentScore, isSupport: score >= keepScore };
}

/** What there is to say of a home and device model before anything spoke for it. */
export function noVerdict({ home, deviceModel, classifier }: Pick<Verdict, 'home' | 'deviceModel' | 'classifier'>):
Verdict {
  return Object.freeze({
    home, deviceModel, classifier, state: 'not yet', episode: 0, sinceMs: 0, firstFlowMs: 0, supportedMs: 0,
    evidence: undefined,
  });
}

/**
 * The verdict after a window's evidence grew.
 *
 * @param previous  of the same home and device model; undefined: there was none
 * @param evidence  that of the window; asked for when it is the one that led to `present`
 * @returns undefined when nothing changed
 * @throws InvariantError  change and verdict are of different homes or device models, or options contradict each other
 */
export function judge(
  previous: Verdict | undefined, change: EvidenceChange, options: VerdictOptions, evidence: () => Evidence,
): Verdict | undefined {
  const { isStrong, isSupport } = decide(change.score, options);
  if (previous === undefined || previous.evidence === undefined) {
    return isStrong ? beginEpisode(change, (previous?.episode ?? 0) + 1, evidence()) : undefined;
  }
  assertInvariant(previous.home === change.home && previous.deviceModel === change.deviceModel,
    'a verdict is judged by evidence of something else');
  if (change.windowEndMs >= previous.supportedMs + options.expiryMs) {
    return isStrong ? beginEpisode(change, previous.episode + 1, evidence()) : expireNow(previous, options);
  }
  const isLeading = isStrong && leadsTo(previous, change);
  const supportedMs = isSupport ? Math.max(previous.supportedMs, change.windowEndMs) : previous.supportedMs;
  const led = isLeading ? beginEpisode(change, previous.episode, evidence()) : previous;
  const isSame = led === previous || JSON.stringify(led.evidence) === JSON.stringify(previous.evidence);
  if (isSame && supportedMs === previous.supportedMs) return undefined;
  const verdict: Verdict = Object.freeze({
    ...led, state: 'present', sinceMs: (led.evidence as Evidence).windowEndMs, supportedMs,
  });
  // A window from before the end of a verdict that expired: late support is support, what is merely older is not.
  if (previous.state === 'present' || supportedMs > previous.supportedMs) return verdict;
  return Object.freeze({ ...verdict, state: 'not yet', sinceMs: previous.sinceMs });
}

/** Is a strong window the one that an episode begins with? The earliest is; of two classifiers' the lower digest. */
function leadsTo({ evidence, classifier }: Verdict, change: EvidenceChange): boolean {
  const { windowEndMs } = evidence as Evidence;
  return change.windowEndMs < windowEndMs ||
    (change.windowEndMs === windowEndMs && change.classifier <= classifier);
}

function beginEpisode(change: EvidenceChange, episode: number, evidence: Evidence): Verdict {
  const { home, deviceModel, classifier, windowEndMs, firstFlowMs } = change;
  return Object.freeze({
    home, deviceModel, classifier, state: 'present', episode, sinceMs: windowEndMs, firstFlowMs,
    supportedMs: windowEndMs, evidence,
  });
}

/**
 * The verdict once time has come to `nowMs`: nobody needs to look at the right moment, it says when it expired.
 *
 * @returns undefined when nothing changed
 */
export function expire(verdict: Verdict, nowMs: number, options: VerdictOptions): Verdict | undefined {
  return verdict.state === 'present' && nowMs >= verdict.supportedMs + options.expiryMs
    ? expireNow(verdict, options) : undefined;
}

function expireNow(verdict: Verdict, { expiryMs }: VerdictOptions): Verdict | undefined {
  if (verdict.state !== 'present') return undefined;
  return Object.freeze({ ...verdict, state: 'not yet', sinceMs: verdict.supportedMs + expiryMs });
}
