/**
 * The conversations that nDPI inspects: both directions of addresses, ports and protocol, whatever VLAN, type of
 * service or flow record they are in (as `ndpiReader -I`). Open addressing over typed arrays; bounded: at the limit the
 * conversation that was not seen for longest (by the clock algorithm) makes room.
 */
import { assertInvariant } from '#base';

/** Where a conversation stands. */
export const stateFree = 0;
/** The child has it under inspection and owes a verdict. */
export const stateInspecting = 1;
/** Its verdict is there. */
export const stateFinal = 2;
/** Evicted from the table while the child still owes the verdict. */
export const stateClosing = 3;
/** The child died with it, or was not there: it has no name, and its next packet begins a new inspection. */
export const stateLost = 4;

/** "No conversation" in place of an index. */
export const noConversation = 0xffffffff;
/** A conversation is one cache line of words: its key, then its state. */
const recordWords = 16;
const keyWords = 10;
const wVerdict = 10;
const wTunnelHash = 11;
const wState = 12;
const wPackets = 13;
const wLostReason = 14;
const wSeen = 15;
const emptyCell = -1;

/** Columns by conversation index, and a hash table of those that can be found. */
export class ConversationTable {
  /** Conversations that can be found at once. */
  readonly conversationsMax: number;
  /** Indexes there are: evicted ones wait for their verdict in the rest. */
  readonly capacity: number;
  /** First flow row that waits for the verdict; the rest of the chain is the waiting flows' business. */
  readonly firstWaiting: Int32Array;
  /** Conversations that can be found. */
  count = 0;
  readonly #records: Uint32Array;
  readonly #cells: Int32Array;
  readonly #cellMask: number;
  readonly #free: Uint32Array;
  #freeCount: number;
  #hand = 0;
  /** The key that was looked up last. */
  readonly #key = new Uint32Array(keyWords);
  /** The conversation found last that can still be found, or `noConversation`. */
  #last = noConversation;

  /** @param conversationsMax at least 1 */
  constructor(conversationsMax: number) {
    assertInvariant(conversationsMax >= 1, 'a conversation table holds at least one conversation');
    this.conversationsMax = conversationsMax;
    this.capacity = conversationsMax + Math.max(2, conversationsMax >>> 2);
    this.firstWaiting = new Int32Array(this.capacity).fill(-1);
    this.#records = new Uint32Array(this.capacity * recordWords);
    let cells = 8;
    while (cells < conversationsMax * 2) cells *= 2;
    this.#cells = new Int32Array(cells).fill(emptyCell);
    this.#cellMask = cells - 1;
    this.#free = Uint32Array.from({ length: this.capacity }, (_, i) => this.capacity - 1 - i);
    this.#freeCount = this.capacity;
  }

  stateOf(index: number): number {
    return this.#records[index * recordWords + wState] as number;
  }

  setState(index: number, state: number): void {
    this.#records[index * recordWords + wState] = state;
  }

  /** Packets sent to the child. */
  packetsOf(index: number): number {
    return this.#records[index * recordWords + wPackets] as number;
  }

  setPackets(index: number, packets: number): void {
    this.#records[index * recordWords + wPackets] = packets;
  }

  /** Master + 65536 · application, once final. */
  verdictOf(index: number): number {
    return this.#records[index * recordWords + wVerdict] as number;
  }

  setVerdict(index: number, verdict: number): void {
    this.#records[index * recordWords + wVerdict] = verdict;
  }

  /** Hash of what is inside the tunnel of which this conversation is the outside, or 0. */
  tunnelHashOf(index: number): number {
    return this.#records[index * recordWords + wTunnelHash] as number;
  }

  setTunnelHash(index: number, hash: number): void {
    this.#records[index * recordWords + wTunnelHash] = hash;
  }

  /** Why it was lost: the namer's own codes. */
  lostReasonOf(index: number): number {
    return this.#records[index * recordWords + wLostReason] as number;
  }

  setLostReason(index: number, reason: number): void {
    this.#records[index * recordWords + wLostReason] = reason;
  }

  /**
   * Finds a conversation by either of its directions.
   *
   * @param words          holds the four words of either address
   * @param sourceAt       index of the source address
   * @param others         holds the destination address: `words` again, or another column
   * @param destinationAt  index of the destination address
   * @param ports          source port · 65536 + destination port; 0 for protocols other than TCP and UDP
   * @returns the index, or `noConversation`: `add` then adds it
   */
  find(
    words: Uint32Array, sourceAt: number, others: Uint32Array, destinationAt: number, ports: number, protocol: number,
  ): number {
    const key = this.#key;
    const swap = isSourceHigher(words, sourceAt, others, destinationAt, ports);
    const low = swap ? others : words;
    const lowAt = swap ? destinationAt : sourceAt;
    const high = swap ? words : others;
    const highAt = swap ? sourceAt : destinationAt;
    key[0] = low[lowAt] as number;
    key[1] = low[lowAt + 1] as number;
    key[2] = low[lowAt + 2] as number;
    key[3] = low[lowAt + 3] as number;
    key[4] = high[highAt] as number;
    key[5] = high[highAt + 1] as number;
    key[6] = high[highAt + 2] as number;
    key[7] = high[highAt + 3] as number;
    key[8] = swap ? (ports << 16) | (ports >>> 16) : ports;
    key[9] = protocol;
    // Packets come in bursts: the conversation found last is often meant again.
    if (this.#last !== noConversation && isKey(this.#records, this.#last * recordWords, key)) {
      this.#records[this.#last * recordWords + wSeen] = 1;
      return this.#last;
    }
    return this.#search();
  }

  #search(): number {
    const cells = this.#cells;
    const mask = this.#cellMask;
    const records = this.#records;
    const key = this.#key;
    for (let cell = hashKeyAt(key, 0) & mask; ; cell = (cell + 1) & mask) {
      const index = cells[cell] as number;
      if (index === emptyCell) return noConversation;
      if (isKey(records, index * recordWords, key)) {
        records[index * recordWords + wSeen] = 1;
        this.#last = index;
        return index;
      }
    }
  }

  /** True when every index is in use: all that were evicted still wait for their verdicts. */
  get isExhausted(): boolean {
    return this.#freeCount === 0;
  }

  /** True when `add` needs an `evict` first. */
  isFull(): boolean {
    return this.count >= this.conversationsMax;
  }

  /**
   * Adds the conversation that `find` did not find just now.
   *
   * @returns its index, or `noConversation` when too many are closing
   */
  add(): number {
    assertInvariant(!this.isFull(), 'conversation table is full');
    if (this.#freeCount === 0) return noConversation;
    const index = this.#free[--this.#freeCount] as number;
    let cell = hashKeyAt(this.#key, 0) & this.#cellMask;
    while (this.#cells[cell] !== emptyCell) cell = (cell + 1) & this.#cellMask;
    this.#cells[cell] = index;
    const at = index * recordWords;
    this.#records.set(this.#key, at);
    this.#records.fill(0, at + keyWords, at + recordWords);
    this.#records[at + wSeen] = 1;
    this.count++;
    return index;
  }

  /** The conversation to make room with: not seen since the hand passed it last. The table must not be empty. */
  chooseOldest(): number {
    assertInvariant(this.count > 0, 'no conversation to evict');
    for (;;) {
      const index = this.#hand;
      this.#hand = index + 1 === this.capacity ? 0 : index + 1;
      const at = index * recordWords;
      const state = this.#records[at + wState];
      if (state === stateFree || state === stateClosing) continue;
      if (this.#records[at + wSeen] === 0) return index;
      this.#records[at + wSeen] = 0;
    }
  }

  /** Takes a conversation out of the hash table. Its index stays in use until `release`. */
  unlink(index: number): void {
    let cell = hashKeyAt(this.#records, index * recordWords) & this.#cellMask;
    while (this.#cells[cell] !== index) cell = (cell + 1) & this.#cellMask;
    this.#closeGap(cell);
    this.#last = noConversation;
    this.count--;
  }

  /** Gives an unlinked index back. Nothing may wait for it. */
  release(index: number): void {
    assertInvariant(this.firstWaiting[index] === -1, 'released a conversation that flows wait for');
    this.setState(index, stateFree);
    this.#free[this.#freeCount++] = index;
  }

  /** Moves later cells of the probe sequence back over the hole, so that no search ends too early (Knuth 6.4 R). */
  #closeGap(hole: number): void {
    const cells = this.#cells;
    const mask = this.#cellMask;
    let cell = hole;
    for (;;) {
      cell = (cell + 1) & mask;
      const index = cells[cell] as number;
      if (index === emptyCell) break;
      const home = hashKeyAt(this.#records, index * recordWords) & mask;
      if (((cell - home) & mask) >= ((cell - hole) & mask)) {
        cells[hole] = index;
        hole = cell;
      }
    }
    cells[hole] = emptyCell;
  }
}

/** True when the source is the higher side: by address, last word first, then by port. */
function isSourceHigher(
  words: Uint32Array, sourceAt: number, others: Uint32Array, destinationAt: number, ports: number,
): boolean {
  for (let i = 3; i >= 0; i--) {
    const order = (words[sourceAt + i] as number) - (others[destinationAt + i] as number);
    if (order !== 0) return order > 0;
  }
  return ports >>> 16 > (ports & 0xffff);
}

/** Compares a key; the words that differ most often come first. */
function isKey(keys: Uint32Array, at: number, key: Uint32Array): boolean {
  return keys[at + 8] === key[8] && keys[at + 7] === key[7] && keys[at + 3] === key[3] && keys[at + 9] === key[9] &&
    keys[at] === key[0] && keys[at + 1] === key[1] && keys[at + 2] === key[2] && keys[at + 4] === key[4] &&
    keys[at + 5] === key[5] && keys[at + 6] === key[6];
}

/** Folds the key to three words and mixes them (constants of MurmurHash3, public domain). */
function hashKeyAt(keys: Uint32Array, at: number): number {
  const low = (keys[at] as number) ^ (keys[at + 1] as number) ^ Math.imul(keys[at + 2] as number, 0x9e3779b1) ^
    (keys[at + 3] as number);
  const high = (keys[at + 4] as number) ^ (keys[at + 5] as number) ^ Math.imul(keys[at + 6] as number, 0x85ebca77) ^
    (keys[at + 7] as number);
  let hash = Math.imul(low, 0xcc9e2d51) ^ Math.imul((high << 13) | (high >>> 19), 0x1b873593);
  hash = Math.imul(hash ^ (hash >>> 15) ^ (keys[at + 8] as number), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ (keys[at + 9] as number), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
