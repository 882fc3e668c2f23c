/**
 * How the flows were made that are trained on or scored: what their files say, or what the person at the keyboard says
 * of files that do not. Nothing is guessed: timeouts and names are part of what a classifier knows.
 */
import { OperatorError } from '#base';
import { needsOf } from '#feature';
import { l7Sources, meterDefaults, type FlowSetInfo } from '#flow';
import type { FlowsOptions } from './flows-command.ts';

/** The options of both verbs about how flows were made. */
export const madeAsOption = ['--made-as <active/idle/l7>',
  'how flows of files that do not say it (CSV, JSON lines) were made: timeouts in seconds and source of names, such as ' +
  '120/60/prefix; both directions in one record'] as const;

/** Parses `--made-as`. @throws OperatorError */
export function parseMadeAs(text: string): FlowSetInfo {
  const [active = '', idle = '', name = '', more] = text.split('/');
  const l7Source = l7Sources.find((source) => source === name);
  const [activeTimeoutMs, idleTimeoutMs] = [parseTimeout(active), parseTimeout(idle)];
  if (more !== undefined || l7Source === undefined || activeTimeoutMs === undefined || idleTimeoutMs === undefined) {
    throw new OperatorError('bad-option', `--made-as is ACTIVE/IDLE/L7, such as 120/60/prefix, with timeouts in ` +
      `seconds (0: not known) and one of ${l7Sources.join(', ')}, not '${text}'.`);
  }
  return { origin: 'stated', l7Source, l7Version: '', activeTimeoutMs, idleTimeoutMs, isBiflow: true };
}

function parseTimeout(text: string): number | undefined {
  return /^\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1_000) : undefined;
}

/** Options under which the verbs read their input. */
export function readingOptions(isQuiet: boolean): FlowsOptions {
  return {
    active: meterDefaults.activeTimeoutMs / 1_000, idle: meterDefaults.idleTimeoutMs / 1_000, home: [], quiet: isQuiet,
  };
}

/**
 * How all flows of a run were made.
 *
 * @param infos   of each part of the input, undefined where a file says nothing
 * @param stated  what `--made-as` said
 * @throws OperatorError  a part does not say it and nobody else did, or parts were made differently
 */
export function settleFlowSet(
  infos: readonly (FlowSetInfo | undefined)[], stated: FlowSetInfo | undefined,
): FlowSetInfo {
  const settled = infos.map((info) => {
    const needs = needsOf(info);
    if (info !== undefined && typeof needs !== 'string') return info;
    if (stated !== undefined) return stated;
    throw new OperatorError('bad-option', `${typeof needs === 'string' ? needs : ''} --made-as says it.`.trim());
  });
  const [first, ...others] = settled;
  if (first === undefined) throw new OperatorError('input-empty', 'There are no flows.');
  if (others.some((other) => JSON.stringify(needsOf(other)) !== JSON.stringify(needsOf(first)))) {
    throw new OperatorError('bad-option', 'The inputs were made with different timeouts or names: flows made ' +
      'differently are not to be mixed; make them again with natlens flows.');
  }
  return first;
}
