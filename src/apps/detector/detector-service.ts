/**
 * A detector that runs: sockets, timers and threads of work around the engine. Starts in an order that leaves nothing
 * half done, and stops in one that keeps what was found.
 */
import {
  assertInvariant, configText, cpuSeconds, describeError, EnvironmentError, Logger, logText, readVersion, systemClock,
  type Clock, type LogStream,
} from '#base';
import type { ExportDatagram } from '#capture';
import { TcpListener, UdpListener, type ListenerParts } from '#capture/listen';
import { Outbox, OutboxRunner, type Outcome, type PlannedAction } from '#action';
import type { FlowBatch } from '#flow';
import type { UncalibratedCode } from '#verdict';
import { ActionDesk } from './action-desk.ts';
import { ClassifierFolder, folderOptionsOf, type FolderState, type RefusedFile } from './classifier-folder.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import { ControlServer, HealthServer, makeFolders, type ControlRoute } from '#service';
import { describeOutcome } from './describe-outcome.ts';
import { DetectorEngine, type EngineEvent } from './engine.ts';
import { WatchedExecutors } from './executors.ts';
import { ExportIntake, intakeDefaults } from './input/export-intake.ts';
import { HealthJudge } from './judge-health.ts';
import { describeIntake, type DetectorStatus } from './status.ts';
import { stateBytes, StateStore } from './state-store.ts';
import { SteadyClock } from './steady-clock.ts';

export type ServiceParts = {
  readonly logStream: LogStream;
  readonly clock?: Clock;
  /** Routes of the control socket; before the detector has started, they cannot find it. */
  readonly routes: (find: () => DetectorService) => readonly ControlRoute[];
  /** Our own bug: the process is to end. */
  readonly onBug: (thrown: unknown) => void;
};

const tickMs = 1_000;
/** Calibrations end at some minute; nobody needs to know it sooner. */
const faultsEveryMs = 60_000;

export class DetectorService {
  readonly config: DetectorConfig;
  readonly store: StateStore;
  readonly steady: SteadyClock;
  readonly engine: DetectorEngine;
  readonly desk: ActionDesk;
  readonly log: Logger;
  readonly #clock: Clock;
  readonly #parts: ServiceParts;
  readonly #control: ControlServer;
  readonly #folder: ClassifierFolder;
  readonly #executors: WatchedExecutors;
  readonly #runner: OutboxRunner;
  readonly #intake: ExportIntake;
  readonly #udp: UdpListener;
  readonly #tcp: TcpListener;
  readonly #health: HealthServer<DetectorStatus> | undefined;
  readonly #judge = new HealthJudge();
  readonly #startedMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #refused: readonly RefusedFile[] = [];
  #lastFlowMs: number | undefined;
  /** Flows that were made in this process, past the intake. */
  #givenFlows = 0;
  #checkpointMs: number | undefined;
  #nextCheckpointMs: number;
  #nextFaultsMs = -Infinity;
  /** What was told of classifiers, by digest. */
  #faults: ReadonlyMap<string, UncalibratedCode> = new Map();
  #clockSteps = 0;
  #hasBug = false;
  #isClosed = false;
  /** An action was still under way when `stop` gave it up: it holds sockets or programs, until the process ends. */
  isCutOff = false;
  /** Homes that something was done about, or tried, since they were planned for. */
  readonly #doneHomes = new Set<string>();

  /**
   * Starts a detector.
   *
   * @throws OperatorError     another one runs on this state; a key, template or address cannot be used
   * @throws EnvironmentError  the state cannot be written, a port cannot be listened at
   */
  static async start(config: DetectorConfig, parts: ServiceParts): Promise<DetectorService> {
    makeStateFolder(config.stateFolder);
    let service: DetectorService | undefined;
    // The control socket comes first: it is what keeps a second detector off the state.
    const find = (): DetectorService => {
      if (service === undefined) throw new EnvironmentError('network', 'The detector is starting; ask again.');
      return service;
    };
    const control = new ControlServer(config.stateFolder, parts.routes(find), {
      onBug: (route, thrown) => find().log.error('control-bug', {
        route: configText(route), detail: logText(describeError(thrown)),
      }),
    });
    await control.start();
    try {
      service = new DetectorService(config, parts, control);
      await service.#start();
      return service;
    } catch (thrown) {
      await (service === undefined ? control.stop() : service.#abandon());
      throw thrown;
    }
  }

  private constructor(config: DetectorConfig, parts: ServiceParts, control: ControlServer) {
    this.config = config;
    this.#parts = parts;
    this.#control = control;
    this.#clock = parts.clock ?? systemClock;
    this.store = StateStore.open(config.stateFolder);
    this.steady = new SteadyClock(this.#clock, this.store.savedTime());
    const nowMs = (): number => this.steady.nowMs();
    const wallMs = (): number => this.steady.wallMs();
    this.log = new Logger({ level: config.log.level, stream: parts.logStream, nowMs: wallMs });
    this.desk = new ActionDesk(config, new Outbox(this.store.db));
    this.engine = new DetectorEngine({
      batchRows: intakeDefaults.batchRows,
      config, store: this.store, desk: this.desk, nowMs, saveTime: () => this.steady.save(),
      onEvent: (event) => this.#noteEvent(event),
    });
    this.#executors = new WatchedExecutors(config, {
      pseudonyms: this.store.pseudonyms, nowMs, toWall: (steadyMs) => this.steady.toWall(steadyMs),
      secondOpinion: (home, model) => this.engine.secondOpinion(home, model),
      onOutcome: (action, outcome) => {
        this.#doneHomes.add(action.home);
        this.#logOutcome(action, outcome);
      },
    });
    this.#runner = new OutboxRunner(this.desk.outbox, this.#executors.executors,
      { nowMs, wallMs, isDryRun: config.dryRun });
    this.#folder = new ClassifierFolder(folderOptionsOf(config));
    const { input, homes } = config;
    this.#intake = new ExportIntake({
      pair: input.pair, pairWaitMs: input.pairWaitMs, renormalise: input.renormalise, l7: input.l7, home: homes.inside,
    }, {
      nowMs,
      accept: (flows, receivedMs) => {
        this.#lastFlowMs = receivedMs;
        this.engine.accept(flows, { steadyMs: receivedMs, offsetMs: this.steady.toWall(0) });
      },
      onError: (thrown) => this.#noteBug(thrown),
    });
    const listenerParts: ListenerParts = {
      nowMs,
      accept: (datagram) => this.#guard(() => this.#intake.accept(datagram)),
      onError: (error) => this.log.warn('socket-error', { detail: logText(error.message) }),
    };
    this.#udp = new UdpListener(input, listenerParts);
    this.#tcp = new TcpListener(input, listenerParts);
    this.#health = config.metrics === undefined ? undefined : new HealthServer(config.metrics, {
      status: () => this.status(),
      loadMetrics: async () => new (await import('./health-metrics.ts')).HealthMetrics(),
      onBug: (thrown) => this.log.error('health-bug', { detail: logText(describeError(thrown)) }),
    });
    this.#startedMs = nowMs();
    this.#nextCheckpointMs = this.#startedMs + config.checkpointMs;
  }

  async #start(): Promise<void> {
    const { config, log } = this;
    log.info('starting', {
      name: configText(config.name), version: configText(readVersion()), node: configText(process.version),
      isDryRun: config.dryRun,
    });
    this.#useClassifiers(await this.#folder.poll());
    this.#folder.watch((state) => this.#guard(() => this.#useClassifiers(state)),
      { pollMs: config.classifiers.pollMs });
    await this.#udp.start();
    await this.#tcp.start();
    await this.#health?.start();
    for (const { address, port, receiveBufferBytes } of this.#udp.sockets()) {
      log.info('listening', { transport: 'udp', address: configText(address), port, receiveBufferBytes });
    }
    for (const { address, port } of this.#tcp.sockets()) {
      log.info('listening', { transport: 'tcp', address: configText(address), port });
    }
    if (this.#health !== undefined) {
      log.info('metrics', { address: configText(config.metrics?.address ?? ''), port: this.#health.port });
    }
    if (this.store.damagedRows > 0) log.warn('state-rows-damaged', { rows: this.store.damagedRows });
    // Writes what was left unfinished by a kill into the outbox before anything new comes.
    await this.#execute();
    this.#timers.push(setInterval(() => this.#guard(() => this.#tick()), tickMs));
    log.info('started', { homes: this.engine.evidence.counts().homes });
  }

  /** Takes a datagram that was received by others in this process; its bytes are not kept. */
  acceptDatagram(datagram: ExportDatagram): void {
    this.#guard(() => this.#intake.accept({ ...datagram, receivedMs: this.steady.nowMs() }));
  }

  /** Takes named flows that were made in this process. @param flows  valid during the call */
  acceptFlows(flows: FlowBatch): void {
    this.#guard(() => {
      this.#lastFlowMs = this.steady.nowMs();
      this.#givenFlows += flows.rowCount;
      this.engine.accept(flows, { steadyMs: this.#lastFlowMs, offsetMs: this.steady.toWall(0) });
    });
  }

  /** Addresses that it listens at, with the ports that the system gave. */
  sockets(): { readonly udp: ReturnType<UdpListener['sockets']>; readonly tcp: ReturnType<TcpListener['sockets']>;
    readonly metricsPort: number | undefined; } {
    return { udp: this.#udp.sockets(), tcp: this.#tcp.sockets(), metricsPort: this.#health?.port };
  }

  /** Ends: no more input, what came is judged, what was found is written. */
  async stop(): Promise<void> {
    this.log.info('stopping');
    for (const timer of this.#timers) clearInterval(timer);
    this.#folder.close();
    await this.#udp.stop();
    await this.#tcp.stop();
    await this.#health?.stop();
    if (!this.#hasBug) this.#intake.end();
    this.isCutOff = !await this.#runner.stop();
    const isWritten = this.engine.checkpoint();
    await this.#control.stop();
    this.#isClosed = true;
    this.store.close();
    this.log.info('stopped', { isWritten, actionsCutOff: this.isCutOff });
    this.log.end();
  }

  async #abandon(): Promise<void> {
    this.#folder.close();
    await this.#udp.stop();
    await this.#tcp.stop();
    await this.#health?.stop();
    await this.#control.stop();
    this.store.close();
  }

  #tick(): void {
    this.engine.tick();
    const nowMs = this.steady.nowMs();
    if (this.steady.stepCount !== this.#clockSteps) {
      this.#clockSteps = this.steady.stepCount;
      // A kill before it is written down would make a leap of the timeline out of the step.
      this.#nextCheckpointMs = nowMs;
      this.log.warn('clock-stepped', { steps: this.#clockSteps, steppedMs: this.steady.steppedMs });
    }
    if (nowMs >= this.#nextFaultsMs) this.#noteFaults(nowMs);
    if (nowMs >= this.#nextCheckpointMs) {
      this.#nextCheckpointMs = nowMs + this.config.checkpointMs;
      if (this.engine.checkpoint()) this.#checkpointMs = nowMs;
    }
    this.log.flush();
    void this.#execute();
  }

  /** Executes what is due; a disk that is full is known to the engine, too. */
  async #execute(): Promise<void> {
    if (this.#isClosed) return;
    try {
      const dueMs = this.desk.outbox.nextDueMs();
      // What a kill interrupted is not due: it must be found first.
      const { isRecovered, unrecordedCount } = this.#runner;
      const isIdle = isRecovered && unrecordedCount === 0;
      if (isIdle && (dueMs === undefined || dueMs > this.steady.nowMs())) return;
      const { uncertain, thrown } = await this.#runner.run();
      if (this.#isClosed) return;
      // What was done may ask for the next rung: a confirmed verification for the mail.
      const homes = new Set(this.#doneHomes);
      this.#doneHomes.clear();
      this.engine.planFor(homes);
      for (const id of uncertain) this.log.error('action-uncertain', { action: this.store.pseudonyms.ofAction(id) });
      // What was thrown may hold anything of a home; the audit has it.
      if (thrown.length > 0) this.log.error('action-bug', { count: thrown.length });
    } catch (thrown) {
      if (!(thrown instanceof EnvironmentError)) return this.#noteBug(thrown);
      this.log.error('outbox-unwritable', { detail: logText(thrown.message) });
    }
  }

  /** Executes at once, as after an order of the operator. */
  planAndExecute(): void {
    this.engine.planAll();
    void this.#execute();
  }

  #useClassifiers({ classifiers, refused }: FolderState): void {
    const before = new Map(this.engine.classifiers.map(({ file, digest }) => [file, digest]));
    this.engine.setClassifiers(classifiers);
    for (const { file, digest, stage, classifier } of classifiers) {
      if (before.get(file) !== digest) this.log.info('classifier-active', {
        file: configText(file), deviceModel: configText(classifier.deviceModel), digest: configText(digest), stage,
      });
      before.delete(file);
    }
    for (const file of before.keys()) this.log.info('classifier-gone', { file: configText(file) });
    for (const { file, code, detail, keepsLast } of refused) {
      this.log.warn('classifier-refused', { file: configText(file), code, detail: configText(detail), keepsLast });
    }
    this.#refused = refused;
    this.#noteFaults(this.steady.nowMs());
  }

  /** Tells of classifiers that decide nothing, or not by a calibration, when that is new. */
  #noteFaults(nowMs: number): void {
    this.#nextFaultsMs = nowMs + faultsEveryMs;
    const faults = new Map<string, UncalibratedCode>();
    for (const { file, digest, classifier, stage } of this.engine.classifiers) {
      const decision = this.engine.decisions.decisionOf(digest, this.steady.wallMs());
      if (stage !== 1 || decision?.fault === undefined) continue;
      faults.set(digest, decision.fault);
      if (this.#faults.get(digest) === decision.fault) continue;
      const fields = {
        file: configText(file), deviceModel: configText(classifier.deviceModel), reason: decision.fault,
        decidesBy: decision.decidesBy,
      } as const;
      if (decision.decidesBy === 'nothing') this.log.warn('classifier-unfit', fields);
      else this.log.info('classifier-uncalibrated', fields);
    }
    this.#faults = faults;
  }

  #noteEvent(event: EngineEvent): void {
    if (event.name === 'verdict') {
      const { home, deviceModel, state, episode, sinceMs, evidence } = event.verdict;
      this.log.info('verdict', {
        home: this.store.pseudonyms.ofHome(home), deviceModel: configText(deviceModel), state, episode,
        windowEndMs: sinceMs, score: evidence?.score ?? 0,
      });
    } else if (event.name === 'planned') {
      const { home, deviceModel, rung, kind, channel, id, dueMs, isDryRun } = event.action;
      this.log.info('action-planned', {
        home: this.store.pseudonyms.ofHome(home), deviceModel: configText(deviceModel), rung, kind,
        // What a block is of names addresses, and the language of a mail is one of few.
        channel: kind === 'block' || kind === 'mail' ? kind : configText(channel),
        action: this.store.pseudonyms.ofAction(id), dueMs, isDryRun,
      });
      if (dueMs <= this.steady.nowMs()) setImmediate(() => void this.#execute());
    } else if (event.name === 'state-unwritable') {
      this.log.error('state-unwritable', { detail: logText(event.detail) });
    } else {
      this.log.info('state-writable');
    }
  }

  #logOutcome(action: PlannedAction, outcome: Outcome): void {
    const { home, deviceModel, rung, kind, id } = action;
    const { status } = outcome;
    const fields = {
      home: this.store.pseudonyms.ofHome(home), deviceModel: configText(deviceModel), rung, kind,
      action: this.store.pseudonyms.ofAction(id), status,
      detail: describeOutcome(outcome, action, this.engine.mapper.entryOf(home)),
    } as const;
    if (status === 'done') this.log.info('action', fields);
    else this.log.warn('action', fields);
  }

  /** Runs what a socket or timer asked for: a bug ends the process, in order, and is told. */
  #guard(work: () => void): void {
    if (this.#hasBug) return;
    try {
      work();
    } catch (thrown) {
      this.#noteBug(thrown);
    }
  }

  #noteBug(thrown: unknown): void {
    if (this.#hasBug) return;
    this.#hasBug = true;
    this.#parts.onBug(thrown);
  }

  async status(): Promise<DetectorStatus> {
    const { config, engine, store, steady } = this;
    const nowMs = steady.nowMs();
    const udp = { ...await this.#udp.counts(), sockets: this.#udp.sockets() };
    const intake = this.#intake.counts();
    const mapped = engine.mapper.counts();
    assertInvariant(mapped.rows === intake.flows + this.#givenFlows, 'every flow that was handed on was mapped');
    const evidence = engine.evidence.counts();
    const lostUnits = intake.exports.exporters.reduce((sum, { lostUnits: lost }) => sum + lost, udp.kernelDrops ?? 0);
    return {
      name: config.name, versions: { natlens: readVersion(), node: process.version },
      startedMs: steady.toWall(this.#startedMs), uptimeMs: nowMs - this.#startedMs, isDryRun: config.dryRun,
      health: this.#judge.judge({
        nowMs, startedMs: this.#startedMs, lastFlowMs: this.#lastFlowMs, lostUnits,
        hasSmallBuffer: udp.sockets.some((socket) => socket.receiveBufferBytes < config.input.receiveBufferBytes),
        activeClassifiers: engine.classifiers.filter(({ stage }) => stage === 1).length,
        refusedClassifiers: this.#refused.filter(({ code }) => code !== 'superseded').length,
        unfitClassifiers: engine.decisions.countUnfit(steady.wallMs()),
        stateFault: engine.stateFault, failingKinds: this.#executors.failing(), homesRefused: evidence.homesRefused,
        clockSteps: steady.stepCount,
      }),
      input: {
        udp, tcp: { ...this.#tcp.counts(), sockets: this.#tcp.sockets() },
        ...describeIntake(intake, (address) => store.pseudonyms.ofExporter(address)),
      },
      flows: {
        ofHomes: mapped.mapped, ofNoHome: mapped.unmapped, placedAtArrival: engine.counts().flowsMisdated,
        lastMs: this.#lastFlowMs === undefined ? null : nowMs - this.#lastFlowMs,
      },
      homes: { known: evidence.homes, listed: config.homes.list.length },
      classifiers: {
        active: engine.classifiers.map(({ file, digest, stage, classifier }) => {
          const decision = engine.decisions.decisionOf(digest, steady.wallMs());
          return {
            file, deviceModel: classifier.deviceModel, classifier: digest, stage,
            decidesBy: decision?.decidesBy ?? 'nothing', fault: decision?.fault ?? null,
            detail: decision?.detail ?? null, expiresMs: decision?.expiresMs ?? null,
          };
        }),
        refused: this.#refused.map(({ file, code, detail }) => ({ file, code, detail })),
      },
      evidence: { ...evidence, indicatorHits: engine.counts().indicatorHits }, sketch: engine.sketch.counts(),
      verdicts: engine.book.countByState(),
      actions: { outbox: this.desk.outbox.counts().byState, withheld: this.desk.countWithheld() },
      clock: { steps: steady.stepCount, steppedMs: steady.steppedMs },
      checkpointAgeMs: this.#checkpointMs === undefined ? null : nowMs - this.#checkpointMs,
      stateBytes: stateBytes(config.stateFolder),
      memory: { residentBytes: process.memoryUsage.rss() },
      cpuSeconds: cpuSeconds(), lostLogLines: this.log.lostLines,
    };
  }
}

function makeStateFolder(folder: string): void {
  try {
    makeFolders(folder, 0o700);
  } catch (thrown) {
    throw new EnvironmentError('disk', `The state folder ${folder} cannot be made: ${describeError(thrown)}. Make ` +
      'it, and give it to the user that the detector runs as.', thrown);
  }
}
