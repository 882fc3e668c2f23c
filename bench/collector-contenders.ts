/**
 * Collectors that are compared: ours, nfcapd and node-netflowv9, each started in a folder of its own on a port of the
 * loopback, with a receive buffer of the same size, and asked at the end how many records it has.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#base';
import { hasProgram } from './bench.ts';
import { parquetRows } from './parquet-rows.ts';
import { readCpuSeconds } from './process-watch.ts';

export type Contender = {
  readonly name: string;
  /** Undefined: it is here; else how to get it. */
  readonly missing: string | undefined;
  readonly command: (folder: string, port: number) => readonly string[];
  /** Records that it has, once it ended. @param stdout  all that it printed */
  readonly records: (folder: string, stdout: string) => Promise<number> | number;
};

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const bufferBytes = 4_194_304;
const readyMs = 20_000;

export const ours: Contender = {
  name: 'natlens', missing: undefined,
  command: (folder, port) => [process.execPath, here('../bin/natlens.cjs'), 'collect', '--listen',
    `udp://127.0.0.1:${port}`, '--out', join(folder, 'flows'), '--rotate', '1h', '--state', join(folder, 'state'),
    '--receive-buffer', '4MiB'],
  records: (folder) => parquetRows(join(folder, 'flows')),
};

export const peers: readonly Contender[] = [
  {
    name: 'nfcapd', missing: hasProgram('nfcapd') ? undefined : 'apt-get install nfdump',
    command: (folder, port) => ['nfcapd', '-b', '127.0.0.1', '-p', String(port), '-w', folder, '-B',
      String(bufferBytes), '-t', '3600'],
    records: (folder) => {
      const { stdout } = spawnSync('nfdump', ['-R', folder, '-I'], { encoding: 'utf8' });
      const files = readdirSync(folder).filter((name) => name.startsWith('nfcapd.'));
      const [, flows] = /^Flows:\s+(\d+)/m.exec(stdout) ?? [];
      if (flows === undefined && files.length > 0) throw new Error(`nfdump does not say how many flows:\n${stdout}`);
      return Number(flows ?? 0);
    },
  },
  {
    name: 'node-netflowv9',
    missing: existsSync(here('peers/node_modules/node-netflowv9')) ? undefined : 'npm ci --prefix bench/peers',
    command: (_, port) => [process.execPath, here('peers/collect-netflowv9.mjs'), String(port)],
    records: (_, stdout) => Number(stdout.trim()),
  },
];

export type Running = {
  /** CPU seconds since it listens, of all threads. */
  cpuSeconds(): number;
  /** Ends it. @returns records that it has */
  end(): Promise<number>;
};

/** Starts a collector and waits until it listens. */
export async function startContender(contender: Contender, folder: string, port: number): Promise<Running> {
  mkdirSync(folder, { recursive: true });
  const [program = '', ...argv] = contender.command(folder, port);
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'ignore'], cwd: folder });
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (more: string) => { stdout += more; });
  await listens(child, contender.name, port);
  const before = readCpuSeconds(child.pid as number);
  return {
    cpuSeconds: () => readCpuSeconds(child.pid as number) - before,
    async end() {
      // What still lies in its buffer is its own.
      await sleep(500);
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
      return contender.records(folder, stdout);
    },
  };
}

async function listens(child: ChildProcess, name: string, port: number): Promise<void> {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const untilMs = systemClock.monotonicMs() + readyMs;
  while (!readFileSync('/proc/net/udp', 'latin1').includes(place)) {
    if (child.exitCode !== null || systemClock.monotonicMs() > untilMs) throw new Error(`${name} does not listen`);
    await sleep(20);
  }
  // Some bind first and set up their files then.
  await sleep(300);
}
