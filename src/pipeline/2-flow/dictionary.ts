/** Dictionary of a text column: codes in the order of first appearance, 0 is the empty text. Bounded. */
import { limits } from '#base';

/** What a text is stored as once the dictionary is full; such texts are counted in `overflowCount`. */
export const dictionaryOverflowText = '(other)';

export class Dictionary {
  readonly #codes = new Map<string, number>([['', 0]]);
  readonly #texts: string[] = [''];
  readonly #entriesMax: number;
  /** Texts that found the dictionary full. */
  overflowCount = 0;

  /** @param entriesMax at least 2: the empty text and the overflow text */
  constructor(entriesMax: number = limits.dictionaryEntriesMax) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#texts.length;
  }

  /** Code of a text; a new text gets the next code. */
  encode(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    if (this.#texts.length >= this.#entriesMax - 1 && text !== dictionaryOverflowText) {
      this.overflowCount++;
      return this.encode(dictionaryOverflowText);
    }
    const code = this.#texts.length;
    this.#texts.push(text);
    this.#codes.set(text, code);
    return code;
  }

  /** Text of a code that `encode` gave. */
  decode(code: number): string {
    return this.#texts[code] ?? '';
  }
}
