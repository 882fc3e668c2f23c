/**
 * What `natlens train --background` adds to a classifier: flows of other devices are read as a library, and the device
 * model's fingerprint and second stage are learned against them.
 */
import { formatCount, OperatorError } from '#base';
import type { ShippedClassifier } from '#classifier/artifact';
import {
  learnHomeEvidence, LibraryFlows, splitOwnFlows, type FlowsByUnit, type HomeEvidence, type LibraryCounts,
  type LibraryUnit,
} from '#classifier/train';
import { checkNeeds } from '#feature';
import type { FlowBatch } from '#flow';
import type { FlowSink } from '#flow/files';
import type { Classifier } from '#score';
import { readingOptions, settleFlowSet } from './classifier-flows.ts';
import type { FlowSummary } from './flow-summary.ts';
import { runFlows, type FlowsRun } from './flows-run.ts';
import type { TrainOptions } from './train-command.ts';

/** Of the summary of `natlens train`; documented in docs/commands/train.md. */
export type BackgroundSummary = {
  /** Flows of other devices, of the device model itself, and without a device: the latter two are left out. */
  readonly flows: LibraryCounts;
  readonly units: number;
  /** Files whose flows were made with other timeouts: their devices look rarer than they are. */
  readonly otherTimeouts: number;
  readonly tokens: number;
  /** The tokens that tell most, by recall times weight. */
  readonly heaviest: readonly {
    readonly text: string; readonly weight: number; readonly recall: number; readonly prevalence: number;
  }[];
  readonly secondStage: {
    readonly ownFlows: number;
    readonly libraryFlows: number;
    readonly libraryUnits: number;
    readonly heldOut: { readonly flows: number; readonly refused: number } | null;
  } | null;
  readonly rejected: FlowSummary['rejected'];
  readonly problems: FlowSummary['problems'];
};

/** Tokens that a summary names. */
const namedTokensMax = 5;

/**
 * Learns from a background what a classifier needs to speak of homes.
 *
 * @param own  flows that it was trained on, whole
 * @throws OperatorError  the background has no other devices, or its flows were made in another way
 */
export async function learnFromBackground(
  classifier: Classifier, own: FlowsByUnit, options: TrainOptions & { readonly background: readonly string[] },
): Promise<{ shipped: ShippedClassifier; summary: BackgroundSummary; isComplete: boolean }> {
  const ownUnits = own.units();
  const flows = new LibraryFlows({
    deviceModel: classifier.deviceModel, ownDevices: ownUnits.map(({ device }) => device),
  });
  const run = await runFlows(options.background, readingOptions(options.quiet === true), sinkInto(flows));
  const otherTimeouts = checkFlowSets(run, classifier, options);
  const library = takeLibrary(flows);
  const evidence = learnHomeEvidence(classifier, splitOwnFlows(ownUnits), library);
  const { fingerprint, secondStage } = evidence;
  return {
    shipped: { classifier, fingerprint, secondStage: secondStage?.trees, calibration: undefined },
    summary: { ...summarize(evidence, flows.counts, run.summary), otherTimeouts },
    isComplete: run.isComplete,
  };
}

/**
 * Were the background's flows made as the training flows? Other timeouts are let pass: records of people's machines are
 * mostly someone else's, and a background without any would be worse.
 *
 * @returns  parts of the input with other timeouts
 * @throws OperatorError  names from another source, or other directions: no token would be the same
 */
function checkFlowSets({ infos }: FlowsRun, { needs }: Classifier, { madeAs }: TrainOptions): number {
  const { activeTimeoutMs, idleTimeoutMs } = needs;
  let otherTimeouts = 0;
  for (const info of infos) {
    const settled = settleFlowSet([info], madeAs);
    const fault = checkNeeds(needs, { ...settled, activeTimeoutMs, idleTimeoutMs });
    if (fault !== undefined) {
      throw new OperatorError('bad-option', `The background was made in another way than the training flows. ${fault}`);
    }
    if (checkNeeds(needs, settled) !== undefined) otherTimeouts++;
  }
  return otherTimeouts;
}

function takeLibrary(flows: LibraryFlows): LibraryUnit[] {
  const { taken, own, unlabelled } = flows.counts;
  if (taken > 0) return flows.units();
  throw new OperatorError('input-empty', 'The background has no flows of other devices: ' +
    `${formatCount(own)} are of the device model, ${formatCount(unlabelled)} have no label in the column device.`);
}

function sinkInto(flows: LibraryFlows): FlowSink {
  return {
    readerGone: false, bytesWritten: 0,
    write: (batch: FlowBatch) => flows.add(batch),
    end: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

function summarize(
  { fingerprint: { tokens, libraryUnits }, secondStage }: HomeEvidence, flows: LibraryCounts,
  { rejected, problems }: FlowSummary,
): Omit<BackgroundSummary, 'otherTimeouts'> {
  const heaviest = tokens.toSorted((a, b) => b.recall * b.weight - a.recall * a.weight).slice(0, namedTokensMax)
    .map(({ text, weight, recall, prevalence }) => ({ text, weight, recall, prevalence }));
  return {
    flows, units: libraryUnits, tokens: tokens.length, heaviest,
    secondStage: secondStage === undefined ? null : {
      ownFlows: secondStage.ownFlows, libraryFlows: secondStage.libraryFlows, libraryUnits: secondStage.libraryUnits,
      heldOut: secondStage.heldOut ?? null,
    },
    rejected, problems,
  };
}

/** Lines of the summary for people. */
export function formatBackground(summary: BackgroundSummary): string[] {
  const { flows, units, otherTimeouts, tokens, heaviest, secondStage, problems } = summary;
  const left = [
    ...flows.own === 0 ? [] : [`${formatCount(flows.own)} of the device model itself`],
    ...flows.unlabelled === 0 ? [] : [`${formatCount(flows.unlabelled)} without a device`],
  ];
  return [
    `background: ${formatCount(flows.taken)} flows of ${formatCount(units)} other ` +
    `${units === 1 ? 'device' : 'devices'}${left.length === 0 ? '' : `; left out: ${left.join(', ')}`}`,
    ...otherTimeouts === 0 ? [] : [`${otherTimeouts} ${otherTimeouts === 1 ? 'file' : 'files'} of the background ` +
      'were made with other timeouts: tokens may look rarer than they are'],
    tokens === 0 ? 'fingerprint: nothing tells these flows from the background; homes cannot be found by it'
      : `fingerprint: ${tokens} tokens, ${heaviest.map(({ text }) => text).join(', ')}${
        tokens > heaviest.length ? ', …' : ''}`,
    describeSecondStage(secondStage),
    ...problems.map(({ input, detail }) => `${input}: ${detail}`),
  ];
}

function describeSecondStage(secondStage: BackgroundSummary['secondStage']): string {
  if (secondStage === null) return 'second stage: none, as hardly any flow of the background shows a token';
  const { libraryFlows, libraryUnits, heldOut } = secondStage;
  const trained = `second stage: trained against ${formatCount(libraryFlows)} flows of ${libraryUnits} ` +
    `${libraryUnits === 1 ? 'device' : 'devices'} that show a token`;
  if (heldOut === null) return `${trained}, all of one device model: untested`;
  return `${trained}; of device models that it does not know it refuses ` +
    `${(100 * heldOut.refused / heldOut.flows).toFixed(1)} %`;
}
