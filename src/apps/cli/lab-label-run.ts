/** One run of `natlens lab label`: reads both taps side by side as `natlens flows` reads, labels, writes, sums up. */
import { formatCount, formatTable, OperatorError, type Prefix } from '#base';
import { openByteSource, recogniseCapture } from '#capture';
import type { FlowBatch, FlowSetInfo } from '#flow';
import { dropTemporaryFiles, openFlowSink, openTableSink, type FlowSink } from '#flow/files';
import {
  FlowLabeller, labelPackets, packetLabelColumns, readDeviceNames, type LabelAccount, type LabelSummary,
  type NameDevice, type TwinMatcherOptions,
} from '#lab';
import { readingOptions } from './classifier-flows.ts';
import { runFlows, type FlowsRun } from './flows-run.ts';
import { cleanUpOnSignal } from './interruption.ts';
import type { LabLabelOptions } from './lab-label-command.ts';

/** As `--json` prints it; documented in docs/commands/lab-label.md. */
export type LabelRunSummary = {
  readonly flows: LabelSummary;
  /** With `--packets`. */
  readonly packets: LabelSummary | null;
  readonly output: string;
};

/**
 * Runs the verb.
 *
 * @returns  the summary, and false when an input was cut or damaged
 * @throws OperatorError     an input cannot be read, an option does not fit
 * @throws EnvironmentError  the disk failed
 */
export async function runLabLabel(
  options: LabLabelOptions,
): Promise<{ summary: LabelRunSummary; isComplete: boolean }> {
  if (options.packets !== undefined) await checkPacketInputs(options);
  const nameDevice = options.inventory === undefined ? undefined : await readDeviceNames(options.inventory);
  const forgetCleanUp = cleanUpOnSignal(dropTemporaryFiles);
  try {
    const { summary, isComplete } = await labelFlowInputs(options, nameDevice);
    const packets = options.packets === undefined ? undefined : await labelPacketInputs(options, nameDevice);
    return {
      isComplete,
      summary: { flows: summary, packets: packets?.summary ?? null, output: options.output },
    };
  } finally {
    forgetCleanUp();
  }
}

function matcherOptions({ window, offsetMax, tolerance }: LabLabelOptions): Partial<TwinMatcherOptions> {
  return {
    windowMs: window * 1_000, clock: { offsetMaxMs: offsetMax * 1_000, toleranceMaxMs: tolerance * 1_000 },
  };
}

async function labelFlowInputs(options: LabLabelOptions, nameDevice: NameDevice | undefined,
): Promise<{ summary: LabelSummary; isComplete: boolean }> {
  const { router } = options;
  const routerHome: Prefix[] = router === undefined ? [] : [{ words: router, lengthBits: 128 }];
  const outside = new FlowInput(options.outside, routerHome, options.quiet === true);
  const inside = new FlowInput(options.inside, options.home ?? [], true);
  const labeller = new FlowLabeller({ router, nameDevice, matcher: matcherOptions(options) });
  let sink: FlowSink | undefined;
  try {
    for await (const batch of labeller.label(outside.batches(), inside.batches())) {
      sink ??= await openFlowSink(options.output);
      const busy = sink.write(batch);
      if (busy !== undefined) await busy;
    }
    const runs = [await outside.run, await inside.run];
    // Also without a single label there is a file, and its account says why it is empty.
    sink ??= await openFlowSink(options.output);
    await sink.end(runs[0]?.infos[0] ?? unknownInfo);
    return { summary: labeller.account.summary as LabelSummary, isComplete: runs.every((run) => run.isComplete) };
  } catch (thrown) {
    await sink?.abandon();
    throw thrown;
  }
}

const unknownInfo: FlowSetInfo =
  { origin: 'natlens lab label', l7Source: 'none', l7Version: '', activeTimeoutMs: 0, idleTimeoutMs: 0 };

/** Flows as `natlens flows` would write them, one batch at a time: the reading waits until a batch is asked for. */
class FlowInput {
  readonly run: Promise<FlowsRun>;
  readonly #sink: BatchSink;

  constructor(paths: readonly string[], home: readonly Prefix[], isQuiet: boolean) {
    this.#sink = new BatchSink();
    this.run = runFlows(paths, { ...readingOptions(isQuiet), home }, this.#sink);
    // A failure is told to whoever asks for batches; here it only must not count as unhandled.
    this.run.catch((thrown: unknown) => this.#sink.fail(thrown));
  }

  batches(): AsyncGenerator<FlowBatch> {
    return this.#sink.batches();
  }
}

/** A sink that somebody else reads from. */
class BatchSink implements FlowSink {
  readonly bytesWritten = 0;
  readerGone = false;
  #waiting: { readonly batch: FlowBatch; readonly taken: () => void } | undefined;
  #isOver = false;
  #failure: { readonly thrown: unknown } | undefined;
  #wake: () => void = () => undefined;

  write(batch: FlowBatch): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { batch, taken: resolve };
      this.#wake();
    });
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#wake();
  }

  async abandon(): Promise<void> {
    await this.end();
  }

  fail(thrown: unknown): void {
    this.#failure = { thrown };
    this.#wake();
  }

  /** Each batch is valid until the next is asked for. */
  async *batches(): AsyncGenerator<FlowBatch> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.thrown;
        const waiting = this.#waiting;
        if (waiting !== undefined) {
          yield waiting.batch;
          this.#waiting = undefined;
          waiting.taken();
        } else if (this.#isOver) return;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.readerGone = true;
      this.#waiting?.taken();
    }
  }
}

async function checkPacketInputs({ outside, inside, router }: LabLabelOptions): Promise<void> {
  if (outside.length !== 1 || inside.length !== 1) {
    throw new OperatorError('bad-option', '--packets wants one capture outside and one inside.');
  }
  if (router === undefined || router[2] !== 0xffff) {
    throw new OperatorError('bad-option', '--packets wants the IPv4 address of the router: name it with --router.');
  }
  for (const path of [...outside, ...inside]) {
    const source = await openByteSource(path);
    const isCapture = recogniseCapture(source.head) !== undefined;
    const isFile = source.sizeBytes !== undefined;
    await source.close();
    if (!isCapture || !isFile) {
      throw new OperatorError('bad-option', `--packets wants captures in files, and ${path} is none.`);
    }
  }
}

async function labelPacketInputs(options: LabLabelOptions, nameDevice: NameDevice | undefined): Promise<LabelAccount> {
  const outside = await openByteSource(options.outside[0] as string);
  const inside = await openByteSource(options.inside[0] as string);
  const sink = await openTableSink(options.packets as string, packetLabelColumns);
  try {
    const { clock } = matcherOptions(options);
    const account = await labelPackets(outside, inside, sink, {
      routerAddress: options.router?.[3] ?? 0, home: options.home ?? [], nameDevice,
      matcher: clock === undefined ? {} : { clock },
    });
    await sink.end();
    return account;
  } catch (thrown) {
    await sink.abandon();
    throw thrown;
  } finally {
    await outside.close();
    await inside.close();
  }
}

/** The account for people. */
export function formatLabelling({ flows, packets, output }: LabelRunSummary): string {
  return [formatPart('flows', flows), ...(packets === null ? [] : [formatPart('packets', packets)]),
    `written to ${output}`, '',
    formatTable(['device', 'flows'], Object.entries(flows.devices).map(([name, count]) => [name, formatCount(count)])),
  ].join('\n');
}

function formatPart(what: string, { outside, inside, clock, portPolicy, router }: LabelSummary): string {
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts).map(([name, count]) => `${name} ${formatCount(count)}`).join(', ') || 'none';
  return [
    `outside: ${formatCount(outside.total)} ${what}, ${formatCount(outside.total - outside.notFromRouter)} of the ` +
      `router ${router}; labelled ${formatCount(outside.labelled)} (by ${list(outside.evidence)})`,
    `ambiguous: ${list(outside.ambiguous)}; without a twin: ${list(outside.unmatched)}`,
    `inside: ${formatCount(inside.total)} ${what}, ${formatCount(inside.twins)} of them twins`,
    `clock outside ${clock.offsetMs >= 0 ? '+' : ''}${(clock.offsetMs / 1_000).toFixed(3)} s, drift ` +
      `${clock.driftPpm.toFixed(1)} ppm, tolerance ${clock.toleranceMs.toFixed(1)} ms; ports: ${portPolicy}`,
  ].join('\n');
}
