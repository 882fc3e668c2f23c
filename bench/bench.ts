/**
 * What a benchmark is, and how commands are measured: CPU seconds (user and system, children included) by the shell's
 * own count.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Comparison = {
  readonly bench: string;
  readonly peer: string;
  readonly unit: string;
  /** Median over the runs. */
  readonly ours: number;
  readonly theirs: number;
  /** Above 1: we are better. */
  readonly ratio: number;
  readonly runs: number;
};

export type BenchResult = { readonly rows: readonly Comparison[]; readonly notes: readonly string[] };

export type Bench = {
  readonly name: string;
  readonly description: string;
  /** @param say  progress, a line at a time */
  readonly run: (say: (line: string) => void) => Promise<BenchResult>;
};

export type Measured = { readonly cpuSeconds: number; readonly wallSeconds: number; readonly stdout: string;
  readonly stderr: string };

/** Runs a command to its end and measures it with its children. @throws Error  it failed */
export function measureCommand(command: string, argv: readonly string[]): Measured {
  const run = spawnSync('bash', ['-c', 'TIMEFORMAT="natlens-time %U %S %R"; time "$@"', 'bash', command, ...argv],
    { encoding: 'utf8', maxBuffer: 1 << 28 });
  const time = /natlens-time (\S+) (\S+) (\S+)/.exec(run.stderr);
  if (run.status !== 0 || time === null) {
    throw new Error(`${command} ended with ${run.status}: ${run.stderr.slice(-2000)}`);
  }
  return {
    cpuSeconds: Number(time[1]) + Number(time[2]),
    wallSeconds: Number(time[3]),
    stdout: run.stdout,
    stderr: run.stderr,
  };
}

/** True when a program is there to compare with. */
export function hasProgram(program: string): boolean {
  return spawnSync(program, ['-h'], { stdio: 'ignore' }).error === undefined;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle] as number : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** A comparison of rates: more is better. */
export function compareRates(bench: string, peer: string, unit: string, ours: readonly number[],
  theirs: readonly number[]): Comparison {
  const ourRate = median(ours);
  const theirRate = median(theirs);
  return { bench, peer, unit, ours: ourRate, theirs: theirRate, ratio: ourRate / theirRate, runs: ours.length };
}

/** Works in a temporary folder, which is removed afterwards. */
export async function inFolder(work: (folder: string) => BenchResult | Promise<BenchResult>): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
