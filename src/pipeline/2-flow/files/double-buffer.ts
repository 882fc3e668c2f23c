/**
 * Two byte buffers in turn: one is filled while the other is being written, so that large writes overlap with the work.
 * Bounded: it never holds more than the two buffers, whoever fills faster than the target takes must wait.
 */
import type { OutputTarget } from './output-target.ts';

export class DoubleBuffer {
  /** The buffer to fill, from `at` on. */
  bytes: Uint8Array;
  /** Index behind the last byte in `bytes`; set by whoever fills it. */
  at = 0;
  readonly #target: OutputTarget;
  #spare: Uint8Array;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(target: OutputTarget, bufferBytes: number) {
    this.#target = target;
    this.bytes = new Uint8Array(bufferBytes);
    this.#spare = new Uint8Array(bufferBytes);
  }

  /** Makes both buffers at least this large. What is in `bytes` stays. */
  reserve(bufferBytes: number): void {
    if (this.bytes.length >= bufferBytes) return;
    const larger = new Uint8Array(bufferBytes);
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
    // The spare one may be under way to the target: it is replaced when it comes back too small.
  }

  /**
   * Hands the filled buffer to the target and gives an empty one.
   *
   * @returns a promise to wait for before `bytes` may be filled, when the other buffer is still under way
   * @throws  what the target threw on an earlier write
   */
  swap(): Promise<void> | undefined {
    if (this.#writing !== undefined) return this.#writing.then(() => this.swap());
    if (this.#failure !== undefined) throw this.#failure;
    if (this.at === 0) return undefined;
    const full = this.bytes;
    this.#writing = this.#target.write(full.subarray(0, this.at)).then(
      () => { this.#writing = undefined; },
      (thrown: unknown) => { this.#writing = undefined; this.#failure = thrown; },
    );
    this.bytes = this.#spare.length < full.length ? new Uint8Array(full.length) : this.#spare;
    this.#spare = full;
    this.at = 0;
    return undefined;
  }

  /** Writes what is left and waits for all of it. */
  async drain(): Promise<void> {
    await this.swap();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }
}
