/**
 * A clock for each exporter and observation domain: the latest flow end that it reported. Records wait by these, never
 * by the machine's clock, so that a file gives what a live stream gave. Bounded: who finds the table full shares clock
 * 0; nothing else depends on which clock a record waits by.
 */
import * as record from './record-layout.ts';

const keyWords = 5;

export class ExportClocks {
  /** By clock, ms; -Infinity before its first record. */
  readonly timeMs: Float64Array;
  count = 1;
  readonly #keys: Uint32Array;
  /** Open addressing: clock by hash, 0 where there is none. */
  readonly #table: Uint32Array;
  #last = 0;

  /** @param clocksMax  exporters and domains with a clock of their own, at least 0 */
  constructor(clocksMax: number) {
    this.timeMs = new Float64Array(clocksMax + 1).fill(-Infinity);
    this.#keys = new Uint32Array((clocksMax + 1) * keyWords);
    let size = 16;
    while (size < clocksMax * 2) size *= 2;
    this.#table = new Uint32Array(size);
  }

  /** The clock of the record at word `at`. */
  find(words: Uint32Array, at: number): number {
    if (this.#last !== 0 && this.#isOf(this.#last, words, at)) return this.#last;
    const mask = this.#table.length - 1;
    let place = hashExporter(words, at) & mask;
    let clock = this.#table[place] as number;
    while (clock !== 0 && !this.#isOf(clock, words, at)) {
      place = (place + 1) & mask;
      clock = this.#table[place] as number;
    }
    if (clock === 0 && this.count < this.timeMs.length) {
      clock = this.count++;
      this.#table[place] = clock;
      for (let i = 0; i < 4; i++) {
        this.#keys[clock * keyWords + i] = words[at + record.wExporter + i] as number;
      }
      this.#keys[clock * keyWords + 4] = words[at + record.wDomain] as number;
    }
    this.#last = clock;
    return clock;
  }

  #isOf(clock: number, words: Uint32Array, at: number): boolean {
    const keys = this.#keys;
    const key = clock * keyWords;
    const exporter = at + record.wExporter;
    return keys[key + 4] === words[at + record.wDomain] && keys[key + 3] === words[exporter + 3] &&
      keys[key + 2] === words[exporter + 2] && keys[key + 1] === words[exporter + 1] && keys[key] === words[exporter];
  }
}

function hashExporter(words: Uint32Array, at: number): number {
  let mixed = Math.imul(words[at + record.wDomain] as number, 0x9e3779b1);
  for (let i = 0; i < 4; i++) mixed = Math.imul(mixed ^ (words[at + record.wExporter + i] as number), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
