/**
 * `natlens detect CONFIG --replay FILE…`: flows of files in place of live ones. Files are read as `natlens flows` reads
 * them, with what the config says of how flows are made; the detector's own engine takes them.
 */
import { formatCount, formatDuration, formatTable, OperatorError } from '#base';
import type { DetectorConfig, FlowReceiver, ReplayResult } from '#detector';
import { meterDefaults, type FlowBatch, type FlowSetInfo } from '#flow';
import type { FlowSink } from '#flow/files';
import { describeGroups, labelState } from '#verdict';
import { ReplayPace, type ReplayPaceOptions } from './detect-replay-pace.ts';
import type { FlowsOptions } from './flows-command.ts';
import { runFlows, type FlowsRun } from './flows-run.ts';
import { Progress } from './progress.ts';

export type ReplayOptions = {
  readonly replay: readonly string[];
  readonly speed: number;
  readonly exports?: boolean;
  readonly madeAs?: FlowSetInfo;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Runs a replay and prints what it found. @returns the exit code */
export async function printReplay(
  config: DetectorConfig, options: ReplayOptions, open: (config: DetectorConfig) => Promise<FlowReceiver>,
): Promise<0 | 1> {
  const { result, run } = await runReplay(config, options, open);
  process.stdout.write(options.json === true
    ? `${JSON.stringify(describeReplay(result, run), null, 2)}\n` : `${formatReplay(result, run)}\n`);
  return run.isComplete ? 0 : 1;
}

/**
 * Runs a replay.
 *
 * @param open  opens the receiver under the config as the replay uses it
 * @param pace  for tests
 * @throws OperatorError  an input cannot be read, or its flows are made differently from what the config says
 */
export async function runReplay(
  given: DetectorConfig, options: ReplayOptions, open: (config: DetectorConfig) => Promise<FlowReceiver>,
  pace: Omit<ReplayPaceOptions, 'speed'> = {},
): Promise<{ result: ReplayResult; run: FlowsRun }> {
  const config = options.madeAs === undefined ? given : restate(given, options.madeAs);
  const receiver = await open(config);
  try {
    const isPaced = options.speed !== Infinity;
    const progress = new Progress(options.quiet === true || !isPaced);
    const sink = new ReplaySink(receiver, new ReplayPace({ ...pace, speed: options.speed }), progress);
    const reading = readingOptions(config, options, isPaced);
    const run = await runFlows(options.replay, reading, sink);
    progress.end();
    const fault = run.infos.map((info) => findMismatch(info, config, reading.l7)).find((text) => text !== undefined) ??
      findUnnamed(run, config);
    if (fault !== undefined) throw new OperatorError('bad-option', fault);
    return { result: await receiver.end(), run };
  } catch (thrown) {
    await receiver.abandon();
    throw thrown;
  }
}

function restate(config: DetectorConfig, { l7Source, activeTimeoutMs, idleTimeoutMs }: FlowSetInfo): DetectorConfig {
  return { ...config, input: { ...config.input, l7: l7Source, activeTimeoutMs, idleTimeoutMs } };
}

function readingOptions({ input, homes }: DetectorConfig, options: ReplayOptions, isPaced: boolean): FlowsOptions {
  return {
    // 0 is not known: what is metered with other timeouts does not pass for it then.
    active: (input.activeTimeoutMs || meterDefaults.activeTimeoutMs) / 1_000,
    idle: (input.idleTimeoutMs || meterDefaults.idleTimeoutMs) / 1_000, home: homes.inside,
    // Where it is stated how the flows were named, their names stay.
    ...(options.madeAs === undefined && { l7: input.l7 }),
    exports: options.exports === true, exportPort: input.listen.map(({ port }) => port).filter((port) => port > 0),
    renormalise: input.renormalise, pair: input.pair, quiet: options.quiet === true || isPaced,
  };
}

/**
 * Why flows are not made as the config says that live ones are; undefined when they are, or when nobody says.
 *
 * @param info     of a part of the input
 * @param renamed  who named them anew
 */
function findMismatch(
  info: FlowSetInfo | undefined, { input }: DetectorConfig, renamed: FlowsOptions['l7'],
): string | undefined {
  if (info === undefined || info.isBiflow === undefined) return undefined;
  if (!info.isBiflow && !input.pair) {
    return 'The flows have one direction a record, and the config does not join them: pair = true does.';
  }
  const l7Source = renamed === undefined || renamed === 'exporter' ? info.l7Source : renamed;
  const found = describeMaking({ ...info, l7Source });
  const wanted = describeMaking({ ...input, l7Source: input.l7 });
  if (found === wanted) return undefined;
  return `The flows are made as ${found}, and the config says ${wanted} (active and idle timeout, names): ` +
    `classifiers for one do not fit the other. --made-as ${found} takes them as they are, with classifiers that fit.`;
}

/** As `--made-as` has it. */
function describeMaking({ activeTimeoutMs, idleTimeoutMs, l7Source }:
  Pick<FlowSetInfo, 'activeTimeoutMs' | 'idleTimeoutMs' | 'l7Source'>): string {
  return `${activeTimeoutMs / 1_000}/${idleTimeoutMs / 1_000}/${l7Source}`;
}

/** Packets that are metered here have no exporter that names them. */
function findUnnamed({ summary }: FlowsRun, { input }: DetectorConfig): string | undefined {
  if (input.l7 !== 'exporter' || summary.meteredPackets === 0) return undefined;
  return 'The config takes names from exporters, and the packets of captures have none: --exports decodes captures of ' +
    `exports, --made-as ${describeMaking({ ...input, l7Source: 'prefix' })} names packets by prefix.`;
}

/** Hands flows on at the pace of the replay. */
class ReplaySink implements FlowSink {
  readonly bytesWritten = 0;
  readonly readerGone = false;
  readonly #receiver: FlowReceiver;
  readonly #pace: ReplayPace;
  readonly #progress: Progress;
  #flows = 0;

  constructor(receiver: FlowReceiver, pace: ReplayPace, progress: Progress) {
    this.#receiver = receiver;
    this.#pace = pace;
    this.#progress = progress;
  }

  write(batch: FlowBatch): Promise<void> {
    return this.#pace.handOn(batch, (rows) => {
      this.#flows += rows.rowCount;
      return this.#receiver.accept(rows, undefined);
    }, () => this.#progress.tick(() => `natlens: ${formatCount(this.#flows)} flows, ` +
      `${describeTime(this.#pace.latestMs)}, ${formatCount(this.#progress.seconds)} s`));
  }

  /** The result is asked for once it is known that the flows fit. */
  async end(): Promise<void> {}

  async abandon(): Promise<void> {}
}

function describeReplay(result: ReplayResult, { summary }: FlowsRun): Record<string, unknown> {
  const { seconds, cpuSeconds, inputs, rejected, problems } = summary;
  return { ...result, seconds, cpuSeconds, inputs, rejected, problems };
}

/** The result for people. */
export function formatReplay(result: ReplayResult, { summary }: FlowsRun): string {
  const rows = result.verdicts.map((verdict) => {
    const { home, deviceModel, sinceMs, firstFlowMs, evidence } = verdict;
    return [
      home, deviceModel, labelState(verdict), describeTime(sinceMs), describeTime(firstFlowMs),
      evidence === undefined ? '' : String(Number(evidence.score.toFixed(3))),
      evidence === undefined ? '' : formatCount(evidence.tokens.length),
    ];
  });
  const planned = Object.entries(result.planned).map(([kind, count]) => `${formatCount(count ?? 0)} ${kind}`);
  const accepted = result.classifiers.map(({ deviceModel, file, stage, flowsAccepted }) =>
    [deviceModel, file, stage === 1 ? 'decides' : 'second opinion', formatCount(flowsAccepted)]);
  return [
    `${formatCount(result.flows)} flows in ${formatDuration(summary.seconds * 1_000)}, ` +
    `${formatCount(result.flowsOfHomes)} of ${formatCount(result.homes)} ${result.homes === 1 ? 'home' : 'homes'}`,
    accepted.length === 0 ? 'no classifier: nothing can be found'
      : formatTable(['device model', 'classifier', '', 'flows accepted'], accepted),
    ...(result.refused.length === 0 ? [] : [result.refused.map(({ file, code, detail }) =>
      `${file} is REFUSED (${code}): ${detail}`).join('\n')]),
    rows.length === 0 ? 'no verdict: no device model was seen in any home'
      : formatTable(['home', 'device model', 'verdict', 'since (UTC)', 'first flow (UTC)', 'score', 'tokens'], rows),
    ...describeGroups(result.verdicts),
    ...(planned.length === 0 ? [] : [`a live detector would have planned ${planned.join(', ')}`]),
    ...summary.problems.map(({ input, detail }) => `${input}: ${detail}`),
  ].join('\n\n');
}

/** `2026-01-02 03:04:05`, UTC. */
function describeTime(timeMs: number): string {
  if (!Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return '-';
  return new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
}
