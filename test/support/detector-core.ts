/**
 * The core of a detector (engine, desk, state in memory) by a clock of the test, without sockets and processes: for
 * tests of what is asked of it and of what it plans.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { VirtualClock } from '#base';
import { readConfig } from '../../src/apps/detector/config/read-config.ts';
import { openCore, type OpenedCore } from '../../src/apps/detector/core.ts';
import { StateStore } from '../../src/apps/detector/state-store.ts';
import { SteadyClock } from '../../src/apps/detector/steady-clock.ts';
import { layOutDetector, makeArtifact, makeHomeFlows } from './detector-world.ts';

const minuteMs = 60_000;
const artifact = makeArtifact();

export class CoreWorld {
  readonly clock: VirtualClock;
  readonly core: OpenedCore;

  private constructor(clock: VirtualClock, core: OpenedCore) {
    this.clock = clock;
    this.core = core;
  }

  /**
   * @param more          of the config; its `secret_file` may be `secret`
   * @param options.head  keys above all sections
   * @param options.offsetMs  wall clock minus steady time
   * @param options.classifiers  by file name; by default one without a calibration
   */
  static async open(t: TestContext, more = '', { head = '', offsetMs = 0, classifiers = { 'webcam.nlc': artifact } }: {
    readonly head?: string; readonly offsetMs?: number; readonly classifiers?: Readonly<Record<string, Uint8Array>>;
  } = {}): Promise<CoreWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'natlens-core-'));
    writeFileSync(join(folder, 'secret'), 'a secret of more than twenty-four bytes', { mode: 0o600 });
    const path = layOutDetector(folder, more, classifiers);
    writeFileSync(path, `${head}\n${readFileSync(path, 'utf8')}`);
    const config = await readConfig(path);
    const store = StateStore.open(undefined);
    t.after(() => {
      store.close();
      rmSync(folder, { recursive: true });
    });
    const clock = new VirtualClock(Date.UTC(2026, 3, 1));
    const steady = new SteadyClock(clock, { steadyMs: clock.nowMs() - offsetMs, offsetMs });
    return new CoreWorld(clock, await openCore(config, store, steady));
  }

  /** Flows of a home, one a minute for half an hour, which goes by meanwhile. */
  see(from: string, isDevice = true): void {
    const { clock, core: { engine, steady } } = this;
    const startMs = clock.nowMs();
    clock.advance(30 * minuteMs);
    const endMs = Array.from({ length: 30 }, (_, i) => startMs + i * minuteMs);
    engine.accept(makeHomeFlows({ from, isDevice, endMs }), { steadyMs: steady.nowMs(), offsetMs: steady.toWall(0) });
  }
}
