/**
 * Puts late packets back in order of time before they are counted, within a window bounded in time and in packets. A
 * step of the clock (captures put one behind the other, a capture host that set its clock) is not lateness: the window
 * then lets everything go and starts anew.
 */
import { headerDoubles, hTime } from './header-slab.ts';

export type ReorderOptions = {
  /** How late a packet may be, in milliseconds. */
  readonly windowMs: number;
  /** Packets held back at most; at the limit the earliest is let go. */
  readonly packetsMax: number;
  /** A packet this much behind the newest marks a step of the clock, in milliseconds; more than `windowMs`. */
  readonly stepMs: number;
};

export class ReorderWindow {
  /** Packets that came after a later one had been let go: counted at their own time, but out of order. */
  lateCount = 0;
  /** Where `take` stopped. */
  takenEnd = 0;
  readonly #windowMicroseconds: number;
  readonly #stepMicroseconds: number;
  readonly #packetsMax: number;
  /** Ring of slots in order of time; its size is a power of two above `packetsMax`. */
  readonly #ring: Uint32Array;
  readonly #ringTimes: Float64Array;
  readonly #mask: number;
  #head = 0;
  #count = 0;
  #newest = -Infinity;
  #letGo = -Infinity;

  constructor(options: ReorderOptions) {
    this.#windowMicroseconds = options.windowMs * 1000;
    this.#stepMicroseconds = options.stepMs * 1000;
    this.#packetsMax = options.packetsMax;
    let size = 4;
    while (size < options.packetsMax + 2) size *= 2;
    this.#ring = new Uint32Array(size);
    this.#ringTimes = new Float64Array(size);
    this.#mask = size - 1;
  }

  /** Packets held back now. */
  get heldCount(): number {
    return this.#count;
  }

  /**
   * Takes packets in until one marks a step of the clock, and lets go those that may be counted.
   *
   * State is held in locals over the loop, and times lie beside the slots: measured 23 → 15 ns a packet.
   *
   * @param slots    [end] slots of the packets as they came; [first, end) are taken
   * @param doubles  the slab's; read only
   * @param ready    [packetsMax + end - first + 1] slots that may be counted now, in order of time; overwritten
   * @returns how many are in `ready`; `takenEnd` says where it stopped: before a step, or at `end`
   */
  take(slots: Uint32Array, first: number, end: number, doubles: Float64Array, ready: Uint32Array): number {
    const ring = this.#ring;
    const ringTimes = this.#ringTimes;
    const mask = this.#mask;
    const packetsMax = this.#packetsMax;
    let head = this.#head;
    let count = this.#count;
    let newest = this.#newest;
    let readyCount = 0;
    let i = first;
    for (; i < end; i++) {
      const slot = slots[i] as number;
      const time = doubles[slot * headerDoubles + hTime] as number;
      let place = head + count;
      if (time >= newest) {
        newest = time;
      } else {
        if (time < newest - this.#stepMicroseconds) break;
        if (time < this.#letGo) this.lateCount++;
        // Equal times keep their order of arrival.
        for (; place > head && (ringTimes[(place - 1) & mask] as number) > time; place--) {
          ring[place & mask] = ring[(place - 1) & mask] as number;
          ringTimes[place & mask] = ringTimes[(place - 1) & mask] as number;
        }
      }
      ring[place & mask] = slot;
      ringTimes[place & mask] = time;
      count++;
      const before = newest - this.#windowMicroseconds;
      while (count > 0) {
        const headTime = ringTimes[head & mask] as number;
        if (headTime > before && count <= packetsMax) break;
        ready[readyCount++] = ring[head & mask] as number;
        if (headTime > this.#letGo) this.#letGo = headTime;
        head++;
        count--;
      }
    }
    this.#head = head & mask;
    this.#count = count;
    this.#newest = newest;
    this.takenEnd = i;
    return readyCount;
  }

  /**
   * Time has come this far, with or without packets: lets go those that a packet of this time would let go.
   *
   * @param ready  [packetsMax + 1] slots that may be counted now, in order of time; overwritten
   * @returns      how many are in `ready`; -1 when this time marks a step of the clock, and nothing was done
   */
  advance(timeMicroseconds: number, ready: Uint32Array): number {
    if (timeMicroseconds < this.#newest - this.#stepMicroseconds) return -1;
    if (timeMicroseconds > this.#newest) this.#newest = timeMicroseconds;
    const before = this.#newest - this.#windowMicroseconds;
    let readyCount = 0;
    while (this.#count > 0) {
      const headTime = this.#ringTimes[this.#head] as number;
      if (headTime > before) break;
      ready[readyCount++] = this.#ring[this.#head] as number;
      if (headTime > this.#letGo) this.#letGo = headTime;
      this.#head = (this.#head + 1) & this.#mask;
      this.#count--;
    }
    return readyCount;
  }

  /** Time that every packet has been let go up to, microseconds; -Infinity before the first. */
  get passedMicroseconds(): number {
    return this.#newest - this.#windowMicroseconds;
  }

  /** Lets all held packets go, in order of time, and forgets the clock. @returns how many are in `ready` */
  restart(ready: Uint32Array): number {
    const readyCount = this.#count;
    for (let i = 0; i < readyCount; i++) ready[i] = this.#ring[(this.#head + i) & this.#mask] as number;
    this.#head = this.#count = 0;
    this.#newest = this.#letGo = -Infinity;
    return readyCount;
  }
}
