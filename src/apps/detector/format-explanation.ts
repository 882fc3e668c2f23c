/** What is known of a home, for people: verdicts and why, what speaks for them now, what was done and what not. */
import { formatCount, formatTable, plainLine } from '#base';
import type { ForgetReport, HomeExplanation } from './home-desk.ts';

/** Rows of the audit that are shown; `--json` has more. */
const auditShown = 20;
/** Device models without a trace that are named. */
const unseenShown = 10;

export function formatExplanation(explanation: HomeExplanation): string {
  const { home, pseudonym, isListed, isOptedOut } = explanation;
  return [
    `Home ${plainLine(home)} (${pseudonym} in logs)${isListed ? '' : ', not named by the config'}${
      isOptedOut ? ', OPTED OUT: it is told nothing' : ''}`,
    formatReasons(explanation), formatVerdicts(explanation), formatEvidence(explanation), formatActions(explanation),
    formatWithheld(explanation), formatAudit(explanation),
  ].filter((part) => part !== '').join('\n\n');
}

/** What to say, in sentences. */
function formatReasons({ reasons, unseen }: HomeExplanation): string {
  const looked = unseen.length === 0 ? [] : [`Nothing was seen of ${describeUnseen(unseen)}.`];
  const parts = reasons.map(({ text, seen, more, advice }) => [
    ...text.map(plainLine), ...seen.map((line) => `  - ${line}`),
    ...(more === 0 ? [] : [`  - and ${formatCount(more)} more`]),
    ...(advice === undefined ? [] : [`For the operator: ${plainLine(advice)}`]),
  ].join('\n'));
  return [...parts, ...looked].join('\n\n');
}

function describeUnseen(unseen: readonly string[]): string {
  const shown = unseen.slice(0, unseenShown).map(plainLine).join(', ');
  const more = unseen.length - unseenShown;
  return more > 0 ? `${shown} and ${formatCount(more)} more that are looked for` : shown;
}

function formatVerdicts({ verdicts }: HomeExplanation): string {
  if (verdicts.length === 0) return 'No verdict: no device model was seen.';
  return verdicts.map(({ deviceModel, state, sinceMs, firstFlowMs, supportedMs, episode, evidence, p, group }) => [
    `${deviceModel}: ${state === 'present' && group !== undefined ? 'one of a group' : state} since ` +
      `${formatTime(sinceMs)}${episode > 1 ? `, for the ${episode}. time` : ''}`,
    `  first flow ${formatTime(firstFlowMs)}, last supported by the window up to ${formatTime(supportedMs)}`,
    ...(evidence === undefined ? [] : [
      `  found because of ${formatTime(evidence.windowStartMs)} to ${formatTime(evidence.windowEndMs)}: score ${
        formatScore(evidence.score)} of ${evidence.tokens.length} tokens${
        p === undefined ? '' : `, p ${p.toPrecision(2)}`}`,
      ...(group === undefined ? [] : [`  one of ${group.map(plainLine).join(', ')}`]),
      ...evidence.tokens.map(({ text, weight, buckets }) =>
        `    ${plainLine(text)}  weight ${formatScore(weight)}, in ${buckets} ${buckets === 1 ? 'bucket' : 'buckets'}`),
    ]),
  ].join('\n')).join('\n');
}

function formatEvidence({ evidence }: HomeExplanation): string {
  if (evidence.length === 0) return 'Nothing speaks for a device model in the latest window.';
  return 'Latest window\n' + formatTable(['device model', 'score', 'tokens', 'window ends'],
    evidence.map(({ deviceModel, score, tokens, windowEndMs }) =>
      [deviceModel, formatScore(score), String(tokens.length), formatTime(windowEndMs)]));
}

function formatActions({ actions }: HomeExplanation): string {
  if (actions.length === 0) return 'No action was planned.';
  return formatTable(['reference', 'device model', 'rung', 'kind', 'state', 'due', 'finished', ''],
    actions.map(({ reference, deviceModel, rung, kind, state, dueMs, finishedMs, detail, isDryRun }) => [
      reference, deviceModel, rung, kind, isDryRun && state !== 'dry-run' ? `${state} (dry)` : state, formatTime(dueMs),
      finishedMs === undefined ? '' : formatTime(finishedMs), detail,
    ]));
}

function formatWithheld({ withheld }: HomeExplanation): string {
  if (withheld.length === 0) return '';
  return 'Not done now\n' + withheld.map(({ deviceModel, rung, kind, code, detail }) =>
    `  ${deviceModel}: ${rung} (${kind}): ${code}: ${plainLine(detail)}`).join('\n');
}

function formatAudit({ audit }: HomeExplanation): string {
  if (audit.length === 0) return '';
  const rows = audit.slice(-auditShown).map(({ atMs, deviceModel, event, detail }) =>
    [formatTime(atMs), event, deviceModel, detail]);
  return 'Audit\n' + formatTable(['time (UTC)', 'event', 'device model', ''], rows);
}

export function formatForgotten({ home, released, remarks }: ForgetReport, done: 'forgotten' | 'released'): string {
  const blocks = released === 0 ? '' : `, ${released} ${released === 1 ? 'block' : 'blocks'} ended`;
  return [`${done}: ${home}${blocks}`, ...remarks].map(plainLine).join('\n');
}

/** Scores are sums of 64ths. */
function formatScore(score: number): string {
  return String(Math.round(score * 100) / 100);
}

/** `2026-01-02 03:04:05`, UTC. */
function formatTime(timeMs: number): string {
  if (!Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return '-';
  return new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
}
