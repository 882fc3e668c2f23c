/**
 * A live capture in a process of its own, because only a process can be in another network namespace. Takes a plan as
 * JSON; says `ready` when packets are kept, `state …` when the interface goes or comes, and its report in the end.
 * Words on its standard input: `read` begins to read, `stop` ends.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, describeError, systemClock } from '#base';
import type { PacketBatch } from '#capture';
import {
  LiveCapture, liveCaptureDefaults, openPacketSocket, type LiveCaptureCounts, type LiveCaptureOptions,
} from '#capture/live';
import { Meter } from '#flow';

export type CapturePlan = {
  readonly options: Partial<LiveCaptureOptions> & { readonly interfaceName: string };
  /** Reads only when told so. */
  readonly isWaiting?: boolean;
  /** The thread stands still so long after every batch. */
  readonly stallMs?: number;
  /** Every packet is written there as a line: MAC addresses, VLAN, version, bytes. */
  readonly listPath?: string;
  /** A meter behind, as a probe has. */
  readonly hasMeter?: boolean;
};

export type CaptureReport = Omit<LiveCaptureCounts, 'rejected'> & {
  readonly rejected: Readonly<Record<string, number>>;
  /** Of the reading. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** Packets in the flows of the meter. */
  readonly meteredPackets: number;
  /** Largest distance of a packet's time from this process's clock when it was handed on. */
  readonly ageMsMax: number;
};

/** One line about a packet, as a capture lists it. */
export function packetLine(macs: Uint8Array, vlanId: number, ipVersion: number, packet: Uint8Array): string {
  return `${Buffer.from(macs).toString('hex')} ${vlanId} ${ipVersion} ${Buffer.from(packet).toString('hex')}`;
}

/** The lines of a batch. */
export function packetLines(batch: PacketBatch): string[] {
  return Array.from({ length: batch.rowCount }, (_, row) => {
    const link = batch.linkOffset[row] as number;
    const at = batch.networkOffset[row] as number;
    return packetLine(link === 0xffffffff ? new Uint8Array(0) : batch.data.subarray(link, link + 12),
      batch.vlanId[row] as number, batch.ipVersion[row] as number,
      batch.data.subarray(at, at + (batch.networkBytes[row] as number)));
  });
}

async function capture(plan: CapturePlan): Promise<void> {
  const capturing = new LiveCapture(openPacketSocket({ ...liveCaptureDefaults, ...plan.options }));
  const list = plan.listPath === undefined ? undefined : openSync(plan.listPath, 'w');
  let meteredPackets = 0;
  const meter = new Meter({}, (flows) => {
    for (let row = 0; row < flows.rowCount; row++) {
      meteredPackets += Number(flows.columns.initiatorPackets[row]) + Number(flows.columns.responderPackets[row]);
    }
  });
  const { promise: mayRead, resolve: read } = Promise.withResolvers<void>();
  if (plan.isWaiting !== true) read();
  const commands = createInterface({ input: process.stdin });
  commands.on('line', (line) => line === 'stop' ? capturing.stop() : read());
  process.stdout.write('ready\n');
  await mayRead;
  const startCpu = cpuSeconds();
  const startMs = systemClock.monotonicMs();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let ageMsMax = 0;
  let state = capturing.state;
  for await (const batch of capturing.batches(50)) {
    if (capturing.state !== state) {
      state = capturing.state;
      process.stdout.write(`state ${state}\n`);
    }
    if (batch.rowCount > 0) {
      ageMsMax = Math.max(ageMsMax, Math.abs(systemClock.nowMs() - (batch.timeMicroseconds[0] as number) / 1e3));
      if (list !== undefined) writeSync(list, `${packetLines(batch).join('\n')}\n`);
      if (plan.hasMeter === true) meter.add(batch);
    }
    if (plan.stallMs !== undefined) Atomics.wait(pause, 0, 0, plan.stallMs);
  }
  capturing.close();
  meter.end();
  commands.close();
  if (list !== undefined) closeSync(list);
  const { rejected, ...counts } = capturing.counts();
  const report: CaptureReport = {
    ...counts, rejected: rejected.toJSON(), cpuSeconds: cpuSeconds() - startCpu,
    seconds: (systemClock.monotonicMs() - startMs) / 1e3, meteredPackets, ageMsMax,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** A capture that runs in a child process. */
export class CapturingChild {
  readonly process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #output = '';
  #error = '';

  /** @param prefix  words before the command, such as those that choose a namespace */
  constructor(prefix: readonly string[], plan: CapturePlan) {
    const own = [process.execPath, fileURLToPath(import.meta.url), JSON.stringify(plan)];
    const [program = '', ...words] = [...prefix, ...own];
    this.process = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.process.stdout?.on('data', (piece: Buffer) => {
      this.#output += piece.toString();
    });
    this.process.stderr?.on('data', (piece: Buffer) => {
      this.#error += piece.toString();
    });
    this.#ended = new Promise((resolve) => {
      this.process.on('close', resolve);
    });
  }

  /** Waits until it has said a line. @throws Error  it ended without, with what it said of its end */
  async said(line: string): Promise<void> {
    const isEnded = this.#ended.then(() => true);
    while (!this.#output.includes(`${line}\n`)) {
      const pause = new Promise<boolean>((resolve) => {
        setTimeout(resolve, 20, false);
      });
      if (await Promise.race([isEnded, pause]) && !this.#output.includes(`${line}\n`)) throw new Error(this.#error);
    }
  }

  tell(word: 'read' | 'stop'): void {
    this.process.stdin?.write(`${word}\n`);
  }

  /** Ends it by its last word; what it counted. @throws Error  it failed */
  async report(): Promise<CaptureReport> {
    this.tell('stop');
    const code = await this.#ended;
    if (code !== 0) throw new Error(`the capture ended with ${code}: ${this.#error}`);
    return JSON.parse(this.#output.trim().split('\n').at(-1) ?? '') as CaptureReport;
  }

  /** Waits for an end that is a failure; what it said of it. */
  async failure(): Promise<string> {
    await this.#ended;
    return this.#error.trim();
  }
}

if (import.meta.main) {
  try {
    await capture(JSON.parse(process.argv[2] ?? '') as CapturePlan);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
    process.stderr.write(`${code}: ${describeError(thrown)}\n`);
    process.exitCode = 1;
  }
}
