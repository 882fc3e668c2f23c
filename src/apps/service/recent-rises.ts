/** Which counts have risen lately: losses and the like are told for a while, and then forgotten. */

export class RecentRises<Name extends string> {
  readonly #rememberedMs: number;
  readonly #known = new Map<Name, { value: number; changedMs: number }>();

  constructor(rememberedMs: number) {
    this.#rememberedMs = rememberedMs;
  }

  /** Has a count risen within the remembered time? What was there at the first look is as if it had risen then. */
  has(name: Name, value: number, nowMs: number): boolean {
    const known = this.#known.get(name) ?? { value: 0, changedMs: -Infinity };
    if (value > known.value) known.changedMs = nowMs;
    known.value = value;
    this.#known.set(name, known);
    return nowMs - known.changedMs <= this.#rememberedMs;
  }
}
