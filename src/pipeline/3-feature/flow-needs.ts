/**
 * Whether flows are made as those that a classifier was fitted on: both directions in one record, names of layer 7 from
 * the same source, the same timeouts. They shape a flow as much as the device does, so what is not said is not guessed.
 */
import type { FlowSetInfo } from '#flow';
import type { FlowNeeds } from './feature-matrix.ts';

/**
 * What a classifier that is fitted on these flows will need.
 *
 * @param info  what holds for the training flows; undefined: their file says nothing
 * @returns the needs, or one sentence that says what is not known of the flows
 */
export function needsOf(info: FlowSetInfo | undefined): FlowNeeds | string {
  if (info === undefined) return unsaid;
  if (info.isBiflow === undefined) return unsaidDirection;
  const { l7Source, activeTimeoutMs, idleTimeoutMs, isBiflow } = info;
  return { l7Source, activeTimeoutMs, idleTimeoutMs, isBiflow };
}

/**
 * Why flows do not fit a classifier.
 *
 * @param needs  the classifier's
 * @param info   what holds for the flows; undefined: their file says nothing
 * @returns one sentence, or undefined when they fit
 */
export function checkNeeds(needs: FlowNeeds, info: FlowSetInfo | undefined): string | undefined {
  const offered = needsOf(info);
  if (typeof offered === 'string') return offered;
  if (needs.isBiflow !== offered.isBiflow) {
    return `The classifier needs ${describeDirections(needs.isBiflow)}, and the flows are ` +
      `${describeDirections(offered.isBiflow)}${needs.isBiflow ? '; natlens flows --pair joins them' : ''}.`;
  }
  if (needs.l7Source !== offered.l7Source) {
    return `The classifier needs layer-7 names from ${sourceTexts[needs.l7Source]}, and the flows have ` +
      `${offered.l7Source === 'none' ? 'none' : `those from ${sourceTexts[offered.l7Source]}`}.`;
  }
  if (needs.activeTimeoutMs !== offered.activeTimeoutMs || needs.idleTimeoutMs !== offered.idleTimeoutMs) {
    return `The classifier needs flows with ${describeTimeouts(needs)}, and these have ${describeTimeouts(offered)}.`;
  }
  return undefined;
}

const unsaid = 'The flows come from a file that does not say how they were made: with which timeouts, with whose ' +
  'layer-7 names, with both directions in one record or not; a Parquet file of natlens flows says it.';

const unsaidDirection = 'It is not known whether the flows have both directions of a conversation in one record; ' +
  'natlens flows --pair joins one-way records and says so in Parquet files.';

const sourceTexts = {
  exporter: 'the exporter', ndpi: 'nDPI', prefix: 'natlens (prefix)', none: 'no one',
} as const;

function describeDirections(isBiflow: boolean): string {
  return isBiflow ? 'both directions of a conversation in one record' : 'one record for each direction';
}

function describeTimeouts({ activeTimeoutMs, idleTimeoutMs }: FlowNeeds): string {
  return `${describeTimeout('active', activeTimeoutMs)} and ${describeTimeout('idle', idleTimeoutMs)}`;
}

function describeTimeout(kind: string, timeoutMs: number): string {
  return timeoutMs === 0 ? `an ${kind} timeout that is not known` : `an ${kind} timeout of ${timeoutMs / 1000} s`;
}
