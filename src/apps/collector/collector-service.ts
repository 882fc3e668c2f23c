/**
 * A collector that runs: sockets, timers and files around the core. Starts in an order that leaves nothing half done,
 * and stops in one that keeps what came: the sockets first, then what is under way, then the file, then the state.
 */
import { readFileSync } from 'node:fs';
import {
  configText, cpuSeconds, describeError, EnvironmentError, Logger, logText, OperatorError, readVersion, systemClock,
  type Clock, type LogStream,
} from '#base';
import type { ExportDatagram } from '#capture';
import { ExporterGate, TcpListener, type TlsIdentity } from '#capture/listen';
import { DatagramReceiver } from '#capture/live';
import { ControlServer, HealthServer } from '#service';
import { CollectorCore } from './collector-core.ts';
import type { CollectorConfig, TlsFiles } from './config/collector-config.ts';
import { describeTroubles } from './describe-troubles.ts';
import { FlowOutput } from './flow-output.ts';
import { Forwarder } from './forwarder.ts';
import { HealthJudge } from './judge-health.ts';
import { Senders } from './senders.ts';
import { StateFile } from './state-file.ts';
import type { CollectorStatus, DomainStatus, SocketStatus } from './status.ts';

export type ServiceParts = {
  readonly logStream: LogStream;
  readonly clock?: Clock;
  /** Is handed every message that is taken; its bytes are valid during the call only. */
  readonly onDatagram?: (datagram: ExportDatagram) => void;
  /** State folder of a detector that `onDatagram` leads to. */
  readonly detectorFolder?: string | undefined;
  /** Our own bug: the process is to end. */
  readonly onBug: (thrown: unknown) => void;
};

const tickMs = 1_000;
/** Of the time, at most one part in so many goes into saving the state by the clock. */
const savingShare = 50;
/** Senders that were limited most. */
const limitedShown = 5;

export class CollectorService {
  readonly config: CollectorConfig;
  readonly log: Logger;
  readonly #clock: Clock;
  readonly #parts: ServiceParts;
  readonly #control: ControlServer;
  readonly #state: StateFile;
  readonly #senders: Senders;
  readonly #core: CollectorCore;
  readonly #output: FlowOutput | undefined;
  readonly #forwarder: Forwarder | undefined;
  readonly #receiver: DatagramReceiver;
  readonly #tcp: TcpListener;
  readonly #health: HealthServer<CollectorStatus> | undefined;
  readonly #judge = new HealthJudge();
  readonly #startedMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** By the clock that nobody sets. */
  #nextSaveMs: number;
  #restored: CollectorStatus['state']['restored'] = 'none';
  #wasFailing = false;
  #hasBug = false;
  #isAccepting = true;

  /**
   * Starts a collector.
   *
   * @throws OperatorError     another one runs on this state; a key or certificate cannot be used
   * @throws EnvironmentError  the state or the output cannot be written, a port cannot be listened at
   */
  static async start(config: CollectorConfig, parts: ServiceParts): Promise<CollectorService> {
    const state = new StateFile(config.stateFolder);
    let service: CollectorService | undefined;
    // The control socket comes first: it is what keeps a second collector off the state.
    const find = (): CollectorService => {
      if (service === undefined) throw new EnvironmentError('network', 'The collector is starting; ask again.');
      return service;
    };
    const control = new ControlServer(config.stateFolder,
      [{ method: 'GET', path: '/status', answer: async () => await find().status() }], {
        program: 'collector',
        onBug: (route, thrown) => find().log.error('control-bug', {
          route: configText(route), detail: logText(describeError(thrown)),
        }),
      });
    await control.start();
    try {
      service = new CollectorService(config, parts, control, state);
      await service.#start();
      return service;
    } catch (thrown) {
      await (service === undefined ? control.stop() : service.#abandon());
      throw thrown;
    }
  }

  private constructor(config: CollectorConfig, parts: ServiceParts, control: ControlServer, state: StateFile) {
    this.config = config;
    this.#parts = parts;
    this.#control = control;
    this.#state = state;
    this.#clock = parts.clock ?? systemClock;
    const nowMs = this.#clock.nowMs;
    this.log = new Logger({ level: config.logLevel, stream: parts.logStream, nowMs });
    const { input, flows } = config;
    this.#senders = new Senders(new ExporterGate(input.exporters), input);
    this.#output = config.output === undefined ? undefined : FlowOutput.open(config.output, {
      l7: flows.l7, isBiflow: flows.pair, clock: this.#clock,
      ledger: () => this.#core.ledger, onFinishing: () => this.#saveBeforeRename(),
    });
    this.#forwarder = config.forward.length === 0 ? undefined : new Forwarder(config.forward);
    this.#core = new CollectorCore({ ...flows, home: [] }, {
      senders: this.#senders, sink: this.#output,
      onTaken: (datagram) => {
        this.#forwarder?.send(datagram.bytes);
        parts.onDatagram?.(datagram);
      },
    });
    const onError = (error: Error): void => this.log.warn('socket-error', { detail: logText(error.message) });
    this.#receiver = new DatagramReceiver({
      listen: input.listen, receiveBufferBytes: input.receiveBufferBytes, ringBytes: input.ringBytes,
      native: input.isNative,
    }, { nowMs, onError, accept: (datagram) => this.#accept(datagram, false) });
    this.#tcp = new TcpListener({
      listen: input.listen, exporters: input.exporters,
      ...config.tls === undefined ? {} : { tls: readIdentity(config.tls) },
    }, { nowMs, onError, accept: (datagram) => this.#accept(datagram, true) });
    this.#health = config.metrics === undefined ? undefined : new HealthServer(config.metrics, {
      status: () => this.status(),
      loadMetrics: async () => new (await import('./collector-metrics.ts')).CollectorMetrics(),
      onBug: (thrown) => this.log.error('health-bug', { detail: logText(describeError(thrown)) }),
    });
    this.#startedMs = nowMs();
    this.#nextSaveMs = this.#clock.monotonicMs() + config.checkpointMs;
  }

  async #start(): Promise<void> {
    const { log } = this;
    log.info('starting', { version: configText(readVersion()), node: configText(process.version) });
    this.#restore();
    await this.#receiver.start();
    await this.#tcp.start();
    await this.#health?.start();
    for (const { transport, address, port, receiveBufferBytes, askedBytes } of this.sockets()) {
      log.info('listening', { transport, address: configText(address), port, receiveBufferBytes, askedBytes });
    }
    if (this.#health !== undefined) {
      log.info('metrics', { address: configText(this.config.metrics?.address ?? ''), port: this.#health.port });
    }
    if (this.#receiver.fallBackReason !== undefined) {
      log.warn('plain-sockets', { detail: logText(this.#receiver.fallBackReason) });
    }
    this.#timer = setInterval(() => this.#guard(() => this.#tick()), tickMs);
    log.info('started', { receiver: configText(this.#receiver.kind) });
  }

  /** Where it listens, with the ports that the system gave. */
  sockets(): SocketStatus[] {
    return [
      ...this.#receiver.sockets().map(({ address, port, receiveBufferBytes, askedBytes }) =>
        ({ transport: 'udp' as const, address, port, receiveBufferBytes, askedBytes })),
      ...this.#tcp.sockets().map(({ transport, address, port }) =>
        ({ transport: transport === 'tls' ? 'tls' as const : 'tcp' as const, address, port, receiveBufferBytes: null,
          askedBytes: null })),
    ];
  }

  get metricsPort(): number | undefined {
    return this.#health?.port;
  }

  /** Ends: no more input; what came is decoded, written and remembered. */
  async stop(): Promise<void> {
    this.log.info('stopping');
    clearInterval(this.#timer);
    // The receiver hands on what the kernel still holds for us.
    await this.#receiver.stop();
    await this.#tcp.stop();
    this.#isAccepting = false;
    await this.#health?.stop();
    let isSaved = false;
    if (!this.#hasBug) {
      this.#core.end(this.#clock.nowMs());
      await this.#output?.end();
      isSaved = this.#save(true);
    }
    await this.#forwarder?.end();
    await this.#control.stop();
    this.log.info('stopped', { isSaved });
    this.log.end();
  }

  async #abandon(): Promise<void> {
    this.#isAccepting = false;
    clearInterval(this.#timer);
    await this.#receiver.stop();
    await this.#tcp.stop();
    await this.#health?.stop();
    await this.#output?.end();
    await this.#forwarder?.end();
    await this.#control.stop();
  }

  #restore(): void {
    const state = this.#state.load();
    if (state === undefined) return;
    const isWhole = typeof state !== 'string' && state.openFile !== undefined &&
      this.#output?.hasFile(state.openFile) === true;
    const fault = typeof state === 'string' ? state : this.#core.restore(state, isWhole);
    this.#restored = fault === undefined ? 'restored' : 'refused';
    if (fault === undefined && typeof state !== 'string') {
      this.log.info('state-restored', { savedMs: state.savedMs, isEnded: state.isEnded });
      return;
    }
    const detail = typeof state === 'string' ? state : this.#state.setAside(fault ?? '');
    this.log.error('state-refused', { detail: configText(detail) });
  }

  #accept(datagram: ExportDatagram, isConnection: boolean): void {
    if (!this.#isAccepting) return;
    this.#guard(() => {
      this.#core.accept(datagram, isConnection);
      if (this.#core.isStateDue) this.#save(false);
    });
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    this.#core.tick(nowMs);
    // Half a tick early, rather than half of one late and then a whole one.
    if (this.#clock.monotonicMs() >= this.#nextSaveMs - tickMs / 2 || this.#core.isStateDue) this.#save(false);
    const failing = this.#output?.isFailing === true;
    if (failing !== this.#wasFailing) {
      if (failing) this.log.error('output-failing', { detail: configText(this.#output?.lastError ?? '') });
      else this.log.info('output-works');
      this.#wasFailing = failing;
    }
    this.log.flush();
  }

  /**
   * The file that is about to get its name has all the rows that the ledger calls open: with the state saved before, a
   * kill at any instant leaves a count that is right. A file that ends for its size ends while rows are handed on, when
   * nothing can be saved: then it is done right after, and a kill in between counts the rows since the last time as
   * missed while stopped.
   */
  #saveBeforeRename(): void {
    if (this.#core.maySave) this.#save(false);
    else this.#core.isStateDue = true;
  }

  #save(isEnded: boolean): boolean {
    const nowMs = this.#clock.nowMs();
    const startMs = this.#clock.monotonicMs();
    this.#core.isStateDue = false;
    const before = this.#state.fault;
    const isSaved = this.#state.save(this.#core.save(nowMs, isEnded ? undefined : this.#output?.openFile, isEnded));
    // A state of many megabytes, as a flood of forged exporters makes one, takes no more than its share of the time.
    const endMs = this.#clock.monotonicMs();
    this.#nextSaveMs = endMs + Math.max(this.config.checkpointMs, savingShare * (endMs - startMs));
    if (!isSaved && before === undefined) {
      this.log.error('state-unwritable', { detail: configText(this.#state.fault ?? '') });
    } else if (isSaved && before !== undefined) {
      this.log.info('state-writable');
    }
    return isSaved;
  }

  /** Runs what a socket or timer asked for: a bug ends the process, in order, and is told. */
  #guard(work: () => void): void {
    if (this.#hasBug) return;
    try {
      work();
    } catch (thrown) {
      this.#hasBug = true;
      this.#parts.onBug(thrown);
    }
  }

  async status(): Promise<CollectorStatus> {
    const nowMs = this.#clock.nowMs();
    const receiver = this.#receiver.sockets().length === 0 ? null : await this.#receiver.counts();
    const { exports: { exporters, ...exports }, pairing, l7 } = this.#core.counts();
    const { known, taken, limited, foreign, unlistedDatagrams } = this.#senders.counts();
    const told: Omit<CollectorStatus, 'health' | 'sentences'> = {
      versions: { natlens: readVersion(), node: process.version }, startedMs: this.#startedMs,
      uptimeMs: nowMs - this.#startedMs, nowMs,
      input: {
        receiver, fallBackReason: this.#receiver.fallBackReason ?? null, tcp: this.#tcp.counts(),
        sockets: this.sockets(),
        senders: {
          known, taken, limited, foreign, unlistedDatagrams, limitedMost: this.#senders.limitedSenders(limitedShown),
        },
      },
      exports,
      domains: exporters.map((domain): DomainStatus => {
        const { lostInKernel, lostOnTheWay, lostWhileStopped, sent } = domain.account;
        const lost = lostInKernel + lostOnTheWay + lostWhileStopped;
        return { ...domain, unitsPerSecond: this.#core.rateOf(domain), lossShare: sent === 0 ? 0 : lost / sent };
      }),
      flows: this.#core.ledger.accounts(), pairing, pairingLostByKill: this.#core.pairingLostByKill, l7,
      output: this.#output?.status() ?? null,
      forward: this.#forwarder?.counts() ?? [],
      detector: this.#parts.detectorFolder === undefined ? null : { stateFolder: this.#parts.detectorFolder },
      state: {
        path: this.#state.path, bytes: this.#state.bytes,
        ageMs: this.#state.savedMs === undefined ? null : nowMs - this.#state.savedMs,
        fault: this.#state.fault ?? null, restored: this.#restored,
      },
      memory: { residentBytes: process.memoryUsage.rss() }, cpuSeconds: cpuSeconds(), lostLogLines: this.log.lostLines,
    };
    const health = this.#judge.judge({ ...told, lastTakenMs: this.#core.lastTakenMs });
    return { ...told, health, sentences: describeTroubles({ ...told, health }) };
  }
}

/** @throws OperatorError  a file of [tls] cannot be read */
function readIdentity({ keyFile, certificateFile, authoritiesFile, names }: TlsFiles): TlsIdentity {
  const read = (path: string, what: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (thrown) {
      throw new OperatorError('bad-config', `The ${what} ${path} cannot be read: ${describeError(thrown)}.`, thrown);
    }
  };
  return {
    key: read(keyFile, 'private key'), certificate: read(certificateFile, 'certificate'),
    clientAuthorities: read(authoritiesFile, 'list of authorities'), ...names.length === 0 ? {} : { subjects: names },
  };
}
