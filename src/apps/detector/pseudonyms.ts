/**
 * Pseudonyms: what homes, exporters and actions are called in logs, metrics and messages. The same name always has the
 * same one, and who does not hold the key can neither undo nor guess it (HMAC-SHA256, RFC 2104; a hash without a key
 * would fall to trying all addresses).
 */
import { createHmac } from 'node:crypto';
import { assertInvariant, type Pseudonym } from '#base';

const keyBytesMin = 16;
/** 48 bits: among 16,384 homes two are called the same once in two million keys. */
const digits = 12;
const homesRememberedMax = 1_024;

export class Pseudonyms {
  readonly #key: Uint8Array;
  /** Of homes that were named lately; every event of a home asks. */
  readonly #homes = new Map<string, Pseudonym>();

  /** @param key  at least 16 random bytes, of this detector alone */
  constructor(key: Uint8Array) {
    assertInvariant(key.length >= keyBytesMin, 'the key of pseudonyms is too short');
    this.#key = key;
  }

  /** `h-3fa9…` */
  ofHome(name: string): Pseudonym {
    const known = this.#homes.get(name);
    if (known !== undefined) return known;
    if (this.#homes.size >= homesRememberedMax) this.#homes.clear();
    const made = this.#make('h', name);
    this.#homes.set(name, made);
    return made;
  }

  /** Drops what is remembered of a home, whose name is to be nowhere any more. */
  forget(name: string): void {
    this.#homes.delete(name);
  }

  /** `e-3fa9…` @param address  as text */
  ofExporter(address: string): Pseudonym {
    return this.#make('e', address);
  }

  /**
   * `a-3fa9…` @param id  of an action: a plain digest of its home's name, which whoever tries all addresses finds out
   */
  ofAction(id: string): Pseudonym {
    return this.#make('a', id);
  }

  #make(kind: 'h' | 'e' | 'a', name: string): Pseudonym {
    // The kind is in the text too: a home that is named like its exporter's address is not called like it.
    const asked = { h: name, e: `exporter ${name}`, a: `log action ${name}` }[kind];
    const text = createHmac('sha256', this.#key).update(asked).digest('hex');
    return `${kind}-${text.slice(0, digits)}` as Pseudonym;
  }
}
