/**
 * The verdict on a home and device model, and its life: `not yet` → `present` when a window's evidence is strong
 * enough, back when nothing has supported it for long. Pure functions of evidence and time; types and defaults here.
 */
import type { Evidence } from '#evidence';

/**
 * `calibrated`: the classifier's own decision rule decides (`createDecisionRule`). `distinct-tokens`: the score of a
 * window does. `single-flow`: one accepted flow does, as in the paper.
 */
export type VerdictPolicyName = 'calibrated' | 'distinct-tokens' | 'single-flow';
export const verdictPolicyNames: readonly VerdictPolicyName[] = ['calibrated', 'distinct-tokens', 'single-flow'];

export type VerdictOptions = {
  readonly policy: VerdictPolicyName;
  /** Score of a window from which on the device model is present; 1 for `single-flow`, not used by `calibrated`. */
  readonly presentScore: number;
  /** Score from which on a window supports a verdict that stands (hysteresis); at most `presentScore`. */
  readonly keepScore: number;
  /** A verdict that no window has supported for so long expires. */
  readonly expiryMs: number;
};

export const verdictDefaults: VerdictOptions = {
  policy: 'distinct-tokens', presentScore: 3, keepScore: 1, expiryMs: 14 * 86_400_000,
};

/** Score of a window that is enough for `present` when nobody says. */
export function presentScoreOf(policy: VerdictPolicyName): number {
  return policy === 'single-flow' ? 1 : verdictDefaults.presentScore;
}

export type VerdictState = 'present' | 'not yet';

/** Plain data; frozen. */
export type Verdict = {
  readonly home: string;
  readonly deviceModel: string;
  readonly classifier: string;
  readonly state: VerdictState;
  /** Counts the times that the device model became present in this home, from 1; 0 before the first (`noVerdict`). */
  readonly episode: number;
  /** End of the window that brought the state about; for `not yet` after an expiry the time of it. */
  readonly sinceMs: number;
  /** Start of the bucket in which the first accepted flow of the window that led to the episode ended. */
  readonly firstFlowMs: number;
  /** End of the latest window that supported it. */
  readonly supportedMs: number;
  /** The earliest window strong enough, of the episode; undefined before the first. */
  readonly evidence: Evidence | undefined;
  /** Conformal p-value of that window, where a calibration decided: the share of home-days without it as strong. */
  readonly p?: number;
  /** Where they cannot be told apart: it is one of these device models, this one among them, ascending. */
  readonly group?: readonly string[];
};
