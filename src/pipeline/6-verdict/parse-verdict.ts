/**
 * Verdicts back from JSON, as a detector keeps them over a restart. A file may have been changed by anybody: what
 * `judge` never makes is refused with a sentence.
 */
import type { Evidence, EvidenceToken } from '#evidence';
import type { Verdict } from './verdict.ts';

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isTime: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;

const isP: Check = (value) => typeof value === 'number' && value > 0 && value <= 1;
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
/** Of what a verdict may lack. */
const optional = (check: Check): Check => (value) => value === undefined || check(value);

const verdictChecks: Readonly<Record<keyof Verdict, Check>> = {
  home: isText, deviceModel: isText, classifier: isText, state: (value) => value === 'present' || value === 'not yet',
  episode: isCount, sinceMs: isTime, firstFlowMs: isTime, supportedMs: isTime, evidence: () => true, p: optional(isP),
  group: optional(isTexts),
};
const evidenceChecks: Readonly<Record<keyof Evidence, Check>> = {
  home: isText, deviceModel: isText, classifier: isText, windowStartMs: isTime, windowEndMs: isTime, score: isTime,
  tokens: Array.isArray,
};
const tokenChecks: Readonly<Record<keyof EvidenceToken, Check>> = {
  text: isText, weight: isTime, buckets: (value) => isCount(value) && value !== 0,
};

/**
 * The verdict in JSON text.
 *
 * @returns a frozen verdict, the same as was written; or one sentence that says why it is none
 */
export function parseVerdict(text: string): Verdict | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'A verdict is JSON, and this is none.';
  }
  const fields = checkFields('verdict', value, verdictChecks);
  if (typeof fields === 'string') return fields;
  const verdict = fields as unknown as Verdict;
  if (verdict.evidence === undefined) {
    const saysNothing = verdict.episode === 0 && verdict.state === 'not yet' && verdict.p === undefined &&
      verdict.group === undefined;
    return saysNothing ? Object.freeze({ ...verdict, evidence: undefined })
      : 'A verdict without evidence says that something was there.';
  }
  const evidence = checkEvidence(verdict.evidence);
  if (typeof evidence === 'string') return evidence;
  const fault = findContradiction(verdict, evidence);
  const { group } = verdict;
  return fault ?? Object.freeze({ ...verdict, evidence, ...group !== undefined && { group: Object.freeze(group) } });
}

function checkEvidence(value: unknown): Evidence | string {
  const fields = checkFields('evidence', value, evidenceChecks);
  if (typeof fields === 'string') return fields;
  const evidence = fields as unknown as Evidence;
  const tokens: EvidenceToken[] = [];
  for (const item of evidence.tokens as readonly unknown[]) {
    const token = checkFields('token', item, tokenChecks);
    if (typeof token === 'string') return token;
    tokens.push(Object.freeze(token as unknown as EvidenceToken));
  }
  const isAscending = tokens.every(({ text }, i) => i === 0 || (tokens[i - 1] as EvidenceToken).text < text);
  if (tokens.length === 0 || !isAscending) return 'The tokens of evidence ascend, and there is at least one.';
  if (evidence.score !== tokens.reduce((sum, { weight }) => sum + weight, 0)) {
    return 'The score of evidence is the sum of its weights.';
  }
  if (evidence.windowStartMs >= evidence.windowEndMs) return 'The window of evidence ends before it begins.';
  return Object.freeze({ ...evidence, tokens: Object.freeze(tokens) });
}

function findContradiction(verdict: Verdict, evidence: Evidence): string | undefined {
  const { home, deviceModel, classifier, state, episode, sinceMs, firstFlowMs, supportedMs, group } = verdict;
  if (home !== evidence.home || deviceModel !== evidence.deviceModel || classifier !== evidence.classifier) {
    return 'The evidence of the verdict is of something else.';
  }
  if (episode === 0) return 'A verdict with evidence is of an episode.';
  const isGroup = group === undefined || (group.length > 1 && group.includes(deviceModel) &&
    group.every((member, i) => i === 0 || (group[i - 1] as string) < member));
  if (!isGroup) return 'The group of a verdict is its device model and others, ascending.';
  const isPresent = state === 'present';
  if (isPresent ? sinceMs !== evidence.windowEndMs : sinceMs <= supportedMs) {
    return 'The verdict came about at another time than its evidence says.';
  }
  const isInOrder = evidence.windowStartMs <= firstFlowMs && firstFlowMs < evidence.windowEndMs &&
    evidence.windowEndMs <= supportedMs;
  return isInOrder ? undefined : 'The times of the verdict are in no order.';
}

/** The value's own fields, in the order of the checks, so that writing them again gives the same text. */
function checkFields(name: string, value: unknown, checks: Readonly<Record<string, Check>>): Fields | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `A ${name} is an object.`;
  const stranger = Object.keys(value).find((key) => !Object.hasOwn(checks, key));
  if (stranger !== undefined) return `A ${name} has no '${stranger}'.`;
  const fields: Record<string, unknown> = {};
  for (const [key, isSound] of Object.entries(checks)) {
    const field = Object.hasOwn(value, key) ? (value as Fields)[key] : undefined;
    if (!isSound(field)) return `'${key}' of a ${name} is missing or no such value.`;
    if (field !== undefined) fields[key] = field;
  }
  return fields;
}
