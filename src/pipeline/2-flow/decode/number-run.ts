/**
 * The numbers of one run of an exporter: what is expected next, and the holes behind it into which late datagrams may
 * still come. A hole may belong to an open message, whose units nobody could count. Arithmetic is modulo 2^32.
 */
import { limits } from '#base';
import type { OpenUnits } from './open-message.ts';
import type { SequencePlace } from './sequence.ts';
import type { UnitParts } from './unit-parts.ts';

/** Numbers that no message that came has taken. */
export type Hole = {
  from: number;
  units: number;
  /** How many of them the kernel dropped. */
  kernel: number;
  isStopped: boolean;
  /** The message whose units these may be; then they are booked with it, and not lost. */
  owner: OpenUnits | undefined;
};

/** Holes of a run that is over: what is late for it comes soon. */
const previousHolesMax = 32;

export class NumberRun {
  /** The lowest number of the run. */
  first = 0;
  /** The first message, while the number of its units is open and these lie before it. */
  firstOpen: OpenUnits | undefined;
  /** The number after all units that are known: the least that the next message may have. */
  expected = 0;
  /** The last message in the row, while the number of its units is open. */
  open: OpenUnits | undefined;
  /** NaN: not known. */
  startedMs = Number.NaN;
  firstExportMs = 0;
  /** Of the last message that was not late. */
  latest = 0;
  latestExportMs = 0;
  latestSentMs = 0;
  messages = 0;
  /** Read back from a saved state, and no message came since. */
  isResumed = false;
  readonly holes: Hole[] = [];
  readonly #parts: UnitParts;

  constructor(parts: UnitParts) {
    this.#parts = parts;
  }

  /** Takes a message at the expected number that is decoded wholly; what `advance` does for it, in less time. */
  step(place: SequencePlace): void {
    const { units } = place;
    this.#parts.sent += units;
    this.#parts.decoded += units;
    this.expected = (place.sequence + units) >>> 0;
    this.#remember(place);
  }

  /** Takes a message at or beyond the expected number. Returns true when that leaves a hole. */
  advance(place: SequencePlace, ahead: number): boolean {
    const { open: last } = this;
    const start = this.expected;
    const gapsBefore = this.#parts.gaps;
    let left = ahead;
    this.#parts.sent += ahead;
    const { open } = place;
    const isOpen = place.units < 0;
    const isStopped = this.isResumed;
    const isDropped = place.drops > 0;
    if (last !== undefined) {
      // Now that the next number is known, the last message gets its units, as many as it may have at most.
      const own = Math.min(ahead, last.message.unitsMax);
      this.#own(last, start, own, { isDropped, isStopped });
      left -= own;
    }
    const rest = (start + ahead - left) >>> 0;
    if (isOpen && place.isAfter) {
      // The number tells where the message ends: its units lie before those that are known.
      const own = Math.min(left, open?.message.unitsMax ?? 0);
      if (left > own) this.#lose(rest, left - own, place);
      this.#own(open, (rest + left - own) >>> 0, own, { isDropped, isStopped });
    } else if (left > 0) this.#lose(rest, left, place);
    this.expected = (place.sequence + this.#take(place)) >>> 0;
    this.open = isOpen && !place.isAfter ? open : undefined;
    this.#remember(place);
    return this.#parts.gaps > gapsBefore;
  }

  /**
   * Takes a message behind the expected number, when it lies in a hole: that shrinks or falls in two.
   *
   * @returns whether it begins or ends where the hole does, as messages do that are numbered so; or there was none
   */
  fill(place: SequencePlace): 'fits' | 'lies-in' | undefined {
    const isOpen = place.units < 0;
    const known = isOpen ? place.decoded : place.units;
    const isBefore = isOpen && place.isAfter;
    const hole = this.#find(isBefore && known === 0 ? place.sequence - 1 : place.sequence);
    if (hole === undefined) return undefined;
    const { owner } = hole;
    const loss = { isDropped: owner?.isDropped ?? hole.kernel > 0, isStopped: owner?.isStopped ?? hole.isStopped };
    const unitsMax = isOpen ? place.open?.message.unitsMax ?? 0 : 0;
    const behind = (place.sequence + known) >>> 0;
    const own = isBefore ? this.#countBefore(place.sequence, unitsMax) : this.#countAfter(behind, unitsMax);
    const start = isBefore ? (place.sequence - own) >>> 0 : place.sequence;
    const isAtStart = hole.from === start;
    const filled = this.#carve(start, known + own) - own;
    this.#own(place.open, isBefore ? start : behind, own, loss);
    // Numbers that were taken already: whatever the exporter means, these units came as well.
    this.#parts.sent -= filled;
    this.#take(place);
    return isAtStart || this.#find(start + known + own) === undefined ? 'fits' : 'lies-in';
  }

  /** Takes a message that the first one has overtaken. */
  takeOvertaken(place: SequencePlace): void {
    const isOpen = place.units < 0;
    const from = (place.sequence + (isOpen ? place.decoded : place.units)) >>> 0;
    const left = Math.max(0, (this.first - from) | 0);
    const owner = place.isAfter ? this.firstOpen : isOpen ? place.open : undefined;
    const own = Math.min(left, owner?.message.unitsMax ?? 0);
    const loss = { isDropped: false, isStopped: false };
    this.#parts.sent += left;
    this.#own(owner, place.isAfter ? (this.first - own) >>> 0 : from, own, loss);
    this.#book({
      from: place.isAfter ? from : (from + own) >>> 0, units: left - own, kernel: 0, isStopped: false, owner: undefined,
    });
    this.first = place.sequence;
    this.firstOpen = isOpen && place.isAfter ? place.open : undefined;
    this.#take(place);
  }

  /** Counts a message whose numbers have no place: they were taken already, or are forgotten. */
  takeStray(place: SequencePlace): void {
    this.#take(place);
  }

  /** Some units of a waiting set were decoded, after all. */
  decodeWaiting(open: OpenUnits, units: number): void {
    const taken = Math.min(units, open.units);
    const parts = this.#parts;
    parts.decoded += units;
    parts.sent += units - taken;
    parts.waiting -= taken;
    open.units -= taken;
    const hole = this.holes.find(({ owner }) => owner === open);
    if (hole !== undefined) {
      if (!open.isBefore) hole.from = (hole.from + taken) >>> 0;
      hole.units -= taken;
      if (hole.units <= 0) this.holes.splice(this.holes.indexOf(hole), 1);
    }
    if (this.open === open) this.expected = (this.expected + units - taken) >>> 0;
    if (this.firstOpen === open) this.first = (this.first - (units - taken)) >>> 0;
  }

  /** Nothing of the message waits any more: what is still booked as waiting goes where it belongs. */
  close(open: OpenUnits): void {
    const { units, message: { fate, isCounted } } = open;
    const parts = this.#parts;
    const index = this.holes.findIndex(({ owner }) => owner === open);
    parts.waiting -= units;
    if (fate !== undefined) {
      if (units > 0) parts.addFate(fate, units);
      return;
    }
    open.units = 0;
    if (this.open === open) this.open = undefined;
    if (this.firstOpen === open) this.firstOpen = undefined;
    if (units === 0) return;
    if (isCounted) {
      parts.decoded += units;
      return;
    }
    const lost = { units, kernel: open.isDropped ? units : 0, isStopped: open.isStopped, owner: undefined };
    const hole = index < 0 ? undefined : this.holes.splice(index, 1)[0];
    if (hole !== undefined && hole.units === units) this.#book({ from: hole.from, ...lost });
    else this.#count({ from: 0, ...lost }, 1);
  }

  /** Begins at a message. */
  begin(place: SequencePlace): void {
    this.first = place.sequence;
    this.firstExportMs = place.exportMs;
    this.expected = place.sequence;
    if (place.units < 0 && place.isAfter) this.firstOpen = place.open;
    this.advance(place, 0);
  }

  #remember(place: SequencePlace): void {
    this.isResumed = false;
    this.messages++;
    if (!Number.isNaN(place.startedMs)) this.startedMs = place.startedMs;
    this.latest = place.sequence;
    this.latestExportMs = place.exportMs;
    this.latestSentMs = place.sentMs;
  }

  #find(number: number): Hole | undefined {
    return this.holes.find(({ from, units }) => ((number - from) >>> 0) < units);
  }

  /** How many numbers in a row from one on may be an open message's, at most so many. */
  #countAfter(from: number, unitsMax: number): number {
    let count = 0;
    while (count < unitsMax) {
      const hole = this.#find(from + count);
      // Where the stretch of another open message begins, that message begins.
      if (hole === undefined || hole.owner !== undefined && hole.from === (from + count) >>> 0) break;
      count += hole.units - ((from + count - hole.from) >>> 0);
    }
    return Math.min(count, unitsMax);
  }

  /** How many numbers in a row before one may be an open message's, at most so many. */
  #countBefore(end: number, unitsMax: number): number {
    let count = 0;
    while (count < unitsMax) {
      const hole = this.#find(end - count - 1);
      const isOther = hole?.owner !== undefined && (hole.from + hole.units) >>> 0 === (end - count) >>> 0;
      if (hole === undefined || isOther) break;
      count += (end - count - hole.from) >>> 0;
    }
    return Math.min(count, unitsMax);
  }

  /** Takes a stretch out of all holes. Returns how many of its numbers were in one. */
  #carve(start: number, units: number): number {
    let removed = 0;
    // What is left of holes goes to the end of the list: only those that are there now are looked at.
    for (const hole of this.holes.slice()) {
      const offset = (hole.from - start) | 0;
      const inside = Math.min(offset + hole.units, units) - Math.max(offset, 0);
      if (inside <= 0) continue;
      removed += inside;
      this.holes.splice(this.holes.indexOf(hole), 1);
      this.#unbook(hole);
      const first = { from: hole.from, units: Math.max(0, -offset) };
      const second = { from: (start + units) >>> 0, units: Math.max(0, offset + hole.units - units) };
      const { owner } = hole;
      if (owner === undefined) {
        // What comes late was not dropped by the kernel: of the drops as many stay as still have room.
        const kernel = Math.min(hole.kernel, first.units + second.units);
        const kernelFirst = Math.min(kernel, first.units);
        this.#book({ ...hole, ...first, kernel: kernelFirst });
        this.#book({ ...hole, ...second, kernel: kernel - kernelFirst });
        continue;
      }
      // An open message lies at one end of its stretch: what is on the other side of this one is not its own.
      const [its, lost] = owner.isBefore ? [second, first] : [first, second];
      this.#book({ ...hole, ...its });
      this.#book({ ...lost, kernel: owner.isDropped ? lost.units : 0, isStopped: owner.isStopped, owner: undefined });
    }
    return removed;
  }

  /** Books the units of a message itself. Returns those that are known. */
  #take(place: SequencePlace): number {
    const parts = this.#parts;
    const { decoded, open, fate } = place;
    const known = place.units < 0 ? decoded : place.units;
    parts.sent += known;
    parts.decoded += decoded;
    const rest = known - decoded;
    if (open !== undefined) {
      open.run = this;
      // Of an open message all that is known is decoded.
      if (rest > 0) this.#bookOpen(open, rest);
    } else if (rest > 0 && fate !== undefined) parts.addFate(fate, rest);
    return known;
  }

  /** Books a stretch with an open message. */
  #own(open: OpenUnits | undefined, from: number, units: number, loss: Pick<OpenUnits, 'isDropped' | 'isStopped'>):
  void {
    if (open === undefined || units === 0) return;
    open.run = this;
    open.isDropped = loss.isDropped;
    open.isStopped = loss.isStopped;
    this.#bookOpen(open, units);
    this.#push({ from, units, kernel: 0, isStopped: false, owner: open });
  }

  #bookOpen(open: OpenUnits, units: number): void {
    open.units += units;
    const { fate } = open.message;
    if (open.isWaiting || fate === undefined) this.#parts.waiting += units;
    else this.#parts.addFate(fate, units);
  }

  #lose(from: number, units: number, { drops }: SequencePlace): void {
    const isStopped = this.isResumed;
    this.#book({ from, units, kernel: isStopped ? 0 : Math.min(drops, units), isStopped, owner: undefined });
  }

  /** Books a hole where it belongs, and remembers it. */
  #book(hole: Hole): void {
    if (hole.units === 0) return;
    if (hole.owner === undefined) this.#count(hole, 1);
    else this.#bookOpen(hole.owner, hole.units);
    this.#push(hole);
  }

  #unbook(hole: Hole): void {
    if (hole.owner === undefined) this.#count(hole, -1);
    else this.#bookOpen(hole.owner, -hole.units);
  }

  #count({ units, kernel, isStopped }: Hole, sign: 1 | -1): void {
    const parts = this.#parts;
    parts.gaps += sign;
    if (isStopped) parts.lostWhileStopped += sign * units;
    else {
      parts.lostInKernel += sign * kernel;
      parts.lostOnTheWay += sign * (units - kernel);
    }
  }

  /** Keeps the latest holes of a run that is over. */
  forgetHoles(): void {
    this.holes.splice(0, Math.max(0, this.holes.length - previousHolesMax));
  }

  #push(hole: Hole): void {
    if (this.holes.length >= limits.sequenceHolesMax) this.holes.shift();
    this.holes.push(hole);
  }
}
