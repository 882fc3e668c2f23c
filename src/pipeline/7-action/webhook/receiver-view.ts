/**
 * What machines are told of an action: the same facts for webhooks and syslog, and all that leaves for them. No address
 * of a home, no token of evidence, no text of a reason, since these may name what a home talks to.
 */
import type { PlannedAction, ReasonCode, Rung } from '../action.ts';

export type ReceiverView = {
  /** The same for every attempt; says nothing of the home to who has no key of its pseudonym. */
  readonly id: string;
  readonly home: string;
  readonly deviceModel: string;
  readonly episode: number;
  readonly rung: Rung;
  readonly step: number;
  readonly reasons: readonly ReasonCode[];
  readonly plannedMs: number;
  readonly verdict: {
    readonly state: string;
    readonly classifier: string;
    readonly sinceMs: number;
    readonly firstFlowMs: number;
    readonly supportedMs: number;
    /** Where it is one of several device models that cannot be told apart: which. */
    readonly group?: readonly string[];
  };
  /** Of the window that led to the verdict. */
  readonly evidence: {
    readonly score: number; readonly signs: number; readonly windowStartMs: number; readonly windowEndMs: number;
  } | undefined;
  /** What is blocked, without the home's address. */
  readonly block: {
    readonly destination: string | undefined; readonly protocol: 'tcp' | 'udp'; readonly port: number | undefined;
  } | undefined;
};

/**
 * The view of an action.
 *
 * @param isNamed      the operator decided that this receiver is told the home's own name
 * @param pseudonymOf  a keyed digest, the same for the same text
 */
export function viewForReceiver(
  action: PlannedAction, isNamed: boolean, pseudonymOf: (text: string) => string,
): ReceiverView {
  const { verdict, block } = action;
  const { evidence } = verdict;
  return {
    // An action's id is a plain digest of the home's name among others: whoever knows the names could try them all.
    id: isNamed ? action.id : keyedId(action.id, pseudonymOf),
    home: isNamed ? action.home : pseudonymOf(action.home),
    deviceModel: action.deviceModel,
    episode: action.episode,
    rung: action.rung,
    step: action.step,
    reasons: action.reasons.map(({ code }) => code),
    plannedMs: action.plannedMs,
    verdict: {
      state: verdict.state, classifier: verdict.classifier, sinceMs: verdict.sinceMs,
      firstFlowMs: verdict.firstFlowMs, supportedMs: verdict.supportedMs,
      ...verdict.group !== undefined && { group: verdict.group },
    },
    evidence: evidence === undefined ? undefined : {
      score: evidence.score, signs: evidence.tokens.length, windowStartMs: evidence.windowStartMs,
      windowEndMs: evidence.windowEndMs,
    },
    block: block === undefined ? undefined :
      { destination: block.destination, protocol: block.protocol, port: block.port },
  };
}

/** Twice as many digits as a pseudonym has, so that two of many actions do not meet by chance. */
function keyedId(id: string, pseudonymOf: (text: string) => string): string {
  return ['1', '2'].map((half) => pseudonymOf(`action ${id} ${half}`).replace(/^h-/, '')).join('');
}
