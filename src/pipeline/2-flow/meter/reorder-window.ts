/**
 * Puts late packets back in order of time before they are counted, within a window bounded in time and in packets.
 * A step of the clock (captures put one behind the other, a capture host that set its clock) is not lateness: the window
 * then lets everything go and starts anew.
 */

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
  /** Steps of the clock. */
  stepCount = 0;
  readonly #windowMicroseconds: number;
  readonly #stepMicroseconds: number;
  readonly #packetsMax: number;
  /** Ring of slots in order of time; its size is a power of two above `packetsMax`. */
  readonly #ring: Uint32Array;
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
    this.#mask = size - 1;
  }

  /** Packets held back now. */
  get heldCount(): number {
    return this.#count;
  }

  /** True when `time` is a step of the clock: the caller takes everything out with `drain` and calls `restart` first. */
  isStep(time: number): boolean {
    return time < this.#newest - this.#stepMicroseconds;
  }

  /** Forgets the clock; the window must be empty. */
  restart(): void {
    this.stepCount++;
    this.#newest = this.#letGo = -Infinity;
  }

  /**
   * Takes a packet in.
   *
   * @param times  [slotCount] microseconds; read only
   */
  push(slot: number, times: Float64Array): void {
    const time = times[slot] as number;
    const ring = this.#ring;
    const mask = this.#mask;
    let place = this.#head + this.#count++;
    if (time >= this.#newest) {
      this.#newest = time;
      ring[place & mask] = slot;
      return;
    }
    if (time < this.#letGo) this.lateCount++;
    // Equal times keep their order of arrival.
    while (place > this.#head && (times[ring[(place - 1) & mask] as number] as number) > time) {
      ring[place & mask] = ring[(place - 1) & mask] as number;
      place--;
    }
    ring[place & mask] = slot;
  }

  /** The next slot that may be counted, or -1 when all held packets must wait. */
  pop(times: Float64Array): number {
    if (this.#count === 0) return -1;
    const slot = this.#ring[this.#head & this.#mask] as number;
    const time = times[slot] as number;
    if (this.#count <= this.#packetsMax && time > this.#newest - this.#windowMicroseconds) return -1;
    return this.#take(slot, time);
  }

  /** The earliest slot whether it may be counted or not, or -1 when none is held. */
  drain(times: Float64Array): number {
    if (this.#count === 0) return -1;
    const slot = this.#ring[this.#head & this.#mask] as number;
    return this.#take(slot, times[slot] as number);
  }

  #take(slot: number, time: number): number {
    this.#head = (this.#head + 1) & this.#mask;
    this.#count--;
    if (time > this.#letGo) this.#letGo = time;
    return slot;
  }
}
