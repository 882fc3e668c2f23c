/** The command as a user types it: bin/natlens.cjs in its own process. And its CSV, read without our own reader. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { rootFolder } from './source-tree.ts';

export type Ran = {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunOptions = {
  readonly cwd: string;
  readonly input?: Uint8Array;
  /** Runs as another user; root only. */
  readonly uid?: number;
};

export const launcher = join(rootFolder, 'bin', 'natlens.cjs');

/** Compiled code is kept between the runs of one test file, below its own temporary folder. */
export function environment(folder: string): NodeJS.ProcessEnv {
  return { ...process.env, XDG_CACHE_HOME: join(folder, '.cache'), NODE_OPTIONS: '' };
}

/** Runs `natlens` and waits for its end, at most a minute. */
export function runNatlens(args: readonly string[], options: RunOptions): Ran {
  const { cwd, input, uid } = options;
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, [launcher, ...args], {
    cwd, encoding: 'utf8', env: environment(cwd), timeout: 60_000, maxBuffer: 1 << 28,
    ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  if (error !== undefined) throw error;
  return { status, signal, stdout, stderr };
}

/** Runs `natlens` beside others; waits for its end, at most a minute. */
export async function runNatlensBeside(args: readonly string[], cwd: string): Promise<Ran> {
  const child = spawn(process.execPath, [launcher, ...args],
    { cwd, env: environment(cwd), timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  const [status, signal] = await once(child, 'close') as [number | null, string | null];
  return { status, signal, stdout, stderr };
}

/** Runs a line of bash in which `natlens` is the command; exit code and streams are the line's. */
export function runLine(line: string, cwd: string): Ran {
  const script = `natlens() { "$NODE" "$LAUNCHER" "$@"; }; ${line}`;
  const { status, signal, stdout, stderr, error } = spawnSync('bash', ['-c', script], {
    cwd, encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 28,
    env: { ...environment(cwd), NODE: process.execPath, LAUNCHER: launcher },
  });
  if (error !== undefined) throw error;
  return { status, signal, stdout, stderr };
}

export type FlowRow = Readonly<Record<string, string>>;

/** Rows of a CSV without quoted fields, by column name. */
export function readRows(text: string): FlowRow[] {
  const [heading = '', ...lines] = text.split('\n').slice(0, -1);
  const names = heading.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    if (cells.length !== names.length || line.includes('"')) throw new Error(`not a plain row: ${line}`);
    return Object.fromEntries(names.map((name, i) => [name, cells[i] as string]));
  });
}
