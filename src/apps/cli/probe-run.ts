/**
 * One run of `natlens probe`: opens the interface, gives up the right to, puts probe, collector, file and detector
 * together, and ends them in order. Everything that needs no right is opened after rights are gone.
 */
import { existsSync } from 'node:fs';
import { EnvironmentError, OperatorError, systemClock, type Prefix } from '#base';
import { openByteSource, readCapture, recogniseCapture, type ByteSource } from '#capture';
import { meterDefaults, type FlowBatch, type FlowSetInfo, type L7Source } from '#flow';
import { dropTemporaryFiles, openFlowSink, type FlowSink } from '#flow/files';
import {
  createProbeHealth, describeMissingRight, FileSource, giveUpRights, LiveSource, openExport, Probe, ProbeWatch,
  takeHandedSocket, type ExportOutlet, type PacketSource, type ProbeStatus,
} from '#probe';
import type { DetectorConfig, LiveDetector } from '#detector';
import type { LiveCaptureOptions, PacketSocketHandle } from '#capture/live';
import { findAddress } from './export-run.ts';
import { FlowOutput } from './flow-output.ts';
import { cleanUpOnSignal } from './interruption.ts';
import { openNamer } from './open-namer.ts';
import { samplingOf, type ProbeCommandOptions } from './probe-options.ts';

export type ProbeRun = {
  readonly status: ProbeStatus;
  readonly notes: readonly string[];
  /** The largest flows, where they go nowhere else. */
  readonly tally: string | undefined;
  /** False when a capture was cut or damaged. */
  readonly isComplete: boolean;
  /** 70 after a bug of ours in the detector. */
  readonly exitCode: 0 | 70;
};

/** How long a flow waits for nDPI's verdict on its conversation. */
const holdMsMax = 10_000;
const flushEveryMs = 1_000;
const statusEveryMs = 10_000;
/** How long a collector may take for what is left at the end; systemd's TimeoutStopSec is longer. */
const endMsMax = 20_000;
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How flows are made: what the options say, else what the detector wants, else the usual. */
type Making = {
  readonly activeMs: number;
  readonly idleMs: number;
  readonly l7: L7Source;
  readonly home: readonly Prefix[] | undefined;
};

/** Where packets come from, opened but not yet read. */
type Opened = {
  readonly source: (allocate: (bytes: number) => Uint8Array | undefined) => PacketSource;
  readonly home: readonly Prefix[];
  /** Gives it back when nothing comes of it. */
  readonly close: () => void | Promise<void>;
};

/**
 * Runs until the file ends, a signal, or `--for`.
 *
 * @throws OperatorError     no such interface or file; options do not fit each other or the detector
 * @throws EnvironmentError  `no-capture-right`, libndpi is absent, the network or disk failed
 */
export async function runProbe(target: string, options: ProbeCommandOptions): Promise<ProbeRun> {
  const config = options.detector === undefined ? undefined
    : await (await import('#detector')).readConfig(options.detector);
  const making = planMaking(options, config);
  // Looked up with all rights: a name server's answer is needed before the packets are there.
  const place = options.to === undefined ? undefined : await findAddress(options.to.host);
  const opened = isInterface(target) ? await openInterface(target, options) : await openFile(target, options);
  const run = new ProbeRunner(target, options, making);
  try {
    await run.open(opened, place?.address, config);
    return await run.run();
  } catch (thrown) {
    await run.abandon();
    await opened.close();
    throw thrown;
  }
}

/** @throws OperatorError  the options make flows that the detector's classifiers do not fit */
function planMaking(options: ProbeCommandOptions, config: DetectorConfig | undefined): Making {
  const input = config?.input;
  if (input?.l7 === 'exporter' && options.l7 === undefined) throw new OperatorError('bad-option',
    `${options.detector} takes names from exporters, and packets have none: give --l7 prefix, ndpi or none, with ` +
    'classifiers that were trained on such names.');
  const activeMs = (options.active ?? 0) * 1_000 || input?.activeTimeoutMs || meterDefaults.activeTimeoutMs;
  const idleMs = (options.idle ?? 0) * 1_000 || input?.idleTimeoutMs || meterDefaults.idleTimeoutMs;
  const l7 = options.l7 ?? input?.l7 ?? 'prefix';
  if (input !== undefined && ((input.activeTimeoutMs !== 0 && input.activeTimeoutMs !== activeMs) ||
    (input.idleTimeoutMs !== 0 && input.idleTimeoutMs !== idleMs) || (input.l7 !== 'exporter' && input.l7 !== l7))) {
    throw new OperatorError('bad-option', `${options.detector} says that flows are made as ` +
      `${input.activeTimeoutMs / 1_000}/${input.idleTimeoutMs / 1_000}/${input.l7} (active and idle timeout, names), ` +
      `and the options say ${activeMs / 1_000}/${idleMs / 1_000}/${l7}: classifiers for one do not fit the other.`);
  }
  const inside = config?.homes.inside ?? [];
  return { activeMs, idleMs, l7, home: options.home ?? (inside.length > 0 ? inside : undefined) };
}

/** An interface before a file of the same name; what is neither is asked for as what it looks like. */
function isInterface(target: string): boolean {
  if (target === '-') return false;
  if (/^[^/]{1,15}$/.test(target) && existsSync(`/sys/class/net/${target}`)) return true;
  return !existsSync(target) && /^[A-Za-z0-9_@:-]+(?:\.\d+)?$/.test(target);
}

async function openInterface(name: string, options: ProbeCommandOptions): Promise<Opened> {
  if (options.fast === true) throw new OperatorError('bad-option',
    '--fast is for capture files; an interface has its own pace.');
  const live = await import('#capture/live');
  const capture: LiveCaptureOptions = {
    ...live.liveCaptureDefaults, interfaceName: name, isPromiscuous: options.promiscuous === true,
    ...(options.ring !== undefined && { ringBytes: options.ring << 20 }),
  };
  const handle = takeHandedSocket() ?? openSocket(live.openPacketSocket, capture);
  // Loaded now: who we become may not be able to read our files.
  await loadParts(options);
  giveUpRights(handle, options.user);
  let capturing: InstanceType<typeof live.LiveCapture> | undefined;
  return {
    source: (allocate) => new LiveSource(capturing = new live.LiveCapture(handle, { allocate })),
    home: live.findInterfaceHome(name),
    close: () => capturing?.close(),
  };
}

/** @throws EnvironmentError  `no-capture-right`, with what to type */
function openSocket(
  open: (options: LiveCaptureOptions) => PacketSocketHandle, capture: LiveCaptureOptions,
): PacketSocketHandle {
  try {
    return open(capture);
  } catch (thrown) {
    if (!(thrown instanceof EnvironmentError) || thrown.code !== 'no-capture-right') throw thrown;
    throw new EnvironmentError('no-capture-right',
      describeMissingRight(capture.interfaceName, `natlens ${process.argv.slice(2).join(' ')}`), thrown);
  }
}

async function loadParts({ l7, detector, metrics }: ProbeCommandOptions): Promise<void> {
  if (l7 === 'ndpi') await import('#flow/ndpi');
  if (detector !== undefined) await import('#detector');
  if (metrics !== undefined) await import('#service/metrics');
}

async function openFile(path: string, options: ProbeCommandOptions): Promise<Opened> {
  if (options.promiscuous === true || options.ring !== undefined) throw new OperatorError('bad-option',
    '--promiscuous and --ring are for interfaces; a file has the packets that it has.');
  const source: ByteSource = await openByteSource(path);
  if (recogniseCapture(source.head) === undefined) {
    await source.close();
    throw new OperatorError('input-unknown-kind',
      `${path} is no capture (pcap, pcapng), and no interface is called so: check the name.`);
  }
  return {
    source: (allocate) => new FileSource(source, readCapture(source, { allocate }), { isPaced: options.fast !== true }),
    home: [],
    close: () => source.close(),
  };
}

class ProbeRunner {
  readonly #target: string;
  readonly #options: ProbeCommandOptions;
  readonly #making: Making;
  #probe: Probe | undefined;
  #watch: ProbeWatch | undefined;
  #outlet: ExportOutlet | undefined;
  #sink: FlowSink | undefined;
  #output: FlowOutput | undefined;
  #detector: LiveDetector | undefined;
  #health: ReturnType<typeof createProbeHealth> | undefined;
  #bug = false;
  #flushMs = 0;
  #statusMs = systemClock.monotonicMs() + statusEveryMs;

  constructor(target: string, options: ProbeCommandOptions, making: Making) {
    this.#target = target;
    this.#options = options;
    this.#making = making;
  }

  async open(opened: Opened, address: string | undefined, config: DetectorConfig | undefined): Promise<void> {
    const { to, output, metrics, detector } = this.#options;
    const { activeMs, idleMs, l7, home } = this.#making;
    const sampling = samplingOf(this.#options);
    if (to !== undefined && address !== undefined) this.#outlet = await openExport({
      address, port: to.port, transport: this.#options.tcp === true ? 'tcp' : 'udp',
      version: this.#options.v9 === true ? 9 : 10, domain: this.#options.domain,
      recordsPerSecond: this.#options.rate, sampling,
    });
    if (output !== undefined) this.#sink = await openFlowSink(output).catch(explainUser);
    // Flows that go nowhere else are shown.
    if (output !== undefined || (to === undefined && detector === undefined)) this.#output = new FlowOutput(this.#sink);
    if (config !== undefined) this.#detector = await (await import('#detector')).openLiveDetector(config,
      { logStream: process.stderr, onBug: (thrown) => this.#noteBug(thrown) });
    const probe = this.#probe = await Probe.open({
      meter: {
        activeTimeoutMs: activeMs, idleTimeoutMs: idleMs, home: home ?? opened.home,
        ...(this.#options.keepDuplicates === true ? { duplicateWindowMs: 0 } : {}),
      },
      sampling, seed: this.#options.seed,
    }, {
      openSource: opened.source,
      // In real time flows wait for their name no longer than this, and a child that keeps dying is tried for ever.
      openNamer: (emit) => openNamer(l7, emit,
        this.#options.fast === true ? {} : { holdMsMax, fruitlessStartsMax: Infinity }),
      onFlows: (flows) => this.#handOn(flows),
      whenTaken: () => (this.#output?.isWaiting === true ? this.#drain() : undefined),
      onTick: () => this.#tick(),
    });
    this.#watch = new ProbeWatch({ probe, sampling, exportCounts: () => this.#outlet?.counts(), output, detector });
    if (metrics !== undefined) {
      this.#health = createProbeHealth({ address: metrics.host, port: metrics.port },
        () => (this.#watch as ProbeWatch).status());
      await this.#health.start();
    }
    if (this.#options.quiet !== true) process.stderr.write(`natlens: ${this.#describeStart()}\n`);
  }

  async run(): Promise<ProbeRun> {
    const probe = this.#probe as Probe;
    const stop = (): void => probe.stop();
    const forgetCleanUp = cleanUpOnSignalsAfter(stop);
    const timer = this.#options.for === undefined ? undefined : setTimeout(stop, this.#options.for);
    try {
      await probe.run();
      await this.#drain();
    } finally {
      clearTimeout(timer);
      forgetCleanUp();
    }
    const isCutOff = await this.#end();
    const status = (this.#watch as ProbeWatch).status();
    await probe.source.close();
    const run: ProbeRun = {
      status, notes: this.#notes(), tally: this.#tally(), isComplete: probe.source.problems.length === 0,
      exitCode: this.#bug ? 70 : 0,
    };
    // What the detector gave up would keep the process alive.
    if (isCutOff) setTimeout(() => process.exit(run.exitCode), 1_000).unref();
    return run;
  }

  /** After a failure: leaves no half output behind. */
  async abandon(): Promise<void> {
    await this.#health?.stop();
    await this.#probe?.abandon();
    await this.#outlet?.end(0);
    await this.#sink?.abandon();
    await this.#detector?.stop();
  }

  /** Ends what flows were handed to. @returns true when the detector holds on to something */
  async #end(): Promise<boolean> {
    await this.#outlet?.end(endMsMax);
    await this.#sink?.end(this.#info((this.#probe as Probe).namer.version));
    const isCutOff = await this.#detector?.stop() ?? false;
    await this.#health?.stop();
    return isCutOff;
  }

  #handOn(flows: FlowBatch): void {
    this.#outlet?.accept(flows);
    this.#output?.accept(flows);
    this.#detector?.accept(flows);
  }

  async #drain(): Promise<void> {
    await this.#output?.drain();
    if (this.#output?.isAbandoned === true) this.#probe?.stop();
  }

  #tick(): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#flushMs >= flushEveryMs) {
      this.#flushMs = nowMs;
      this.#outlet?.flush();
    }
    if (nowMs >= this.#statusMs && this.#options.quiet !== true) {
      this.#statusMs = nowMs + statusEveryMs;
      process.stderr.write(`${(this.#watch as ProbeWatch).line()}\n`);
    }
  }

  #noteBug(thrown: unknown): void {
    this.#bug = true;
    process.stderr.write(`natlens: this is a bug in natlens, please report it: ${String(thrown)}\n`);
    this.#probe?.stop();
  }

  #info(l7Version: string): FlowSetInfo {
    const { activeMs, idleMs, l7 } = this.#making;
    return { origin: 'natlens probe', l7Source: l7, l7Version, activeTimeoutMs: activeMs, idleTimeoutMs: idleMs,
      isBiflow: true };
  }

  #tally(): string | undefined {
    if (this.#sink !== undefined || this.#output === undefined || this.#output.tally.flowCount === 0) return undefined;
    return this.#output.tally.format();
  }

  #notes(): string[] {
    const notes = [...this.#outlet?.notes() ?? [], ...this.#sink?.notes ?? [],
      ...(this.#probe as Probe).source.problems.map(({ detail }) => detail)];
    if (samplingOf(this.#options) !== undefined && (this.#sink !== undefined || this.#detector !== undefined)) {
      notes.push('Flows of the file and the detector count the sampled packets alone.');
    }
    if (this.#options.output !== undefined && this.#options.output !== '-') {
      notes.push(`written to ${this.#options.output}`);
    }
    return notes;
  }

  #describeStart(): string {
    const { to, output, detector } = this.#options;
    const aims = [
      ...(to === undefined ? [] : [`to ${to.host}:${to.port}`]), ...(output === undefined ? [] : [`into ${output}`]),
      ...(detector === undefined ? [] : [`to the detector of ${detector}`]),
    ];
    return `metering ${this.#target}${aims.length === 0 ? '' : ` ${aims.join(' and ')}`}; Ctrl-C ends`;
  }
}

/** The first signal ends in order; temporary files go when a second one comes. */
function cleanUpOnSignalsAfter(stop: () => void): () => void {
  let forget: (() => void) | undefined;
  const onSignal = (): void => {
    for (const signal of endingSignals) process.off(signal, onSignal);
    forget = cleanUpOnSignal(dropTemporaryFiles);
    stop();
  };
  for (const signal of endingSignals) process.on(signal, onSignal);
  return () => {
    for (const signal of endingSignals) process.off(signal, onSignal);
    forget?.();
  };
}

/** The output is opened by the user whom root became. */
function explainUser(thrown: unknown): never {
  if (thrown instanceof OperatorError && thrown.code === 'output-unwritable') throw new OperatorError(thrown.code,
    `${thrown.message} (The probe writes as the user that it became: --user names one.)`, thrown);
  throw thrown;
}
