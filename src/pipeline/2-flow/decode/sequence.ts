/**
 * Sequence accounting of one exporter and domain. NetFlow v5 counts flows, v9 export packets (RFC 3954 §5.1), IPFIX
 * data records (RFC 7011 §3.1). A hole is a gap until late datagrams fill it; a number that goes back is a late
 * datagram, a copy, or a restarted exporter, and these are told apart. Every unit has one place in `parts`.
 */
import { NumberRun } from './number-run.ts';
import type { OpenUnits } from './open-message.ts';
import { UnitParts, type UnitFate } from './unit-parts.ts';

/** What one message tells of its place. */
export type SequencePlace = {
  sequence: number;
  /** Units that this message takes, or -1 when not known (data sets without a template). */
  units: number;
  /** Units that were decoded; of a message with unknown units all that are known. */
  decoded: number;
  /** Why the others were not, unless they wait. */
  fate: UnitFate | undefined;
  /** Of a message that is not settled yet. */
  open: OpenUnits | undefined;
  /** `sequence` is where the units that are known begin, and those that are not known lie before. */
  isAfter: boolean;
  /** By how many units the kernel's drops explain a hole before this message. */
  drops: number;
  exportMs: number;
  /** The finest time of sending that there is, on whatever clock; compared modulo 2^32. */
  sentMs: number;
  /** When the exporter started, by this message's own clocks; NaN where the protocol does not tell. */
  startedMs: number;
};

export type SequenceVerdict = 'first' | 'in-order' | 'gap' | 'late' | 'restart';

/** Units before the first message that was seen: what lies further back is no message that was overtaken by it. */
const beforeFirstMax = 1_024;
/** Without a clock only the first messages of a run can have overtaken others: later a restart is more likely. */
const youngMessages = 8;
/** Two computed start times of one run of an exporter differ by the rounding of the export time and by clock slew. */
const startToleranceMs = 5_000;
/** Without a clock a message that was sent so much after the latest one is not late, whichever hole it fits. */
const sendToleranceMs = 2_000;
/** A message that is older than the latest one by more is not on its way any more. */
const strayMsMax = 60_000;
/** Units that a stray message may be back. */
const strayUnitsMax = 1 << 20;
/** sysUptime begins anew. */
const uptimeWrapMs = 2 ** 32;

export class SequenceAccount {
  readonly parts: UnitParts;
  restarts = 0;
  reordered = 0;
  /** Times that sysUptime has begun anew within a run. */
  wrapped = 0;
  /** Messages of known units that neither begin where another ends nor fit a hole. */
  misfits = 0;
  #run: NumberRun | undefined;
  /** The run before, of which messages may still be on their way. */
  #previous: NumberRun | undefined;

  constructor(parts = new UnitParts()) {
    this.parts = parts;
  }

  get gaps(): number {
    return this.parts.gaps;
  }

  /** Units of holes that nothing has filled. */
  get lostUnits(): number {
    return this.parts.lost;
  }

  /** The run that lasts, and the one before it. */
  get runs(): readonly [NumberRun | undefined, NumberRun | undefined] {
    return [this.#run, this.#previous];
  }

  /** Goes on with runs of a saved state. */
  resume(run: NumberRun | undefined, previous: NumberRun | undefined): void {
    this.#run = run;
    this.#previous = previous;
  }

  /** True when a message with this number may be a copy: it is not the next one, or it is not known which that is. */
  mayBeCopy(sequence: number): boolean {
    const run = this.#run;
    return run !== undefined && (run.open !== undefined || sequence !== run.expected);
  }

  /** True for a number beyond the expected one. */
  isAhead(sequence: number): boolean {
    return this.#run === undefined || ((sequence - this.#run.expected) | 0) > 0;
  }

  /** Accounts for a message that is not a copy of another. @param place  read only, valid during the call */
  observe(place: SequencePlace): SequenceVerdict {
    const run = this.#run;
    if (run === undefined) return this.#begin(place, 'first');
    // The usual message: the next one, wholly decoded.
    if (place.sequence === run.expected && place.units > 0 && place.decoded === place.units && run.open === undefined &&
      !(Math.abs(place.startedMs - run.startedMs) > startToleranceMs)) {
      run.step(place);
      return 'in-order';
    }
    if (place.units === 0 && isLateWithoutUnits(run, place)) return 'late';
    const ahead = (place.sequence - run.expected) | 0;
    const startedLaterMs = startDifference(place.startedMs, run.startedMs);
    // False when one of them is not known.
    const isOtherStart = Math.abs(startedLaterMs) > startToleranceMs;
    if (ahead !== 0 || isOtherStart) {
      if (this.#observePrevious(place, isOtherStart)) return this.#late();
      if (ahead !== 0 && startedLaterMs > startToleranceMs) return this.#restart(place);
      if (ahead < 0) {
        const lateness = isOtherStart ? undefined : takeLate(run, place);
        if (lateness !== 'fits' && place.units >= 0) this.misfits++;
        return lateness === undefined ? this.#restart(place) : this.#late();
      }
      if (ahead > 0 && run.open === undefined && place.units >= 0) this.misfits++;
    }
    // Templates with the same number have overtaken it: its units lie in the hole that they have left.
    if (ahead === 0 && place.isAfter && place.units < 0 && run.fill(place) !== undefined) return this.#late();
    if (place.startedMs - run.startedMs > uptimeWrapMs / 2 && !isOtherStart) this.wrapped++;
    return run.advance(place, ahead) ? 'gap' : 'in-order';
  }

  #begin(place: SequencePlace, verdict: 'first' | 'restart'): SequenceVerdict {
    this.#run?.forgetHoles();
    this.#previous = this.#run;
    this.#run = new NumberRun(this.parts);
    this.#run.begin(place);
    return verdict;
  }

  #restart(place: SequencePlace): SequenceVerdict {
    this.restarts++;
    return this.#begin(place, 'restart');
  }

  #late(): SequenceVerdict {
    this.reordered++;
    return 'late';
  }

  /** True for a message of the run before, which the first ones of this run have overtaken. */
  #observePrevious(place: SequencePlace, isOtherStart: boolean): boolean {
    const previous = this.#previous;
    const run = this.#run as NumberRun;
    if (previous === undefined) return false;
    const isOfPrevious = Number.isNaN(place.startedMs)
      ? place.exportMs < run.firstExportMs && previous.latestExportMs - place.exportMs <= strayMsMax &&
        !isOvertaken(run, place)
      : isOtherStart && Math.abs(startDifference(place.startedMs, previous.startedMs)) <= startToleranceMs;
    if (!isOfPrevious) return false;
    if (place.units === 0) return true;
    const ahead = (place.sequence - previous.expected) | 0;
    if (ahead >= 0) previous.advance(place, ahead);
    else if (previous.fill(place) === undefined) previous.takeStray(place);
    return true;
  }
}

/**
 * True for a message of templates alone that others have overtaken. It fills no hole, for it has the number of the
 * next message, and its number says nothing of those that came since. After a restart its clock is the later one.
 */
function isLateWithoutUnits(run: NumberRun, { sequence, exportMs }: SequencePlace): boolean {
  if (exportMs > run.latestExportMs) return false;
  if (run.open !== undefined && ((sequence - run.latest) | 0) <= 0) return true;
  return ((sequence - run.expected) | 0) < 0;
}

/** True for a message from just before the first one of a run, which has overtaken it. */
function isOvertaken(run: NumberRun, { sequence, startedMs, exportMs, isAfter, units }: SequencePlace): boolean {
  const before = (run.first - sequence) | 0;
  // Where the number tells the end, units that are not known lie before it.
  if (before < (isAfter && units < 0 ? 0 : 1) || before > beforeFirstMax) return false;
  return Number.isNaN(startedMs) ? run.messages <= youngMessages && exportMs <= run.latestExportMs
    : !Number.isNaN(run.startedMs);
}

/** Takes a message behind the expected number, when it is of this run. @returns whether it fits there, or is of none */
function takeLate(run: NumberRun, place: SequencePlace): 'fits' | 'lies-in' | undefined {
  const sentLaterMs = place.exportMs - run.latestExportMs;
  const hasClock = !Number.isNaN(place.startedMs);
  const filled = hasClock || sentLaterMs <= sendToleranceMs ? run.fill(place) : undefined;
  if (filled !== undefined) return filled;
  if (isOvertaken(run, place)) {
    run.takeOvertaken(place);
    return 'fits';
  }
  if (!isStray(run, place)) return undefined;
  run.takeStray(place);
  return 'lies-in';
}

/**
 * True for a message that was sent before the latest one and whose numbers are taken, or forgotten: a copy of which no
 * copy is kept, or a very late one. An exporter that begins anew, or does not count, sends later than before; with a
 * clock of milliseconds never at the same time.
 */
function isStray(run: NumberRun, { sequence, sentMs, exportMs, startedMs }: SequencePlace): boolean {
  const sentLaterMs = (sentMs - run.latestSentMs) | 0;
  const ageMs = run.latestExportMs - exportMs;
  if (ageMs < 0 || ageMs > strayMsMax || ((run.expected - sequence) >>> 0) > strayUnitsMax) return false;
  return sentLaterMs < 0 || sentLaterMs === 0 && (run.isResumed || !Number.isNaN(startedMs));
}

/** How much later one start is than the other, over the point where sysUptime begins anew. */
function startDifference(startedMs: number, otherMs: number): number {
  const difference = startedMs - otherMs;
  if (Math.abs(difference - uptimeWrapMs) <= startToleranceMs) return difference - uptimeWrapMs;
  if (Math.abs(difference + uptimeWrapMs) <= startToleranceMs) return difference + uptimeWrapMs;
  return difference;
}
