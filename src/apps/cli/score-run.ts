/** One run of `natlens score`: loads classifiers, scores flows as they are read, counts what is accepted. */
import { cpuSeconds, formatCount, formatDuration, formatTable, limits, OperatorError, systemClock } from '#base';
import { checkNeeds, createEncodedRows, createEncoder, createFeatureMatrix, readFeatures } from '#feature';
import { BatchSplitter, type FlowBatch } from '#flow';
import { dropTemporaryFiles, type FlowSink, type TableSink } from '#flow/files';
import { acceptScores, chooseThreshold, type Classifier, type Scores, type ThresholdChoice } from '#score';
import { loadArtifact } from './classifier-files.ts';
import { readingOptions, settleFlowSet } from './classifier-flows.ts';
import { nameOutput, type FlowSummary } from './flow-summary.ts';
import { runFlows } from './flows-run.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { ScoreOptions } from './score-command.ts';
import { MatrixOutput } from './score-matrix.ts';
import { flowColumns, flowValues, openScoreTable } from './score-table.ts';
import { ScoreThreads } from './score-threads.ts';

/** Counts of flows, and of those that a classifier accepts. */
type Accepted = { flows: number; accepted: number };

export type ClassifierCounts = {
  readonly file: string;
  readonly deviceModel: string;
  readonly algorithm: string;
  readonly isFit: boolean;
  readonly threshold: number;
  readonly accepted: number;
  /** Flows labelled with the classifier's device model, with another one, and with none. */
  readonly own: Readonly<Accepted>;
  readonly others: Readonly<Accepted>;
  readonly unlabelled: Readonly<Accepted>;
};

/** The summary as `--json` prints it; documented in docs/commands/score.md. */
export type ScoreSummary = {
  readonly flows: number;
  readonly threshold: ThresholdChoice;
  readonly classifiers: readonly ClassifierCounts[];
  /** Threads that scored; what `--workers auto` came to. */
  readonly workers: number;
  /** Time that features, encoding and scoring took, on all threads together. */
  readonly scoreSeconds: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly output: string | null;
  readonly rejected: FlowSummary['rejected'];
  readonly problems: FlowSummary['problems'];
};

type Loaded = {
  readonly file: string;
  readonly classifier: Classifier;
  /** The artifact, for worker threads to read again. */
  readonly bytes: Uint8Array;
  readonly threshold: number;
};

/**
 * Runs `natlens score`.
 *
 * @param args  flow files and classifiers, in any order
 * @returns     the summary, and false when an input was cut or damaged
 * @throws OperatorError     a classifier is refused or unfit, flows do not fit it, an option does not
 * @throws EnvironmentError  the disk or a worker thread failed
 */
export async function runScoring(
  args: readonly string[], options: ScoreOptions,
): Promise<{ summary: ScoreSummary; isComplete: boolean }> {
  const startMs = systemClock.monotonicMs();
  const isArtifact = (path: string): boolean => path.toLowerCase().endsWith('.nlc');
  const loaded = await loadAll(args.filter(isArtifact), options);
  const inputs = args.filter((path) => !isArtifact(path));
  if (inputs.length === 0) throw new OperatorError('bad-option', 'Name at least one file of flows to score.');
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  try {
    const sink = await ScoreSink.open(loaded, options);
    const run = await runFlows(inputs, readingOptions(options.quiet === true), sink).catch(async (thrown: unknown) => {
      await sink.abandon();
      throw thrown;
    });
    try {
      const info = settleFlowSet(run.infos, options.madeAs);
      for (const { file, classifier } of loaded) {
        const fault = checkNeeds(classifier.needs, info);
        if (fault !== undefined) throw new OperatorError('bad-option', `${file}: ${fault}`);
      }
      await sink.finish();
    } catch (thrown) {
      await sink.abandon();
      throw thrown;
    }
    return {
      isComplete: run.isComplete,
      summary: {
        flows: run.summary.flows, threshold: options.threshold, classifiers: sink.counts(),
        workers: sink.threads.count, scoreSeconds: sink.threads.scoreMs / 1_000,
        seconds: (systemClock.monotonicMs() - startMs) / 1_000,
        cpuSeconds: cpuSeconds(), output: options.output ?? null,
        rejected: run.summary.rejected, problems: run.summary.problems,
      },
    };
  } finally {
    forgetCleanUp();
  }
}

async function loadAll(files: readonly string[], options: ScoreOptions): Promise<Loaded[]> {
  if (files.length === 0) throw new OperatorError('bad-option', 'Name at least one classifier (.nlc).');
  if (options.matrix !== undefined && files.length > 1) {
    throw new OperatorError('bad-option', '--matrix is of one classifier: each sees flows in another way.');
  }
  const loaded: Loaded[] = [];
  for (const file of files) {
    const { classifier, bytes } = await loadArtifact(file);
    const [reason] = classifier.fitness.reasons;
    if (reason !== undefined && options.allowUnfit !== true) {
      throw new OperatorError('bad-option',
        `${file} is unfit (${reason.code}): ${reason.detail} --allow-unfit scores with it all the same.`);
    }
    loaded.push({ file, classifier, bytes, threshold: chooseThreshold(classifier.thresholds, options.threshold) });
  }
  return loaded;
}

/** Scores what it is given; the outputs are finished by `finish`, once it is known how the flows were made. */
class ScoreSink implements FlowSink {
  readonly bytesWritten = 0;
  readonly readerGone = false;
  readonly threads: ScoreThreads;
  readonly #loaded: readonly Loaded[];
  readonly #splitter = new BatchSplitter();
  readonly #accepted: readonly Uint8Array[];
  readonly #counts: readonly { own: Accepted; others: Accepted; unlabelled: Accepted }[];
  readonly #table: TableSink | undefined;
  readonly #matrix: { readonly output: MatrixOutput; readonly add: (batch: FlowBatch) => void } | undefined;
  #isClosed = false;

  static async open(loaded: readonly Loaded[], options: ScoreOptions): Promise<ScoreSink> {
    const matrix = options.matrix === undefined ? undefined : openMatrix(options.matrix, loaded[0] as Loaded);
    const columns = [...flowColumns, ...nameScores(loaded).flatMap((name) => [
      { name: `anomalyScore.${name}`, type: 'number' as const },
      { name: `isAccepted.${name}`, type: 'boolean' as const },
    ])];
    const table = options.output === undefined ? undefined : await openScoreTable(options.output, columns);
    return new ScoreSink({ loaded, options, table, matrix });
  }

  private constructor({ loaded, options, table, matrix }: {
    loaded: readonly Loaded[]; options: ScoreOptions; table: TableSink | undefined;
    matrix: ReturnType<typeof openMatrix>;
  }) {
    this.threads = new ScoreThreads(loaded, options.workers, (flows, scores) => this.#takeScores(flows, scores));
    this.#loaded = loaded;
    this.#table = table;
    this.#matrix = matrix;
    this.#accepted = loaded.map(() => new Uint8Array(limits.flowBatchRows));
    const none = (): Accepted => ({ flows: 0, accepted: 0 });
    this.#counts = loaded.map(() => ({ own: none(), others: none(), unlabelled: none() }));
  }

  async write(batch: FlowBatch): Promise<void> {
    for (const piece of this.#splitter.split(batch)) await this.#writeRows(piece);
  }

  #writeRows(batch: FlowBatch): Promise<void> {
    this.#matrix?.add(batch);
    return this.threads.score(batch);
  }

  /** Called in the order of the flows. */
  async #takeScores(batch: FlowBatch, { anomalyScore }: Scores): Promise<void> {
    for (const [i, { threshold, classifier }] of this.#loaded.entries()) {
      const accepted = this.#accepted[i] as Uint8Array;
      acceptScores(anomalyScore[i] as Float64Array, batch.rowCount, threshold, accepted);
      this.#count(i, batch, classifier.deviceModel, accepted);
    }
    if (this.#table === undefined) return;
    for (let row = 0; row < batch.rowCount; row++) {
      const scores = this.#accepted.flatMap((accepted, i) =>
        [(anomalyScore[i] as Float64Array)[row], accepted[row] === 1]);
      const busy = this.#table.write([...flowValues(batch, row), ...scores]);
      if (busy !== undefined) await busy;
    }
  }

  #count(
    index: number, { columns, dictionaries, rowCount }: FlowBatch, deviceModel: string, accepted: Uint8Array,
  ): void {
    const counts = this.#counts[index] as { own: Accepted; others: Accepted; unlabelled: Accepted };
    for (let row = 0; row < rowCount; row++) {
      const label = dictionaries.device_model.decode(columns.device_model[row] as number);
      const kind = label === '' ? counts.unlabelled : label === deviceModel ? counts.own : counts.others;
      kind.flows++;
      kind.accepted += accepted[row] as number;
    }
  }

  counts(): ClassifierCounts[] {
    return this.#loaded.map(({ file, classifier, threshold }, i) => {
      const counts = this.#counts[i] as { own: Accepted; others: Accepted; unlabelled: Accepted };
      return {
        file, deviceModel: classifier.deviceModel, algorithm: classifier.detector.algorithm,
        isFit: classifier.fitness.isFit, threshold,
        accepted: counts.own.accepted + counts.others.accepted + counts.unlabelled.accepted, ...counts,
      };
    });
  }

  /** The flows have ended; whether they may be scored at all is known only now. */
  async end(): Promise<void> {
    await this.threads.drain();
    await this.threads.close();
  }

  /** Gives the outputs their names. */
  async finish(): Promise<void> {
    await this.#matrix?.output.end();
    await this.#table?.end();
    this.#isClosed = true;
  }

  async abandon(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.threads.close();
    await this.#table?.abandon();
  }
}

/** What is told apart in the output: device models, numbered where two classifiers are of one. */
function nameScores(loaded: readonly Loaded[]): string[] {
  const seen = new Map<string, number>();
  return loaded.map(({ classifier: { deviceModel } }) => {
    const count = (seen.get(deviceModel) ?? 0) + 1;
    seen.set(deviceModel, count);
    return count === 1 ? deviceModel : `${deviceModel}#${count}`;
  });
}

function openMatrix(path: string, { classifier }: Loaded):
{ output: MatrixOutput; add: (batch: FlowBatch) => void } | undefined {
  const output = new MatrixOutput(path, classifier.encoder);
  const encoder = createEncoder(classifier.encoder);
  const features = createFeatureMatrix(encoder.catalog);
  const rows = createEncodedRows(encoder.layout, features.capacity);
  return {
    output,
    add: (batch) => {
      readFeatures(batch, features);
      encoder.encode(features, rows);
      output.add(rows);
    },
  };
}

/** The summary for people. */
export function formatScoring(summary: ScoreSummary): string {
  const hasLabels = summary.classifiers.some(({ own, others }) => own.flows + others.flows > 0);
  const share = ({ flows, accepted }: Accepted): string =>
    flows === 0 ? '–' : `${(100 * accepted / flows).toFixed(1)} % of ${formatCount(flows)}`;
  const rows = summary.classifiers.map((counts) => [
    counts.deviceModel, counts.algorithm, counts.threshold.toFixed(4), formatCount(counts.accepted),
    ...(hasLabels ? [share(counts.own), share(counts.others)] : []), ...(counts.isFit ? [] : ['UNFIT']),
  ]);
  const heading = ['device model', 'algorithm', 'threshold', 'accepted', ...(hasLabels ? ['own', 'others'] : []),
    ...(summary.classifiers.every(({ isFit }) => isFit) ? [] : [''])];
  const lines = [
    `${formatCount(summary.flows)} flows scored by ${summary.classifiers.length} ` +
    `${summary.classifiers.length === 1 ? 'classifier' : 'classifiers'} in ${formatDuration(summary.seconds * 1_000)}`,
    '', formatTable(heading, rows),
    ...(summary.output === null ? [] : ['', `written to ${nameOutput(summary.output)}`]),
    ...summary.problems.map(({ input, detail }) => `${input}: ${detail}`),
  ];
  return lines.join('\n');
}
