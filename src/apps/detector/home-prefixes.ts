/**
 * Which home an address belongs to, by the longest prefix that a home of the config has it in. A pure look-up table.
 */
import type { AddressWords, Prefix } from '#base';
import type { HomeEntry } from './config/detector-config.ts';
import { maskWords } from '#service';

export class HomePrefixes {
  /** By length, the longest first: names by the words of the prefix. */
  readonly #lengths: readonly { readonly lengthBits: number; readonly names: ReadonlyMap<string, string> }[];

  constructor(homes: readonly HomeEntry[]) {
    const byLength = new Map<number, Map<string, string>>();
    for (const { home, prefixes } of homes) {
      for (const { words, lengthBits } of prefixes) {
        const names = byLength.get(lengthBits) ?? new Map<string, string>();
        byLength.set(lengthBits, names);
        names.set(keyOf({ words, lengthBits }), home);
      }
    }
    this.#lengths = [...byLength].sort(([a], [b]) => b - a).map(([lengthBits, names]) => ({ lengthBits, names }));
  }

  /** Name of the home, or undefined when no prefix holds the address. */
  find(words: AddressWords): string | undefined {
    for (const { lengthBits, names } of this.#lengths) {
      const name = names.get(keyOf({ words, lengthBits }));
      if (name !== undefined) return name;
    }
    return undefined;
  }
}

function keyOf({ words, lengthBits }: Prefix): string {
  return maskWords(words, lengthBits).join();
}
