/** Watches a process from outside (Linux): resident memory over time, and the CPU time that it took. */
import { readFileSync } from 'node:fs';
import { systemClock } from '#base';

/** USER_HZ, which Linux has as 100 on every machine that Node runs on. */
const ticksPerSecond = 100;

export type MemoryPoint = { readonly seconds: number; readonly residentBytes: number };

export class ProcessWatch {
  readonly memory: MemoryPoint[] = [];
  readonly #pid: number;
  readonly #startMs = systemClock.monotonicMs();
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number, everyMs = 1_000) {
    this.#pid = pid;
    this.#timer = setInterval(() => {
      const residentBytes = readResident(pid);
      if (residentBytes !== undefined) this.memory.push({ seconds: this.#seconds(), residentBytes });
    }, everyMs);
  }

  /** CPU seconds so far. */
  cpuSeconds(): number {
    return readCpuSeconds(this.#pid);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #seconds(): number {
    return (systemClock.monotonicMs() - this.#startMs) / 1000;
  }
}

/** CPU seconds of a process so far, user and system, of all its threads: fields 14 and 15 of proc_pid_stat(5). */
export function readCpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** VmRSS of proc_pid_status(5); undefined when the process is gone. */
export function readResident(pid: number): number | undefined {
  try {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Slope of the line through the last half of the points, by least squares. @returns bytes a minute */
export function slopeOfLastHalf(points: readonly MemoryPoint[]): number {
  const half = points.slice(points.length >> 1);
  const mean = (read: (point: MemoryPoint) => number): number =>
    half.reduce((sum, point) => sum + read(point), 0) / half.length;
  const [secondsMean, bytesMean] = [mean(({ seconds }) => seconds), mean(({ residentBytes }) => residentBytes)];
  let [product, square] = [0, 0];
  for (const { seconds, residentBytes } of half) {
    product += (seconds - secondsMean) * (residentBytes - bytesMean);
    square += (seconds - secondsMean) ** 2;
  }
  return square === 0 ? 0 : product / square * 60;
}

/** The value below which a share of all lies. @param values  not empty */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number;
}
