/**
 * A detector over a simulated day, all in one process and without a socket: export messages arrive at an intake, its
 * flows go to the engine, its state to a folder on disk. The detector is stopped, killed and started again, and its
 * wall clock is set, when the plan says so. Wired as `detector-service.ts` wires it.
 */
import { parseAddress, type AddressWords } from '#base';
import type { ExportCounts } from '#flow';
import type { EvidenceCounts } from '#evidence';
import type { Arrival } from '#sim';
import { openCore, type OpenedCore } from '../../src/apps/detector/core.ts';
import type { DetectorConfig } from '../../src/apps/detector/config/detector-config.ts';
import type { EngineCounts } from '../../src/apps/detector/engine.ts';
import { ExportIntake, type IntakeCounts, type IntakeParts } from '../../src/apps/detector/input/export-intake.ts';
import { StateStore } from '../../src/apps/detector/state-store.ts';
import { SteadyClock } from '../../src/apps/detector/steady-clock.ts';
import type { DayClock } from './day-clock.ts';

/** All times are true ones. */
export type DayPlan = {
  readonly startMs: number;
  readonly endMs: number;
  /** Ascending; from `atMs` to `upMs` there is no detector. */
  readonly stops: readonly { readonly atMs: number; readonly upMs: number; readonly isKill: boolean }[];
  /** When the detector's wall clock is set, and by how much. Ascending. */
  readonly clockSteps: readonly { readonly atMs: number; readonly byMs: number }[];
  /** When what was found is looked at; ascending. */
  readonly checksMs: readonly number[];
};

/** From one start of the detector to its end. */
export type DayRun = {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly isKilled: boolean;
  readonly intake: IntakeCounts;
  readonly engine: EngineCounts;
  readonly evidence: EvidenceCounts;
  /** When verdicts changed their state. */
  readonly verdictsMs: readonly number[];
};

/** Faults that a test plants to see that they are found. */
export type DayPlants = {
  /** In place of what the intake hands on. */
  readonly accept?: (accept: IntakeParts['accept']) => IntakeParts['accept'];
  readonly counts?: (counts: ExportCounts) => ExportCounts;
  /** Does not write what changed. */
  readonly skipsCheckpoints?: boolean;
};

export type ExporterArrival = Arrival & { readonly exporter: string };

/** Between two looks of the detector at its clock. */
export const tickMs = 10_000;

type Running = {
  readonly core: OpenedCore; readonly intake: ExportIntake; readonly fromMs: number; readonly verdictsMs: number[];
};

export class DetectorDay {
  readonly runs: DayRun[] = [];
  readonly #folder: string;
  readonly #config: DetectorConfig;
  readonly #clock: DayClock;
  readonly #plan: DayPlan;
  readonly #plants: DayPlants;
  readonly #words = new Map<string, AddressWords>();
  #running: Running | undefined;

  constructor(parts: { folder: string; config: DetectorConfig; clock: DayClock; plan: DayPlan; plants?: DayPlants }) {
    this.#folder = parts.folder;
    this.#config = parts.config;
    this.#clock = parts.clock;
    this.#plan = parts.plan;
    this.#plants = parts.plants ?? {};
  }

  /**
   * Lets the day go by.
   *
   * @param arrivals  ascending by time
   * @param onCheck   looks at the detector; not called while there is none
   */
  async run(arrivals: readonly ExporterArrival[], onCheck: (core: OpenedCore, nowMs: number) => void): Promise<void> {
    const { startMs, endMs, stops, clockSteps, checksMs } = this.#plan;
    await this.#start();
    const events: { atMs: number; act: () => void | Promise<void> }[] = [
      ...arrivals.map((arrival) => ({ atMs: arrival.atMs, act: () => this.#accept(arrival) })),
      ...stops.flatMap(({ atMs, upMs, isKill }) => [
        { atMs, act: () => this.#end(isKill) }, { atMs: upMs, act: () => this.#start() },
      ]),
      ...clockSteps.map(({ atMs, byMs }) => ({ atMs, act: () => void (this.#clock.aheadMs += byMs) })),
      ...checksMs.map((atMs) => ({ atMs, act: () => {
        if (this.#running !== undefined) onCheck(this.#running.core, atMs);
      } })),
    ];
    for (let atMs = startMs + tickMs; atMs < endMs; atMs += tickMs) events.push({ atMs, act: () => this.#tick() });
    for (const atMs of checkpointsOf(this.#plan, this.#config.checkpointMs)) {
      events.push({ atMs, act: () => this.#checkpoint() });
    }
    for (const { atMs, act } of events.sort((a, b) => a.atMs - b.atMs)) {
      if (atMs > endMs) break;
      this.#clock.advanceTo(atMs);
      await act();
    }
    this.#clock.advanceTo(endMs);
    this.#end(false);
  }

  async #start(): Promise<void> {
    const store = StateStore.open(this.#folder);
    const steady = new SteadyClock(this.#clock, store.savedTime());
    const verdictsMs: number[] = [];
    const nowMs = (): number => steady.nowMs();
    const core = await openCore(this.#config, store, steady, {
      onEvent: (event) => {
        if (event.name === 'verdict') verdictsMs.push(this.#clock.trueMs);
      },
    });
    const { input, homes } = this.#config;
    const accept: IntakeParts['accept'] = (flows, receivedMs) =>
      core.engine.accept(flows, { steadyMs: receivedMs, offsetMs: steady.toWall(0) });
    const intake = new ExportIntake({
      pair: input.pair, pairWaitMs: input.pairWaitMs, renormalise: input.renormalise, l7: input.l7, home: homes.inside,
    }, { nowMs, accept: this.#plants.accept?.(accept) ?? accept });
    this.#running = { core, intake, fromMs: this.#clock.trueMs, verdictsMs };
  }

  #accept({ exporter, message }: ExporterArrival): void {
    if (this.#running === undefined) return;
    const { core, intake } = this.#running;
    let words = this.#words.get(exporter);
    if (words === undefined) this.#words.set(exporter, words = parseAddress(exporter) as AddressWords);
    intake.accept({ bytes: message.bytes, exporter: words, receivedMs: core.steady.nowMs() });
  }

  #tick(): void {
    if (this.#running === undefined) return;
    const { engine, desk, steady } = this.#running.core;
    engine.tick();
    desk.outbox.settle(steady.nowMs());
  }

  #checkpoint(): void {
    if (this.#running !== undefined && this.#plants.skipsCheckpoints !== true) this.#running.core.engine.checkpoint();
  }

  /** Gives back what is open, where a check has failed. */
  abandon(): void {
    this.#running?.core.store.close();
    this.#running = undefined;
  }

  /** Clean: what came is judged and written. Killed: what is in memory is gone. */
  #end(isKilled: boolean): void {
    if (this.#running === undefined) return;
    const { core, intake, fromMs, verdictsMs } = this.#running;
    if (!isKilled) {
      intake.end();
      core.engine.checkpoint();
    }
    const { exports, ...others } = intake.counts();
    this.runs.push({
      fromMs, untilMs: this.#clock.trueMs, isKilled,
      intake: { ...others, exports: this.#plants.counts?.(exports) ?? exports },
      engine: core.engine.counts(), evidence: core.engine.evidence.counts(), verdictsMs,
    });
    this.#clock.dropTimers();
    core.store.close();
    this.#running = undefined;
  }
}

/** Between a look at the clock that plans, which may write evidence too, and the writing of all evidence. */
const afterPlansMs = 15_000;

/** When evidence is written: so often from each start on. */
export function checkpointsOf({ startMs, endMs, stops }: DayPlan, checkpointMs: number): number[] {
  const found: number[] = [];
  const starts = [startMs, ...stops.map(({ upMs }) => upMs)];
  for (const [i, fromMs] of starts.entries()) {
    const untilMs = stops[i]?.atMs ?? endMs;
    for (let atMs = fromMs + checkpointMs + afterPlansMs; atMs < untilMs; atMs += checkpointMs) found.push(atMs);
  }
  return found;
}
