/**
 * Progress of long work on standard error: one line that renews itself on a terminal, a line now and then elsewhere.
 */
import { formatCount, systemClock, type Clock } from '#base';
import type { ByteSource } from '#capture';

const firstAfterMs = 2_000;
const terminalEveryMs = 250;
const plainEveryMs = 10_000;

export class Progress {
  readonly #clock: Clock;
  readonly #stream: NodeJS.WriteStream;
  readonly #isOff: boolean;
  readonly #startMs: number;
  #nextMs: number;
  #isShown = false;

  /** @param isOff  show nothing */
  constructor(isOff: boolean, clock: Clock = systemClock, stream: NodeJS.WriteStream = process.stderr) {
    this.#isOff = isOff;
    this.#clock = clock;
    this.#stream = stream;
    this.#startMs = clock.monotonicMs();
    this.#nextMs = this.#startMs + firstAfterMs;
  }

  /** Seconds since the work began. */
  get seconds(): number {
    return (this.#clock.monotonicMs() - this.#startMs) / 1000;
  }

  /** Shows a line when one is due. @param describe  called only then */
  tick(describe: () => string): void {
    if (this.#isOff) return;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + (this.#stream.isTTY ? terminalEveryMs : plainEveryMs);
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${describe()}` : `${describe()}\n`);
    this.#isShown = true;
  }

  /** Clears the line, so that results follow on a clean one. */
  end(): void {
    if (this.#isShown && this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }
}

/** The line about an input that is being read. @param done  what came of it so far */
export function describeProgress(source: ByteSource, done: string, seconds: number): string {
  const share = source.sizeBytes === undefined || source.sizeBytes === 0
    ? '' : `${Math.floor(100 * source.readBytes / source.sizeBytes)} % of `;
  return `natlens: ${share}${source.path}: ${done}, ${formatCount(seconds)} s`;
}
