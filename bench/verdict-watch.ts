/**
 * Watches a running detector's state for the verdicts on probes: reads the SQLite file every few milliseconds, beside
 * the detector. A verdict is seen when it is committed, so nothing that the detector still has to write is left out.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { systemClock } from '#base';
import { homeOfProbe, type DetectorLoad } from './detector-load.ts';

const everyMs = 5;

export class VerdictWatch {
  /** When the verdict on a probe was first seen, on the monotonic clock. */
  readonly seenMs = new Map<number, number>();
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #timer: NodeJS.Timeout;
  /** Probes before this have their verdicts. */
  #next = 0;

  constructor(path: string, load: DetectorLoad) {
    this.#database = new DatabaseSync(path, { readOnly: true });
    this.#find = this.#database.prepare('SELECT 1 FROM state_verdicts WHERE home = ? LIMIT 1');
    this.#timer = setInterval(() => this.#look(load.probeSentMs.length), everyMs);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#database.close();
  }

  #look(probes: number): void {
    for (let probe = this.#next; probe < probes; probe++) {
      if (this.seenMs.has(probe) || this.#find.get(homeOfProbe(probe)) === undefined) continue;
      this.seenMs.set(probe, systemClock.monotonicMs());
    }
    while (this.seenMs.has(this.#next)) this.#next++;
  }
}
