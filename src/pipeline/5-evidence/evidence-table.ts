/**
 * Entries (a home and a classifier that accepted flows of it) and their tokens, as columns that grow by doubling.
 * Entries of a home, and tokens of an entry, are chains of indices; what is freed is used again. No flow allocates.
 */
import { assertInvariant } from '#base';
import { newestRingBit, ringWordsOf, setRingBit, shiftRing } from './bucket-ring.ts';
import { tokenWords } from './token.ts';

/** Ends a chain. */
export const chainEnd = 0xffff_ffff;
/** `dirtyFrom` of an entry that did not change. */
export const clean = Infinity;

/** Words of a token before its ring: the next one of the chain, then the token. */
const keyAt = 1;
const ringAt = keyAt + tokenWords;
const entriesFirst = 64;
const tokensFirst = 256;

export class EvidenceTable {
  /** Buckets that a ring holds: those of a window, and as many more as a flow may be late. */
  readonly ringBits: number;
  readonly #stride: number;
  readonly #tokensMax: number;
  #words: Uint32Array;
  #tokensUsed = 0;
  #freeToken = chainEnd;
  #entriesUsed = 0;
  #freeEntry = chainEnd;
  /** Entries and tokens that there are. */
  entryCount = 0;
  tokenCount = 0;
  /** [entry]; the store may write `dirtyFrom`, `flowMs` and `classifier`. */
  home = new Uint32Array(entriesFirst);
  classifier = new Uint32Array(entriesFirst);
  /** Next entry of the home. */
  next = new Uint32Array(entriesFirst);
  firstToken = new Uint32Array(entriesFirst);
  tokensOf = new Uint32Array(entriesFirst);
  /** Bucket of bit 0 of the rings. */
  head = new Float64Array(entriesFirst);
  /** Earliest bucket that gained something since changes were taken. */
  dirtyFrom = new Float64Array(entriesFirst);
  /** End of the latest flow that added something. */
  flowMs = new Float64Array(entriesFirst);

  /** @param bytesMax  of all tokens */
  constructor({ ringBits, bytesMax }: { ringBits: number; bytesMax: number }) {
    this.ringBits = ringBits;
    this.#stride = ringAt + ringWordsOf(ringBits);
    this.#tokensMax = Math.floor(bytesMax / (4 * this.#stride));
    assertInvariant(this.#tokensMax > 0, 'evidence needs room for a token');
    this.#words = new Uint32Array(Math.min(tokensFirst, this.#tokensMax) * this.#stride);
  }

  /** Where tokens lie; another array once there are more of them. */
  get words(): Uint32Array {
    return this.#words;
  }

  /** Is there no room for another token? */
  get isFull(): boolean {
    return this.tokenCount >= this.#tokensMax;
  }

  /** Index in `words` of a token's key, and of its ring. */
  keyOf(token: number): number {
    return token * this.#stride + keyAt;
  }

  ringOf(token: number): number {
    return token * this.#stride + ringAt;
  }

  nextToken(token: number): number {
    return this.#words[token * this.#stride] as number;
  }

  /** A new entry without tokens, in no chain. */
  createEntry(home: number, classifier: number, head: number): number {
    let entry = this.#freeEntry;
    if (entry === chainEnd) {
      entry = this.#entriesUsed++;
      if (entry === this.home.length) this.#growEntries();
    } else this.#freeEntry = this.next[entry] as number;
    this.home[entry] = home;
    this.classifier[entry] = classifier;
    this.next[entry] = chainEnd;
    this.firstToken[entry] = chainEnd;
    this.tokensOf[entry] = 0;
    this.head[entry] = head;
    this.dirtyFrom[entry] = clean;
    this.flowMs[entry] = 0;
    this.entryCount++;
    return entry;
  }

  /** Gives an entry and its tokens back. The caller takes it out of its home's chain. */
  freeEntry(entry: number): void {
    for (let token = this.firstToken[entry] as number; token !== chainEnd;) {
      const next = this.nextToken(token);
      this.#freeOne(token);
      token = next;
    }
    this.firstToken[entry] = chainEnd;
    this.dirtyFrom[entry] = clean;
    this.next[entry] = this.#freeEntry;
    this.#freeEntry = entry;
    this.entryCount--;
  }

  /** The token of an entry with this key, or `chainEnd`. It comes to the front: what was seen will be seen again. */
  findToken(entry: number, key: Uint32Array): number {
    const words = this.#words;
    const [key0, key1, key2] = [key[0], key[1], key[2]];
    const first = this.firstToken[entry] as number;
    for (let token = first, before = chainEnd; token !== chainEnd;) {
      const at = token * this.#stride;
      const next = words[at] as number;
      if (words[at + keyAt] === key0 && words[at + keyAt + 1] === key1 && words[at + keyAt + 2] === key2) {
        if (before === chainEnd) return token;
        words[before * this.#stride] = next;
        words[at] = first;
        this.firstToken[entry] = token;
        return token;
      }
      before = token;
      token = next;
    }
    return chainEnd;
  }

  /** A new token of an entry, seen in no bucket yet. */
  addToken(entry: number, key: Uint32Array): number {
    assertInvariant(!this.isFull, 'a token without room');
    let token = this.#freeToken;
    if (token === chainEnd) {
      token = this.#tokensUsed++;
      if ((token + 1) * this.#stride > this.#words.length) this.#growTokens();
    } else this.#freeToken = this.nextToken(token);
    const at = token * this.#stride;
    this.#words.set(key, at + keyAt);
    this.#words.fill(0, at + ringAt, at + this.#stride);
    this.#words[at] = this.firstToken[entry] as number;
    this.firstToken[entry] = token;
    this.tokensOf[entry] = (this.tokensOf[entry] as number) + 1;
    this.tokenCount++;
    return token;
  }

  /** Notes that a token was seen in a bucket that the ring holds. @returns true when that is new */
  see(entry: number, token: number, bucket: number): boolean {
    return setRingBit(this.#words, this.ringOf(token), (this.head[entry] as number) - bucket);
  }

  /** Lets the rings of an entry begin with a later bucket; tokens that are in none any more are gone. */
  advance(entry: number, bucket: number): void {
    const by = bucket - (this.head[entry] as number);
    const words = this.#words;
    let before = chainEnd;
    for (let token = this.firstToken[entry] as number; token !== chainEnd;) {
      const next = this.nextToken(token);
      if (shiftRing(words, this.ringOf(token), this.ringBits, by)) before = token;
      else this.#dropToken(entry, token, before);
      token = next;
    }
    this.head[entry] = bucket;
  }

  /** Drops the token of an entry that was unseen for longest; of several the one with the lowest key. */
  evictToken(entry: number): void {
    let oldest = chainEnd;
    let beforeOldest = chainEnd;
    let oldestBit = -1;
    for (let token = this.firstToken[entry] as number, before = chainEnd; token !== chainEnd;) {
      const bit = newestRingBit(this.#words, this.ringOf(token), this.ringBits);
      if (bit > oldestBit || (bit === oldestBit && this.#isBelow(token, oldest))) {
        [oldest, beforeOldest, oldestBit] = [token, before, bit];
      }
      before = token;
      token = this.nextToken(token);
    }
    assertInvariant(oldest !== chainEnd, 'an entry without tokens has none to drop');
    this.#dropToken(entry, oldest, beforeOldest);
  }

  /**
   * Copies of an entry's tokens, key and then ring, as if the rings began with a later bucket; those that are in none
   * of its buckets are left out.
   */
  copyTokens(entry: number, bucket: number): Uint32Array[] {
    const by = bucket - (this.head[entry] as number);
    const copies: Uint32Array[] = [];
    for (let token = this.firstToken[entry] as number; token !== chainEnd; token = this.nextToken(token)) {
      const at = this.keyOf(token);
      const copy = this.#words.slice(at, at + this.#stride - keyAt);
      if (by === 0 || shiftRing(copy, tokenWords, this.ringBits, by)) copies.push(copy);
    }
    return copies;
  }

  /** Adds a token as `copyTokens` gave it. */
  restoreToken(entry: number, copy: Uint32Array): void {
    // The words may be others once the token is there.
    const token = this.addToken(entry, copy.subarray(0, tokenWords));
    this.#words.set(copy, this.keyOf(token));
  }

  /** Are a token's words below those of another, as numbers from the first on? */
  #isBelow(token: number, other: number): boolean {
    const [at, otherAt] = [this.keyOf(token), this.keyOf(other)];
    for (let i = 0; i < tokenWords; i++) {
      const [word, otherWord] = [this.#words[at + i] as number, this.#words[otherAt + i] as number];
      if (word !== otherWord) return word < otherWord;
    }
    return false;
  }

  #dropToken(entry: number, token: number, before: number): void {
    const next = this.nextToken(token);
    if (before === chainEnd) this.firstToken[entry] = next;
    else this.#words[before * this.#stride] = next;
    this.tokensOf[entry] = (this.tokensOf[entry] as number) - 1;
    this.#freeOne(token);
  }

  #freeOne(token: number): void {
    this.#words[token * this.#stride] = this.#freeToken;
    this.#freeToken = token;
    this.tokenCount--;
  }

  #growTokens(): void {
    const words = new Uint32Array(Math.min(this.#words.length * 2, this.#tokensMax * this.#stride));
    words.set(this.#words);
    this.#words = words;
  }

  #growEntries(): void {
    const capacity = this.home.length * 2;
    const grow = <T extends Uint32Array | Float64Array>(column: T, larger: T): T => {
      larger.set(column);
      return larger;
    };
    this.home = grow(this.home, new Uint32Array(capacity));
    this.classifier = grow(this.classifier, new Uint32Array(capacity));
    this.next = grow(this.next, new Uint32Array(capacity));
    this.firstToken = grow(this.firstToken, new Uint32Array(capacity));
    this.tokensOf = grow(this.tokensOf, new Uint32Array(capacity));
    this.head = grow(this.head, new Float64Array(capacity));
    this.dirtyFrom = grow(this.dirtyFrom, new Float64Array(capacity));
    this.flowMs = grow(this.flowMs, new Float64Array(capacity));
  }
}
