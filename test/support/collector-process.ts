/**
 * The collector as a user runs it: `natlens collect CONFIG` in a process of its own, its log read line by line, asked
 * over its control socket, ended by signals. And what is in its files.
 */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CollectorStatus } from '#collector';
import { askRunning } from '#service';
import { DetectorProcess } from './detector-process.ts';
import { launcher, readRows, runNatlens } from './natlens-process.ts';

const program: readonly string[] = [process.execPath, launcher, 'collect'];

export class CollectorProcess {
  readonly folder: string;
  readonly #process: DetectorProcess;

  private constructor(folder: string, running: DetectorProcess) {
    this.folder = folder;
    this.#process = running;
  }

  /** Starts one and waits until it listens. @param config  as TOML, with `state_folder = "state"` */
  static async start(t: TestContext, folder: string, config: string): Promise<CollectorProcess> {
    writeFileSync(join(folder, 'collector.toml'), config);
    const running = DetectorProcess.spawn(folder, join(folder, 'collector.toml'), undefined, program).endAfter(t);
    // A detector in the same process logs that it has started, too.
    const isStarted = (): boolean => running.lines.some(({ event, receiver }) =>
      event === 'started' && receiver !== undefined);
    await running.waitFor('started');
    for (let i = 0; i < 500 && !isStarted(); i++) await sleep(10);
    assert.ok(isStarted(), running.complaints.join('\n'));
    return new CollectorProcess(folder, running);
  }

  /** Port that it listens at. */
  port(transport: 'udp' | 'tcp' | 'tls'): number {
    const line = this.#process.lines.find((each) => each.event === 'listening' && each.transport === transport);
    return line?.port as number;
  }

  get lines(): DetectorProcess['lines'] {
    return this.#process.lines;
  }

  get metricsPort(): number {
    return this.#process.find('metrics')?.port as number;
  }

  /** As the command asks it. */
  async status(): Promise<CollectorStatus> {
    return await askRunning('collector', { stateFolder: join(this.folder, 'state'), method: 'GET', path: '/status' }) as
      CollectorStatus;
  }

  /** The status once something holds of it. */
  async until(what: string, isSo: (status: CollectorStatus) => boolean): Promise<CollectorStatus> {
    let last: CollectorStatus | undefined;
    for (let i = 0; i < 100; i++) {
      last = await this.status();
      if (isSo(last)) return last;
      await sleep(100);
    }
    return assert.fail(`waited in vain until ${what}: ${JSON.stringify(last)}`);
  }

  /** Ends it; on SIGTERM it must end in order. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { code } = await this.#process.end(signal);
    if (signal === 'SIGTERM') assert.equal(code, 0, this.#process.complaints.join('\n'));
  }
}

/** Octet counts in all files that are whole, each of which a scripted exporter gave once. */
export function storedIds(folder: string): number[] {
  const files = readdirSync(join(folder, 'flows')).filter((name) => name.endsWith('.parquet'))
    .map((name) => join('flows', name));
  if (files.length === 0) return [];
  const { status, stdout, stderr } = runNatlens(['flows', ...files, '-o', '-', '--quiet'], { cwd: folder });
  assert.equal(status, 0, stderr);
  return readRows(stdout).map((row) => Number(row.initiatorOctets)).sort((a, b) => a - b);
}
