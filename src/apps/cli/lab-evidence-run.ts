/** One run of `natlens lab evidence`: reads flows as `natlens score` does and scores them; the lab does the rest. */
import { formatCount, formatTable, limits, OperatorError } from '#base';
import { isOutward, TokenFinder, type Evidence } from '#evidence';
import { checkNeeds } from '#feature';
import { BatchSplitter, type FlowBatch } from '#flow';
import { dropTemporaryFiles, type FlowSink } from '#flow/files';
import { HomeFlows, type HomeEvidenceOptions, type HomeVerdict } from '#lab';
import { acceptScores, chooseThreshold, Scorer, type ThresholdChoice } from '#score';
import {
  createClassifierRules, describeGroups, describeOtherWindows, fingerprintFor, labelState, presentScoreOf,
  verdictDefaults,
  type ClassifierRule, type DecidesBy, type UncalibratedCode,
} from '#verdict';
import { loadArtifact, type LoadedArtifact } from './classifier-files.ts';
import { readingOptions, settleFlowSet } from './classifier-flows.ts';
import type { FlowSummary } from './flow-summary.ts';
import { runFlows } from './flows-run.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { LabEvidenceOptions } from './lab-evidence-command.ts';

/** As `--json` prints it; documented in docs/commands/lab-evidence.md. */
export type LabEvidenceSummary = HomeEvidenceOptions & {
  readonly flows: number;
  readonly outwardFlows: number;
  readonly lateFlows: number;
  readonly undatedFlows: number;
  readonly threshold: ThresholdChoice;
  readonly falseAlarms: number;
  readonly classifiers: readonly {
    readonly file: string;
    readonly deviceModel: string;
    readonly classifier: string;
    /** Flows that are evidence: accepted, or showing a token of its fingerprint. */
    readonly accepted: number;
    /** What decides as of the latest flow; `nothing`: the classifier is unfit. */
    readonly decidesBy: DecidesBy;
    /** Why it does not decide by a calibration; `null`: it does, or nobody asks for it. */
    readonly fault: UncalibratedCode | null;
    /** Of the window that ends with the latest flow's bucket; `null` when nothing speaks for the device model. */
    readonly latest: Evidence | null;
  }[];
  readonly verdicts: readonly HomeVerdict[];
  readonly rejected: FlowSummary['rejected'];
  readonly problems: FlowSummary['problems'];
};

type Loaded = LoadedArtifact & { readonly file: string };

/**
 * Runs the verb.
 *
 * @param args  flow files and classifiers, in any order
 * @returns     the summary, and false when an input was cut or damaged
 * @throws OperatorError     a classifier is refused or unfit, flows do not fit it, an option does not
 * @throws EnvironmentError  the disk failed
 */
export async function runLabEvidence(
  args: readonly string[], options: LabEvidenceOptions,
): Promise<{ summary: LabEvidenceSummary; isComplete: boolean }> {
  const isArtifact = (path: string): boolean => path.toLowerCase().endsWith('.nlc');
  const loaded = await loadAll(args.filter(isArtifact), options.allowUnfit === true);
  const inputs = args.filter((path) => !isArtifact(path));
  if (inputs.length === 0) throw new OperatorError('bad-option', 'Name at least one file of flows of the home.');
  const settings = settingsOf(options);
  const inside = options.inside ?? [];
  const budget = { perMonth: options.falseAlarms };
  for (const { file, calibration } of settings.verdict.policy === 'calibrated' ? loaded : []) {
    const fault = describeOtherWindows(calibration, settings.evidence);
    if (fault !== undefined) throw new OperatorError('bad-option', `${file}: ${fault}`);
  }
  const rules = createClassifierRules(loaded, settings.verdict, budget);
  const sink = new HomeSink(loaded, options, settings, rules);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  try {
    const run = await runFlows(inputs, { ...readingOptions(options.quiet === true), home: inside }, sink);
    const info = settleFlowSet(run.infos, options.madeAs);
    for (const { file, classifier } of loaded) {
      const fault = checkNeeds(classifier.needs, info);
      if (fault !== undefined) throw new OperatorError('bad-option', `${file}: ${fault}`);
    }
    const { flows: outwardFlows, lateFlows, undatedFlows, accepted } = sink.flows.counts();
    const summary: LabEvidenceSummary = {
      ...settings, flows: run.summary.flows, outwardFlows, lateFlows, undatedFlows, threshold: options.threshold,
      falseAlarms: options.falseAlarms,
      classifiers: loaded.map(({ file, classifier: { deviceModel }, digest }, i) => ({
        file, deviceModel, classifier: digest, accepted: accepted[i] ?? 0,
        decidesBy: rules[i]?.decidesByAt(sink.latestMs) ?? 'nothing', fault: rules[i]?.faultAt(sink.latestMs) ?? null,
        latest: sink.flows.evidenceOf(i) ?? null,
      })),
      verdicts: sink.flows.verdicts(), rejected: run.summary.rejected, problems: run.summary.problems,
    };
    return { summary, isComplete: run.isComplete };
  } finally {
    forgetCleanUp();
  }
}

function settingsOf({ home, window, bucket, lateness, policy, present, keep, expiry }: LabEvidenceOptions):
HomeEvidenceOptions {
  return {
    home,
    evidence: { windowMs: window, bucketMs: bucket, latenessMs: lateness },
    verdict: {
      policy, presentScore: present ?? presentScoreOf(policy), keepScore: keep ?? verdictDefaults.keepScore,
      expiryMs: expiry,
    },
  };
}

async function loadAll(files: readonly string[], allowUnfit: boolean): Promise<Loaded[]> {
  if (files.length === 0) throw new OperatorError('bad-option', 'Name at least one classifier (.nlc).');
  const loaded: Loaded[] = [];
  for (const file of files) {
    const artifact = await loadArtifact(file);
    const [reason] = artifact.classifier.fitness.reasons;
    if (reason !== undefined && !allowUnfit) {
      throw new OperatorError('bad-option',
        `${file} is unfit (${reason.code}): ${reason.detail} --allow-unfit uses it all the same.`);
    }
    const twin = loaded.find(({ digest }) => digest === artifact.digest);
    if (twin !== undefined) throw new OperatorError('bad-option', `${file} is the same classifier as ${twin.file}.`);
    loaded.push({ ...artifact, file });
  }
  return loaded;
}

/** Scores flows as they are read, and keeps what evidence is made of. */
class HomeSink implements FlowSink {
  readonly bytesWritten = 0;
  readonly readerGone = false;
  readonly flows: HomeFlows;
  readonly #inside: NonNullable<LabEvidenceOptions['inside']>;
  readonly #splitter = new BatchSplitter();
  readonly #scorer: Scorer;
  readonly #thresholds: readonly number[];
  readonly #isAccepted: readonly Uint8Array[];
  readonly #finder: TokenFinder;
  /** End of the latest flow. */
  latestMs = -Infinity;

  constructor(loaded: readonly Loaded[], { inside, threshold }: LabEvidenceOptions, settings: HomeEvidenceOptions,
    rules: readonly ClassifierRule[]) {
    const fingerprints = loaded.map((each) => fingerprintFor(settings.verdict, each));
    this.flows = new HomeFlows(loaded.map(({ classifier: { deviceModel }, digest }, i) => ({
      deviceModel, classifier: digest, fingerprint: fingerprints[i],
      ruleAt: (windowEndMs) => (rules[i] as ClassifierRule).at(windowEndMs),
    })), settings);
    this.#finder = new TokenFinder(loaded.map(({ classifier, secondStage }, i) =>
      ({ classifier, secondStage, fingerprint: fingerprints[i] })), limits.flowBatchRows);
    this.#inside = inside ?? [];
    this.#scorer = new Scorer(loaded.map(({ classifier }) => classifier));
    this.#thresholds = loaded.map(({ classifier: { thresholds } }) => chooseThreshold(thresholds, threshold));
    this.#isAccepted = loaded.map(() => new Uint8Array(limits.flowBatchRows));
  }

  async write(batch: FlowBatch): Promise<void> {
    for (const piece of this.#splitter.split(batch)) this.#take(piece);
  }

  #take(batch: FlowBatch): void {
    const { anomalyScore } = this.#scorer.score(batch);
    for (const [i, accepted] of this.#isAccepted.entries()) {
      acceptScores(anomalyScore[i] as Float64Array, batch.rowCount, this.#thresholds[i] as number, accepted);
    }
    const { isRefused } = this.#finder.find(batch, this.#isAccepted);
    for (let row = 0; row < batch.rowCount; row++) {
      const endMs = batch.columns.flowEndMilliseconds[row] as number;
      if (endMs > this.latestMs && Number.isFinite(endMs)) this.latestMs = endMs;
    }
    this.flows.add(batch, (row) => isOutward(batch, row, this.#inside), this.#isAccepted, isRefused);
  }

  async end(): Promise<void> {}

  async abandon(): Promise<void> {}
}

/** The summary for people. */
export function formatLabEvidence(summary: LabEvidenceSummary): string {
  const { home, flows, outwardFlows, lateFlows, verdicts, classifiers, verdict: { policy, presentScore } } = summary;
  const rows = verdicts.map(({ deviceModel, verdict, episodes }) => {
    const accepted = classifiers.filter((classifier) => classifier.deviceModel === deviceModel)
      .reduce((sum, classifier) => sum + classifier.accepted, 0);
    const isKnown = verdict.evidence !== undefined;
    return [deviceModel, labelState(verdict), formatCount(accepted), formatCount(episodes.length),
      isKnown ? describeTime(verdict.sinceMs) : '', isKnown ? describeTime(verdict.supportedMs) : ''];
  });
  const decides = describePolicy(summary, presentScore, policy);
  return [
    `${formatCount(flows)} flows, ${formatCount(outwardFlows)} of ${home} outward` +
    `${lateFlows === 0 ? '' : `, ${formatCount(lateFlows)} of them too late`}; ${decides}`,
    formatTable(['device model', 'verdict', 'flows accepted', 'episodes', 'since (UTC)', 'supported (UTC)'], rows),
    ...describeGroups(verdicts.map(({ verdict }) => verdict)),
    ...describeFaults(classifiers),
    ...verdicts.flatMap(({ verdict }) => describeEvidence(verdict.evidence)),
    ...summary.problems.map(({ input, detail }) => `${input}: ${detail}`),
  ].join('\n\n');
}

function describePolicy({ falseAlarms, classifiers }: LabEvidenceSummary, presentScore: number, policy: string):
string {
  const distinct = `present from a score of ${presentScore} on`;
  if (policy === 'single-flow') return 'one accepted flow decides';
  const calibrated = classifiers.filter(({ decidesBy }) => decidesBy === 'calibration').length;
  if (policy === 'distinct-tokens' || calibrated === 0) return distinct;
  return `${formatCount(calibrated)} of ${formatCount(classifiers.length)} classifiers decide by their calibration ` +
    `(${falseAlarms} false alarms a home and month)`;
}

function describeFaults(classifiers: LabEvidenceSummary['classifiers']): string[] {
  const lines = classifiers.filter(({ fault }) => fault !== null).map(({ file, fault, decidesBy }) =>
    `${file}: ${fault}: ${decidesBy === 'nothing' ? 'it decides nothing' : 'distinct tokens decide'}`);
  return lines.length === 0 ? [] : [lines.join('\n')];
}

/** The tokens that led to a verdict. */
function describeEvidence(evidence: Evidence | undefined): string[] {
  if (evidence === undefined) return [];
  const { deviceModel, windowStartMs, windowEndMs, score, tokens } = evidence;
  return [[
    `${deviceModel}: score ${Math.round(score * 100) / 100} from ${describeTime(windowStartMs)} to ${
      describeTime(windowEndMs)}`,
    ...tokens.map(({ text, buckets }) => `  ${text}  in ${buckets} ${buckets === 1 ? 'bucket' : 'buckets'}`),
  ].join('\n')];
}

/** `2026-01-02 03:04:05`, UTC. */
function describeTime(timeMs: number): string {
  return Math.abs(timeMs) > 8.64e15 ? '-' : new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
}
