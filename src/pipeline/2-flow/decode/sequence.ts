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
  /** When the exporter started, by this message's own clocks; NaN where the protocol does not tell. */
  readonly startedMs: number;
};

export type SequenceVerdict = 'first' | 'in-order' | 'gap' | 'late' | 'restart';

/** Holes that are remembered; older ones stay counted as lost. */
const holesMax = 16;
/** Units before the first message that was seen: what lies further back is no message that was overtaken by it. */
const beforeFirstMax = 1_024;
/** Two computed start times of one run of an exporter differ by the rounding of the export time and by clock slew. */
const startToleranceMs = 5_000;

type Hole = { from: number; units: number };

export class SequenceAccount {
  gaps = 0;
  lostUnits = 0;
  restarts = 0;
  reordered = 0;
  /** -1: not known. Numbers throughout: a field that is now a number, now undefined costs an allocation a datagram. */
  #expected = -1;
  /** NaN: not known. */
  #startedMs = Number.NaN;
  #isSeen = false;
  /** Number of the first message of this run. */
  #first = 0;
  /** Of the last message that was not late. */
  #latest = 0;
  #latestExportMs = 0;
  readonly #holes: Hole[] = [];

  /** True when a message with this number goes back behind what was expected. */
  isBehind(sequence: number): boolean {
    return this.#expected >= 0 && ((sequence - this.#expected) | 0) < 0;
  }

  /** True when a message with this number may be a copy: it goes back, or it is not known what was expected. */
  mayBeCopy(sequence: number): boolean {
    return this.#isSeen && this.#expected < 0 || this.isBehind(sequence);
  }

  /** Accounts for a message that is not a copy of another. */
  observe(place: SequencePlace): SequenceVerdict {
    if (place.units === 0 && this.#isLateWithoutUnits(place)) return 'late';
    const verdict = this.#judge(place);
    if (verdict === 'late') {
      this.reordered++;
      return verdict;
    }
    this.#isSeen = true;
    if (verdict === 'first' || verdict === 'restart') this.#first = place.sequence;
    if (!Number.isNaN(place.startedMs)) this.#startedMs = place.startedMs;
    this.#latest = place.sequence;
    this.#latestExportMs = place.exportMs;
    this.#expected = place.units < 0 ? -1 : (place.sequence + place.units) >>> 0;
    return verdict;
  }

  /**
   * True for a message of templates alone that others have overtaken. It fills no hole, for it has the number of the
   * next message, and its number says nothing of those that came since. After a restart its clock is the later one.
   */
  #isLateWithoutUnits({ sequence, exportMs }: SequencePlace): boolean {
    if (!this.#isSeen || exportMs > this.#latestExportMs) return false;
    return this.#expected < 0 ? ((sequence - this.#latest) | 0) <= 0 : this.isBehind(sequence);
  }

  #judge({ sequence, units, startedMs }: SequencePlace): SequenceVerdict {
    if (!this.#isSeen) return 'first';
    if (this.#expected < 0) return 'in-order';
    const ahead = (sequence - this.#expected) | 0;
    if (ahead === 0) return 'in-order';
    // False when one of them is not known.
    const isRestarted = startedMs - this.#startedMs > startToleranceMs;
    if (!isRestarted) {
      if (ahead > 0) return this.#openHole(this.#expected, ahead);
      if (this.#fillHole(sequence, units) || this.#wasOvertaken(sequence, startedMs)) return 'late';
    }
    this.restarts++;
    this.#holes.length = 0;
    return 'restart';
  }

  /** True for a message that the first one has overtaken: just before it, and the exporter's clock says: no restart. */
  #wasOvertaken(sequence: number, startedMs: number): boolean {
    const before = (this.#first - sequence) | 0;
    return before > 0 && before <= beforeFirstMax && Math.abs(startedMs - this.#startedMs) <= startToleranceMs;
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
