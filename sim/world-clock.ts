/**
 * The virtual clock of a simulated world: a queue of processes, each of which sleeps until its time. Nothing here or
 * anywhere else in `sim` may read the machine's clock; one seed replays a world.
 */
import { assertInvariant, limits } from '#base';

/** Something that goes on in the world: a generator that yields how many microseconds it sleeps. */
export type Process<Result = void> = Generator<number, Result, undefined>;

/** Runs processes in the order of their time; those of the same time in the order in which they went to sleep. */
export class WorldClock {
  /** A binary heap, as columns. */
  readonly #wakeMicroseconds: number[] = [];
  readonly #order: number[] = [];
  readonly #processes: Process[] = [];
  readonly #processesMax: number;
  #orderNext = 0;
  #nowMicroseconds: number;

  /**
   * @param startMicroseconds  time of the world's beginning, since the Unix epoch
   * @param processesMax       processes that may sleep at once
   */
  constructor(startMicroseconds: number, processesMax: number = limits.simulatedProcessesMax) {
    this.#nowMicroseconds = startMicroseconds;
    this.#processesMax = processesMax;
  }

  get nowMicroseconds(): number {
    return this.#nowMicroseconds;
  }

  /** Processes that sleep now. */
  get processCount(): number {
    return this.#processes.length;
  }

  /**
   * Adds a process that wakes after a while for the first time.
   *
   * @throws InvariantError  too many processes: a behaviour starts more than it ends
   */
  start(process: Process, afterMicroseconds = 0): void {
    assertInvariant(this.#processes.length < this.#processesMax, 'too many processes in the simulated world');
    this.#push(this.#nowMicroseconds + Math.max(0, Math.round(afterMicroseconds)), process);
  }

  /**
   * Moves to the next process's time and lets it run until it sleeps again.
   *
   * @param endMicroseconds  where the world ends
   * @returns false when nothing more happens before the end
   */
  step(endMicroseconds: number): boolean {
    const wake = this.#wakeMicroseconds[0];
    if (wake === undefined || wake >= endMicroseconds) return false;
    const process = this.#pop();
    this.#nowMicroseconds = wake;
    const slept = process.next();
    if (slept.done !== true) this.#push(wake + Math.max(0, Math.round(slept.value)), process);
    return true;
  }

  #push(wake: number, process: Process): void {
    const wakes = this.#wakeMicroseconds;
    const order = this.#orderNext++;
    let at = this.#processes.length;
    this.#processes.push(process);
    wakes.push(wake);
    this.#order.push(order);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isEarlier(wake, order, wakes[parent] as number, this.#order[parent] as number)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#place(at, wake, order, process);
  }

  #pop(): Process {
    const first = this.#processes[0] as Process;
    const wake = this.#wakeMicroseconds.pop() as number;
    const order = this.#order.pop() as number;
    const process = this.#processes.pop() as Process;
    const count = this.#processes.length;
    if (count === 0) return first;
    let at = 0;
    for (let child = 1; child < count; child = 2 * at + 1) {
      if (child + 1 < count && this.#isBefore(child + 1, child)) child++;
      if (!isEarlier(this.#wakeMicroseconds[child] as number, this.#order[child] as number, wake, order)) break;
      this.#move(child, at);
      at = child;
    }
    this.#place(at, wake, order, process);
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    return isEarlier(this.#wakeMicroseconds[a] as number, this.#order[a] as number,
      this.#wakeMicroseconds[b] as number, this.#order[b] as number);
  }

  #move(from: number, to: number): void {
    this.#place(to, this.#wakeMicroseconds[from] as number, this.#order[from] as number,
      this.#processes[from] as Process);
  }

  #place(at: number, wake: number, order: number, process: Process): void {
    this.#wakeMicroseconds[at] = wake;
    this.#order[at] = order;
    this.#processes[at] = process;
  }
}

function isEarlier(wakeA: number, orderA: number, wakeB: number, orderB: number): boolean {
  return wakeA < wakeB || (wakeA === wakeB && orderA < orderB);
}
