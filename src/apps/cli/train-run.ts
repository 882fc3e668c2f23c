/** One run of `natlens train`: collects flows, trains, writes the artifact, and tells what came of it. */
import {
  assertInvariant, formatBytes, formatCount, formatDuration, InvariantError, OperatorError, readVersion, systemClock,
} from '#base';
import { writeArtifact, writeClassifier } from '#classifier/artifact';
import {
  fitClassifier, FlowsByUnit, TrainingFlows, type FitOptions, type SplitFlows, type TrainedClassifier,
} from '#classifier/train';
import { needsOf, oneHotColumnCount, type FlowNeeds } from '#feature';
import type { FlowBatch } from '#flow';
import type { FlowSink } from '#flow/files';
import type { Fitness, Provenance } from '#score';
import { trainers } from '#score/fit';
import { writeWholeFile } from './classifier-files.ts';
import { readingOptions, settleFlowSet } from './classifier-flows.ts';
import type { FlowSummary } from './flow-summary.ts';
import { runFlows } from './flows-run.ts';
import { MatrixOutput } from './score-matrix.ts';
import { formatBackground, learnFromBackground, type BackgroundSummary } from './train-background.ts';
import type { TrainOptions } from './train-command.ts';

/** The summary as `--json` prints it; documented in docs/commands/train.md. */
export type TrainSummary = {
  readonly deviceModel: string;
  readonly algorithm: string;
  readonly catalog: string;
  readonly devices: readonly string[];
  readonly flowsRead: number;
  readonly trainingFlows: number;
  readonly validationFlows: number;
  readonly testFlows: number;
  /** Columns of the one-hot form. */
  readonly columns: number;
  readonly stableFeatures: readonly string[];
  readonly folded: readonly { readonly feature: string; readonly kept: number; readonly foldedRows: number }[];
  readonly thresholds: { readonly default: number; readonly byPercentile: readonly number[] };
  readonly isFit: boolean;
  readonly unfit: Fitness['reasons'];
  readonly needs: FlowNeeds;
  readonly provenance: Provenance;
  /** Time of encoding, fitting, calibrating and checking, without reading. */
  readonly fitSeconds: number;
  readonly seconds: number;
  readonly output: string;
  readonly bytes: number;
  readonly rejected: FlowSummary['rejected'];
  readonly problems: FlowSummary['problems'];
  /** What `--background` brought. */
  readonly background: BackgroundSummary | null;
};

/**
 * Runs `natlens train`.
 *
 * @returns the summary, and false when an input was cut or damaged
 * @throws OperatorError     no flows of the device model, flows that do not say how they were made, a bad option
 * @throws EnvironmentError  the disk failed
 */
export async function runTraining(
  inputs: readonly string[], options: TrainOptions,
): Promise<{ summary: TrainSummary; isComplete: boolean }> {
  const startMs = systemClock.monotonicMs();
  const parameters = readSettings(options);
  const flows = new TrainingFlows(options.catalog, {
    deviceModel: options.allRows === true ? undefined : options.deviceModel,
  });
  const { background } = options;
  const own = background === undefined ? undefined : new FlowsByUnit({ deviceModel: options.deviceModel });
  const run = await runFlows(inputs, readingOptions(options.quiet === true), collectInto(flows, own));
  if (flows.rowCount === 0) throw new OperatorError('input-empty', describeAbsence(flows, options.deviceModel));
  const needs = needsOf(settleFlowSet(run.infos, options.madeAs));
  assertInvariant(typeof needs !== 'string', 'a settled set of flows says how it was made');
  const fitStartMs = systemClock.monotonicMs();
  const parts = flows.split();
  const { classifier, folded, training } = fitOrRefuse(parts, {
    deviceModel: options.deviceModel, needs, algorithm: options.algorithm, parameters, seed: options.seed,
    natlensVersion: readVersion(),
  });
  const fitSeconds = (systemClock.monotonicMs() - fitStartMs) / 1_000;
  const learned = background === undefined || own === undefined ? undefined
    : await learnFromBackground(classifier, own, { ...options, background });
  const artifact = learned === undefined ? writeClassifier(classifier) : writeArtifact(learned.shipped);
  if (options.matrix !== undefined) {
    const matrix = new MatrixOutput(options.matrix, classifier.encoder);
    matrix.add(training.rows);
    await matrix.end();
  }
  await writeWholeFile(options.output, artifact);
  const { thresholds, fitness, provenance, encoder } = classifier;
  return {
    isComplete: run.isComplete && learned?.isComplete !== false,
    summary: {
      deviceModel: options.deviceModel, algorithm: options.algorithm,
      catalog: `${encoder.catalog} ${encoder.catalogVersion}`, devices: parts.devices,
      flowsRead: run.summary.flows, trainingFlows: provenance.trainingFlows,
      validationFlows: provenance.validationFlows, testFlows: parts.testFlows,
      columns: oneHotColumnCount(classifier.detector.layout),
      stableFeatures: classifier.stableFeatures.map((feature) => options.catalog.categorical[feature]?.name ?? ''),
      folded,
      thresholds: { default: thresholds.default, byPercentile: [...thresholds.byPercentile] },
      isFit: fitness.isFit, unfit: fitness.reasons, needs, provenance, fitSeconds,
      seconds: (systemClock.monotonicMs() - startMs) / 1_000,
      output: options.output, bytes: artifact.length,
      rejected: run.summary.rejected, problems: run.summary.problems, background: learned?.summary ?? null,
    },
  };
}

/** With options of the algorithm from `--set`, what it asserts of them is the user's to mend. @throws OperatorError */
function fitOrRefuse(flows: SplitFlows, options: FitOptions): TrainedClassifier {
  try {
    return fitClassifier(flows, options);
  } catch (thrown) {
    if (!(thrown instanceof InvariantError) || Object.keys(options.parameters ?? {}).length === 0) throw thrown;
    throw new OperatorError('bad-option',
      `${options.algorithm} cannot be fitted with --set: ${thrown.message}.`, thrown);
  }
}

/** A sink that keeps what training needs of each flow. @param own  whole flows, for those that are learned from so */
function collectInto(flows: TrainingFlows, own: FlowsByUnit | undefined): FlowSink {
  return {
    readerGone: false, bytesWritten: 0,
    write: (batch: FlowBatch) => {
      flows.add(batch);
      if (own === undefined) return;
      for (let row = 0; row < batch.rowCount; row++) if (flows.takes(batch, row)) own.add(batch, row);
    },
    end: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

function describeAbsence(flows: TrainingFlows, deviceModel: string): string {
  const others = flows.otherModels;
  if (others.length === 0) {
    return `No flow is labelled ${deviceModel}: the column device_model is empty or not there. --all-rows takes all ` +
      'flows for its own.';
  }
  return `No flow is labelled ${deviceModel}; there are flows of ${others.join(', ')}.`;
}

/** Options of the algorithm from `--set`; a number where the default is one. @throws OperatorError */
function readSettings({ set, algorithm }: TrainOptions): Provenance['parameters'] {
  const defaults = (trainers.get(algorithm)?.defaults ?? {}) as Provenance['parameters'];
  return Object.fromEntries(set.map(([name, text]) => {
    if (!Object.hasOwn(defaults, name)) {
      throw new OperatorError('bad-option',
        `${algorithm} has no option ${name}; it has ${Object.keys(defaults).join(', ')}.`);
    }
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return [name, value];
    if (typeof defaults[name] === 'number') {
      throw new OperatorError('bad-option', `--set ${name} is a number, not '${text}'.`);
    }
    return [name, typeof defaults[name] === 'boolean' ? text === 'true' : text];
  }));
}

/** The summary for people. */
export function formatTraining(summary: TrainSummary): string {
  const { deviceModel, trainingFlows, validationFlows, testFlows, devices, thresholds } = summary;
  const lines = [
    `${deviceModel}: ${formatCount(trainingFlows)} flows trained, ${formatCount(validationFlows)} validated, ` +
    `${formatCount(testFlows)} left for a test, of ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}`,
    `${summary.algorithm} on catalog ${summary.catalog}, ${summary.columns} columns, ` +
    `seed ${summary.provenance.seed}: fitted in ${formatDuration(summary.fitSeconds * 1_000)}`,
    `thresholds: default ${thresholds.default.toFixed(4)}, percentile 10 ` +
    `${(thresholds.byPercentile[10] as number).toFixed(4)}`,
    ...summary.folded.map(({ feature, kept, foldedRows }) =>
      `${feature}: the ${kept} most frequent categories are kept; ${formatCount(foldedRows)} flows have others`),
    ...(summary.stableFeatures.length === 0 ? []
      : [`a new category rejects a flow in: ${summary.stableFeatures.join(', ')}`]),
    `written to ${summary.output} (${formatBytes(summary.bytes)})`,
    ...(summary.background === null ? [] : formatBackground(summary.background)),
    ...summary.unfit.map(({ code, detail }) => `UNFIT (${code}): ${detail}`),
    ...summary.problems.map(({ input, detail }) => `${input}: ${detail}`),
  ];
  return lines.join('\n');
}
