/**
 * The detector as a user or systemd runs it: `natlens detect CONFIG` in a process of its own, its log read line by
 * line, ended by signals. And a sender of flows to it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#base';
import { encodeFlows, makeHomeFlows } from './detector-world.ts';
import { environment, launcher } from './natlens-process.ts';

export type LogLine = { readonly event: string; readonly level: string; readonly time: string } &
  Readonly<Record<string, unknown>>;

/** How a process ended, and how long that took from the signal on. */
export type ProcessEnd = {
  readonly code: number | null; readonly signal: string | null; readonly tookMs: number;
};

const natlensDetect: readonly string[] = [process.execPath, launcher, 'detect'];

export class DetectorProcess {
  readonly lines: LogLine[] = [];
  /** What is on standard error and no line of the log. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<[number | null, string | null]>;
  #rest = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'close') as Promise<[number | null, string | null]>;
    child.stderr?.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
  }

  /**
   * Starts one and waits until it says that it has started.
   *
   * @param stderr   file descriptor that takes the log instead, which is not read then, nor waited for
   * @param program  what is run with the config: `natlens detect`, or a bundle
   * @param uid      user that it runs as; root only
   */
  static async start(
    folder: string, config: string, stderr?: number, program = natlensDetect, uid?: number,
  ): Promise<DetectorProcess> {
    const detector = DetectorProcess.spawn(folder, config, stderr, program, uid);
    try {
      if (stderr === undefined) await detector.waitFor('started');
      return detector;
    } catch (thrown) {
      // Of one that hangs nobody else knows.
      await detector.end('SIGKILL');
      throw thrown;
    }
  }

  /** Starts one and waits for nothing. */
  static spawn(
    folder: string, config: string, stderr?: number, [command = '', ...argv] = natlensDetect, uid?: number,
  ): DetectorProcess {
    return new DetectorProcess(spawn(command, [...argv, config], {
      cwd: folder, env: environment(folder), stdio: ['ignore', 'ignore', stderr ?? 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    }));
  }

  /** Whoever reads its log goes away. */
  dropLog(): void {
    this.#child.stderr?.destroy();
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Sees to it that nothing is left running after a test. */
  endAfter(t: TestContext): this {
    t.after(() => this.end('SIGKILL'));
    return this;
  }

  /** Port of UDP that it listens at. */
  get port(): number {
    return this.find('listening')?.port as number;
  }

  find(event: string): LogLine | undefined {
    return this.lines.find((line) => line.event === event);
  }

  /** The first line of an event, once it is there. @throws Error  it ended, or took ten seconds */
  async waitFor(event: string): Promise<LogLine> {
    let isEnded = false;
    void this.#ended.then(() => {
      isEnded = true;
    });
    for (let i = 0; i < 1_000; i++) {
      const line = this.find(event);
      if (line !== undefined) return line;
      if (isEnded) break;
      await sleep(10);
    }
    throw new Error(`no '${event}' in the log:\n${[...this.lines.map((line) => JSON.stringify(line)),
      ...this.complaints].join('\n')}`);
  }

  /** Sends a signal; does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits for its end. */
  async ended(): Promise<ProcessEnd> {
    const startMs = systemClock.monotonicMs();
    const [code, signal] = await this.#ended;
    return { code, signal, tookMs: systemClock.monotonicMs() - startMs };
  }

  /** Sends a signal, and waits for the end. Of a process that has ended it tells how. */
  async end(signal: NodeJS.Signals): Promise<ProcessEnd> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal(signal);
    return await this.ended();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as LogLine);
      else this.complaints.push(line);
    }
  }
}

/** Sends flows of a home to a port of this machine; they have ended just now by the clock that is given. */
export async function sendHomeFlows(port: number, flows: {
  readonly from: string; readonly isDevice: boolean; readonly count?: number; readonly nowMs?: number;
  readonly seed?: number;
}): Promise<void> {
  const { from, isDevice, count = 40, nowMs = systemClock.nowMs(), seed = 3 } = flows;
  const endMs = Array.from({ length: count }, (_, i) => nowMs - (count - i) * 50);
  const socket = createSocket('udp4');
  for (const datagram of encodeFlows(makeHomeFlows({ from, isDevice, endMs, seed }), nowMs).datagrams) {
    await new Promise<void>((resolve, reject) => socket.send(datagram, port, '127.0.0.1', (error) => {
      if (error === null) resolve();
      else reject(error);
    }));
  }
  socket.close();
}
