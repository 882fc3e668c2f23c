/**
 * Why a detector says what it says of a home and device model, in sentences that a help desk can read out: what is
 * there, what was seen of it, how rare that is elsewhere, since when; and where nothing can be said, why, and what to
 * do about it. Pure; all times are of the wall clock.
 */
import { formatCount, plainLine } from '#base';
import type { Evidence, Fingerprint } from '#evidence';
import { answerOf, describeAnswer, type Answer, type UncalibratedCode, type Verdict } from '#verdict';
import type { ClassifierDecision } from './classifier-desk.ts';
import { formatMinute } from './describe-fault.ts';
import { describeToken } from './describe-token.ts';

export type HomeReason = {
  readonly deviceModel: string;
  readonly answer: Answer;
  /** Sentences, to be read out in this order. */
  readonly text: readonly string[];
  /** What was seen, the weightiest first; each a part of a sentence. */
  readonly seen: readonly string[];
  /** Things seen that `seen` leaves out. */
  readonly more: number;
  /** For the operator; undefined: nothing is to be done. */
  readonly advice: string | undefined;
};

export type ReasonParts = {
  readonly deviceModel: string;
  readonly verdict: Verdict | undefined;
  /** Of the window that ends with the home's latest flow. */
  readonly latest: Evidence | undefined;
  /** Undefined: the detector has no classifier of the device model any more. */
  readonly decision: ClassifierDecision | undefined;
  /** The evidence was weighed by it. */
  readonly fingerprint: Fingerprint | undefined;
  /** Score that makes it present where nothing is known of the home's activity; undefined: no classifier. */
  readonly presentScore: number | undefined;
  readonly bucketMs: number;
  readonly nameOf: (deviceModel: string) => string;
};

/** Things that are read out; nobody listens to more. */
const seenShown = 5;

export function describeReason(parts: ReasonParts): HomeReason {
  const { deviceModel, verdict, decision, nameOf } = parts;
  // Without a calibration it decides all the same, which is said in a sentence of its own.
  const fault: UncalibratedCode | undefined = decision?.decidesBy === 'nothing' ? decision.fault : undefined;
  const answer = answerOf(verdict, fault);
  const isThere = answer === 'present' || answer === 'one-of';
  const evidence = isThere ? verdict?.evidence : parts.latest;
  const tokens = [...evidence?.tokens ?? []].sort((a, b) => b.weight - a.weight || (a.text < b.text ? -1 : 1));
  return {
    deviceModel, answer,
    text: [
      describeAnswer({ deviceModel, verdict, uncalibrated: fault }, (model) => plainLine(nameOf(model))),
      ...(isThere ? describePresence(verdict, parts) : describeAbsence(verdict, parts, answer)),
    ],
    seen: tokens.slice(0, seenShown).map((token) => plainLine(describeToken(token, parts.bucketMs))),
    more: Math.max(0, tokens.length - seenShown),
    advice: decision === undefined && verdict !== undefined
      ? 'Nothing looks for it any more: its classifier is not in the folder.' : decision?.detail,
  };
}

function describePresence(verdict: Verdict | undefined, { decision, fingerprint }: ReasonParts): string[] {
  if (verdict === undefined) return [];
  const { sinceMs, firstFlowMs, supportedMs, evidence, p, classifier } = verdict;
  const sentences = [
    `It was found ${formatMinute(sinceMs)}; the first sign of it was seen ${formatMinute(firstFlowMs)}, the latest ` +
    `${formatMinute(supportedMs)}.`,
  ];
  if (p === undefined) {
    sentences.push('How often a home without it shows as much was not measured, so ask before you rely on it.');
  }
  if (decision?.fault === 'not-calibrated') sentences.push('Its classifier is not calibrated.');
  if (evidence !== undefined) {
    const rare = describeLibrary(evidence, fingerprint, classifier);
    if (rare !== undefined) sentences.push(rare);
    const count = evidence.tokens.length;
    sentences.push(`Between ${formatMinute(evidence.windowStartMs)} and ${formatMinute(evidence.windowEndMs)} the ` +
      `home showed ${formatCount(count)} ${count === 1 ? 'thing' : 'things'} that such a device does.`);
  }
  return sentences;
}

/** How many of the devices that the fingerprint was weighed against do the rarest of these things. */
function describeLibrary(evidence: Evidence, fingerprint: Fingerprint | undefined, classifier: string):
string | undefined {
  if (fingerprint === undefined || evidence.classifier !== classifier) return undefined;
  if (fingerprint.libraryUnits === 0) return undefined;
  const shown = new Set(evidence.tokens.map(({ text }) => text));
  const rarest = fingerprint.tokens.filter(({ text }) => shown.has(text))
    .reduce((least, { prevalence }) => Math.min(least, prevalence), Infinity);
  // Smoothed by half a unit: less than that is none.
  const units = Math.max(0, rarest * (fingerprint.libraryUnits + 1) - 0.5);
  if (rarest === Infinity) return undefined;
  const who = units < 0.01 ? 'none does' : units < 1 ? 'hardly one does'
    : `about ${formatCount(Math.ceil(units))} do`;
  return `Of ${formatCount(fingerprint.libraryUnits)} other devices that it was compared with, ${who} the rarest of ` +
    'what was seen here in a given hour.';
}

function describeAbsence(verdict: Verdict | undefined, { latest, presentScore, decision }: ReasonParts,
  answer: Answer): string[] {
  const sentences: string[] = [];
  if (verdict?.evidence !== undefined) {
    sentences.push(`It was there before: found ${formatMinute(verdict.evidence.windowEndMs)}, last seen ` +
      `${formatMinute(verdict.supportedMs)}, and given up ${formatMinute(verdict.sinceMs)} as nothing more came.`);
  }
  if (latest === undefined) {
    if (answer === 'not-yet') sentences.push('Nothing of what such a device does was seen lately.');
    return sentences;
  }
  const count = latest.tokens.length;
  const enough = presentScore === undefined || presentScore === Infinity || decision === undefined ? ''
    : `, which weigh ${describeWeight(latest.score)} where ${describeWeight(presentScore)} would be enough in any home`;
  sentences.push(`Up to ${formatMinute(latest.windowEndMs)} ${formatCount(count)} of the things that such a device ` +
    `does ${count === 1 ? 'was' : 'were'} seen${enough}.`);
  return sentences;
}

function describeWeight(score: number): string {
  return (Math.round(score * 10) / 10).toLocaleString('en');
}
