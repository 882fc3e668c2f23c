/**
 * A collector as systemd runs it: `natlens collect CONFIG` in a process of its own, in whatever namespace it is
 * started. It is ended by signals and started again on the same state; what it tells is asked over its control socket.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '#base';
import type { CollectorStatus } from '#collector';
import type { DomainCounts } from '#flow';
import { environment, launcher, readRows, runNatlens } from '../support/natlens-process.ts';
import { ended, said } from './real-nat.ts';

type Launch = (words: readonly string[], environment: NodeJS.ProcessEnv) => ChildProcess;

/** Parts of a unit count that say where units are. */
export type Whereabouts = {
  readonly sent: number;
  /** What came to the decoder: decoded, waiting, or not to be decoded. */
  readonly came: number;
  readonly lostInKernel: number;
  readonly lostOnTheWay: number;
  readonly lostWhileStopped: number;
};

export class RunningCollector {
  readonly lines: string[] = [];
  readonly #folder: string;
  readonly #launch: Launch;
  #child: ChildProcess | undefined;

  /**
   * @param folder  of the test's own: config, state, files
   * @param more    sections of the config besides the state's and the output's
   */
  constructor(folder: string, more: string, launch: Launch) {
    this.#folder = folder;
    this.#launch = launch;
    writeFileSync(join(folder, 'collector.toml'), `state_folder = "${folder}/state"\ncheckpoint = "1s"\n${more}
[output]\nfolder = "${folder}/flows"\nrotate = "3s"\n`);
  }

  /** Starts it and waits until it listens. */
  async start(): Promise<void> {
    this.#child = this.#launch([process.execPath, launcher, 'collect', join(this.#folder, 'collector.toml')],
      environment(this.#folder));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => this.lines.push(line));
    }
    await said(this.#child, '"started"');
  }

  /** The process itself, behind `ip netns exec`, which it has replaced. */
  get pid(): number {
    return this.#child?.pid as number;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Ends it; its exit code, null after a kill. */
  async end(name: NodeJS.Signals): Promise<number | null> {
    const child = this.#child as ChildProcess;
    this.signal(name);
    return ended(child);
  }

  /** Nothing of it stays when a test fails. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  status(): CollectorStatus {
    return JSON.parse(this.tell('--json')) as CollectorStatus;
  }

  /** What `natlens collect status` prints. */
  tell(...options: string[]): string {
    const { status, stdout, stderr } =
      runNatlens(['collect', 'status', '--state', join(this.#folder, 'state'), ...options], { cwd: this.#folder });
    assert.equal(status, 0, `${stdout}${stderr}`);
    return stdout;
  }

  /** Waits until so many domains are in the state that it has saved. */
  async untilSaved(domainCount: number): Promise<void> {
    const endMs = systemClock.nowMs() + 8_000;
    for (let knownMs = Infinity; ;) {
      const { nowMs, domains, state } = this.status();
      if (domains.length >= domainCount) knownMs = Math.min(knownMs, nowMs);
      if (nowMs - (state.ageMs ?? Infinity) > knownMs) return;
      assert.ok(systemClock.nowMs() < endMs, `${domains.length} of ${domainCount} domains`);
      await pause(50);
    }
  }

  /** Waits until nothing more comes of what it has received. */
  async untilIdle(): Promise<CollectorStatus> {
    const endMs = systemClock.nowMs() + 20_000;
    for (let last = -1; ;) {
      const status = this.status();
      if (status.exports.datagrams === last) return status;
      assert.ok(systemClock.nowMs() < endMs, 'the collector does not come to rest');
      last = status.exports.datagrams;
      await pause(300);
    }
  }

  /** Rows of whole files by exporter and domain, `192.0.2.1 0`, as `natlens flows` reads them. */
  storedRows(): Map<string, number> {
    const rows = new Map<string, number>();
    const files = globSync('flows/*.parquet', { cwd: this.#folder }).sort();
    assert.ok(files.length > 0, 'there are no files');
    const { status, stderr } = runNatlens(['flows', ...files, '-o', 'stored.csv'], { cwd: this.#folder });
    assert.equal(status, 0, stderr);
    for (const row of readRows(readFileSync(join(this.#folder, 'stored.csv'), 'utf8'))) {
      const key = `${row.exporterAddress} ${row.observationDomainId}`;
      rows.set(key, (rows.get(key) ?? 0) + 1);
    }
    return rows;
  }

  /** Memory that it has now, in bytes; 0 when it has ended. */
  residentBytes(): number {
    const path = `/proc/${this.pid}/status`;
    if (!existsSync(path)) return 0;
    const [, kilobytes = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(path, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }
}

/** Where all units of a domain are, after its identity was checked. */
export function whereabouts({ account, exporter, version }: DomainCounts): Whereabouts {
  const { sent, decoded, waiting, lostInKernel, lostOnTheWay, lostWhileStopped, undecodable } = account;
  const came = Object.values(undecodable).reduce((sum, units) => sum + units, decoded + waiting);
  assert.equal(came + lostInKernel + lostOnTheWay + lostWhileStopped, sent,
    `${exporter} v${version}: ${JSON.stringify(account)}`);
  return { sent, came, lostInKernel, lostOnTheWay, lostWhileStopped };
}
