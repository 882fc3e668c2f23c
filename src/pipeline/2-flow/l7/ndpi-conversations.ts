/**
 * The conversations that nDPI inspects: both directions of addresses, ports and protocol, whatever VLAN, type of service
 * or flow record they are in (as `ndpiReader -I`). Open addressing over typed arrays; bounded: at the limit the
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
const keyWords = 10;
const emptyCell = -1;

/** Columns by conversation index, and a hash table of those that can be found. */
export class ConversationTable {
  /** Conversations that can be found at once. */
  readonly conversationsMax: number;
  /** Indexes there are: evicted ones wait for their verdict in the rest. */
  readonly capacity: number;
  readonly state: Uint8Array;
  /** Packets sent to the child. */
  readonly packets: Uint8Array;
  /** Master + 65536 · application, once final. */
  readonly verdict: Uint32Array;
  /** Hash of what is inside the tunnel of which this conversation is the outside, or 0. */
  readonly tunnelHash: Uint32Array;
  /** Why it was lost: the namer's own codes. */
  readonly lostReason: Uint8Array;
  /** First flow row that waits for the verdict; the rest of the chain is the waiting flows' business. */
  readonly firstWaiting: Int32Array;
  /** Conversations that can be found. */
  count = 0;
  readonly #seen: Uint8Array;
  readonly #keys: Uint32Array;
  readonly #cells: Int32Array;
  readonly #cellMask: number;
  readonly #free: Uint32Array;
  #freeCount: number;
  #hand = 0;
  /** The key that was looked up last. */
  readonly #key = new Uint32Array(keyWords);

  /** @param conversationsMax at least 1 */
  constructor(conversationsMax: number) {
    assertInvariant(conversationsMax >= 1, 'a conversation table holds at least one conversation');
    this.conversationsMax = conversationsMax;
    this.capacity = conversationsMax + Math.max(2, conversationsMax >>> 2);
    this.state = new Uint8Array(this.capacity);
    this.packets = new Uint8Array(this.capacity);
    this.verdict = new Uint32Array(this.capacity);
    this.tunnelHash = new Uint32Array(this.capacity);
    this.lostReason = new Uint8Array(this.capacity);
    this.firstWaiting = new Int32Array(this.capacity).fill(-1);
    this.#seen = new Uint8Array(this.capacity);
    this.#keys = new Uint32Array(this.capacity * keyWords);
    let cells = 8;
    while (cells < conversationsMax * 2) cells *= 2;
    this.#cells = new Int32Array(cells).fill(emptyCell);
    this.#cellMask = cells - 1;
    this.#free = Uint32Array.from({ length: this.capacity }, (_, i) => this.capacity - 1 - i);
    this.#freeCount = this.capacity;
  }

  /**
   * Finds a conversation by either of its directions.
   *
   * @param source       address words; its four words begin at `at`
   * @param destination  address words; its four words begin at `at`
   * @returns the index, or `noConversation`: `add` then adds it
   */
  find(
    source: Uint32Array, destination: Uint32Array, at: number, sourcePort: number, destinationPort: number, protocol: number,
  ): number {
    this.#setKey(source, destination, at, sourcePort, destinationPort, protocol);
    const cells = this.#cells;
    const keys = this.#keys;
    const key = this.#key;
    let cell = hashKeyAt(key, 0) & this.#cellMask;
    for (;;) {
      const index = cells[cell] as number;
      if (index === emptyCell) break;
      const k = index * keyWords;
      // The words that differ most often come first.
      if (keys[k + 8] === key[8] && keys[k + 7] === key[7] && keys[k + 3] === key[3] && keys[k + 9] === key[9] &&
        keys[k] === key[0] && keys[k + 1] === key[1] && keys[k + 2] === key[2] && keys[k + 4] === key[4] &&
        keys[k + 5] === key[5] && keys[k + 6] === key[6]) {
        this.#seen[index] = 1;
        return index;
      }
      cell = (cell + 1) & this.#cellMask;
    }
    return noConversation;
  }

  /** True when `add` needs an `evict` first. */
  isFull(): boolean {
    return this.count >= this.conversationsMax;
  }

  /** Adds the conversation that `find` did not find just now. @returns its index, or `noConversation` when too many are closing */
  add(): number {
    assertInvariant(!this.isFull(), 'conversation table is full');
    if (this.#freeCount === 0) return noConversation;
    const index = this.#free[--this.#freeCount] as number;
    let cell = hashKeyAt(this.#key, 0) & this.#cellMask;
    while (this.#cells[cell] !== emptyCell) cell = (cell + 1) & this.#cellMask;
    this.#cells[cell] = index;
    this.#keys.set(this.#key, index * keyWords);
    this.#seen[index] = 1;
    this.packets[index] = 0;
    this.verdict[index] = 0;
    this.tunnelHash[index] = 0;
    this.count++;
    return index;
  }

  /** The conversation to make room with: not seen since the hand passed it last. The table must not be empty. */
  chooseOldest(): number {
    assertInvariant(this.count > 0, 'no conversation to evict');
    for (;;) {
      const index = this.#hand;
      this.#hand = index + 1 === this.capacity ? 0 : index + 1;
      const state = this.state[index];
      if (state === stateFree || state === stateClosing) continue;
      if (this.#seen[index] === 0) return index;
      this.#seen[index] = 0;
    }
  }

  /** Takes a conversation out of the hash table. Its index stays in use until `release`. */
  unlink(index: number): void {
    let cell = hashKeyAt(this.#keys, index * keyWords) & this.#cellMask;
    while (this.#cells[cell] !== index) cell = (cell + 1) & this.#cellMask;
    this.#closeGap(cell);
    this.count--;
  }

  /** Gives an unlinked index back. Nothing may wait for it. */
  release(index: number): void {
    assertInvariant(this.firstWaiting[index] === -1, 'released a conversation that flows wait for');
    this.state[index] = stateFree;
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
      const home = hashKeyAt(this.#keys, index * keyWords) & mask;
      if (((cell - home) & mask) >= ((cell - hole) & mask)) {
        cells[hole] = index;
        hole = cell;
      }
    }
    cells[hole] = emptyCell;
  }

  /** Sets `#key`, the lower side first. */
  #setKey(
    source: Uint32Array, destination: Uint32Array, at: number, sourcePort: number, destinationPort: number, protocol: number,
  ): void {
    const key = this.#key;
    let order = 0;
    for (let i = 3; i >= 0 && order === 0; i--) order = (source[at + i] as number) - (destination[at + i] as number);
    if (order === 0) order = sourcePort - destinationPort;
    const low = order <= 0 ? source : destination;
    const high = order <= 0 ? destination : source;
    for (let i = 0; i < 4; i++) {
      key[i] = low[at + i] as number;
      key[i + 4] = high[at + i] as number;
    }
    key[8] = order <= 0 ? (sourcePort << 16) | destinationPort : (destinationPort << 16) | sourcePort;
    key[9] = protocol;
  }
}

/** Multiply and mix (constants of MurmurHash3's finaliser, public domain). */
function hashKeyAt(keys: Uint32Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < keyWords; i++) {
    hash = Math.imul(hash ^ (keys[at + i] as number), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
