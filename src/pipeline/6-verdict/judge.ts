/**
 * Judges one change of evidence after the other. The verdict that comes out depends on what the windows hold in the
 * end, not on the order in which they grew, nor on how often somebody looked (docs/verdicts.md has the one exception).
 */
import { assertInvariant } from '#base';
import type { Evidence, EvidenceChange } from '#evidence';
import type { DecisionRule } from './calibration.ts';
import type { Verdict, VerdictOptions } from './verdict.ts';

type Decision = {
  /** Is the window's evidence enough for `present`? */
  readonly isStrong: boolean;
  /** Is it enough for a verdict that stands? */
  readonly isSupport: boolean;
};

function decide({ score, flowsADay }: EvidenceChange, { policy, presentScore, keepScore }: VerdictOptions,
  rule: DecisionRule | undefined): Decision {
  if (policy === 'calibrated') {
    assertInvariant(rule !== undefined, 'a calibrated verdict is judged without a rule');
    return compare(score, rule.presentScoreOf(flowsADay), rule.keepScoreOf(flowsADay));
  }
  const decision = compare(score, presentScore, keepScore);
  // A window that grew holds an accepted flow, and in the paper one is enough.
  return policy === 'single-flow' ? { isStrong: true, isSupport: true } : decision;
}

function compare(score: number, presentScore: number, keepScore: number): Decision {
  assertInvariant(keepScore <= presentScore, 'a verdict that stands needs no more than one that comes');
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
 * @param rule      of the change's classifier; used by the policy `calibrated`, which needs it
 * @returns undefined when nothing changed
 * @throws InvariantError  change and verdict are of different homes or device models, or options contradict each other
 */
export function judge(
  previous: Verdict | undefined, change: EvidenceChange, options: VerdictOptions, evidence: () => Evidence,
  rule?: DecisionRule,
): Verdict | undefined {
  const { isStrong, isSupport } = decide(change, options, rule);
  const begin = (episode: number): Verdict =>
    beginEpisode(change, episode, evidence(), options.policy === 'calibrated' ? rule : undefined);
  if (previous === undefined || previous.evidence === undefined) {
    return isStrong ? begin((previous?.episode ?? 0) + 1) : undefined;
  }
  assertInvariant(previous.home === change.home && previous.deviceModel === change.deviceModel,
    'a verdict is judged by evidence of something else');
  if (change.windowEndMs >= previous.supportedMs + options.expiryMs) {
    return isStrong ? begin(previous.episode + 1) : expireNow(previous, options);
  }
  const isLeading = isStrong && leadsTo(previous, change);
  const supportedMs = isSupport ? Math.max(previous.supportedMs, change.windowEndMs) : previous.supportedMs;
  const led = isLeading ? begin(previous.episode) : previous;
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

function beginEpisode(change: EvidenceChange, episode: number, evidence: Evidence, rule: DecisionRule | undefined):
Verdict {
  const { home, deviceModel, classifier, windowEndMs, firstFlowMs, score, flowsADay } = change;
  const p = rule?.pValueOf(score, flowsADay);
  return Object.freeze({
    home, deviceModel, classifier, state: 'present', episode, sinceMs: windowEndMs, firstFlowMs,
    supportedMs: windowEndMs, evidence,
    ...p !== undefined && { p },
    ...rule !== undefined && rule.group.length > 0 && { group: Object.freeze([...rule.group]) },
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
