/**
 * A detector that runs in the test's own process, over loopback, by a clock of the test: its log, its flows, and a
 * restart. Two homes by address, told of to a webhook that nobody answers, unless the test says otherwise.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '#base';
import { readConfig } from '../../src/apps/detector/config/read-config.ts';
import { DetectorService } from '../../src/apps/detector/detector-service.ts';
import { createRoutes } from '../../src/apps/detector/routes.ts';
import { sendHomeFlows } from './detector-process.ts';
import { deviceModel, layOutDetector } from './detector-world.ts';

export const twoHomes = `
[homes]
map = "address"
inside = ["198.51.100.0/24"]
[[home]]
name = "household-1"
prefixes = ["198.51.100.1"]
[[home]]
name = "household-2"
prefixes = ["198.51.100.2"]
[[webhook]]
name = "hook"
url = "http://127.0.0.1:9/"
rungs = ["observe"]
secret_file = "secret"
`;

/** Wall and monotonic clock of the test; real time goes by in them, too. */
export class SteppingClock implements Clock {
  /** The wall clock alone was put forward by so much. */
  stepMs = 0;
  /** So much time has really gone by beside the real one. */
  passedMs = 0;
  readonly #start = { wall: 1_700_000_000_000, monotonic: process.uptime() };
  readonly monotonicMs = (): number => process.uptime() * 1_000 + this.passedMs;
  readonly nowMs = (): number =>
    this.#start.wall + (process.uptime() - this.#start.monotonic) * 1_000 + this.passedMs + this.stepMs;
}

export type Running = {
  readonly service: DetectorService; readonly lines: Record<string, unknown>[]; readonly clock: SteppingClock;
};

/** Starts a detector, which is stopped after the test, and has had no bug then. */
export async function startDetector(t: TestContext, configPath: string, clock = new SteppingClock()): Promise<Running> {
  const lines: Record<string, unknown>[] = [];
  const bugs: unknown[] = [];
  const service = await DetectorService.start(await readConfig(configPath), {
    logStream: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) }, clock,
    routes: createRoutes,
    onBug: (thrown) => bugs.push(thrown),
  });
  let isStopped = false;
  const stop = service.stop.bind(service);
  service.stop = async () => {
    if (!isStopped) await stop();
    isStopped = true;
    assert.deepEqual(bugs, []);
  };
  t.after(() => service.stop());
  return { service, lines, clock };
}

/** A folder with a config, a classifier and a secret, which is gone after the test. */
export function layOutRunning(t: TestContext, more = twoHomes, classifiers?: Readonly<Record<string, Uint8Array>>):
  { folder: string; config: string } {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-running-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'secret'), 'a secret of more than twenty-four bytes', { mode: 0o600 });
  return { folder, config: layOutDetector(folder, more, classifiers) };
}

/** Sends a home's flows, which end just now. */
export async function send({ service, clock }: Running, from: string, isDevice: boolean, count = 40): Promise<void> {
  await sendHomeFlows(service.sockets().udp[0]?.port ?? 0, { from, isDevice, count, nowMs: clock.nowMs() });
}

export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await isSo()) return;
    await sleep(25);
  }
  assert.fail(`waited in vain until ${what}`);
}

export const isPresent = ({ service }: Running, home: string): boolean =>
  service.engine.book.find(home, deviceModel)?.state === 'present';
