/**
 * Sequence accounting of one exporter and domain. NetFlow v5 counts flows, v9 export packets (RFC 3954 §5.1), IPFIX
 * data records (RFC 7011 §3.1). A hole is a gap until late datagrams fill it; a number that goes back is a late
 * datagram, a copy, or a restarted exporter, and these are told apart. Arithmetic is modulo 2^32.
 */

/** What one message tells of its place. */
export type SequencePlace = {
  readonly sequence: number;
  /** Units that this message takes, or -1 when not known (data sets without a template). */
  readonly units: number;
  readonly exportMs: number;
  /** When the exporter started, by this message's own clocks; undefined where the protocol does not tell. */
  readonly startedMs: number | undefined;
};

export type SequenceVerdict = 'first' | 'in-order' | 'gap' | 'late' | 'restart';

/** Holes that are remembered; older ones stay counted as lost. */
const holesMax = 16;
/** Two computed start times of one run of an exporter differ by the rounding of the export time and by clock slew. */
const startToleranceMs = 5_000;

type Hole = { from: number; units: number };

export class SequenceAccount {
  gaps = 0;
  lostUnits = 0;
  restarts = 0;
  reordered = 0;
  #expected: number | undefined;
  #startedMs: number | undefined;
  #isSeen = false;
  readonly #holes: Hole[] = [];

  /** True when a message with this number would go back behind what was expected, so may be a copy. */
  isBehind(sequence: number): boolean {
    return this.#expected !== undefined && ((sequence - this.#expected) | 0) < 0;
  }

  /** Accounts for a message that is not a copy of another. */
  observe(place: SequencePlace): SequenceVerdict {
    const verdict = this.#judge(place);
    if (verdict === 'late') {
      this.reordered++;
      return verdict;
    }
    this.#isSeen = true;
    if (place.startedMs !== undefined) this.#startedMs = place.startedMs;
    this.#expected = place.units < 0 ? undefined : (place.sequence + place.units) >>> 0;
    return verdict;
  }

  #judge({ sequence, units, startedMs }: SequencePlace): SequenceVerdict {
    if (!this.#isSeen) return 'first';
    if (this.#expected === undefined) return 'in-order';
    const ahead = (sequence - this.#expected) | 0;
    if (ahead === 0) return 'in-order';
    const isRestarted = startedMs !== undefined && this.#startedMs !== undefined &&
      startedMs - this.#startedMs > startToleranceMs;
    if (!isRestarted) {
      if (ahead > 0) return this.#openHole(this.#expected, ahead);
      if (this.#fillHole(sequence, units)) return 'late';
    }
    this.restarts++;
    this.#holes.length = 0;
    return 'restart';
  }

  #openHole(from: number, units: number): SequenceVerdict {
    this.gaps++;
    this.lostUnits += units;
    if (this.#holes.length === holesMax) this.#holes.shift();
    this.#holes.push({ from, units });
    return 'gap';
  }

  /** True when the message lies in a hole; the hole shrinks or falls in two. */
  #fillHole(sequence: number, units: number): boolean {
    for (let i = 0; i < this.#holes.length; i++) {
      const hole = this.#holes[i] as Hole;
      const before = (sequence - hole.from) >>> 0;
      if (before >= hole.units) continue;
      const filled = Math.min(Math.max(units, 0), hole.units - before);
      const after = hole.units - before - filled;
      const rest: Hole[] = [];
      if (before > 0) rest.push({ from: hole.from, units: before });
      if (after > 0) rest.push({ from: (sequence + filled) >>> 0, units: after });
      this.#holes.splice(i, 1, ...rest);
      while (this.#holes.length > holesMax) this.#holes.shift();
      this.lostUnits -= filled;
      this.gaps += rest.length - 1;
      return true;
    }
    return false;
  }
}
