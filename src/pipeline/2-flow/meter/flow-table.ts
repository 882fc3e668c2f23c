/**
 * The table of open flows: hash chains over one block of memory, one record of 160 bytes a flow (the arrays are the
 * table: no objects, nothing for the garbage collector), and two lists in order of the last packet.
 * It knows layout, chains and lists; which packet belongs to which flow is decided in `meter.ts`.
 */

/** 32-bit words of a record, and doubles (the first eight double places hold the `d…` fields). */
export const recordWords = 40;
export const recordDoubles = 20;

export const dStart = 0;
export const dEnd = 1;
export const dInitiatorOctets = 2;
export const dResponderOctets = 3;
export const dInitiatorPackets = 4;
export const dResponderPackets = 5;
/** Time at which the end of the flow was seen (FIN both ways, RST), or Infinity. */
export const dClosed = 6;
/** Time at which the record was last put at the end of its age list. */
export const dListed = 7;

export const wSource = 16;
export const wDestination = 20;
/** Initiator's port · 65536 + responder's; for ICMP the type and code in both halves. */
export const wPorts = 24;
/** IP version · 256 + protocol. */
export const wProtocol = 25;
export const wInterface = 26;
export const wHash = 27;
export const wChain = 28;
export const wOlder = 29;
export const wNewer = 30;
/** Initiator's TCP flags · 65536 + responder's. */
export const wTcpFlags = 31;
/** Initiator's class of service · 256 + responder's. */
export const wClassOfService = 32;
/** `seen…` bits. */
export const wSeen = 33;
export const wIcmp = 34;
export const wVlan = 35;
export const wSourceMac = 36;
export const wDestinationMac = 38;

export const seenInitiator = 1;
export const seenResponder = 2;
export const seenInitiatorFin = 4;
export const seenResponderFin = 8;
/** Shifts that turn the TCP flag FIN (1) into the bits above. */
export const finToInitiatorFin = 2;
export const finToResponderFin = 3;

/** No record. */
export const none = 0xffffffff;

/** A list in order of the last packet: record indices of its ends. */
export type AgeList = { oldest: number; newest: number };

export class FlowTable {
  /** The records, as words and as doubles over the same memory. Replaced when the table grows: read them anew after `allocate`. */
  words: Uint32Array;
  doubles: Float64Array;
  /** Chain heads by hash. */
  heads: Uint32Array;
  /** Flows that go on, and flows whose end was seen and that wait for stray packets. */
  readonly open: AgeList = { oldest: none, newest: none };
  readonly closed: AgeList = { oldest: none, newest: none };
  count = 0;
  readonly #flowsMax: number;
  #capacity: number;
  #freeChain: number = none;
  #used = 0;

  /** @param flowsMax at least 1 */
  constructor(flowsMax: number) {
    this.#flowsMax = flowsMax;
    this.#capacity = Math.min(flowsMax, 4096);
    this.words = new Uint32Array(this.#capacity * recordWords);
    this.doubles = new Float64Array(this.words.buffer);
    this.heads = new Uint32Array(bucketCount(this.#capacity)).fill(none);
  }

  get isFull(): boolean {
    return this.count >= this.#flowsMax;
  }

  /** Index of a new record, its content undefined. The table must not be full. */
  allocate(): number {
    this.count++;
    if (this.#freeChain !== none) {
      const index = this.#freeChain;
      this.#freeChain = this.words[index * recordWords + wChain] as number;
      return index;
    }
    if (this.#used === this.#capacity) this.#grow();
    return this.#used++;
  }

  /** Puts a record at the head of its hash chain: the newest flow of a conversation is found first. */
  link(index: number, hash: number): void {
    const at = index * recordWords;
    const bucket = hash & (this.heads.length - 1);
    this.words[at + wHash] = hash;
    this.words[at + wChain] = this.heads[bucket] as number;
    this.heads[bucket] = index;
  }

  /** Takes a record out of its chain and gives its memory back; it must be out of its age list. */
  release(index: number): void {
    const words = this.words;
    const at = index * recordWords;
    const bucket = (words[at + wHash] as number) & (this.heads.length - 1);
    let previous: number = none;
    let walker = this.heads[bucket] as number;
    while (walker !== index) {
      previous = walker;
      walker = words[walker * recordWords + wChain] as number;
    }
    const next = words[at + wChain] as number;
    if (previous === none) this.heads[bucket] = next;
    else words[previous * recordWords + wChain] = next;
    words[at + wChain] = this.#freeChain;
    this.#freeChain = index;
    this.count--;
  }

  /** Appends a record as the newest of a list. */
  append(list: AgeList, index: number): void {
    const at = index * recordWords;
    this.words[at + wOlder] = list.newest;
    this.words[at + wNewer] = none;
    if (list.newest === none) list.oldest = index;
    else this.words[list.newest * recordWords + wNewer] = index;
    list.newest = index;
  }

  /** Takes a record out of the list that it is in. */
  remove(list: AgeList, index: number): void {
    const at = index * recordWords;
    const older = this.words[at + wOlder] as number;
    const newer = this.words[at + wNewer] as number;
    if (older === none) list.oldest = newer;
    else this.words[older * recordWords + wNewer] = newer;
    if (newer === none) list.newest = older;
    else this.words[newer * recordWords + wOlder] = older;
  }

  #grow(): void {
    this.#capacity = Math.min(this.#capacity * 2, this.#flowsMax);
    const words = new Uint32Array(this.#capacity * recordWords);
    words.set(this.words);
    this.words = words;
    this.doubles = new Float64Array(words.buffer);
    const heads = new Uint32Array(bucketCount(this.#capacity)).fill(none);
    const chain: number[] = [];
    for (const head of this.heads) {
      chain.length = 0;
      for (let index = head; index !== none; index = words[index * recordWords + wChain] as number) chain.push(index);
      // From the end on, so that the newest flow of a conversation stays in front.
      for (let i = chain.length - 1; i >= 0; i--) {
        const index = chain[i] as number;
        const bucket = (words[index * recordWords + wHash] as number) & (heads.length - 1);
        words[index * recordWords + wChain] = heads[bucket] as number;
        heads[bucket] = index;
      }
    }
    this.heads = heads;
  }
}

/** A power of two, at least twice the records: short chains. */
function bucketCount(records: number): number {
  let count = 16;
  while (count < records * 2) count *= 2;
  return count;
}
